"""What is around the records of a source and in no chunk: lines before the header, under it, and at the end.

The window that is left (``WindowSource``) is scanned, probed and cut as if it were the source; then its places become
the source's again.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import combine, crc64, tagged
from splitjoin_cli.core.bytes.lines import LineRule, count_lines
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.model import BYTE_ORDER_MARK, ByteRange, Dialect
from splitjoin_cli.splitting import limits
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import State
from splitjoin_cli.splitting.records.table import ending_of
from splitjoin_cli.splitting.skipping import SkippingPlanBuilder
from splitjoin_cli.splitting.stored.records import RecordCounter
from splitjoin_cli.stores.sources.window import MAX_TAIL_BYTES, TailRule, Window, WindowSource, endless_tail

if TYPE_CHECKING:
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Skip
    from splitjoin_cli.splitting.intake import Scanned
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Around", "declared_delimiter", "is_ruler", "line_rule", "with_delimiter"]

_SEPARATOR = re.compile(rb"(?:\xef\xbb\xbf)?sep=([\x00-\x09\x0b\x0c\x0e-\x7f])\r?\n")
_FIRST_LOOK = 64 * 1024
_BLOCK_BYTES = 1024 * 1024
_LINES_CHECKED = 10_000
"""Of a trailer, for quotes: more lines than that are hardly one."""
_MARGIN = 128
"""Bytes before a line that say whether its beginning is escaped."""


def declared_delimiter(start: bytes) -> str | None:
    """The delimiter that the first line names, as Excel reads it: ``sep=;``; None where it is no such line."""
    found = _SEPARATOR.match(start)
    return None if found is None else found[1].decode("ascii")


def with_delimiter(dialect: Dialect, delimiter: str) -> Dialect:
    """``dialect`` with the delimiter that the source's first line names. Raises UsageError where it cannot be one."""
    from dataclasses import replace  # noqa: PLC0415 -- needed here alone

    try:
        return replace(dialect, delimiter=delimiter)
    except ValueError as exc:
        raise UsageError(
            f"the first line of the source is sep={delimiter}, but {exc}", hint="type --delimiter to have another one"
        ) from exc


def line_rule(dialect: Dialect) -> LineRule:
    """What a physical line is in a dialect."""
    escapes = dialect.escapechar is not None and dialect.escape_in == "any"
    escape = (dialect.escapechar or "").encode() if escapes else None
    return LineRule(dialect.delimiter_bytes, escape, lf=dialect.line_end_rule == "lf")


def is_ruler(line: bytes, dialect: Dialect) -> bool:
    """Whether a line is of dashes, in fields that spaces may fill."""
    text = line.rstrip(b"\r\n")
    for piece in (dialect.delimiter_bytes, b" ", b"\t"):
        text = text.replace(piece, b"")
    return bool(text) and not text.strip(b"-")


@dataclass(frozen=True, slots=True)
class _Head:
    """The lines before the header, their number and checksum; and the line under it that is left out."""

    start: int
    lines: int
    crc: int
    gap: ByteRange
    ruler: bytes = b""


