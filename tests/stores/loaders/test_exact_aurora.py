"""Exact values where the database reads S3 itself: its own reader fills the table of texts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.testing.loading import TABLE, fails
from tests.stores.loaders.stand import aurora_mysql, aurora_postgresql, standing

if TYPE_CHECKING:
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

pytestmark = pytest.mark.server
HEADER = b"id,v\n"
TARGET = LoadTarget(TABLE, run_column="run", exact_values=True)


def test_aurora_mysql(mariadb: MariadbDatabase) -> None:
    """LOAD DATA FROM S3 into the temporary table; nothing ends the transaction before it is over."""
    mariadb.query(f"CREATE TABLE {TABLE} (id INTEGER, v DECIMAL(10,2), run VARCHAR(20))")
    with standing() as stand, contextlib.closing(aurora_mysql(mariadb, stand, TARGET)) as loader:
        error = fails(BadRowError, loader, stand.chunk(b"1,1.0\n2,1.5\n3,1.005\n", header=HEADER))
        assert "record 3, line 4 of the chunk: column v (decimal(10,2)) would change '1.005' to '1.01'" in error.message
        assert loader.table_rows().rows == 0
        assert loader.load(stand.chunk(b"1,01.50\n2,\n3,1e2\n", header=HEADER)).rows == 3
        loads = [sql for sql in stand.statements if sql.startswith("LOAD")]
        assert all(sql.startswith("LOAD DATA FROM S3 FILE ") for sql in loads)
        assert [sql.partition(" INTO TABLE ")[2].partition(" ")[0] for sql in loads] == ["`splitjoin_values`"] * 2
    assert [(id_, v and float(v)) for id_, v in mariadb.query(f"SELECT id, v FROM {TABLE} ORDER BY id")] == [
        (1, 1.5), (2, None), (3, 100.0),
    ]  # fmt: skip
    assert mariadb.query("SELECT COUNT(*) FROM splitjoin_ledger") == [(1,)]


def test_aurora_postgresql(postgres: PostgresDatabase) -> None:
    """aws_s3 into the temporary table, once for each chunk."""
    run = "run TEXT DEFAULT current_setting('splitjoin.run_id', true)"
    postgres.query(f"CREATE TABLE {TABLE} (id INTEGER, v NUMERIC(10,2), {run})")
    with standing() as stand, contextlib.closing(aurora_postgresql(postgres, stand, TARGET)) as loader:
        error = fails(BadRowError, loader, stand.chunk(b"1,1.0\n2,1.5\n3,1.005\n", header=HEADER))
        assert "record 3, line 4 of the chunk: column v (numeric(10,2)) would change '1.005' to '1.01'" in error.message
        error = fails(BadRowError, loader, stand.chunk(b"1,1.0\n2,word\n", header=HEADER))
        assert 'record 2, line 3 of the chunk: invalid input syntax for type numeric: "word"' in error.message
        assert loader.load(stand.chunk(b"1,01.50\n2,\n3,1e2\n", header=HEADER)).rows == 3
        assert loader.unchecked() == ()
    assert postgres.query("SELECT name FROM aws_s3.calls") == [('"pg_temp"."splitjoin_values"',)]
    rows = postgres.query(f"SELECT id, v::float, run IS NOT NULL FROM {TABLE} ORDER BY id")
    assert rows == [(1, 1.5, True), (2, None, True), (3, 100.0, True)]
