"""What only SQLite's loader does: rows go from the csv module to the table without a step of Python's between."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError, OlderRunError
from splitjoin_cli.stores.loaders import ledger
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader, _lines, _SqliteSession
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of
from tests.laws import examples

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.lists(st.lists(st.sampled_from(["a", "é", "\n", "\r\n", "\r", "\v", "\x1c", "\x85", "\u2028"])).map("".join))


@given(TEXTS)
@examples(100)
def test_lines_are_those_of_a_file(texts: list[str]) -> None:
    """However the text is cut, and whatever else ends a line elsewhere."""
    found = [line for lines in _lines(texts) for line in lines]
    assert found == list(io.StringIO("".join(texts), newline=""))


@pytest.mark.parametrize("keeps", ["UNIQUE ON CONFLICT IGNORE", "", "trigger"])
def test_rows_that_the_table_does_not_take_are_missed(tmp_path: Path, keeps: str) -> None:
    """A constraint or a trigger that drops a row without a word: the chunk has another number of rows then."""
    path = tmp_path / "load.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE acme (id TEXT {keeps.removeprefix('trigger')}, name TEXT)")
        if keeps == "trigger":
            when = "BEFORE INSERT ON acme WHEN new.name = 'b' BEGIN SELECT RAISE(IGNORE); END"
            connection.execute(f"CREATE TRIGGER drops {when}")
    with closing(SqliteLoader(str(path), LoadTarget("acme"))) as loader:
        for data in (b"1,a\n1,b\n", b'1,a\n1, "b\n1,b\n'):  # the second is read field by field
            chunk = chunk_of(data)
            if not keeps:
                assert loader.load(chunk).rows == chunk.rows
                return
            with pytest.raises(BadRowError, match=rf"says {chunk.rows} rows, and the table took [12]$"):
                loader.load(chunk)
        assert loader.table_rows().rows == 0


@pytest.mark.parametrize("loaded", [0, 3, 7])
def test_numbers_of_the_ledger_are_read_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: int) -> None:
    """Of a million of them no more than a page is held; of none, a page, and more than two they are the same."""
    monkeypatch.setattr(ledger, "PAGE", 3)
    numbers = list(range(2, 2 + 5 * loaded, 5))
    path = tmp_path / "load.db"
    with closing(SqliteLoader(str(path), LoadTarget("acme"))) as loader:
        loader.prepare()
        with closing(sqlite3.connect(path)) as db, db:
            sql = "INSERT INTO splitjoin_ledger (file_name, run_id, number, row_count) VALUES (?, ?, ?, 1)"
            db.executemany(sql, ((JOB, RUN, number) for number in numbers))
            db.executemany(sql, ((name, run, 9) for name, run in ((JOB, "other"), ("other", RUN))))
        assert loader.ledger_numbers(JOB, RUN) == numbers


def test_what_a_chunk_costs_the_database(tmp_path: Path) -> None:
    """One transaction that writes each in the loader's file and in the tracker's, and so many statements."""
    said: dict[str, list[str]] = {"loader": [], "tracker": []}
    run = Run(JOB, RUN)
    tracker = SqliteTracker(tmp_path / "tracker.db")
    loader = SqliteLoader(str(tmp_path / "load.db"), LoadTarget("acme"))
    with closing(loader), closing(tracker):
        tracker.open_job(JobSpec(run, 9))
        for number in (1, 2, 3):  # the first one makes the table, the second looks at it
            said["loader"].clear()
            said["tracker"].clear()
            assert tracker.job(JOB) is not None
            loader.load(chunk_of(b"1,a\n2,b\n", number=number))
            tracker.mark_done(run, number, total_parts=9, rows=2)
            with loader._session() as session, tracker._connected(make=False) as connection:
                assert isinstance(session, _SqliteSession)
                session._connection.set_trace_callback(said["loader"].append)
                connection.set_trace_callback(said["tracker"].append)
    words = {name: [" ".join(text.split()[:2]) for text in texts] for name, texts in said.items()}
    assert words["loader"] == [
        *("PRAGMA schema_version", "BEGIN IMMEDIATE", "SELECT run_id,", "SELECT checksum"),
        *("INSERT INTO", "INSERT INTO", "INSERT INTO", "UPDATE splitjoin_ledger", "COMMIT"),  # its row, and two rows
    ]
    assert words["tracker"] == [
        *("BEGIN", "SELECT file_name,", "SELECT round", "COMMIT"),
        *(
            "BEGIN IMMEDIATE",
            "SELECT file_name,",
            "SELECT round",
            "SELECT checksum",
            "INSERT OR",
            "REPLACE INTO",
            "COMMIT",
        ),
    ]


def test_a_table_that_changes_between_two_chunks_is_looked_at_again(tmp_path: Path) -> None:
    """What was known of its columns holds only as long as no table of the file has changed."""
    path = tmp_path / "load.db"
    with closing(SqliteLoader(str(path), LoadTarget("acme"))) as loader, closing(sqlite3.connect(path)) as other:
        loader.load(chunk_of(b"1,\n"))
        other.execute("DROP TABLE acme")
        other.execute("CREATE TABLE acme (name TEXT, id INTEGER)")
        loader.load(chunk_of(b",b\n", number=2))
        assert other.execute("SELECT name, id FROM acme").fetchall() == [("b", None)]
        other.execute("ALTER TABLE acme RENAME COLUMN id TO number")
        with pytest.raises(BadRowError, match=r"table acme has no column 'id', which the header names$"):
            loader.load(chunk_of(b"3,c\n", number=3))


def test_a_job_that_is_taken_over_or_gone_between_two_chunks_is_looked_at_again(tmp_path: Path) -> None:
    """What was known of its row spares a look and decides nothing."""
    path = tmp_path / "load.db"
    with closing(SqliteLoader(str(path), LoadTarget("acme"))) as loader, closing(sqlite3.connect(path)) as other:
        loader.load(chunk_of(b"1,a\n"))
        other.execute("UPDATE splitjoin_jobs SET run_id = 'newer', generation = 2")
        other.commit()
        with pytest.raises(OlderRunError, match=r"run newer \(generation 2\) has replaced it \(generation 1\)"):
            loader.load(chunk_of(b"2,b\n", number=2))
        for table in ("splitjoin_jobs", "splitjoin_ledger"):
            other.execute(f"DELETE FROM {table}")
        other.commit()
        assert loader.load(chunk_of(b"2,b\n", number=2)).rows == 1
        job = loader.job(JOB)
        assert job is not None
        assert (job.run_id, job.generation) == (RUN, 1)
