"""Chunk numbers as ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.ranges import NumberRanges, number_ranges, ranges_text


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


@given(st.sets(st.integers(1, 60)), st.integers(60, 70))
def test_number_ranges_are_a_sequence(numbers: set[int], total: int) -> None:
    """However they are made, they are the tuple of the same numbers: length, places, slices, members, equality."""
    listed = tuple(sorted(numbers))
    absent = tuple(number for number in range(1, total + 1) if number not in numbers)
    flags = bytearray(number in numbers for number in range(total + 1))
    for kept in (NumberRanges.of(listed), NumberRanges.without(absent, total), NumberRanges.of_flags(flags)):
        assert kept == listed
        assert (tuple(kept), len(kept)) == (listed, len(listed))
        assert [kept[place] for place in range(-len(listed), len(listed))] == [*listed, *listed]
        assert kept[1:4] == list(listed[1:4])
        assert {number for number in range(total + 2) if number in kept} == numbers
        assert [kept.place(number) for number in listed] == list(range(len(listed)))
    assert NumberRanges.of_flags(flags, wanted=0) == absent
    assert NumberRanges.of(listed).complement(total) == absent
    assert NumberRanges.of(listed) == NumberRanges.without(absent, total)
    assert hash(NumberRanges.of(listed)) == hash(NumberRanges.without(absent, total))


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_less_takes_numbers_away(numbers: set[int], taken: set[int]) -> None:
    """The ranges of a difference are those of the set's difference."""
    assert NumberRanges.of(sorted(numbers)).less(sorted(taken)) == NumberRanges.of(sorted(numbers - taken))


def test_number_ranges_cost_what_is_there() -> None:
    """A claim of a quintillion chunks is two ranges around the one that is stored."""
    missing = NumberRanges.without([7], 10**18)
    assert (len(missing), missing[-1], 7 in missing, 10**17 in missing) == (10**18 - 1, 10**18, False, True)
    assert repr(missing) == "NumberRanges(1-6, 8-1000000000000000000)"
    assert missing != "1-6"
    with pytest.raises(IndexError):
        missing[10**18]
    for absent in (0, 7, 10**18 + 1):
        with pytest.raises(KeyError):
            missing.place(absent)
