"""What only the tracker on DynamoDB has: its table, its listings, its items."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import (
    ClearedError,
    NotFoundError,
    RunConflictError,
    StoreError,
)
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import dynamodb_join_updates as join_updates
from splitjoin_cli.stores.trackers import dynamodb_updates as updates
from splitjoin_cli.stores.trackers import repairs, rules
from splitjoin_cli.stores.trackers.answers import ClearClaim, InitReport, Refusal, Refused
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.dynamodb_calls import Table as Calls
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.jobs import SMALL_SHARD, START, unfinished
from tests.stores.trackers.faults import ActsBetween, ChangesAnswers, Counts, LosesResponses
from tests.stores.trackers.tables import AT_ONCE, LEASE, MENDED, Table, mark_all

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.server


def test_init_made_the_table_as_it_should_be(table: Table) -> None:
    """On demand, encrypted, three sparse indexes; recovery and expiry where the server knows them."""
    described = table.plain.describe_table(TableName=table.name)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    indexes = {
        index["IndexName"]: index["KeySchema"][0]["AttributeName"] for index in described["GlobalSecondaryIndexes"]
    }
    assert indexes == {"jobs": "total_parts", "unfinished": "unfinished", "failures": "failed_job"}
    unsupported = ("point-in-time recovery", "time to live") if table.server.name == "dynalite" else ()
    assert table.report == InitReport(created=True, unsupported=unsupported)
    if unsupported:
        return
    assert described["SSEDescription"]["Status"] in {"ENABLED", "ENABLING"}
    backups = table.plain.describe_continuous_backups(TableName=table.name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    expiry = table.plain.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")


@pytest.mark.parametrize("table", ["ministack_server"], indirect=True)
def test_init_adds_what_a_published_table_lacks(table: Table, run: Run) -> None:
    """A table of the published pattern has the key and nothing else; its items stay, and so does how it is billed."""
    name = f"published-{uuid.uuid4().hex[:8]}"
    units = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
    table.plain.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "file_name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "file_name", "AttributeType": "S"}],
        ProvisionedThroughput=units,
    )
    table.published(run.file_name, 3, name)
    tracker = DynamoDbTracker(name, client=table.plain)
    report = tracker.init()
    assert report.created is False
    assert report.changed[:3] == ("index jobs", "index unfinished", "index failures")
    assert tracker.init().changed == ()
    assert [found.processed_parts for found in tracker.list()] == [1]


@pytest.mark.parametrize("table", ["dynalite_server"], indirect=True)
def test_init_says_which_indexes_a_server_does_not_add(table: Table) -> None:
    """It does not wait for what will never come."""
    name = f"published-{uuid.uuid4().hex[:8]}"
    table.plain.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "file_name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "file_name", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 9},
    )
    report = DynamoDbTracker(name, client=table.plain).init()
    assert report.unsupported[:3] == ("index jobs", "index unfinished", "index failures")
    assert report.changed == ()


def test_init_refuses_a_table_of_another_shape(table: Table) -> None:
    """Nothing is changed on somebody else's table."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "id", "AttributeType": "S"}]
    table.plain.create_table(TableName=name, KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    with pytest.raises(StoreError, match=rf"^dynamodb:{name}: the table has another key: \[\('id', 'HASH'\)\]$"):
        DynamoDbTracker(name, client=table.plain).init()


def test_a_missing_table_says_how_to_make_it(table: Table, run: Run) -> None:
    """The message names the operation and the table, the hint the command."""
    tracker = DynamoDbTracker("nowhere", client=table.plain)
    with pytest.raises(NotFoundError, match=r"^dynamodb:UpdateItem dynamodb:nowhere: not found$") as caught:
        tracker.mark_done(run, 1, total_parts=2, rows=10)
    assert caught.value.hint == "splitjoin init --tracker dynamodb:nowhere makes the table"
    with pytest.raises(NotFoundError, match=r"^dynamodb:GetItem dynamodb:nowhere: not found$"):
        tracker.reach()


def test_a_report_of_100_000_chunks_is_a_few_requests(table: Table, run: Run) -> None:
    """The head, four batches of shards, the failures: whatever is counted."""
    total_parts, missing = 100_000, (1, 50_000, 99_999)
    shards = -(-total_parts // 256)
    writes = []
    for index in range(shards):
        numbers = set(range(index * 256 + 1, min(total_parts, index * 256 + 256) + 1)) - set(missing)
        item = {**items.key_of_shard(run, index), "done": items.number_set([n - 1 - index * 256 for n in numbers])}
        writes.append({"PutRequest": {"Item": {**item, "loaded_rows": items.number(10 * len(numbers))}}})
    for at in range(0, len(writes), 25):
        table.plain.batch_write_item(RequestItems={table.name: writes[at : at + 25]})
    client = table.client()
    tracker = table.tracker(client, shard_parts=256)
    tracker.open_job(JobSpec(run, total_parts))
    counts = Counts(client)
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.missing, report.rows) == (99_997, missing, 999_970)
    assert counts.requests == {"GetItem": 1, "BatchGetItem": 4, "Query": 1}


def test_a_job_that_moves_within_an_index_is_reported_once(
    table: Table, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan meets it before and after; DynamoDB refuses to be asked for the same item twice."""
    tracker = table.tracker(table.client())
    tracker.open_job(JobSpec(run, 3))
    tracker.mark_done(run, 1, total_parts=3, rows=1)
    scan = tracker._table.scan
    monkeypatch.setattr(tracker._table, "scan", lambda index: [*scan(index), *scan(index)])
    assert [report.file_name for report in tracker.list()].count(run.file_name) == 1
    assert [job.file_name for job in unfinished(tracker)].count(run.file_name) == 1


@pytest.mark.parametrize("total", [2, SMALL_SHARD + 1], ids=["one item", "shards"])
@pytest.mark.parametrize("meanwhile", ["counted", "joined", "clearing", "cleared", "replaced"])
def test_what_happens_between_the_read_and_the_write_of_an_expectation(
    table: Table, run: Run, meanwhile: str, total: int
) -> None:
    """It is told as if it had been read: nothing is written down for a chunk that is counted, or an older run."""
    plain = table.tracker(table.plain)
    plain.open_job(JobSpec(run, total))

    def join() -> None:
        mark_all(plain, run, total)
        plain.claim_join(run, owner="worker 1", lease_seconds=LEASE)
        plain.finish_join(run)

    def clear() -> None:
        claim = plain.claim_clear(run)
        assert isinstance(claim, ClearClaim)
        assert plain.finish_clear(claim)

    acts: dict[str, Callable[[], object]] = {
        "counted": lambda: plain.mark_done(run, 1, total_parts=total, rows=1),
        "joined": join,
        "clearing": lambda: plain.claim_clear(run),
        "cleared": clear,
        "replaced": lambda: plain.replace_job(JobSpec(Run(run.file_name, "ffff" * 8), total)),
    }
    client = table.client()
    ActsBetween(client, "GetItem", acts[meanwhile], reads=1 if total == 2 else 2)
    overtaken = table.tracker(client)
    if meanwhile == "clearing":
        with pytest.raises(ClearedError):
            overtaken.expect(run, 1, MENDED, total_parts=total, asked=True)
        return
    answer = overtaken.expect(run, 1, MENDED, total_parts=total, asked=True)
    expected = {"counted": "counted", "joined": "joined", "cleared": "noted", "replaced": "superseded"}
    assert str(answer) == expected[meanwhile]
    job = plain.job(run.file_name)
    assert job is not None
    assert job.run is not None
    assert plain.all_expected(job.run).get(1) == (MENDED if meanwhile == "cleared" else None)


OTHERS: dict[str, dict[str, Any]] = {
    "run_id": {"S": "ffff" * 8},
    "generation": {"N": "2"},
    "times_cleared": {"N": "7"},
    "total_parts": {"N": "3"},
    "shard_total": {"N": "99"},
    "fence": {"N": "7"},
    "claim_by": {"S": "another"},
    "join_state": {"S": "joined"},
    "done": {"NS": ["1"]},
}
STATES: dict[str, dict[str, Any]] = {
    "clearing": {"join_state": {"S": "clearing"}},
    "held": {"join_state": {"S": "claimed"}, "lease_until": {"N": str(START + LEASE)}},
}
SEEN = {
    "expect": ("run_id", "generation", "times_cleared", "total_parts", "join_state", "clearing", "done"),
    "expect in a shard": ("run_id", "shard_total", "done"),
    "claim a clear": ("run_id", "generation", "times_cleared", "fence", "held"),
    "finish a clear": ("run_id", "generation", "times_cleared", "fence", "claim_by", "join_state"),
}


@pytest.mark.parametrize(("call", "what"), [(call, what) for call in SEEN for what in SEEN[call]])
def test_a_repair_is_written_only_where_all_is_as_it_was_seen(table: Table, run: Run, call: str, what: str) -> None:
    """Each of the things that say whose it is, alone; a join that waits is no hindrance."""
    plain = table.tracker(table.plain)
    total = SMALL_SHARD + 1 if call == "expect in a shard" else 2
    before = plain.open_job(JobSpec(run, total))
    key = items.key_of_job(run.file_name)
    if call == "expect":
        update = updates.expect(run, total, member=1, checksum=MENDED, asked=True)
    elif call == "expect in a shard":
        plain.mark_done(run, 3, total_parts=total, rows=1)
        key = items.key_of_shard(run, 0)
        update = updates.expect_in_shard(run, total, member=1, checksum=MENDED, asked=True)
    elif call == "claim a clear":
        update = join_updates.claim_clear(before, repairs.clearing(before, run, token=run.run_id, now=START)[0])
    else:
        claim = plain.claim_clear(run)
        assert isinstance(claim, ClearClaim)
        update = join_updates.finish_clear(claim)
    calls = Calls(table.plain, table.name, retry=AT_ONCE)
    item = table.plain.get_item(TableName=table.name, Key=key)["Item"]
    changed = STATES.get(what) or {what: OTHERS[what]}
    table.plain.put_item(TableName=table.name, Item={**item, **changed})
    assert calls.update(key, update).written is False
    waits = {"join_state": {"S": "waiting"}} if call == "expect" else {}
    table.plain.put_item(TableName=table.name, Item={**item, **waits})
    assert calls.update(key, update).written is True


@pytest.mark.parametrize("call", ["claim", "change", "complete"])
def test_a_join_in_a_later_round_is_of_that_round(table: Table, run: Run, call: str) -> None:
    """A job that was cleared once more in the meantime has nothing to join."""
    plain = table.tracker(table.plain)
    plain.open_job(JobSpec(run, 2))
    clearing = plain.claim_clear(run)
    assert isinstance(clearing, ClearClaim)
    plain.finish_clear(clearing)
    again = replace(run, round=1)
    mark_all(plain, again, 2)
    if call == "claim":
        update = join_updates.claim_join(again, owner="worker 1", token=run.run_id, lease_seconds=LEASE, now=START)
    else:
        plain.claim_join(again, owner="worker 1", lease_seconds=LEASE)
        job = plain.job(run.file_name)
        assert job is not None
        update = join_updates.change_join(job, rules.released(job, START), again, needs_fence=True)
        if call == "complete":
            update = updates.make_complete(job, again, into="done", members=(), unnumbered=0)
    key, calls = items.key_of_job(run.file_name), Calls(table.plain, table.name, retry=AT_ONCE)
    item = table.item(run.file_name)
    table.plain.put_item(TableName=table.name, Item={**item, "times_cleared": {"N": "2"}})
    assert calls.update(key, update).written is False
    table.plain.put_item(TableName=table.name, Item=item)
    assert calls.update(key, update).written is True


@pytest.mark.parametrize("total", [2, SMALL_SHARD + 1], ids=["one item", "shards"])
def test_a_count_is_refused_where_other_bytes_are_expected_meanwhile(table: Table, run: Run, total: int) -> None:
    """Its bytes were the right ones when it looked, and are not when it counts."""
    plain = table.tracker(table.plain)
    plain.open_job(JobSpec(run, total))
    plain.expect(run, 1, MENDED, total_parts=total, asked=True)
    client = table.client()
    ChangesAnswers(client, "UpdateItem", lambda parsed: parsed.pop("Item", None) and None)
    again = MENDED.replace("AE=", "AI=")
    ActsBetween(client, "GetItem", lambda: plain.expect(run, 1, again, total_parts=total, asked=True))
    with pytest.raises(RunConflictError):
        table.tracker(client).mark_done(run, 1, total_parts=total, rows=10, checksum=lambda: MENDED)
    assert plain.progress(run.file_name).missing == tuple(range(1, total + 1))


@pytest.mark.parametrize(("total", "reads"), [(2, 1), (SMALL_SHARD + 1, 3)], ids=["one item", "shards"])
def test_an_expectation_costs_one_write(table: Table, run: Run, total: int, reads: int) -> None:
    """In a shard, whose write knows nothing of the head, the head is looked at again; what stands is not written."""
    table.tracker(table.plain).open_job(JobSpec(run, total))
    for writes in (1, 0):
        client = table.client()
        counts = Counts(client)
        tracker = table.tracker(client)
        for asked in (True, False)[: 2 - writes]:
            assert str(tracker.expect(run, 1, MENDED, total_parts=total, asked=asked)) == "noted"
        assert counts.requests["UpdateItem"] == writes
        if writes:
            assert counts.requests["GetItem"] == reads


def test_a_claim_between_the_read_and_the_write_keeps_a_clear_out(table: Table, run: Run) -> None:
    """The join is a worker's by then; and a finish after the clear's claim does not undo it."""
    plain = table.tracker(table.plain)
    mark_all(plain, run, 2)
    client = table.client()
    ActsBetween(client, "GetItem", lambda: plain.claim_join(run, owner="worker 1", lease_seconds=LEASE))
    answer = table.tracker(client).claim_clear(run)
    assert isinstance(answer, Refused)
    assert answer.reason is Refusal.HELD
    table.clock.move(LEASE + 1)
    client = table.client()
    ActsBetween(client, "GetItem", lambda: plain.claim_clear(run))
    assert not table.tracker(client).finish_join(run)
    job = plain.job(run.file_name)
    assert job is not None
    assert job.join.state == "clearing"


def test_lost_answers_of_a_clear_change_nothing(table: Table, run: Run) -> None:
    """Its claim and its end are known again by their token and fence."""
    plain = table.tracker(table.plain)
    mark_all(plain, run, 2)
    client = table.client()
    LosesResponses(client, "UpdateItem")
    tracker = table.tracker(client)
    claim = tracker.claim_clear(run)
    assert isinstance(claim, ClearClaim)
    after = tracker.finish_clear(claim)
    assert after == plain.job(run.file_name)
    assert after is not None
    assert (after.round, after.processed_parts, after.join.fence) == (1, 0, 1)
