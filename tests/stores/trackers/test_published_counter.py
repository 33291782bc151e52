"""The published counter beside ours, in one table: what both count, and where only ours is exact."""

from __future__ import annotations

import re

import pytest

from splitjoin_cli.core.errors import (
    NameTakenError,
    NoSuchJobError,
)
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers.answers import Claim, Counted, Refusal, Refused
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.deliveries import Said, Tally, deliver_twice
from splitjoin_cli.testing.jobs import SMALL_SHARD, unfinished
from tests.stores.trackers.faults import ActsBetween
from tests.stores.trackers.tables import LEASE, MENDED, Table, mark_all

pytestmark = pytest.mark.server


def test_a_published_item_is_read(table: Table, run: Run) -> None:
    """It has counts and neither run nor numbers: what is missing cannot be known, and no sweep touches it."""
    tracker = table.tracker(table.plain)
    for total_parts in (2, 400):
        name = f"{total_parts}-{run.file_name}"
        table.published(name, total_parts)
        report = tracker.progress(name)
        assert (report.run, report.total_parts, report.processed_parts, report.unnumbered) == (None, total_parts, 1, 1)
        assert (report.missing, report.rows, report.created_at, report.complete) == (None, None, None, False)
        assert {found.file_name: found for found in tracker.list()}[name] == report
        assert name not in {job.file_name for job in unfinished(tracker)}
    assert table.published(f"2-{run.file_name}", 2).complete
    assert tracker.progress(f"2-{run.file_name}").complete


def test_a_published_item_takes_the_name(table: Table, run: Run) -> None:
    """open_job is refused; replace_job makes it another run's, of the next generation."""
    tracker = table.tracker(table.plain)
    table.published(run.file_name, 3)
    message = f"{run.file_name}: 1 of 3 chunks were counted by something else"
    with pytest.raises(NameTakenError, match=f"^{re.escape(message)}$"):
        tracker.open_job(JobSpec(run, 3))
    assert str(tracker.expect(run, 1, MENDED, total_parts=3, asked=True)) == "superseded"
    answer = tracker.claim_clear(run)
    assert isinstance(answer, Refused)
    assert answer.reason is Refusal.SUPERSEDED
    job = tracker.replace_job(JobSpec(run, 3))
    assert (job.generation, job.processed_parts, job.run_id) == (2, 0, run.run_id)


@pytest.mark.parametrize("last", ["ours", "theirs"])
def test_a_published_writer_and_ours_count_the_same_job(table: Table, run: Run, last: str) -> None:
    """Whoever counts last, both see the total, and ours can be claimed: by its worker, or by the sweep."""
    tracker = table.tracker(table.plain)
    table.published(run.file_name, 3)
    answer = tracker.mark_done(run, 2, total_parts=3, rows=10)
    assert isinstance(answer, Counted)
    assert not answer.complete
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.unnumbered, report.missing) == (2, 1, None)
    if last == "ours":
        answer = tracker.mark_done(run, 3, total_parts=3, rows=10)
        assert isinstance(answer, Counted)
        assert answer.completed
    else:
        assert table.published(run.file_name, 3).complete
    assert {one.file_name: one.job.complete for one in unfinished(tracker)}[run.file_name]
    assert isinstance(tracker.claim_join(run, owner="sweep", lease_seconds=LEASE), Claim)


@pytest.mark.parametrize("theirs", [1, 2])
def test_a_large_mixed_job_is_seen_complete_by_the_sweep(table: Table, run: Run, theirs: int) -> None:
    """Chunk 1 is theirs, so our first shard never fills; with a duplicate of theirs it is complete all the same."""
    tracker = table.tracker(table.plain)
    total_parts = 2 * SMALL_SHARD
    tracker.open_job(JobSpec(run, total_parts))
    for number in range(2, total_parts + 1):
        tracker.mark_done(run, number, total_parts=total_parts, rows=10)
    assert not tracker.count_full_shards(run).complete
    assert not {one.file_name: one.uncounted for one in unfinished(tracker)}[run.file_name]
    for _ in range(theirs):
        table.published(run.file_name, total_parts)
    assert {one.file_name: one.uncounted for one in unfinished(tracker)}[run.file_name]
    assert tracker.count_full_shards(run).complete
    assert not {one.file_name: one.uncounted for one in unfinished(tracker)}[run.file_name]
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.unnumbered, report.missing) == (total_parts, 1, None)
    assert isinstance(tracker.claim_join(run, owner="sweep", lease_seconds=LEASE), Claim)
    tracker.finish_join(run)
    assert tracker.progress(run.file_name).processed_parts == total_parts


def test_retry_brings_back_a_job_that_a_published_duplicate_went_beyond(table: Table, run: Run) -> None:
    """Their duplicate stepped over the total: nobody can claim, until an operator says so."""
    tracker = table.tracker(table.plain)
    mark_all(tracker, run, 2)
    assert not table.published(run.file_name, 2).complete
    assert not tracker.count_full_shards(run).complete
    assert tracker.reopen_join(run).complete
    assert isinstance(tracker.claim_join(run, owner="worker 1", lease_seconds=LEASE), Claim)


def test_a_job_that_is_deleted_while_it_is_brought_back_is_not_there(table: Table, run: Run) -> None:
    """An operator did so, between the look and the write."""
    mark_all(table.tracker(table.plain), run, 2)
    table.published(run.file_name, 2)
    key = items.key_of_job(run.file_name)
    client = table.client()
    ActsBetween(client, "GetItem", lambda: table.plain.delete_item(TableName=table.name, Key=key))
    with pytest.raises(NoSuchJobError):
        table.tracker(client).reopen_join(run)


def test_h1_the_published_counter_fails_the_check_that_ours_passes(table: Table, run: Run) -> None:
    """The same deliveries, twice each to 32 threads: it counts double, and somebody joins with chunks missing."""
    total_parts = 60
    counts: dict[int, int] = {}  # by what the counter answered, which no two deliveries are told

    def mark(number: int) -> Said:
        job = table.published(run.file_name, total_parts)
        counts[job.processed_parts] = number
        return Said("counted", job.complete)

    tally = deliver_twice(mark, total_parts)
    assert tally == Tally(2 * total_parts, 0, completions=1)
    assert table.tracker(table.plain).progress(run.file_name).processed_parts == 2 * total_parts
    at_the_join = {counts[count] for count in range(1, total_parts + 1)}
    assert len(at_the_join) < total_parts, "the total was reached with chunks missing"
