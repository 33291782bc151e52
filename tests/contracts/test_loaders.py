"""The contract of a loader, held by every implementation: see splitjoin_cli/stores/loaders/base.py."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import sqlite3
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import duckdb
import pytest

import splitjoin_cli.stores.loaders
from splitjoin_cli.core.errors import BadRowError, LoadError, OlderRunError, RunConflictError, SourceError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders import mysql
from splitjoin_cli.stores.loaders.base import (
    Ledger,
    LedgerJob,
    LedgerTotal,
    LoadResult,
    LoadTarget,
    LoadTime,
    TableRows,
)
from splitjoin_cli.stores.loaders.duckdb import DuckdbLoader
from splitjoin_cli.stores.loaders.mysql import MysqlLoader
from splitjoin_cli.stores.loaders.postgresql import PostgresqlLoader
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from tests.stores.loaders.chunks import JOB, RUN, Streams, chunk_of, count_records, many_rows, with_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LedgerReader, Loader
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

COVERED = {"SqliteLoader", "DuckdbLoader", "MysqlLoader", "PostgresqlLoader"}
OF_THEIR_OWN = {"AuroraMysqlLoader", "AuroraPostgresqlLoader", "LoaderByClient"}
"""Two read S3 themselves (tests/stores/loaders/test_aurora.py), one chooses among others (test_by_client.py)."""
NEWER = "0f1e2d3c4b5a6978"
TABLE = "people"
KINDS = [
    "sqlite",
    "duckdb",
    pytest.param("mysql", marks=pytest.mark.server),
    pytest.param("postgresql", marks=pytest.mark.server),
]
SERVERS = pytest.mark.parametrize("rig", KINDS[2:], indirect=True)
LOADED = LoadResult(2, already_loaded=False, rows_checked=True)


class Rig(Protocol):
    """A database that loaders of one kind share, and what only tests may do to it."""

    empty: str | None
    """What an unquoted empty field becomes in a text column."""
    null_word: str | None
    """What an unquoted NULL becomes there."""

    def loader(
        self,
        *,
        create_table: bool = True,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record_bytes: int = LARGE_RECORD_BYTES,
    ) -> Loader:
        """One more process on the same database."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """By the plain driver."""

    def kill_others(self) -> None:
        """End the connections of all loaders, as an administrator would."""


class SqliteRig:
    empty: str | None = ""
    null_word: str | None = "NULL"

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

    def kill_others(self) -> None:
        raise NotImplementedError


class DuckdbRig(SqliteRig):
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


class MysqlRig:
    empty: str | None = ""
    null_word: str | None = None

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

    def kill_others(self) -> None:
        sql = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        for (number,) in self.query(sql):
            self.query(f"KILL {number}")


class PostgresRig:
    empty: str | None = None
    null_word: str | None = "NULL"

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

    def kill_others(self) -> None:
        self.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """Each kind of database, empty."""
    if request.param == "sqlite":
        return SqliteRig(tmp_path)
    if request.param == "duckdb":
        return DuckdbRig(tmp_path)
    if request.param == "mysql":
        return MysqlRig(request.getfixturevalue("mariadb"))
    return PostgresRig(request.getfixturevalue("postgres"))


@pytest.fixture
def loader(rig: Rig) -> Iterator[Loader]:
    """A loader that may make its table."""
    with contextlib.closing(rig.loader()) as made:
        yield made


def rows_of(rig: Rig, columns: str = "id, name", order: str = "1") -> list[tuple[Any, ...]]:
    """The table's rows."""
    return rig.query(f"SELECT {columns} FROM {TABLE} ORDER BY {order}")


def fails(kind: type[LoadError], loader: Loader, chunk: ChunkToLoad) -> LoadError:
    """The error that a load ends with."""
    with pytest.raises(kind) as caught:
        loader.load(chunk)
    return caught.value


