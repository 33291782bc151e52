"""Units on a function of AWS Lambda: the split function of the template, invoked once for each, and waited for.

botocore repeats nothing: what was throttled is sent again by the coordinator, and what got no answer is one of the
unit's tries. Error codes are those of the Lambda API Reference, "Invoke".
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, final

from splitjoin_cli.core import trace
from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.sockets import keep_alive
from splitjoin_cli.core.errors import EngineError, NotFoundError, SplitjoinError
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.splitting.engines.base import Failed
from splitjoin_cli.splitting.engines.dispatch import pause_seconds
from splitjoin_cli.splitting.engines.invocation import HELLO, MOST_BYTES, Greeting, too_large, unit_event
from splitjoin_cli.splitting.engines.not_now import NotNowError
from splitjoin_cli.splitting.engines.wire import answer_text, protocol, release
from splitjoin_cli.splitting.engines.words import FUNCTION, another_build, another_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.aws.options import AwsOptions

__all__ = ["LEAST_BOTOCORE", "LambdaEngine"]

AT_ONCE = 100
"""Units under way, where neither the user nor a reserve of the function says how many."""
LONGEST_SECONDS = 1800
"""What a function may take that cannot be looked at (Lambda API Reference, "CreateFunction", Timeout)."""
SPARE_SECONDS = 30
"""How much longer an answer is waited for than the function may take: a cold start comes before its time begins."""
REFUSED_SECONDS = 300.0
"""A function that takes no unit for so long does the split no good."""
TAKEN_SECONDS = 60.0
"""A refusal comes sooner: a unit that is under way for so long was taken."""
LEAST_BOTOCORE = (1, 37)
"""As pyproject.toml has it: Lambda's runtime brings its own."""
ARN_FIELDS = 7
RESUME = "run the same command again"

NOT_NOW_CODES = frozenset({
    *("TooManyRequestsException", "EC2ThrottledException", "ENILimitReachedException", "ENINotReadyException"),
    *("SubnetIPAddressLimitReachedException", "ResourceNotReadyException", "ResourceConflictException"),
    *("SnapStartNotReadyException", "CodeArtifactUserPendingException"),
})  # fmt: skip
"""Nothing was run: too much is asked for, or the function is being made or changed."""
AMISS_CODES = frozenset({
    *("InvalidRuntimeException", "InvalidZipFileException", "InvalidSubnetIDException", "EC2AccessDeniedException"),
    *("KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"),
    *("InvalidSecurityGroupIDException",),
})  # fmt: skip
"""Answers of 502 that the next try gets as well: the function is set up wrong."""
NOT_OURS = frozenset({
    *("Runtime.ImportModuleError", "Runtime.HandlerNotFound", "Runtime.MalformedHandlerName", "EventError"),
    *("Runtime.UserCodeSyntaxError", "Runtime.InvalidEntrypoint"),
})  # fmt: skip
"""Errors of a function that is no split function, or not all of it."""


class Facts(NamedTuple):
    """What is known of a function beforehand; None where it may not be looked at. ``reserved``: invocations at once."""

    timeout_seconds: int | None = None
    memory: int | None = None
    reserved: int | None = None


