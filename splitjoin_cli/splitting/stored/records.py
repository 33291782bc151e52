"""Counts the records of what is stored, and says whether it ends where a record ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import BYTE_ORDER_MARK, LF
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.lines import RECORD, LineSorter, header_text
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import Kind, State
from splitjoin_cli.splitting.records.table import ending_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.splitting.records.outcome import Outcome

__all__ = ["SCAN_BYTES", "RecordCounter"]

SCAN_BYTES = 1024 * 1024
"""As a split reads: few calls, and most of it is still in a core's cache for checksum and scan."""


class RecordCounter:
    """Counts the records of bytes fed to it block by block, from a record's start on.

    Stray quotes are read as the csv module reads them, so that a set split with ``--on-stray-quote literal`` counts
    right, and one without any is not touched by it.
    """

    def __init__(
        self, dialect: Dialect, *, at: int = 0, block_bytes: int = SCAN_BYTES, header: bytes | None = None
    ) -> None:
        """``at``: the first byte's place in the source, by which places are told; ``block_bytes``: the largest block.

        At 0 a byte order mark may come, which is no part of the first field. ``header``: the split's, so that where it
        comes again is no record, if its dialect says so.
        """
        if dialect.stray_quote == "error":
            dialect = replace(dialect, stray_quote="literal")
        self._alphabet = Alphabet.of(dialect)
        self._scanner = new_scanner(self._alphabet, block_bytes)
        self._sorter: LineSorter | None = None
        if dialect.skip_blank_lines or dialect.skip_repeated_headers:
            repeated = header_text(header, self._alphabet) if dialect.skip_repeated_headers and header else None
            self._sorter = LineSorter(self._alphabet, blanks=dialect.skip_blank_lines, header=repeated)
        self._state: int = State.FIELD
        self._ends = 0
        self._at = self._record_start = at
        self._last_byte = LF
        self.lone_return: int | None = None
        """The place of a CR without its LF, outside quotes: the records behind it have no right reading."""

    def feed(self, block: memoryview) -> int:
        """Take the next block; the offset just after its first record end, -1 where it has none.

        A block of 0 bytes changes nothing.
        """
        mark = len(BYTE_ORDER_MARK) if not self._at and block[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK else 0
        text = block[mark:]  # a view of its own: callers use theirs again
        start = self._at + mark
        self._at += len(block)
        if not text or self.lone_return is not None:
            return -1
        outcome = self._scanner.outcome(text, self._state)
        if outcome.defect is not None:  # of a quote there is none
            self.lone_return = start + outcome.defect.offset
            return -1
        first = self._sort(text, outcome)
        self._state, self._last_byte = outcome.end, text[-1]
        if outcome.records:
            self._record_start = start + outcome.last_end
        return -1 if first < 0 else mark + first

    def _sort(self, text: memoryview, outcome: Outcome) -> int:
        """Count the records that end in ``text``; the offset after the first one, -1 where there is none."""
        if self._sorter is None:
            self._ends += outcome.records
            return outcome.first_end
        ends: Sequence[int] | memoryview = self._scanner.ends(text, self._state)
        found = self._sorter.sort(text, ends, 0)
        ends = ends if found is None else found.records
        self._ends += len(ends)
        return ends[0] if len(ends) else -1

    @property
    def records(self) -> int:
        """How many so far, one that is not ended included."""
        under_way = self._at > self._record_start and (self._sorter is None or self._sorter.last() == RECORD)
        return self._ends + under_way

    @property
    def record_start(self) -> int:
        """Where the record under way begins."""
        return self._record_start

    def why_torn(self, *, last: bool) -> str | None:
        """Why no record ends at the end of what was fed; None where one does.

        ``last``: the source ends there, too, which ends a record that needs no newline.
        """
        if self.lone_return is not None or self._at == self._record_start:
            return None
        ending = ending_of(self._alphabet, self._state)
        if ending.defect == Kind.LONE_CR:
            return "a carriage return at the end has no line feed"
        if last:  # a quote may be open there, or an escape character be the last: the csv module takes both
            return None
        if self._state in (State.ESCAPED, State.ESCAPED_QUOTED):
            return "an escape character is the last byte"
        if ending.open:
            return "a quote is still open"
        return "the newline at the end is escaped" if self._last_byte == LF else "the newline at the end is missing"
