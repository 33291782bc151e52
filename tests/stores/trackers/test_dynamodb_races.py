"""Two of the tracker on DynamoDB at once: what lies between one's look and its write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import dynamodb_join_updates as join_updates
from splitjoin_cli.stores.trackers import dynamodb_updates as updates
from splitjoin_cli.stores.trackers.answers import Claim, ClearClaim, Counted
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.dynamodb_calls import Table as Calls
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.jobs import SMALL_SHARD, unfinished
from tests.stores.trackers.faults import ActsBetween, ChangesAnswers
from tests.stores.trackers.tables import AT_ONCE, LEASE, Table, mark_all

if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.server


def complete(tracker: DynamoDbTracker, run: Run) -> Claim:
    """A job of two chunks, counted, and its first claim."""
    mark_all(tracker, run, 2)
    claim = tracker.claim_join(run, owner="worker 1", lease_seconds=LEASE)
    assert isinstance(claim, Claim)
    return claim


def claimed_between(table: Table, run: Run) -> tuple[DynamoDbTracker, list[Claim]]:
    """A tracker whose first look is overtaken: the lease lapses, and worker 2 claims before it writes."""
    claims: list[Claim] = []

    def later() -> float:
        return table.clock() + LEASE + 1

    def claim() -> None:
        second = DynamoDbTracker(table.name, client=table.plain, clock=later)
        answer = second.claim_join(run, owner="worker 2", lease_seconds=LEASE)
        assert isinstance(answer, Claim)
        claims.append(answer)

    client = table.client()
    ActsBetween(client, "GetItem", claim)
    return DynamoDbTracker(table.name, client=client, clock=later), claims


@pytest.mark.parametrize("call", ["open", "count", "count in a shard"])
def test_an_item_that_is_deleted_before_it_is_read_is_made_again(table: Table, run: Run, call: str) -> None:
    """A refused write tells nothing then, and is tried again: an operator deleted the job by hand."""
    total = SMALL_SHARD + 1 if call == "count in a shard" else 2
    table.tracker(table.plain).mark_done(run, 1, total_parts=total, rows=10)
    key = items.key_of_shard(run, 0) if call == "count in a shard" else items.key_of_job(run.file_name)
    client = table.client()
    ChangesAnswers(client, "UpdateItem", lambda parsed: parsed.pop("Item", None) and None)
    ActsBetween(client, "UpdateItem", lambda: table.plain.delete_item(TableName=table.name, Key=key))
    overtaken = table.tracker(client)
    if call == "open":
        other = Run(run.file_name, "ffff" * 8)
        assert overtaken.open_job(JobSpec(other, total)).run == other
    else:
        assert isinstance(overtaken.mark_done(run, 1, total_parts=total, rows=10), Counted)


def test_a_clear_between_a_refused_opening_and_its_read_lets_it_write(table: Table, run: Run) -> None:
    """The job was joined when it refused, and is not when it is read: what the opening knows is written down."""
    plain = table.tracker(table.plain)
    complete(plain, run)
    plain.finish_join(run)

    def clear() -> None:
        claim = plain.claim_clear(run)
        assert isinstance(claim, ClearClaim)
        plain.finish_clear(claim)

    client = table.client()
    ChangesAnswers(client, "UpdateItem", lambda parsed: parsed.pop("Item", None) and None)
    ActsBetween(client, "UpdateItem", clear)
    opened = table.tracker(client).open_job(JobSpec(run, 2, rows_expected=20))
    assert opened == plain.job(run.file_name)
    assert (opened.rows_expected, opened.round) == (20, 1)


def test_a_release_between_a_refused_claim_and_its_read_lets_it_claim(table: Table, run: Run) -> None:
    """The join was held when it refused, and is free when it is read."""
    plain = table.tracker(table.plain)
    first = complete(plain, run)
    client = table.client()
    ChangesAnswers(client, "UpdateItem", lambda parsed: parsed.pop("Item", None) and None)
    ActsBetween(client, "UpdateItem", lambda: plain.release_join(first))
    second = table.tracker(client).claim_join(run, owner="worker 2", lease_seconds=LEASE)
    assert isinstance(second, Claim)
    assert (second.fence, second.attempt) == (2, 1)
    assert plain.renew_join(second, lease_seconds=LEASE) == second


@pytest.mark.parametrize("call", ["renew", "release", "fail"])
def test_a_claim_between_the_read_and_the_write_is_left_alone(table: Table, run: Run, call: str) -> None:
    """The item was the first owner's when it was read, and is the second one's when it is to be written."""
    first = complete(table.tracker(table.plain), run)
    overtaken, claims = claimed_between(table, run)
    calls: dict[str, Callable[[], object]] = {
        "renew": lambda: overtaken.renew_join(first, lease_seconds=LEASE),
        "release": lambda: overtaken.release_join(first),
        "fail": lambda: overtaken.fail_join(first, error="boom", backoff_seconds=1, final=True),
    }
    assert calls[call]() == (None if call == "renew" else False)
    (second,) = claims
    job = table.tracker(table.plain).job(run.file_name)
    assert job is not None
    join = job.join
    assert (join.state, join.owner, join.token, join.fence) == ("claimed", "worker 2", second.token, 2)
    assert (join.lease_until, join.attempts, join.error) == (second.lease_until, 2, None)


@pytest.mark.parametrize("call", ["renew", "release", "fail", "reopen"])
def test_a_finish_between_the_read_and_the_write_stays(table: Table, run: Run, call: str) -> None:
    """Another owner's success: a join that is done must not begin again."""
    tracker = table.tracker(table.plain)
    first = complete(tracker, run)
    if call == "reopen":
        tracker.fail_join(first, error="boom", backoff_seconds=1)
    client = table.client()
    ActsBetween(client, "GetItem", lambda: tracker.finish_join(run), reads=2 if call == "reopen" else 1)
    overtaken = table.tracker(client)
    calls: dict[str, Callable[[], object]] = {
        "renew": lambda: overtaken.renew_join(first, lease_seconds=LEASE),
        "release": lambda: overtaken.release_join(first),
        "fail": lambda: overtaken.fail_join(first, error="boom", backoff_seconds=1),
        "reopen": lambda: overtaken.reopen_join(run),
    }
    calls[call]()
    job = tracker.job(run.file_name)
    assert job is not None
    assert (job.join.state, job.join.finished_at) == ("joined", table.clock())
    assert run.file_name not in {job.file_name for job in unfinished(tracker)}


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("fence", {"N": "2"}),
        ("claim_by", {"S": "another"}),
        ("join_state", {"S": "waiting"}),
        ("run_id", {"S": "ffff" * 8}),
        ("generation", {"N": "2"}),
        ("joined_at", None),
    ],
)
@pytest.mark.parametrize("held", [True, False], ids=["claimed", "failed"])
def test_a_join_is_changed_only_where_it_is_as_it_was_seen(
    table: Table, run: Run, attribute: str, value: dict[str, str] | None, *, held: bool
) -> None:
    """Each of the things that say whose it is, alone; also where nobody holds it any more."""
    tracker = table.tracker(table.plain)
    first = complete(tracker, run)
    if not held:
        tracker.fail_join(first, error="boom", backoff_seconds=1, final=True)
    before = tracker.job(run.file_name)
    assert before is not None
    after = replace(before, join=replace(before.join, error="changed"))
    update = join_updates.change_join(before, after, run, needs_fence=True)
    item = table.item(run.file_name)
    changed = {name: one for name, one in item.items() if name != attribute} | ({attribute: value} if value else {})
    calls = Calls(table.plain, table.name, retry=AT_ONCE)
    table.plain.put_item(TableName=table.name, Item=changed)
    assert calls.update(items.key_of_job(run.file_name), update).written is False
    assert table.item(run.file_name) == changed
    table.plain.put_item(TableName=table.name, Item=item)
    assert calls.update(items.key_of_job(run.file_name), update).written is True


