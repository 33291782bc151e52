"""The worker on a queue in memory: what it keeps hidden, gives back, leaves alone, and when it ends."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.core.aws.sqs import Message, QueueFacts
from splitjoin_cli.core.errors import (
    AccessError,
    BadRowError,
    ContinuationError,
    EventError,
    LoadError,
    SplitjoinError,
    StoppedError,
    StoreError,
)
from splitjoin_cli.join.events import notification
from splitjoin_cli.join.held_messages import give_back_seconds
from splitjoin_cli.join.queue_worker import Desk, SqsWorker, SqsWorkerOptions
from tests.join.memory import chunk_uri
from tests.join.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.join.events import Delivery
    from splitjoin_cli.join.worker import Handled
    from splitjoin_cli.stores.loaders.base import Loader

VISIBILITY_SECONDS = 3


@dataclass(slots=True)
class MemoryQueue:
    """Hides nothing by time: what is received is held until it is deleted or hidden for 0 or more seconds."""

    waiting: list[Message] = field(default_factory=list)
    held: dict[str, Message] = field(default_factory=dict)
    hidden: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    receive_errors: list[SplitjoinError] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return "memory:"

    def facts(self) -> QueueFacts:
        return QueueFacts(VISIBILITY_SECONDS)

    def put(self, number: int, total: int = 2, *, body: str | None = None) -> None:
        text = body or json.dumps(notification("bucket", chunk_uri(number, total).removeprefix("s3://bucket/")))
        self.waiting.append(Message(f"m{number}", f"r{number}", text))

    def receive(self, most: int, *, wait_seconds: int, visibility_seconds: int) -> Sequence[Message]:
        assert 0 < most <= 10
        with self.lock:
            self.asked.append(most)
            if self.receive_errors:
                raise self.receive_errors.pop(0)
            taken, self.waiting = self.waiting[:most], self.waiting[most:]
            self.held.update((message.message_id, message) for message in taken)
        if not taken:
            time.sleep(0.01 * (wait_seconds > 0) * (visibility_seconds > 0))
        return taken

    def hide(self, messages: Sequence[Message], seconds: int) -> list[Message]:
        with self.lock:
            self.hidden.append((tuple(message.message_id for message in messages), seconds))
            for message in messages:
                if seconds != VISIBILITY_SECONDS:
                    self.held.pop(message.message_id, None)
        return []

    def delete(self, message: Message) -> None:
        with self.lock:
            self.held.pop(message.message_id)
            self.deleted.append(message.message_id)


@pytest.fixture
def rig() -> Rig:
    """Two chunks that lie there."""
    return Rig(total=2)


@pytest.fixture
def queue() -> MemoryQueue:
    """An empty one."""
    return MemoryQueue()


def work(rig: Rig, queue: MemoryQueue, *, worker: Any = None, **options: Any) -> SqsWorker:  # noqa: ANN401 -- a fake
    """The worker on the queue; ``worker``: what handles, instead of the real one."""
    desk = Desk(worker or rig.worker(), rig.joiner(), cast("Loader", rig.loader), rig.tracker)
    given = {"workers": 2, "wait_seconds": 1, "idle_exit_seconds": 0.2, "grace_seconds": 5, "sweep_seconds": 0.05}
    return SqsWorker(queue, desk, SqsWorkerOptions(**{**given, **options}))


class Waits:
    """A worker that handles nothing until it is let."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_go_on = threading.Event()

    def handle_delivery(self, delivery: Delivery) -> list[Handled]:
        self.began.set()
        assert self.may_go_on.wait(30)
        raise RuntimeError(f"nothing becomes of {delivery.message_id}")


def test_loads_counts_joins_and_ends_when_idle(rig: Rig, queue: MemoryQueue) -> None:
    """Every message is deleted, the join is there once, and idle_exit ends it."""
    queue.put(1)
    queue.put(2)
    queue.put(3, body=json.dumps({"Event": "s3:TestEvent", "Bucket": "bucket"}))
    totals = work(rig, queue).run(queue.facts())
    assert sorted(queue.deleted) == ["m1", "m2", "m3"]
    assert (totals.received, totals.acknowledged, totals.given_back, totals.loaded) == (3, 3, 0, 2)
    assert len(rig.continuation.effects) == 1
    assert rig.join.state == "joined"


def test_never_receives_more_than_are_free(rig: Rig, queue: MemoryQueue) -> None:
    """What waits here would only grow old, and a batch is ten at most."""
    work(rig, queue, workers=3).run(queue.facts())
    assert max(queue.asked) == 3
    queue.asked.clear()
    work(rig, queue, workers=40).run(queue.facts())
    assert max(queue.asked) == 10


def test_keeps_hidden_what_is_handled(rig: Rig, queue: MemoryQueue) -> None:
    """At a third of the queue's own timeout, again and again, for as long as it is handled."""
    queue.put(1)
    slow = Waits()

    def beats() -> int:
        return sum(1 for names, seconds in queue.hidden if names == ("m1",) and seconds == VISIBILITY_SECONDS)

    def let_go() -> None:
        deadline = time.monotonic() + 20
        while beats() < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        slow.may_go_on.set()

    threading.Thread(target=let_go, daemon=True).start()
    work(rig, queue, worker=slow, idle_exit_seconds=0.1).run(queue.facts())
    assert beats() >= 2


