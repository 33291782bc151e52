"""Messages that say that an object was stored: S3 notifications direct, in SQS, in SNS, in both, and EventBridge's.

Shapes as in the S3 User Guide ("Event message structure", "Using EventBridge"), the SNS Developer Guide ("HTTP/HTTPS
notification JSON format") and the Lambda Developer Guide ("Using Lambda with Amazon SQS").
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_plus

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.core.names import ChunkName

__all__ = ["Batch", "ChunkArrived", "Delivery", "batch_answer", "notification", "read_body", "read_lambda_event"]

_LOG = logging.getLogger(__name__)
_NESTED = 4
"""Envelopes in envelopes; nothing real has more than SNS in SQS."""


@dataclass(frozen=True, slots=True)
class ChunkArrived:
    """An object with a chunk's name was stored. It names a place and nothing more: whose bytes lie there the GET says.

    ``uri``: ``s3://bucket/key`` with the key as it is, decoded; or a path. ``sequencer``: S3's order of the events of
    one key, None elsewhere. ``event_id``: the message it came in. ``receives``: how often that message was delivered,
    where the queue tells.
    """

    uri: str
    name: ChunkName
    event_id: str | None = None
    sequencer: str | None = None
    receives: int = 1

    @classmethod
    def at(cls, uri: str, *, event_id: str | None = None, receives: int = 1) -> ChunkArrived:
        """The arrival of the chunk at ``uri``. Raises EventError where that names no chunk."""
        name = names.parse(uri)
        if name is None:
            raise EventError(f"{uri} is no chunk's name")
        return cls(uri, name, event_id=event_id, receives=receives)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message: it is acknowledged as a whole. ``message_id`` is None where the event itself is the message.

    ``error``: it could not be read; it then holds no arrivals and must not be acknowledged.
    """

    message_id: str | None
    arrivals: tuple[ChunkArrived, ...]
    error: EventError | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call of a Lambda function brings. ``partial``: a queue's batch, answered message by message."""

    deliveries: tuple[Delivery, ...]
    partial: bool = field(default=False)


