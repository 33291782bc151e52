"""Lines for people, in pieces that know what they mean: a terminal may colour and wrap them, a file gets them plain."""

from __future__ import annotations

import textwrap
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from splitjoin_cli.cli.text import LABEL_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


__all__ = ["STATE_TONES", "Line", "Piece", "Tone", "display_width", "fact_line", "wrapped"]

Tone = Literal["plain", "good", "busy", "warning", "bad", "faint", "strong"]

STATE_TONES: dict[str, Tone] = {
    "joined": "good",
    "joining": "busy",
    "failed": "bad",
    "stuck": "warning",
    "complete": "busy",
    "waiting": "faint",
    "running": "busy",
}


class Piece(NamedTuple):
    """A text, and what it means."""

    text: str
    tone: Tone = "plain"


LEAST_COLUMNS = 20
"""A text is never wrapped to less, however narrow the terminal."""


@dataclass(frozen=True, slots=True)
class Line:
    """``indent``: of the lines that follow where the last piece is wrapped; None: it is never wrapped (a command)."""

    pieces: tuple[Piece, ...]
    indent: int | None = 0

    @property
    def text(self) -> str:
        """Without what it means."""
        return "".join(piece.text for piece in self.pieces)


def fact_line(fact: str, tone: Tone = "plain", *, whole: bool = False) -> Line:
    """A line of a report, as ``text.fact`` puts it. ``whole``: never wrapped."""
    pieces = (Piece(fact[:LABEL_WIDTH], "faint"), Piece(fact[LABEL_WIDTH:], tone))
    return Line(pieces, None if whole else LABEL_WIDTH)


def wrapped(lines: Iterable[Line], width: int) -> Iterator[Line]:
    """The lines, none of them wider than ``width`` where words can be parted."""
    for line in lines:
        if line.indent is None or display_width(line.text) <= width:
            yield line
        else:
            yield from _parted(line.pieces, line.indent, width)


def _parted(pieces: Sequence[Piece], indent: int, width: int) -> Iterator[Line]:
    *before, last = pieces
    taken = display_width("".join(piece.text for piece in before))
    texts = [
        part
        for paragraph in last.text.splitlines() or [""]
        for part in textwrap.wrap(
            paragraph, max(width - indent, LEAST_COLUMNS), break_long_words=False, break_on_hyphens=False
        )
    ]
    if before and taken > indent:  # what comes first has its own line where both do not fit
        yield Line(tuple(before))
    else:
        yield Line((*before, Piece(texts.pop(0) if texts else "", last.tone)))
    for text in texts:
        yield Line((Piece(" " * indent), Piece(text, last.tone)))


def display_width(text: str) -> int:
    """Columns of a terminal that a text takes: two for a wide character, none for a mark that combines with another."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
