"""Chunk numbers as people write them, ``3, 7-9``, and kept as that: ten million in a row cost two integers."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import Any, overload

__all__ = ["NumberRanges", "Ranges", "as_ranges", "ascending", "number_ranges", "parse_ranges", "plain", "ranges_text"]

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
            raise ValueError(f"{text!r} are not chunk numbers: write 3,7-9")
        runs.append((first, last))
    return tuple(runs)


class NumberRanges(Sequence[int]):
    """Ascending numbers, each once, as the ranges that they make up: a sequence that no name can make large.

    What is claimed (a total of millions in one object's name) costs nothing; what is there, at most two integers each.
    """

    __slots__ = ("_counts", "_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """``ranges``: first and last number of each, ascending, with at least one number between two of them."""
        self._firsts, self._lasts = array("q"), array("q")
        for first, last in ranges:
            self._firsts.append(first)
            self._lasts.append(last)
        sizes = (last - first + 1 for first, last in self.ranges())
        self._counts = array("q", accumulate(sizes, initial=0))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> NumberRanges:
        """Ascending ``numbers``, each once."""
        return cls(_runs(numbers))

    @classmethod
    def without(cls, present: Iterable[int], total: int) -> NumberRanges:
        """The numbers from 1 to ``total`` that are not among ``present``: ascending, each once."""
        return cls(_gaps(present, total))

    @classmethod
    def of_flags(cls, flags: bytes | bytearray, wanted: int = 1) -> NumberRanges:
        """The numbers from 1 whose flag is ``wanted``; the flags are 0 and 1, the one of number 0 is passed over."""
        return cls(_flagged(flags, wanted))

    def less(self, taken: Iterable[int]) -> NumberRanges:
        """These numbers without those of ``taken``: ascending, each once."""
        return NumberRanges(self._less(taken))

    def _less(self, taken: Iterable[int]) -> Iterator[tuple[int, int]]:
        out = iter(taken)
        number = next(out, None)
        for first, last in self.ranges():
            begin = first
            while number is not None and number <= last:
                if number > begin:
                    yield begin, number - 1
                begin = max(begin, number + 1)
                number = next(out, None)
            if begin <= last:
                yield begin, last

    def complement(self, total: int) -> NumberRanges:
        """The numbers from 1 to ``total`` that are not these."""
        firsts = (1, *(last + 1 for last in self._lasts))
        lasts = (*(first - 1 for first in self._firsts), total)
        return NumberRanges((first, last) for first, last in zip(firsts, lasts, strict=True) if first <= last)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """First and last number of each range."""
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        return self._counts[-1]

    def __iter__(self) -> Iterator[int]:
        return (number for first, last in self.ranges() for number in range(first, last + 1))

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...

    def __getitem__(self, index: int | slice) -> int | list[int]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        which = bisect_right(self._counts, place) - 1
        return self._firsts[which] + place - self._counts[which]

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        which = bisect_left(self._lasts, number)
        return which < len(self._lasts) and self._firsts[which] <= number

    def place(self, number: int) -> int:
        """The index of ``number``. Raises KeyError where it is not among these."""
        which = bisect_left(self._lasts, number)
        if which == len(self._lasts) or self._firsts[which] > number:
            raise KeyError(number)
        return self._counts[which] + number - self._firsts[which]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NumberRanges):
            return (self._firsts, self._lasts) == (other._firsts, other._lasts)
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash((self._firsts.tobytes(), self._lasts.tobytes()))

    def __repr__(self) -> str:
        return f"NumberRanges({ranges_text(self, most=20)})"


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON form with each NumberRanges in it as a list."""
    return {key: list(value) if isinstance(value, NumberRanges) else value for key, value in document.items()}


def as_ranges(numbers: Iterable[int]) -> NumberRanges:
    """Ascending numbers as ranges, however they are kept."""
    return numbers if isinstance(numbers, NumberRanges) else NumberRanges.of(numbers)


def ascending(numbers: Iterable[int]) -> array[int]:
    """``numbers`` in order, each once, in eight bytes each."""
    column = array("q", numbers)
    if any(column[place] >= column[place + 1] for place in range(len(column) - 1)):
        return array("q", sorted(set(column)))
    return column


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as first and last of each range."""
    start = previous = None
    for number in numbers:
        if start is None or previous is None:
            start = number
        elif number != previous + 1:
            yield start, previous
            start = number
        previous = number
    if start is not None and previous is not None:
        yield start, previous


def _gaps(present: Iterable[int], total: int) -> Iterator[tuple[int, int]]:
    wanted = 1
    for number in present:
        if number > total:
            break
        if number > wanted:
            yield wanted, number - 1
        wanted = number + 1
    if wanted <= total:
        yield wanted, total


def _flagged(flags: bytes | bytearray, wanted: int) -> Iterator[tuple[int, int]]:
    found, other, at = bytes([wanted]), bytes([1 - wanted]), 1
    while (first := flags.find(found, at)) >= 0:
        at = flags.find(other, first)
        at = len(flags) if at < 0 else at
        yield first, at - 1


def number_ranges(numbers: Iterable[int]) -> Iterator[str]:
    """Ascending numbers as ranges: ``3``, ``7-9``."""
    ranges = numbers.ranges() if isinstance(numbers, NumberRanges) else _runs(numbers)
    return (str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def ranges_text(numbers: Iterable[int], *, most: int | None = None) -> str:
    """``3, 7-9``, of ascending numbers; at most ``most`` ranges, the others are counted."""
    ranges = number_ranges(numbers)
    shown = list(islice(ranges, most))
    more = sum(1 for _ in ranges)
    return ", ".join(shown) + (f", and {more:,} more ranges" if more else "")
