"""Columns by number: a mapping as a dict is."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.by_number import ByNumber
from splitjoin_cli.core.ranges import ascending
from tests.laws import examples


@examples(50)
@given(st.lists(st.tuples(st.integers(1, 30), st.none() | st.integers(0, 9)), max_size=30))
def test_it_is_the_dict_of_its_pairs(pairs: list[tuple[int, int | None]]) -> None:
    """In any order, with numbers that come twice and values that are not known."""
    numbers = array("q", (number for number, _ in pairs))
    found = ByNumber(numbers, array("q", (-1 if value is None else value for _, value in pairs)), -1)
    assert dict(found) == dict(pairs)
    assert list(found) == sorted(dict(pairs)) == list(ascending(numbers))
    assert [found.get(number, "none") for number in range(32)] == [dict(pairs).get(n, "none") for n in range(32)]
