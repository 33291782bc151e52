"""Blocks of a source that are read and scanned ahead of their turn, in bounded memory, and taken in order.

Where each read of a source is a request, a thread reads a stripe: some neighbouring blocks, by one request. The blocks
of the first stripe are taken as they come; those of the others wait, as far as there is memory for them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from splitjoin_cli.core.bytes.buffers import new_buffer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """Blocks by number, from 0. Thread-safe; ``T`` is what is known of a block that was scanned."""

    def __init__(self, block_bytes: int, *, stripe: int, most: int) -> None:
        """``stripe``: blocks of one. ``most``: blocks that memory is taken for, at least two."""
        self._block_bytes, self._stripe, self._left = block_bytes, stripe, most
        self._free: list[memoryview] = []
        self._held: dict[int, tuple[memoryview, T]] = {}
        self._next = self._current = 0
        self._taking = self._stopped = False
        self._changed = threading.Condition()

    def stripe(self) -> range:
        """The numbers of the next stripe, for the thread that asks."""
        with self._changed:
            first, self._next = self._next, self._next + self._stripe
        return range(first, self._next)

    def room(self, number: int) -> memoryview | None:
        """Memory for a block, once there is some; None after ``stop``.

        The last of it is for the stripe whose turn it is: else the others could wait for it, and it for them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._may_have(number))
            if self._stopped:
                return None
            if self._free:
                return self._free.pop()
            self._left -= 1
        return new_buffer(self._block_bytes)

    def put(self, number: int, room: memoryview, block: T, take: Callable[[T], None]) -> None:
        """Hold a block that was scanned; then take all whose turn has come, unless another thread does so."""
        with self._changed:
            self._held[number] = room, block
            if self._taking:
                return
            self._taking = True
        while (found := self._turn()) is not None:
            take(found[1])
            with self._changed:
                self._current += 1
                self._free.append(found[0])
                self._changed.notify_all()

    def stop(self) -> None:
        """Nothing more is taken, and no room is given."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _may_have(self, number: int) -> bool:
        free = len(self._free) + self._left
        return free > 1 or (free == 1 and number // self._stripe == self._current // self._stripe)

    def _turn(self) -> tuple[memoryview, T] | None:
        with self._changed:
            found = None if self._stopped else self._held.pop(self._current, None)
            self._taking = found is not None
        return found
