"""How a split tells what it does: an observer that the terminal, or a test, implements."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.core.model import ChunkState

    Moved = Callable[[int], None]
    """Hears of bytes as they move; a negative number takes back bytes that have to move again. Thread-safe."""

__all__ = ["Observer", "Silent", "Tally", "chunks_done", "phase_of", "skip"]


class Observer(Protocol):
    """Hears what happens. All methods are thread-safe, return at once and never raise.

    It may also have ``skip(size)``, ``chunks_done(numbers, state)`` and ``phase_of(name, total_bytes, total, thing)``,
    see there.
    """

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """A phase begins, and the one before it has ended; a total is None where it is not known.

        ``name`` is a verb in its -ing form ("scanning"). Bytes and chunks count from 0 again.
        """

    def advance(self, size: int) -> None:
        """``size`` more bytes of this phase have moved; where it is negative, so many have to move again."""

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """One more chunk of this phase is done, whatever came of it."""

    def warn(self, message: str) -> None:
        """Something that the user should know, and that does not fail the split."""

    def detail(self, message: str) -> None:
        """Something that only the curious want to know (``-v``)."""


class Silent:
    """Hears nothing: for libraries and tests that do not look."""

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """Do nothing."""

    def advance(self, size: int) -> None:
        """Do nothing."""

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """Do nothing."""

    def chunks_done(self, numbers: Sequence[int], state: ChunkState) -> None:
        """Do nothing."""

    def warn(self, message: str) -> None:
        """Do nothing."""

    def detail(self, message: str) -> None:
        """Do nothing."""


def skip(observer: Observer, size: int) -> None:
    """Tell that ``size`` bytes of this phase were done before it: they say nothing of how fast it is.

    An observer without ``skip`` hears them as ``advance``.
    """
    heard: Moved = getattr(observer, "skip", observer.advance)
    heard(size)


def phase_of(observer: Observer, name: str, total_bytes: int | None, total: int, thing: str) -> bool:
    """Begin a phase that counts ``total`` things instead of chunks, each as ``chunk_done``; whether it counts them.

    An observer without ``phase_of`` hears a phase that counts bytes alone.
    """
    heard: Callable[[str, int | None, int, str], None] | None = getattr(observer, "phase_of", None)
    if heard is None:
        observer.phase(name, total_bytes, None)
        return False
    heard(name, total_bytes, total, thing)
    return True


def chunks_done(observer: Observer, numbers: Sequence[int], state: ChunkState) -> None:
    """Tell of several chunks what ``chunk_done`` tells of one; an observer without ``chunks_done`` hears of each."""
    heard: Callable[[Sequence[int], ChunkState], None] | None = getattr(observer, "chunks_done", None)
    if heard is not None:
        heard(numbers, state)
        return
    for number in numbers:
        observer.chunk_done(number, state)


class Tally:
    """The bytes of one thing, told as they move and put right when it is done, or has failed. Thread-safe."""

    def __init__(self, tell: Moved) -> None:
        """``tell`` hears of each change."""
        self._tell, self._lock = tell, threading.Lock()
        self.size = 0

    def add(self, size: int) -> None:
        """``size`` more, or fewer, have moved."""
        with self._lock:
            self.size += size
        self._tell(size)

    def settle(self, size: int) -> None:
        """Let what was told be ``size`` in all: 0 where all of it has to move again."""
        with self._lock:
            change, self.size = size - self.size, size
        if change:
            self._tell(change)
