"""What follows a join: a command, and the five receivers on AWS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from splitjoin_cli.core.aws.client import AwsOptions
from splitjoin_cli.core.errors import ContinuationError, UsageError
from splitjoin_cli.join.base import JoinPayload
from splitjoin_cli.join.continuation import ExecContinuation, MemoryContinuation, NoContinuation, parse_continuation
from splitjoin_cli.join.continuation_aws import AwsContinuation, parse_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "0123456789abcdef" * 2
PAYLOAD = JoinPayload("Zoë_20240131", RUN, 3, 1200, "2024-01-31T10:00:00.000Z")
JSON = (
    f'{{"file_name": "Zo\\u00eb_20240131", "run_id": "{RUN}", "total_parts": 3, "rows": 1200, '
    '"joined_at": "2024-01-31T10:00:00.000Z"}'
)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:joined"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:next"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/joined"


def test_the_payload_is_the_contracts() -> None:
    """Its five names, in ASCII, the same bytes each time."""
    assert PAYLOAD.encoded() == JSON


def test_a_command_gets_the_payload_twice(tmp_path: Path) -> None:
    """On its standard input, and in variables, none of which is an option of splitjoin's."""
    out = tmp_path / "out"
    fields = ("FILE_NAME", "RUN_ID", "TOTAL_PARTS", "ROWS", "JOINED_AT")
    names = " ".join(f"$SPLITJOIN_JOIN_{name}" for name in fields)
    parse_continuation(f"exec:cat > {out} && echo; echo {names} [$SPLITJOIN_ROWS] >> {out}").run(PAYLOAD)
    assert out.read_text() == f"{JSON}Zoë_20240131 {RUN} 3 1200 2024-01-31T10:00:00.000Z []\n"


def test_a_command_inherits_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds a secret of ours, or may, is kept back; every other variable is passed on."""
    monkeypatch.setenv("SPLITJOIN_DB_PASSWORD", "hidden-1")
    monkeypatch.setenv("SPLITJOIN_ON_JOIN", "exec:curl -H 'X-Token: hidden-2' https://host")
    monkeypatch.setenv("SPLITJOIN_TRACKER", "sqlite:jobs.db")
    ExecContinuation(f"env > {tmp_path / 'env'}").run(PAYLOAD)
    found = (tmp_path / "env").read_text()
    assert "hidden" not in found
    assert "SPLITJOIN_TRACKER=sqlite:jobs.db\n" in found
    assert f"PATH={os.environ['PATH']}\n" in found


def test_a_command_need_not_read_what_it_is_told() -> None:
    """It ends well without."""
    ExecContinuation("true").run(PAYLOAD)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("exit 3", "exec:exit ... ended with exit code 3"),
        ("echo one; echo two >&2; exit 1", "exec:echo ... ended with exit code 1: two"),
        ("kill -KILL $$", "exec:kill ... was ended by SIGKILL"),
        (
            "echo cannot reach https://user:secret@host/path?token=secret, sorry; exit 1",
            "exec:echo ... ended with exit code 1: cannot reach https://host/path sorry",
        ),
    ],
)
def test_a_command_that_fails_is_a_failure(command: str, message: str) -> None:
    """The error has its last line, without secrets, and not the command's own words."""
    with pytest.raises(ContinuationError) as caught:
        ExecContinuation(command).run(PAYLOAD)
    assert caught.value.message == message


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """A stuck join ends and reports."""
    pids = tmp_path / "pids"
    command = f"sleep 600 & echo $! > {pids}; wait"
    with pytest.raises(ContinuationError) as caught:
        ExecContinuation(command, limit_seconds=0.5).run(PAYLOAD)
    assert caught.value.message == "exec:sleep ... did not end within 0.5 s"
    assert _is_gone(int(pids.read_text()))


def test_close_ends_what_another_thread_runs(tmp_path: Path) -> None:
    """A signal interrupts the main thread alone; a worker's other threads would leave the command behind."""
    pids = tmp_path / "pids"
    continuation = ExecContinuation(f"sleep 600 & echo $! > {pids}; wait")
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(continuation.run, PAYLOAD)
        _wait_for(lambda: pids.exists() and pids.read_text().strip() != "")
        continuation.close()
        error = running.exception(20)
    assert str(error) == "exec:sleep ... was ended by SIGTERM"
    assert _is_gone(int(pids.read_text()))


