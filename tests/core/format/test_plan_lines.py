"""What the kernel makes of a plan's columns is what Python makes of them."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.format import plan_lines
from tests.laws import examples


@examples(50)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_numbers_in_hexadecimal(numbers: list[int]) -> None:
    """64 bits each, with leading zeros."""
    wanted = ", ".join(f'"{number:016x}"' for number in numbers)
    assert plan_lines.hex_texts(array("Q", numbers)) == wanted
