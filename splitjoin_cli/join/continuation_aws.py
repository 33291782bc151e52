"""Continuations on AWS: each hands the payload over, with the run id as the receiver's idempotency key if it has one.

None of them waits for what the receiver does with it: a function or an execution that fails there is retried and seen
there. Requests are repeated by botocore; a repeat after a lost answer is the same payload once more.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, final
from urllib.parse import urlsplit

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.sqs import queue_region
from splitjoin_cli.core.errors import ContinuationError, SplitjoinError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.join.base import JoinPayload

__all__ = ["AwsContinuation", "parse_aws"]

ATTEMPTS = 4
FIFO_SUFFIX = ".fifo"
ARN_FIELDS = 6


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
        self._service, self._action, self._send = SERVICES[scheme]
        self._lock = threading.Lock()
        self._client: Any = None

    @property
    def uri(self) -> str:
        """As the user wrote it; a queue's URL less user, password and query."""
        if "://" not in self._target:
            return f"{self._scheme}:{self._target}"
        parts = urlsplit(self._target)
        return f"{self._scheme}:{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""
        try:
            self._send(self._connected(), self._target, payload)
        except aws.ERRORS as exc:
            ours = aws.translate(exc, self._action, self.uri)
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
                self._client = self._make(self._service, self.options, attempts=ATTEMPTS)
            return self._client


def _publish(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    client.publish(TopicArn=target, Message=payload.encoded(), **_fifo(target, payload))


def _send_message(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    client.send_message(QueueUrl=target, MessageBody=payload.encoded(), **_fifo(target, payload))


def _fifo(target: str, payload: JoinPayload) -> dict[str, str]:
    """The group is the run too: group ids take no letters of other scripts, and joins need no order among them."""
    if not target.endswith(FIFO_SUFFIX):
        return {}
    return {"MessageGroupId": payload.run_id, "MessageDeduplicationId": payload.run_id}


def _invoke(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    """Asynchronously: a worker that waits would pay for both, and end with its own 15 minutes."""
    client.invoke(FunctionName=target, InvocationType="Event", Payload=payload.encoded().encode())


def _start_execution(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    """The execution's name is the run id: a name that is taken, for up to 90 days, is an execution that was started."""
    try:
        client.start_execution(stateMachineArn=target, name=payload.run_id, input=payload.encoded())
    except aws.ERRORS as exc:
        if aws.error_code(exc) != "ExecutionAlreadyExists":
            raise


def _put_events(client: Any, target: str, payload: JoinPayload) -> None:  # noqa: ANN401 -- see aws.client
    entry = {"EventBusName": target, "Source": "splitjoin", "DetailType": "Join", "Detail": payload.encoded()}
    answer = client.put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        found = answer["Entries"][0]
        raise ContinuationError(f"events:{target}: {found.get('ErrorCode')}: {found.get('ErrorMessage')}")


SERVICES: dict[str, tuple[str, str, _Send]] = {
    "sns": ("sns", "sns:Publish", _publish),
    "sqs": ("sqs", "sqs:SendMessage", _send_message),
    "lambda": ("lambda", "lambda:InvokeFunction", _invoke),
    "states": ("stepfunctions", "states:StartExecution", _start_execution),
    "events": ("events", "events:PutEvents", _put_events),
}
"""URL scheme -> botocore's service, the permission that is needed, how a payload is sent."""

_ARNS = {"sns": "sns", "states": "states"}


def parse_aws(scheme: str, target: str, options: aws.AwsOptions | None) -> AwsContinuation:
    """The continuation for a target; an ARN's or a queue's own region wins over the options'. Raises UsageError."""
    options = options or aws.AwsOptions()
    arn = target.split(":", ARN_FIELDS - 1) if target.startswith("arn:") else None
    if scheme in _ARNS and (arn is None or len(arn) < ARN_FIELDS or arn[2] != _ARNS[scheme]):
        raise UsageError(f"not an ARN of {scheme}: {target}", hint=f"{scheme}:arn:aws:{_ARNS[scheme]}:REGION:...")
    if scheme == "sqs" and urlsplit(target).scheme not in {"http", "https"}:
        raise UsageError("not a queue's URL", hint="sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    region = arn[3] if arn is not None and len(arn) >= ARN_FIELDS else queue_region(target)
    return AwsContinuation(scheme, target, replace(options, region=region or options.region))