class InterruptsAsItStarts(subprocess.Popen[bytes]):
    """A signal comes when the process runs, and before the caller knows of it."""

    lost: ClassVar[list[int]] = []

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 -- as Popen's
        super().__init__(*args, **options)
        self.lost.append(self.pid)
        raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_command_that_nobody_knows_of_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shell waits to be told to begin; the process is lost, and so is its standard input."""
    monkeypatch.setattr(subprocess, "Popen", InterruptsAsItStarts)
    with pytest.raises(KeyboardInterrupt):
        ExecContinuation(f"touch {tmp_path / 'ran'}; sleep 600").run(PAYLOAD)
    (pid,) = InterruptsAsItStarts.lost
    assert _is_gone(pid)
    assert not (tmp_path / "ran").exists()


def test_after_close_nothing_is_started(tmp_path: Path) -> None:
    """A thread that was about to start its command, when the worker stopped, leaves nothing behind."""
    continuation = ExecContinuation(f"touch {tmp_path / 'ran'}")
    continuation.close()
    with pytest.raises(ContinuationError) as caught:
        continuation.run(PAYLOAD)
    assert caught.value.message == "exec:touch ... was not started: the worker stops"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ignored", [False, True], ids=["as it comes", "ignored by the parent"])
def test_an_interrupted_worker_ends_its_command(tmp_path: Path, *, ignored: bool) -> None:
    """Nothing goes on behind the back of somebody who pressed Ctrl-C.

    A shell starts what runs behind it with SIGINT ignored, and Python then leaves it so: the code sets the handler.
    """
    pids = tmp_path / "pids"
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from splitjoin_cli.join.continuation import ExecContinuation\n"
        "from splitjoin_cli.join.base import JoinPayload\n"
        f"ExecContinuation('echo $$ > {pids}; sleep 600').run(JoinPayload('a_1', 'r', 1, 1, ''))\n"
    )
    with _ignored(signal.SIGINT) if ignored else nullcontext():
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: pids.exists() and pids.read_text().strip() != "")
        process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    assert _is_gone(int(pids.read_text()))


@contextmanager
def _ignored(sign: signal.Signals) -> Iterator[None]:
    """What is started in the block inherits that the signal is ignored."""
    before = signal.signal(sign, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(sign, before)


def _is_gone(pid: int) -> bool:
    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 -- a zombie whose new parent has not looked yet
            return stat.read().rpartition(")")[2].split()[0] == "Z"

    return _wait_for(gone)


def _wait_for(condition: Any) -> bool:  # noqa: ANN401 -- any callable
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if condition():
            return True
        threading.Event().wait(0.02)
    return False


def test_the_memory_continuation_tells_runs_from_effects() -> None:
    """Twice the same join is one effect."""
    memory = MemoryContinuation()
    memory.run(PAYLOAD)
    memory.run(PAYLOAD)
    assert (memory.runs, memory.effects) == ([PAYLOAD, PAYLOAD], {RUN: PAYLOAD})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("exec:", "not what a join can go on with: exec:"),
        ("ftp:user:secret@host", "not what a join can go on with: ftp:"),
        ("joined", "not what a join can go on with: joined:"),
        ("sns:joined", "not an ARN of sns: joined"),
        (f"states:{TOPIC}", f"not an ARN of states: {TOPIC}"),
        ("sqs:joined", "not a queue's URL"),
    ],
)
def test_urls_that_name_nothing_are_usage_errors(url: str, message: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(UsageError) as caught:
        parse_continuation(url)
    assert caught.value.message == message


def test_without_a_url_nothing_follows() -> None:
    """The join itself is what is wanted."""
    nothing = parse_continuation(None)
    assert isinstance(nothing, NoContinuation)
    assert nothing.uri == "none"


class RemembersCalls:
    """A client of any service."""

    def __init__(self, answer: Any = None) -> None:  # noqa: ANN401 -- an answer, or an error to raise
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answer = answer
        self.closed = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any method
        def call(**arguments: object) -> object:
            self.calls.append((name, arguments))
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer or {}

        return call

    def close(self) -> None:
        self.closed = True


def on(url: str, client: RemembersCalls, options: AwsOptions | None = None) -> tuple[AwsContinuation, list[Any]]:
    """The continuation of a URL on a client, and what the client was made with."""
    made: list[Any] = []

    def make(service: str, options: AwsOptions, *, attempts: int) -> RemembersCalls:
        made.append((service, options.region, attempts))
        return client

    scheme, _, target = url.partition(":")
    parsed = parse_aws(scheme, target, options)
    return AwsContinuation(scheme, target, parsed.options, make), made


CALLS = {
    f"sns:{TOPIC}": ("sns", "publish", {"TopicArn": TOPIC, "Message": JSON}),
    f"sns:{TOPIC}.fifo": (
        "sns",
        "publish",
        {"TopicArn": f"{TOPIC}.fifo", "Message": JSON, "MessageGroupId": RUN, "MessageDeduplicationId": RUN},
    ),
    f"sqs:{QUEUE}": ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": JSON}),
    f"sqs:{QUEUE}.fifo": (
        "sqs",
        "send_message",
        {"QueueUrl": f"{QUEUE}.fifo", "MessageBody": JSON, "MessageGroupId": RUN, "MessageDeduplicationId": RUN},
    ),
    "lambda:next": ("lambda", "invoke", {"FunctionName": "next", "InvocationType": "Event", "Payload": JSON.encode()}),
    f"states:{MACHINE}": (
        "stepfunctions",
        "start_execution",
        {"stateMachineArn": MACHINE, "name": RUN, "input": JSON},
    ),
    "events:bus": (
        "events",
        "put_events",
        {"Entries": [{"EventBusName": "bus", "Source": "splitjoin", "DetailType": "Join", "Detail": JSON}]},
    ),
}


@pytest.mark.parametrize("url", CALLS)
def test_each_receiver_gets_the_payload_under_the_runs_key(url: str) -> None:
    """One client, made when it is first needed, in the receiver's own region."""
    service, method, arguments = CALLS[url]
    client = RemembersCalls()
    continuation, made = on(url, client, AwsOptions(region="us-east-2"))
    continuation.run(PAYLOAD)
    continuation.run(PAYLOAD)
    assert client.calls == [(method, arguments)] * 2
    region = "us-east-2" if service in {"lambda", "events"} else "eu-west-1"
    assert made == [(service, region, 4)]
    assert continuation.uri == url
    continuation.close()
    assert client.closed


