"""Messages that say that an object was stored: S3 notifications direct, in SQS, in SNS, in both, and EventBridge's.

Shapes as in the S3 User Guide ("Event message structure", "Using EventBridge"), the SNS Developer Guide ("HTTP/HTTPS
notification JSON format") and the Lambda Developer Guide ("Using Lambda with Amazon SQS").
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_plus

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import EventError
from splitjoin_cli.core.format.fields import FieldError, bad_field, decode_json, take, take_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from splitjoin_cli.core.names import ChunkName

__all__ = ["Batch", "ChunkArrived", "Delivery", "batch_answer", "notification", "read_body", "read_lambda_event"]

_LOG = logging.getLogger(__name__)
_NESTED = 4
"""Envelopes in envelopes; nothing real has more than SNS in SQS."""
MAX_MESSAGE = 1024 * 1024
"""Characters: what SQS takes, and more than SNS, EventBridge and Lambda's events do."""
MAX_KEY_BYTES = 1024
"""Of UTF-8 (S3 User Guide, "Naming Amazon S3 objects")."""
MAX_ID = 256
SHOWN = 120
_BUCKET = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,254}")
_COUNT = re.compile(r"[0-9]{1,9}")


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
            raise EventError(f"{uri} is not the name of a chunk")
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


def read_lambda_event(event: object) -> Batch:
    """Take the event of a Lambda function apart: S3's, SQS's, SNS's or EventBridge's. Never raises for a message."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if isinstance(records, list) and records and all(_is_from_sqs(record) for record in records):
        return Batch(tuple(_from_sqs(record) for record in records), partial=True)
    return Batch((_delivery(None, event, None, 1),))


def read_body(body: str, *, message_id: str | None = None, receives: int = 1) -> Delivery:
    """The same for the body of one SQS message. ``receives``: its ApproximateReceiveCount."""
    try:
        message = _decoded(body)
    except (ValueError, RecursionError) as exc:
        return Delivery(message_id, (), EventError(f"message {message_id} is not JSON: {_reason(exc)}"))
    return _delivery(message_id, message, message_id, receives)


def _from_sqs(record: Mapping[str, Any]) -> Delivery:
    """One message of a queue's batch. Without an id none can be answered for: the whole batch comes again."""
    message_id = record.get("messageId")
    try:
        known = _text(record, "messageId", "")
        body = take(record, "body", str)
    except FieldError as exc:
        return Delivery(message_id if isinstance(message_id, str) else None, (), EventError(f"an SQS record: {exc}"))
    attributes = record.get("attributes")
    receives = attributes.get("ApproximateReceiveCount") if isinstance(attributes, Mapping) else None
    count = int(receives) if isinstance(receives, str) and _COUNT.fullmatch(receives) else 1
    return read_body(body, message_id=known, receives=count)


def _delivery(message_id: str | None, message: object, event_id: str | None, receives: int) -> Delivery:
    try:
        return Delivery(message_id, tuple(_arrivals(message, event_id, receives, 0)))
    except EventError as exc:
        return Delivery(message_id, (), exc)
    except FieldError as exc:
        return Delivery(message_id, (), EventError(f"not an event that a worker knows: {exc}"))


def _arrivals(message: object, event_id: str | None, receives: int, depth: int) -> Iterator[ChunkArrived]:
    """The chunks that a message names, whatever envelopes it is in."""
    if not isinstance(message, Mapping) or depth > _NESTED:
        raise EventError(f"not an event that a worker knows: {_shown(message)}")
    if message.get("Event") == "s3:TestEvent":
        _LOG.info("ignored: S3's test event for bucket %s", _word(message.get("Bucket")))
    elif "Records" in message and isinstance(message["Records"], list):
        for place, record in enumerate(message["Records"]):
            yield from _from_record(record, f"Records[{place}].", event_id, receives, depth)
    elif message.get("Type") == "Notification" and "Message" in message:
        inner, inner_id = _inner(message, "Message", ""), _id(message, "MessageId", "")
        yield from _arrivals(inner, inner_id or event_id, receives, depth + 1)
    elif message.get("source") == "aws.s3" and isinstance(message.get("detail"), Mapping):
        yield from _from_eventbridge(message, event_id, receives)
    else:
        raise EventError(f"not an event that a worker knows: {_shown(message)}")


def _from_record(
    record: object, within: str, event_id: str | None, receives: int, depth: int
) -> Iterator[ChunkArrived]:
    source = _source_of(record)
    if not isinstance(record, Mapping) or source is None:
        raise EventError(f"not a record that a worker knows: {_shown(record)}")
    if source == "aws:sns":
        sns, inside = take(record, "Sns", dict, within=within), f"{within}Sns."
        yield from _arrivals(_inner(sns, "Message", inside), _id(sns, "MessageId", inside), receives, depth + 1)
    elif source == "aws:sqs":
        inner = _inner(record, "body", within)
        yield from _arrivals(inner, _id(record, "messageId", within), receives, depth + 1)
    elif source == "aws:s3":
        yield from _from_s3(record, within, event_id, receives)
    else:
        raise EventError(f"not a record that a worker knows: its eventSource is {_brief(source)}")


