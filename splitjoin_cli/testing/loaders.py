"""The contract of a loader, as suites of tests: a chunk is loaded once, whole or not at all.

A loader of your own is held to it, and to the contracts of loader_values, loader_runs, loader_fields,
loader_bad_rows and loader_records, by a class that makes one. The suites speak SQL that SQLite, DuckDB, MySQL and
PostgreSQL understand, and look into the ledger's tables by it; LoaderRig says what they need to know:

    class CockroachRig:
        kind = DatabaseKind(empty=None)

        def __init__(self, url):
            self.url = url

        def loader(self, *, create_table=True, run_column=None, beside_other_run=False, max_record_bytes=MOST):
            target = LoadTarget(TABLE, create_table, run_column, beside_other_run, max_record_bytes)
            return CockroachLoader(self.url, target)

        def query(self, sql): ...
        def column_names(self): ...
        def kill_others(self): ...

    class TestCockroachLoader(LoaderContract, ServerLoaderContract, StrictTypesContract, LoaderRunsContract):
        @pytest.fixture
        def rig(self, cockroach):
            return CockroachRig(cockroach.new_database())
"""

from __future__ import annotations

import contextlib
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError, SourceError
from splitjoin_cli.stores.loaders.base import Ledger, LedgerJob, LedgerTotal, LoadResult, TableRows
from splitjoin_cli.testing.chunks import JOB, RUN, Streams, chunk_of, many_rows, with_stream
from splitjoin_cli.testing.loading import NEWER, TABLE, WithLoader, fails, rows_of

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.base import LedgerReader, Loader, LoadTime
    from splitjoin_cli.testing.loading import LoaderRig

__all__ = ["LoaderContract", "ServerLoaderContract", "StrictTypesContract"]

LOADED = LoadResult(2, already_loaded=False, rows_checked=True)


def ledger_of(rig: LoaderRig, file_name: str = JOB) -> Ledger:
    """What somebody sees who only looks."""
    with contextlib.closing(rig.loader()) as made:
        return cast("LedgerReader", made).read_ledger(file_name)


def times_of(rig: LoaderRig, run_id: str = RUN) -> list[LoadTime]:
    """When the chunks of a run were loaded, as somebody sees it who only looks."""
    with contextlib.closing(rig.loader()) as made:
        return cast("LedgerReader", made).read_times(JOB, run_id)


