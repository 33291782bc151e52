"""What the records of a table add up to: fields, blank lines, repeated headers, and what looks wrong in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from splitjoin_cli.splitting.inspect.form import Row

__all__ = ["First", "Tally"]


@dataclass(slots=True)
class First:
    """How often something was seen, and where first: ``line`` is None where lines before it were not read."""

    times: int = 0
    line: int | None = None
    byte: int = 0
    what: int = 0

    def seen(self, line: int | None, byte: int, what: int = 0) -> None:
        """Once more."""
        if not self.times:
            self.line, self.byte, self.what = line, byte, what
        self.times += 1


@dataclass(slots=True)
class Tally:
    """Counts over records. ``width``: fields of most of them. ``header``: the cells of the header, if there is one.

    ``quote``: the quote character (or none), where fields are searched for carriage returns, else None.
    ``records``: those that would be rows; ``seen_bytes``: bytes of all that was added.
    """

    width: int
    header: list[bytes] | None = None
    fields: Counter[int] = field(default_factory=Counter)
    records: int = 0
    seen_bytes: int = 0
    blank: First = field(default_factory=First)
    repeated: First = field(default_factory=First)
    ragged: First = field(default_factory=First)
    stray: First = field(default_factory=First)
    lone_cr: First = field(default_factory=First)
    quote: bytes | None = None
    escape: bytes = b""

    def add(self, row: Row, offset: int, *, lines_known: bool) -> None:
        """Count a record; ``offset`` is the place of its sample in the file."""
        line = row.line if lines_known else None
        self.seen_bytes += row.end - row.start
        if row.blank and self.width > 1:
            self.blank.seen(line, offset + row.start)
            return
        if self.header is not None and self.width > 1 and row.cells == self.header:
            self.repeated.seen(line, offset + row.start)
            return
        self.records += 1
        width = len(row.cells)
        self.fields[width] += 1
        if width != self.width:
            self.ragged.seen(line, offset + row.start, width)
        if self.quote is not None and any(b"\r" in cell and self._is_lone(cell) for cell in row.cells):
            self.lone_cr.seen(line, offset + row.start)
        if row.fault >= 0:
            self.stray.seen(line, offset + row.fault)

    def add_alike(self, records: int, size: int) -> None:
        """Count records of ``size`` bytes together, each of ``width`` fields, in which nothing is odd."""
        self.records += records
        self.fields[self.width] += records
        self.seen_bytes += size

    def _is_lone(self, cell: bytes) -> bool:
        """Whether the carriage return in it is outside quotes, and not kept by an escape character."""
        if self.quote and cell.startswith(self.quote):
            return False
        return not self.escape or b"\r" in cell.replace(self.escape + b"\r", b"")
