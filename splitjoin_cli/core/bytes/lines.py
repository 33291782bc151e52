"""Physical lines around the records of a file: which of them are blank, and where the last ones begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["LineRule", "Tail", "count_lines"]


class Tail(NamedTuple):
    """The last lines of some bytes. ``start``: where they begin; ``found``: how many of them are not blank."""

    start: int
    found: int


@dataclass(frozen=True, slots=True)
class LineRule:
    """What a line is. ``delimiter``: of fields; ``escape``: the byte before which a newline is data, None without one.

    ``lf``: only LF ends a line, and a CR before it is data.
    """

    delimiter: bytes
    escape: bytes | None = None
    lf: bool = False

    def is_blank(self, line: bytes) -> bool:
        """Whether a line, with its end or without, holds nothing but spaces and tabs, none of them a delimiter."""
        text = line.removesuffix(b"\n") if self.lf or not line.endswith(b"\r\n") else line[:-2]
        return not text.strip(b" \t") and self.delimiter not in text

    def is_escaped(self, data: bytes, start: int) -> bool:
        """Whether the newline before ``start`` is data, by the bytes of ``data`` before it."""
        if self.escape is None or not start:
            return False
        before = data[max(start - 65, 0) : start - 1]
        return (len(before) - len(before.rstrip(self.escape))) % 2 > 0

    def tail(self, data: bytes, lines: int, *, begun: bool = False) -> Tail:
        """The last ``lines`` lines of ``data`` that are not blank, with the blank ones around them, or all of it.

        ``begun``: the first bytes are the rest of a line (which is not blank).
        """
        place, found = len(data), 0
        while place:
            start = data.rfind(b"\n", 0, place - 1) + 1
            goes_on = begun if not start else self.is_escaped(data, start)
            if goes_on or not self.is_blank(data[start:place]):
                if found == lines:
                    return Tail(place, found)
                found += 1
            place = start
        return Tail(0, found)


def count_lines(data: bytes) -> int:
    """Physical lines, the last one with or without its end."""
    return data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
