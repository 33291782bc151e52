"""Continuations on AWS: each hands the payload over, with the run id as the receiver's idempotency key if it has one.

None of them waits for what the receiver does with it: a function or an execution that fails there is retried and seen
there. Requests are repeated by botocore; a repeat after a lost answer is the same payload once more.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, final

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.sqs import GROUP_REFUSAL, fair_group, queue_region
from splitjoin_cli.core.errors import ContinuationError, SplitjoinError, UsageError
from splitjoin_cli.core.urls import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.join.base import JoinPayload

__all__ = ["AwsContinuation", "parse_aws"]

_LOG = logging.getLogger(__name__)
ATTEMPTS = 4
FIFO_SUFFIX = ".fifo"
ARN_FIELDS = 6
NOT_DURABLE_CODES = frozenset({"InvalidParameterValueException", "ValidationException"})
"""What Lambda may answer to a name for an execution of a function that has none."""


class _Send(Protocol):
    """Hands a payload to a receiver by a client of its service. Raises botocore's errors, ContinuationError."""

    def __call__(self, client: Any, target: str, payload: JoinPayload) -> None: ...  # noqa: ANN401 -- see aws.client


@final
class AwsContinuation:
    """A Continuation that is one request to one service. Thread-safe."""

    def __init__(
        self, scheme: str, target: str, options: aws.AwsOptions, make: Callable[..., Any] = aws.client
    ) -> None:
        """``scheme``: a key of SERVICES. ``make``: what makes the client, when it is first needed."""
        self._scheme = scheme
        self._target = target
        self.options = options
        self._make = make
        self._service = SERVICES[scheme]
        self._lock = threading.Lock()
        self._client: Any = None

    @property
    def uri(self) -> str:
        """As the user wrote it; a queue's URL less user, password and query."""
        if "://" not in self._target:
            return f"{self._scheme}:{self._target}"
        parts = parts_of(self._target)
        return f"{self._scheme}:{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""
        if (size := len(payload.encoded())) > self._service.most_bytes:
            raise ContinuationError(
                f"{self.uri}: the payload has {size} bytes, and the service takes {self._service.most_bytes}"
            )
        try:
            self._service.send(self._connected(), self._target, payload)
        except aws.ERRORS as exc:
            ours = aws.translate(exc, self._service.action, self.uri)
            raise ContinuationError(ours.message, hint=ours.hint) from exc
        except ContinuationError:
            raise
        except SplitjoinError as exc:
            raise ContinuationError(f"{self.uri}: {exc.message}", hint=exc.hint) from exc

    def close(self) -> None:
        """See Continuation."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:  # noqa: ANN401 -- see aws.client
        with self._lock:
            if self._client is None:
                self._client = self._make(self._service.botocore, self.options, attempts=ATTEMPTS)
            return self._client


def _publish(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    _grouped(client.publish, target, payload, TopicArn=target, Message=payload.encoded())


def _send_message(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    _grouped(client.send_message, target, payload, QueueUrl=target, MessageBody=payload.encoded())


def _grouped(call: Callable[..., object], target: str, payload: JoinPayload, **arguments: str) -> None:
    """One message. FIFO: the group is the run, since joins need no order among them. Else it is the client.

    On standard queues groups are the tenants between whom SQS is fair (SQS Developer Guide, "Amazon SQS fair queues");
    a standard topic hands the group on. A service that knows no group there gets the message without one.
    """
    if target.endswith(FIFO_SUFFIX):
        call(**arguments, MessageGroupId=payload.run_id, MessageDeduplicationId=payload.run_id)
        return
    try:
        call(**arguments, MessageGroupId=fair_group(payload.file_name))
    except aws.ERRORS as exc:
        if not aws.error_code(exc).startswith(GROUP_REFUSAL):
            raise
        call(**arguments)


def _invoke(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    """Asynchronously: a worker that waits would pay for both, and end with its own timeout.

    A durable function gets the run id as its execution's name: another start under it is the first one's answer, and
    with another payload it is refused (Lambda API Reference, "Invoke"). Where the function is not durable, or the
    runtime's botocore does not know of names, there is none.
    """
    arguments = {"FunctionName": target, "InvocationType": "Event", "Payload": payload.encoded().encode()}
    named = {"DurableExecutionName": payload.run_id} if _knows(client, "Invoke", "DurableExecutionName") else {}
    try:
        client.invoke(**arguments, **named)
    except aws.ERRORS as exc:
        code = aws.error_code(exc)
        if code == "DurableExecutionAlreadyStartedException":
            _compare(f"lambda:{target}", payload, lambda: _durable_input(client, target, payload.run_id))
        elif named and code in NOT_DURABLE_CODES:
            client.invoke(**arguments)
        else:
            raise


def _durable_input(client: Any, target: str, name: str) -> str:  # noqa: ANN401 -- see aws.client
    found = client.list_durable_executions_by_function(FunctionName=target, DurableExecutionName=name)
    arn = found["DurableExecutions"][0]["DurableExecutionArn"]
    return str(client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=True)["InputPayload"])


def _start_execution(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    """The execution's name is the run id: a name that is taken, for up to 90 days, is an execution that was started."""
    try:
        client.start_execution(stateMachineArn=target, name=payload.run_id, input=payload.encoded())
    except aws.ERRORS as exc:
        if aws.error_code(exc) != "ExecutionAlreadyExists":
            raise
        _compare(f"states:{target}", payload, lambda: _execution_input(client, target, payload.run_id))


