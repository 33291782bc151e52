"""Runs the worker as a process that lives on an SQS queue: it receives, keeps, acknowledges, gives back, and sweeps.

What a signal or SIGKILL leaves behind is in order at any moment: a message is deleted only after its chunk is counted,
and one that is held comes again when its visibility timeout is over (SQS Developer Guide, "Amazon SQS visibility
timeout").
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.aws.sqs import BATCH, is_passing
from splitjoin_cli.core.errors import ContinuationError, EventError, NotFoundError, SplitjoinError
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS
from splitjoin_cli.join.events import read_body
from splitjoin_cli.join.held_messages import HeldMessages, WorkerTotals, give_back_seconds
from splitjoin_cli.join.sweep import SweepOptions, sweep
from splitjoin_cli.join.worker import FINAL_ERRORS, acknowledged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.core.aws.sqs import Message, Queue, QueueFacts
    from splitjoin_cli.join.events import Delivery
    from splitjoin_cli.join.joiner import Joiner
    from splitjoin_cli.join.worker import ChunkWorker, Handled
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["GRACE_SECONDS", "Desk", "SqsWorker", "SqsWorkerOptions", "poll_seconds", "sweep_seconds"]

_LOG = logging.getLogger(__name__)

WAIT_SECONDS = 5
"""Of a long poll. Not SQS's 20: an idle worker that is told to stop waits until its poll is over."""
POLL_SLACK_SECONDS = 10.0
GRACE_SECONDS = 25.0
"""Kubernetes and ECS kill 30 s after SIGTERM."""
SWEEP_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 60.0
TROUBLES = 3
"""Failures in a row, at least, that say that it is not the chunks: the database or the tracker is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsWorkerOptions:
    """How a queue is worked on.

    ``workers``: messages handled at once. ``idle_exit_seconds``: end once no message came for so long; None: never.
    ``grace_seconds``: what is held when it is told to stop may take so long. ``sweep_seconds``: between two sweeps.
    """

    workers: int = 4
    wait_seconds: int = WAIT_SECONDS
    grace_seconds: float = GRACE_SECONDS
    sweep_seconds: float = SWEEP_SECONDS
    stuck_after_seconds: float = STUCK_AFTER_SECONDS
    idle_exit_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What handles messages and sweeps, on any number of threads at once."""

    worker: ChunkWorker
    joiner: Joiner
    loader: Loader
    tracker: Tracker


def poll_seconds(idle_exit_seconds: float | None) -> int:
    """How long a poll waits for messages: not longer than the worker would."""
    return WAIT_SECONDS if idle_exit_seconds is None else max(1, min(WAIT_SECONDS, int(idle_exit_seconds)))


def sweep_seconds(lease_seconds: float | None) -> float:
    """How long between two sweeps: a lapsed lease is not to wait much longer than it lasted."""
    return SWEEP_SECONDS if lease_seconds is None else max(1.0, min(SWEEP_SECONDS, lease_seconds / 3))


def _is_elsewhere(error: SplitjoinError) -> bool:
    """Whether an error is no chunk's own: others fail by it as well."""
    return not isinstance(error, (*FINAL_ERRORS, EventError, ContinuationError, NotFoundError))


