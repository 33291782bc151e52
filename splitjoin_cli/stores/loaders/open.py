"""From a database's URL to its loader; the driver is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.reserved import ReservedNameError, check_system
from splitjoin_cli.stores.loaders.urls import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.loaders.base import LedgerReader, Loader
    from splitjoin_cli.stores.loaders.login import Logins
    from splitjoin_cli.stores.loaders.read_back import ValueReader
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["open_ledger", "open_loader", "open_values", "quoted_as"]

# The module, the class, and the package of the driver.
_LOADERS = {
    "sqlite": ("sqlite", "SqliteLoader", None),
    "duckdb": ("duckdb", "DuckdbLoader", "duckdb"),
    "mysql": ("mysql", "MysqlLoader", "pymysql"),
    "aurora-mysql": ("aurora_mysql", "AuroraMysqlLoader", "pymysql"),
    "postgresql": ("postgresql", "PostgresqlLoader", "psycopg[binary]"),
    "aurora-postgresql": ("aurora_postgresql", "AuroraPostgresqlLoader", "psycopg[binary]"),
}

_ANY_TABLE = "any_table"  # whoever only looks into the ledger names none


def open_loader(
    url: DatabaseUrl, target: LoadTarget, *, login: Logins | str | None = None, region: str | None = None
) -> Loader:
    """The loader for ``url``, not connected yet.

    ``login``: a password (what SPLITJOIN_DB_PASSWORD says), or where logins come from. ``region``: of the bucket that
    an Aurora database reads; its URL's ``s3-region`` beats it. Raises UsageError for a missing driver, and for a table
    of the database itself.
    """
    try:
        check_system(url, target.table)
    except ReservedNameError as exc:
        raise UsageError(str(exc), hint=exc.hint) from exc
    module, name, driver = _LOADERS[url.scheme]
    try:
        make: Any = getattr(import_module(f"splitjoin_cli.stores.loaders.{module}"), name)
    except ModuleNotFoundError as exc:
        raise UsageError(
            f"{url.scheme} needs {exc.name}, which is not installed", hint=f"pip install '{driver}'"
        ) from exc
    if url.scheme in EMBEDDED:
        return cast("Loader", make(url.database, target))
    if url.scheme.startswith("aurora-"):
        return cast("Loader", make(url, login, target, region))
    return cast("Loader", make(url, login, target))


def open_ledger(url: DatabaseUrl, *, login: Logins | str | None = None, region: str | None = None) -> LedgerReader:
    """What reads the ledger of the database ``url``, see ``open_loader``: it says itself of which table it is."""
    return cast("LedgerReader", open_loader(url, LoadTarget(_ANY_TABLE), login=login, region=region))


def open_values(
    url: DatabaseUrl, target: LoadTarget, *, login: Logins | str | None = None, region: str | None = None
) -> ValueReader:
    """What reads a table of ``url`` back, see ``open_loader``."""
    return cast("ValueReader", open_loader(url, target, login=login, region=region))


def quoted_as(scheme: str) -> Callable[[str], str]:
    """How a database writes an identifier, for SQL that an operator types."""
    mark = "`" if scheme.endswith("mysql") else '"'
    return lambda name: mark + name.replace(mark, mark * 2) + mark
