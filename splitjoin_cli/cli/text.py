"""Pieces of a report: labelled lines, and numbers that are not too many to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.ranges import ranges_text

if TYPE_CHECKING:
    from collections.abc import Iterable

RANGES_SHOWN = 200
LABEL_WIDTH = 12


def fact(label: str, text: str) -> str:
    """A line of a report."""
    return f"{label:<{LABEL_WIDTH}}{text}"


def listed(numbers: Iterable[int]) -> str:
    """``3, 7-9``, and where the others are to be found."""
    text = ranges_text(numbers, most=RANGES_SHOWN)
    return f"{text}; --json lists all" if text.endswith("more ranges") else text
