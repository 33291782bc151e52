"""The Lambda function, with everything in memory: what it answers, when it raises, what it logs."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import BadRowError, ContinuationError, LoadError, SplitjoinError, UsageError
from splitjoin_cli.deploy import lambda_handler
from splitjoin_cli.deploy.json_logs import JsonLogs
from splitjoin_cli.deploy.lambda_handler import Function, handler
from splitjoin_cli.deploy.lambda_settings import Settings
from tests.deploy.invocations import SCHEDULED, Invocation, eventbridge, sns, sqs_event, stored
from tests.join.memory import FILE_NAME, RUN_ID, chunk_uri
from tests.join.rig import RUN, FailsWith, Rig
from tests.servers.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.join.base import Continuation


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """What the function does to this process's logs goes with the test."""
    root, ours = logging.getLogger(), logging.getLogger("splitjoin_cli")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


class Running:
    """A function over a rig, and the lines that it logged."""

    def __init__(self, rig: Rig, *, continuation: Continuation | None = None, max_receives: int | None = None) -> None:
        self._stream = io.StringIO()
        self._function = Function(
            chunks=rig.chunks,
            loader=rig.loader,
            tracker=rig.tracker,
            continuation=continuation or rig.continuation,
            logs=JsonLogs(stream=self._stream),
            stuck_after_seconds=900,
            max_receives=max_receives,
            clock=rig.clock,
        )

    def __call__(self, event: dict[str, Any], context: Invocation | None = None) -> dict[str, Any]:
        return self._function(event, context or Invocation())

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


def uri(number: int, total: int = 2) -> str:
    """A chunk's place."""
    return chunk_uri(number, total)


def test_a_batch_is_answered_message_by_message() -> None:
    """What failed comes again, what is no event too; what is done and what is nobody's does not."""
    rig = Rig(total=2)
    running = Running(rig)
    foreign = stored("s3://bucket/in/readme.txt")
    answer = running(sqs_event(stored(uri(1)), "no json", stored(uri(1, total=9)), foreign, stored(uri(2))))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]}
    assert rig.join.state == "joined"
    assert rig.join.owner == "lambda:loads:r-1"


@pytest.mark.parametrize("shape", [stored, eventbridge, sns])
def test_other_senders(shape: Callable[[str], dict[str, Any]]) -> None:
    """S3, EventBridge and SNS call the function themselves: it answers nothing, and raises what must come again."""
    rig = Rig(total=2)
    running = Running(rig)
    assert running(shape(uri(1))) == {}
    assert rig.tracker.progress(FILE_NAME).missing == (2,)
    with pytest.raises(SplitjoinError) as caught:
        running(shape(uri(1, 9)))
    assert caught.value.message == f"the event must come again: {running.lines[-1]['error']['message']}"


def test_an_event_that_nobody_knows_is_not_dropped() -> None:
    """Lambda retries it, and then hands it to the function's dead letters."""
    with pytest.raises(SplitjoinError, match="the event must come again: not an event that a worker knows"):
        Running(Rig())({"hello": "world"})


def test_the_line_of_an_event() -> None:
    """One for each, with what became of it."""
    running = Running(Rig(total=2))
    running(sqs_event(stored(uri(2))))
    (line,) = running.lines
    assert line.pop("seconds") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "INFO",
        "message": f"{uri(2)}: counted, 2 rows loaded",
        "request_id": None,
        "file_name": FILE_NAME,
        "run_id": RUN_ID,
        "chunk": 2,
        "outcome": "counted",
        "loaded": True,
        "rows": 2,
        "logger": "splitjoin_cli.join.worker",
    }


def test_the_line_of_a_failure() -> None:
    """Its type, its text, and what to do."""
    rig = Rig(total=2)

    def refuse(_chunk: object) -> None:
        raise BadRowError("chunk 1: row 3: no number", hint="mend it")

    rig.loader.before_load = refuse
    running = Running(rig)
    running(sqs_event(stored(uri(1))))
    line = running.lines[-1]
    assert (line["level"], line["outcome"], line["chunk"], line["hint"]) == ("ERROR", "failed", 1, "mend it")
    assert line["error"] == {"type": "BadRowError", "message": "chunk 1: row 3: no number"}


def test_the_last_delivery_is_final_where_the_queue_says_how_many_there_are() -> None:
    """``status`` then says failed, rather than waiting for a message that is a dead letter."""
    rig = Rig(total=2)

    def refuse(_chunk: object) -> None:
        raise LoadError("chunk 1: the database is away")

    rig.loader.before_load = refuse
    event = sqs_event(stored(uri(1)))
    Running(rig, max_receives=2)(event)
    assert [failure.final for failure in rig.tracker.progress(FILE_NAME).failures] == [False]
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "2"
    Running(rig, max_receives=2)(event)
    assert [failure.final for failure in rig.tracker.progress(FILE_NAME).failures] == [True]