def test_every_loader_is_held_to_this_contract() -> None:
    """A loader added to the package and not to this suite fails here."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.loaders.__path__, "splitjoin_cli.stores.loaders."):
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if hasattr(kind, "ledger_numbers") and not inspect.isabstract(kind) and name != "Loader":
                found.add(name)
    assert found == COVERED | OF_THEIR_OWN


def ledger_of(rig: Rig, file_name: str = JOB) -> Ledger:
    """What somebody sees who only looks."""
    with contextlib.closing(rig.loader()) as made:
        return cast("LedgerReader", made).read_ledger(file_name)


def test_the_ledger_is_read_and_nothing_is_made(rig: Rig) -> None:
    """Looking makes no table and no file: what was never loaded into has no ledger; afterwards all runs are in it."""
    for _ in range(2):  # the first look made nothing
        absent = ledger_of(rig)
        assert (absent.found, absent.job, absent.runs, absent.history) == (False, None, {}, None)
    with contextlib.closing(rig.loader(beside_other_run=True)) as loader:
        loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
        loader.load(chunk_of(b"3,Eve\n", number=2, run_id=NEWER))
        uri = loader.properties.uri
    job = LedgerJob(JOB, RUN, 1, TABLE, None)
    assert ledger_of(rig) == Ledger(uri, found=True, job=job, runs={RUN: {1: 2}, NEWER: {2: 1}})
    assert ledger_of(rig, "nobody_1") == Ledger(uri, found=True)


def test_the_ledger_is_read_while_a_chunk_is_loaded(rig: Rig, loader: Loader) -> None:
    """A load that is not committed is not seen, and neither waits for the other. DuckDB lets nobody look meanwhile."""
    loader.load(chunk_of(b"1,Ann\n"))
    seen: list[Ledger] = []
    parts: list[Any] = [b"id,name\n", b"2,Bob\n", lambda: seen.append(ledger_of(rig))]
    if isinstance(rig, DuckdbRig):
        loader.close()
        parts.pop()()
    loader.load(with_stream(chunk_of(b"2,Bob\n", number=2), lambda: Streams(parts)))
    assert [found.runs for found in seen] == [{RUN: {1: 1}}]


def times_of(rig: Rig, run_id: str = RUN) -> list[LoadTime]:
    """When the chunks of a run were loaded, as somebody sees it who only looks."""
    with contextlib.closing(rig.loader()) as made:
        return cast("LedgerReader", made).read_times(JOB, run_id)


def test_the_ledger_notes_when_each_chunk_was_loaded(rig: Rig) -> None:
    """From the delivery's begin to just before the commit, by the worker's clock."""
    assert times_of(rig) == []
    parts: list[Any] = [b"id,name\n", lambda: time.sleep(0.05), b"1,a\n2,b\n"]
    before = time.time()
    with contextlib.closing(rig.loader()) as loader:
        loader.load(with_stream(chunk_of(b"1,a\n2,b\n"), lambda: Streams(parts)))
        loader.load(chunk_of(b"3,c\n", number=7))
    after = time.time()
    first, second = times_of(rig)
    assert (first.number, first.rows, second.number, second.rows) == (1, 2, 7, 1)
    for one in (first, second):
        assert one.began_at is not None
        assert one.loaded_at is not None
        assert before - 0.002 <= one.began_at <= one.loaded_at <= after + 0.002
    assert (first.loaded_at or 0) - (first.began_at or 0) >= 0.045
    assert times_of(rig, "other") == []


def test_a_ledger_of_an_earlier_release_is_used_as_it_is(rig: Rig) -> None:
    """It does not note when a load began: that is unknown, and no column is added to it."""
    with contextlib.closing(rig.loader()) as loader:
        loader.prepare()
    rig.query("ALTER TABLE splitjoin_ledger DROP COLUMN began_at")
    with contextlib.closing(rig.loader()) as loader:
        assert loader.load(chunk_of(b"1,a\n2,b\n")) == LOADED
    (only,) = times_of(rig)
    assert (only.number, only.rows, only.began_at) == (1, 2, None)
    assert abs((only.loaded_at or 0) - time.time()) < 60


def test_loads_a_chunk(rig: Rig, loader: Loader) -> None:
    """The table is made, the rows are in it, and the ledger says so."""
    assert loader.load(chunk_of(b"1,Ann\n2,Bob\n")) == LOADED
    assert rows_of(rig) == [("1", "Ann"), ("2", "Bob")]
    assert loader.ledger_numbers(JOB, RUN) == [1]
    assert loader.ledger_rows(JOB, RUN) == LedgerTotal(chunks=1, rows=2)
    assert loader.table_rows().rows == 2
    assert loader.job(JOB) == LedgerJob(JOB, RUN, 1, TABLE, None)


def test_a_database_without_anything_answers(loader: Loader) -> None:
    """Nothing was loaded yet: that is no error."""
    assert loader.ledger_numbers(JOB, RUN) == []
    assert loader.ledger_rows(JOB, RUN) == LedgerTotal(chunks=0, rows=0)
    assert loader.table_rows().rows == 0
    assert loader.job(JOB) is None
    assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z") is False


def test_rows_in_the_table_are_told_apart(rig: Rig, loader: Loader) -> None:
    """The run's, those of other jobs in the same table, and those that no ledger knows."""
    loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
    loader.load(chunk_of(b"3,Cy\n", number=2))
    loader.load(replace(chunk_of(b"8,Zed\n"), file_name="other_20240131"))
    loader.close()
    rig.query(f"INSERT INTO {TABLE} (id, name) VALUES ('9', 'by hand')")
    job = "(file_name, run_id, generation, table_name) VALUES ('pets_20240131', 'r', 1, 'pets')"
    rig.query(f"INSERT INTO splitjoin_jobs {job}")
    rig.query("INSERT INTO splitjoin_ledger (file_name, run_id, number, row_count) VALUES ('pets_20240131', 'r', 1, 7)")
    assert loader.table_rows(JOB, RUN) == TableRows(5, of_run=3, of_others=1)
    assert loader.table_rows("nobody_1", RUN) == TableRows(5, of_others=4)


