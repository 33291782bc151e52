"""The loaders under test: each kind of database, and the fixture that makes one."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.duckdb import DuckdbLoader
from splitjoin_cli.stores.loaders.mysql import MysqlLoader
from splitjoin_cli.stores.loaders.postgresql import PostgresqlLoader
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.loading import TABLE, DatabaseKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

MIB = 1024 * 1024
COLUMNS = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{TABLE}'"
KINDS = [
    "sqlite",
    "duckdb",
    pytest.param("mysql", marks=pytest.mark.server),
    pytest.param("postgresql", marks=pytest.mark.server),
]
STRICT = pytest.mark.parametrize("rig", KINDS[1:], indirect=True)
"""SQLite's columns take anything."""
SERVERS = pytest.mark.parametrize("rig", KINDS[2:], indirect=True)


@dataclass
class Rig:
    """One kind of database, as data; a LoaderRig.

    ``made``: its loader for a target. ``columns``, ``order``: the query for the table's columns. ``connections``: the
    one that tells, or kills, all connections but its own; None for files.
    """

    kind: DatabaseKind
    made: Callable[[LoadTarget], Loader]
    query: Callable[[str], list[tuple[Any, ...]]]
    columns: str = COLUMNS
    order: str = "ordinal_position"
    connections: str | None = None

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        return self.made(LoadTarget(TABLE, create_table, run_column, beside_other_run, max_record_bytes))

    def column_names(self) -> list[str]:
        return [row[0] for row in self.query(f"{self.columns} ORDER BY {self.order}")]

    def kill_others(self) -> None:
        assert self.connections is not None, "only servers have others"
        for (answer,) in self.query(self.connections):
            if isinstance(answer, int) and not isinstance(answer, bool):  # an id; PostgreSQL kills in the query
                self.query(f"KILL {answer}")


def sqlite_rig(directory: Path) -> Rig:
    """SQLite in a file."""
    path = directory / "loaded.db"

    def query(sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(sql).fetchall()

    return Rig(
        # More than the csv module is given of one record; half of what others are given.
        DatabaseKind(empty="", strict_types=False, largest_field_bytes=9 * MIB),
        partial(SqliteLoader, str(path)),
        query,
        columns=f"SELECT name FROM pragma_table_info('{TABLE}')",
        order="cid",
    )


def duckdb_rig(directory: Path) -> Rig:
    """DuckDB in a file, which one process has."""
    path = str(directory / "loaded.duckdb")

    def query(sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(duckdb.connect(path)) as connection:
            return connection.execute(sql).fetchall()

    return Rig(DatabaseKind(empty="", shared=False, generated="VIRTUAL"), partial(DuckdbLoader, path), query)


def mysql_rig(database: MariadbDatabase) -> Rig:
    """MariaDB on the wire."""
    return Rig(
        # Its packets are no larger than the largest field.
        DatabaseKind(empty="", null_word=None, long_text="LONGTEXT", largest_field_bytes=15 * MIB),
        partial(MysqlLoader, database.url, database.server.password),
        database.query,
        columns=f"{COLUMNS} AND table_schema = DATABASE()",
        connections="SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    )


def postgres_rig(database: PostgresDatabase) -> Rig:
    """PostgreSQL on the wire."""
    return Rig(
        DatabaseKind(empty=None, fills_run_column="DEFAULT current_setting('splitjoin.run_id', true)"),
        partial(PostgresqlLoader, database.url, None),
        database.query,
        connections="SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> LoaderRig:
    """Each kind of database, empty."""
    if request.param == "sqlite":
        return sqlite_rig(tmp_path)
    if request.param == "duckdb":
        return duckdb_rig(tmp_path)
    if request.param == "mysql":
        return mysql_rig(request.getfixturevalue("mariadb"))
    return postgres_rig(request.getfixturevalue("postgres"))