def test_the_lease_is_the_time_that_is_left() -> None:
    """Less the reserve: when it runs out its owner may be gone, and not before."""
    rig = Rig(total=1)
    leases: list[float] = []

    class Looks(FailsWith):
        def run(self, _payload: object) -> None:
            leases.append((rig.join.lease_until or 0.0) - rig.clock())

    Running(rig, continuation=Looks(ContinuationError("never")))(
        sqs_event(stored(uri(1, 1))), Invocation(left=lambda: 60.0)
    )
    assert leases == [54.0]


def test_a_join_for_which_no_time_is_left_is_not_claimed() -> None:
    """The chunk is counted; its event comes again for the join's sake."""
    rig = Rig(total=1)
    times = iter([100.0, 100.0, *[11.0] * 5])
    running = Running(rig)
    answer = running(sqs_event(stored(uri(1, 1))), Invocation(left=lambda: next(times)))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert (rig.join.state, rig.join.attempts) == ("none", 0)
    assert running.lines[-1]["error"] == {
        "type": "OutOfTimeError",
        "message": "too little time is left to begin the join: the event comes again, or a sweep joins",
    }


def test_what_would_not_be_finished_is_not_begun() -> None:
    """After a chunk that took long, the rest of the batch goes back while there is time to say so."""
    rig = Rig(total=3)
    left = [100.0]

    def slow(_chunk: object) -> None:
        left[0] -= 60.0

    rig.loader.before_load = slow
    running = Running(rig)
    events = sqs_event(*(stored(uri(number, 3)) for number in (1, 2, 3)))
    answer = running(events, Invocation(left=lambda: left[0]))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m3"}]}
    assert running.lines[-1]["message"] == "message m3 is not begun: too little time is left"
    assert rig.tracker.progress(FILE_NAME).missing == (2, 3)


def test_a_load_that_runs_into_the_end_is_undone_and_told() -> None:
    """Nothing of the chunk is there, ``status`` says why, and the message comes again."""
    rig = Rig(total=2)
    left = [100.0]

    def slow(chunk: Any) -> None:  # noqa: ANN401 -- a ChunkToLoad
        left[0] = 9.0
        chunk.open().readinto(memoryview(bytearray(10)))

    rig.loader.before_load = slow
    running = Running(rig)
    answer = running(sqs_event(stored(uri(1))), Invocation(left=lambda: left[0]))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert rig.loader.database.ledger == {}
    (failure,) = rig.tracker.progress(FILE_NAME).failures
    assert failure.error == f"{uri(1)}: the time is nearly over and not all of it is loaded; nothing of it stays"
    hint = "raise the function's timeout (30 minutes at most, 90 on Managed Instances), or split into smaller chunks"
    assert running.lines[-1]["hint"] == hint


@pytest.mark.parametrize("event", [{"splitjoin": "sweep"}, SCHEDULED])
def test_a_sweep_joins_what_nobody_joins(event: dict[str, Any]) -> None:
    """A complete job whose claim's owner died; and the metrics say that nothing is stuck."""
    rig = Rig(total=2)
    rig.load_all()
    rig.claim("dead")
    rig.clock.now += 61
    running = Running(rig)
    assert running(event) == {
        "looked_at": 1,
        "joined": [FILE_NAME],
        "stuck": [],
        "failed": [],
        "elsewhere": [],
        "errors": [],
        "last": "",
    }
    assert rig.join.state == "joined"
    assert metrics(running) == {"StuckJobs": 0, "FailedJobs": 0}


def metrics(running: Running) -> dict[str, int]:
    """The values of the one line in CloudWatch's embedded metric format, which is as its specification says."""
    (line,) = [line for line in running.lines if "_aws" in line]
    assert isinstance(line["_aws"]["Timestamp"], int)
    (about,) = line["_aws"]["CloudWatchMetrics"]
    assert (about["Namespace"], about["Dimensions"], line["FunctionName"]) == ("splitjoin", [["FunctionName"]], "loads")
    assert {metric["Unit"] for metric in about["Metrics"]} == {"Count"}
    return {metric["Name"]: line[metric["Name"]] for metric in about["Metrics"]}


def test_a_sweep_flags_what_is_stuck() -> None:
    """One line for each job, and the metrics that an alarm watches."""
    rig = Rig(total=2)
    rig.handle(1)
    rig.clock.now += 901
    running = Running(rig)
    assert running({"splitjoin": "sweep"})["stuck"] == [FILE_NAME]
    (line,) = [line for line in running.lines if line.get("level") == "WARNING"]
    assert line["message"] == f"stuck: 1 of 2 chunks of {FILE_NAME} are counted, and no more come"
    assert (line["file_name"], line["run_id"]) == (FILE_NAME, RUN_ID)
    assert metrics(running) == {"StuckJobs": 1, "FailedJobs": 0}


