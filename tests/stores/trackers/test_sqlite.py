"""What only the tracker in a file can get wrong: processes, forks, locks, kills."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import NoSuchJobError, StoreError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.trackers.answers import Claim, Counted, Duplicate, Mending
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from splitjoin_cli.stores.trackers.sqlite_file import ALL_TABLES, LATER_TABLES
from splitjoin_cli.testing.jobs import unfinished

if TYPE_CHECKING:
    from pathlib import Path

RUN = Run("acme_20240131", "1a2b3c4d" * 4)
PARTS = 120
PROCESSES = 4
COUNTING = """
import sys
from pathlib import Path
from splitjoin_cli.stores.trackers.jobs import Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
tracker = SqliteTracker(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    tracker.mark_done(Run("acme_20240131", "1a2b3c4d" * 4), number, total_parts=1_000_000, rows=1)
    print(number, flush=True)
"""


def deliver(path: Path, seed: int, barrier: Any) -> tuple[int, int, int, int]:  # noqa: ANN401 -- a proxy of multiprocessing's
    """One process: every chunk once, in its own order; how many it counted, found, completed, claimed."""
    tracker = SqliteTracker(path)
    barrier.wait()
    numbers = [1 + (seed * 37 + n * 7) % PARTS for n in range(PARTS)]
    answers = [tracker.mark_done(RUN, number, total_parts=PARTS, rows=number) for number in numbers]
    claims = [tracker.claim_join(RUN, owner=f"process {seed}", lease_seconds=3600) for _ in range(3)]
    tracker.close()
    return (
        sum(isinstance(answer, Counted) for answer in answers),
        sum(isinstance(answer, Duplicate) for answer in answers),
        sum(isinstance(answer, Counted) and answer.completed for answer in answers),
        sum(isinstance(answer, Claim) for answer in claims),
    )


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_processes_count_every_chunk_once(tmp_path: Path, start: str) -> None:
    """Each chunk delivered to each of four processes, which find no file and make it at the same moment."""
    context = multiprocessing.get_context(start)
    path = tmp_path / "jobs.sqlite"
    with context.Manager() as manager, context.Pool(PROCESSES) as pool:
        barrier = manager.Barrier(PROCESSES)
        told = pool.starmap(deliver, [(path, seed, barrier) for seed in range(PROCESSES)], chunksize=1)
    assert [sum(column) for column in zip(*told, strict=True)] == [PARTS, PARTS * (PROCESSES - 1), 1, 1]
    report = SqliteTracker(path).progress(RUN.file_name)
    assert (report.processed_parts, report.duplicates) == (PARTS, PARTS * (PROCESSES - 1))
    assert (report.missing, report.rows) == ((), PARTS * (PARTS + 1) // 2)


def test_a_killed_process_leaves_what_it_said(tmp_path: Path) -> None:
    """What was answered is counted, and nothing is half there; the file opens at once."""
    path = tmp_path / "jobs.sqlite"
    command = [sys.executable, "-c", COUNTING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 30:
                break
        process.send_signal(signal.SIGKILL)
        said = max([30, *(int(line) for line in process.stdout if line.endswith("\n"))])
    job = SqliteTracker(path).job(RUN.file_name)
    assert job is not None
    assert job.processed_parts - said in {0, 1}
    assert job.rows == job.processed_parts


def test_a_forked_child_opens_its_own_connection(tmp_path: Path) -> None:
    """SQLite's connections do not survive a fork: parent and child go on with the same tracker."""
    tracker = SqliteTracker(tmp_path / "jobs.sqlite")
    tracker.open_job(JobSpec(RUN, 4))
    child = multiprocessing.get_context("fork").Process(
        target=lambda: [tracker.mark_done(RUN, number, total_parts=4, rows=1) for number in (1, 2)]
    )
    child.start()
    tracker.mark_done(RUN, 3, total_parts=4, rows=1)
    child.join(30)
    assert child.exitcode == 0
    answer = tracker.mark_done(RUN, 4, total_parts=4, rows=1)
    assert isinstance(answer, Counted)
    assert answer.completed


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    """Status is told while somebody else holds the write lock."""
    path = tmp_path / "jobs.sqlite"
    tracker = SqliteTracker(path, busy_seconds=0.05)
    tracker.mark_done(RUN, 1, total_parts=2, rows=1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert tracker.progress(RUN.file_name).missing == (2,)
    other.close()


def test_a_writer_waits_for_another_and_then_says_so(tmp_path: Path) -> None:
    """The message names the file; when the lock is free, the same call succeeds."""
    path = tmp_path / "jobs.sqlite"
    tracker = SqliteTracker(path, busy_seconds=0.2)
    tracker.open_job(JobSpec(RUN, 2))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreError, match=f"^{re.escape(f'sqlite:{path}: database is locked')}$") as caught:
        tracker.mark_done(RUN, 1, total_parts=2, rows=1)
    assert caught.value.hint == "another process holds the file's lock"
    assert time.monotonic() - began > 0.15
    other.execute("COMMIT")
    other.close()
    assert isinstance(tracker.mark_done(RUN, 1, total_parts=2, rows=1), Counted)


def test_a_look_makes_no_file(tmp_path: Path) -> None:
    """A misspelt path stays what it is."""
    path = tmp_path / "misspelt.sqlite"
    tracker = SqliteTracker(path)
    assert (tracker.job(RUN.file_name), tracker.all_expected(RUN)) == (None, {})
    assert list(tracker.list()) == []
    assert list(unfinished(tracker)) == []
    with pytest.raises(NoSuchJobError, match=f"^{re.escape(f'sqlite:{path}: no job acme_20240131')}$"):
        tracker.progress(RUN.file_name)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 -- as a user looks


def test_a_look_makes_no_tables(tmp_path: Path) -> None:
    """Somebody else's database, named by mistake, stays as it is; it is told from one that chunks were loaded into."""
    path = tmp_path / "theirs.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (id)")
    before = path.read_bytes()
    with contextlib.closing(SqliteTracker(path)) as tracker:
        assert tracker.job(RUN.file_name) is None
        assert list(tracker.list()) == []
        assert path.read_bytes() == before
        tracker.open_job(JobSpec(RUN, 2))
        assert [job.file_name for job in tracker.list()] == [RUN.file_name]


