"""What a worker that died left in DynamoDB, and the sweep that finds it."""

from __future__ import annotations

from typing import Any

import pytest

from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import dynamodb_updates as updates
from splitjoin_cli.stores.trackers.answers import Duplicate
from splitjoin_cli.stores.trackers.dynamodb import KEEP_SECONDS
from splitjoin_cli.stores.trackers.dynamodb_reports import UNFINISHED_INDEX
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.jobs import SMALL_SHARD, START, unfinished
from tests.stores.trackers.faults import ActsBetween, Counts
from tests.stores.trackers.tables import LEASE, Table, mark_all

pytestmark = pytest.mark.server


def die_after_the_shard(table: Table, run: Run, number: int, total_parts: int) -> None:
    """What a worker leaves that counted a chunk into its shard, and died before it counted the shard."""
    index, member = divmod(number - 1, SMALL_SHARD)
    update = updates.count_in_shard(run, total_parts, member=member, rows=10, now=START)
    table.plain.update_item(TableName=table.name, Key=items.key_of_shard(run, index), **update.parameters())


def test_h3_the_sweep_counts_a_full_shard_that_nobody_counted(table: Table, run: Run) -> None:
    """Also the last one, which is smaller; counted once however often it sweeps."""
    tracker = table.tracker(table.plain)
    tracker.open_job(JobSpec(run, SMALL_SHARD + 1))
    for number in range(1, SMALL_SHARD):
        tracker.mark_done(run, number, total_parts=SMALL_SHARD + 1, rows=10)
    die_after_the_shard(table, run, SMALL_SHARD, SMALL_SHARD + 1)
    assert tracker.count_full_shards(run).processed_parts == SMALL_SHARD
    die_after_the_shard(table, run, SMALL_SHARD + 1, SMALL_SHARD + 1)
    for writes in (1, 0):
        client = table.client()
        counts = Counts(client)
        job = table.tracker(client).count_full_shards(run)
        assert (job.processed_parts, job.rows, job.complete) == (SMALL_SHARD + 1, 10 * (SMALL_SHARD + 1), True)
        assert counts.requests["UpdateItem"] == writes


def test_one_sweep_counts_all_full_shards(table: Table, run: Run) -> None:
    """However many workers died."""
    total_parts = 2 * SMALL_SHARD
    tracker = table.tracker(table.plain)
    tracker.open_job(JobSpec(run, total_parts))
    for number in range(1, total_parts + 1):
        die_after_the_shard(table, run, number, total_parts)
    assert tracker.count_full_shards(run).complete


def test_a_sweep_that_a_newer_run_overtakes_ends(table: Table, run: Run) -> None:
    """The first full shard that it cannot count says so; the others are the older run's as well."""
    total_parts = 2 * SMALL_SHARD
    plain = table.tracker(table.plain)
    plain.open_job(JobSpec(run, total_parts))
    for number in range(1, total_parts + 1):
        die_after_the_shard(table, run, number, total_parts)
    newer = JobSpec(Run(run.file_name, "ffff" * 8), total_parts)
    client = table.client()
    ActsBetween(client, "GetItem", lambda: plain.replace_job(newer))
    counts = Counts(client)
    assert table.tracker(client).count_full_shards(run) == plain.job(run.file_name)
    assert counts.requests["UpdateItem"] == 1


def test_a_duplicate_counts_the_full_shard_that_nobody_counted(table: Table, run: Run) -> None:
    """The redelivered event of the worker that died: its answer completes the job."""
    tracker = table.tracker(table.plain)
    tracker.open_job(JobSpec(run, SMALL_SHARD + 1))
    for number in range(1, SMALL_SHARD + 1):
        tracker.mark_done(run, number, total_parts=SMALL_SHARD + 1, rows=10)
    die_after_the_shard(table, run, SMALL_SHARD + 1, SMALL_SHARD + 1)
    answer = tracker.mark_done(run, SMALL_SHARD + 1, total_parts=SMALL_SHARD + 1, rows=10)
    assert isinstance(answer, Duplicate)
    assert (answer.completed, answer.complete) == (True, True)