class Around:
    """What is left out of one source. ``source`` is what is left of it: the source itself where nothing is left out."""

    def __init__(self, base: Source, dialect: Dialect, skip: Skip, start: bytes | None = None) -> None:
        """``start``: the source's first bytes, where they are at hand.

        Reads the source's head, and its tail where it can seek. Raises BadInputError where no header is left.
        """
        self._base, self.dialect, self.skip = base, dialect, skip
        self._first = first = _first_bytes(base) if start is None else start
        lines = max(skip.lines, int(declared_delimiter(first) is not None))
        self._ends_early = skip.trailer > 0
        self.source: Source = base
        self._window: WindowSource | None = None
        self._head = _Head(0, 0, 0, ByteRange(0, 0))
        if lines or skip.ruler or skip.trailer:
            self._head = _read_head(base, dialect, lines, ruler=skip.ruler and dialect.header)
            self._window = self.source = self._windowed()

    @property
    def asked(self) -> bool:
        """Whether something was to be left out: then documents say what was."""
        return self._window is not None

    @property
    def has_trailer(self) -> bool:
        """Whether lines at the end are left out: then the last record ends before them."""
        return self._ends_early

    def place_of(self, offset: int) -> int:
        """The place in the whole source of a place in what is left of it."""
        return offset if self._window is None else self._window.window.place_of(offset)

    @property
    def header_start(self) -> int:
        """Where the header begins in the source."""
        return self._head.start

    @property
    def ruler_bytes(self) -> int:
        """Of the line under the header that is left out."""
        return self._head.gap.size

    @property
    def tail(self) -> bytes:
        """The bytes that are left out at the end; of a source that cannot seek once it was read."""
        return b"" if self._window is None else self._window.tail

    def beginning(self, size: int) -> bytes | None:
        """The first ``size`` bytes of what is left; None where a source that cannot seek must be read again."""
        if not self._head.start and len(self._first) >= size:
            return self._first[:size]
        if not self.source.properties.seekable:
            return self._first[self._head.start :] or None
        buffer = memoryview(bytearray(min(size, self.source.properties.size or 0)))
        return bytes(buffer[: self.source.read_at(0, buffer)])

    def _windowed(self) -> WindowSource:
        lines, head = self.skip.trailer, self._head
        rule = TailRule(lines, line_rule(self.dialect)) if lines else None
        size = self._base.properties.size
        if not self._base.properties.seekable or size is None:
            return WindowSource(self._base, Window(head.start, head.gap, None, rule))
        whole = WindowSource(self._base, Window(head.start, head.gap, size))
        tail = b"" if rule is None else _read_tail(whole, rule)
        end = size - len(tail)
        if end <= head.start or (head.ruler and end < head.gap.end):
            raise limits.no_header_left(self._base.properties.uri)
        return WindowSource(self._base, Window(head.start, head.gap, end), tail=tail)

    def left_out(self, builder: PlanBuilder | None = None) -> LeftOut | None:
        """What to say of it; ``builder`` counted the lines that are no records. None where nothing was asked."""
        skips = builder if isinstance(builder, SkippingPlanBuilder) else None
        if not self.asked and skips is None:
            return None
        lines = self._head.lines + bool(self._head.ruler)
        blank, repeated = (0, 0) if skips is None else (skips.blank_lines, skips.repeated_headers)
        return LeftOut(lines, count_lines(self.tail), blank, repeated)

    def fingerprint(self, found: Scanned) -> str:
        """Of the whole source, what is left out included; ``found``: what its window holds."""
        head, tail, header, header_crc = self._head, self.tail, len(found.header), crc64(found.header)
        body_bytes = found.size - header
        body = found.crc ^ combine(header_crc, 0, body_bytes)
        crc = combine(head.crc, header_crc, header)
        crc = combine(crc, crc64(head.ruler), len(head.ruler))
        crc = combine(combine(crc, body, body_bytes), crc64(tail), len(tail))
        return f"{head.start + found.size + len(head.ruler) + len(tail)}-{tagged(crc)}"

    def placed(self, chunks: ChunkTable) -> ChunkTable:
        """The chunks of the window by the source's places."""
        by = self._head.start + self._head.gap.size
        if not by:
            return chunks
        table = ChunkTable(chunks.start + by)
        table.starts = array("q", (start + by for start in chunks.starts))
        table.rows, table.checksums = chunks.rows, chunks.checksums
        return table

    def check_tail(self, end: int) -> None:
        """Raise BadInputError where a line that is left out at the end begins inside quotes.

        ``end``: where the window ends, by its own places.
        """
        tail, alphabet = self.tail, Alphabet.of(self.dialect)
        if not self.has_trailer or alphabet.quote is None or not tail:
            return
        scanner, at = new_scanner(alphabet, len(tail)), end
        state: int = State.FIELD
        for line in re.split(rb"(?<=\n)", tail)[:_LINES_CHECKED]:
            if not line:
                return
            if ending_of(alphabet, state).open:
                raise limits.torn_trailer(self.source, at)
            outcome = scanner.outcome(memoryview(line), state)
            if outcome.defect is not None:  # prose: its quotes mean nothing
                return
            state, at = outcome.end, at + len(line)


