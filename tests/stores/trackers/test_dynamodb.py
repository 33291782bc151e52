"""What only the tracker on DynamoDB can get wrong: faults of the service, published items, the table, the bill."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import (
    ClearedError,
    NameTakenError,
    NoSuchJobError,
    NotFoundError,
    RunConflictError,
    StoreError,
)
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import dynamodb_updates as updates
from splitjoin_cli.stores.trackers import repairs, rules
from splitjoin_cli.stores.trackers.answers import InitReport
from splitjoin_cli.stores.trackers.base import (
    Claim,
    ClearClaim,
    Counted,
    Duplicate,
    Job,
    JobSpec,
    Refusal,
    Refused,
    Run,
)
from splitjoin_cli.stores.trackers.dynamodb import KEEP_SECONDS, DynamoDbTracker
from splitjoin_cli.stores.trackers.dynamodb_calls import Table as Calls
from splitjoin_cli.testing.deliveries import Said, Tally, deliver_twice
from splitjoin_cli.testing.jobs import SMALL_SHARD, START, Clock, unfinished
from tests.stores.trackers.faults import ActsBetween, ChangesAnswers, Counts, LosesResponses, Refuses, RefusesSome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.dynamodb import DynamoDbServer

pytestmark = pytest.mark.server

AT_ONCE = Retry(attempts=6, first_delay_seconds=0.0)
LEASE = 60.0
THROTTLED = [
    (400, "ProvisionedThroughputExceededException"),
    (400, "ThrottlingException"),
    (400, "RequestLimitExceeded"),
    (400, "TransactionConflictException"),
    (500, "InternalServerError"),
    (503, "ServiceUnavailable"),
]
CODE = "ThrottlingException"
PUBLISHED = "SET total_parts = if_not_exists(total_parts, :total_parts) ADD processed_parts :processed_parts"


class Table:
    """A table on a server, and a client of its own for each tracker, so that faults stay with it."""

    def __init__(self, server: DynamoDbServer) -> None:
        self.server = server
        self.name = f"jobs-{uuid.uuid4().hex[:12]}"
        self.clock = Clock()
        self.plain: Any = server.client()
        self.report = self.tracker(self.plain).init()

    def client(self) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        return self.server.client()

    def tracker(self, client: Any, *, shard_parts: int = SMALL_SHARD) -> DynamoDbTracker:  # noqa: ANN401
        return DynamoDbTracker(self.name, client=client, clock=self.clock, shard_parts=shard_parts, retry=AT_ONCE)

    def published(self, file_name: str, total_parts: int, table: str | None = None) -> Job:
        """One count of the published, unguarded expression."""
        values = {":total_parts": items.number(total_parts), ":processed_parts": items.number(1)}
        answer = self.plain.update_item(
            TableName=table or self.name,
            Key=items.key_of_job(file_name),
            UpdateExpression=PUBLISHED,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
        return items.job_of(answer["Attributes"])

    def item(self, key: str) -> dict[str, Any]:
        """An item as it lies in the table."""
        found: dict[str, Any] = self.plain.get_item(TableName=self.name, Key=items.key_of_job(key)).get("Item", {})
        return found


@pytest.fixture(scope="module")
def made() -> dict[str, Table]:
    """The tables that this module's tests share, by server."""
    return {}


