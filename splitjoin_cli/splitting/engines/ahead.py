"""Reads what guesses will look at before they do, several pieces at once: a request takes as long as many bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.splitting import guesses

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["LookAhead"]

AHEAD = 16
"""Limits whose bytes are read before the guess gets there."""


class LookAhead:
    """A source for ``Guesses``, which belongs to one thread. What was not foreseen is read when it is asked for.

    A chunk ends at most a little before its limit, so the limits to come are known but for the little that adds up:
    twice the bytes of a look are read before each.
    """

    def __init__(self, source: Source, executor: Executor, limit: Callable[[int, int], int | None], size: int) -> None:
        """``limit``: see CutRule. ``size``: of the source."""
        self._source, self._executor, self._limit, self._size = source, executor, limit, size
        self._windows: dict[int, tuple[int, Future[bytes]]] = {}

    def expect(self, number: int, limit: int) -> None:
        """Chunk ``number`` will be guessed next, and reaches to ``limit`` at most: read for it and those after it."""
        for done in [one for one in self._windows if one < number]:
            self._windows.pop(done)[1].cancel()
        reach = limit
        for coming in range(number, number + AHEAD):
            if coming not in self._windows:
                end = min(reach, self._size)
                start = max(end - 2 * guesses.FIRST_LOOK, 0)
                self._windows[coming] = start, self._executor.submit(self._read, start, end)
            if reach >= self._size:
                return
            following = self._limit(reach, coming + 1)
            if following is None or following <= reach:
                return
            reach = following

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """As in Source."""
        for start, window in self._windows.values():
            if start <= offset:
                data = window.result() if offset + len(buffer) <= start + 2 * guesses.FIRST_LOOK else b""
                if data and offset + len(buffer) <= start + len(data):
                    buffer[:] = data[offset - start : offset - start + len(buffer)]
                    return len(buffer)
        return self._source.read_at(offset, buffer, came)

    def close(self) -> None:
        """Forget what was read for nothing."""
        while self._windows:
            self._windows.popitem()[1][1].cancel()

    def _read(self, start: int, end: int) -> bytes:
        buffer = bytearray(end - start)
        return bytes(buffer[: self._source.read_at(start, memoryview(buffer))])
