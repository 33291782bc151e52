"""Events as AWS sends them, and a context whose time passes as it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.join.events import notification

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "time": "2024-01-31T08:00:00Z",
    "resources": ["arn:aws:events:eu-west-1:123456789012:rule/sweep"],
    "detail": {},
}


@dataclass(slots=True)
class Invocation:
    """A Lambda context. ``left``: seconds that are left, when asked."""

    left: Callable[[], float] = lambda: 300.0
    function_name: str = "loads"
    aws_request_id: str = "r-1"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left() * 1000)


def sqs_event(*bodies: object) -> dict[str, Any]:
    """A batch; the messages are m1, m2, ..."""
    records = [
        {
            "messageId": f"m{number}",
            "eventSource": "aws:sqs",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        for number, body in enumerate(bodies, 1)
    ]
    return {"Records": records}


def stored(uri: str) -> dict[str, Any]:
    """S3's notification of an object."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return notification(bucket, key)


def eventbridge(uri: str) -> dict[str, Any]:
    """EventBridge's."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"id": "e-1", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def sns(uri: str) -> dict[str, Any]:
    """SNS's, with S3's in it."""
    message = {"MessageId": "n-1", "Message": json.dumps(stored(uri))}
    return {"Records": [{"EventSource": "aws:sns", "Sns": message}]}
