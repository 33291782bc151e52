"""Chunk numbers as ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.ranges import number_ranges, ranges_text


@given(st.sets(st.integers(1, 60)))
def test_ranges_are_the_numbers(numbers: set[int]) -> None:
    """Written out again they are the same numbers, in as few ranges as there are gaps."""
    ranges = list(number_ranges(sorted(numbers)))
    again: list[int] = []
    for text in ranges:
        first, _, last = text.partition("-")
        again += range(int(first), int(last or first) + 1)
    assert again == sorted(numbers)
    assert len(ranges) == len([number for number in numbers if number - 1 not in numbers])


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([3, 7, 8, 9], "3, 7-9"), ([1, 2, 4, 5], "1-2, 4-5"), ([1, 2, 4, 6, 7, 8], "1-2, 4, 6-8")],
)
def test_ranges_as_people_write_them(numbers: list[int], text: str) -> None:
    """A number alone, and a range of neighbours."""
    assert ranges_text(numbers) == text


def test_ranges_left_out_are_counted() -> None:
    """A line that ends, however many there are."""
    assert ranges_text(range(1, 21, 2), most=3) == "1, 3, 5, and 7 more ranges"
    assert ranges_text(range(1, 7, 2), most=3) == "1, 3, 5"
