"""What the page draws, as numbers: bins along a time-line, bars side by side; bounded, whatever the job's size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.api.page.facts import seconds_of
from splitjoin_cli.core.ranges import as_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from splitjoin_cli.api.page.facts import PageFacts
    from splitjoin_cli.stores.loaders.base import LoadTime

__all__ = ["Bar", "Lane", "Spread", "Track", "lanes_of", "rates_of", "spread_of", "track_of"]

WIDTH = 1000.0
"""Of every drawing, in its own units: it is stretched to the page's width."""
BINS = 100
"""Along a time-line."""
LANES = 40
"""Chunks, or ranges of chunks, one below the other."""


@dataclass(frozen=True, slots=True)
class Track:
    """A time-line from ``start`` to ``end`` (seconds since 1970, UTC; ``end`` is later)."""

    start: float
    end: float

    def place(self, at: float) -> float:
        """Where a moment is drawn, from 0 to WIDTH."""
        return round(min(1.0, max(0.0, (at - self.start) / (self.end - self.start))) * WIDTH, 1)

    def bin(self, at: float) -> int:
        """Which of BINS a moment is in."""
        return min(BINS - 1, max(0, int((at - self.start) / (self.end - self.start) * BINS)))

    @property
    def bin_seconds(self) -> float:
        """How long a bin is."""
        return (self.end - self.start) / BINS


