"""What a worker does with one event, and when it acknowledges it."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import (
    BadRowError,
    ContinuationError,
    LoadError,
    OtherRunError,
    OtherTotalError,
    StoppedError,
    StoreError,
)
from splitjoin_cli.core.names import ChunkName
from splitjoin_cli.join.base import JoinPayload
from splitjoin_cli.join.chunk import published_run_id
from splitjoin_cli.join.events import Batch, ChunkArrived, Delivery, notification, read_lambda_event
from splitjoin_cli.join.joiner import Joiner, backoff_seconds
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from tests.join.memory import FILE_NAME, RUN_ID, MemoryLoader, chunk_uri
from tests.join.rig import LEASE_SECONDS, RUN, FailsWith, Rig

if TYPE_CHECKING:
    from splitjoin_cli.join.worker import Handled
    from splitjoin_cli.stores.chunks.base import StoredChunk
    from splitjoin_cli.stores.trackers.answers import Claim, Refused

NEWER = Run(FILE_NAME, "b" * 32, 2)


def test_the_last_chunk_joins() -> None:
    """Load, count; whoever completes the job claims, continues and finishes."""
    rig = Rig(total=3)
    ends = [rig.handle(number) for number in (2, 3, 1)]
    assert [(each.end, each.acknowledge, each.rows, each.joined) for each in ends] == [
        ("counted", True, 2, False),
        ("counted", True, 3, False),
        ("joined", True, 1, True),
    ]
    assert rig.continuation.runs == [JoinPayload(FILE_NAME, RUN_ID, 3, 6, "2023-11-14T22:13:20.000Z")]
    ledger = rig.loader.job(FILE_NAME)
    assert ledger is not None
    assert (rig.join.state, ledger.joined_at) == ("joined", "2023-11-14T22:13:20.000Z")


def test_each_event_opens_its_object_once() -> None:
    """Bytes, run and rows are of the same answer; HEAD where the database reads S3 itself."""
    rig = Rig(total=1)
    rig.handle(1)
    assert rig.chunks.opened == [(chunk_uri(1, 1), True)]
    itself = Rig(total=1, loader=MemoryLoader(reads_s3=True))
    itself.handle(1)
    assert itself.chunks.opened == [(chunk_uri(1, 1), False)]


def test_the_first_event_opens_the_job() -> None:
    """With the place that the chunks lie in."""
    rig = Rig()
    rig.handle(1)
    job = rig.tracker.job(FILE_NAME)
    assert job is not None
    assert (job.run_id, job.total_parts, job.destination) == (RUN_ID, 2, "s3://bucket/in/")


def test_an_event_after_the_join_is_acknowledged_and_nothing_loaded() -> None:
    """Shards may have expired by then: the job's head alone is asked."""
    rig = Rig(total=1)
    rig.handle(1)
    rig.loader.database.ledger.clear()
    again = rig.handle(1)
    assert (again.end, again.acknowledge, again.loaded, again.joined) == ("joined", True, False, False)
    assert rig.loader.database.ledger == {}


def test_where_the_tracker_lost_the_job_the_ledger_answers() -> None:
    """Its joined_at outlives the tracker's item."""
    rig = Rig(total=1)
    rig.handle(1)
    rig.tracker.table.jobs.clear()
    again = rig.handle(1)
    assert (again.end, again.acknowledge) == ("joined", True)
    assert (rig.tracker.job(FILE_NAME), len(rig.continuation.runs)) == (None, 1)


@pytest.mark.parametrize(
    ("error", "final"),
    [(LoadError("the database is away"), False), (BadRowError("record 7 has 3 fields"), True)],
)
def test_a_failed_load_is_recorded_and_comes_again(error: LoadError, *, final: bool) -> None:
    """Bad data is final: trying again does not help. Both are done with once the chunk is counted."""
    rig = Rig()

    def fail(_chunk: object) -> None:
        raise error

    rig.loader.before_load = fail
    outcome = rig.handle(2)
    assert (outcome.end, outcome.acknowledge, outcome.error) == ("failed", False, error)
    (failure,) = rig.tracker.progress(FILE_NAME).failures
    assert (failure.number, failure.error, failure.final) == (2, error.message, final)
    rig.loader.before_load = lambda _chunk: None
    assert rig.handle(2).acknowledge
    assert rig.tracker.progress(FILE_NAME).failures == ()