def _first_bytes(source: Source) -> bytes:
    if source.properties.seekable:
        buffer = memoryview(bytearray(len(BYTE_ORDER_MARK) + len("sep=;\r\n")))
        return bytes(buffer[: source.read_at(0, buffer)])
    stream = _beginning(source)
    try:
        buffer = memoryview(bytearray(_FIRST_LOOK))
        return bytes(buffer[: stream.readinto(buffer)])
    finally:
        stream.close()


def _beginning(source: Source) -> ByteStream:
    from splitjoin_cli.stores.sources.stream import StreamSource  # noqa: PLC0415 -- needed for few sources

    return source.beginning() if isinstance(source, StreamSource) else source.stream()


class _Reader:
    """A source's bytes from its front on, in blocks: small ones first."""

    def __init__(self, source: Source) -> None:
        self._source, self._at, self._size = source, 0, _FIRST_LOOK
        self._stream = None if source.properties.seekable else _beginning(source)

    def read(self) -> bytes:
        """The next block; empty at the end."""
        buffer = memoryview(bytearray(self._size))
        self._size = min(self._size * 4, _BLOCK_BYTES)
        got = self._source.read_at(self._at, buffer) if self._stream is None else self._stream.readinto(buffer)
        self._at += got
        return bytes(buffer[:got])

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def _read_head(source: Source, dialect: Dialect, lines: int, *, ruler: bool) -> _Head:
    """Pass over ``lines`` physical lines, and look for the ruler under the header that follows."""
    reader, place, crc, left = _Reader(source), 0, 0, lines
    data = b""
    try:
        while left and (data := reader.read()):
            at = 0
            while left and (end := data.find(b"\n", at) + 1):
                at, left = end, left - 1
            at = at if not left else len(data)
            place, crc, data = place + at, crc64(data[:at], crc), data[at:]
        if left:
            raise limits.no_header_left(source.properties.uri)
        if not ruler:
            return _Head(place, lines, crc, ByteRange(place, place))
        return _ruled(reader, dialect, data, _Head(place, lines, crc, ByteRange(place, place)))
    finally:
        reader.close()


def _ruled(reader: _Reader, dialect: Dialect, data: bytes, head: _Head) -> _Head:
    """``head`` with the ruler under the header, if there is one; ``data`` begins with the header."""
    counter, end, fed = RecordCounter(dialect, at=head.start), -1, 0
    data = data or reader.read()
    while len(data) <= limits.MAX_HEADER_BYTES:
        if end < 0 and fed < len(data):
            found = counter.feed(memoryview(data[fed:]))
            end, fed = found if found < 0 else fed + found, len(data)
        feed = data.find(b"\n", end) if end >= 0 else -1
        more = b"" if feed >= 0 else reader.read()
        if not more:
            line = data[end : feed + 1 or None] if end >= 0 else b""
            if not is_ruler(line, dialect):
                return head
            start = head.start + end
            return _Head(head.start, head.lines, head.crc, ByteRange(start, start + len(line)), line)
        data += more
    return head


def _read_tail(source: Source, rule: TailRule) -> bytes:
    """The lines at the end that are left out, found by small reads from the end."""
    look, size = _FIRST_LOOK, source.properties.size or 0
    while True:
        begin = max(0, size - look)
        buffer = memoryview(bytearray(size - begin))
        data = bytes(buffer[: source.read_at(begin, buffer)])
        start, _ = rule.rule.tail(data, rule.lines)
        # What begins with the first byte may go on before it; what an escape character does is seen from behind it.
        if not begin or start > _MARGIN:
            return data[start:]
        if look > MAX_TAIL_BYTES:
            raise endless_tail(source.properties.uri, rule.lines)
        look *= 8
