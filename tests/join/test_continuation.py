"""What follows a join: a command, and the five receivers on AWS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given

from splitjoin_cli.core.aws.client import AwsOptions
from splitjoin_cli.core.aws.sqs import fair_group
from splitjoin_cli.core.errors import ContinuationError, UsageError
from splitjoin_cli.join.base import JoinPayload
from splitjoin_cli.join.continuation import ExecContinuation, MemoryContinuation, NoContinuation, parse_continuation
from splitjoin_cli.join.continuation_aws import SERVICES, AwsContinuation, parse_aws
from tests.core.test_names import chunk_names
from tests.laws import examples
from tests.servers.models import check_answer, check_request, service_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.core.names import ChunkName

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
    """A client of a service, by botocore's model of it: requests and answers that are none fail.

    ``answers``: by method, what each call of it in turn gets, an answer or an error to raise; the last one stays.
    """

    def __init__(self, service: str, **answers: Any) -> None:  # noqa: ANN401 -- see above
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.meta = SimpleNamespace(service_model=service_model(service))
        self._service = service
        self._answers = {name: value if isinstance(value, list) else [value] for name, value in answers.items()}
        self.closed = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any method
        def call(**arguments: Any) -> object:  # noqa: ANN401 -- as botocore has it
            check_request(self._service, name, arguments)
            self.calls.append((name, arguments))
            left = self._answers.get(name, [{}])
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            check_answer(self._service, name, answer)
            return answer

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


CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    f"sns:{TOPIC}": ("sns", "publish", {"TopicArn": TOPIC, "Message": JSON, "MessageGroupId": "Zo%C3%AB"}),
    f"sns:{TOPIC}.fifo": (
        "sns",
        "publish",
        {"TopicArn": f"{TOPIC}.fifo", "Message": JSON, "MessageGroupId": RUN, "MessageDeduplicationId": RUN},
    ),
    f"sqs:{QUEUE}": ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": JSON, "MessageGroupId": "Zo%C3%AB"}),
    f"sqs:{QUEUE}.fifo": (
        "sqs",
        "send_message",
        {"QueueUrl": f"{QUEUE}.fifo", "MessageBody": JSON, "MessageGroupId": RUN, "MessageDeduplicationId": RUN},
    ),
    "lambda:next": (
        "lambda",
        "invoke",
        {
            "FunctionName": "next",
            "InvocationType": "Event",
            "Payload": JSON.encode(),
            "DurableExecutionName": RUN,
        },
    ),
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
    client = RemembersCalls(service, **({"start_execution": STARTED} if service == "stepfunctions" else {}))
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


EXECUTION = f"arn:aws:states:eu-west-1:123456789012:execution:next:{RUN}"
STARTED = {"executionArn": EXECUTION, "startDate": datetime(2024, 1, 31, tzinfo=UTC)}
DURABLE = f"arn:aws:lambda:eu-west-1:123456789012:function:next:7/durable-execution/{RUN}/0a1b"
OTHER = json.dumps({**PAYLOAD.to_json(), "joined_at": "2024-01-30T00:00:00.000Z"})
THERE: dict[str, Any] = {"DurableExecutionArn": DURABLE, "DurableExecutionName": RUN}


def machine(read: object) -> RemembersCalls:
    """A state machine that was started under the run's name, and what reading that execution brings."""
    answer = (
        read
        if isinstance(read, Exception)
        else {**STARTED, "stateMachineArn": MACHINE, "status": "RUNNING", "input": read}
    )
    return RemembersCalls(
        "stepfunctions",
        start_execution=refused("ExecutionAlreadyExists", "StartExecution"),
        describe_execution=answer,
    )


def durable(read: object) -> RemembersCalls:
    """The same of a durable function."""
    answer = (
        read
        if isinstance(read, Exception)
        else {
            **THERE, "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:next", "Status": "RUNNING",
            "StartTimestamp": STARTED["startDate"], "InputPayload": read,
        }
    )  # fmt: skip
    listed = {**THERE, "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:next", "Status": "RUNNING"}
    return RemembersCalls(
        "lambda",
        invoke=refused("DurableExecutionAlreadyStartedException", "Invoke"),
        list_durable_executions_by_function={
            "DurableExecutions": [{**listed, "StartTimestamp": STARTED["startDate"]}],
        },
        get_durable_execution=answer,
    )


