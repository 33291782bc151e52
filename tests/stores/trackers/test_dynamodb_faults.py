"""What the tracker on DynamoDB makes of a service that fails, throttles, or answers late and twice."""

from __future__ import annotations

from typing import Any

import pytest

from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import (
    StoreError,
)
from splitjoin_cli.stores.trackers.answers import Claim, Counted, Duplicate
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.deliveries import Said, deliver_twice
from splitjoin_cli.testing.jobs import SMALL_SHARD
from tests.stores.trackers.faults import ChangesAnswers, Counts, LosesResponses, Refuses, RefusesSome
from tests.stores.trackers.tables import LEASE, Table, mark_all

pytestmark = pytest.mark.server

THROTTLED = [
    (400, "ProvisionedThroughputExceededException"),
    (400, "ThrottlingException"),
    (400, "RequestLimitExceeded"),
    (400, "TransactionConflictException"),
    (500, "InternalServerError"),
    (503, "ServiceUnavailable"),
]
CODE = "ThrottlingException"


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