def test_the_last_delivery_of_a_queue_is_final() -> None:
    """After it, the message is a dead letter."""
    rig = Rig(max_receives=3)

    def fail(_chunk: object) -> None:
        raise LoadError("the database is away")

    rig.loader.before_load = fail
    for receives in (1, 2, 3):
        rig.handle(1, receives=receives)
        (failure,) = rig.tracker.progress(FILE_NAME).failures
        assert failure.final == (receives == 3)


def test_an_unexpected_error_is_a_failure_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """Foreign errors may quote secrets: the log has them, with the stack."""
    rig = Rig()

    def fail(_chunk: object) -> None:
        raise KeyError("secret")

    rig.loader.before_load = fail
    outcome = rig.handle(1)
    assert str(outcome.error) == f"{chunk_uri(1, 2)}: unexpected KeyError; the log has more"
    assert not outcome.acknowledge
    assert [record.message for record in caplog.records if record.exc_info] == [
        f"unexpected error at {chunk_uri(1, 2)}"
    ]


def test_a_stop_is_no_failure() -> None:
    """The event stays where it is, and nothing is recorded."""
    rig = Rig()

    def stop(_chunk: object) -> None:
        raise StoppedError(15)

    rig.loader.before_load = stop
    with pytest.raises(StoppedError):
        rig.handle(1)
    assert rig.tracker.progress(FILE_NAME).failures == ()


def test_an_older_generation_is_acknowledged() -> None:
    """Nobody wants it: the tracker has a newer run of the name."""
    rig = Rig()
    rig.tracker.open_job(JobSpec(RUN, 2))
    rig.tracker.replace_job(JobSpec(NEWER, 2))
    outcome = rig.handle(1)
    assert (outcome.end, outcome.acknowledge, rig.loader.database.ledger) == ("replaced", True, {})


def test_a_run_replaced_between_look_and_load_is_acknowledged() -> None:
    """The ledger's fence, or the tracker's, says so."""
    rig = Rig()

    def replaced(_chunk: object) -> None:
        rig.tracker.replace_job(JobSpec(NEWER, 2))

    rig.loader.before_load = replaced
    assert (rig.handle(1).end, rig.handle(1).acknowledge) == ("replaced", True)


def test_another_run_is_an_error_before_anything_is_loaded() -> None:
    """It names both, and is recorded for good."""
    rig = Rig()
    rig.tracker.open_job(JobSpec(Run(FILE_NAME, "c" * 32), 2))
    outcome = rig.handle(1)
    assert isinstance(outcome.error, OtherRunError)
    assert outcome.error.message == (
        f"{FILE_NAME}: the tracker has run {'c' * 32} (generation 1), and this is run {RUN_ID} (generation 1)"
    )
    assert (outcome.acknowledge, rig.loader.database.ledger) == (False, {})
    (failure,) = rig.tracker.progress(FILE_NAME).failures
    assert failure.final


def test_another_total_is_an_error() -> None:
    """Names of two splits under one run."""
    rig = Rig()
    rig.tracker.open_job(JobSpec(RUN, 3))
    outcome = rig.handle(1)
    assert isinstance(outcome.error, OtherTotalError)
    assert (outcome.acknowledge, rig.loader.database.ledger) == (False, {})


def test_a_held_join_is_left_to_its_owner_if_a_sweep_runs() -> None:
    """Else the event comes again until the join is done."""
    for sweep_runs in (True, False):
        rig = Rig(total=1, sweep_runs=sweep_runs)
        rig.load_all()
        rig.claim()
        outcome = rig.handle(1)
        assert (outcome.end, outcome.acknowledge, outcome.error) == ("left", sweep_runs, None)
        assert rig.continuation.runs == []


