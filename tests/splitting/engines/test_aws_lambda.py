"""The Lambda engine against a service that throttles, times out, kills, answers late, twice or too much, or lies."""

from __future__ import annotations

import contextlib
import random
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from splitjoin_cli.core.aws import sockets
from splitjoin_cli.core.errors import EngineError, EventError
from splitjoin_cli.core.model import ByteRange, Dialect
from splitjoin_cli.deploy.split_handler import SplitFunction
from splitjoin_cli.splitting.engines import aws_lambda, dispatch, invocation
from splitjoin_cli.splitting.engines.aws_lambda import LambdaEngine
from splitjoin_cli.splitting.engines.base import Failed, Scanned, ScanUnit
from splitjoin_cli.splitting.engines.dispatch import TRIES, Dispatcher, Work
from splitjoin_cli.splitting.engines.invocation import Greeting, bounded
from splitjoin_cli.splitting.engines.not_now import NotNowError
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec
from splitjoin_cli.splitting.engines.wire import answer_of, answer_text, release, unit_text
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.stairs import Stairs
from splitjoin_cli.splitting.survey import Found
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.servers.lambda_service import REQUEST_ID, LambdaService, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.splitting.engines.base import Answer

DATA = b"id,name\n1,a\n2,b\n"
THROTTLED = Reply.refusal("TooManyRequestsException", 429)
NEVER_RUN = {
    *("TooManyRequestsException", "EC2ThrottledException", "ENILimitReachedException", "ENINotReadyException"),
    *("SubnetIPAddressLimitReachedException", "ResourceNotReadyException", "ResourceConflictException"),
    *("SnapStartNotReadyException", "CodeArtifactUserPendingException"),
}
MAY_HAVE_RUN = {
    *("ServiceException", "EC2UnexpectedException", "EFSMountConnectivityException", "EFSMountTimeoutException"),
    *("SnapStartTimeoutException", "S3FilesMountConnectivityException", "S3FilesMountTimeoutException"),
}


class Function:
    """The split function. ``says`` answers an event before it, as often as there is something; None: let it run."""

    def __init__(self) -> None:
        self.own = SplitFunction(Place(lambda _: MemorySource(DATA)))
        self.says: list[Reply | None] = []
        self.always: Reply | None = None
        self.times = 0

    def __call__(self, event: dict[str, Any]) -> Reply:
        self.times += 1
        said = self.says.pop(0) if self.says else self.always
        return said if said is not None else Reply(self.own(event))


@pytest.fixture
def function() -> Function:
    """What runs units, unless it is told otherwise."""
    return Function()


