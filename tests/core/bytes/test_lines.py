"""Physical lines at the end of some bytes: which are blank, and where the last ones begin."""

from __future__ import annotations

import pytest

from splitjoin_cli.core.bytes.lines import LineRule, Tail, count_lines


@pytest.mark.parametrize(
    ("line", "delimiter", "lf", "blank"),
    [
        (b"\n", b",", False, True),
        (b" \t\r\n", b",", False, True),
        (b"\r\n", b",", True, False),
        (b"\r", b",", False, False),
        (b" \t\n", b"\t", False, False),
        (b"  ", b",", False, True),
        (b"  ", b"  ", False, False),
        (b" a\n", b",", False, False),
    ],
)
def test_a_blank_line_has_spaces_and_tabs_alone(line: bytes, delimiter: bytes, lf: bool, blank: bool) -> None:  # noqa: FBT001 -- a table
    """None of which is a delimiter; a CR is of the line's end only before LF, and where LF alone does not end lines."""
    assert LineRule(delimiter, lf=lf).is_blank(line) is blank


@pytest.mark.parametrize(
    ("data", "lines", "tail"),
    [
        (b"1,a\n\nT|1\n\n", 1, Tail(4, 1)),
        (b"1,a\nT|1", 1, Tail(4, 1)),
        (b"1,a\n \n\n", 0, Tail(4, 0)),
        (b"1,a", 0, Tail(3, 0)),
        (b"1,a\n", 2, Tail(0, 1)),
        (b"1\\\n\nT\n", 1, Tail(4, 1)),
        (b"1\\\\\n\nT\n", 1, Tail(4, 1)),
    ],
)
def test_a_tail_has_the_last_lines_and_the_blank_ones_around_them(data: bytes, lines: int, tail: Tail) -> None:
    """A newline behind an odd number of escape characters is data: the line after it is no blank one."""
    assert LineRule(b",", b"\\").tail(data, lines) == tail


def test_lines_are_counted_with_or_without_the_last_end() -> None:
    """As an editor counts them."""
    assert [count_lines(data) for data in (b"", b"a", b"a\n", b"a\nb")] == [0, 1, 1, 2]