def refused(code: str, operation: str) -> ClientError:
    """A service's answer."""
    return ClientError({"Error": {"Code": code, "Message": "because"}}, operation)


def test_an_execution_that_was_started_before_is_success() -> None:
    """Its name is the run id, which is refused for 90 days."""
    continuation, _ = on(f"states:{MACHINE}", RemembersCalls(refused("ExecutionAlreadyExists", "StartExecution")))
    continuation.run(PAYLOAD)


@pytest.mark.parametrize(
    ("url", "answer", "message"),
    [
        (
            f"states:{MACHINE}",
            refused("StateMachineDoesNotExist", "StartExecution"),
            f"states:StartExecution states:{MACHINE}: StateMachineDoesNotExist: because",
        ),
        (f"sns:{TOPIC}", refused("AccessDenied", "Publish"), f"sns:Publish sns:{TOPIC}: access denied"),
        (
            f"sqs:{QUEUE}",
            EndpointConnectionError(endpoint_url="https://user:secret@host/?x=secret"),
            f"sqs:SendMessage sqs:{QUEUE}: cannot connect to host",
        ),
        (
            "events:bus",
            {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorized", "ErrorMessage": "no"}]},
            "events:bus: NotAuthorized: no",
        ),
    ],
)
def test_a_receiver_that_refuses_is_a_failure(url: str, answer: object, message: str) -> None:
    """Whatever it says, or does not."""
    continuation, _ = on(url, RemembersCalls(answer))
    with pytest.raises(ContinuationError) as caught:
        continuation.run(PAYLOAD)
    assert caught.value.message == message


def test_a_queue_url_loses_its_secrets() -> None:
    """In messages."""
    assert parse_aws("sqs", "http://user:secret@127.0.0.1:4566/q?x=secret", None).uri == "sqs:http://127.0.0.1:4566/q"


def test_the_payload_is_json_that_all_can_read() -> None:
    """Names of other scripts come out as they went in."""
    assert json.loads(PAYLOAD.encoded()) == PAYLOAD.to_json()