@pytest.fixture
def service(function: Function, monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaService]:
    """Lambda with this function; whoever asks has keys, and waits little."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    for name in ("FIRST_PAUSE_SECONDS", "MOST_PAUSE_SECONDS"):
        monkeypatch.setattr(dispatch, name, 0.001)
    with LambdaService(function).serving() as service:
        yield service


@pytest.fixture
def engine(service: LambdaService) -> Iterator[LambdaEngine]:
    """On that function."""
    with contextlib.closing(LambdaEngine("splits", service.options)) as engine:
        yield engine


def unit() -> ScanUnit:
    """A scan of the whole body."""
    source = SourceSpec("memory:", MemorySource(DATA).properties.validator, len(DATA), Reach())
    alphabet = Alphabet.of(Dialect())
    return ScanUnit(release(), source, 1, ByteRange(8, len(DATA)), alphabet, 1, False, b"", None, None)  # noqa: FBT003


def ends(engine: LambdaEngine, deadline: float = 60.0) -> list[Answer]:
    """What becomes of it."""
    answers: list[Answer] = []
    Dispatcher(engine, deadline=lambda _: deadline).run([Work(unit(), answers.append)])
    return answers


def failed(engine: LambdaEngine) -> Failed:
    """The same, where it fails."""
    [found] = ends(engine)
    assert isinstance(found, Failed)
    return found


def met(engine: LambdaEngine) -> BaseException | None:
    """What one invocation ends with."""
    return engine.submit(unit_text(unit())).exception(60)


def refused(service: LambdaService, name: str = "splits", **options: Any) -> tuple[str, str | None]:  # noqa: ANN401
    """Why there is no engine."""
    with pytest.raises(EngineError) as error:
        LambdaEngine(name, service.options, **options)
    return error.value.message, error.value.hint


def test_every_error_of_botocores_model_is_waited_out_tried_again_or_the_end(
    engine: LambdaEngine, function: Function
) -> None:
    """By whether the unit may have run, and whether another try can help."""
    model = botocore.session.get_session().get_service_model("lambda")
    found: dict[str, set[str]] = {"never run": set(), "may have run": set(), "ended": set()}
    for shape in model.operation_model("Invoke").error_shapes:
        function.says = [Reply.refusal(shape.name, shape.metadata["error"]["httpStatusCode"], "said so")]
        error = met(engine)
        assert isinstance(error, NotNowError | EngineError), shape.name
        assert "said so" in str(error) or "not exist" in str(error)
        runs = {True: "may have run", False: "never run"}
        found[runs[error.may_have_run] if isinstance(error, NotNowError) else "ended"].add(shape.name)
    assert found["never run"] == NEVER_RUN
    assert found["may have run"] == MAY_HAVE_RUN
    assert {"ResourceNotFoundException", "InvalidZipFileException", "RequestTooLargeException"} <= found["ended"]


def test_a_throttled_function_is_waited_for(engine: LambdaEngine, function: Function) -> None:
    """Longer than a unit is tried, and nothing is said of it."""
    function.says = [THROTTLED] * (3 * TRIES)
    [answer] = ends(engine)
    assert isinstance(answer, Scanned)
    assert function.times == 1 + 3 * TRIES + 1
    assert engine.in_flight == 100


def test_a_function_that_takes_no_unit_for_long_is_the_end(service: LambdaService, function: Function) -> None:
    """In words that say what to change."""
    now = [0.0]
    engine = LambdaEngine("splits", service.options, clock=lambda: now[0])
    function.says = [THROTTLED, THROTTLED, None]
    assert isinstance(met(engine), NotNowError)
    now[0] = 299.0
    assert isinstance(met(engine), NotNowError)
    assert engine.in_flight == 100
    now[0] = 301.0
    with pytest.raises(EngineError) as error:
        _ = engine.in_flight
    said = "TooManyRequestsException: Rate Exceeded"
    assert error.value.message == f"the function splits has taken no unit for 5 minutes: {said}"
    assert met(engine) is None
    assert engine.in_flight == 100


def test_a_function_at_work_may_refuse_others_for_long(service: LambdaService, function: Function) -> None:
    """Where fewer run at once than are wanted, and each takes minutes: what is under way was taken."""
    now, begun, released = [0.0], threading.Event(), threading.Event()
    engine = LambdaEngine("splits", service.options, clock=lambda: now[0])

    def works(event: dict[str, Any]) -> Reply:
        if begun.is_set():
            return THROTTLED
        begun.set()
        released.wait(60)
        return function(event)

    service.invoke = works
    long = engine.submit(unit_text(unit()))
    assert begun.wait(60)
    assert isinstance(met(engine), NotNowError)
    now[0] = 301.0
    assert engine.in_flight == 100
    released.set()
    assert long.exception(60) is None
    assert engine.in_flight == 100
    assert isinstance(met(engine), NotNowError)
    now[0] = 700.0
    with pytest.raises(EngineError, match="has taken no unit for 5 minutes"):
        _ = engine.in_flight
    engine.close()


def test_a_connection_that_broke_after_minutes_was_no_refusal(service: LambdaService, function: Function) -> None:
    """A unit that was at work for so long was taken: the five minutes begin anew."""
    now = [0.0]
    engine = LambdaEngine("splits", service.options, clock=lambda: now[0])

    def breaks(_: dict[str, Any]) -> Reply:
        now[0] += aws_lambda.TAKEN_SECONDS + 220.0
        return Reply.refusal("ServiceException", 500)

    function.says = [THROTTLED]
    assert isinstance(met(engine), NotNowError)
    now[0], service.invoke = 20.0, breaks
    assert isinstance(met(engine), NotNowError)
    now[0] += 1
    assert engine.in_flight == 100
    engine.close()


def test_a_lost_answer_keeps_no_other_try_waiting(service: LambdaService, function: Function) -> None:
    """It is waited for as long as a function may take; the same unit goes out beside it, with one at once, too."""
    released, lost = threading.Event(), threading.Event()

    def loses(event: dict[str, Any]) -> Reply:
        if not lost.is_set():
            lost.set()
            released.wait(60)
        return function(event)

    engine = LambdaEngine("splits", service.options, in_flight=1)
    service.invoke = loses
    engine.submit(unit_text(unit()))
    assert lost.wait(60)
    assert isinstance(answer_of(engine.submit(unit_text(unit())).result(30), unit_text(unit())), Scanned)
    released.set()
    engine.close()


def test_a_function_that_ends_before_the_unit_is_tried_again(engine: LambdaEngine, function: Function) -> None:
    """By its own time-out, in both spellings; by the kernel, for want of memory; by the runtime."""
    function.says = [
        Reply.failure("Sandbox.Timedout", f"RequestId: {REQUEST_ID} Error: Task timed out after 300.00 seconds"),
        Reply(
            {"errorMessage": f"2026-11-30T08:00:00.000Z {REQUEST_ID} Task timed out after 300.00 seconds"}, failed=True
        ),
        Reply.failure("Runtime.ExitError", f"RequestId: {REQUEST_ID} Error: Runtime exited with error: signal: killed"),
    ]
    assert not engine.lost_work
    [answer] = ends(engine)
    assert isinstance(answer, Scanned)
    assert function.times == 1 + TRIES
    assert engine.lost_work  # what it had begun to upload is open


@pytest.mark.parametrize(
    ("reply", "message", "hint"),
    [
        (
            Reply.failure("Sandbox.Timedout", "RequestId: x Error: Task timed out after 300.00 seconds"),
            "did not end within its 300 s",
            "use a smaller --chunk-size, or raise the stack's SplitTimeout or SplitMemory; ",
        ),
        (
            Reply.failure("Runtime.ExitError", "RequestId: x Error: Runtime exited with error: signal: killed"),
            "ran out of its memory of 1769 MB, or was killed",
            "raise the stack's SplitMemory; ",
        ),
        (
            Reply.failure("Runtime.ExitError", "RequestId: x Error: Runtime exited with error: exit status 1"),
            "failed: Runtime.ExitError: RequestId: x Error: Runtime exited with error: exit status 1",
            "",
        ),
        (Reply(b"Internal", failed=True), "failed: Internal", ""),
    ],
)
def test_a_function_that_always_ends_before_the_unit_fails_it(
    engine: LambdaEngine, function: Function, reply: Reply, message: str, hint: str
) -> None:
    """After four tries, with what may help and where its log is."""
    function.always = reply
    found = failed(engine)
    assert found.message == f"the function splits {message}"
    assert found.hint == f"{hint}its log, at request {REQUEST_ID}, says more"
    assert function.times == 1 + TRIES


def test_an_answer_that_comes_late_and_twice_is_taken_once(engine: LambdaEngine, function: Function) -> None:
    """The second invocation is answered first; then the first one is, too."""
    second, released = threading.Event(), threading.Event()
    own = function.own

    def slow(event: dict[str, Any]) -> object:
        if not second.is_set():
            second.set()
            released.wait(60)
        return own(event)

    function.own = slow  # type: ignore[assignment]  # what is called
    answers = ends(engine, deadline=0.02)
    released.set()
    assert len(answers) == 1
    assert isinstance(answers[0], Scanned)


def test_an_answer_that_is_too_large(engine: LambdaEngine, function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function says so itself; where Lambda says it, no second try is made."""
    function.always = Reply.failure("Function.ResponseSizeTooLarge", "Response payload size exceeded")
    found = failed(engine)
    assert found.message == "the function splits answered more than Lambda carries (Response payload size exceeded)"
    assert function.times == 2
    function.always = None
    monkeypatch.setattr(invocation, "MOST_BYTES", 100)
    found = failed(engine)
    assert re.fullmatch(r"the answer has \d+ bytes, and Lambda takes 100", found.message)
    assert function.times == 3
    text, nothing = unit_text(unit()), Found()
    scanned = Scanned(None, 0, nothing, nothing, -1, (nothing, nothing, nothing))
    places = sorted(random.Random(1).sample(range(1 << 40), 1000))
    many = answer_text(replace(scanned, stairs=Stairs(places, places)), text)
    monkeypatch.setattr(invocation, "MOST_BYTES", 1000)
    assert answer_of(bounded(many, text), text) == scanned


