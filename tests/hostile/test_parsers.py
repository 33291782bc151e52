"""Each parser of a document from outside: a value of its range, or a refusal that names document and field."""

# ruff: noqa: E501 -- a field, what is in it and what is said of it stand on one line

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import EventError, StoreError
from splitjoin_cli.core.format import documents
from splitjoin_cli.core.format.fields import is_text_encoding
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import decode_metadata
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.join.events import notification, read_body, read_lambda_event
from tests.hostile.documents import (
    HOSTILE_TEXTS,
    VALUES,
    changed_documents,
    directory_objects,
    hostile_bytes,
    our_layout,
    paths,
    plan_of,
    put,
    right_manifest,
)
from tests.splitting.places import FILE_NAME, MANIFEST, stored_split

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
RIGHT_MANIFEST = right_manifest()
RIGHT_PLAN = plan_of(Manifest.from_bytes(directory_objects()[MANIFEST]))
RIGHT_METADATA: dict[str, Any] = json.loads(
    stored_split(HEADER := b"id\n", [[b"1\n"]]).metadata[f"{FILE_NAME}-1-1.csv"]
)
EVENT = notification("bucket", f"in/{FILE_NAME}-1-3.csv")
SNS = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(EVENT), "MessageId": "m"}}]}
SQS = {
    "Records": [
        {
            "eventSource": "aws:sqs",
            "messageId": "m1",
            "body": json.dumps(EVENT),
            "attributes": {"ApproximateReceiveCount": "2"},
        }
    ]
}
BRIDGE = {
    "source": "aws.s3",
    "id": "e1",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "bucket"}, "object": {"key": f"in/{FILE_NAME}-1-3.csv", "sequencer": "1"}},
}


def is_plain(text: str) -> bool:
    """Whether a message can be shown as it is."""
    return not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in text)


def check_split(split: Manifest | PlanFile) -> None:
    """What was accepted is in range, and names no place but its own."""
    job = names.parse_file_name(split.file_name)
    assert job is not None
    assert job.file_name == split.file_name
    assert "/" not in split.file_name
    assert 1 <= split.generation < 2**63
    assert split.run_id
    assert split.run_id.isascii()
    assert 1 <= len(split.chunks) <= 10_000_000
    assert is_text_encoding(split.dialect.encoding)
    assert all(chunk.range.end < 2**63 for chunk in split.chunks)


def read_document(kind: type[Manifest | PlanFile], data: bytes) -> None:
    """Read it: in range, or refused by name."""
    try:
        found = kind.from_bytes(data, "the-name", file_name=FILE_NAME)
    except StoreError as exc:
        check_refusal(exc)
    else:
        check_split(found)
        assert found.file_name == FILE_NAME


def check_refusal(error: StoreError) -> None:
    """It names the document, can be shown as it is, and is short."""
    assert error.message.startswith("the-name"), error.message
    assert is_plain(error.message), error.message
    assert len(error.message) < 600


@QUICK
@given(hostile_bytes(RIGHT_MANIFEST))
def test_manifest_is_read_or_refused_by_name(data: bytes) -> None:
    """Whatever its fields hold."""
    read_document(Manifest, data)


@QUICK
@given(hostile_bytes(RIGHT_PLAN))
def test_plan_is_read_or_refused_by_name(data: bytes) -> None:
    """Whatever its fields hold."""
    read_document(PlanFile, data)


@QUICK
@given(changed_documents(RIGHT_METADATA), st.none() | st.integers(0, 100))
def test_metadata_is_read_or_refused_by_name(document: dict[str, Any], size: int | None) -> None:
    """Whatever its fields hold; a header is never longer than its object."""
    try:
        found = decode_metadata(json.dumps(document), "the-name", size=size)
    except StoreError as exc:
        check_refusal(exc)
    else:
        assert 1 <= found.number <= found.total
        assert found.compression is not None or size is None or found.header_bytes <= size
        assert found.header_bytes <= 16 * 1024 * 1024
        assert names.parse_file_name(found.file_name) is not None