class LoaderContract(WithLoader):
    """Every loader: a chunk is loaded once, whole or not at all, and the ledger says so."""

    def test_the_ledger_is_read_and_nothing_is_made(self, rig: LoaderRig) -> None:
        """Looking makes no table and no file: what was never loaded into has no ledger. Later all runs are in it."""
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

    def test_the_ledger_is_read_while_a_chunk_is_loaded(self, rig: LoaderRig, loader: Loader) -> None:
        """A load that is not committed is not seen, and neither waits, where the database lets others look."""
        loader.load(chunk_of(b"1,Ann\n"))
        seen: list[Ledger] = []
        parts: list[Any] = [b"id,name\n", b"2,Bob\n", lambda: seen.append(ledger_of(rig))]
        if not rig.kind.shared:
            loader.close()
            parts.pop()()
        loader.load(with_stream(chunk_of(b"2,Bob\n", number=2), lambda: Streams(parts)))
        assert [found.runs for found in seen] == [{RUN: {1: 1}}]

    def test_the_ledger_notes_when_each_chunk_was_loaded(self, rig: LoaderRig) -> None:
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

    def test_loads_a_chunk(self, rig: LoaderRig, loader: Loader) -> None:
        """The table is made, the rows are in it, and the ledger says so."""
        assert loader.load(chunk_of(b"1,Ann\n2,Bob\n")) == LOADED
        assert rows_of(rig) == [("1", "Ann"), ("2", "Bob")]
        assert loader.ledger_numbers(JOB, RUN) == [1]
        assert loader.ledger_rows(JOB, RUN) == LedgerTotal(chunks=1, rows=2)
        assert loader.table_rows().rows == 2
        assert loader.job(JOB) == LedgerJob(JOB, RUN, 1, TABLE, None)

    def test_a_database_without_anything_answers(self, loader: Loader) -> None:
        """Nothing was loaded yet: that is no error."""
        assert loader.ledger_numbers(JOB, RUN) == []
        assert loader.ledger_rows(JOB, RUN) == LedgerTotal(chunks=0, rows=0)
        assert loader.table_rows().rows == 0
        assert loader.job(JOB) is None
        assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z") is False

    def test_rows_in_the_table_are_told_apart(self, rig: LoaderRig, loader: Loader) -> None:
        """The run's, those of other jobs in the same table, and those that no ledger knows."""
        loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
        loader.load(chunk_of(b"3,Cy\n", number=2))
        loader.load(replace(chunk_of(b"8,Zed\n"), file_name="other_20240131"))
        loader.close()
        rig.query(f"INSERT INTO {TABLE} (id, name) VALUES ('9', 'by hand')")
        job = "(file_name, run_id, generation, table_name) VALUES ('pets_20240131', 'r', 1, 'pets')"
        rig.query(f"INSERT INTO splitjoin_jobs {job}")
        rig.query(
            "INSERT INTO splitjoin_ledger (file_name, run_id, number, row_count) VALUES ('pets_20240131', 'r', 1, 7)"
        )
        assert loader.table_rows(JOB, RUN) == TableRows(5, of_run=3, of_others=1)
        assert loader.table_rows("nobody_1", RUN) == TableRows(5, of_others=4)

    def test_table_and_ledger_are_seen_at_one_moment(self, rig: LoaderRig) -> None:
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

    def test_delivered_twice_loaded_once(self, rig: LoaderRig, loader: Loader) -> None:
        """The second delivery skips, in another process too, and says how many rows there are."""
        chunk = chunk_of(b"1,Ann\n2,Bob\n")
        loader.load(chunk)
        with contextlib.closing(rig.loader()) as other:
            assert other.load(chunk) == LoadResult(2, already_loaded=True, rows_checked=True)
        assert loader.load(chunk) == LoadResult(2, already_loaded=True, rows_checked=True)
        assert rows_of(rig) == [("1", "Ann"), ("2", "Bob")]

    def test_concurrent_duplicates_are_loaded_once(self, rig: LoaderRig) -> None:
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

    def test_a_chunk_without_rows_is_a_normal_load(self, loader: Loader) -> None:
        """A header alone: counted with 0 rows."""
        assert loader.load(chunk_of(b"")) == LoadResult(0, already_loaded=False, rows_checked=True)
        assert loader.ledger_rows(JOB, RUN) == LedgerTotal(chunks=1, rows=0)

    def test_bytes_that_are_no_text_load_nothing(self, loader: Loader) -> None:
        """Latin-1 in a chunk that is said to be UTF-8."""
        loader.prepare()
        fails(BadRowError, loader, chunk_of(b"1,Ann\n2,Zo\xeb\n3,Cy\n", rows=3))
        assert loader.table_rows().rows == 0
        assert loader.ledger_numbers(JOB, RUN) == []

    def test_unknown_rows_are_not_checked_and_that_is_said(self, loader: Loader) -> None:
        """As from a split that counted none."""
        assert loader.load(chunk_of(b"1,Ann\n", rows=None)) == LoadResult(1, already_loaded=False, rows_checked=False)

    def test_a_bad_value_in_the_middle_loads_nothing(self, rig: LoaderRig, loader: Loader) -> None:
        """The error names the row, or its line, and what is wrong with it; the mended chunk loads."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER NOT NULL, name VARCHAR(30) CHECK (name <> 'name 500'))")
        data = b"".join(b"%d,name %d\n" % (number, number) for number in range(1000))
        error = fails(BadRowError, loader, chunk_of(data))
        assert error.message.startswith(f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: ")
        assert "constraint" in error.message.lower()
        assert loader.table_rows().rows == 0
        assert loader.ledger_numbers(JOB, RUN) == []
        assert loader.load(chunk_of(data.replace(b"name 500", b"name"))).rows == 1000

    def test_a_row_count_that_differs_loads_nothing(self, loader: Loader) -> None:
        """What the metadata says is what must arrive."""
        loader.prepare()
        error = fails(BadRowError, loader, chunk_of(b"1,Ann\n2,Bob\n", rows=3))
        assert error.message == (
            f"chunk 1 of 9 of {JOB} (run {RUN}) into {TABLE}: its metadata says 3 rows, and the table took 2"
        )
        assert loader.table_rows().rows == 0
        assert loader.ledger_numbers(JOB, RUN) == []

    def test_a_quote_that_is_never_closed_loads_nothing(self, loader: Loader) -> None:
        """A chunk cut in the middle of a field."""
        error = fails(BadRowError, loader, chunk_of(b'1,Ann\n2,"Bob\n', rows=None))
        assert error.message.endswith("a quote is never closed")
        assert loader.ledger_numbers(JOB, RUN) == []

    @pytest.mark.parametrize("count", [10, 100_000])
    def test_a_source_that_fails_in_the_middle_loads_nothing(self, loader: Loader, count: int) -> None:
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

    def test_memory_does_not_grow_with_the_chunk(self, loader: Loader) -> None:
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

    def test_the_first_joined_at_stays(self, loader: Loader) -> None:
        """Every try of the join reads the same moment; another run's does not count."""
        loader.load(chunk_of(b"1,Ann\n"))
        assert loader.mark_joined(JOB, RUN, "2024-01-31T12:00:00Z") is True
        assert loader.mark_joined(JOB, RUN, "2024-01-31T13:00:00Z") is True
        assert loader.mark_joined(JOB, NEWER, "2024-01-31T14:00:00Z") is False
        assert loader.job(JOB) == LedgerJob(JOB, RUN, 1, TABLE, "2024-01-31T12:00:00Z")

    def test_names_that_differ_in_case_or_accents_are_different_jobs(self, loader: Loader) -> None:
        """Whatever the database's collation."""
        for number, name in enumerate(("zoe_1", "Zoe_1", "zoë_1"), start=1):
            loader.load(replace(chunk_of(b"%d,x\n" % number), file_name=name))
        assert loader.table_rows().rows == 3
        assert loader.ledger_numbers("zoe_1", RUN) == [1]

    def test_close_is_safe_to_repeat(self, loader: Loader) -> None:
        """And a closed loader opens itself again."""
        loader.load(chunk_of(b"1,Ann\n"))
        loader.close()
        loader.close()
        assert loader.table_rows().rows == 1