STARTS = {f"states:{MACHINE}": machine, f"states:{MACHINE}:live": machine, "lambda:next:live": durable}


@pytest.mark.parametrize("url", STARTS)
@pytest.mark.parametrize(
    ("read", "seen"),
    [
        (JSON, None),
        (OTHER, "joined_at 2024-01-30T00:00:00.000Z"),
        ("[]", "a payload that is not a join's"),
        (
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "Get"),
            "a payload that cannot be read (AccessDeniedException)",
        ),
    ],
    ids=["same", "other", "foreign", "denied"],
)
def test_what_was_started_before_is_success(
    url: str, read: object, seen: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A second start under the run's name does nothing; if the first had another payload, a warning has both times."""
    client = STARTS[url](read)
    continuation, _ = on(url, client)
    continuation.run(PAYLOAD)
    told = (
        f"{url}: run {RUN} was started before, with {seen}; this join has joined_at {PAYLOAD.joined_at}, and starts"
        " nothing"
    )
    assert caplog.messages == ([] if seen is None else [told])
    if url.startswith("states:"):
        assert client.calls[1] == ("describe_execution", {"executionArn": EXECUTION})


@pytest.mark.parametrize("url", ["lambda:next", f"sqs:{QUEUE}", f"sns:{TOPIC}"])
def test_a_service_that_knows_no_name_or_group_gets_none(url: str) -> None:
    """A function that is not durable, a queue of an older service: the same request, without it."""
    service, method, arguments = CALLS[url]
    code = "InvalidParameterValueException" if service == "lambda" else "InvalidParameter"
    client = RemembersCalls(service, **{method: [refused(code, method), {}]})
    continuation, _ = on(url, client)
    continuation.run(PAYLOAD)
    bare = {name: value for name, value in arguments.items() if name not in {"DurableExecutionName", "MessageGroupId"}}
    assert client.calls == [(method, arguments), (method, bare)]


def test_a_botocore_that_knows_no_durable_functions() -> None:
    """Lambda's runtime brings its own: the request has no member that it would refuse."""
    client = RemembersCalls("lambda")
    members = {"FunctionName": object(), "InvocationType": object(), "Payload": object()}
    operation = SimpleNamespace(input_shape=SimpleNamespace(members=members))
    client.meta = SimpleNamespace(service_model=SimpleNamespace(operation_model=lambda _name: operation))
    on("lambda:next", client)[0].run(PAYLOAD)
    assert [sorted(arguments) for _, arguments in client.calls] == [sorted(members)]


@pytest.mark.parametrize("scheme", SERVICES)
def test_a_payload_that_a_service_would_not_take_is_not_sent(scheme: str) -> None:
    """Its size, and what the service takes; no name of a job is long enough to come near."""
    url = next(url for url in CALLS if url.startswith(f"{scheme}:"))
    most = SERVICES[scheme].most_bytes
    client = RemembersCalls(SERVICES[scheme].botocore)
    large = replace(PAYLOAD, file_name="x" * most)
    with pytest.raises(ContinuationError) as caught:
        on(url, client)[0].run(large)
    size = len(large.encoded())
    assert caught.value.message == f"{url}: the payload has {size} bytes, and the service takes {most}"
    assert client.calls == []


@given(chunk=chunk_names())
@examples(50)
def test_a_fair_group_is_what_sqs_takes_for_one(chunk: ChunkName) -> None:
    """Up to 128 ASCII letters, digits and punctuation, the same for each job of a client, another for another's."""
    group = fair_group(chunk.file_name)
    assert re.fullmatch(r"[!-~]{1,128}", group)
    assert fair_group(f"{chunk.client}_20240201") == group
    assert fair_group(f"{chunk.client}.x_20240131") != group


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
    service, method, _ = CALLS[url]
    continuation, _ = on(url, RemembersCalls(service, **{method: answer}))
    with pytest.raises(ContinuationError) as caught:
        continuation.run(PAYLOAD)
    assert caught.value.message == message


def test_a_queue_url_loses_its_secrets() -> None:
    """In messages."""
    assert parse_aws("sqs", "http://user:secret@127.0.0.1:4566/q?x=secret", None).uri == "sqs:http://127.0.0.1:4566/q"


def test_the_payload_is_json_that_all_can_read() -> None:
    """Names of other scripts come out as they went in."""
    assert json.loads(PAYLOAD.encoded()) == PAYLOAD.to_json()
