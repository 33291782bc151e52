"""A queue on SQS: receive, keep, give back, delete, send; what the worker, ``retry`` and ``status --queue`` share."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, final
from urllib.parse import quote

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import SplitjoinError, UsageError
from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.core.urls import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "BATCH",
    "GROUP_REFUSAL",
    "Message",
    "Queue",
    "QueueFacts",
    "SqsQueue",
    "check_queue_url",
    "fair_group",
    "is_passing",
    "queue_region",
    "shown_url",
]

BATCH = 10
"""Messages of one request, at most (SQS API Reference, "SendMessageBatch", "ReceiveMessage")."""
LONGEST_WAIT_SECONDS = 20
"""Of a long poll (SQS API Reference, "ReceiveMessage")."""
GROUP_REFUSAL = "InvalidParameter"
"""How the code begins with which a queue refuses a group that it does not know."""
GROUP_CHARACTERS, DIGEST_CHARACTERS = 128, 32
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.2
SHAPE = "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"


@dataclass(frozen=True, slots=True)
class Message:
    """One received message, this process's until its visibility timeout is over. ``receives``: this time included."""

    message_id: str
    receipt: str
    body: str
    receives: int = 1


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What the queue says of itself.

    ``visibility_seconds``: how long a received message is hidden. ``max_receives``: after so many it goes to the queue
    of ``dead_letter_arn``; None for both where it has none. ``messages``: about how many wait, are held, and are
    delayed.
    """

    visibility_seconds: int
    max_receives: int | None = None
    dead_letter_arn: str | None = None
    messages: int = 0


class Queue(Protocol):
    """A queue as the worker needs it. Thread-safe. Raises SplitjoinError; ``is_passing`` tells what may pass."""

    @property
    def url(self) -> str:
        """For messages."""

    def facts(self) -> QueueFacts:
        """Ask the queue."""

    def receive(self, most: int, *, wait_seconds: int, visibility_seconds: int) -> Sequence[Message]:
        """Up to ``most`` (at most BATCH) messages, hidden from others for ``visibility_seconds``."""

    def hide(self, messages: Sequence[Message], seconds: int) -> list[Message]:
        """Hide messages for ``seconds`` from now; 0 gives them back at once. Returns those that the queue refused."""

    def delete(self, message: Message) -> None:
        """It need not come again."""


def check_queue_url(url: str) -> str:
    """The URL of a queue. Raises UsageError, which does not repeat it: it may hold what it should not."""
    parts = parts_of(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.path.strip("/"):
        raise UsageError("not a queue's URL", hint=f"write {SHAPE}; aws sqs list-queues shows those that are there")
    if "@" in parts.netloc:
        raise UsageError("a queue's URL holds no user or password", hint="use AWS_* variables or --profile")
    return url


def queue_region(url: str) -> str | None:
    """``sqs.REGION.amazonaws.com``; None for a queue elsewhere."""
    words = (parts_of(url).hostname or "").split(".")
    return words[1] if len(words) > 2 and words[0] == "sqs" and "amazonaws" in words else None  # noqa: PLR2004


def fair_group(file_name: str) -> str:
    """The message group of a job's messages on a standard queue: its client, in the characters that groups have.

    Up to 128 of ASCII letters, digits and punctuation (SQS API Reference, "SendMessage"): other scripts are
    percent-encoded, and what is longer ends with a hash of it.
    """
    job = parse_file_name(file_name)
    group = quote(file_name if job is None else job.client, safe="")
    if len(group) <= GROUP_CHARACTERS:
        return group
    digest = hashlib.sha256(group.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{group[: GROUP_CHARACTERS - DIGEST_CHARACTERS]}{digest}"


def shown_url(url: str) -> str:
    """The URL less user, password and query."""
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_passing(error: SplitjoinError) -> bool:
    """Whether the same request may succeed later: the network, throttling, the service's own trouble."""
    return error.__cause__ is not None and aws.is_transient(error.__cause__)


