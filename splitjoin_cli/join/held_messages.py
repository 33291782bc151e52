"""The messages in a worker's hands: kept hidden from others while they are handled, then deleted or given back."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import ContinuationError, EventError, SplitjoinError
from splitjoin_cli.join.joiner import backoff_seconds
from splitjoin_cli.join.worker import FINAL_ERRORS

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from splitjoin_cli.core.aws.sqs import Message, Queue

__all__ = ["HeldMessages", "WorkerTotals", "give_back_seconds"]

BEATS_PER_TIMEOUT = 3
LEAST_VISIBILITY_SECONDS = 2
"""Below, no heartbeat is fast enough: a queue's own timeout may be 0."""
LONGEST_BACKOFF_SECONDS = 300
TRANSIENT_BACKOFF_SECONDS = 5


def give_back_seconds(errors: Sequence[SplitjoinError], receives: int) -> int:
    """How long a message that was not acknowledged stays hidden, after its ``receives``-th delivery.

    What no wait mends (a bad row) comes again at once, and then ever later, until the queue gives it up; what may mend
    by itself waits longer; a failed continuation as long as its join does.
    """
    growth = int(2.0 ** min(receives - 1, 10))
    if any(isinstance(error, ContinuationError) for error in errors):
        return round(backoff_seconds(receives))
    if errors and all(isinstance(error, (*FINAL_ERRORS, EventError)) for error in errors):
        return min(LONGEST_BACKOFF_SECONDS, growth - 1)
    return min(LONGEST_BACKOFF_SECONDS, TRANSIENT_BACKOFF_SECONDS * growth)


@dataclass(slots=True)
class WorkerTotals:
    """What a worker did so far. ``given_back``: messages that come again; ``joined``: joins that it finished."""

    received: int = 0
    acknowledged: int = 0
    given_back: int = 0
    loaded: int = 0
    counted: int = 0
    failed: int = 0
    joined: int = 0

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "received": self.received,
            "acknowledged": self.acknowledged,
            "given_back": self.given_back,
            "loaded": self.loaded,
            "counted": self.counted,
            "failed": self.failed,
            "joined": self.joined,
        }


class HeldMessages:
    """Thread-safe."""

    def __init__(self, source: Queue, totals: WorkerTotals, log: logging.Logger) -> None:
        """``totals``: where what is acknowledged and given back is counted, by nobody else."""
        self._queue, self._totals, self._log = source, totals, log
        self._lock = threading.Lock()
        self._held: dict[str, Message] = {}
        self._hiding = threading.Lock()  # a beat and a giving back must not overtake each other
        self._visibility_seconds = LEAST_VISIBILITY_SECONDS

    def __len__(self) -> int:
        with self._lock:
            return len(self._held)

    @property
    def visibility_seconds(self) -> int:
        """How long a message stays hidden after it was received, and after each beat."""
        return self._visibility_seconds

    def set_visibility(self, seconds: int) -> None:
        """What the queue says; to be told before anything is received."""
        self._visibility_seconds = max(LEAST_VISIBILITY_SECONDS, seconds)

    def take(self, messages: Sequence[Message]) -> None:
        """They were received."""
        with self._lock:
            self._held.update((message.message_id, message) for message in messages)

    def delete(self, message: Message) -> None:
        """Acknowledge. Where that fails the message comes again, and finds everything done."""
        try:
            self._queue.delete(message)
        except SplitjoinError as exc:
            self._log.warning("message %s was handled, and comes again: %s", message.message_id, exc.message)
        with self._lock:
            self._held.pop(message.message_id, None)
            self._totals.acknowledged += 1

    def give_back(self, message: Message, seconds: int) -> None:
        """Let a message come again, unless that was done when the grace time was over: it may be another's by now."""
        with self._lock:
            held = message.message_id in self._held
        if held:
            self.release([message], seconds)

    def give_back_all(self) -> None:
        """The time is over: whatever is still held comes again at once."""
        with self._lock:
            left = list(self._held.values())
        if left:
            self._log.warning("%d messages were not finished in time: they are given back", len(left))
            self.release(left)

    def release(self, messages: Sequence[Message], seconds: int = 0) -> None:
        """Let messages come again after ``seconds``; where that fails, after their visibility timeout."""
        if not messages:
            return
        with self._hiding:
            with self._lock:
                self._totals.given_back += len(messages)
                for message in messages:
                    self._held.pop(message.message_id, None)
            try:
                self._queue.hide(messages, seconds)
            except SplitjoinError as exc:
                self._log.warning("%d messages come again only after their timeout: %s", len(messages), exc.message)

    def keep_until(self, ended: threading.Event) -> None:
        """Keep what is held hidden: at a third of the timeout, so that one beat may fail."""
        while not ended.wait(self._visibility_seconds / BEATS_PER_TIMEOUT):
            with self._hiding:
                with self._lock:
                    held = list(self._held.values())
                try:
                    refused = self._queue.hide(held, self._visibility_seconds) if held else []
                except SplitjoinError as exc:
                    self._log.warning("%d messages could not be kept hidden: %s", len(held), exc.message)
                    continue
            with self._lock:
                lost = [message for message in refused if message.message_id in self._held]
            for message in lost:
                self._log.warning("message %s is not this worker's any more; it goes on", message.message_id)
