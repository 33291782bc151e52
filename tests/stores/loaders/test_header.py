"""Headers as column names, and dialects of chunks that carry no metadata."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.header import Sniffed, column_names, sniff

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["id", "name"], ("id", "name")),
        (["", "a", ""], ("column_1", "a", "column_3")),
        (["a", "A", "a"], ("a", "A_2", "a_3")),
        (["a", "a", "a_2"], ("a", "a_3", "a_2")),
        (["column_2", ""], ("column_2", "column_2_2")),
    ],
)
def test_column_names(header: list[str], names: tuple[str, ...]) -> None:
    """Named by place where there is no name, numbered where there are several."""
    assert column_names(header) == names


@given(st.lists(st.sampled_from(["", "a", "A", "a_2", "column_1", "b"]), max_size=8))
def test_column_names_never_meet(header: list[str]) -> None:
    """Not even without regard to case; names that are there once stay as they are."""
    names = column_names(header)
    assert len({name.lower() for name in names}) == len(header)
    lower = [name.lower() for name in header]
    assert all(
        name == given for name, given in zip(names, header, strict=True) if given and lower.count(given.lower()) == 1
    )


@pytest.mark.parametrize("names", [lambda n: ["a"] * n, lambda n: [""] * n, lambda n: ["a", "A"] * (n // 2)])
def test_the_work_for_equal_names_grows_with_their_number(names: Callable[[int], list[str]]) -> None:
    """Not with its square: of twice as many names, twice as many lines are run."""
    few, many = (_lines_run(names(count)) for count in (400, 800))
    assert many < 2.5 * few


def _lines_run(header: list[str]) -> int:
    """How many lines of Python naming these columns takes."""
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ANN401 -- a trace function's own type
        nonlocal lines
        del frame, arg
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        column_names(header)
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize(
    ("start", "sniffed"),
    [
        (b"id,name\n1,a\n", Sniffed(Dialect(line_end="\n"), 8, 1)),
        (b"id;name\r\n1;a,b\r\n", Sniffed(Dialect(delimiter=";", line_end="\r\n"), 9, 1)),
        (b"id\tname\n1\ta;b;c\n", Sniffed(Dialect(delimiter="\t", line_end="\n"), 8, 1)),
        (b'id,"full\nname"\n1,a\r\n', Sniffed(Dialect(line_end="mixed"), 15, 2)),
        (b"\xef\xbb\xbfid,name\n", Sniffed(Dialect(line_end="\n"), 11, 1)),
        (b"id,name\n1,Zo\xeb\n", Sniffed(Dialect(line_end="\n", encoding="latin-1"), 8, 1)),
        ("id,name\n1,Zoë\n".encode()[:-2], Sniffed(Dialect(line_end="\n"), 8, 1)),
        (b"name\n", Sniffed(Dialect(line_end="\n"), 5, 1)),
        (b"id,name", Sniffed(Dialect(line_end="\n"), 7, 1)),
    ],
)
def test_sniff(start: bytes, sniffed: Sniffed) -> None:
    """Delimiter, line ends, encoding, and where the header ends."""
    assert sniff(start) == sniffed


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "the chunk's first bytes hold no whole header"),
        (b'id,"name\n1,a\n', "the chunk's first bytes hold no whole header"),
        (b"\x00\x01\x02", "the chunk's first bytes are not text"),
    ],
)
def test_what_cannot_be_sniffed(start: bytes, said: str) -> None:
    """Guessing goes so far."""
    with pytest.raises(BadRowError) as caught:
        sniff(start)
    assert caught.value.message == said