@final
class SqsQueue:
    """See Queue. The URL's own region wins over the options'."""

    def __init__(
        self,
        url: str,
        options: aws.AwsOptions | None = None,
        *,
        connections: int = 8,
        client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Nothing is reached yet. ``client``: instead of ``options``; it stays the caller's. Raises UsageError."""
        self._url = check_queue_url(url)
        options = options or aws.AwsOptions()
        self._options = replace(options, region=queue_region(url) or options.region)
        self._shared = client is not None
        self._client = client or aws.client("sqs", self._options, connections=connections, attempts=ATTEMPTS)
        self._sleep = sleep

    @property
    def url(self) -> str:
        """See Queue."""
        return shown_url(self._url)

    def facts(self) -> QueueFacts:
        """See Queue."""
        found = self._ask("get_queue_attributes", AttributeNames=["All"]).get("Attributes", {})
        policy = _policy(found.get("RedrivePolicy"))
        counts = ("", "NotVisible", "Delayed")
        return QueueFacts(
            visibility_seconds=int(found.get("VisibilityTimeout", 30)),
            max_receives=int(policy["maxReceiveCount"]) if policy else None,
            dead_letter_arn=str(policy["deadLetterTargetArn"]) if policy else None,
            messages=sum(int(found.get(f"ApproximateNumberOfMessages{which}", 0)) for which in counts),
        )

    def dead_letter_queue(self, facts: QueueFacts) -> SqsQueue | None:
        """The queue that takes this one's dead letters: this one itself, where it is one; None where there is none.

        By the redrive policy. Where it has none, other queues' policies tell (a server that does not know the request,
        and an identity that may not make it, leave it open: then it is taken for one).
        """
        if facts.dead_letter_arn is not None:
            _, _, _, _, account, name = facts.dead_letter_arn.split(":", 5)
            found = self._ask("get_queue_url", queue=False, QueueName=name, QueueOwnerAWSAccountId=account)
            return SqsQueue(str(found["QueueUrl"]), self._options, client=self._client)
        try:
            sources = self._client.list_dead_letter_source_queues(QueueUrl=self._url, MaxResults=1)
        except aws.ERRORS:
            return self
        return self if sources.get("queueUrls") else None

    def receive(self, most: int, *, wait_seconds: int, visibility_seconds: int) -> Sequence[Message]:
        """See Queue."""
        answer = self._ask(
            "receive_message",
            MaxNumberOfMessages=min(most, BATCH),
            WaitTimeSeconds=min(wait_seconds, LONGEST_WAIT_SECONDS),
            VisibilityTimeout=visibility_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Message(
                str(one["MessageId"]),
                str(one["ReceiptHandle"]),
                str(one.get("Body", "")),
                int(one.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for one in answer.get("Messages", [])
        ]

    def hide(self, messages: Sequence[Message], seconds: int) -> list[Message]:
        """See Queue."""
        refused = []
        for batch in _batches(messages):
            entries = [
                {"Id": str(index), "ReceiptHandle": one.receipt, "VisibilityTimeout": seconds}
                for index, one in enumerate(batch)
            ]
            failed = self._ask("change_message_visibility_batch", Entries=entries).get("Failed", [])
            refused += [batch[int(one["Id"])] for one in failed]
        return refused

    def delete(self, message: Message) -> None:
        """See Queue."""
        self._ask("delete_message", ReceiptHandle=message.receipt)

    def send(self, bodies: Sequence[str], *, group: str | None = None) -> list[str | None]:
        """Put up to BATCH messages into the queue: for each None, or why the queue did not take it.

        What it refused for reasons of its own (throttling, internal errors) is sent again, ATTEMPTS times in all.
        ``group``: of the messages; a queue that knows no groups gets them without one.
        """
        results: list[str | None] = [None] * len(bodies)
        left = dict(enumerate(bodies))
        for attempt in range(1, ATTEMPTS + 1):
            grouped = {} if group is None else {"MessageGroupId": group}
            entries = [{"Id": str(index), "MessageBody": body, **grouped} for index, body in left.items()]
            failed = self._ask("send_message_batch", Entries=entries).get("Failed", [])
            for one in failed:
                results[int(one["Id"])] = f"{one.get('Code')}: {one.get('Message', '')}".rstrip(": ")
            ungrouped = {int(one["Id"]) for one in failed if grouped and str(one.get("Code")).startswith(GROUP_REFUSAL)}
            again = {int(one["Id"]) for one in failed if not one.get("SenderFault")} | ungrouped
            if not again or attempt == ATTEMPTS:
                break
            group = None if ungrouped else group
            left = {index: left[index] for index in sorted(again)}
            for index in left:
                results[index] = None
            if not ungrouped:
                self._sleep(FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
        return results

    def close(self) -> None:
        """Free connections. Safe to repeat."""
        if not self._shared:
            self._client.close()

    def _ask(self, method: str, *, queue: bool = True, **parameters: object) -> dict[str, Any]:
        """One request, repeated by botocore. What it raises is ours."""
        arguments = {"QueueUrl": self._url, **parameters} if queue else parameters
        try:
            answer: dict[str, Any] = getattr(self._client, method)(**arguments)
        except aws.ERRORS as exc:
            operation = "sqs:" + str(self._client.meta.method_to_api_mapping[method]).removesuffix("Batch")
            raise aws.translate(exc, operation, self.url) from exc
        return answer


def _policy(text: str | None) -> dict[str, Any] | None:
    """A redrive policy, where there is one that says both."""
    try:
        policy = json.loads(text or "null")
    except ValueError:
        return None
    wanted = {"maxReceiveCount", "deadLetterTargetArn"}
    return policy if isinstance(policy, dict) and wanted <= set(policy) else None


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    listed = list(messages)
    for start in range(0, len(listed), BATCH):
        yield listed[start : start + BATCH]
