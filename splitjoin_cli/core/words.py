"""Counts, durations and lists of numbers as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.ranges import ranges_text

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["count_text", "duration_text", "listed", "which"]

RANGES_SHOWN = 200
RANGES_IN_A_SENTENCE = 12


def listed(numbers: Iterable[int], most: int = RANGES_SHOWN) -> str:
    """``3, 7-9``, and where the others are to be found."""
    text = ranges_text(numbers, most=most)
    return f"{text}; --json lists all" if text.endswith("more ranges") else text


def which(numbers: tuple[int, ...] | list[int]) -> str:
    """``chunk 3``, ``chunks 3, 7-9``; of many the first, in brackets behind how many they are."""
    text = ranges_text(numbers, most=RANGES_IN_A_SENTENCE)
    if text.endswith("more ranges"):
        return f"{len(numbers):,} chunks ({text}; --json lists all)"
    return f"{'chunk' if len(numbers) == 1 else 'chunks'} {text}"


def count_text(count: int, thing: str) -> str:
    """``1 chunk``, ``1,234 chunks``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def duration_text(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``75 s``, ``1:02:03``."""
    if seconds < 10:  # noqa: PLR2004 -- below, tenths are of interest
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