def _from_s3(record: Mapping[str, Any], within: str, event_id: str | None, receives: int) -> Iterator[ChunkArrived]:
    """S3's own record. Its key is url-encoded as in a form: a space is ``+``."""
    name = take(record, "eventName", str, within=within).removeprefix("s3:")
    bucket, key, sequencer = _place(take(record, "s3", dict, within=within), f"{within}s3.", decode=unquote_plus)
    if not name.startswith("ObjectCreated:"):
        _LOG.info("ignored: %s of s3://%s/%s", _word(name), bucket, key)
        return
    yield from _chunk(bucket, key, event_id, sequencer, receives)


def _from_eventbridge(message: Mapping[str, Any], event_id: str | None, receives: int) -> Iterator[ChunkArrived]:
    """EventBridge's form. Its key is as it is: decoded again, a ``+`` would become a space."""
    bucket, key, sequencer = _place(message["detail"], "detail.", decode=str)
    if message.get("detail-type") != "Object Created":
        _LOG.info("ignored: %s of s3://%s/%s", _word(message.get("detail-type")), bucket, key)
        return
    yield from _chunk(bucket, key, _id(message, "id", "") or event_id, sequencer, receives)


def _chunk(bucket: str, key: str, event_id: str | None, sequencer: str | None, receives: int) -> Iterator[ChunkArrived]:
    name = names.parse(key)
    if name is None:
        _LOG.info("ignored: s3://%s/%s is not a chunk", bucket, key)
        return
    yield ChunkArrived(f"s3://{bucket}/{key}", name, event_id, sequencer, receives)


def _place(s3: Mapping[str, Any], within: str, *, decode: Callable[[str], str]) -> tuple[str, str, str | None]:
    """Bucket, key and sequencer; the key as ``decode`` makes it."""
    bucket, found = take(s3, "bucket", dict, within=within), take(s3, "object", dict, within=within)
    name = take(bucket, "name", str, within=f"{within}bucket.")
    if not _BUCKET.fullmatch(name):
        raise bad_field(f"{within}bucket.name", f"expected a bucket's name, found {_brief(name)}")
    key = decode(take_text(found, "key", within=f"{within}object.", path=True))
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MAX_KEY_BYTES or "\0" in key:
        raise bad_field(f"{within}object.key", f"expected a key of 1 to {MAX_KEY_BYTES:,} bytes, found {_brief(key)}")
    return name, key, _id(found, "sequencer", f"{within}object.")


def _source_of(record: object) -> str | None:
    """``eventSource``; SNS writes it with a capital."""
    if not isinstance(record, Mapping):
        return None
    found = record.get("eventSource") or record.get("EventSource")
    return found if isinstance(found, str) else None


def _is_from_sqs(record: object) -> bool:
    return _source_of(record) == "aws:sqs"


def _inner(envelope: Mapping[str, Any], key: str, within: str) -> object:
    text = take(envelope, key, str, within=within)
    try:
        return _decoded(text)
    except (ValueError, RecursionError) as exc:
        raise EventError(f"a message in an envelope is not JSON: {within}{key}: {_reason(exc)}") from exc


def _id(fields: Mapping[str, Any], key: str, within: str) -> str | None:
    """What names a message or orders it; nothing depends on one that is missing."""
    return None if fields.get(key) is None else _text(fields, key, within)


def _text(fields: Mapping[str, Any], key: str, within: str) -> str:
    """A short text."""
    value = take_text(fields, key, within=within)
    if len(value) > MAX_ID:
        raise bad_field(f"{within}{key}", f"expected at most {MAX_ID} characters, found {len(value):,}")
    return value


def _decoded(text: str) -> object:
    """JSON, of which no more is decoded than a queue's message can hold."""
    if len(text) > MAX_MESSAGE:
        raise ValueError(f"it has {len(text):,} characters; {MAX_MESSAGE:,} are the most")
    return decode_json(text.encode())


def _reason(exc: ValueError | RecursionError) -> str:
    return "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)[:SHOWN]


def _brief(value: object) -> str:
    """A name's beginning, for messages."""
    return json.dumps(value[:SHOWN]) if isinstance(value, str) else type(value).__name__


def _word(value: object) -> str:
    """A word for the log, which escapes what it holds."""
    return value[:SHOWN] if isinstance(value, str) else type(value).__name__


def _shown(value: object) -> str:
    """What a message is, in brief: it can be a megabyte long."""
    if isinstance(value, Mapping):
        keys = ", ".join(json.dumps(str(key)[:20]) for key in islice(value, 5))
        return f"an object with {keys}" if keys else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return json.dumps(value)[:SHOWN] if isinstance(value, str | int | float | bool | None) else type(value).__name__
