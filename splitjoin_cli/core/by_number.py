"""What is known of chunks, by number, as two columns: of a million of them 16 MB, where a dict takes 150."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ByNumber"]

T = TypeVar("T", int, float)


class ByNumber(Mapping[int, "T | None"], Generic[T]):
    """Ascending numbers, each with a value; ``unknown`` stands for None."""

    __slots__ = ("_numbers", "_unknown", "_values")

    def __init__(self, numbers: Sequence[int], values: array[T], unknown: T) -> None:
        """Two columns of one length. They are put in order; of a number that comes twice the last value counts."""
        if any(numbers[place] >= numbers[place + 1] for place in range(len(numbers) - 1)):
            last = {number: place for place, number in enumerate(numbers)}
            kept = sorted(last)
            values = array(values.typecode, (values[last[number]] for number in kept))
            numbers = kept
        self._numbers: Sequence[int] = numbers
        self._values: array[T] = values
        self._unknown: T = unknown

    def __getitem__(self, number: int) -> T | None:
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            raise KeyError(number)
        value = self._values[place]
        return None if value == self._unknown else value

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