def batch_answer(failed: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """What a function with ReportBatchItemFailures returns: the messages that are to come again."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def notification(bucket: str, key: str) -> dict[str, Any]:
    """An S3 notification as S3 would send it for an object: what ``retry`` puts into a queue or a function."""
    s3 = {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}


def read_lambda_event(event: Mapping[str, Any]) -> Batch:
    """Take the event of a Lambda function apart: S3's, SQS's, SNS's or EventBridge's. Never raises for a message."""
    records = event.get("Records")
    if isinstance(records, list) and records and all(_source_of(record) == "aws:sqs" for record in records):
        return Batch(tuple(_from_sqs(record) for record in records), partial=True)
    return Batch((_delivery(None, event, None, 1),))


def read_body(body: str, *, message_id: str | None = None, receives: int = 1) -> Delivery:
    """The same for the body of one SQS message. ``receives``: its ApproximateReceiveCount."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as exc:
        return Delivery(message_id, (), EventError(f"message {message_id} is no JSON: {exc}"))
    return _delivery(message_id, message, message_id, receives)


def _from_sqs(record: Mapping[str, Any]) -> Delivery:
    receives = str(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
    count = int(receives) if receives.isdecimal() else 1
    return read_body(str(record.get("body", "")), message_id=str(record.get("messageId")), receives=count)


def _delivery(message_id: str | None, message: object, event_id: str | None, receives: int) -> Delivery:
    try:
        return Delivery(message_id, tuple(_arrivals(message, event_id, receives, 0)))
    except EventError as exc:
        return Delivery(message_id, (), exc)


def _arrivals(message: object, event_id: str | None, receives: int, depth: int) -> Iterator[ChunkArrived]:
    """The chunks that a message names, whatever envelopes it is in."""
    if not isinstance(message, Mapping) or depth > _NESTED:
        raise EventError(f"not an event that a worker knows: {_shown(message)}")
    if message.get("Event") == "s3:TestEvent":
        _LOG.info("ignored: S3's test event for bucket %s", message.get("Bucket"))
    elif "Records" in message and isinstance(message["Records"], list):
        for record in message["Records"]:
            yield from _from_record(record, event_id, receives, depth)
    elif message.get("Type") == "Notification" and "Message" in message:
        yield from _arrivals(_inner(message["Message"]), message.get("MessageId") or event_id, receives, depth + 1)
    elif message.get("source") == "aws.s3" and isinstance(message.get("detail"), Mapping):
        yield from _from_eventbridge(message, event_id, receives)
    else:
        raise EventError(f"not an event that a worker knows: {_shown(message)}")


def _from_record(record: object, event_id: str | None, receives: int, depth: int) -> Iterator[ChunkArrived]:
    source = _source_of(record)
    if not isinstance(record, Mapping) or source is None:
        raise EventError(f"not a record that a worker knows: {_shown(record)}")
    if source == "aws:sns":
        sns = record.get("Sns", {})
        yield from _arrivals(_inner(sns.get("Message")), sns.get("MessageId"), receives, depth + 1)
    elif source == "aws:sqs":
        yield from _arrivals(_inner(record.get("body")), record.get("messageId"), receives, depth + 1)
    elif source == "aws:s3":
        yield from _from_s3(record, event_id, receives)
    else:
        raise EventError(f"not a record that a worker knows: {_shown(record)}")


def _from_s3(record: Mapping[str, Any], event_id: str | None, receives: int) -> Iterator[ChunkArrived]:
    """S3's own record. Its key is url-encoded as in a form: a space is ``+``."""
    name = str(record.get("eventName", "")).removeprefix("s3:")
    bucket, key, sequencer = _place(record.get("s3"))
    key = unquote_plus(key)
    if not name.startswith("ObjectCreated:"):
        _LOG.info("ignored: %s of s3://%s/%s", name, bucket, key)
        return
    yield from _chunk(bucket, key, event_id, sequencer, receives)


def _from_eventbridge(message: Mapping[str, Any], event_id: str | None, receives: int) -> Iterator[ChunkArrived]:
    """EventBridge's form. Its key is as it is: decoded again, a ``+`` would become a space."""
    bucket, key, sequencer = _place(message["detail"])
    if message.get("detail-type") != "Object Created":
        _LOG.info("ignored: %s of s3://%s/%s", message.get("detail-type"), bucket, key)
        return
    yield from _chunk(bucket, key, str(message.get("id") or event_id or "") or None, sequencer, receives)


def _chunk(bucket: str, key: str, event_id: str | None, sequencer: str | None, receives: int) -> Iterator[ChunkArrived]:
    name = names.parse(key)
    if name is None:
        _LOG.info("ignored: s3://%s/%s is no chunk", bucket, key)
        return
    yield ChunkArrived(f"s3://{bucket}/{key}", name, event_id, sequencer, receives)


def _place(s3: object) -> tuple[str, str, str | None]:
    """Bucket, key and sequencer."""
    try:
        bucket, found = s3["bucket"]["name"], s3["object"]  # type: ignore[index]  # what it is not is caught
        key, sequencer = found["key"], found.get("sequencer")
    except (KeyError, TypeError, AttributeError) as exc:
        raise EventError(f"an event without bucket and key: {_shown(s3)}") from exc
    if not (isinstance(bucket, str) and isinstance(key, str) and bucket and key):
        raise EventError(f"an event without bucket and key: {_shown(s3)}")
    return bucket, key, sequencer


def _source_of(record: object) -> str | None:
    """``eventSource``; SNS writes it with a capital."""
    if not isinstance(record, Mapping):
        return None
    found = record.get("eventSource") or record.get("EventSource")
    return str(found) if found else None


def _inner(text: object) -> object:
    if not isinstance(text, str):
        raise EventError(f"an envelope without a message: {_shown(text)}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise EventError(f"a message in an envelope is no JSON: {exc}") from exc


def _shown(value: object) -> str:
    """Its beginning: a message can be 256 KB long."""
    return repr(value)[:120]
