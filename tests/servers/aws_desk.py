"""A bucket whose notifications go into a queue with dead letters, on MiniStack: what a deployed job lives on."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.clients import plain_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.dynamodb import DynamoDbServer

VISIBILITY_SECONDS = 5
MAX_RECEIVES = 3


@dataclass(frozen=True, slots=True)
class AwsDesk:
    """A fresh bucket, its queue, that one's dead letters, a queue for joins; URLs are SQS's, ``env`` finds them all."""

    bucket: str
    queue: str
    dead: str
    joins: str
    env: Mapping[str, str]

    def client(self, service: str) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        """A plain client, to look at what is there without the code under test."""
        return plain_client(service, self.env["AWS_ENDPOINT_URL"])

    def counts(self, url: str) -> tuple[int, int]:
        """How many messages of a queue wait, and how many somebody holds."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def bodies(self, url: str) -> list[str]:
        """Take all messages out of a queue."""
        client, found = self.client("sqs"), []
        while got := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in got:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(str(message["Body"]))
        return found

    def wait(self, url: str, wanted: tuple[int, int], *, seconds: float = 60) -> None:
        """Until ``counts`` are these."""
        deadline = time.monotonic() + seconds
        while (found := self.counts(url)) != wanted:
            assert time.monotonic() < deadline, f"{url} has {found}, not {wanted}"
            time.sleep(0.1)


@pytest.fixture
def aws_desk(ministack_server: DynamoDbServer) -> AwsDesk:
    """Made anew for each test."""
    token = secrets.token_hex(6)
    url = ministack_server.endpoint_url
    desk = AwsDesk(f"chunks-{token}", "", "", "", {**ministack_server.env, "AWS_ENDPOINT_URL": url})
    sqs = desk.client("sqs")

    def queue(name: str, **attributes: str) -> tuple[str, str]:
        made = str(sqs.create_queue(QueueName=f"{name}-{token}", Attributes=attributes)["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return made, str(arn)

    dead, dead_arn = queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES})
    chunks, chunks_arn = queue("chunks", VisibilityTimeout=str(VISIBILITY_SECONDS), RedrivePolicy=policy)
    joins, _ = queue("joins")
    s3 = desk.client("s3")
    s3.create_bucket(Bucket=desk.bucket)
    events: Any = {"QueueConfigurations": [{"QueueArn": chunks_arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=desk.bucket, NotificationConfiguration=events)
    return AwsDesk(desk.bucket, chunks, dead, joins, desk.env)