def test_a_bug_costs_one_delivery(rig: Rig, queue: MemoryQueue, caplog: pytest.LogCaptureFixture) -> None:
    """The message comes again, later; the worker goes on."""
    slow = Waits()
    slow.may_go_on.set()
    queue.put(1)
    totals = work(rig, queue, worker=slow).run(queue.facts())
    assert (totals.failed, totals.given_back) == (1, 1)
    assert queue.hidden == [(("m1",), 5)]
    assert "message m1: unexpected RuntimeError" in caplog.messages


class Interrupted(threading.Event):
    """The main thread's wait, ended by a signal once something has happened."""

    def __init__(self, happened: Callable[[], object]) -> None:
        super().__init__()
        self._happened = happened

    def wait(self, _timeout: float | None = None) -> bool:
        deadline = time.monotonic() + 20
        while not self._happened():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise StoppedError(15)


def test_told_to_stop_it_gives_back_what_takes_too_long(rig: Rig, queue: MemoryQueue) -> None:
    """After the grace time, at once (0 s); nothing is held then, and nothing was received any more."""
    slow = Waits()
    queue.put(1)
    worker = work(rig, queue, worker=slow, grace_seconds=0.3, idle_exit_seconds=None)
    worker._wake = Interrupted(slow.began.is_set)
    with pytest.raises(StoppedError):
        worker.run(queue.facts())
    assert queue.hidden[-1] == (("m1",), 0)
    assert queue.held == {}
    asked, hidden = len(queue.asked), len(queue.hidden)
    queue.put(2)
    slow.may_go_on.set()
    time.sleep(0.2)
    assert (len(queue.asked), len(queue.hidden)) == (asked, hidden)


def test_told_to_stop_it_finishes_what_it_holds(rig: Rig, queue: MemoryQueue) -> None:
    """Within the grace time a chunk is loaded and acknowledged, not given back."""
    began = threading.Event()
    inner = rig.worker()

    class Slow:
        def handle_delivery(self, delivery: Delivery) -> list[Handled]:
            began.set()
            time.sleep(0.3)
            return inner.handle_delivery(delivery)

    queue.put(1)
    worker = work(rig, queue, worker=Slow(), grace_seconds=20, idle_exit_seconds=None)
    worker._wake = Interrupted(began.is_set)
    with pytest.raises(StoppedError):
        worker.run(queue.facts())
    assert (queue.deleted, worker.totals.given_back) == (["m1"], 0)


def test_a_passing_trouble_of_the_queue_is_waited_for(
    rig: Rig, queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and the next request is made later."""
    passing = StoreError("sqs:ReceiveMessage memory:: the connection was lost")
    monkeypatch.setattr("splitjoin_cli.join.queue_worker.is_passing", lambda error: error is passing)
    queue.receive_errors.append(passing)
    queue.put(1)
    worker = work(rig, queue)
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds=None: time.sleep(min(seconds or 0, 0.01)))
    worker.run(queue.facts())
    assert queue.deleted == ["m1"]
    assert f"nothing was received, trying again: {passing.message}" in caplog.messages


def test_a_queue_that_refuses_for_good_ends_it(rig: Rig, queue: MemoryQueue) -> None:
    """A right that was taken away, a queue that was deleted: the supervisor is to know."""
    queue.receive_errors.append(AccessError("sqs:ReceiveMessage memory:: access denied"))
    worker = work(rig, queue, idle_exit_seconds=None)
    with pytest.raises(AccessError, match="access denied"):
        worker.run(queue.facts())


def test_while_everything_fails_the_messages_are_left_alone(
    rig: Rig, queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is away must not drive messages into the dead letters: one at a time is asked for."""
    away = LoadError("mysql://db: cannot be reached")
    monkeypatch.setattr(rig.loader, "load", lambda _chunk: (_ for _ in ()).throw(away), raising=False)
    for number in range(1, 7):
        queue.put(1 + number % 2)
        queue.waiting[-1] = Message(f"x{number}", f"r{number}", queue.waiting[-1].body)
    worker = work(rig, queue, idle_exit_seconds=1.0, sweep_seconds=5)
    monkeypatch.setattr(worker._stopping, "wait", lambda seconds=None: time.sleep(min(seconds or 0, 0.05)))
    caplog.set_level(logging.WARNING)
    totals = worker.run(queue.facts())
    assert totals.given_back == totals.failed == 6
    assert any(re.fullmatch(r"the last \d tries failed alike: waiting \d s", text) for text in caplog.messages)
    assert queue.asked[-1] == 1
    assert {seconds for _, seconds in queue.hidden} == {5}


@pytest.mark.parametrize(
    ("errors", "seconds"),
    [
        ([BadRowError("row 3")], [0, 1, 3, 7]),
        ([EventError("no JSON")], [0, 1, 3, 7]),
        ([LoadError("away")], [5, 10, 20, 40]),
        ([], [5, 10, 20, 40]),
        ([ContinuationError("topic")], [30, 60, 120, 240]),
        ([BadRowError("row 3"), LoadError("away")], [5, 10, 20, 40]),
    ],
)
def test_how_long_a_message_is_left_alone(errors: list[SplitjoinError], seconds: list[int]) -> None:
    """By what failed, and ever longer."""
    assert [give_back_seconds(errors, receives) for receives in (1, 2, 3, 4)] == seconds
    assert give_back_seconds(errors, 1000) <= 900
