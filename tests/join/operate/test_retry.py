"""What retry sends, to whom, in which pieces, and what it says of the rest."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from splitjoin_cli.core.aws.sqs import BATCH, SqsQueue
from splitjoin_cli.core.errors import AccessError, NotFoundError, SplitjoinError, UsageError
from splitjoin_cli.join.events import read_body, read_lambda_event
from splitjoin_cli.join.operate.retry import (
    SendFailure,
    note_retried,
    retry_chunks,
    wanted,
)
from splitjoin_cli.join.operate.senders import LambdaSender, SqsSender, check_target
from splitjoin_cli.stores.trackers.jobs import JobProgress, JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from tests.servers.models import check_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.join.operate.retry import ChosenChunks, RetryReport
    from splitjoin_cli.stores.trackers.jobs import Failure

PLACE = "s3://bucket/in +%/"
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/chunks"


def job(total: int = 9, counted: Sequence[int] = ()) -> JobProgress:
    """A job with some chunks counted."""
    tracker = MemoryTracker()
    run = Run("acme_1", "r1")
    tracker.open_job(JobSpec(run, total))
    for number in counted:
        tracker.mark_done(run, number, total_parts=total, rows=1)
    return tracker.progress("acme_1")


def names(*numbers: int, total: int = 9) -> list[str]:
    """The stored names of chunks."""
    return [f"acme_1-{number}-{total}.csv" for number in numbers]


class Remembers:
    """A sender that takes everything, or refuses what it is told to."""

    def __init__(self, batch: int = BATCH, refuses: Sequence[int] = ()) -> None:
        self.batch = batch
        self.uri = "remembers:"
        self.keys: list[str] = []
        self.sizes: list[int] = []
        self._refused = {f"in +%/{name}" for name in names(*refuses)}
        self._lock = threading.Lock()

    def reach(self) -> None:
        pass

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        found = [read_body(body).arrivals[0].uri.removeprefix("s3://bucket/") for body in bodies]
        with self._lock:
            self.keys += found
            self.sizes.append(len(bodies))
        return ["Throttled: later" if key in self._refused else None for key in found]

    def close(self) -> None:
        pass


def send(
    progress: JobProgress,
    want: ChosenChunks,
    stored: Sequence[str],
    sender: Any,  # noqa: ANN401 -- a fake
    *,
    dry_run: bool = False,
) -> RetryReport:
    """As api/worker.py does it."""
    with ThreadPoolExecutor(4) as executor:
        return retry_chunks(progress, want, stored, PLACE, sender, executor=executor, dry_run=dry_run)


def test_sends_what_is_missing_and_stored() -> None:
    """Not what is counted; other jobs' and other totals' chunks are not this job's; what is not stored is named."""
    progress, sender = job(counted=[1, 2, 5]), Remembers()
    stored = [
        *names(1, 2, 3, 4, 5, 7, 9),
        "acme_1-6-8.csv",
        "acme_2-6-9.csv",
        "acme_1.manifest.json",
        "acme_1-08-9.csv",
    ]
    report = send(progress, wanted(progress, None), stored, sender)
    assert report.to_json() == {
        "file_name": "acme_1", "run_id": "r1", "total_parts": 9, "processed_parts": 3, "destination": PLACE,
        "to": "remembers:", "dry_run": False, "sent": [3, 4, 7, 8, 9], "counted": [], "never_uploaded": [6],
        "failed": [], "join": None,
    }  # fmt: skip
    assert sorted(sender.keys) == sorted(f"in +%/{name}" for name in [*names(3, 4, 7, 9), "acme_1-08-9.csv"])


def test_a_dry_run_sends_nothing() -> None:
    """And says what it would."""
    progress, sender = job(counted=[1]), Remembers()
    report = send(progress, wanted(progress, None), names(1, 2, 3), sender, dry_run=True)
    assert (report.sent, report.never_uploaded, sender.keys) == ([2, 3], [4, 5, 6, 7, 8, 9], [])


