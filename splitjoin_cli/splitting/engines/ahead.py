"""Reads what guesses will look at before they do, many pieces at once: a request takes as long as many bytes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.splitting import guesses

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.splitting.engines.base import Engine
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["MOST_LOOKS", "LookAhead", "looks_at_once"]

LEAST_LOOKS, MOST_LOOKS = 16, 128
"""Limits whose bytes are read before the guess gets there. At 100 ms a read, 128 are 1,280 chunks a second."""
FIRST_LOOKS, MORE_LOOKS = 4, 2
"""So many at first, and so many more with each chunk: until some chunks say what they leave of their limits."""


def looks_at_once(engine: Engine) -> int:
    """How far to read ahead so that no worker of an engine waits for a unit: a look takes less than a unit."""
    return min(max(engine.in_flight, LEAST_LOOKS), MOST_LOOKS)


class _Window(NamedTuple):
    """Bytes around the limit of chunk ``number``, from ``start`` on. ``reach``: the limit if no chunk left any."""

    number: int
    reach: int
    start: int
    data: Future[bytes]


class LookAhead:
    """A source for ``Guesses``, which belongs to one thread. What was not foreseen is read when it is asked for.

    A chunk ends a little before its limit, and with that each limit behind it comes earlier: by as much as the mean of
    the chunks so far says, give or take half the bytes of a look.
    """

    def __init__(
        self,
        source: Source,
        executor: Executor,
        limit: Callable[[int, int], int | None],
        size: int,
        ahead: int = LEAST_LOOKS,
    ) -> None:
        """``limit``: see CutRule. ``size``: of the source. ``ahead``: so many reads at once."""
        self._source, self._executor, self._limit, self._size = source, executor, limit, size
        self._ahead = ahead
        self._windows: deque[_Window] = deque()
        self._here: _Window | None = None
        self._first = 0
        self._reach: int | None = None  # of the last window that was asked for; None: begin with the next chunk
        self.unforeseen = 0
        """Looks that had to wait for a read of their own."""

    def expect(self, number: int, limit: int) -> None:
        """Chunk ``number`` will be guessed next, and reaches to ``limit`` at most: read for it and those after it."""
        windows = self._windows
        while windows and windows[0].number < number:
            windows.popleft().data.cancel()
        if not windows or windows[0].number != number:  # the first of all, or of those behind a wrong guess
            self.close()
            self._first = number
            self._ask(number, limit, limit)
        here = windows[0]
        self._here, left = here, here.reach - limit
        mean = left / max(number - self._first, 1)
        most = number + min(self._ahead, FIRST_LOOKS + MORE_LOOKS * (number - self._first))
        while self._reach is not None and self._reach < self._size and windows[-1].number < most:
            coming = windows[-1].number + 1
            reach = self._limit(self._reach, coming)
            if reach is None or reach <= self._reach:
                break
            self._ask(coming, reach, reach - left - int(mean * (coming - number)))

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """As in Source."""
        here, size = self._here, len(buffer)
        if here is not None and here.start <= offset and size <= guesses.FIRST_LOOK:
            data, start = here.data.result(), offset - here.start
            if start + size <= len(data):
                buffer[:] = data[start : start + size]
                return size
        self.unforeseen += 1
        return self._source.read_at(offset, buffer, came)

    def close(self) -> None:
        """Forget what was read for nothing."""
        while self._windows:
            self._windows.popleft().data.cancel()
        self._here = self._reach = None

    def _ask(self, number: int, reach: int, likely: int) -> None:
        """Read around where the limit of a chunk is likely to be."""
        look, end = guesses.FIRST_LOOK, min(likely + guesses.FIRST_LOOK // 2, self._size)
        start = max(min(likely, self._size) - look - look // 2, 0)
        self._windows.append(_Window(number, reach, start, self._executor.submit(self._read, start, max(end, start))))
        self._reach = reach

    def _read(self, start: int, end: int) -> bytes:
        buffer = bytearray(end - start)
        return bytes(buffer[: self._source.read_at(start, memoryview(buffer))])
