"""The loaders under test: each kind of database, and the fixture that makes one."""

from __future__ import annotations

import contextlib
import sqlite3
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
    from pathlib import Path

    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import LoaderRig
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

MIB = 1024 * 1024
KINDS = [
    "sqlite",
    "duckdb",
    pytest.param("mysql", marks=pytest.mark.server),
    pytest.param("postgresql", marks=pytest.mark.server),
]
STRICT = pytest.mark.parametrize("rig", KINDS[1:], indirect=True)
"""SQLite's columns take anything."""
SERVERS = pytest.mark.parametrize("rig", KINDS[2:], indirect=True)


class SqliteRig:
    kind = DatabaseKind(empty="", strict_types=False)

    def __init__(self, directory: Path) -> None:
        self._path = directory / "loaded.db"

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        return SqliteLoader(
            str(self._path), LoadTarget(TABLE, create_table, run_column, beside_other_run, max_record_bytes)
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self._path)) as connection, connection:
            return connection.execute(sql).fetchall()

    def column_names(self) -> list[str]:
        return [row[0] for row in self.query(f"SELECT name FROM pragma_table_info('{TABLE}')")]

    def kill_others(self) -> None:
        raise NotImplementedError


class DuckdbRig(SqliteRig):
    kind = DatabaseKind(empty="", shared=False, generated="VIRTUAL")

    def __init__(self, directory: Path) -> None:
        self._path = directory / "loaded.duckdb"

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        return DuckdbLoader(
            str(self._path), LoadTarget(TABLE, create_table, run_column, beside_other_run, max_record_bytes)
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(duckdb.connect(str(self._path))) as connection:
            return connection.execute(sql).fetchall()

    def column_names(self) -> list[str]:
        return _column_names(self)


class MysqlRig:
    kind = DatabaseKind(empty="", null_word=None, long_text="LONGTEXT", largest_field_bytes=15 * MIB)
    """Its packets are no larger."""

    def __init__(self, database: MariadbDatabase) -> None:
        self._database = database

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        target = LoadTarget(TABLE, create_table, run_column, beside_other_run, max_record_bytes)
        return MysqlLoader(self._database.url, self._database.server.password, target)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._database.query(sql)

    def column_names(self) -> list[str]:
        return _column_names(self, "AND table_schema = DATABASE()")

    def kill_others(self) -> None:
        sql = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        for (number,) in self.query(sql):
            self.query(f"KILL {number}")


class PostgresRig:
    kind = DatabaseKind(empty=None, fills_run_column="DEFAULT current_setting('splitjoin.run_id', true)")

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        target = LoadTarget(TABLE, create_table, run_column, beside_other_run, max_record_bytes)
        return PostgresqlLoader(self._database.url, None, target)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._database.query(sql)

    def column_names(self) -> list[str]:
        return _column_names(self)

    def kill_others(self) -> None:
        self.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _column_names(rig: LoaderRig, and_schema: str = "") -> list[str]:
    where = f"table_name = '{TABLE}' {and_schema}"
    sql = f"SELECT column_name FROM information_schema.columns WHERE {where} ORDER BY ordinal_position"
    return [row[0] for row in rig.query(sql)]


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> LoaderRig:
    """Each kind of database, empty."""
    if request.param == "sqlite":
        return SqliteRig(tmp_path)
    if request.param == "duckdb":
        return DuckdbRig(tmp_path)
    if request.param == "mysql":
        return MysqlRig(request.getfixturevalue("mariadb"))
    return PostgresRig(request.getfixturevalue("postgres"))
