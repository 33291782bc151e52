"""The whole system on MiniStack: our template deployed, our zip as the function, and the hands that break it.

What MiniStack does differently from AWS, as far as it matters here:

- It compares a feed's MaximumConcurrency with a number and takes it for text: ``Stack.mend_feed`` sets it anew.
- A function that dies or raises pauses its whole feed for a second. Partial batch answers, redrive and SNS to SQS are
  as AWS has them, and so is that a message that failed stays hidden for the queue's visibility timeout.
- Its functions are processes of its own Python, so they can be found below it and killed. AWS shows none, and runs
  another when one dies, as it does.

The template's queue hides a message for six function timeouts, at least 180 s: nobody waits for that in a test, so the
queue is told VISIBILITY_SECONDS once it is there.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from splitjoin_cli.join.events import notification
from tests.deploy.stack.stacks import REGION, Account, Stack
from tests.e2e.command import Splitjoin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.servers.dynamodb import DynamoDbServer

VISIBILITY_SECONDS = 4
MAX_RECEIVES = 5
CONCURRENCY = 3


def wait_for(happened: Callable[[], object], what: str, *, seconds: float = 120) -> None:
    """Until it has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class System:
    """One stack, the queue that hears of its joins, and the command as its operator types it."""

    server: DynamoDbServer
    stack: Stack
    joins: str
    command: Splitjoin
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def deploy(
        cls, server: DynamoDbServer, code: Path, directory: Path, *, into: str, login: dict[str, str], **parameters: str
    ) -> Self:
        """The template as the command prints it, with the zip at ``code``; the function gets ``login`` as a secret."""
        environment = {**server.env, "AWS_ENDPOINT_URL": server.endpoint_url}
        command = Splitjoin(directory, environment)
        account = Account(server.endpoint_url, command.ok("template", "-q", "--into", into).stdout)
        token = secrets.token_hex(4)
        bucket = f"code-{token}"
        s3 = account.client("s3")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="worker.zip", Body=code.read_bytes())
        secret = account.client("secretsmanager").create_secret(Name=f"db-{token}", SecretString=json.dumps(login))
        stack = account.deploy(
            CodeBucket=bucket, Into=into, SecretArn=secret["ARN"], Concurrency=str(CONCURRENCY), Timeout="30",
            MaxReceives=str(MAX_RECEIVES), **parameters,
        )  # fmt: skip
        sqs = account.client("sqs")
        joins = str(sqs.create_queue(QueueName=f"joins-{token}")["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=joins, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = stack.outputs["JoinTopicArn"]
        account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        made = cls(server, stack, joins, command.within(SPLITJOIN_TRACKER=stack.outputs["Tracker"]))
        made.hide(VISIBILITY_SECONDS)
        return made

    def client(self, service: str) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        """A plain client, to look and to break without the code under test."""
        if service not in self._clients:
            self._clients[service] = self.stack.account.client(service)
        return self._clients[service]

    @property
    def queue(self) -> str:
        return self.stack.outputs["QueueUrl"]

    @property
    def dead(self) -> str:
        return self.stack.outputs["DeadLetterQueueUrl"]

    @property
    def function(self) -> str:
        return self.stack.outputs["FunctionName"]

    def feed(self, *, enabled: bool) -> None:
        """Let the queue's messages come to the function, or not."""
        for one in self.stack.feeds():
            self.client("lambda").update_event_source_mapping(UUID=one["UUID"], Enabled=enabled)

    def hide(self, seconds: int) -> None:
        """How long the queue hides what was received."""
        hidden = {"VisibilityTimeout": str(seconds)}
        self.client("sqs").set_queue_attributes(QueueUrl=self.queue, Attributes=hidden)

    def send_again(self, uris: Iterable[str]) -> None:
        """Send notifications of chunks once more, as S3 does at times."""
        sqs = self.client("sqs")
        for uri in uris:
            key = uri.removeprefix(f"s3://{self.stack.bucket}/")
            body = json.dumps(notification(self.stack.bucket, key))
            sqs.send_message(QueueUrl=self.queue, MessageBody=body)

    def counted(self, file_name: str) -> int:
        """How many chunks of a job are counted, as its item says."""
        table = self.stack.outputs["Tracker"].removeprefix("dynamodb:")
        item = self.client("dynamodb").get_item(TableName=table, Key={"file_name": {"S": file_name}}).get("Item", {})
        return int(item.get("processed_parts", {"N": "0"})["N"])

    def messages(self, url: str) -> tuple[int, int]:
        """How many messages of a queue wait, and how many somebody holds."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def lose_one(self) -> str:
        """Take one message out of the queue, as if it had never come; returns the key of its object."""
        sqs = self.client("sqs")
        while True:
            (message,) = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=1)["Messages"]
            sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            for record in json.loads(message["Body"]).get("Records", []):  # S3's test event has none
                return str(record["s3"]["object"]["key"])

    def joined(self) -> list[dict[str, Any]]:
        """The payloads that the topic told of, taken out of the queue that hears it."""
        sqs, found = self.client("sqs"), []
        while got := sqs.receive_message(QueueUrl=self.joins, MaxNumberOfMessages=10).get("Messages", []):
            for message in got:
                sqs.delete_message(QueueUrl=self.joins, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(json.loads(message["Body"])["Message"]))
        return found

    def kill_functions(self) -> int:
        """SIGKILL each process that runs the function; returns how many there were."""
        found = [pid for pid in children(self.server.pid) if self.function in command_line(pid)]
        for pid in found:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)
        return len(found)


def children(pid: int) -> list[int]:
    """The processes that a process started, by any of its threads (proc(5), "children")."""
    tasks = Path("/proc", str(pid), "task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def command_line(pid: int) -> str:
    """As it was started; empty when it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


__all__ = ["MAX_RECEIVES", "REGION", "VISIBILITY_SECONDS", "System", "wait_for"]