def test_a_failed_continuation_waits_and_is_tried_again() -> None:
    """Not acknowledged; the error stands in the tracker; every try sends the same payload."""
    rig = Rig(total=1)
    error = ContinuationError("the next step is away")
    first = rig.handle(1, continuation=FailsWith(error))
    assert (first.acknowledge, first.error, first.counted) == (False, error, True)
    assert (rig.join.state, rig.join.error, rig.join.lease_until) == ("waiting", error.message, rig.clock.now + 30)
    waiting = rig.handle(1)
    assert not waiting.acknowledge
    assert str(waiting.error) == f"{FILE_NAME}: the join cannot be claimed: waiting"
    rig.clock.now += 31
    assert rig.handle(1).joined
    assert [payload.joined_at for payload in rig.continuation.runs] == ["2023-11-14T22:13:20.000Z"]
    assert rig.tracker.progress(FILE_NAME).failures == ()


def test_a_continuation_that_fails_for_ever_ends_as_failed() -> None:
    """After five claims; then only retry --join goes on."""
    rig = Rig(total=1)
    fails = FailsWith(ValueError("secret"))
    for _ in range(7):
        rig.handle(1, continuation=fails)
        rig.clock.now += 1000
    assert (rig.join.state, fails.runs) == ("failed", 5)
    assert rig.join.error == "fails:: unexpected ValueError; the log has more"
    assert not rig.handle(1).acknowledge
    rig.tracker.reopen_join(RUN)
    assert rig.handle(1).joined


def test_a_restored_database_stops_the_join_and_names_what_is_missing() -> None:
    """Counts outlive a restore; rows do not."""
    rig = Rig(total=9)
    for number in range(1, 9):
        rig.handle(number)
    for number in (3, 7, 8):
        del rig.loader.database.ledger[FILE_NAME, RUN_ID, number]
    outcome = rig.handle(9)
    reason = "9 chunks were counted, and the ledger holds 6: was the database restored? Missing: 3, 7-8"
    assert (str(outcome.error), outcome.acknowledge) == (f"{FILE_NAME}: {reason}", False)
    assert (rig.join.state, rig.join.error, rig.continuation.runs) == ("failed", reason, [])


def test_a_restored_database_is_mended_by_retry() -> None:
    """The missing chunks again, then the join."""
    rig = Rig(total=2)
    rig.load_all()
    rig.loader.database.ledger.clear()
    rig.loader.database.table.clear()
    rig.handle(1)
    assert rig.join.state == "failed"
    again = rig.handle(2).error
    assert again is not None
    assert (again.message, again.hint) == (
        f"{FILE_NAME}: the join cannot be claimed: failed",
        f"the chunk is loaded; once all are, splitjoin retry {FILE_NAME} --join runs the join again",
    )
    rig.tracker.reopen_join(RUN)
    assert rig.handle(2).joined
    assert rig.loader.database.table == {(RUN_ID, 1): 1, (RUN_ID, 2): 1}


def test_a_ledger_that_cannot_be_asked_gives_the_claim_back() -> None:
    """That is no attempt: the continuation had not begun."""
    rig = Rig(total=1)
    rig.load_all()

    def away(_file_name: str, _run_id: str) -> object:
        raise LoadError("the database is away")

    rig.loader.ledger_rows = away  # type: ignore[method-assign, assignment]  # a bad day
    outcome = rig.handle(1)
    assert (str(outcome.error), outcome.acknowledge) == ("the database is away", False)
    assert (rig.join.state, rig.join.attempts) == ("none", 0)


def test_a_ledger_that_cannot_note_the_join_does_not_undo_it() -> None:
    """The continuation has run: it must not run again for a note."""
    rig = Rig(total=1)

    def away(*_of_the_join: object, **_more: object) -> bool:
        raise LoadError("the database is away")

    rig.loader.mark_joined = away  # type: ignore[method-assign]  # a bad day
    assert rig.handle(1).joined
    assert rig.join.state == "joined"