def test_a_unit_that_is_too_large_is_not_sent(
    engine: LambdaEngine, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named here."""
    monkeypatch.setattr(aws_lambda, "MOST_BYTES", 100)
    found = failed(engine)
    assert re.fullmatch(r"the unit has \d+ bytes, and Lambda takes \d+", found.message)
    assert function.times == 1


def test_what_is_no_answer_is_a_lost_try(engine: LambdaEngine, function: Function) -> None:
    """A proxy's page, a document of another function."""
    function.says = [Reply(b"<html>"), Reply({"statusCode": 200}), Reply(None)]
    [answer] = ends(engine)
    assert isinstance(answer, Scanned)


def test_a_lost_connection_is_a_lost_try(engine: LambdaEngine, service: LambdaService) -> None:
    """The unit may have run."""

    def hang_up(_: dict[str, Any]) -> Reply:
        raise ConnectionResetError

    service.invoke = hang_up
    error = met(engine)
    assert isinstance(error, NotNowError)
    assert error.may_have_run
    assert str(error) == "lambda:InvokeFunction lambda:splits: the connection was lost (ConnectionClosedError)"


def test_as_many_at_once_as_was_asked_for_or_reserved(service: LambdaService) -> None:
    """The smaller one; 100 where nothing is known."""
    for reserve, jobs, expected in ((None, None, 100), (7, None, 7), (7, 3, 3), (7, 30, 7), (None, 30, 30)):
        service.concurrency = Reply({} if reserve is None else {"ReservedConcurrentExecutions": reserve})
        with contextlib.closing(LambdaEngine("splits", service.options, in_flight=jobs)) as engine:
            assert engine.in_flight == expected


def test_look_ups_that_are_denied_are_done_without(service: LambdaService) -> None:
    """They are rights of their own; an answer is then waited for as long as any function may take."""
    service.configuration = service.concurrency = Reply.refusal("AccessDeniedException", 403, "not authorized")
    with contextlib.closing(LambdaEngine("splits", service.options)) as engine:
        assert engine.in_flight == 100
        assert engine._client.meta.config.read_timeout == 1830
    service.configuration, service.concurrency = Reply({"Timeout": 60}), Reply.refusal("ResourceNotFoundException", 404)
    with contextlib.closing(LambdaEngine("splits:live", service.options)) as engine:
        assert engine._client.meta.config.read_timeout == 90
        assert engine._client.meta.config.retries["total_max_attempts"] == 1
    assert {*service.asked[-3:-1]} == {"configuration splits:live", "concurrency splits"}


def test_a_function_that_cannot_be_invoked(service: LambdaService, function: Function) -> None:
    """It is not there; it may not be; its reserve is nothing; the keys have expired; it is set up wrong."""
    service.concurrency = Reply({"ReservedConcurrentExecutions": 0})
    message, hint = refused(service)
    assert message == "the function splits cannot be invoked: its reserved concurrency is 0"
    assert hint == "set its reserved concurrency higher (the stack's SplitConcurrency)"
    service.concurrency = Reply({})
    function.always = Reply.refusal(
        "AccessDeniedException", 403, "User: x is not authorized to perform: lambda:InvokeFunction"
    )
    message, hint = refused(service)
    assert message == "the function splits may not be invoked: lambda:InvokeFunction lambda:splits: access denied"
    assert hint == "the identity in use needs lambda:InvokeFunction on it: the policy SplitFunctionPolicyArn has it"
    function.always = Reply.refusal("InvalidZipFileException", 502, "it cannot be unzipped")
    message, hint = refused(service)
    assert message.endswith("lambda:splits: InvalidZipFileException: it cannot be unzipped")
    function.always = Reply.refusal("ExpiredTokenException", 403)
    assert refused(service)[0].endswith("the AWS credentials have expired")
    service.configuration = Reply.refusal("ResourceNotFoundException", 404, "Function not found")
    message, hint = refused(service)
    assert message == "the function splits does not exist in us-east-1"
    assert hint == "check its name, --region and --profile; it is the stack's output SplitFunctionName"


def test_a_function_that_does_not_answer(service: LambdaService, function: Function) -> None:
    """It is asked a few times; while it is throttled, for five minutes."""
    function.always = Reply.refusal("ServiceException", 500, "away")
    message, _ = refused(service, sleep=lambda _: None)
    assert message == "the function splits does not answer: ServiceException: away"
    assert function.times == TRIES
    waited: list[float] = []
    function.always = THROTTLED
    message, _ = refused(service, sleep=waited.append, clock=lambda: 50.0 * len(waited))
    assert message == "the function splits has taken no unit for 5 minutes: TooManyRequestsException: Rate Exceeded"
    assert len(waited) == 7


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Reply({}), "it answered '{}'"),
        (Reply({"splitjoin": {"release": "0.1"}}), """it answered '{"splitjoin": {"release": "0.1"}}'"""),
        (Reply(b"hello"), "it answered 'hello'"),
        (Reply.failure("EventError", "not an event"), "EventError: not an event"),
        (
            Reply.failure("Runtime.ImportModuleError", "No module named x"),
            "Runtime.ImportModuleError: No module named x",
        ),
    ],
)
def test_another_function(service: LambdaService, function: Function, said: Reply, why: str) -> None:
    """Before any unit is sent to it."""
    function.says = [said]
    message, hint = refused(service)
    assert message == f"the function splits is not a split function of splitjoin: {why}"
    assert hint is not None
    assert "SplitFunctionName" in hint