def test_table_and_ledger_are_seen_at_one_moment(rig: Rig) -> None:
    """However many loads are under way, and while the table is being made."""
    chunks = [chunk_of(b"%d,x\n%d,y\n" % (n, n), number=n) for n in range(1, 10)]
    seen: list[TableRows] = []
    with (
        contextlib.closing(rig.loader()) as writer,
        contextlib.closing(rig.loader()) as reader,
        ThreadPoolExecutor(1) as pool,
    ):
        loads = pool.submit(lambda: [writer.load(chunk) for chunk in chunks])
        while not loads.done():
            seen.append(reader.table_rows(JOB, RUN))
        loads.result()
        assert reader.table_rows(JOB, RUN) == TableRows(18, of_run=18)
    assert seen
    assert [rows for rows in seen if rows.rows != rows.of_run] == []


def test_delivered_twice_loaded_once(rig: Rig, loader: Loader) -> None:
    """The second delivery skips, in another process too, and says how many rows there are."""
    chunk = chunk_of(b"1,Ann\n2,Bob\n")
    loader.load(chunk)
    with contextlib.closing(rig.loader()) as other:
        assert other.load(chunk) == LoadResult(2, already_loaded=True, rows_checked=True)
    assert loader.load(chunk) == LoadResult(2, already_loaded=True, rows_checked=True)
    assert rows_of(rig) == [("1", "Ann"), ("2", "Bob")]


def test_concurrent_duplicates_are_loaded_once(rig: Rig) -> None:
    """6 threads of 2 processes, each chunk delivered 3 times at once, tables made on the way."""
    loaders = [rig.loader(), rig.loader()]
    chunks = [chunk_of(b"%d,x\n%d,y\n" % (n, n), number=n) for n in range(1, 7)] * 3
    barrier = threading.Barrier(6)

    def work(share: int) -> list[LoadResult]:
        barrier.wait()
        return [loaders[share % 2].load(chunk) for chunk in chunks[share::6]]

    with ThreadPoolExecutor(6) as pool:
        results = [result for share in pool.map(work, range(6)) for result in share]
    assert [result.rows for result in results] == [2] * 18
    assert sum(not result.already_loaded for result in results) == 6
    assert loaders[0].ledger_numbers(JOB, RUN) == [1, 2, 3, 4, 5, 6]
    assert loaders[0].table_rows().rows == 12
    for each in loaders:
        each.close()


def test_a_chunk_without_rows_is_a_normal_load(loader: Loader) -> None:
    """A header alone: counted with 0 rows."""
    assert loader.load(chunk_of(b"")) == LoadResult(0, already_loaded=False, rows_checked=True)
    assert loader.ledger_rows(JOB, RUN) == LedgerTotal(chunks=1, rows=0)


def test_bytes_that_are_no_text_load_nothing(loader: Loader) -> None:
    """Latin-1 in a chunk that is said to be UTF-8."""
    loader.prepare()
    fails(BadRowError, loader, chunk_of(b"1,Ann\n2,Zo\xeb\n3,Cy\n", rows=3))
    assert loader.table_rows().rows == 0
    assert loader.ledger_numbers(JOB, RUN) == []


def test_unknown_rows_are_not_checked_and_that_is_said(loader: Loader) -> None:
    """As from a split that counted none."""
    assert loader.load(chunk_of(b"1,Ann\n", rows=None)) == LoadResult(1, already_loaded=False, rows_checked=False)


DATA = {
    "quoted newlines": (b'1,"two\nlines"\n2,"three\n\n lines\n"\n', ["two\nlines", "three\n\n lines\n"]),
    "CRLF ends and CRLF in quotes": (b'1,a\r\n2,"b\r\nc"\r\n', ["a", "b\r\nc"]),
    "mixed line ends": (b'1,a\r\n2,b\n3,"c\n\r\nd"\r\n', ["a", "b", "c\n\r\nd"]),
    "no newline at the end": (b"1,a\n2,b", ["a", "b"]),
    "backslashes before quotes": (b'1,"C:\\dir\\"\n2,"\\"\n3,\\N\n4,a\\\n', ["C:\\dir\\", "\\", "\\N", "a\\"]),
    "doubled quotes": (b'1,"say ""hi"""\n2,""""\n', ['say "hi"', '"']),
    "delimiters in quotes": (b'1,"a,b"\n2,","\n', ["a,b", ","]),
    "other scripts": ("1,Zoë\n2,日本語 🎌\n3,\u202eعربي\n".encode(), ["Zoë", "日本語 🎌", "\u202eعربي"]),
    "a line that ends PostgreSQL's data": (b'1,"a\n\\.\nb"\n2,\\.\n', ["a\n\\.\nb", "\\."]),
    "stray quotes": (b'1,5" pipe\n2,6"\n3,"a"b"\n4,a""b\n', ['5" pipe', '6"', 'ab"', 'a""b']),
    "spaces and quotes": (b'1, a \n2, "b"\n', [" a ", ' "b"']),
    "percent and question marks": (b"1,100%s?\n2,%(a)s ?\n", ["100%s?", "%(a)s ?"]),
    "tabs": (b"1,a\tb\n2,\t\n", ["a\tb", "\t"]),
    "a word in quotes": (b'1,"NULL"\n2,"\\N"\n', ["NULL", "\\N"]),
    "a quoted empty field": (b'1,""\n2,x\n', ["", "x"]),
    "a hash": (b"1,#a\n#2,b\n", ["#a", "b"]),
}