def counted_by_another(total: int) -> Rig:
    """Chunk 1 is loaded; all are counted, one of them by the published expression, without its number."""
    rig = Rig(total=total)
    rig.handle(1)
    job = rig.tracker.table.jobs[FILE_NAME]
    rig.tracker.table.jobs[FILE_NAME] = replace(job, processed_parts=total)
    progress = rig.tracker.progress
    rig.tracker.progress = lambda name: replace(progress(name), unnumbered=1)  # type: ignore[method-assign, assignment]
    return rig


def test_a_job_that_a_published_writer_shares_is_joined_with_the_ledgers_rows() -> None:
    """Its counts have no number and no ledger row: that many may be missing there."""
    rig = counted_by_another(total=2)
    assert rig.handle(1).joined
    assert [payload.rows for payload in rig.continuation.runs] == [1]


def test_nobody_knows_which_chunks_a_published_writers_counts_are() -> None:
    """So a ledger that lacks more than those is refused without numbers, which could name chunks that are loaded."""
    rig = counted_by_another(total=3)
    reason = "2 chunks were counted, and the ledger holds 1: was the database restored?"
    assert (str(rig.handle(1).error), rig.join.state) == (f"{FILE_NAME}: {reason}", "failed")


def test_chunks_without_metadata_are_known_by_name_and_etag() -> None:
    """One run for all of a name and total; the ledger keeps the ETag."""
    rig = Rig(total=1)
    uri = rig.chunks.put(chunk_uri(1, 1), b"1,a\n2,b\n", run_id=None)
    outcome = rig.handle(1)
    run_id = published_run_id(ChunkName("acme", "20240131", 1, 1))
    assert (outcome.run, outcome.rows, outcome.joined) == (Run(FILE_NAME, run_id), 2, True)
    (validator,) = [validator for _, validator in rig.loader.database.ledger.values()]
    assert validator == rig.chunks.open_chunk(uri).validator


def test_a_known_number_with_another_etag_is_an_error() -> None:
    """Never a skip: it may be other content."""
    rig = Rig(total=2)
    rig.chunks.put(chunk_uri(1, 2), b"1,a\n", run_id=None)
    assert rig.handle(1).acknowledge
    rig.chunks.put(chunk_uri(1, 2), b"2,b\n", run_id=None)
    outcome = rig.handle(1)
    assert (outcome.end, outcome.acknowledge) == ("failed", False)
    assert str(outcome.error).endswith("has another ETag than the ledger's")


def test_a_chunk_that_lost_its_metadata_is_not_mixed_in() -> None:
    """The error says why it cannot be told whose it is."""
    rig = Rig(total=2)
    rig.handle(1)
    uri = rig.chunks.put(chunk_uri(2, 2), b"1,a\n", run_id=None)
    outcome = rig.handle(2)
    assert str(outcome.error).startswith(f"{uri} carries no metadata of splitjoin, so that its run is not known: ")
    assert outcome.error is not None
    assert outcome.error.hint == "copy chunks with a tool that keeps their metadata, or split again"


def test_an_object_that_is_gone_is_a_failure_until_the_job_is_joined() -> None:
    """Or until it is another split's: --force removes the older chunks last."""
    rig = Rig(total=2)
    rig.handle(1)
    rig.handle(2)
    del rig.chunks.objects[chunk_uri(2, 2)]
    assert (rig.handle(2).end, rig.handle(2).acknowledge) == ("joined", True)
    waiting = Rig(total=2)
    waiting.handle(1)
    del waiting.chunks.objects[chunk_uri(2, 2)]
    outcome = waiting.handle(2)
    assert (outcome.end, outcome.acknowledge, outcome.run) == ("failed", False, RUN)
    assert [failure.number for failure in waiting.tracker.progress(FILE_NAME).failures] == [2]
    waiting.tracker.replace_job(JobSpec(NEWER, 5))
    assert (waiting.handle(2).end, waiting.handle(2).acknowledge) == ("replaced", True)