@pytest.mark.parametrize("path", [path for path in paths(RIGHT_MANIFEST) if path[-1] not in {0, 1, 2}], ids=repr)
def test_each_field_of_a_manifest_is_named(path: tuple[str | int, ...]) -> None:
    """A list in its place, which none of them takes but lists: the error has the field's name."""
    value: object = {"a": []} if path[-1] in {"warnings", "chunks"} else [[]]
    with pytest.raises(StoreError) as caught:
        Manifest.from_bytes(our_layout(put(RIGHT_MANIFEST, path, value)), "m")
    assert str(path[-1]) in caught.value.message


@pytest.mark.parametrize("path", [path for path in paths(RIGHT_PLAN) if not isinstance(path[-1], int)], ids=repr)
def test_each_field_of_a_plan_is_named(path: tuple[str | int, ...]) -> None:
    """The same for a plan."""
    value: object = {"a": []} if path[-1] in {"warnings", "chunks", "ends", "rows", "checksums"} else [[]]
    with pytest.raises(StoreError) as caught:
        PlanFile.from_bytes(our_layout(put(RIGHT_PLAN, path, value)), "p")
    assert str(path[-1]) in caught.value.message


@pytest.mark.parametrize("path", list(paths(RIGHT_METADATA)), ids=repr)
def test_each_field_of_metadata_is_named(path: tuple[str | int, ...]) -> None:
    """The same for what a chunk says of itself."""
    with pytest.raises(StoreError) as caught:
        decode_metadata(json.dumps(put(RIGHT_METADATA, path, [[]])), "c")
    assert str(path[-1]) in caught.value.message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("generation",), 0, "generation: expected an integer from 1 to 9223372036854775807, found 0"),
        (("generation",), 10**30, "generation: expected an integer from 1 to 9223372036854775807, found a number of 31 digits"),
        (("generation",), True, "generation: expected an integer from 1 to 9223372036854775807, found true"),
        (("run_id",), "", 'run_id: expected what [0-9A-Za-z._-]{1,64} matches, found ""'),
        (("run_id",), "\ud800", 'run_id: expected what [0-9A-Za-z._-]{1,64} matches, found "\\ud800"'),
        (("file_name",), "../other/x_1", 'file_name: expected CLIENT_DATE, as in the chunks\' names, found "../other/x_1"'),
        (("file_name",), "beta_20240131", "file_name: expected acme_20240131, found beta_20240131"),
        (("dialect", "encoding"), "rot13", 'dialect.encoding: expected an encoding of text that keeps ASCII, found "rot13"'),
        (("header_bytes",), 3 * 10**9, "header_bytes: expected an integer from 0 to 16777216, found 3000000000"),
        (("total_parts",), 10_000_001, "total_parts: expected an integer from 1 to 10000000, found 10000001"),
        (("total_parts",), 2, 'chunk 1: name: expected acme_20240131-1-2.csv, found "acme_20240131-1-3.csv"'),
        (("rows",), 5, "rows: is 5, but its chunks sum up to 4"),
        (("bytes",), 5, "bytes: is 5, but its chunks sum up to 40"),
        (("chunks", 1, "bytes"), 5, "chunk 2: bytes: is 5, but header and range are 12"),
        (("chunks", 1, "name"), "../x", 'chunk 2: name: expected acme_20240131-2-3.csv, found "../x"'),
        (("source", "fingerprint"), "\x1b[2J", "source.fingerprint: expected text, found U+001B at character 1"),
        (("warnings",), [3], "warnings[0]: expected text, found 3"),
        (("version",), 3.0, "version: expected an integer from 1 to 9223372036854775807, found 3.0"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_told(path: tuple[str | int, ...], value: object, message: str) -> None:
    """What was expected, what was found, in a text that can be shown."""
    with pytest.raises(StoreError) as caught:
        Manifest.from_bytes(our_layout(put(RIGHT_MANIFEST, path, value)), "m", file_name=FILE_NAME)
    assert caught.value.message == f"m holds no manifest that splitjoin can read: {message}"


@pytest.mark.parametrize("read", [Manifest.from_bytes, PlanFile.from_bytes])
def test_a_newer_release_wrote_it(read: Callable[[bytes, str], object]) -> None:
    """A version that is not known is no damage: the way out is an update."""
    with pytest.raises(StoreError) as caught:
        read(our_layout(put(RIGHT_MANIFEST, ("version",), 9000)), "m")
    assert caught.value.message.endswith("version: expected 1 or 2, found 9000")
    assert caught.value.hint == "update splitjoin here: a newer release wrote it"


def test_a_key_that_is_there_twice_is_refused() -> None:
    """Of two values readers differ in which one they take."""
    data = our_layout(RIGHT_MANIFEST)
    for key in ("generation", "chunks"):
        with pytest.raises(StoreError) as caught:
            Manifest.from_bytes(data.replace(b"{", b'{"%s": [1], ' % key.encode(), 1), "m")
        assert "is there twice" in caught.value.message
        assert key in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        b'{"version": 1, "x": ' + b"[" + b"[]," * 30_000 + b"[]]}",
        b'{"version": 1, "chunks": [' + b"{}," * 30_000 + b"{}]}",
        b'{"version": 1, "chunks": [{"a": [' + b"[]," * 30_000 + b"[]]}]}",
        b'{"version": 1,\n"chunks": [\n{"a": [' + b"[]," * 30_000 + b"[]]}\n]}\n",
        b'{"version": 1, "a": "' + b"x" * 1_30_000 + b'"}',
        b'{"version": ' + b"9" * 1_30_000 + b"}",
        b"[" * 1_100_000,
        b'"' * 300_000,
    ],
    ids=["head", "empty chunks", "one chunk", "one line", "text", "digits", "depth", "quotes"],
)
def test_memory_follows_the_document(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of JSON take 30 times their bytes; no more of them is decoded than a head and an item may have."""
    monkeypatch.setattr(documents, "MAX_HEAD_BYTES", 10_000)
    monkeypatch.setattr(documents, "MAX_ITEM_BYTES", 10_000)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match=r"^m holds no manifest"):
            Manifest.from_bytes(data, "m")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(data) + 40 * 20_000


def check_delivery(error: EventError | None) -> None:
    """Refused with a reason that can be shown."""
    if error is not None:
        assert len(error.message) < 600
        assert is_plain(error.message.replace("\t", "")), error.message


@QUICK
@given(st.sampled_from([EVENT, SNS, SQS, BRIDGE]).flatmap(changed_documents) | VALUES)
@example([])
@example(None)
def test_an_event_names_chunks_or_is_refused(event: object) -> None:
    """Lambda hands over whatever somebody sends: a batch is made of it, and nothing is raised."""
    for delivery in read_lambda_event(event).deliveries:
        check_delivery(delivery.error)
        for arrived in delivery.arrivals:
            bucket, _, key = arrived.uri.removeprefix("s3://").partition("/")
            assert bucket
            assert names.parse(key) == arrived.name


@QUICK
@given(
    st.sampled_from([EVENT, SNS, BRIDGE]).flatmap(changed_documents).map(json.dumps)
    | st.text()
    | st.sampled_from(["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "NaN", *HOSTILE_TEXTS])
)
def test_a_message_names_chunks_or_is_refused(body: str) -> None:
    """The same for what lies in a queue."""
    check_delivery(read_body(body, message_id="m1").error)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": 7}]}, "an SQS record: body: expected text, found 7"),
        (put(EVENT, ("Records", 0, "s3", "bucket", "name"), "a/b"),
         'not an event that a worker knows: Records[0].s3.bucket.name: expected a bucket\'s name, found "a/b"'),
        (put(EVENT, ("Records", 0, "s3", "object", "key"), "x" * 2000),
         "not an event that a worker knows: Records[0].s3.object.key: expected a key of 1 to 1,024 bytes, found "
         + json.dumps("x" * 120)),
        (put(SNS, ("Records", 0, "Sns"), 3), "not an event that a worker knows: Records[0].Sns: expected an object, found 3"),
        (put(BRIDGE, ("detail", "object"), ...), "not an event that a worker knows: detail.object: is missing"),
    ],
)  # fmt: skip
def test_events_out_of_range_are_told(event: object, message: str) -> None:
    """The field's place in the message, and what was expected."""
    (delivery,) = read_lambda_event(event).deliveries
    assert delivery.error is not None
    assert delivery.error.message == message
