"""Events in all the forms that S3's notifications come in."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import EventError
from splitjoin_cli.core.names import ChunkName
from splitjoin_cli.join.events import (
    Batch,
    ChunkArrived,
    Delivery,
    batch_answer,
    notification,
    read_body,
    read_lambda_event,
)
from tests.laws import examples

PLAIN = "in/Zoë-Söhne_20240131-02-10.csv"
ENCODED = "in/Zo%C3%AB-S%C3%B6hne_20240131-02-10.csv"
NAME = ChunkName("Zoë-Söhne", "20240131", 2, 10)
URI = f"s3://bucket/{PLAIN}"


def s3_record(key: str = ENCODED, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """One record as S3 sends it."""
    found = {"key": key, "eTag": "0", "sequencer": "0055AED6DCD90281E5"}
    return {"eventSource": "aws:s3", "eventName": name, "s3": {"bucket": {"name": "bucket"}, "object": found}}


def s3_event(*records: dict[str, Any]) -> dict[str, Any]:
    """A notification as S3 sends it."""
    return {"Records": list(records)}


def in_sqs(*bodies: str) -> dict[str, Any]:
    """What a Lambda function gets from a queue."""
    return {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "messageId": f"m{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "3"},
            }
            for number, body in enumerate(bodies, start=1)
        ]
    }


def sns_envelope(message: str) -> str:
    """What SNS puts into a queue."""
    return json.dumps({"Type": "Notification", "MessageId": "n1", "TopicArn": "arn:aws:sns:x", "Message": message})


def eventbridge(key: str = PLAIN, detail_type: str = "Object Created") -> dict[str, Any]:
    """What EventBridge sends: its key is not encoded."""
    detail = {"bucket": {"name": "bucket"}, "object": {"key": key, "sequencer": "00617F08299329D189"}}
    return {"id": "e1", "source": "aws.s3", "detail-type": detail_type, "detail": detail}


FORMS = {
    "direct": s3_event(s3_record()),
    "SQS": in_sqs(json.dumps(s3_event(s3_record()))),
    "SNS": {
        "Records": [
            {"EventSource": "aws:sns", "Sns": {"MessageId": "n1", "Message": json.dumps(s3_event(s3_record()))}}
        ]
    },
    "SNS in SQS": in_sqs(sns_envelope(json.dumps(s3_event(s3_record())))),
    "SNS raw in SQS": in_sqs(json.dumps(s3_event(s3_record()))),
    "EventBridge": eventbridge(),
    "EventBridge in SQS": in_sqs(json.dumps(eventbridge())),
    "our own": notification("bucket", PLAIN),
}


@pytest.mark.parametrize("event", FORMS.values(), ids=FORMS.keys())
def test_every_form_names_the_same_chunk(event: dict[str, Any]) -> None:
    """Whatever envelopes it came in."""
    batch = read_lambda_event(event)
    assert [(arrived.uri, arrived.name) for each in batch.deliveries for arrived in each.arrivals] == [(URI, NAME)]
    assert [each.error for each in batch.deliveries] == [None]


def test_a_batch_of_a_queue_is_answered_in_parts() -> None:
    """Each message is a delivery of its own, with its id and how often it came."""
    batch = read_lambda_event(in_sqs(json.dumps(s3_event(s3_record())), "{"))
    assert batch.partial
    first, second = batch.deliveries
    assert first == Delivery("m1", (ChunkArrived(URI, NAME, "m1", "0055AED6DCD90281E5", 3),))
    assert (second.message_id, second.arrivals) == ("m2", ())
    assert str(second.error).startswith("message m2 is not JSON: ")
    assert batch_answer(["m2"]) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}


def test_an_event_of_its_own_is_no_partial_batch() -> None:
    """S3 itself repeats the whole call."""
    assert read_lambda_event(s3_event(s3_record())) == Batch(
        (Delivery(None, (ChunkArrived(URI, NAME, None, "0055AED6DCD90281E5", 1),)),)
    )


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (s3_event(s3_record("in/a%2Bb-c/x+y/acme_1-1-2.csv")), "in/a+b-c/x y/acme_1-1-2.csv"),
        (s3_event(s3_record("in/%252B/acme_1-1-2.csv")), "in/%2B/acme_1-1-2.csv"),
        (eventbridge("in/a+b%2B/acme_1-1-2.csv"), "in/a+b%2B/acme_1-1-2.csv"),
        (notification("bucket", "in/a+b %2B/acme_1-1-2.csv"), "in/a+b %2B/acme_1-1-2.csv"),
    ],
)
def test_keys_are_decoded_exactly_once(event: dict[str, Any], key: str) -> None:
    """S3's are encoded as in a form, EventBridge's not at all."""
    (delivery,) = read_lambda_event(event).deliveries
    assert [arrived.uri for arrived in delivery.arrivals] == [f"s3://bucket/{key}"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
@examples(100)
def test_any_prefix_survives_an_event(prefix: str) -> None:
    """Delimiters of URLs, forms and keys, escapes, any script: what ``retry`` and ``--notify`` send is what is read."""
    key = f"{prefix}/acme_1-1-2.csv"
    (delivery,) = read_lambda_event(notification("bucket", key)).deliveries
    assert [arrived.uri for arrived in delivery.arrivals] == [f"s3://bucket/{key}"]


def test_a_version_names_the_same_chunk() -> None:
    """An event of a versioned bucket: the worker reads the newest, whose metadata say which run it is."""
    record = s3_record()
    record["s3"]["object"]["versionId"] = "096fKKXTRTtl3on89fVO.nfljtsv6qko"
    (delivery,) = read_lambda_event(s3_event(record)).deliveries
    assert [arrived.uri for arrived in delivery.arrivals] == [URI]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"},
            "ignored: S3's test event for bucket bucket",
        ),
        (s3_event(s3_record("in/acme_1.manifest.json")), "ignored: s3://bucket/in/acme_1.manifest.json is not a chunk"),
        (s3_event(s3_record("in/acme_1.plan.json")), "ignored: s3://bucket/in/acme_1.plan.json is not a chunk"),
        (s3_event(s3_record("in/.splitjoin-probe-0f")), "ignored: s3://bucket/in/.splitjoin-probe-0f is not a chunk"),
        (s3_event(s3_record("in/some+notes.txt")), "ignored: s3://bucket/in/some notes.txt is not a chunk"),
        (s3_event(s3_record(ENCODED, "ObjectRemoved:Delete")), f"ignored: ObjectRemoved:Delete of {URI}"),
        (
            s3_event(s3_record(ENCODED, "ObjectRemoved:DeleteMarkerCreated")),
            f"ignored: ObjectRemoved:DeleteMarkerCreated of {URI}",
        ),
        (eventbridge(PLAIN, "Object Deleted"), f"ignored: Object Deleted of {URI}"),
    ],
)
def test_what_is_no_chunk_is_ignored_with_a_line(
    event: dict[str, Any], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is acknowledged: nobody will ever handle it."""
    caplog.set_level(logging.INFO)
    (delivery,) = read_lambda_event(event).deliveries
    assert (delivery.arrivals, delivery.error) == ((), None)
    assert caplog.messages == [line]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "not an event that a worker knows: a list of 0"),
        ('{"a": 1}', 'not an event that a worker knows: an object with "a"'),
        (
            '{"Records": [{"eventSource": "aws:kinesis"}]}',
            'not a record that a worker knows: its eventSource is "aws:kinesis"',
        ),
        ('{"Records": [7]}', "not a record that a worker knows: 7"),
        (
            '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]}',
            "not an event that a worker knows: Records[0].s3.bucket: is missing",
        ),
        ('{"Type": "Notification", "Message": 3}', "not an event that a worker knows: Message: expected text, found 3"),
        (
            '{"Type": "Notification", "Message": "["}',
            "a message in an envelope is not JSON: Message: Expecting value: line 1 column 2 (char 1)",
        ),
    ],
)
def test_what_nobody_knows_is_not_acknowledged(body: str, message: str) -> None:
    """Dropping it in silence could drop a chunk."""
    delivery = read_body(body, message_id="m1")
    assert (delivery.arrivals, str(delivery.error)) == ((), message)


def test_a_path_can_arrive() -> None:
    """For simulations; what names no chunk cannot."""
    assert ChunkArrived.at("/data/acme_1-1-2.csv").name == ChunkName("acme", "1", 1, 2)
    with pytest.raises(EventError, match=r"^/data/acme\.csv is not the name of a chunk$"):
        ChunkArrived.at("/data/acme.csv")