def test_a_job_that_was_replaced_between_the_read_and_the_write_is_looked_at_again(table: Table, run: Run) -> None:
    """A, B, A between: the run that was seen stands again, two generations later, and none is given out twice."""
    tracker = table.tracker(table.plain)
    tracker.open_job(JobSpec(run, 2))
    client = table.client()

    def replace_twice() -> None:
        tracker.replace_job(JobSpec(Run(run.file_name, "bbbb" * 8), 2))
        tracker.replace_job(JobSpec(run, 2))

    ActsBetween(client, "GetItem", replace_twice)
    assert table.tracker(client).replace_job(JobSpec(Run(run.file_name, "cccc" * 8), 2)).generation == 4


def test_an_item_of_the_published_counter_that_counted_nothing_is_free(table: Table, run: Run) -> None:
    """It takes nobody's name."""
    key = items.key_of_job(run.file_name)
    nothing = {**key, "total_parts": items.number(2), "processed_parts": items.number(0)}
    table.plain.put_item(TableName=table.name, Item=nothing)
    assert table.tracker(table.plain).open_job(JobSpec(run, 2)).run == run


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("run_id", {"S": "ffff" * 8}),
        ("generation", {"N": "2"}),
        ("processed_parts", {"N": "4"}),
        ("join_state", {"S": "joined"}),
    ],
)
def test_a_mixed_job_is_made_complete_only_as_it_was_seen(
    table: Table, run: Run, attribute: str, value: dict[str, str]
) -> None:
    """A run that was replaced, a count or a join that came between: each alone."""
    tracker = table.tracker(table.plain)
    mark_all(tracker, run, 2)
    table.published(run.file_name, 2)
    seen = tracker.job(run.file_name)
    assert seen is not None
    assert seen.processed_parts == 3
    update = updates.make_complete(seen, run, into="done", members=(), unnumbered=0)
    item = table.item(run.file_name)
    calls = Calls(table.plain, table.name, retry=AT_ONCE)
    table.plain.put_item(TableName=table.name, Item={**item, attribute: value})
    assert calls.update(items.key_of_job(run.file_name), update).written is False
    table.plain.put_item(TableName=table.name, Item={**item, "join_state": {"S": "waiting"}})
    assert calls.update(items.key_of_job(run.file_name), update).written is True


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("run_id", {"S": "ffff" * 8}),
        ("generation", {"N": "2"}),
        ("join_state", {"S": "claimed"}),
        ("unfinished", None),
    ],
)
def test_a_job_leaves_the_unfinished_ones_only_as_it_was_joined(
    table: Table, run: Run, attribute: str, value: dict[str, str] | None
) -> None:
    """Not where a newer run began between, nor twice: the duplicates of its shards may be gone by then."""
    tracker = table.tracker(table.plain)
    complete(tracker, run)
    client = table.client()

    def die(params: dict[str, Any], **_: object) -> None:
        if "shard_duplicates" in params["UpdateExpression"]:
            raise KeyboardInterrupt

    client.meta.events.register("provide-client-params.dynamodb.UpdateItem", die)
    with pytest.raises(KeyboardInterrupt):
        table.tracker(client).finish_join(run)
    item = table.item(run.file_name)
    changed = {name: one for name, one in item.items() if name != attribute} | ({attribute: value} if value else {})
    calls = Calls(table.plain, table.name, retry=AT_ONCE)
    update = join_updates.leave_unfinished(run, shard_duplicates=0)
    table.plain.put_item(TableName=table.name, Item=changed)
    assert calls.update(items.key_of_job(run.file_name), update).written is False
    table.plain.put_item(TableName=table.name, Item=item)
    assert calls.update(items.key_of_job(run.file_name), update).written is True