@pytest.mark.parametrize("name", DATA)
def test_fields_arrive_as_they_are(rig: Rig, loader: Loader, name: str) -> None:
    """What the csv module reads is what is in the table."""
    data, names = DATA[name]
    assert loader.load(chunk_of(data)).rows == len(names)
    assert sorted(row[1] for row in rows_of(rig)) == sorted(names)


def test_null_empty_and_words(rig: Rig, loader: Loader) -> None:
    """Each database has its own rule for unquoted fields, and keeps it."""
    data = b'1,\n2,""\n3,NULL\n4,"NULL"\n5,null\n'
    loader.load(chunk_of(data))
    expected = [rig.empty, "", rig.null_word, "NULL", "null"]
    assert [row[1] for row in rows_of(rig)] == expected


def test_the_rule_for_null_does_not_depend_on_who_reads(rig: Rig, loader: Loader) -> None:
    """A stray quote sends the chunk to our own reader: the other rows are the same."""
    data = b'1,\n2,""\n3,NULL\n4,"NULL"\n5,6"\n'
    loader.load(chunk_of(data))
    assert [row[1] for row in rows_of(rig)] == [rig.empty, "", rig.null_word, "NULL", '6"']


DIALECTS: dict[str, tuple[Dialect, bytes, list[str | None]]] = {
    "semicolon": (Dialect(delimiter=";", line_end="\n"), b'1;"a;b"\n2;c,d\n', ["a;b", "c,d"]),
    "tab": (Dialect(delimiter="\t", line_end="\r\n"), b'1\t"a\tb"\r\n2\tc\r\n', ["a\tb", "c"]),
    "single quotes": (Dialect(quotechar="'", line_end="\n"), b"1,'it''s'\n2,\"x\"\n", ["it's", '"x"']),
    "no quotes": (Dialect(quotechar=None, line_end="\n"), b'1,"a\n2,b"\n3,\\N\n', ['"a', 'b"', "\\N"]),
    "escape": (
        Dialect(escapechar="\\", line_end="\n"),
        b'1,"a\\"b"\n2,c\\,d\n3,"x""y"\n4,C:\\\\n\n5,\\N\n6,"\\N"\n',
        ['a"b', "c,d", 'x"y', "C:\\n", None, "N"],
    ),
    "latin-1": (Dialect(encoding="latin-1", line_end="\n"), b"1,Zo\xeb\n2,\xfcber\n", ["Zoë", "über"]),
    "a pipe and percent": (Dialect(delimiter="|", quotechar="%", line_end="\n"), b"1|%a|b%\n2|c\n", ["a|b", "c"]),
    "a question mark": (Dialect(delimiter="?", line_end="\n"), b"1?a\n2?b\n", ["a", "b"]),
    "a backslash delimits": (Dialect(delimiter="\\", line_end="\n"), b"1\\a\n2\\b\n", ["a", "b"]),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(rig: Rig, loader: Loader, name: str) -> None:
    """The chunk's own, never a guess."""
    dialect, data, names = DIALECTS[name]
    header = f"id{dialect.delimiter}name\n".encode()
    assert loader.load(chunk_of(data, header=header, dialect=dialect)).rows == len(names)
    assert [row[1] for row in rows_of(rig)] == names


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_chunks(rig: Rig, loader: Loader, compression: Literal["gzip", "zstd"]) -> None:
    """Decompressed on the way."""
    assert loader.load(chunk_of(b"1,Ann\n2,Bob\n", compression=compression)) == LOADED
    assert rows_of(rig) == [("1", "Ann"), ("2", "Bob")]


HEADERS = {
    "byte order mark": (b'\xef\xbb\xbf"id",name\n', ["id", "name"]),
    "a quoted newline": (b'id,"full\nname"\n', ["id", "full\nname"]),
    "CRLF": (b"id,name\r\n", ["id", "name"]),
    "quotes of every kind": (b'id,"a ""b"" `c` \'d\' % ?"\n', ["id", "a \"b\" `c` 'd' % ?"]),
    "other scripts": ("id,имя\n".encode(), ["id", "имя"]),
    "without names": (b"id,\n", ["id", "column_2"]),
    "the same name twice": (b"id,ID\n", ["id", "ID_2"]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(rig: Rig, loader: Loader, name: str) -> None:
    """A made table has the header's names; a second chunk finds them."""
    header, names = HEADERS[name]
    assert loader.load(chunk_of(b"1,Ann\n2,Bob\n", header=header)) == LOADED
    assert loader.load(chunk_of(b"3,Cy\n4,Dee\n", header=header, number=2)) == LOADED
    assert [row[1] for row in rows_of(rig, "*")] == ["Ann", "Bob", "Cy", "Dee"]
    assert column_names(rig) == names


def column_names(rig: Rig) -> list[str]:
    """The table's columns."""
    if type(rig) is SqliteRig:
        return [row[0] for row in rig.query(f"SELECT name FROM pragma_table_info('{TABLE}')")]
    schema = "AND table_schema = DATABASE()" if isinstance(rig, MysqlRig) else ""
    where = f"table_name = '{TABLE}' {schema}"
    sql = f"SELECT column_name FROM information_schema.columns WHERE {where} ORDER BY ordinal_position"
    return [row[0] for row in rig.query(sql)]


def test_columns_are_mapped_by_name(rig: Rig, loader: Loader) -> None:
    """Whatever their order in the table, and whatever their case; others keep their default."""
    rig.query(f"CREATE TABLE {TABLE} (note VARCHAR(9) DEFAULT 'new', name VARCHAR(9), id INTEGER)")
    loader.load(chunk_of(b"1,Ann\n2,Bob\n", header=b"ID,name\n"))
    assert rows_of(rig, "id, name, note") == [(1, "Ann", "new"), (2, "Bob", "new")]


def test_without_a_header_columns_go_by_place(rig: Rig, loader: Loader) -> None:
    """A made table calls them by it; a byte order mark belongs to no field."""
    assert loader.load(chunk_of(b"\xef\xbb\xbf1,Ann\n2,Bob\n", header=None)) == LOADED
    assert rows_of(rig, "column_1, column_2") == [("1", "Ann"), ("2", "Bob")]


def test_one_column_and_blank_lines(rig: Rig, loader: Loader) -> None:
    """In a table of one column a blank line is a row, an empty one."""
    result = loader.load(chunk_of(b"a\n\nb\n", header=b"name\n"))
    assert result.rows == 3
    assert rig.query(f"SELECT COUNT(*) FROM {TABLE} WHERE COALESCE(name, '') = ''") == [(1,)]


def test_a_column_that_is_missing_is_named(rig: Rig, loader: Loader) -> None:
    """Nothing is loaded, and the message says which it is and which there are."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, title VARCHAR(9))")
    error = fails(BadRowError, loader, chunk_of(b"1,Ann\n"))
    assert error.message == (
        f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: table {TABLE} has no column 'name', which the header names"
    )
    assert error.hint == "its columns, less those that the database generates, are 'id', 'title'"
    assert loader.ledger_numbers(JOB, RUN) == []


def test_a_column_that_the_database_generates_takes_no_value(rig: Rig, loader: Loader) -> None:
    """One in the header is a bad row, which no second try mends; without a header the others are filled by place."""
    kind = "VIRTUAL" if isinstance(rig, DuckdbRig) else "STORED"
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, twice INTEGER GENERATED ALWAYS AS (id * 2) {kind}, name VARCHAR(9))")
    error = fails(BadRowError, loader, chunk_of(b"1,7,Ann\n", header=b"id,twice,name\n"))
    assert error.reason == f"table {TABLE} has no column 'twice', which the header names"
    assert error.hint == "its columns, less those that the database generates, are 'id', 'name'"
    assert loader.load(chunk_of(b"1,Ann\n2,Bob\n", header=None)) == LOADED
    assert rows_of(rig, "id, twice, name") == [(1, 2, "Ann"), (2, 4, "Bob")]


@SERVERS
def test_a_missing_table_is_made_only_when_asked(rig: Rig) -> None:
    """Servers' databases are not ours."""
    with contextlib.closing(rig.loader(create_table=False)) as loader:
        error = fails(LoadError, loader, chunk_of(b"1,Ann\n"))
    assert f"the table {TABLE} does not exist in " in error.message
    assert error.hint == "create it, or add --create-table, which creates it with text columns"


def test_empty_fields_of_other_types_are_null(rig: Rig, loader: Loader) -> None:
    """Quoted or not: there is no empty number."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(9), size INTEGER)")
    loader.load(chunk_of(b'1,a,\n2,b,""\n3,c,7\n', header=b"id,name,size\n"))
    assert rows_of(rig, "id, size") == [(1, None), (2, None), (3, 7)]
    loader.load(chunk_of(b'4,5",\n5,b,""\n', header=b"id,name,size\n", number=2))
    assert rows_of(rig, "id, size")[3:] == [(4, None), (5, None)]


BAD = {
    "too few fields": b"1,Ann\n2\n3,Cy\n",
    "too many fields": b"1,Ann\n2,Bob,x\n3,Cy\n",
    "a blank line": b"1,Ann\n\n3,Cy\n",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("stray", [b"", b'4,6"\n'])
def test_a_ragged_row_loads_nothing(loader: Loader, name: str, stray: bytes) -> None:
    """Also where nobody counted the rows, and the error names the row."""
    loader.prepare()
    error = fails(BadRowError, loader, chunk_of(BAD[name] + stray, rows=None))
    assert ": record 2, line 3 of the chunk: " in error.message
    assert loader.table_rows().rows == 0
    assert loader.ledger_numbers(JOB, RUN) == []


def test_a_bad_value_in_the_middle_loads_nothing(rig: Rig, loader: Loader) -> None:
    """The error names the row, or its line, and what is wrong with it; the mended chunk loads."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER NOT NULL, name VARCHAR(30) CHECK (name <> 'name 500'))")
    data = b"".join(b"%d,name %d\n" % (number, number) for number in range(1000))
    error = fails(BadRowError, loader, chunk_of(data))
    assert error.message.startswith(f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: ")
    assert "constraint" in error.message.lower()
    assert loader.table_rows().rows == 0
    assert loader.ledger_numbers(JOB, RUN) == []
    assert loader.load(chunk_of(data.replace(b"name 500", b"name"))).rows == 1000


@pytest.mark.parametrize("rig", ["duckdb"], indirect=True)
def test_a_ragged_row_is_told_as_it_is(loader: Loader) -> None:
    """DuckDB shows the row after "Original Line: ": it may begin with a number, which is no line's."""
    loader.prepare()
    error = fails(BadRowError, loader, chunk_of(b"1,Ann\n57\n", rows=None))
    assert error.message.endswith(": record 2, line 3 of the chunk: the record has 1 field, not 2")


@pytest.mark.parametrize("rig", KINDS[1:], indirect=True)
def test_a_wrong_type_names_row_and_column(rig: Rig, loader: Loader) -> None:
    """Where types are strict (SQLite's are not)."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
    error = fails(BadRowError, loader, chunk_of(b"1,a\n2,b\nx3,c\n4,d\n"))
    assert ": record 3, line 4 of the chunk: " in error.message
    assert "id" in error.message.partition(TABLE)[2]
    assert loader.table_rows().rows == 0


@SERVERS
def test_a_truncation_is_a_failure(rig: Rig, loader: Loader) -> None:
    """A name longer than its column is never cut."""
    rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(3))")
    error = fails(BadRowError, loader, chunk_of(b"1,Ann\n2,Robert\n"))
    assert any(said in error.message for said in ("Data truncated for column 'name'", "value too long", "too long for"))
    assert loader.table_rows().rows == 0


def test_a_row_count_that_differs_loads_nothing(loader: Loader) -> None:
    """What the metadata says is what must arrive."""
    loader.prepare()
    error = fails(BadRowError, loader, chunk_of(b"1,Ann\n2,Bob\n", rows=3))
    assert error.message == (
        f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: its metadata says 3 rows, and the table took 2"
    )
    assert loader.table_rows().rows == 0
    assert loader.ledger_numbers(JOB, RUN) == []


def test_a_quote_that_is_never_closed_loads_nothing(loader: Loader) -> None:
    """A chunk cut in the middle of a field."""
    error = fails(BadRowError, loader, chunk_of(b'1,Ann\n2,"Bob\n', rows=None))
    assert error.message.endswith("a quote is never closed")
    assert loader.ledger_numbers(JOB, RUN) == []


@pytest.mark.parametrize("count", [10, 100_000])
def test_a_source_that_fails_in_the_middle_loads_nothing(loader: Loader, count: int) -> None:
    """What was read so far looks like a whole chunk to the database; it is not kept. The next try loads."""
    data = many_rows(count)

    def fail() -> None:
        raise SourceError("s3://b/k: the connection was lost")

    chunk = chunk_of(data, rows=None)
    failing = with_stream(chunk, lambda: Streams([b"id,name\n", data, fail]))
    with pytest.raises(SourceError, match="the connection was lost"):
        loader.load(failing)
    assert loader.ledger_numbers(JOB, RUN) == []
    assert loader.table_rows().rows == 0
    assert loader.load(chunk).rows == count


@SERVERS
def test_killed_in_the_middle_loads_nothing(rig: Rig, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends while rows are under way; the next try loads, on a new connection."""
    monkeypatch.setattr(mysql, "WRITE_SECONDS", 2)
    loader.prepare()
    data = many_rows(200_000)
    half = data.index(b"\n", len(data) // 2) + 1
    chunk = chunk_of(data, rows=200_000)
    killed = with_stream(chunk, lambda: Streams([b"id,name\n", data[:half], rig.kill_others, data[half:]]))
    fails(LoadError, loader, killed)
    assert loader.ledger_numbers(JOB, RUN) == []
    assert loader.table_rows().rows == 0
    assert loader.load(chunk) == LoadResult(200_000, already_loaded=False, rows_checked=True)


@SERVERS
def test_a_connection_that_died_while_idle_is_not_used(rig: Rig, loader: Loader) -> None:
    """Servers end idle connections."""
    loader.load(chunk_of(b"1,Ann\n"))
    rig.kill_others()
    assert loader.load(chunk_of(b"2,Bob\n", number=2)).rows == 1


def test_memory_does_not_grow_with_the_chunk(loader: Loader) -> None:
    """Of 32 MiB, a few blocks are held at a time."""
    block = b"".join(b'%d,"%s"\n' % (number, b"x" * 8000) for number in range(256))
    loader.prepare()
    tracemalloc.start()
    try:
        loader.load(with_stream(chunk_of(b"", rows=4096), lambda: Streams([b"id,name\n", *[block] * 16])))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024
    assert loader.table_rows().rows == 4096


def test_another_etag_under_a_known_number_is_an_error(loader: Loader) -> None:
    """Chunks without metadata are known by it alone: never skipped."""
    chunk = chunk_of(b"1,Ann\n", validator='"aaa"')
    loader.load(chunk)
    assert loader.load(chunk).already_loaded
    error = fails(RunConflictError, loader, replace(chunk, validator='"bbb"'))
    assert error.message.endswith('the ledger holds this number with ETag "aaa", and the chunk\'s is "bbb"')
    assert loader.table_rows().rows == 1


def test_another_table_for_the_same_job_is_an_error(rig: Rig, loader: Loader) -> None:
    """The ledger would skip what the other table lacks."""
    loader.load(chunk_of(b"1,Ann\n"))
    loader.close()
    rig.query(f"UPDATE splitjoin_jobs SET table_name = 'elsewhere' WHERE file_name = '{JOB}'")
    error = fails(RunConflictError, loader, chunk_of(b"2,Bob\n", number=2))
    assert error.message.endswith("the ledger says that this job is loaded into table elsewhere, not people")


def test_an_older_generation_is_refused(rig: Rig, loader: Loader) -> None:
    """Its chunks were replaced: nothing is loaded, and the caller can tell."""
    loader.load(chunk_of(b"1,Ann\n", generation=2, run_id=NEWER))
    error = fails(OlderRunError, loader, chunk_of(b"1,Old\n", generation=1))
    assert error.message == (
        f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: run {NEWER} (generation 2) has replaced it (generation 1)"
    )
    assert rows_of(rig) == [("1", "Ann")]


def test_a_newer_generation_replaces_the_older_one(rig: Rig) -> None:
    """By the run column, in the same transaction; other jobs' rows stay."""
    with contextlib.closing(rig.loader(run_column="run")) as loader:
        loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
        loader.load(chunk_of(b"3,Cy\n", number=2))
        other = replace(chunk_of(b"9,Zed\n", run_id="other"), file_name="other_20240131")
        loader.load(other)
        assert loader.table_rows(JOB, RUN).rows == 3
        assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z")
        loader.load(chunk_of(b"1,Eve\n", run_id=NEWER, generation=2))
        assert rows_of(rig, "id, name, run") == [("1", "Eve", NEWER), ("9", "Zed", "other")]
        assert loader.job(JOB) == LedgerJob(JOB, NEWER, 2, TABLE, None)
        assert (loader.ledger_numbers(JOB, RUN), loader.ledger_numbers(JOB, NEWER)) == ([], [1])
        assert (loader.table_rows(JOB, RUN).rows, loader.table_rows(JOB, NEWER).rows, loader.table_rows().rows) == (
            0,
            1,
            2,
        )


def test_a_replacement_that_fails_deletes_nothing(rig: Rig) -> None:
    """The older run stands until a chunk of the newer one is in."""
    with contextlib.closing(rig.loader(run_column="run")) as loader:
        loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
        fails(BadRowError, loader, chunk_of(b"1,Eve\n", rows=2, run_id=NEWER, generation=2))
        assert rows_of(rig, "id, name, run") == [("1", "Ann", RUN), ("2", "Bob", RUN)]
        assert loader.job(JOB) == LedgerJob(JOB, RUN, 1, TABLE, None)


def test_a_newer_generation_without_a_run_column_is_an_error(loader: Loader) -> None:
    """It names both runs and the ways out."""
    loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
    error = fails(RunConflictError, loader, chunk_of(b"1,Eve\n", run_id=NEWER, generation=2))
    assert error.message == (
        f"chunk 1 of 9 of {JOB} (run {NEWER}) into {TABLE}: the ledger holds 2 rows in 1 chunks of run {RUN}"
        f" (generation 1), and the chunk is of run {NEWER} (generation 2)"
    )
    assert error.hint == (
        "use --run-column, with a column that the other run's rows carry, to replace it, or clear the other one:"
        f" delete its rows from {TABLE}, then DELETE FROM splitjoin_ledger WHERE file_name = '{JOB}'"
        f" AND run_id = '{RUN}' or use --beside-other-run"
    )
    assert loader.table_rows().rows == 2


def test_the_way_out_of_a_conflict_works(rig: Rig, loader: Loader) -> None:
    """After what the hint says, the newer run loads."""
    loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
    loader.close()
    for statement in (f"DELETE FROM {TABLE}", f"DELETE FROM splitjoin_ledger WHERE run_id = '{RUN}'"):
        rig.query(statement)
    assert loader.load(chunk_of(b"1,Eve\n", run_id=NEWER, generation=2)).rows == 1
    assert loader.job(JOB) == LedgerJob(JOB, NEWER, 2, TABLE, None)


@pytest.mark.parametrize("run_column", [None, "run"])
def test_another_run_of_the_same_generation_is_an_error(rig: Rig, run_column: str | None) -> None:
    """Nothing says which is newer, run column or not (hazard H5)."""
    with contextlib.closing(rig.loader(run_column=run_column)) as loader:
        loader.load(chunk_of(b"1,Ann\n"))
        error = fails(RunConflictError, loader, chunk_of(b"1,Eve\n", run_id=NEWER))
        assert f"of run {RUN} (generation 1), and the chunk is of run {NEWER} (generation 1)" in error.message
        assert loader.table_rows().rows == 1


@pytest.mark.parametrize("generation", [1, 2])
def test_beside_another_run(rig: Rig, generation: int) -> None:
    """On purpose: both runs' rows are there; the row follows the newer generation."""
    with contextlib.closing(rig.loader(beside_other_run=True)) as loader:
        loader.load(chunk_of(b"1,Ann\n"))
        loader.load(chunk_of(b"1,Eve\n", run_id=NEWER, generation=generation))
        assert rows_of(rig, order="2") == [("1", "Ann"), ("1", "Eve")]
        assert (loader.ledger_numbers(JOB, RUN), loader.ledger_numbers(JOB, NEWER)) == ([1], [1])
        assert loader.job(JOB) == LedgerJob(JOB, RUN if generation == 1 else NEWER, generation, TABLE, None)


def test_rows_without_the_run_are_never_taken_for_replaced(rig: Rig) -> None:
    """Loaded before the column was used: deleting by it would leave them, and double the data."""
    names = "(id VARCHAR(9), name VARCHAR(9), run VARCHAR(99)"
    default = " DEFAULT current_setting('splitjoin.run_id', true)" if isinstance(rig, PostgresRig) else ""
    rig.query(f"CREATE TABLE {TABLE} {names}{default})")
    with contextlib.closing(rig.loader(run_column="run")) as loader:
        loader.load(chunk_of(b"1,Ann\n"))
        loader.close()
        rig.query(f"UPDATE {TABLE} SET run = NULL")
        error = fails(RunConflictError, loader, chunk_of(b"1,Eve\n", run_id=NEWER, generation=2))
        assert error.message.endswith(
            f"the ledger holds 1 rows of run {RUN}, and only 0 rows carry it in column run; nothing was deleted"
        )
        assert loader.ledger_numbers(JOB, RUN) == [1]


def test_a_run_column_that_is_missing_is_an_error(rig: Rig) -> None:
    """It says how to add it, whether rows are to be loaded or counted."""
    rig.query(f"CREATE TABLE {TABLE} (id VARCHAR(9), name VARCHAR(9))")
    with contextlib.closing(rig.loader(run_column="run")) as loader:
        with pytest.raises(LoadError) as counted:
            loader.table_rows(JOB, RUN)
        error = fails(LoadError, loader, chunk_of(b"1,Ann\n"))
        assert error.message.endswith(f"table {TABLE} has no column run")
        assert (counted.value.message, counted.value.hint) == (f"table {TABLE} has no column run", error.hint)
        assert error.hint is not None
        loader.close()
        rig.query(error.hint)
        assert loader.load(chunk_of(b"1,Ann\n")).rows == 1
        assert loader.table_rows(JOB, RUN).rows == 1


def test_the_same_run_in_a_newer_generation_goes_on(loader: Loader) -> None:
    """The same content replaced by force: what is loaded is loaded."""
    loader.load(chunk_of(b"1,Ann\n"))
    assert loader.load(chunk_of(b"1,Ann\n", generation=2)).already_loaded
    assert loader.job(JOB) == LedgerJob(JOB, RUN, 2, TABLE, None)
    assert loader.load(chunk_of(b"1,Ann\n", generation=1)).already_loaded
    assert loader.job(JOB) == LedgerJob(JOB, RUN, 2, TABLE, None)


def test_replacing_under_concurrency_leaves_one_run(rig: Rig) -> None:
    """6 threads, chunks of both generations shuffled: at the end the newer run is whole and alone."""
    loaders = [rig.loader(run_column="run"), rig.loader(run_column="run")]
    old = [chunk_of(b"%d,old\n" % n, number=n) for n in range(1, 10)]
    new = [chunk_of(b"%d,new\n" % n, number=n, run_id=NEWER, generation=2) for n in range(1, 10)]
    mixed = [chunk for pair in zip(old, new, strict=True) for chunk in pair]

    def work(place: int) -> bool:
        try:
            loaders[place % 2].load(mixed[place])
        except OlderRunError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(work, range(len(mixed))))
    assert all(done[1::2])
    assert rig.query(f"SELECT name, run, COUNT(*) FROM {TABLE} GROUP BY name, run") == [("new", NEWER, 9)]
    assert loaders[0].ledger_numbers(JOB, NEWER) == list(range(1, 10))
    assert loaders[0].ledger_numbers(JOB, RUN) == []
    for each in loaders:
        each.close()


def test_the_first_joined_at_stays(loader: Loader) -> None:
    """Every try of the join reads the same moment; another run's does not count."""
    loader.load(chunk_of(b"1,Ann\n"))
    assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z") is True
    assert loader.mark_joined(JOB, RUN, "2024-01-31T13:00:00Z") is True
    assert loader.mark_joined(JOB, NEWER, "2024-01-31T14:00:00Z") is False
    assert loader.job(JOB) == LedgerJob(JOB, RUN, 1, TABLE, "2024-01-31T12:00:00Z")


def test_names_that_differ_in_case_or_accents_are_different_jobs(loader: Loader) -> None:
    """Whatever the database's collation."""
    for number, name in enumerate(("zoe_1", "Zoe_1", "zoë_1"), start=1):
        loader.load(replace(chunk_of(b"%d,x\n" % number), file_name=name))
    assert loader.table_rows().rows == 3
    assert loader.ledger_numbers("zoe_1", RUN) == [1]


def test_close_is_safe_to_repeat(loader: Loader) -> None:
    """And a closed loader opens itself again."""
    loader.load(chunk_of(b"1,Ann\n"))
    loader.close()
    loader.close()
    assert loader.table_rows().rows == 1


def test_counting_agrees_with_csv() -> None:
    """What these tests expect is what the csv module says."""
    assert count_records(b'1,"a\nb"\n\n2,c', Dialect()) == 3
