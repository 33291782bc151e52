"""What is special to one database: engines without transactions, privileges, secrets, kills of the process."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.stores.loaders import engine
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.mysql import MysqlLoader
from splitjoin_cli.stores.loaders.postgresql import PostgresqlLoader
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from tests.servers.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

TABLE = "people"


@pytest.mark.parametrize("engine", ["MyISAM", "MEMORY", "Aria"])
def test_an_engine_without_transactions_is_refused(mariadb: MariadbDatabase, engine: str) -> None:
    """A load that fails would leave its rows."""
    mariadb.query(f"CREATE TABLE people (id INTEGER, name VARCHAR(20)) ENGINE={engine}")
    with contextlib.closing(MysqlLoader(mariadb.url, mariadb.server.password, LoadTarget(TABLE))) as loader:
        with pytest.raises(LoadError) as caught:
            loader.load(chunk_of(b"1,Ann\n"))
        assert caught.value.message == (
            f"chunk 1 of 9 of {JOB} (run {RUN}) into people: table people is of engine {engine}, which has no"
            " transactions: a failed load would leave rows"
        )
        assert caught.value.hint == "ALTER TABLE `people` ENGINE=InnoDB"
        assert loader.ledger_numbers(JOB, RUN) == []
    assert mariadb.query("SELECT COUNT(*) FROM people") == [(0,)]


def test_a_wrong_password_is_not_repeated(mariadb: MariadbDatabase) -> None:
    """The message says who was refused and what to check."""
    loader = MysqlLoader(mariadb.url, "wr0ng", LoadTarget(TABLE))
    with pytest.raises(LoadError) as caught:
        loader.prepare()
    assert "Access denied for user 'root'" in caught.value.message
    assert "wr0ng" not in caught.value.message
    assert caught.value.hint == "check the user, SPLITJOIN_DB_PASSWORD and the account's privileges"


def test_a_server_that_forbids_local_files_is_told_from_others(mariadb: MariadbDatabase) -> None:
    """With what to set."""
    mariadb.query("SET GLOBAL local_infile = 0")
    try:
        target = LoadTarget(TABLE, create_table=True)
        with contextlib.closing(MysqlLoader(mariadb.url, mariadb.server.password, target)) as loader:
            with pytest.raises(LoadError) as caught:
                loader.load(chunk_of(b"1,Ann\n"))
            assert loader.ledger_numbers(JOB, RUN) == []
    finally:
        mariadb.query("SET GLOBAL local_infile = 1")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("set local_infile=1 on the server")


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,PIPES_AS_CONCAT", ""])
def test_sql_modes_do_not_matter(mariadb: MariadbDatabase, mode: str) -> None:
    """Not even one that is not strict: what does not fit is refused."""
    before = mariadb.query("SELECT @@GLOBAL.sql_mode")[0][0]
    mariadb.query(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        mariadb.query("CREATE TABLE people (id INTEGER, name VARCHAR(5))")
        with contextlib.closing(MysqlLoader(mariadb.url, mariadb.server.password, LoadTarget(TABLE))) as loader:
            assert loader.load(chunk_of(b'1,"a\\"\n2,b""\n')).rows == 2
            with pytest.raises(LoadError, match=r"record 2, line 3 of the chunk: Data truncated for column 'name'"):
                loader.load(chunk_of(b"3,c\n4,longer than five\n", number=2))
    finally:
        mariadb.query(f"SET GLOBAL sql_mode = '{before}'")
    assert mariadb.query("SELECT * FROM people ORDER BY id") == [(1, "a\\"), (2, 'b""')]


def test_an_unreachable_server_says_so(mariadb: MariadbDatabase, postgres: PostgresDatabase) -> None:
    """Port 1 answers nobody."""
    target = LoadTarget(TABLE)
    for loader, hint in (
        (MysqlLoader(replace(mariadb.url, port=1), "s3cr3t", target), "check host, port and network"),
        (
            PostgresqlLoader(replace(postgres.url, port=1), "s3cr3t", target),
            "check user, SPLITJOIN_DB_PASSWORD, host, port, database and network",
        ),
    ):
        with pytest.raises(LoadError) as caught:
            loader.prepare()
        assert caught.value.hint == hint
        assert "s3cr3t" not in caught.value.message


def test_a_database_that_is_not_there_says_so(mariadb: MariadbDatabase, postgres: PostgresDatabase) -> None:
    """The server is there, and the URL names a database that it does not have."""
    target = LoadTarget(TABLE)
    for loader, hint in (
        (
            MysqlLoader(replace(mariadb.url, database="nodb"), mariadb.server.password, target),
            "check the database's name in the URL, or create it",
        ),
        (
            PostgresqlLoader(replace(postgres.url, database="nodb"), None, target),
            "check user, SPLITJOIN_DB_PASSWORD, host, port, database and network",
        ),
    ):
        with pytest.raises(LoadError, match="nodb") as caught:
            loader.prepare()
        assert caught.value.hint == hint


def test_a_run_column_without_its_default_is_an_error(postgres: PostgresDatabase) -> None:
    """COPY would leave it empty; what the hint says mends it."""
    postgres.query("CREATE TABLE people (id int, name text, run text)")
    loader = PostgresqlLoader(postgres.url, None, LoadTarget(TABLE, run_column="run"))
    with contextlib.closing(loader):
        with pytest.raises(LoadError) as caught:
            loader.load(chunk_of(b"1,Ann\n"))
        assert caught.value.message.endswith("column run of table people has not the default that fills it")
        assert caught.value.hint is not None
        postgres.query(caught.value.hint)
        assert loader.load(chunk_of(b"1,Ann\n")).rows == 1
    assert postgres.query("SELECT run FROM people") == [(RUN,)]


def test_a_view_is_refused(postgres: PostgresDatabase) -> None:
    """What lies behind it may be anywhere."""
    postgres.query("CREATE VIEW people AS SELECT 1 AS id, 'a' AS name")
    with (
        contextlib.closing(PostgresqlLoader(postgres.url, None, LoadTarget(TABLE))) as loader,
        pytest.raises(LoadError, match="people is a view, and chunks are loaded into tables alone"),
    ):
        loader.load(chunk_of(b"1,Ann\n"))


def test_names_that_postgresql_would_cut_are_refused(postgres: PostgresDatabase) -> None:
    """Two long names might become one column."""
    target = LoadTarget(TABLE, create_table=True)
    header = b"id," + b"n" * 64 + b"\n"
    with (
        contextlib.closing(PostgresqlLoader(postgres.url, None, target)) as loader,
        pytest.raises(LoadError, match="it is longer than 63 bytes, and would be cut"),
    ):
        loader.load(chunk_of(b"1,Ann\n", header=header))


def test_a_table_in_another_schema(postgres: PostgresDatabase) -> None:
    """Schema and name, each quoted as it is."""
    postgres.query('CREATE SCHEMA "Other one"')
    target = LoadTarget("Other one.People", create_table=True)
    with contextlib.closing(PostgresqlLoader(postgres.url, None, target)) as loader:
        assert loader.load(chunk_of(b"1,Ann\n")).rows == 1
    assert postgres.query('SELECT * FROM "Other one"."People"') == [("1", "Ann")]


def test_an_account_that_may_not_make_tables_uses_those_that_are_there(postgres: PostgresDatabase) -> None:
    """An administrator prepares the ledger once."""
    with contextlib.closing(PostgresqlLoader(postgres.url, None, LoadTarget(TABLE))) as administrator:
        administrator.prepare()
    user = f"{postgres.name}_user"
    for statement in (
        "CREATE TABLE people (id int, name text)",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"CREATE ROLE {user} LOGIN",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}",
    ):
        postgres.query(statement)
    loader = PostgresqlLoader(replace(postgres.url, user=user), None, LoadTarget(TABLE))
    with contextlib.closing(loader):
        assert loader.load(chunk_of(b"1,Ann\n")).rows == 1


KILLED = """
import os, signal, sys
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.chunks import Streams, chunk_of, many_rows, with_stream

