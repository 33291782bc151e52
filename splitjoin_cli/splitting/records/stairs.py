"""Where chunks of at most so many bytes lead through a range, from every place where one of them may be open before it.

A chunk ends at the last record end up to its limit, so the cuts of a range depend on one number: the limit of the chunk
that is open where it begins. As that grows, the last cut in the range goes on in steps: a stair. Stairs of neighbours
are put together without their bytes, so that ranges are looked at in any order, anywhere.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.splitting.records import numerics

if TYPE_CHECKING:
    from array import array

__all__ = ["Stairs", "stairs_of"]


class Stairs(NamedTuple):
    """``limits`` ascend, from the range's start on: from each to the next one the last cut is that in ``cuts``.

    They hold for limits within the range: a chunk that may reach its end, or further, is not cut in it.
    """

    limits: list[int]
    cuts: list[int]

    def last_cut(self, limit: int) -> int:
        """The last cut in the range, where the chunk that is open at its start may reach to ``limit``."""
        return self.cuts[bisect_right(self.limits, limit) - 1]


def stairs_of(ends: array[int], start: int, capacity: int) -> Stairs:
    """Of a range from ``start`` to its last record end, by all of its record ends. ``capacity``: bytes of a chunk."""
    numerics.load()
    import numpy as np  # noqa: PLC0415 -- takes long to import

    places = np.frombuffer(ends, dtype=np.int64)
    entries = int(np.searchsorted(places, start + capacity, side="right"))
    limits = np.concatenate((np.array([start], np.int64), places[:entries]))
    cuts = limits.copy()
    while True:
        going = np.flatnonzero(cuts + capacity < places[-1])
        if not len(going):
            break
        now = cuts[going]
        fits = np.searchsorted(places, now + capacity, side="right") - 1
        after = np.searchsorted(places, now, side="right")  # the first record alone, where none fits
        cuts[going] = places[np.maximum(fits, after)]
        kept = np.concatenate((np.array([True]), cuts[1:] != cuts[:-1]))
        limits, cuts = limits[kept], cuts[kept]
    return Stairs(limits.tolist(), cuts.tolist())