def _execution_input(client: Any, target: str, name: str) -> str:  # noqa: ANN401 -- see aws.client
    """An execution's ARN has the machine's name, whatever version or alias was started."""
    fields = target.split(":")
    arn = ":".join((*fields[: ARN_FIELDS - 1], "execution", fields[ARN_FIELDS], name))
    return str(client.describe_execution(executionArn=arn)["input"])


def _compare(uri: str, payload: JoinPayload, read: Callable[[], str]) -> None:
    """Warn where what was started under this run's key was started with another payload: it knows another join."""
    try:
        theirs = json.loads(read())
        at = f"joined_at {theirs['joined_at']}"
    except aws.ERRORS as exc:
        theirs, at = None, f"a payload that cannot be read ({aws.error_code(exc) or type(exc).__name__})"
    except (LookupError, TypeError, ValueError):
        theirs, at = None, "a payload that is not a join's"
    if theirs != payload.to_json():
        _LOG.warning(
            "%s: run %s was started before, with %s; this join has joined_at %s, and starts nothing",
            uri, payload.run_id, at, payload.joined_at,
            extra={"file_name": payload.file_name, "run_id": payload.run_id},
        )  # fmt: skip


def _put_events(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    entry = {"EventBusName": target, "Source": "splitjoin", "DetailType": "Join", "Detail": payload.encoded()}
    answer = client.put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        found = answer["Entries"][0]
        raise ContinuationError(f"events:{target}: {found.get('ErrorCode')}: {found.get('ErrorMessage')}")


def _knows(client: Any, operation: str, member: str) -> bool:  # noqa: ANN401 -- see aws.client
    return member in client.meta.service_model.operation_model(operation).input_shape.members


@dataclass(frozen=True, slots=True)
class Service:
    """How a payload reaches a service. ``most_bytes``: of a payload, less what goes around it."""

    botocore: str
    action: str
    """The permission that is needed."""
    send: _Send
    most_bytes: int


# SNS: of a topic whose MaximumMessageSize nobody raised. EventBridge counts source and detail type, too.
SERVICES: Mapping[str, Service] = {
    "sns": Service("sns", "sns:Publish", _publish, 262_144),
    "sqs": Service("sqs", "sqs:SendMessage", _send_message, 1_048_576),
    "lambda": Service("lambda", "lambda:InvokeFunction", _invoke, 1_000_000),
    "states": Service("stepfunctions", "states:StartExecution", _start_execution, 262_144),
    "events": Service("events", "events:PutEvents", _put_events, 999_000),
}
"""By the URL's scheme (the services' API References: Publish, SendMessage, Invoke, StartExecution, PutEvents)."""

_ARNS = {"sns": "sns", "states": "states"}


def parse_aws(scheme: str, target: str, options: aws.AwsOptions | None) -> AwsContinuation:
    """The continuation for a target; an ARN's or a queue's own region wins over the options'. Raises UsageError."""
    options = options or aws.AwsOptions()
    arn = target.split(":", ARN_FIELDS - 1) if target.startswith("arn:") else None
    if scheme in _ARNS and (arn is None or len(arn) < ARN_FIELDS or arn[2] != _ARNS[scheme]):
        raise UsageError(f"not an ARN of {scheme}: {target}", hint=f"{scheme}:arn:aws:{_ARNS[scheme]}:REGION:...")
    if scheme == "sqs" and parts_of(target).scheme not in {"http", "https"}:
        raise UsageError("not a queue's URL", hint="sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    region = arn[3] if arn is not None and len(arn) >= ARN_FIELDS else queue_region(target)
    return AwsContinuation(scheme, target, replace(options, region=region or options.region))