@pytest.fixture(params=["dynalite_server", "ministack_server"])
def table(request: pytest.FixtureRequest, made: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table on each server in turn; other tests' jobs lie in it too."""
    server: DynamoDbServer = request.getfixturevalue(request.param)
    server.use(monkeypatch)
    if request.param not in made:
        made[request.param] = Table(server)
    return made[request.param]


@pytest.fixture
def run() -> Run:
    """A job that no other test has."""
    return Run(f"acme-{uuid.uuid4().hex[:12]}_20240131", "1a2b3c4d" * 4)


def mark_all(tracker: DynamoDbTracker, run: Run, total_parts: int) -> None:
    """Count every chunk, 10 rows each."""
    for number in range(1, total_parts + 1):
        tracker.mark_done(run, number, total_parts=total_parts, rows=10)


# Faults of the service


@pytest.mark.parametrize(("status", "code"), THROTTLED, ids=[code for _, code in THROTTLED])
def test_h12_throttling_is_repeated_and_no_failed_condition(table: Table, run: Run, status: int, code: str) -> None:
    """Three refusals, then the count: it is this call's own, and there once."""
    client = table.client()
    refuses = Refuses(client, "UpdateItem", status=status, code=code, times=3)
    answer = table.tracker(client).mark_done(run, 1, total_parts=2, rows=10)
    assert isinstance(answer, Counted)
    assert refuses.requests == 4
    report = table.tracker(table.plain).progress(run.file_name)
    assert (report.processed_parts, report.duplicates) == (1, 0)


@pytest.mark.parametrize(("status", "code"), THROTTLED, ids=[code for _, code in THROTTLED])
def test_h12_throttling_without_end_is_an_error(table: Table, run: Run, status: int, code: str) -> None:
    """After six requests; nothing is counted, and nothing is called a duplicate."""
    client = table.client()
    refuses = Refuses(client, "UpdateItem", status=status, code=code, times=1000)
    with pytest.raises(StoreError, match=rf"^dynamodb:UpdateItem dynamodb:{table.name}: .*{code}"):
        table.tracker(client).mark_done(run, 1, total_parts=2, rows=10)
    assert refuses.requests == 6
    assert table.tracker(table.plain).job(run.file_name) is None


def test_h12_throttling_and_lost_answers_under_load_count_exactly(table: Table, run: Run) -> None:
    """Every third update is refused and every second answer lost, while 8 threads deliver every chunk twice."""
    client = table.client()
    codes = tuple(code for status, code in THROTTLED if status == 400)
    refuses = RefusesSome(client, "UpdateItem", codes=codes, every=3)
    loses = LosesResponses(client, "UpdateItem")
    patient = Retry(attempts=50, first_delay_seconds=0.0)
    tracker = DynamoDbTracker(table.name, client=client, clock=table.clock, shard_parts=SMALL_SHARD, retry=patient)

    def mark(number: int) -> Said:
        answer = tracker.mark_done(run, number, total_parts=14, rows=10)
        assert isinstance(answer, Counted | Duplicate)
        return Said("counted" if isinstance(answer, Counted) else "duplicate", answer.complete)

    deliver_twice(mark, 14, threads=8)
    report = table.tracker(table.plain).progress(run.file_name)
    assert (report.processed_parts, report.missing, report.rows, report.complete) == (14, (), 140, True)
    assert refuses.refused > 10
    assert loses.lost > 10


def test_a_throttled_duplicate_is_a_duplicate_all_the_same(table: Table, run: Run) -> None:
    """That it could not be noted down is no reason to fail, or to wait."""
    tracker = table.tracker(table.plain)
    mark_all(tracker, run, 2)
    client = table.client()

    def refuse_from_now_on(_: dict[str, Any]) -> None:
        Refuses(client, "UpdateItem", status=400, code=CODE, times=99)

    ChangesAnswers(client, "UpdateItem", refuse_from_now_on)
    answer = table.tracker(client).mark_done(run, 2, total_parts=2, rows=10)
    assert isinstance(answer, Duplicate)
    assert answer.complete
    assert tracker.progress(run.file_name).duplicates == 0


@pytest.mark.parametrize("total_parts", [3, 6], ids=["one item", "shards"])
def test_h4_lost_responses_change_nothing(table: Table, run: Run, total_parts: int) -> None:
    """Every update is applied and its answer lost: the repeat is harmless in each step of a job's life."""
    client = table.client()
    loses = LosesResponses(client, "UpdateItem")
    tracker = table.tracker(client)
    tracker.open_job(JobSpec(run, total_parts, rows_expected=10 * total_parts))
    answers = [tracker.mark_done(run, n, total_parts=total_parts, rows=10) for n in range(1, total_parts + 1)]
    assert [isinstance(answer, Counted | Duplicate) and answer.complete for answer in answers] == [
        *([False] * (total_parts - 1)),
        True,
    ]
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.rows, report.missing) == (total_parts, 10 * total_parts, ())
    first = tracker.claim_join(run, owner="worker 1", lease_seconds=LEASE)
    assert isinstance(first, Claim)
    assert (first.fence, first.attempt) == (1, 1)
    assert tracker.renew_join(first, lease_seconds=LEASE) == first
    assert tracker.fail_join(first, error="boom", backoff_seconds=-1) is True
    second = tracker.claim_join(run, owner="worker 2", lease_seconds=LEASE)
    assert isinstance(second, Claim)
    assert (second.fence, second.attempt) == (2, 2)
    assert tracker.release_join(second) is True
    third = tracker.claim_join(run, owner="worker 3", lease_seconds=LEASE)
    assert isinstance(third, Claim)
    assert (third.fence, third.attempt) == (3, 2)
    assert tracker.finish_join(run) is True
    newer = tracker.replace_job(JobSpec(Run(run.file_name, "ffff" * 8), 2))
    assert newer.generation == 2
    assert loses.lost > 10