class StrictTypesContract(WithLoader):
    """Loaders of databases whose columns take only what their types allow (SQLite's take anything)."""

    def test_a_wrong_type_names_row_and_column(self, rig: LoaderRig, loader: Loader) -> None:
        """Where types are strict (SQLite's are not)."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(30))")
        error = fails(BadRowError, loader, chunk_of(b"1,a\n2,b\nx3,c\n4,d\n"))
        assert ": record 3, line 4 of the chunk: " in error.message
        assert "id" in error.message.partition(TABLE)[2]
        assert loader.table_rows().rows == 0


class ServerLoaderContract(WithLoader):
    """Loaders of a database that others use too, over connections that may end: the rig has ``kill_others``."""

    def test_a_missing_table_is_made_only_when_asked(self, rig: LoaderRig) -> None:
        """Servers' databases are not ours."""
        with contextlib.closing(rig.loader(create_table=False)) as loader:
            error = fails(LoadError, loader, chunk_of(b"1,Ann\n"))
        assert f"the table {TABLE} does not exist in " in error.message
        assert error.hint == "create it, or add --create-table, which creates it with text columns"

    def test_a_truncation_is_a_failure(self, rig: LoaderRig, loader: Loader) -> None:
        """A name longer than its column is never cut."""
        rig.query(f"CREATE TABLE {TABLE} (id INTEGER, name VARCHAR(3))")
        error = fails(BadRowError, loader, chunk_of(b"1,Ann\n2,Robert\n"))
        assert any(
            said in error.message for said in ("Data truncated for column 'name'", "value too long", "too long for")
        )
        assert loader.table_rows().rows == 0

    def test_killed_in_the_middle_loads_nothing(self, rig: LoaderRig, loader: Loader) -> None:
        """The connection ends while rows are under way; the next try loads, on a new connection."""
        loader.prepare()
        data = many_rows(200_000)
        half = data.index(b"\n", len(data) // 2) + 1
        chunk = chunk_of(data, rows=200_000)
        killed = with_stream(chunk, lambda: Streams([b"id,name\n", data[:half], rig.kill_others, data[half:]]))
        fails(LoadError, loader, killed)
        assert loader.ledger_numbers(JOB, RUN) == []
        assert loader.table_rows().rows == 0
        assert loader.load(chunk) == LoadResult(200_000, already_loaded=False, rows_checked=True)

    def test_a_connection_that_died_while_idle_is_not_used(self, rig: LoaderRig, loader: Loader) -> None:
        """Servers end idle connections."""
        loader.load(chunk_of(b"1,Ann\n"))
        rig.kill_others()
        assert loader.load(chunk_of(b"2,Bob\n", number=2)).rows == 1