def die():
    os.kill(os.getpid(), signal.SIGKILL)

chunk = with_stream(chunk_of(b"", rows=None), lambda: Streams([b"id,name\\n", many_rows(100_000), die]))
SqliteLoader(sys.argv[1], LoadTarget("people")).load(chunk)
"""


def test_a_process_killed_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """The next one rolls back what it finds, and loads."""
    path = tmp_path / "loaded.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    with contextlib.closing(SqliteLoader(str(path), LoadTarget(TABLE))) as loader:
        assert loader.ledger_numbers(JOB, RUN) == []
        assert loader.table_rows().rows == 0
        assert loader.load(chunk_of(b"1,Ann\n")).rows == 1
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def connection_id(loader: MysqlLoader | PostgresqlLoader) -> int:
    """The server's number of the connection that the next call uses."""
    sql = "SELECT CONNECTION_ID()" if isinstance(loader, MysqlLoader) else "SELECT pg_backend_pid()"
    with loader._session() as session:
        return int(session.rows(sql)[0][0])


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_connection_that_died_or_froze_is_replaced(
    mariadb: MariadbDatabase, postgres: PostgresDatabase, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the server ended is found dead; one that lay for a minute, as in a frozen process, is not even asked."""
    loader: MysqlLoader | PostgresqlLoader
    if kind == "mysql":
        loader = MysqlLoader(mariadb.url, mariadb.server.password, LoadTarget(TABLE, create_table=True))
    else:
        loader = PostgresqlLoader(postgres.url, None, LoadTarget(TABLE, create_table=True))
    with contextlib.closing(loader):
        first = connection_id(loader)
        assert connection_id(loader) == first
        if kind == "mysql":
            mariadb.query(f"KILL {first}")
        else:
            postgres.query(f"SELECT pg_terminate_backend({first})")
        assert loader.load(chunk_of(b"1,Ann\n")).rows == 1
        second = connection_id(loader)
        assert second != first
        session, _ = loader._idle[0]
        monkeypatch.setattr(session, "is_alive", lambda: pytest.fail("it was asked"))
        now = time.time()
        monkeypatch.setattr(engine, "time", SimpleNamespace(time=lambda: now + 61, sleep=time.sleep))
        assert connection_id(loader) != second
