"""What only the tracker in memory is for: crashes between its steps, and snapshots."""

from __future__ import annotations

import pytest

from splitjoin_cli.stores.trackers.answers import Counted, Duplicate
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTable, MemoryTracker

RUN = Run("acme_20240131", "1a2b3c4d" * 4)


class CrashError(Exception):
    """The process is gone."""


class CrashesBefore:
    """Lets a tracker take its steps until one of that name."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if step == self.step:
            raise CrashError


def crashed(table: MemoryTable) -> None:
    """A job of two shards of one chunk each, whose last worker died before it counted its full shard."""
    tracker = MemoryTracker(table, shard_parts=1)
    tracker.open_job(JobSpec(RUN, 2))
    tracker.mark_done(RUN, 1, total_parts=2, rows=10)
    crashes = CrashesBefore("count_shard")
    with pytest.raises(CrashError):
        MemoryTracker(table, shard_parts=1, on_step=crashes).mark_done(RUN, 2, total_parts=2, rows=10)
    assert crashes.steps == ["mark_done", "count_shard"]
    report = tracker.progress(RUN.file_name)
    assert (report.processed_parts, report.complete, report.missing, report.rows) == (2, False, (), 20)


def test_h3_a_crash_before_the_shard_is_counted_is_mended_by_a_duplicate() -> None:
    """The redelivered event counts the shard, and its answer completes the job."""
    table = MemoryTable()
    crashed(table)
    answer = MemoryTracker(table, shard_parts=1).mark_done(RUN, 2, total_parts=2, rows=10)
    assert isinstance(answer, Duplicate)
    assert (answer.completed, answer.complete) == (True, True)


def test_h3_a_crash_before_the_shard_is_counted_is_mended_by_the_sweep() -> None:
    """Without any event at all; a second sweep finds nothing to do."""
    table = MemoryTable()
    crashed(table)
    tracker = MemoryTracker(table, shard_parts=1)
    for _ in range(2):
        job = tracker.count_full_shards(RUN)
        assert (job.processed_parts, job.rows, job.complete) == (2, 20, True)


def test_a_sweep_that_a_newer_run_overtakes_is_told_of_it() -> None:
    """Between the look at the shard and its count, another run takes the name."""
    table = MemoryTable()
    crashed(table)
    newer = JobSpec(Run(RUN.file_name, "ffff" * 8), 2)

    def replace(step: str) -> None:
        if step == "count_shard":
            MemoryTracker(table, shard_parts=1).replace_job(newer)

    job = MemoryTracker(table, shard_parts=1, on_step=replace).count_full_shards(RUN)
    assert (job.run_id, job.processed_parts) == (newer.run.run_id, 0)


def test_a_copy_of_the_table_shares_nothing() -> None:
    """An exploration goes back to it, however often it went on from there."""
    table = MemoryTable()
    MemoryTracker(table).mark_done(RUN, 1, total_parts=2, rows=10)
    snapshot = table.copy()
    for _ in range(2):
        answer = MemoryTracker(snapshot.copy()).mark_done(RUN, 2, total_parts=2, rows=10)
        assert isinstance(answer, Counted)
        assert answer.completed
    assert snapshot == table
    MemoryTracker(table).mark_done(RUN, 2, total_parts=2, rows=10)
    assert snapshot != table
