"""Ranges that stand where readers stopped, so that a reader that goes on there needs no new request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from splitjoin_cli.core.model import ByteRange

__all__ = ["IdleRanges", "note"]

Value = TypeVar("Value")


class _Range(Protocol):
    """A range that one thread at a time reads from front to back."""

    position: int

    @property
    def left(self) -> int:
        """Bytes not read yet."""

    def close(self) -> None:
        """Drop the connection. Safe to repeat."""


R = TypeVar("R", bound=_Range)


class IdleRanges(Generic[R]):
    """Of one source. Thread-safe."""

    def __init__(self, *, limit: int, noted: int) -> None:
        """At most ``limit`` are kept, those that were used last; what was announced is known of ``noted`` places."""
        self._limit, self._noted = limit, noted
        self._lock = threading.Lock()
        self._idle: OrderedDict[int, R] = OrderedDict()
        self._ends: OrderedDict[int, int] = OrderedDict()  # of what was announced, by its start
        self._begun: OrderedDict[int, None] = OrderedDict()  # starts of ranges that were announced and asked for

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._idle)

    def announce(self, part: ByteRange) -> None:
        """A reader will begin at the start of ``part``, or go on there, to its end, no further."""
        with self._lock:
            note(self._ends, part.start, part.end, self._noted)

    def announced_end(self, start: int) -> int | None:
        """Where the reader goes to that was announced from ``start``."""
        with self._lock:
            return self._ends.get(start)

    def take(self, position: int) -> tuple[R | None, int]:
        """What stands there, for this reader alone; and how many bytes from there on were announced.

        Where bytes were announced and none are left of what stands there, the reader asks for them: it begins.
        """
        with self._lock:
            found = self._idle.pop(position, None)
            announced = self._ends.get(position, position) - position
            if announced > 0 and (found is None or not found.left):
                note(self._begun, position, None, self._noted)
        return found, announced

    def keep(self, found: R) -> None:
        """Keep it for who goes on; it is dropped where another reader, who was announced, has begun there."""
        dropped: list[R] = []
        with self._lock:
            if found.left and found.position in self._begun:
                dropped.append(found)
            else:
                if found.position in self._idle:
                    dropped.append(self._idle.pop(found.position))
                self._idle[found.position] = found
            while len(self._idle) > self._limit:
                dropped.append(self._idle.popitem(last=False)[1])
        for old in dropped:
            old.close()

    def close(self) -> None:
        """Drop all."""
        with self._lock:
            idle, self._idle = self._idle, OrderedDict()
        for found in idle.values():
            found.close()


def note(places: OrderedDict[int, Value], place: int, value: Value, most: int) -> None:
    """Keep something of a place, and forget what was noted first where there are more than ``most``."""
    places[place] = value
    if len(places) > most:
        places.popitem(last=False)