class AwayTracker:
    """A tracker that cannot be reached from some method on."""

    def __init__(self, rig: Rig, *methods: str) -> None:
        self._rig = rig
        self._methods = methods

    def __getattr__(self, name: str) -> object:
        def away(*_args: object, **_options: object) -> object:
            raise StoreError("the tracker is away")

        return away if name in self._methods else getattr(self._rig.tracker, name)


@pytest.mark.parametrize("methods", [("job",), ("job", "mark_failed"), ("mark_done",), ("claim_join",)])
def test_a_tracker_that_is_away_is_no_acknowledgement(methods: tuple[str, ...]) -> None:
    """And what was loaded is not loaded again."""
    rig = Rig(total=1)
    worker = rig.worker(tracker=AwayTracker(rig, *methods))  # type: ignore[arg-type]  # as far as it goes
    outcome = worker.handle(ChunkArrived.at(chunk_uri(1, 1)))
    assert (outcome.acknowledge, str(outcome.error)) == (False, "the tracker is away")
    assert rig.handle(1).joined
    assert rig.loader.database.table == {(RUN_ID, 1): 1}


def test_a_batch_tells_which_messages_must_come_again() -> None:
    """One that fails does not keep the others from being handled."""
    rig = Rig(total=3)
    del rig.chunks.objects[chunk_uri(2, 3)]
    bodies = [notification("bucket", chunk_uri(number, 3).removeprefix("s3://bucket/")) for number in (1, 2, 3)]
    records = [
        {"eventSource": "aws:sqs", "messageId": f"m{number}", "body": str(body).replace("'", '"')}
        for number, body in enumerate([*bodies, "{"], start=1)
    ]
    result = rig.worker().handle_batch(read_lambda_event({"Records": records}))
    assert [outcome.end for outcome in result.outcomes] == ["counted", "failed", "counted"]
    assert result.failed == ("m2", "m4")
    assert [str(error).partition(":")[0] for error in result.errors] == ["s3", "message m4 is not JSON"]


def test_each_event_leaves_one_line_with_job_run_and_chunk(caplog: pytest.LogCaptureFixture) -> None:
    """For whoever reads the logs by machine."""
    caplog.set_level(logging.INFO)
    rig = Rig()
    rig.handle(1)
    (record,) = caplog.records
    assert record.getMessage() == f"{chunk_uri(1, 2)}: counted, 1 row loaded"
    assert [getattr(record, name) for name in ("file_name", "run_id", "chunk")] == [FILE_NAME, RUN_ID, 1]


