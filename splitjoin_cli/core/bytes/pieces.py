"""A stream whose bytes become ready piece by piece, in whatever sizes they come."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["PiecewiseStream"]


class PiecewiseStream(ABC):
    """See ByteStream. A subclass says what comes next, and at the end sets ``_ended``."""

    def __init__(self) -> None:
        """Nothing is ready yet."""
        self._ready = memoryview(b"")
        self._ended = False

    @abstractmethod
    def _more(self) -> None:
        """Make the next piece ready, which may be empty; the last one with ``_ended``."""

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. Raises what ``_more`` raises."""
        filled = 0
        while filled < len(buffer) and (self._ready or not self._ended):
            if not self._ready:
                self._more()
                continue
            count = min(len(self._ready), len(buffer) - filled)
            buffer[filled : filled + count] = self._ready[:count]
            self._ready = self._ready[count:]
            filled += count
        return filled

    def close(self) -> None:
        """See ByteStream."""
        self._ended, self._ready = True, memoryview(b"")
