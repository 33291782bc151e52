"""Loads values into columns of each type, by default and exactly, and tells what became of them."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import servers
from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.testing.chunks import chunk_of
from splitjoin_cli.testing.loading import TABLE
from tests.servers.mariadb import MariadbDatabase
from tests.servers.postgres import PostgresDatabase
from tests.stores.loaders import rigs
from tools.values.cases import SETUP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stores.loaders.rigs import Rig

__all__ = ["Outcome", "database", "outcomes"]

_TOLD = {
    "SQLite": "CAST(v AS TEXT)",
    "DuckDB": "CAST(v AS VARCHAR)",
    "PostgreSQL": "v::text",
    "MariaDB": "CAST(v AS CHAR)",
}
_MARIADB_TOLD = {
    "BIT(8)": "CAST(v + 0 AS CHAR)",
    "FLOAT": "CAST(v AS DOUBLE)",
    "BINARY(4)": "CONCAT('0x', HEX(v))",
    "POINT": "ST_AsText(v)",
}
_VERSIONS = {
    "SQLite": "SELECT sqlite_version()",
    "DuckDB": "SELECT version()",
    "MariaDB": "SELECT VERSION()",
    "PostgreSQL": "SHOW server_version",
}
OF_THE_LOAD = "the time of the load"
_NUMBERS = itertools.count(1)
"""Of chunks: no two are the same, in any table."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a text. ``kept``: as the database tells it; None where it was refused.

    ``exact``: whether it is loaded with ``exact_values``.
    """

    kind: str
    text: str
    kept: str | None
    exact: bool

    @property
    def is_alarm(self) -> bool:
        """It is refused although the very text was kept, or loaded although the plain load refuses it."""
        return (not self.exact and self.kept == self.text) or (self.exact and self.kept is None)


@contextlib.contextmanager
def database(name: str, directory: Path) -> Iterator[tuple[Rig, str]]:
    """An empty database with what CASES need, and its version. Raises LookupError where its server is not here."""
    with contextlib.ExitStack() as stack:
        if name == "SQLite":
            rig = rigs.sqlite_rig(directory)
        elif name == "DuckDB":
            rig = rigs.duckdb_rig(directory)
        elif name == "MariaDB":
            rig = rigs.mysql_rig(_made_mariadb(stack))
        else:
            rig = rigs.postgres_rig(_made_postgres(stack))
        for statement in SETUP.get(name, ()):
            rig.query(statement)
        yield rig, str(rig.query(_VERSIONS[name])[0][0])


def _made_mariadb(stack: contextlib.ExitStack) -> MariadbDatabase:
    server = stack.enter_context(servers.mariadb_server())
    made = f"values_{secrets.token_hex(4)}"
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {made}")
    return MariadbDatabase(made, server)


def _made_postgres(stack: contextlib.ExitStack) -> PostgresDatabase:
    server = stack.enter_context(servers.postgres_server())
    made = PostgresDatabase(f"values_{secrets.token_hex(4)}", server)
    PostgresDatabase("postgres", server).query(f"CREATE DATABASE {made.name}")
    return made


def outcomes(name: str, rig: Rig, kind: str, texts: tuple[str, ...]) -> list[Outcome]:
    """Each text in a record of its own, into a new table with a column of the type."""
    told = _MARIADB_TOLD.get(kind, _TOLD[name]) if name == "MariaDB" else _TOLD[name]
    kept: dict[bool, dict[int, object]] = {}
    for exact in (False, True):
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, v {kind})")
        with contextlib.closing(rig.made(LoadTarget(TABLE, exact_values=exact))) as loader:
            for place, text in enumerate(texts):
                quoted = '"' + text.replace('"', '""') + '"'
                data = f"{place},{quoted}\n".encode()
                with contextlib.suppress(LoadError):
                    loader.load(chunk_of(data, header=b"id,v\n", number=next(_NUMBERS)))
        kept[exact] = {int(row[0]): row[1] for row in rig.query(f"SELECT id, {told} FROM {TABLE}")}  # noqa: S608 -- ours
        rig.query(f"DROP TABLE {TABLE}")
    return [
        Outcome(kind, text, _shown(kept[False][place], text) if place in kept[False] else None, place in kept[True])
        for place, text in enumerate(texts)
    ]


def _shown(value: object, text: str) -> str:
    return OF_THE_LOAD if text == "now" else str(value)
