"""One rule for fields, held by every loader, the two Auroras too: see splitjoin_cli/testing/loader_fields.py."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.duckdb import DuckdbLoader
from splitjoin_cli.stores.loaders.mysql import MysqlLoader
from splitjoin_cli.stores.loaders.postgresql import PostgresqlLoader
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.loader_fields import LoaderFieldsContract
from tests.stores.loaders.stand import Stand, aurora_mysql, aurora_postgresql, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.testing.loading import MakeChunk
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

TARGET = LoadTarget("people", create_table=True)
SERVER = pytest.mark.server
KINDS = [
    "sqlite",
    "duckdb",
    *(pytest.param(kind, marks=SERVER) for kind in ("mysql", "postgresql", "aurora-mysql", "aurora-postgresql")),
]


class TestLoaderFields(LoaderFieldsContract):
    @pytest.fixture
    def stand(self) -> Iterator[Stand]:
        """What takes the place of S3; other loaders stream from it."""
        with standing() as made:
            yield made

    @pytest.fixture(params=KINDS)
    def loader(self, request: pytest.FixtureRequest, tmp_path: Path, stand: Stand) -> Iterator[Loader]:
        """Each kind of database, empty."""
        with contextlib.closing(_loader(request, tmp_path, stand)) as made:
            yield made

    @pytest.fixture
    def make_chunk(self, stand: Stand) -> MakeChunk:
        """A chunk that the Auroras can read, too."""
        return stand.chunk


def _loader(request: pytest.FixtureRequest, tmp_path: Path, stand: Stand) -> Loader:
    kind = request.param
    if kind == "sqlite":
        return SqliteLoader(str(tmp_path / "load.db"), TARGET)
    if kind == "duckdb":
        return DuckdbLoader(str(tmp_path / "load.duckdb"), TARGET)
    if kind.endswith("mysql"):
        mariadb: MariadbDatabase = request.getfixturevalue("mariadb")
        if kind == "aurora-mysql":
            return aurora_mysql(mariadb, stand, TARGET)
        return MysqlLoader(mariadb.url, mariadb.server.password, TARGET)
    postgres: PostgresDatabase = request.getfixturevalue("postgres")
    if kind == "aurora-postgresql":
        return aurora_postgresql(postgres, stand, TARGET)
    return PostgresqlLoader(postgres.url, None, TARGET)