def test_a_job_that_goes_while_a_sweep_reads_is_left_out(table: Table, run: Run) -> None:
    """It is in the index, and its item is gone when it is read."""
    other = Run(f"other-{run.file_name}", run.run_id)
    for one in (run, other):
        table.tracker(table.plain).open_job(JobSpec(one, 2))
    client = table.client()
    ActsBetween(
        client, "Scan", lambda: table.plain.delete_item(TableName=table.name, Key=items.key_of_job(run.file_name))
    )
    found = [one.file_name for one in unfinished(table.tracker(client))]
    assert [name for name in found if name in (run.file_name, other.file_name)] == [other.file_name]


def test_where_nothing_is_unfinished_no_failure_is_asked_for(table: Table, run: Run) -> None:
    """A sweep every five minutes mostly finds nothing, here behind the last name: it reads one index, and not two."""
    tracker = table.tracker(table.plain)
    tracker.open_job(JobSpec(run, 2))
    tracker.mark_failed(run, 1, error="bad row", final=True)
    client = table.client()
    counts = Counts(client)
    behind = max(one.file_name for one in unfinished(tracker))
    assert list(table.tracker(client).unfinished(after=behind, most=10, failures=True)) == []
    indexes = {named.get("IndexName") for _, named in counts.parameters}
    assert (indexes, set(counts.requests)) == ({UNFINISHED_INDEX}, {"Scan"})


def test_an_interrupted_finish_is_finished_by_the_sweep(table: Table, run: Run) -> None:
    """Joined comes first; what is left is tidied by the next finish, and only then the sweep forgets the job."""
    tracker = table.tracker(table.plain)
    mark_all(tracker, run, 2 * SMALL_SHARD)
    tracker.mark_done(run, 1, total_parts=2 * SMALL_SHARD, rows=10)
    tracker.mark_failed(run, 3, error="bad row", final=False)
    tracker.claim_join(run, owner="worker 1", lease_seconds=LEASE)
    client = table.client()

    def die(params: dict[str, Any], **_: object) -> None:
        if "expires_at" in params["UpdateExpression"]:
            raise KeyboardInterrupt

    client.meta.events.register("provide-client-params.dynamodb.UpdateItem", die)
    interrupted = table.tracker(client)
    with pytest.raises(KeyboardInterrupt):
        interrupted.finish_join(run)
    left = {one.file_name: one.job for one in unfinished(tracker)}[run.file_name]
    assert left.join.state == "joined"
    assert tracker.finish_join(run) is True
    assert run.file_name not in {job.file_name for job in unfinished(tracker)}
    until = str(int(START + KEEP_SECONDS))
    beside = [f"{run.file_name}#1#0", f"{run.file_name}#1#1", f"{run.file_name}#1#failure#3"]
    assert [table.item(key)["expires_at"]["N"] for key in beside] == [until] * 3
    assert "expires_at" not in table.item(run.file_name)
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.missing, report.duplicates, report.rows) == (8, (), 1, 80)
    client = table.client()
    counts = Counts(client)
    assert table.tracker(client).finish_join(run) is True
    assert counts.requests == {"GetItem": 1}


def test_a_replaced_run_leaves_nothing_for_ever(table: Table, run: Run) -> None:
    """Its shards and failures expire."""
    tracker = table.tracker(table.plain)
    mark_all(tracker, run, SMALL_SHARD + 1)
    tracker.mark_failed(run, 2, error="bad row", final=False)
    tracker.replace_job(JobSpec(Run(run.file_name, "ffff" * 8), 2))
    until = str(int(START + KEEP_SECONDS))
    for key in (f"{run.file_name}#1#0", f"{run.file_name}#1#1", f"{run.file_name}#1#failure#2"):
        assert table.item(key)["expires_at"]["N"] == until
