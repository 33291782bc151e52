"""Lines of a report: wrapped at words under their text, commands whole, times as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.cli.lines import Line, Piece, display_width, fact_line, wrapped
from splitjoin_cli.cli.text import fact
from splitjoin_cli.cli.times import Times, relative_text

if TYPE_CHECKING:
    from collections.abc import Iterable


def texts(lines: Iterable[Line]) -> list[str]:
    """As they are read."""
    return [line.text for line in lines]


def test_a_fact_is_wrapped_under_its_text() -> None:
    """The label stays alone at the left; what the text means holds for each part."""
    lines = list(wrapped([fact_line(fact("why", "one two three four five six seven"), "bad")], 32))
    assert texts(lines) == ["why         one two three four", "            five six seven"]
    assert [line.pieces[-1].tone for line in lines] == ["bad", "bad"]


def test_a_command_is_never_wrapped() -> None:
    """It is to be copied; nor is a word parted, such as a URI."""
    command = fact_line(fact("next", "splitjoin retry acme_20240131 --tracker dynamodb:jobs"), whole=True)
    uri = fact_line(fact("destination", "s3://bucket/" + "a" * 40 + " and more"))
    shown = texts(wrapped([command, uri], 32))
    assert shown == [command.text, "destination s3://bucket/" + "a" * 40, "            and more"]


def test_paragraphs_of_a_text() -> None:
    """A line end within a text begins another line of it."""
    line = Line((Piece("label       "), Piece("a first line\nand a second one, which is long")), 12)
    assert texts(wrapped([line], 36)) == [
        "label       a first line",
        "            and a second one, which",
        "            is long",
    ]


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("äöü", 3), ("顧客", 4), ("e\u0301", 1)])
def test_columns_of_a_text(text: str, columns: int) -> None:
    """As a terminal draws it."""
    assert display_width(text) == columns


TIMES = {
    0.4: "just now", 1: "1 s ago", 59.9: "59 s ago", 60: "1 min ago", 3599: "59 min ago", 3600: "1 h ago",
    47 * 3600: "47 h ago", 48 * 3600: "2 d ago", 86_400 * 1234: "1,234 d ago", -0.4: "just now", -90: "in 1 min",
}  # fmt: skip


@pytest.mark.parametrize("seconds", TIMES)
def test_how_long_ago(seconds: float) -> None:
    """In one unit; what is to come, such as a lease's end, in its own words."""
    assert relative_text(seconds) == TIMES[seconds]


def test_times_in_full() -> None:
    """ISO 8601 in UTC; what is not known is said."""
    assert Times(90.0, full=True).text(0.0) == "1970-01-01T00:00:00.000Z"
    assert (Times(90.0).text(0.0), Times(90.0).text(None)) == ("1 min ago", "unknown")
