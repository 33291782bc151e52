"""Chunk numbers as people write them: ``3, 7-9``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["number_ranges", "ranges_text"]


def number_ranges(numbers: Iterable[int]) -> Iterator[str]:
    """Ascending numbers as ranges: ``3``, ``7-9``."""
    start = previous = None
    for number in numbers:
        if previous is not None and number == previous + 1:
            previous = number
            continue
        if start is not None:
            yield _range(start, previous)
        start = previous = number
    if start is not None:
        yield _range(start, previous)


def ranges_text(numbers: Iterable[int], *, most: int | None = None) -> str:
    """``3, 7-9``, of ascending numbers; at most ``most`` ranges, the others are counted."""
    ranges = number_ranges(numbers)
    shown = list(islice(ranges, most))
    more = sum(1 for _ in ranges)
    return ", ".join(shown) + (f", and {more:,} more ranges" if more else "")


def _range(start: int, end: int | None) -> str:
    return str(start) if end in {None, start} else f"{start}-{end}"
