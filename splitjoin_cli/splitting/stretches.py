"""Shares chunks out among jobs in stretches: neighbours that one job sends one behind the other.

Where each read of a source is a request, a job that goes on from a chunk to its neighbour goes on reading from the
same one. A job that has nothing left to do takes the back half of what another one has not begun: so no stretch is too
long, however few chunks there are.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from splitjoin_cli.core.model import Chunk

__all__ = ["MOST_BYTES", "MOST_CHUNKS", "Stretches", "neighbours"]

MOST_BYTES = 32 * 1024 * 1024
"""Of a stretch of several chunks: what a source asks for at once."""
MOST_CHUNKS = 64


def neighbours(
    chunks: Iterable[Chunk],
    joins: Callable[[Chunk], bool],
    *,
    most_bytes: int = MOST_BYTES,
    most_chunks: Callable[[], int] = lambda: MOST_CHUNKS,
) -> Iterator[list[Chunk]]:
    """The chunks in lists of such as lie side by side, each as long as it may be; a chunk is alone unless it ``joins``.

    A larger one than ``most_bytes`` is alone, too. ``most_chunks`` is asked for each list.
    """
    held: list[Chunk] = []
    most = 0
    for chunk in chunks:
        if held and (
            len(held) >= most
            or chunk.range.start != held[-1].range.end
            or chunk.range.end - held[0].range.start > most_bytes
            or not (joins(chunk) and joins(held[-1]))
        ):
            yield held
            held = []
        if not held:
            most = most_chunks()
        held.append(chunk)
    if held:
        yield held


class Stretches:
    """What is left to do of each stretch. Thread-safe."""

    def __init__(self, send: Callable[[Chunk, int], None]) -> None:
        """``send`` sends a chunk; up to which place of the source the same job goes on behind it, as it looks now."""
        self._send, self._lock = send, threading.Lock()
        self._open: list[deque[Chunk]] = []

    def calls(self, stretches: Iterable[list[Chunk]], jobs: int) -> Iterator[Callable[[], None]]:
        """Calls that send all chunks, to be run ``jobs`` at once and in this order; one that raises ends its own."""
        for chunks in stretches:
            left = deque(chunks)
            with self._lock:
                self._open.append(left)
            yield partial(self._work, left)
        for _ in range(jobs - 1):  # the last one to work has nobody left to help
            yield self._help

    def _work(self, left: deque[Chunk]) -> None:
        while (item := self._next(left)) is not None:
            self._send(*item)

    def _help(self) -> None:
        while (left := self._taken()) is not None:
            self._work(left)

    def _next(self, left: deque[Chunk]) -> tuple[Chunk, int] | None:
        with self._lock:
            if not left:
                self._open = [one for one in self._open if one is not left]
                return None
            end = left[-1].range.end
            return left.popleft(), end

    def _taken(self) -> deque[Chunk] | None:
        """The back half of the longest of what nobody has begun; None: there is none."""
        with self._lock:
            longest = max(self._open, key=len, default=None)
            if not longest:
                return None
            back = [longest.pop() for _ in range((len(longest) + 1) // 2)]
            taken = deque(reversed(back))
            self._open.append(taken)
            return taken