def test_a_failed_condition_without_its_item_is_read_consistently(table: Table, run: Run) -> None:
    """Some servers do not tell which item a condition met: the read that tells it must not be a stale one."""
    client = table.client()
    ChangesAnswers(client, "UpdateItem", lambda parsed: parsed.pop("Item", None) and None)
    counts = Counts(client)
    tracker = table.tracker(client)
    mark_all(tracker, run, 2)
    answer = tracker.mark_done(run, 1, total_parts=2, rows=10)
    assert isinstance(answer, Duplicate)
    assert answer.complete
    assert [made["ConsistentRead"] for name, made in counts.parameters if name == "GetItem"] == [True]


@pytest.mark.parametrize("table", ["ministack_server"], indirect=True)
def test_a_failed_condition_with_its_item_needs_no_read(table: Table, run: Run) -> None:
    """A duplicate costs the refused update, and one that counts it."""
    tracker = table.tracker(table.plain)
    mark_all(tracker, run, 2)
    client = table.client()
    counts = Counts(client)
    assert isinstance(table.tracker(client).mark_done(run, 1, total_parts=2, rows=10), Duplicate)
    assert counts.requests == {"UpdateItem": 2}


def test_what_a_batch_leaves_out_is_asked_for_again(table: Table, run: Run) -> None:
    """BatchGetItem answers less where it is throttled; a report has all shards all the same."""
    client = table.client()

    def halve(parsed: dict[str, Any]) -> None:
        found = parsed["Responses"][table.name]
        if len(found) > 1:
            parsed["Responses"][table.name] = found[1:]
            parsed["UnprocessedKeys"] = {table.name: {"Keys": [{"file_name": found[0]["file_name"]}]}}

    ChangesAnswers(client, "BatchGetItem", halve)
    counts = Counts(client)
    tracker = table.tracker(client)
    mark_all(tracker, run, 2 * SMALL_SHARD + 1)
    assert tracker.progress(run.file_name).missing == ()
    assert counts.requests["BatchGetItem"] == 2


# Races between a read and a write


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
    update = updates.change_join(before, after, run, needs_fence=True)
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
    update = updates.leave_unfinished(run, shard_duplicates=0)
    table.plain.put_item(TableName=table.name, Item=changed)
    assert calls.update(items.key_of_job(run.file_name), update).written is False
    table.plain.put_item(TableName=table.name, Item=item)
    assert calls.update(items.key_of_job(run.file_name), update).written is True


# A worker that died, and the sweep


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


# Beside the published counter


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


# The table


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


MENDED = "crc64nvme:AAAAAAAAAAE="


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
        update = updates.claim_clear(before, repairs.clearing(before, run, token=run.run_id, now=START)[0])
    else:
        claim = plain.claim_clear(run)
        assert isinstance(claim, ClearClaim)
        update = updates.finish_clear(claim)
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
        update = updates.claim_join(again, owner="worker 1", token=run.run_id, lease_seconds=LEASE, now=START)
    else:
        plain.claim_join(again, owner="worker 1", lease_seconds=LEASE)
        job = plain.job(run.file_name)
        assert job is not None
        update = updates.change_join(job, rules.released(job, START), again, needs_fence=True)
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
