"""Where chunks of about the same size lead through a range, whatever chunk is open before it.

The k-th cut of ``--chunks`` is the last record end up to the k-th target, or the next one behind the cut before it:
c(k) = max(w(k), c(k - 1) + 1), as numbers of record ends. So c(k) - k is the most that w(j) - j is up to k: a maximum,
which neighbouring ranges put together without their bytes, in any order. Where the number of records is known, there is
a bound to it, the ``room``: so that every later chunk keeps a record.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from array import array

__all__ = ["Targets"]


class Targets(NamedTuple):
    """So many ``chunks`` of a body of ``size`` bytes, at least 1. ``start``: the body's, from a range's start."""

    start: int
    size: int
    chunks: int

    def place(self, number: int) -> int:
        """How far the first ``number`` chunks should reach, counted from the range's start."""
        return self.start + self.size * number // self.chunks

    def before(self, place: int) -> int:
        """How many of them lie before ``place``: those that a chunk ends at, which the last one is not."""
        from_body = max(place - self.start, 0) * self.chunks
        return min(max(-(-from_body // self.size) - 1, 0), self.chunks - 1)

    def seen_from(self, start: int) -> Targets:
        """The same, counted from a range that begins at ``start`` of this one."""
        return self._replace(start=self.start - start)

    def lead(self, ends: array[int], size: int) -> int | None:
        """Of a range of ``size`` bytes: the most record ends up to one of its targets, less that one's number.

        ``ends``: all its record ends. None: no target lies in it.
        """
        first, last = self.before(0) + 1, self.before(size)
        return max((bisect_right(ends, self.place(k)) - k for k in range(first, last + 1)), default=None)