def test_chosen_chunks() -> None:
    """These alone; a counted one is said and not sent, unless a database has lost it."""
    progress = job(counted=[3, 4])
    report = send(progress, wanted(progress, ((3, 5), (9, 9), (5, 5))), names(*range(1, 10)), Remembers())
    assert (report.sent, report.counted) == ([5, 9], [3, 4])
    report = send(progress, wanted(progress, ((3, 5),), even_counted=True), names(*range(1, 10)), Remembers())
    assert (report.sent, report.counted) == ([3, 4, 5], [])
    with pytest.raises(UsageError, match="acme_1 has no chunk 10"):
        wanted(progress, ((1, 10),))


def test_where_nobody_knows_what_is_missing() -> None:
    """Chunks that the published counter counted have no number: the user names what to send."""
    progress = replace(job(), missing=None, unnumbered=2, run_id=None)
    with pytest.raises(SplitjoinError, match=r"which chunks are missing is unknown: 2 were counted without"):
        wanted(progress, None)
    assert send(progress, wanted(progress, ((2, 3),)), names(2, 3), Remembers()).sent == [2, 3]


def test_what_is_refused_is_named() -> None:
    """The others are sent all the same."""
    progress = job()
    report = send(progress, wanted(progress, None), names(*range(1, 10)), Remembers(refuses=[4, 6]))
    assert report.sent == [1, 2, 3, 5, 7, 8, 9]
    assert report.failed == [SendFailure(4, "Throttled: later"), SendFailure(6, "Throttled: later")]


class Away(MemoryTracker):
    """A tracker that may be read, and not written."""

    def mark_retried(self, run: Run, failure: Failure) -> None:
        raise AccessError(f"chunk {failure.number} of {run.file_name} may not be written")


@pytest.mark.parametrize("kind", [MemoryTracker, Away])
def test_what_was_sent_is_failed_no_more(kind: type[MemoryTracker]) -> None:
    """What was refused, not stored, not chosen or only tried dry is; a tracker that cannot be told is an answer."""
    tracker, run = kind(), Run("acme_1", "r1")
    tracker.open_job(JobSpec(run, 9))
    for number in (2, 3, 4, 5, 6):
        tracker.mark_failed(run, number, error="row 7", final=number != 6)
    progress = tracker.progress("acme_1")
    want = wanted(progress, ((1, 4), (6, 9)))
    with ThreadPoolExecutor(4) as executor:
        dry = send(progress, want, names(*range(1, 10)), None, dry_run=True)
        assert note_retried(dry, tracker, executor) is None
        assert [failure.number for failure in tracker.progress("acme_1").failures if failure.retried] == []
        report = send(progress, want, names(1, 2, 3, 5, 6, 7), Remembers(refuses=[3]))
        error = note_retried(report, tracker, executor)
    failures = tracker.progress("acme_1").failures
    assert report.sent == [1, 2, 6, 7]
    if kind is Away:
        assert error is not None
        assert error.message == "chunk 2 of acme_1 may not be written"
        assert failures == progress.failures
    else:
        assert error is None
        assert [failure.number for failure in failures if failure.retried] == [2]
        assert [failure.number for failure in failures if failure.final] == [3, 4, 5]


def test_many_chunks_go_in_batches_of_ten() -> None:
    """Each exactly once, in full batches, read from a listing that is never held."""
    total = 9_996
    progress, sender = job(total, counted=[7]), Remembers()
    listed = (f"acme_1-{number:04d}-{total}.csv" for number in range(1, total + 1))
    with ThreadPoolExecutor(4) as executor:
        report = retry_chunks(progress, wanted(progress, None), listed, PLACE, sender, executor=executor, dry_run=False)
    assert len(report.sent) == total - 1 == len(set(sender.keys))
    assert set(sender.sizes) == {10, 5}
    assert report.never_uploaded == []


class Mapping:
    """Of a client's methods to operations."""

    method_to_api_mapping = {"send_message_batch": "SendMessageBatch"}  # noqa: RUF012 -- as botocore has it


class AnswersAsToldSqs:
    """A client of SQS that answers each batch as it is told; ``meta`` as botocore's."""

    meta = Mapping

    def __init__(self, *failures: list[tuple[int, str, bool]]) -> None:
        self.failures = list(failures)
        self.bodies: list[list[str]] = []
        self.groups: list[str | None] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 -- boto3's
        assert QueueUrl == QUEUE_URL
        check_request("sqs", "send_message_batch", {"QueueUrl": QueueUrl, "Entries": Entries})
        self.bodies.append([entry["MessageBody"] for entry in Entries])
        self.groups += [entry.get("MessageGroupId") for entry in Entries]
        failed = self.failures.pop(0) if self.failures else []
        ids = [entry["Id"] for entry in Entries]
        return {
            "Failed": [
                {"Id": ids[at], "Code": code, "Message": "m", "SenderFault": fault} for at, code, fault in failed
            ]
        }


