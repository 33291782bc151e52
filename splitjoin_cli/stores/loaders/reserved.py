"""Names that chunks are never loaded into: those of splitjoin's own tables, and those of the database itself."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["PREFIX", "ReservedNameError", "check_own", "check_system", "folded"]

PREFIX = "splitjoin_"

_HINTS = {
    "table": "use another table: --table NAME",
    "column": "use another column: --run-column NAME",
    "database": "make a database for the tables",
}
_QUOTES = "\"'`[]"
_SQLITE = frozenset({"temp"})  # a table there ends with the connection
_POSTGRESQL = frozenset({"information_schema"})  # and all that begin with pg_
_MYSQL = frozenset({"mysql", "sys", "information_schema", "performance_schema", "ndbinfo"})
_DUCKDB = frozenset({"information_schema", "pg_catalog", "system", "temp"})
_SYSTEM_SCHEMAS: Mapping[str, frozenset[str]] = {
    "sqlite": _SQLITE,
    "duckdb": _DUCKDB,
    "mysql": _MYSQL,
    "aurora-mysql": _MYSQL,
    "postgresql": _POSTGRESQL,
    "aurora-postgresql": _POSTGRESQL,
}
_SYSTEM_PREFIXES: Mapping[str, str] = {"postgresql": "pg_", "aurora-postgresql": "pg_"}


class ReservedNameError(ValueError):
    """The name of a ``kind`` (table, column) is reserved; ``str(error)`` says for what, ``hint`` what to type."""

    def __init__(self, kind: str, name: str, why: str) -> None:
        """``why``: a sentence without its full stop."""
        super().__init__(f"{kind} {name!r}: {why}")
        self.hint = _HINTS[kind]


def folded(name: str) -> str:
    """``name`` as the most generous of databases compares it: no case, accents, widths, quotes or outer blanks.

    Servers fold case by Unicode's tables (MySQL's lower_case_table_names), and collations drop accents: what only
    looks like a reserved name on one of them is one on another.
    """
    kept = (
        char for char in unicodedata.normalize("NFKD", name) if unicodedata.category(char) not in ("Mn", "Cc", "Cf")
    )
    # twice: folding case makes accents of its own; the dotless i folds to itself, and MySQL's to i
    text = unicodedata.normalize("NFKD", "".join(kept).casefold()).replace("\u0131", "i")
    return text.strip(_QUOTES + " \t\u3000")


def check_own(kind: str, name: str) -> None:
    """Raise ReservedNameError for a ``kind`` (table, column) that is called as splitjoin calls its own."""
    if folded(name).startswith(PREFIX):
        raise ReservedNameError(kind, name, f"names that begin with {PREFIX} are reserved for splitjoin's own tables")


def check_system(url: DatabaseUrl, table: str) -> None:
    """Raise ReservedNameError where ``table`` (``name`` or ``schema.name``) belongs to the database itself."""
    scheme = url.scheme
    if scheme.endswith("mysql") and folded(url.database) in _MYSQL:
        raise ReservedNameError("database", url.database, "it belongs to the server itself")
    schema, _, name = table.rpartition(".")
    schema = folded(schema)
    prefix = _SYSTEM_PREFIXES.get(scheme)
    if schema in _SYSTEM_SCHEMAS[scheme] or (prefix and schema.startswith(prefix)):
        raise ReservedNameError("table", table, f"the schema {schema} belongs to the database itself")
    if scheme == "sqlite" and folded(name).startswith("sqlite_"):
        raise ReservedNameError("table", table, "names that begin with sqlite_ belong to SQLite itself")