def test_a_sweep_counts_what_failed() -> None:
    """A chunk that failed for good, and a join that did."""
    rig = Rig(total=2)
    rig.handle(1)
    rig.tracker.mark_failed(RUN, 2, error="row 3: no number", final=True)
    running = Running(rig)
    assert running({"splitjoin": "sweep"})["failed"] == [FILE_NAME]
    (line,) = [line for line in running.lines if line.get("level") == "WARNING"]
    assert line["message"] == f"failed: {FILE_NAME}: chunk 2: row 3: no number"
    assert line["chunk"] == 2
    assert metrics(running) == {"StuckJobs": 0, "FailedJobs": 1}
    joined = Rig(total=1)
    joined.load_all()
    joined.tracker.fail_join(joined.claim(), error="no such topic", backoff_seconds=0, final=True)
    running = Running(joined)
    answer = running({"splitjoin": "sweep"})
    assert (answer["stuck"], answer["failed"]) == ([FILE_NAME], [FILE_NAME])
    messages = [line["message"] for line in running.lines if line.get("level") == "WARNING"]
    assert messages == [
        f"stuck: the join of {FILE_NAME} failed: no such topic",
        f"failed: {FILE_NAME}: the join: no such topic",
    ]
    assert metrics(running) == {"StuckJobs": 1, "FailedJobs": 1}


@pytest.fixture
def cold() -> Iterator[None]:
    """A process that has not begun yet, and does not stay begun."""
    lambda_handler._made_function.cache_clear()
    lambda_handler._made_logs.cache_clear()
    yield
    lambda_handler._made_function.cache_clear()
    lambda_handler._made_logs.cache_clear()


@pytest.mark.usefixtures("cold")
def test_a_wrong_configuration_is_told_at_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    """As a line of the log with the request's id; the event fails, and so comes again once the variable is set."""
    for request in ("r-1", "r-2"):
        with pytest.raises(UsageError) as caught:
            handler(sqs_event(stored(uri(1))), Invocation(aws_request_id=request))
        assert caught.value.message == "SPLITJOIN_INTO is not set"
        line = json.loads(capsys.readouterr().out)
        assert (line["level"], line["request_id"], line["message"]) == ("ERROR", request, "SPLITJOIN_INTO is not set")
        assert line["error"] == {"type": "UsageError", "message": "SPLITJOIN_INTO is not set"}
        assert line["hint"] == "it is the database's URL, mysql://USER@HOST/DB or another"


AT_ONCE = 8
SECONDS = 60.0


@pytest.mark.usefixtures("cold")
def test_several_events_at_once_in_one_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Managed Instances: all are in their loads together, one function is made, and one join runs.

    The first events meet before anything is made, every chunk comes twice, and each line has its own request's id.
    """
    rig, opened = Rig(total=AT_ONCE), []
    inside, arriving = threading.Barrier(AT_ONCE), threading.Barrier(2 * AT_ONCE)
    rig.loader.before_load = lambda _chunk: _meet(inside)

    def opens(_settings: object, logs: JsonLogs) -> Function:
        opened.append(logs)
        return Function(
            chunks=rig.chunks, loader=rig.loader, tracker=rig.tracker, continuation=rig.continuation, logs=logs,
            stuck_after_seconds=900, clock=rig.clock,
        )  # fmt: skip

    monkeypatch.setattr(Function, "open", opens)
    monkeypatch.setattr(Settings, "from_environment", lambda _environment: None)

    def invoke(request: int) -> dict[str, Any]:
        arriving.wait(SECONDS)
        number = request % AT_ONCE + 1
        return handler(sqs_event(stored(uri(number, AT_ONCE))), Invocation(aws_request_id=f"r-{request}"))

    with ThreadPoolExecutor(2 * AT_ONCE) as threads:
        answers = list(threads.map(invoke, range(2 * AT_ONCE)))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers == [{"batchItemFailures": []}] * 2 * AT_ONCE
    assert (len(opened), len(rig.continuation.runs), rig.join.state) == (1, 1, "joined")
    assert set(rig.loader.database.table.values()) == {1}
    assert len(rig.loader.database.table) == AT_ONCE
    told = {(line["request_id"], line["chunk"]) for line in lines if "outcome" in line}
    assert told == {(f"r-{request}", request % AT_ONCE + 1) for request in range(2 * AT_ONCE)}


def _meet(inside: threading.Barrier) -> None:
    """Wait until all of the first loads have begun; whoever comes later goes on."""
    if not inside.broken:
        with suppress(threading.BrokenBarrierError):
            inside.wait(SECONDS)
        inside.abort()


def test_a_cold_start_without_what_it_does_not_use() -> None:
    """Nor with awscrt, which Lambda's runtime does not have: the function is made all the same."""
    code = """
import sys
for name in ("numpy", "rich", "click", "awscrt", "smart_open", "duckdb"):
    sys.modules[name] = None
from splitjoin_cli.deploy import lambda_handler
import splitjoin_cli.stores.loaders.mysql, splitjoin_cli.stores.loaders.postgresql
import splitjoin_cli.stores.trackers.dynamodb
import splitjoin_cli.join.continuation_aws, splitjoin_cli.stores.chunks.s3
assert lambda_handler._made_function.cache_info().currsize == 1
"""
    environment = {
        **os.environ,
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
        "AWS_REGION": "eu-west-1",
        "SPLITJOIN_INTO": "aurora-mysql://me@db/sales",
        "SPLITJOIN_TRACKER": "dynamodb:jobs",
        "SPLITJOIN_ON_JOIN": "sns:arn:aws:sns:eu-west-1:123456789012:joins",
    }
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
