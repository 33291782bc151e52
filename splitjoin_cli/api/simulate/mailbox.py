"""A queue that behaves as SQS does: at least once, and what is taken and not deleted comes again."""

from __future__ import annotations

import threading
from array import array
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

__all__ = ["Letter", "Mailbox"]

AT_A_TIME = 1000
_COUNT = (1 << 15) - 1


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
    """Messages in order, or, with ``shuffle``, each at a random place: eight bytes for each that waits. Thread-safe."""

    def __init__(self, messages: Iterable[Letter], *, shuffle: random.Random | None = None) -> None:
        """``shuffle``: draws the places; None for first in, first out."""
        self._first = map(_packed, messages)
        self._waiting = array("Q")  # the next one is the last: to take it moves nothing
        self._later = array("Q")  # after all of those, the next one first; none where each comes at a random place
        if shuffle is not None:
            self._waiting.extend(self._first)
            shuffle.shuffle(self._waiting)
            self._waiting.reverse()
        self._refill()
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
            message = _unpacked(self._waiting.pop())
            self._refill()
            return message

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
        if self._shuffle is None:
            self._later.append(_packed(message))
            self._refill()
        else:
            self._waiting.insert(self._shuffle.randint(0, len(self._waiting)), _packed(message))
        self._changed.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until nothing waits and nothing is taken; False where that took longer than ``seconds``."""
        with self._changed:
            return self._changed.wait_for(self._idle, seconds)

    def _refill(self) -> None:
        """Let the next ones wait where none does: of the first messages some at a time, then what came later."""
        if self._waiting:
            return
        self._waiting.extend(islice(self._first, AT_A_TIME))
        if not self._waiting:
            self._waiting, self._later = self._later, self._waiting
        self._waiting.reverse()

    def _idle(self) -> bool:
        return self._closed or not (self._waiting or self._taken)

    def close(self) -> None:
        """End all ``take``s."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _packed(letter: Letter) -> int:
    """A letter in 64 bits: its number in the upper half, its two counts, which stay below 300, and two flags."""
    counts = letter.receives << 15 | letter.faults
    return letter.number << 32 | counts << 2 | letter.copy << 1 | letter.copied


def _unpacked(bits: int) -> Letter:
    return Letter(
        bits >> 32, bool(bits & 2), receives=bits >> 17 & _COUNT, faults=bits >> 2 & _COUNT, copied=bool(bits & 1)
    )
