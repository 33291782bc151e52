"""What follows the join at the services themselves, as MiniStack has them: each is told, and knows a repeat."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws.client import AwsOptions
from splitjoin_cli.core.errors import ContinuationError
from splitjoin_cli.join.base import JoinPayload
from splitjoin_cli.join.continuation import parse_continuation

if TYPE_CHECKING:
    from tests.servers.aws_desk import AwsDesk

pytestmark = pytest.mark.server

PAYLOAD = JoinPayload("acme_20240131", "1a2b3c4d" * 4, 9, 90, "2024-01-31T00:00:00.000Z")
TOLD = {
    "file_name": "acme_20240131", "run_id": "1a2b3c4d" * 4, "total_parts": 9, "rows": 90,
    "joined_at": "2024-01-31T00:00:00.000Z",
}  # fmt: skip
ROLE = "arn:aws:iam::000000000000:role/anybody"
PASSES = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}


@pytest.fixture
def desk(aws_desk: AwsDesk, monkeypatch: pytest.MonkeyPatch) -> AwsDesk:
    """The desk, found by this process too."""
    for name, value in aws_desk.env.items():
        monkeypatch.setenv(name, value)
    return aws_desk


def twice(url: str) -> None:
    """The join's continuation, and its repeat after a lost answer."""
    for _ in range(2):
        with closing(parse_continuation(url, AwsOptions())) as continuation:
            continuation.run(PAYLOAD)


def arn_of(desk: AwsDesk, url: str) -> str:
    """A queue's ARN."""
    found = desk.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def fifo(desk: AwsDesk) -> str:
    """A queue that drops what it has seen."""
    name = f"joins-{desk.bucket}.fifo"
    return str(desk.client("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"])


def told(desk: AwsDesk, url: str) -> list[dict[str, Any]]:
    """The payloads that lie in a queue, whatever is around them."""
    bodies = [json.loads(body) for body in desk.bodies(url)]
    return [json.loads(body["Message"]) if "Message" in body else body.get("detail", body) for body in bodies]


def test_a_queue_gets_each_try(desk: AwsDesk) -> None:
    """A standard one twice; a FIFO one knows the run and keeps one."""
    twice(f"sqs:{desk.joins}")
    seen = desk.client("sqs").receive_message(
        QueueUrl=desk.joins, VisibilityTimeout=0, MessageSystemAttributeNames=["MessageGroupId"]
    )["Messages"]
    assert seen[0]["Attributes"]["MessageGroupId"] == "acme", "the client, between whom SQS is fair"
    assert told(desk, desk.joins) == [TOLD, TOLD]
    once = fifo(desk)
    twice(f"sqs:{once}")
    assert told(desk, once) == [TOLD]


def test_a_topic_tells_its_subscribers(desk: AwsDesk) -> None:
    """Each try is a message of the topic."""
    sns = desk.client("sns")
    topic = str(sns.create_topic(Name=f"joins-{desk.bucket}")["TopicArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn_of(desk, desk.joins))
    twice(f"sns:{topic}")
    assert told(desk, desk.joins) == [TOLD, TOLD]


def test_a_bus_matches_the_event(desk: AwsDesk) -> None:
    """By source and detail type, as the README's rule does; the detail is the payload."""
    events = desk.client("events")
    bus = f"bus-{desk.bucket}"
    events.create_event_bus(Name=bus)
    pattern = json.dumps({"source": ["splitjoin"], "detail-type": ["Join"]})
    events.put_rule(Name="joins", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="joins", EventBusName=bus, Targets=[{"Id": "q", "Arn": arn_of(desk, desk.joins)}])
    twice(f"events:{bus}")
    desk.wait(desk.joins, (2, 0), seconds=20)
    assert told(desk, desk.joins) == [TOLD, TOLD]


def test_a_machine_is_started_once(desk: AwsDesk) -> None:
    """The execution's name is the run: the repeat is success, and there is one execution."""
    states = desk.client("stepfunctions")
    machine = states.create_state_machine(name=f"next-{desk.bucket}", definition=json.dumps(PASSES), roleArn=ROLE)
    arn = str(machine["stateMachineArn"])
    twice(f"states:{arn}")
    (execution,) = states.list_executions(stateMachineArn=arn)["executions"]
    assert execution["name"] == PAYLOAD.run_id
    started = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(started["input"]) == TOLD


@pytest.mark.parametrize(
    "url",
    ["sns:arn:aws:sns:us-east-1:000000000000:nobody", "lambda:nobody", "states:{machine}", "sqs:{queue}"],
)
def test_a_receiver_that_is_not_there_is_a_failure(desk: AwsDesk, url: str) -> None:
    """The join is tried again later: nothing was accepted."""
    machine = "arn:aws:states:us-east-1:000000000000:stateMachine:nobody"
    gone = url.format(machine=machine, queue=f"{desk.joins}-nobody")
    with closing(parse_continuation(gone, AwsOptions())) as continuation, pytest.raises(ContinuationError) as caught:
        continuation.run(PAYLOAD)
    assert "nobody" in caught.value.message