@final
class LambdaEngine(StaysHere):
    """An Engine that invokes a function, from as many threads as units are under way."""

    name, words = "lambda", FUNCTION

    def __init__(
        self,
        function: str,
        options: AwsOptions,
        *,
        in_flight: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Look at the function, and compare versions. ``function``: its name or ARN, with an alias or version or not.

        ``in_flight``: None for its reserved concurrency, else 100. Raises EngineError where it does not answer, or is
        no split function of this release.
        """
        self._function, self._clock, self._sleep = function, clock, sleep
        self._options = replace(options, region=_region_of(function) or options.region)
        self._facts = self._looked_up()
        self._wanted = min(in_flight or self._facts.reserved or AT_ONCE, self._facts.reserved or 1 << 30)
        longest = self._facts.timeout_seconds or LONGEST_SECONDS
        self._client = aws.client(
            "lambda", self._options, connections=self._wanted, attempts=1,
            read_timeout_seconds=longest + SPARE_SECONDS,
        )  # fmt: skip
        keep_alive(self._client)
        self.lost_work = False
        self._refused_since: float | None = None
        self._refusal = ""
        self._lock = threading.Lock()
        self._began: dict[object, float] = {}  # invocations under way
        self._waiters = _Waiters(2 * self._wanted)  # whose answer was lost is waited for beside the try that follows
        self.greeting = self._greeted()

    @property
    def in_flight(self) -> int:
        """As in Engine."""
        since, now = self._refused_since, self._clock()
        if since is not None and now - since > REFUSED_SECONDS and not self._is_at_work(now):
            raise EngineError(
                f"{self._what} has taken no unit for {REFUSED_SECONDS / 60:.0f} minutes: {self._refusal}",
                hint=f"raise its reserved concurrency, or the account's, or use fewer --jobs; then {RESUME}",
            )
        return self._wanted

    def submit(self, unit: str) -> Future[str]:
        """As in Engine."""
        return self._waiters.submit(lambda: self._answer(unit))

    def cancel(self, future: Future[str]) -> None:
        """As in Engine: what runs is not stopped, since Lambda has no call for that."""
        future.cancel()

    def close(self) -> None:
        """As in Engine."""
        self._waiters.close()
        self._client.close()

    @property
    def _what(self) -> str:
        return f"the function {self._function}"

    def _looked_up(self) -> Facts:
        """What may be known of the function; each look-up is a right of its own. Raises EngineError."""
        client = aws.client("lambda", self._options)
        self._region = str(client.meta.region_name)
        try:
            found = self._look(client.get_function_configuration, self._function, must_be_there=True)
            reserve = self._look(client.get_function_concurrency, _without_qualifier(self._function))
        finally:
            client.close()
        reserved = reserve.get("ReservedConcurrentExecutions")
        facts = Facts(found.get("Timeout"), found.get("MemorySize"), reserved)
        trace.note("lambda function", function=self._function, **facts._asdict())
        if reserved == 0:
            hint = "set its reserved concurrency higher (the stack's SplitConcurrency)"
            raise EngineError(f"{self._what} cannot be invoked: its reserved concurrency is 0", hint=hint)
        return facts

    def _look(
        self, call: Callable[..., dict[str, Any]], function: str, *, must_be_there: bool = False
    ) -> dict[str, Any]:
        """What a look-up says; nothing where it is not allowed, or not known there."""
        try:
            return call(FunctionName=function)
        except aws.ERRORS as exc:
            code = aws.error_code(exc)
            ours = aws.translate(exc, "lambda:GetFunctionConfiguration", f"lambda:{self._function}")
            missing = isinstance(ours, NotFoundError) and must_be_there
            if missing or not code or code in aws.EXPIRED_CODES | aws.CREDENTIAL_CODES:
                raise self._gone(exc, ours) from exc
            trace.note("lambda look-up refused", function=self._function, said=ours.message)
            return {}

    def _gone(self, exc: BaseException, ours: SplitjoinError) -> EngineError:
        """What makes all units fail."""
        if isinstance(ours, NotFoundError):
            hint = "check its name, --region and --profile; it is the stack's output SplitFunctionName"
            return EngineError(f"{self._what} does not exist in {self._region}", hint=hint)
        if aws.error_code(exc) in aws.DENIED_CODES:
            hint = "the identity in use needs lambda:InvokeFunction on it: the policy SplitFunctionPolicyArn has it"
            return EngineError(f"{self._what} may not be invoked: {ours.message}", hint=hint)
        return EngineError(f"{self._what} cannot be invoked: {ours.message}", hint=ours.hint or RESUME)

    def _greeted(self) -> Greeting:
        """What the function says that it is. Raises EngineError where that is not what this command needs."""
        greeting = self._ask_greeting()
        trace.note("lambda greeting", **greeting._asdict())
        if greeting.release != release():
            raise EngineError(
                another_release(self._what, greeting.release, release()),
                hint=FUNCTION.install,
            )
        if greeting.protocol != protocol():
            raise EngineError(
                another_build(self._what, release()),
                hint=FUNCTION.rebuild,
            )
        if tuple(int(part) for part in greeting.botocore.split(".")[:2]) < LEAST_BOTOCORE:
            raise EngineError(
                f"{self._what} has botocore {greeting.botocore}, and splitjoin needs "
                f"{'.'.join(map(str, LEAST_BOTOCORE))} or later",
                hint="use a newer Runtime",
            )
        return greeting

    def _ask_greeting(self) -> Greeting:
        """Ask as long as it is refused for now. Raises EngineError."""
        times = 0
        while True:
            try:
                answer, failed = self._invoked(HELLO)
            except NotNowError as exc:
                times += 1
                if exc.may_have_run and times > 3:  # noqa: PLR2004 -- as often as a unit
                    raise EngineError(f"{self._what} does not answer: {exc}", hint=RESUME) from exc
                _ = self.in_flight  # raises after a while
                self._sleep(pause_seconds(times, 0))
                continue
            if failed is not None:
                raise EngineError(failed.message, hint=failed.hint)
            try:
                return Greeting.of(json.loads(answer))
            except (ValueError, TypeError) as exc:
                raise self._foreign(f"it answered {answer[:80]!r}") from exc

    def _answer(self, unit: str) -> str:
        """The answer to a unit. Raises EngineError, NotNowError, ValueError."""
        event = unit_event(unit)
        if len(event) > MOST_BYTES:
            return answer_text(too_large("the unit", len(event)), unit)
        answer, failed = self._invoked(event)
        if failed is not None:
            return answer_text(failed, unit)
        text: object = json.loads(answer)
        if not isinstance(text, str):
            raise ValueError(f"the function answered {answer[:80]!r}")  # noqa: TRY004 -- an answer that is none
        return text

    def _is_at_work(self, now: float) -> bool:
        """Whether it has taken a unit that has not ended: others may be refused as long as that takes."""
        with self._lock:
            return any(now - began > TAKEN_SECONDS for began in self._began.values())

    def _invoked(self, event: bytes) -> tuple[str, Failed | None]:
        """What the function returned; or what it failed with. Raises EngineError, NotNowError."""
        mark = object()
        with self._lock:
            self._began[mark] = self._clock()
        try:
            return self._invoked_once(event)
        finally:
            with self._lock:
                took = self._clock() - self._began.pop(mark)
            if took > TAKEN_SECONDS:
                self._refused_since = None  # whatever became of it

    def _invoked_once(self, event: bytes) -> tuple[str, Failed | None]:
        try:
            response = self._client.invoke(FunctionName=self._function, InvocationType="RequestResponse", Payload=event)
            answer = response["Payload"].read().decode("utf-8", "replace")
        except aws.ERRORS as exc:
            raise self._refused(exc) from exc
        self._refused_since = None
        if "FunctionError" not in response:
            return answer, None
        return answer, self._failed(answer, str(response["ResponseMetadata"].get("RequestId")))

    def _refused(self, exc: BaseException) -> Exception:
        """What becomes of an invocation that gave no answer: NotNowError, or EngineError where none can."""
        code = aws.error_code(exc)
        ours = aws.translate(exc, "lambda:InvokeFunction", f"lambda:{self._function}")
        not_now = code in NOT_NOW_CODES or aws.is_throttling(exc)
        if not_now or (aws.is_transient(exc) and code not in AMISS_CODES):
            self._refusal = _said(exc) if code else ours.message
            if self._refused_since is None:
                self._refused_since = self._clock()
            return NotNowError(self._refusal, may_have_run=not not_now)
        return self._gone(exc, ours)

    def _failed(self, answer: str, request_id: str) -> Failed:
        """The answer to a unit whose function failed. Raises EngineError where it does so for every unit."""
        try:
            document = json.loads(answer)
            kind, said = str(document.get("errorType", "")), str(document.get("errorMessage", ""))
        except (ValueError, AttributeError):
            kind, said = "", answer
        said = said.partition("\n")[0][:300]
        if kind in NOT_OURS:
            raise self._foreign(f"{kind}: {said}")
        self.lost_work = True  # its time-out, or its memory, ended it anywhere
        log, again = f"its log, at request {request_id}, says more", True
        if "Task timed out" in said:
            time_out = self._facts.timeout_seconds
            what = f"did not end within its {f'{time_out} s' if time_out else 'time-out'}"
            hint = f"use a smaller --chunk-size, or raise the stack's SplitTimeout or SplitMemory; {log}"
        elif "signal: killed" in said or kind == "Runtime.OutOfMemory":
            memory = f" of {self._facts.memory} MB" if self._facts.memory else ""
            what, hint = f"ran out of its memory{memory}, or was killed", f"raise the stack's SplitMemory; {log}"
        elif kind == "Function.ResponseSizeTooLarge":
            what, hint, again = f"answered more than Lambda carries ({said})", log, False
        else:
            what, hint = f"failed: {': '.join(filter(None, (kind, said)))}", log
        return Failed("EngineError", f"{self._what} {what}", hint, fatal=False, again=again)

    def _foreign(self, why: str) -> EngineError:
        hint = "name the stack's output SplitFunctionName; its zip is the one of make lambda for the split function"
        return EngineError(f"{self._what} is not a split function of splitjoin: {why}", hint=hint)


class _Waiters:
    """Threads that each wait for one answer at a time. They end with the process, whatever they wait for.

    Those of concurrent.futures would keep it until the last invocation has ended.
    """

    def __init__(self, most: int) -> None:
        """``most``: threads, made when they are needed."""
        self._most, self._made, self._open = most, 0, 0
        self._lock, self._closed = threading.Lock(), False
        self._waiting: SimpleQueue[tuple[Callable[[], str], Future[str]] | None] = SimpleQueue()

    def submit(self, call: Callable[[], str]) -> Future[str]:
        """Run it on one of them. Raises EngineError after ``close``."""
        future: Future[str] = Future()
        with self._lock:
            if self._closed:
                raise EngineError("the engine was closed", hint="open another one")
            self._open += 1
            self._waiting.put((call, future))
            if self._made < min(self._open, self._most):
                self._made += 1
                threading.Thread(target=self._run, name="lambda-answer", daemon=True).start()
        return future

    def close(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._closed = True
            for _ in range(self._made):
                self._waiting.put(None)

    def _run(self) -> None:
        while (asked := self._waiting.get()) is not None:
            call, future = asked
            if not self._closed and future.set_running_or_notify_cancel():
                try:
                    answer = call()
                except Exception as exc:  # noqa: BLE001 -- what becomes of it is for who waits
                    future.set_exception(exc)
                else:
                    future.set_result(answer)
            with self._lock:
                self._open -= 1


def _region_of(function: str) -> str | None:
    """The region of an ARN."""
    fields = function.split(":")
    return fields[3] if fields[0] == "arn" and len(fields) >= ARN_FIELDS else None


def _without_qualifier(function: str) -> str:
    """The function itself, less an alias or a version."""
    fields = function.split(":")
    if fields[0] == "arn":
        return ":".join(fields[:ARN_FIELDS])
    if len(fields) >= 3 and fields[-3] == "function":  # noqa: PLR2004 -- ACCOUNT:function:NAME:QUALIFIER
        return ":".join(fields[:-1])
    return fields[0] if len(fields) == 2 else function  # noqa: PLR2004 -- NAME:QUALIFIER


def _said(exc: BaseException) -> str:
    """The service's own words: ``TooManyRequestsException: Rate Exceeded``."""
    error = getattr(exc, "response", {}).get("Error", {})
    return ": ".join(filter(None, (str(error.get("Code", "")), str(error.get("Message", "")).rstrip("."))))