def test_a_job_without_a_run_is_no_candidate_of_the_sweep(tmp_path: Path) -> None:
    """Nobody could claim it; no call of a tracker leaves one here."""
    tracker = SqliteTracker(tmp_path / "jobs.db")
    tracker.open_job(JobSpec(RUN, 2))
    with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db")) as db, db:
        db.execute("UPDATE splitjoin_jobs SET run_id = NULL")
    assert list(unfinished(tracker)) == []


def test_a_loaders_database_is_no_tracker(tmp_path: Path) -> None:
    """Their tables share a name: the message says which file is which, and nothing is written."""
    path = tmp_path / "load.db"
    with contextlib.closing(SqliteLoader(str(path), LoadTarget("acme"))) as loader:
        loader.prepare()
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        list(SqliteTracker(path).list())
    assert caught.value.message == f"sqlite:{path} is a database that chunks were loaded into, and no tracker"
    assert caught.value.hint == "name the tracker's file with --tracker, and this one with --into"
    with pytest.raises(StoreError):
        SqliteTracker(path).open_job(JobSpec(RUN, 2))
    assert path.read_bytes() == before


def test_what_is_no_database_is_an_error(tmp_path: Path) -> None:
    """The message names the file and leaves it as it is."""
    path = tmp_path / "export.csv"
    path.write_text("a,b\n" * 1000)
    with pytest.raises(StoreError, match=f"^{re.escape(f'sqlite:{path}: file is not a database')}$"):
        SqliteTracker(path).open_job(JobSpec(RUN, 2))
    assert path.read_text() == "a,b\n" * 1000


def test_it_lies_beside_other_tables(tmp_path: Path) -> None:
    """A loader's database may be the same file."""
    path = tmp_path / "both.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE jobs (mine TEXT)")
    db.close()
    SqliteTracker(path).open_job(JobSpec(RUN, 2))
    with sqlite3.connect(path) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.close()
    assert names == {"jobs", *ALL_TABLES}


def test_a_report_of_100_000_chunks(tmp_path: Path) -> None:
    """Every third one is missing."""
    path = tmp_path / "jobs.sqlite"
    tracker = SqliteTracker(path)
    tracker.open_job(JobSpec(RUN, 100_000))
    with sqlite3.connect(path) as db:
        rows = ((RUN.file_name, 1, number) for number in range(1, 100_001) if number % 3)
        db.executemany("INSERT INTO splitjoin_chunks VALUES (?, ?, ?)", rows)
    db.close()
    report = tracker.progress(RUN.file_name)
    assert (report.processed_parts, len(report.missing or ())) == (66_667, 33_333)


def test_a_file_of_an_earlier_release_is_read_and_grows_with_the_first_write(tmp_path: Path) -> None:
    """It has no tables for rounds and mended chunks: a look makes none, a write makes them."""
    path = tmp_path / "jobs.db"
    with contextlib.closing(SqliteTracker(path)) as tracker:
        tracker.mark_done(RUN, 1, total_parts=2, rows=1)
    with contextlib.closing(sqlite3.connect(path)) as db:
        for table in LATER_TABLES:
            db.execute(f"DROP TABLE {table}")
    with contextlib.closing(SqliteTracker(path)) as tracker:
        assert tracker.progress(RUN.file_name).missing == (2,)
        assert [one.job for one in unfinished(tracker)] == [tracker.job(RUN.file_name)]
        assert (tracker.all_expected(RUN).get(1), tracker.all_expected(RUN)) == (None, {})
        assert tracker.expect(RUN, 2, "crc64nvme:AAAAAAAAAAE=", total_parts=2, asked=True) is Mending.NOTED
        assert tracker.all_expected(RUN) == {2: "crc64nvme:AAAAAAAAAAE="}
