"""Where events of chunks are sent: a queue, whose worker takes them for S3's own, or a function, as S3 invokes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, final

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.sqs import BATCH, SqsQueue, check_queue_url
from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SENDS_AT_ONCE", "LambdaSender", "Sender", "SqsSender", "check_target"]

SENDS_AT_ONCE = 8
SHAPES = "lambda:NAME or sqs:QUEUE_URL"


class Sender(Protocol):
    """Where notifications go. Thread-safe."""

    @property
    def uri(self) -> str:
        """As the user wrote it, less anything secret."""

    @property
    def batch(self) -> int:
        """How many go in one request."""

    def reach(self) -> None:
        """Raise SplitjoinError where nothing could be sent. Nothing is sent."""

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        """Send up to ``batch``: for each None, or why it was not taken. Raises SplitjoinError where none can be."""

    def close(self) -> None:
        """Free connections. Safe to repeat."""


@final
class SqsSender:
    """Into a queue, in batches of ten: the worker there takes them for S3's own."""

    def __init__(self, queue: SqsQueue, *, group: str | None = None) -> None:
        """``queue``: closed with this. ``group``: of the messages, between which SQS is fair; None for none."""
        self._queue = queue
        self._group = group
        self.batch = BATCH

    @property
    def uri(self) -> str:
        """See Sender."""
        return f"sqs:{self._queue.url}"

    def reach(self) -> None:
        """See Sender."""
        self._queue.facts()

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        """See Sender."""
        return self._queue.send(bodies, group=self._group)

    def close(self) -> None:
        """See Sender."""
        self._queue.close()


@final
class LambdaSender:
    """To a function, asynchronously, one at a time: it is invoked as S3 would, and retried as for S3."""

    def __init__(
        self,
        name: str,
        options: aws.AwsOptions | None = None,
        *,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
    ) -> None:
        """``name``: the function's name or ARN. ``client``: instead of ``options``; it stays the caller's."""
        self._name = name
        self._shared = client is not None
        self._client = client or aws.client("lambda", options, connections=SENDS_AT_ONCE)
        self.batch = 1

    @property
    def uri(self) -> str:
        """See Sender."""
        return f"lambda:{self._name}"

    def reach(self) -> None:
        """See Sender: Lambda looks at the function and the right to invoke it (API Reference, "Invoke", DryRun)."""
        self._invoke(InvocationType="DryRun")

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        """See Sender."""
        for body in bodies:
            self._invoke(InvocationType="Event", Payload=body.encode())
        return [None] * len(bodies)

    def close(self) -> None:
        """See Sender."""
        if not self._shared:
            self._client.close()

    def _invoke(self, **parameters: object) -> None:
        try:
            self._client.invoke(FunctionName=self._name, **parameters)
        except aws.ERRORS as exc:
            raise aws.translate(exc, "lambda:InvokeFunction", self.uri) from exc


def check_target(text: str, option: str = "--to") -> tuple[str, str]:
    """Scheme, and function or URL, of ``lambda:NAME`` or ``sqs:URL``. Raises UsageError."""
    scheme, _, target = text.partition(":")
    if scheme not in {"lambda", "sqs"} or not target.strip():
        raise UsageError(f"{option} names neither a function nor a queue", hint=f"write {SHAPES}")
    return scheme, check_queue_url(target.strip()) if scheme == "sqs" else target.strip()
