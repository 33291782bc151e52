"""A queue that behaves as SQS does: at least once, and what is taken and not deleted comes again."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

__all__ = ["Letter", "Mailbox"]


@dataclass(slots=True)
class Letter:
    """One event's message. ``receives``: how often it was delivered and not for an injected fault, this time included.

    ``faults``: how often for one. ``copy``: a duplicate that the simulation sent; ``copied``: there is one of this.
    """

    number: int
    copy: bool = False
    receives: int = 1
    faults: int = 0
    copied: bool = False


class Mailbox:
    """Messages in order, or, with ``shuffle``, each at a random place. Thread-safe."""

    def __init__(self, messages: Iterable[Letter], *, shuffle: random.Random | None = None) -> None:
        """``shuffle``: draws the places; None for first in, first out."""
        self._waiting = list(messages)
        if shuffle is not None:
            shuffle.shuffle(self._waiting)
        self._waiting.reverse()  # the next one is the last: to take it moves nothing
        self._shuffle = shuffle
        self._taken = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self) -> Letter | None:
        """The next message, once there is one; None when the mailbox was closed. Each is deleted or put back."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            self._taken += 1
            return self._waiting.pop()

    def delete(self) -> None:
        """A taken message was acknowledged, or given up."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def put_back(self, message: Letter) -> None:
        """A taken message was not acknowledged: it comes again."""
        with self._changed:
            self._taken -= 1
            self._insert(message)

    def put(self, message: Letter) -> None:
        """One more message."""
        with self._changed:
            self._insert(message)

    def _insert(self, message: Letter) -> None:
        place = 0 if self._shuffle is None else self._shuffle.randint(0, len(self._waiting))
        self._waiting.insert(place, message)
        self._changed.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing waits and nothing is taken; False where that took longer than ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not (self._waiting or self._taken), seconds)

    def close(self) -> None:
        """End all ``take``s."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
