"""Chunk numbers as people write them: ``3, 7-9``."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Ranges", "number_ranges", "parse_ranges", "ranges_text"]

Ranges = tuple[tuple[int, int], ...]
"""Numbers as a user writes them: first and last of each run, both included."""
_RUN = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", re.ASCII)


def parse_ranges(text: str) -> Ranges:
    """``3,7-9``. Raises ValueError for what are no chunk numbers."""
    runs = []
    for part in text.split(","):
        match = _RUN.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise ValueError(f"{text!r} are no chunk numbers: write 3,7-9")
        runs.append((first, last))
    return tuple(runs)


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
