"""Counts a whole file: stretches in which nothing is odd by the block scanner, the others one record at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.splitting.inspect.form import Form, Reader, Row
    from splitjoin_cli.splitting.inspect.tally import Tally
    from splitjoin_cli.splitting.records.base import BlockScanner

__all__ = ["STRETCH_BYTES", "Counting"]

STRETCH_BYTES = 256 * 1024
"""What the caller's blocks should have: where one record is odd, so much is read record by record."""
_SCANNED_BYTES = 8 * STRETCH_BYTES
_MOST_OPEN = 1024 * 1024
_MOST_HELD = 64 * 1024 * 1024
"""A quote that opens is not waited for, and no more is held back, beyond so many bytes."""


class Counting:
    """Adds a file's records to a tally, but for those near its end, which the caller may take for a trailer."""

    def __init__(self, reader: Reader, tally: Tally, *, at: int, line: int) -> None:
        """``at``: where the records begin in the file; ``line``: its physical line there."""
        self._reader, self._tally, self._base = reader, tally, at
        self._line, self._offset, self._rest = line, 0, b""
        self._scanner = _scanner_of(reader.form, tally)
        header = b"" if tally.header is None else reader.form.delimiter.join(tally.header)
        self._repeated = reader.form.newline + header if header else b""

    def but_the_last(self, blocks: Iterable[bytes], lines: int) -> Iterator[Row]:
        """Count the records of consecutive blocks; hand out those of the last ``lines`` lines, or more, uncounted.

        Their places count from where the records begin.
        """
        held: deque[tuple[bytes, int]] = deque()
        held_bytes = held_lines = 0
        newline = self._reader.form.newline
        for block in blocks:
            held.append((block, block.count(newline)))
            held_bytes, held_lines = held_bytes + len(block), held_lines + held[-1][1]
            while len(held) > 1 and (held_lines - held[0][1] >= lines or held_bytes > _MOST_HELD):
                first, its_lines = held.popleft()
                held_bytes, held_lines = held_bytes - len(first), held_lines - its_lines
                self._count(self._rest + first)
            if len(self._rest) > _MOST_HELD:
                break
        for block, _ in held:
            yield from self._rows(self._rest + block)
        yield from self._rows(self._rest, whole=True)

    def _count(self, data: bytes) -> None:
        if not self._in_bulk(data):
            for row in self._rows(data):
                self._tally.add(row, self._base, lines_known=True)

    def _in_bulk(self, data: bytes) -> bool:
        """Count the records of ``data`` at once where none of them is odd; whether that was so."""
        if self._scanner is None or len(data) > _SCANNED_BYTES:
            return False
        if self._repeated and (data.startswith(self._repeated[1:]) or self._repeated in data):
            return False
        view = memoryview(data)
        index = self._scanner.scan(view)
        found = index.outcomes[State.FIELD] or self._scanner.outcome(view, State.FIELD)
        if found.defect is not None or not found.records:
            return False
        expected = self._tally.width - 1
        if self._scanner.first_ragged(view, State.FIELD, before=0, expected=expected) is not None:
            return False
        self._tally.add_alike(found.records, found.last_end)
        self._pass(data, found.last_end)
        return True

    def _rows(self, data: bytes, *, whole: bool = False) -> Iterator[Row]:
        """The records of what comes next; without ``whole`` the last one, that goes on, is kept for what follows."""
        end = 0
        for row in self._reader.rows(data, line=self._line, whole=whole, open_bytes=_MOST_OPEN):
            end = row.end
            fault = row.fault + self._offset if row.fault >= 0 else -1
            yield row._replace(start=row.start + self._offset, end=end + self._offset, fault=fault)
        self._pass(data, end)

    def _pass(self, data: bytes, end: int) -> None:
        self._line += data.count(self._reader.form.newline, 0, end)
        self._rest, self._offset = data[end:], self._offset + end


def _scanner_of(form: Form, tally: Tally) -> BlockScanner | None:
    """The scanner that tells stretches without anything odd; None where each record has to be looked at."""
    if form.newline != b"\n" or form.skip_space or tally.quote is not None:
        return None
    alphabet = Alphabet(
        form.delimiter,
        ord(form.quote) if form.quote else None,
        ord(form.escape) if form.escape else None,
        "mysql" if form.mysql and form.quote else "error",
        form.lf_only,
        form.escape_quoted,
    )
    return new_scanner(alphabet, _SCANNED_BYTES)