def test_another_release_and_an_old_runtime(service: LambdaService, function: Function) -> None:
    """The first thing that is asked."""
    own = Greeting.here(botocore.__version__)
    function.says = [Reply(own._replace(release="9.9.9").to_json())]
    message, hint = refused(service)
    assert message == f"the function splits has splitjoin 9.9.9, and this command is splitjoin {release()}"
    assert hint == "build its zip with this release (make lambda), and update the stack"
    function.says = [Reply(own._replace(protocol="0" * 16).to_json())]
    message, hint = refused(service)
    assert message == (
        f"the function splits is another build of splitjoin {release()}, which writes units of work in another way"
    )
    assert hint == "build its zip from the same sources as this command (make lambda), and update the stack"
    function.says = [Reply(own._replace(botocore="1.36.40").to_json())]
    message, hint = refused(service)
    assert message == "the function splits has botocore 1.36.40, and splitjoin needs 1.37 or later"
    assert hint == "use a newer Runtime"
    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    assert f'"botocore>={".".join(map(str, aws_lambda.LEAST_BOTOCORE))}"' in project.read_text()


def test_an_arn_says_the_region(service: LambdaService) -> None:
    """Whatever the source's is; look-ups of the reserve are of the function itself."""
    arn = "arn:aws:lambda:eu-west-3:123456789012:function:splits"
    with contextlib.closing(LambdaEngine(f"{arn}:live", service.options)) as engine:
        assert engine._client.meta.region_name == "eu-west-3"
    assert service.asked[:2] == [f"configuration {arn}:live", f"concurrency {arn}"]
    assert aws_lambda._without_qualifier("123456789012:function:splits:live") == "123456789012:function:splits"
    assert aws_lambda._without_qualifier("splits") == "splits"


def test_connections_that_wait_are_kept_alive(engine: LambdaEngine) -> None:
    """A NAT forgets them otherwise, and the answer never comes."""
    options = engine._client._endpoint.http_session._socket_options
    assert {value for _, _, value in options} >= {1, sockets.IDLE_SECONDS, sockets.PROBE_SECONDS, sockets.PROBES}


def test_closing_waits_for_nobody(engine: LambdaEngine, service: LambdaService) -> None:
    """An invocation goes on for as long as it likes; what was not begun is cancelled."""
    begun, released = threading.Event(), threading.Event()

    def slow(_: dict[str, Any]) -> Reply:
        begun.set()
        released.wait(60)
        return Reply({})

    service.invoke = slow
    future = engine.submit(unit_text(unit()))
    assert begun.wait(60)
    engine.close()
    assert not future.done()
    released.set()


def test_an_event_of_somebody_else() -> None:
    """The function says that it does not know it."""
    function = SplitFunction(Place())
    events: list[dict[str, Any]] = [{}, {"splitjoin": "sweep"}, {"splitjoin": "unit"}, {"Records": []}]
    for event in events:
        with pytest.raises(EventError):
            function(event)