class SqsWorker:
    """Works on one queue until it is stopped. ``run`` it once, in the main thread.

    Threads: one receives, never more than are free to be handled; ``workers`` handle; one keeps what is held hidden;
    one sweeps. The main thread waits, for it is the one that signals interrupt.
    """

    def __init__(
        self,
        source: Queue,
        desk: Desk,
        options: SqsWorkerOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        log: logging.Logger = _LOG,
    ) -> None:
        """``clock``: for durations."""
        self._queue, self._desk, self._options = source, desk, options
        self._clock, self._log = clock, log
        self.totals = WorkerTotals()
        self._lock = threading.Lock()
        self._held = HeldMessages(source, self.totals, log)
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(options.workers)
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._bug: BaseException | None = None
        self._troubles = 0
        self._last_message = clock()
        self._swept = ""
        """The last job of a sweep that did not come to the end: the next one goes on after it."""

    def run(self, facts: QueueFacts) -> WorkerTotals:
        """Work until ``idle_exit_seconds`` are over, or an error ends it, or a signal does (StoppedError).

        Whatever ends it: nothing more is received, what is held is finished within the grace time, the rest is given
        back. ``facts``: as the queue told them. Raises SplitjoinError where the queue refuses for good.
        """
        self._held.set_visibility(facts.visibility_seconds)
        handlers = [self._thread(self._handle_all, f"handler-{n}") for n in range(1, self._options.workers + 1)]
        receiver = self._thread(self._receive_all, "receiver")
        beat = self._thread(lambda: self._held.keep_until(self._ended), "heartbeat")
        for thread in (*handlers, receiver, beat, self._thread(self._sweep_all, "sweep")):
            thread.start()
        try:
            while not self._wake.wait(1.0):
                if self._is_idle():
                    break
        finally:
            self._stop(receiver, handlers)
        if self._bug is not None:
            raise self._bug
        return self.totals

    def stop(self) -> None:
        """Let ``run`` end as if it were idle. From any thread; safe to repeat."""
        self._wake.set()

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as exc:  # noqa: BLE001 -- raised again by run
                self._bug = self._bug or exc
                self._wake.set()

        return threading.Thread(target=guarded, name=name, daemon=True)

    def _is_idle(self) -> bool:
        limit = self._options.idle_exit_seconds
        with self._lock:
            return limit is not None and not self._held and self._clock() - self._last_message >= limit

    # -- receiving

    def _receive_all(self) -> None:
        passing = 0
        while not self._stopping.is_set():
            self._pause()
            free = self._take_free()
            if not free:
                continue
            try:
                messages = self._receive(free)
                passing = 0
            except SplitjoinError as exc:
                self._give_free(free)
                if not is_passing(exc):
                    raise
                passing += 1
                self._log.warning("nothing was received, trying again: %s", exc.message)
                self._stopping.wait(min(LONGEST_PAUSE_SECONDS, 2.0**passing))
                continue
            self._give_free(free - len(messages))
            self._take_in(messages)

    def _receive(self, free: int) -> Sequence[Message]:
        return self._queue.receive(
            free, wait_seconds=self._options.wait_seconds, visibility_seconds=self._held.visibility_seconds
        )

    def _take_in(self, messages: Sequence[Message]) -> None:
        """Hand what was received to the handlers; give it back where the stop came meanwhile."""
        stopping = self._stopping.is_set()
        if not stopping:
            self._held.take(messages)
        with self._lock:
            self.totals.received += len(messages)
            if messages:
                self._last_message = self._clock()
        if stopping:
            self._held.release(messages)
            return
        for message in messages:
            self._inbox.put(message)

    def _pause(self) -> None:
        """Leave the messages alone while everything fails: each try brings them nearer to the dead letters."""
        with self._lock:
            over = self._troubles - max(TROUBLES, self._options.workers)
        if over >= 0:
            seconds = min(LONGEST_PAUSE_SECONDS, 2.0**over)
            self._log.warning("the last %d tries failed alike: waiting %g s", self._troubles, seconds)
            self._stopping.wait(seconds)

    def _take_free(self) -> int:
        """Handlers that are free, at most a batch; in trouble one, to see whether it is over."""
        if not self._free.acquire(timeout=1.0):
            return 0
        free = 1
        with self._lock:
            most = 1 if self._troubles >= max(TROUBLES, self._options.workers) else BATCH
        while free < most and self._free.acquire(blocking=False):
            free += 1
        return free

    def _give_free(self, count: int) -> None:
        for _ in range(count):
            self._free.release()

    # -- handling

    def _handle_all(self) -> None:
        while (message := self._inbox.get()) is not None:
            if self._stopping.is_set():
                self._held.give_back(message, 0)
            else:
                self._handle(message)
            self._free.release()

    def _handle(self, message: Message) -> None:
        """See one message through. What it raises, a bug, must cost no more than this message's delivery."""
        try:
            self._handle_delivery(
                read_body(message.body, message_id=message.message_id, receives=message.receives), message
            )
        except Exception as exc:  # noqa: BLE001 -- whatever it is, the others go on
            self._log.exception("message %s: unexpected %s", message.message_id, type(exc).__name__)
            self._note([], failed=True, elsewhere=True)
            self._held.give_back(message, give_back_seconds([], message.receives))

    def _handle_delivery(self, delivery: Delivery, message: Message) -> None:
        outcomes = self._desk.worker.handle_delivery(delivery)
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        if delivery.error is not None:
            self._log.error("message %s: %s", message.message_id, delivery.error.message)
            errors.append(delivery.error)
        done = acknowledged(delivery, outcomes)
        self._note(outcomes, failed=not done, elsewhere=any(_is_elsewhere(error) for error in errors))
        if done:
            self._held.delete(message)
        else:
            self._held.give_back(message, give_back_seconds(errors, message.receives))

    def _note(self, outcomes: Sequence[Handled], *, failed: bool, elsewhere: bool) -> None:
        with self._lock:
            totals = self.totals
            totals.failed += failed
            totals.loaded += sum(outcome.loaded for outcome in outcomes)
            totals.counted += sum(outcome.counted for outcome in outcomes)
            totals.joined += sum(outcome.joined for outcome in outcomes)
            if elsewhere:
                self._troubles += 1
            elif not failed:
                self._troubles = 0
            self._last_message = self._clock()

    # -- sweeping

    def _sweep_all(self) -> None:
        while not self._stopping.is_set():
            self.sweep()
            self._stopping.wait(self._options.sweep_seconds)

    def sweep(self) -> None:
        """Look after joins that nobody brings on, where the last sweep ended; what fails is tried at the next one."""
        try:
            report = sweep(
                tracker=self._desk.tracker,
                loader=self._desk.loader,
                joiner=self._desk.joiner,
                clock=time.time,
                options=SweepOptions(
                    stuck_after_seconds=self._options.stuck_after_seconds,
                    after=self._swept,
                    may_begin=lambda: not self._stopping.is_set(),
                ),
            )
            self._swept = report.last
        except SplitjoinError as exc:
            self._log.warning("the sweep failed: %s", exc.message)
            return
        except Exception as exc:  # noqa: BLE001 -- whatever it is, the others go on
            self._log.exception("the sweep failed: unexpected %s", type(exc).__name__)
            return
        with self._lock:
            self.totals.joined += len(report.joined)

    # -- the end

    def _stop(self, receiver: threading.Thread, handlers: Sequence[threading.Thread]) -> None:
        """Receive nothing more, finish what is held within the grace time, give back the rest."""
        deadline = self._clock() + self._options.grace_seconds
        self._stopping.set()
        for _ in handlers:
            self._inbox.put(None)
        if held := len(self._held):
            self._log.info("stopping: %d messages are being finished", held)
        # The receiver's end is waited for in any case: an open poll could take what is given back below.
        receiver.join(self._options.wait_seconds + POLL_SLACK_SECONDS)
        for thread in handlers:
            thread.join(max(0.0, deadline - self._clock()))
        self._ended.set()
        self._held.give_back_all()