def test_the_worker_imports_nothing_heavy() -> None:
    """A function that starts cold imports neither numpy, rich nor click; and boto3 only when it reads S3."""
    code = (
        "import sys, splitjoin_cli.join.worker, splitjoin_cli.join.sweep, splitjoin_cli.join.continuation,"
        " splitjoin_cli.join.events, splitjoin_cli.stores.chunks.any\n"
        "print(sorted({'numpy', 'rich', 'click', 'boto3'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    """From half a minute."""
    assert [backoff_seconds(attempt) for attempt in range(1, 8)] == [30, 60, 120, 240, 480, 900, 900]


def test_a_lease_is_as_long_as_asked() -> None:
    """So that renewals at a third of it keep it alive."""
    rig = Rig(total=1)
    rig.load_all()
    assert rig.claim().lease_until == rig.clock.now + LEASE_SECONDS


def test_what_may_not_begin_comes_again() -> None:
    """Too little time is left: the delivery is given back as it is, and those before it are done."""
    rig = Rig()
    deliveries = tuple(Delivery(f"m{number}", (ChunkArrived.at(chunk_uri(number, 2)),), None) for number in (1, 2))
    left = iter([True, False])
    outcome = rig.worker().handle_batch(Batch(deliveries), may_begin=lambda: next(left))
    assert (outcome.failed, [each.end for each in outcome.outcomes]) == (("m2",), ["counted"])
    assert rig.tracker.progress(FILE_NAME).missing == (2,)


def test_a_duplicate_before_the_join_is_not_loaded_again() -> None:
    """The outcome says so, with the rows that are there."""
    rig = Rig()
    ends = [rig.handle(1) for _ in range(2)]
    assert [(each.end, each.loaded, each.counted, each.rows) for each in ends] == [
        ("counted", True, True, 1),
        ("counted", False, False, 1),
    ]


def lose_the_job(rig: Rig) -> None:
    """What a tracker forgets whose table is made anew."""
    rig.tracker.table.jobs.clear()
    rig.tracker.table.shards.clear()


def test_a_ledger_that_is_not_joined_answers_nothing() -> None:
    """The tracker lost a job under way: its chunks are counted anew, and nothing is loaded twice."""
    rig = Rig()
    rig.handle(1)
    lose_the_job(rig)
    assert [(rig.handle(number).end, rig.handle(number).acknowledge) for number in (2, 1)] == [
        ("counted", True),
        ("joined", True),
    ]
    assert rig.loader.database.table == {(RUN_ID, 1): 1, (RUN_ID, 2): 1}


def test_a_ledger_that_is_joined_for_another_run_answers_nothing() -> None:
    """Two contents under one name: an error that names both, and no event that is dropped."""
    rig = Rig(total=1)
    rig.handle(1)
    lose_the_job(rig)
    rig.chunks.put(chunk_uri(1, 1), b"1,a\n", run_id="d" * 32)
    outcome = rig.handle(1)
    assert (outcome.end, outcome.acknowledge) == ("failed", False)
    assert str(outcome.error).endswith(f" meets run {RUN_ID}")


def test_a_job_that_came_meanwhile_is_asked_rather_than_the_ledger() -> None:
    """It was absent at the first look; at the second a newer run has it."""
    rig = Rig(total=1)
    rig.handle(1)
    rig.tracker.replace_job(JobSpec(NEWER, 1))
    looks = iter([None])
    job = rig.tracker.job
    rig.tracker.job = lambda file_name: next(looks, job(file_name))  # type: ignore[method-assign]  # a moment ago
    assert (rig.handle(1).end, rig.handle(1).acknowledge) == ("replaced", True)


class Replaces:
    """A continuation during which a newer run takes the name."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    @property
    def uri(self) -> str:
        return "replaces:"

    def run(self, _payload: object) -> None:
        self._rig.tracker.replace_job(JobSpec(NEWER, 1))

    def close(self) -> None:
        pass


def test_a_run_replaced_while_it_is_joined_is_acknowledged() -> None:
    """During the continuation, and between the count and the claim: the newer run has a join of its own."""
    rig = Rig(total=1)
    outcome = rig.handle(1, continuation=Replaces(rig))
    assert (outcome.end, outcome.acknowledge, outcome.joined, outcome.error) == ("replaced", True, False, None)
    rig = Rig(total=1)
    claim = rig.tracker.claim_join

    def replaced_first(run: Run, *, owner: str, lease_seconds: float) -> Claim | Refused:
        rig.tracker.replace_job(JobSpec(NEWER, 1))
        return claim(run, owner=owner, lease_seconds=lease_seconds)

    rig.tracker.claim_join = replaced_first  # type: ignore[method-assign]  # a race
    outcome = rig.handle(1)
    assert (outcome.end, outcome.acknowledge, outcome.joined, outcome.error) == ("replaced", True, False, None)


def without_its_object(rig: Rig, error: StoreError | None = None) -> Handled:
    """Chunk 1's event, whose object is gone, or cannot be read for another reason."""
    if error is None:
        rig.chunks.objects.clear()
    else:

        def fail(uri: str, *, body: bool = True) -> StoredChunk:
            del uri, body
            raise error

        rig.chunks.open_chunk = fail  # type: ignore[method-assign]  # a bad day
    return rig.handle(1)


@pytest.mark.parametrize(
    ("generation", "total", "end", "recorded"),
    [
        (1, 2, "failed", True),
        (1, 3, "failed", False),
        (2, 2, "failed", True),
        (2, 3, "replaced", False),
    ],
)
def test_an_object_that_is_gone(generation: int, total: int, end: str, *, recorded: bool) -> None:
    """No loss only where a newer run has another number of chunks: its split removes the older one's objects."""
    rig = Rig()
    run = Run(FILE_NAME, RUN_ID, generation)
    rig.tracker.open_job(JobSpec(run, total))
    outcome = without_its_object(rig)
    assert (outcome.end, outcome.acknowledge) == (end, end == "replaced")
    failures = rig.tracker.progress(FILE_NAME).failures
    assert [failure.number for failure in failures] == ([1] if recorded else [])


def test_an_object_that_is_gone_after_the_join_or_of_no_job() -> None:
    """The first is no loss; the second is an error that nobody can be told of but by the event."""
    rig = Rig(total=1)
    rig.handle(1)
    gone = without_its_object(rig)
    assert (gone.end, gone.acknowledge) == ("joined", True)
    unknown = without_its_object(Rig())
    assert (unknown.end, unknown.acknowledge, unknown.run) == ("failed", False, None)
    assert str(unknown.error) == f"{chunk_uri(1, 2)} is not there"


def test_an_object_that_cannot_be_read_now_comes_again() -> None:
    """Whatever the job's state: only one that is gone is no loss."""
    rig = Rig(total=1)
    rig.handle(1)
    error = StoreError("the store asks to slow down")
    outcome = without_its_object(rig, error)
    assert (outcome.end, outcome.acknowledge, outcome.error) == ("failed", False, error)


def test_a_newer_run_that_took_the_rows_is_no_restored_database() -> None:
    """The ledger lacks the chunks because they were replaced: nobody needs to mend that."""
    rig = Rig(total=1)
    rig.load_all()
    rig.loader.database.ledger.clear()
    look = rig.loader.ledger_numbers

    def replaced_meanwhile(file_name: str, run_id: str) -> list[int]:
        rig.tracker.replace_job(JobSpec(NEWER, 1))
        return look(file_name, run_id)

    rig.loader.ledger_numbers = replaced_meanwhile  # type: ignore[method-assign]  # a race
    tried = rig.joiner().try_join(RUN)
    assert (tried.replaced, tried.settled, tried.joined) == (True, True, False)
    assert rig.continuation.runs == []


def test_a_restored_database_is_no_replaced_run() -> None:
    """Also where the claim was somebody else's by then: the event comes again."""
    rig = Rig(total=1)
    rig.load_all()
    rig.loader.database.ledger.clear()
    look = rig.loader.ledger_numbers

    def overtaken(file_name: str, run_id: str) -> list[int]:
        rig.clock.now += LEASE_SECONDS + 1
        rig.claim()
        return look(file_name, run_id)

    rig.loader.ledger_numbers = overtaken  # type: ignore[method-assign]  # a race
    tried = rig.joiner().try_join(RUN)
    assert (tried.replaced, tried.settled, type(tried.error)) == (False, False, ContinuationError)
    assert (rig.join.state, rig.join.owner) == ("claimed", "dead")


def test_a_lease_may_be_asked_for_anew() -> None:
    """By a function, where the time that is left tells how long it can be."""
    rig = Rig(total=1)
    rig.load_all()
    joiner = Joiner(
        tracker=rig.tracker, loader=rig.loader, continuation=FailsWith(StoppedError(15)), owner="w",
        lease_seconds=lambda: 7.0,
    )  # fmt: skip
    with pytest.raises(StoppedError):
        joiner.try_join(RUN)
    assert rig.join.lease_until == rig.clock.now + 7