def test_a_batch_that_fails_in_part_is_sent_again_in_part() -> None:
    """What the queue failed at by itself; what is the sender's fault is not tried again, and said."""
    client = AnswersAsToldSqs([(1, "InternalError", False), (2, "InvalidMessageContents", True)], [])
    pauses: list[float] = []
    sender = SqsSender(SqsQueue(QUEUE_URL, client=client, sleep=pauses.append))
    assert sender.send(["a", "b", "c", "d"]) == [None, None, "InvalidMessageContents: m", None]
    assert client.bodies == [["a", "b", "c", "d"], ["b"]]
    assert pauses == [0.2]
    assert sender.uri == f"sqs:{QUEUE_URL}"


def test_a_message_that_the_queue_never_takes() -> None:
    """After five tries it is said why."""
    client = AnswersAsToldSqs(*[[(0, "InternalError", False)]] * 9)
    sender = SqsSender(SqsQueue(QUEUE_URL, client=client, sleep=lambda _: None))
    assert sender.send(["a"]) == ["InternalError: m"]
    assert len(client.bodies) == 5


def test_messages_have_their_clients_group() -> None:
    """SQS is fair between groups; a queue that does not know them gets the messages without, at once."""
    client = AnswersAsToldSqs([(1, "InvalidParameterValue", True)], [])
    pauses: list[float] = []
    sender = SqsSender(SqsQueue(QUEUE_URL, client=client, sleep=pauses.append), group="acme")
    assert sender.send(["a", "b"]) == [None, None]
    assert (client.bodies, client.groups, pauses) == ([["a", "b"], ["b"]], ["acme", "acme", None], [])


class InvokesAsTold:
    """A client of Lambda."""

    def __init__(self, error: str | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def invoke(self, **call: Any) -> None:  # noqa: ANN401 -- boto3's
        check_request("lambda", "invoke", call)
        self.calls.append(call)
        if self._error:
            raise ClientError({"Error": {"Code": self._error, "Message": "m"}}, "Invoke")


def test_a_function_is_invoked_as_by_s3() -> None:
    """Asynchronously, with S3's own event, which the handler reads as one."""
    client, progress = InvokesAsTold(), job(2)
    send(progress, wanted(progress, None), names(1, 2, total=2), LambdaSender("load", client=client))
    assert {(call["FunctionName"], call["InvocationType"]) for call in client.calls} == {("load", "Event")}
    (delivery,) = read_lambda_event(json.loads(client.calls[0]["Payload"])).deliveries
    assert delivery.arrivals[0].uri.startswith("s3://bucket/in +%/acme_1-")


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("ResourceNotFoundException", NotFoundError, "lambda:InvokeFunction lambda:load: not found"),
        ("AccessDeniedException", AccessError, "lambda:InvokeFunction lambda:load: access denied"),
    ],
)
def test_a_function_that_cannot_be_invoked_ends_it(code: str, kind: type[SplitjoinError], message: str) -> None:
    """There is no use in 125,000 of these."""
    client, progress = InvokesAsTold(code), job()
    with pytest.raises(kind) as caught:
        send(progress, wanted(progress, None), names(*range(1, 10)), LambdaSender("load", client=client))
    assert caught.value.message == message


def test_a_function_is_reached_without_being_run() -> None:
    """Lambda itself looks at the name and the right."""
    client = InvokesAsTold()
    LambdaSender("load", client=client).reach()
    assert client.calls == [{"FunctionName": "load", "InvocationType": "DryRun"}]


@pytest.mark.parametrize("text", ["", "lambda:", "sqs: ", "sns:x", "load"])
def test_targets_that_are_none(text: str) -> None:
    """A usage error that shows the shapes."""
    with pytest.raises(UsageError, match="--to names neither a function nor a queue"):
        check_target(text)