@dataclass(frozen=True, slots=True)
class Bar:
    """From ``x`` on, ``width`` wide. ``share``: of the most there is anywhere in its drawing, above 0 and up to 1."""

    x: float
    width: float
    share: float = 1.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of a drawing. ``first`` to ``last``: its chunks. ``stored``, ``loaded``: as bars; ``failed``: as marks.

    ``missing``: how many of them are not counted; None where that is not known.
    """

    first: int
    last: int
    stored: tuple[Bar, ...]
    loaded: tuple[Bar, ...]
    failed: tuple[float, ...]
    missing: int | None

    @property
    def label(self) -> str:
        """``7``, ``101-200``."""
        return f"{self.first:,}" if self.first == self.last else f"{self.first:,}–{self.last:,}"  # noqa: RUF001 -- from, to


@dataclass(frozen=True, slots=True)
class Spread:
    """How long loads took: the middle, most and all of them, in seconds, and how many there are in each bin."""

    median: float
    most: float
    longest: float
    bars: tuple[Bar, ...]


def track_of(facts: PageFacts) -> Track | None:
    """From the first to the last moment that is known; a job that goes on lasts until the look. None: nothing is."""
    progress, join = facts.status.progress, facts.status.progress.join
    moments: list[float | None] = [progress.created_at, progress.counted_at, join.joined_at, join.finished_at]
    moments += (facts.uploads or {}).values()
    moments += [at for one in facts.loads or () for at in (one.began_at, one.loaded_at)]
    moments += [failure.at for failure in progress.failures]
    known = [at for at in moments if at is not None]
    if not known:
        return None
    start, end = min(known), max(known)
    if facts.status.state != "joined":
        end = max(end, facts.status.at)
    return Track(start, max(end, start + 1.0))


def bars_of(track: Track, moments: Iterable[float], thing: str = "") -> tuple[Bar, ...]:
    """How many of the moments are in each bin, as high as they are many."""
    counts = [0] * BINS
    for at in moments:
        counts[track.bin(at)] += 1
    return _bars(counts, max(counts, default=0), thing)


def _bars(counts: Sequence[float], most: float, thing: str = "") -> tuple[Bar, ...]:
    width = WIDTH / len(counts)
    return tuple(
        Bar(round(index * width, 1), round(width, 1), round(count / most, 3), f"{count:,.0f} {thing}" if thing else "")
        for index, count in enumerate(counts)
        if count > 0
    )


def lanes_of(facts: PageFacts, track: Track) -> list[Lane]:
    """All chunks, each in a lane of its own or, of many, in a lane of a range."""
    total = facts.status.progress.total_parts
    size = math.ceil(total / LANES)
    spans = [(first, min(first + size - 1, total)) for first in range(1, total + 1, size)]
    stored: list[list[float]] = [[] for _ in spans]
    loads: list[list[LoadTime]] = [[] for _ in spans]
    failed: list[set[float]] = [set() for _ in spans]
    for number, at in (facts.uploads or {}).items():
        if 1 <= number <= total:
            stored[(number - 1) // size].append(at)
    for load in facts.loads or ():
        if 1 <= load.number <= total:
            loads[(load.number - 1) // size].append(load)
    for failure in facts.status.progress.failures:
        if 1 <= failure.number <= total:
            failed[(failure.number - 1) // size].add(track.place(failure.at))
    missing = facts.status.progress.missing
    lacking = None if missing is None else _counts(as_ranges(missing).ranges(), size, len(spans))
    return [
        Lane(
            first,
            last,
            bars_of(track, stored[index]),
            _load_bars(track, loads[index], alone=size == 1),
            tuple(sorted(failed[index]))[:BINS],
            None if lacking is None else lacking[index],
        )
        for index, (first, last) in enumerate(spans)
    ]


def _counts(ranges: Iterable[tuple[int, int]], size: int, lanes: int) -> list[int]:
    """How many numbers of the ranges are in each lane of ``size``."""
    counts = [0] * lanes
    for first, last in ranges:
        for lane in range((first - 1) // size, (last - 1) // size + 1):
            counts[lane] += min(last, (lane + 1) * size) - max(first - 1, lane * size)
    return counts


def _load_bars(track: Track, loads: Sequence[LoadTime], *, alone: bool) -> tuple[Bar, ...]:
    """Of one chunk from begin to end; of many, how many were at work in each bin."""
    if alone:
        bars = []
        for one in loads:
            if one.loaded_at is not None:
                begin = one.loaded_at if one.began_at is None else one.began_at
                x = min(track.place(begin), WIDTH - 2.0)
                bars.append(Bar(x, max(2.0, round(track.place(one.loaded_at) - x, 1))))
        return tuple(bars)
    changes = [0] * (BINS + 1)
    for one in loads:
        if one.loaded_at is not None:
            changes[track.bin(one.loaded_at if one.began_at is None else one.began_at)] += 1
            changes[track.bin(one.loaded_at) + 1] -= 1
    counts, now = [], 0
    for change in changes[:BINS]:
        now += change
        counts.append(now)
    return _bars(counts, max(counts, default=0))


def rates_of(facts: PageFacts, track: Track) -> tuple[tuple[Bar, ...], float] | None:
    """Rows loaded in each bin, and the most of them a second; None where no load's time is known.

    A load's rows are spread evenly from its begin to its end.
    """
    known = [one for one in facts.loads or () if one.loaded_at is not None]
    if not known:
        return None
    rows = [0.0] * BINS
    for one in known:
        end = one.loaded_at or 0.0
        first, last = track.bin(end if one.began_at is None else one.began_at), track.bin(end)
        for index in range(first, last + 1):
            rows[index] += one.rows / (last - first + 1)
    most = max(rows)
    return (_bars(rows, most, "rows") if most else (), most / track.bin_seconds)


def spread_of(durations: Sequence[LoadTime]) -> Spread | None:
    """Of loads, the longest first; None where there are none."""
    if not durations:
        return None
    seconds = [seconds_of(one) for one in durations]
    longest = seconds[0] or 0.001
    bins = min(BINS // 4, len(seconds))
    counts = [0] * bins
    for one in seconds:
        counts[min(bins - 1, int(one / longest * bins))] += 1
    middle, most = seconds[len(seconds) // 2], seconds[len(seconds) // 20]
    return Spread(middle, most, seconds[0], _bars(counts, max(counts), "loads"))
