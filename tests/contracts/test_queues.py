"""The contract of a queue on SQS (splitjoin_cli/core/aws/sqs.py, Queue), on MiniStack and on moto."""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.aws.sqs import BATCH, SqsQueue
from splitjoin_cli.core.errors import SplitjoinError
from tests.servers.clients import plain_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.core.aws.sqs import Message
    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.moto import MotoServer

pytestmark = pytest.mark.server

VISIBILITY_SECONDS = 7
MAX_RECEIVES = 3


def take(queue: SqsQueue, *, hidden: int = 60) -> list[Message]:
    """All that can be received now."""
    taken: list[Message] = []
    while more := queue.receive(10, wait_seconds=0, visibility_seconds=hidden):
        taken += more
    return taken


def ids(messages: Sequence[Message]) -> set[str]:
    """Which they are."""
    return {message.message_id for message in messages}


class QueueContract:
    """What the worker, ``retry`` and ``status --queue`` rely on; ``queue`` is a fixture of the subclass."""

    def test_it_says_what_it_is(self, queue: SqsQueue) -> None:
        """Its timeout, its redrive policy, what is in it, and which queue takes its dead letters."""
        assert queue.send(["one", "two"]) == [None, None]
        facts = queue.facts()
        assert (facts.visibility_seconds, facts.max_receives, facts.messages) == (VISIBILITY_SECONDS, MAX_RECEIVES, 2)
        dead = queue.dead_letter_queue(facts)
        assert dead is not None
        assert dead.url == f"{queue.url}-dead"
        assert (dead.facts().max_receives, dead.facts().messages) == (None, 0)
        itself = dead.dead_letter_queue(dead.facts())
        assert itself is not None
        assert itself.url == dead.url

    def test_what_is_received_is_hidden_until_it_is_given_back(self, queue: SqsQueue) -> None:
        """It comes again with its receives counted; what is deleted does not."""
        assert queue.send([str(number) for number in range(10)]) == [None] * 10
        received = take(queue)
        assert sorted(int(message.body) for message in received) == list(range(10))
        assert {message.receives for message in received} == {1}
        assert take(queue) == []
        queue.delete(received[0])
        assert queue.hide(received[1:3], 0) == []
        again = take(queue)
        assert ids(again) == ids(received[1:3])
        assert {message.receives for message in again} == {2}
        assert queue.facts().messages == 9

    def test_more_than_one_request_takes_are_given_back(self, queue: SqsQueue) -> None:
        """25 messages, which are three requests; any text arrives as it was."""
        bodies = [f'{{"Zoë": "{number} 日本語"}}' for number in range(25)]
        for first in range(0, 25, BATCH):
            assert set(queue.send(bodies[first : first + BATCH])) == {None}
        received = take(queue)
        assert sorted(message.body for message in received) == sorted(bodies)
        assert queue.hide(received, 0) == []
        assert ids(take(queue)) == ids(received)

    def test_a_message_received_too_often_is_a_dead_letter(self, queue: SqsQueue) -> None:
        """Its body is the same there."""
        queue.send(["bad"])
        for receives in range(1, MAX_RECEIVES + 1):
            (message,) = take(queue)
            assert (message.body, message.receives) == ("bad", receives)
            queue.hide([message], 0)
        assert take(queue) == []
        dead = queue.dead_letter_queue(queue.facts())
        assert dead is not None
        assert [message.body for message in take(dead)] == ["bad"]

    def test_a_queue_that_is_not_there_is_an_error(self, queue: SqsQueue) -> None:
        """Of ours, and none that may pass."""
        with contextlib.closing(SqsQueue(f"{queue.url}-absent")) as absent, pytest.raises(SplitjoinError) as caught:
            absent.receive(1, wait_seconds=0, visibility_seconds=1)
        assert f"{queue.url}-absent" in caught.value.message


def queue_on(server: DynamoDbServer | MotoServer) -> Iterator[SqsQueue]:
    """A queue with dead letters, of its own."""
    client, name = plain_client("sqs", server.endpoint_url), f"chunks-{secrets.token_hex(6)}"
    dead = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"maxReceiveCount": MAX_RECEIVES, "deadLetterTargetArn": arn})
    seconds = str(VISIBILITY_SECONDS)
    created = client.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": seconds})
    with contextlib.closing(SqsQueue(created["QueueUrl"])) as made:
        yield made


class TestQueueOnMinistack(QueueContract):
    @pytest.fixture
    def queue(self, ministack_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsQueue]:
        """Where clients of this process find it."""
        ministack_server.use(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL", ministack_server.endpoint_url)
        yield from queue_on(ministack_server)


class TestQueueOnMoto(QueueContract):
    @pytest.fixture
    def queue(self, moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsQueue]:
        """Where clients of this process find it."""
        moto_server.use(monkeypatch)
        yield from queue_on(moto_server)
