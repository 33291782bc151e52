"""What a file's records and chunks are, worked out byte by byte and far from how the product does it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import Dialect, Skip, StrayQuote
    from splitjoin_cli.splitting.request import Size

BOM = b"\xef\xbb\xbf"


class RefusedError(Exception):
    """The file breaks its dialect's rules."""


class Cut(NamedTuple):
    """A chunk: its body's first byte, the one after its last, and its records."""

    start: int
    end: int
    rows: int


class Line(NamedTuple):
    """What lies between two line ends outside quotes: a record, as a rule."""

    start: int
    end: int
    fields: int


def lines_of(data: bytes, dialect: Dialect) -> list[Line]:
    """The file's records, whatever is in them. Raises RefusedError."""
    if not data.removeprefix(BOM):
        raise RefusedError("empty")
    start = 0
    lines = []
    for end, fields in _Reader(data, dialect).lines(len(BOM) if data.startswith(BOM) else 0):
        lines.append(Line(start, end, fields))
        start = end
    return lines


class _Reader:
    """Reads from the left, one character, delimiter or quoted text after the other."""

    def __init__(self, data: bytes, dialect: Dialect) -> None:
        self._data, self._dialect = data, dialect
        self._delimiter = dialect.delimiter.encode()
        self._quote = None if dialect.quotechar is None else dialect.quotechar.encode()
        self._escape = None if dialect.escapechar is None else dialect.escapechar.encode()
        self._escape_outside = None if dialect.escape_in == "quotes" else self._escape

    def lines(self, at: int) -> Iterator[tuple[int, int]]:
        """The end and the fields of each."""
        data, begun = self._data, at
        fields, starts_field, closed = 1, True, False
        while at < len(data):
            one = data[at : at + 1]
            if starts_field and self._dialect.skip_initial_space and one == b" " and not self._delimits(at):
                at += 1
            elif starts_field and one == self._quote:
                at, starts_field, closed = self._behind_quotes(at + 1), False, True
            elif self._delimits(at):
                at, fields, starts_field, closed = at + len(self._delimiter), fields + 1, True, False
            elif self._ends_line(at):
                at += self._ends_line(at)
                yield at, fields
                begun, fields, starts_field, closed = at, 1, True, False
            else:
                at, starts_field, closed = self._behind_data(at, closed=closed), False, False
        if begun < len(data):
            yield len(data), fields

    def _behind_data(self, at: int, *, closed: bool) -> int:
        one = self._data[at : at + 1]
        if one == b"\r" and self._dialect.line_end_rule == "auto":
            raise RefusedError(f"a lone CR at byte {at}")
        if self._dialect.stray_quote == "error" and (closed or one == self._quote):
            raise RefusedError(f"a stray quote near byte {at}")
        return at + (2 if one == self._escape_outside and not closed else 1)

    def _behind_quotes(self, at: int) -> int:
        """The place behind the quote that closes; ``at`` is right behind the one that opens."""
        mysql = self._dialect.stray_quote == "mysql"
        while at < len(self._data):
            one = self._data[at : at + 1]
            if one == self._quote and self._data[at + 1 : at + 2] != self._quote:
                after = at + 1
                if not mysql or after == len(self._data) or self._delimits(after) or self._ends_line(after):
                    return after
                at = after
            else:
                at += 2 if one in (self._escape, self._quote) else 1
        if self._dialect.stray_quote != "literal":
            raise RefusedError("the file ends too soon")
        return at

    def _delimits(self, at: int) -> bool:
        return self._data.startswith(self._delimiter, at)

    def _ends_line(self, at: int) -> int:
        """How many bytes the line end has that is here."""
        if self._data.startswith(b"\r\n", at) and self._dialect.line_end_rule == "auto":
            return 2
        return 1 if self._data.startswith(b"\n", at) else 0


def inside(data: bytes, dialect: Dialect, skip: Skip) -> tuple[bytes, bytes, bytes]:
    """What is left out at the start, what is left, and what is left out at the end. Raises RefusedError."""
    lines = [one for one in re.split(rb"(?<=\n)", data) if one]
    sep = re.fullmatch(rb"(\xef\xbb\xbf)?sep=[\x00-\x7f]\r?\n", lines[0]) if lines else None
    first = max(skip.lines, 1 if sep else 0)
    head, rest = lines[:first], lines[first:]
    escape = (dialect.escapechar or "").encode() if dialect.escape_in == "any" else b""

    def blank(at: int) -> bool:
        before = rest[at - 1][:-1] if at else b""
        escaped = bool(escape) and (len(before) - len(before.rstrip(escape))) % 2 > 0
        text = re.sub(rb"\n$" if dialect.line_end_rule == "lf" else rb"\r?\n$", b"", rest[at])
        return not escaped and not text.strip(b" \t") and dialect.delimiter.encode() not in text

    end, left = len(rest), skip.trailer
    while skip.trailer and end and (blank(end - 1) or left):
        end -= 1
        left -= not blank(end)
    body, tail = b"".join(rest[:end]), b"".join(rest[end:])
    lenient: StrayQuote = "literal" if dialect.stray_quote == "error" else dialect.stray_quote
    if not body.removeprefix(BOM) or (
        skip.trailer
        and len(body) not in [line.end for line in lines_of(body + b"a", replace(dialect, stray_quote=lenient))]
    ):
        raise RefusedError("nothing is left, or not whole records")
    return b"".join(head), body, tail


class OneColumnError(Exception):
    """Blank lines cannot be told from rows."""


def planned(data: bytes, dialect: Dialect, size: Size) -> tuple[int, list[Cut]]:
    """The header's size, and the chunks. Raises RefusedError, OneColumnError."""
    lines = lines_of(data, dialect)
    if dialect.skip_blank_lines or dialect.skip_repeated_headers:
        return _planned_skipping(data, lines, dialect, size)
    ends = [line.end for line in lines]
    header = ends.pop(0) if dialect.header else 0
    if isinstance(size, RowCount):
        cuts = ends[size.rows - 1 :: size.rows]
    elif isinstance(size, ChunkSize):
        cuts = _by_size(ends, header, max(size.size_bytes - header, 0))
    else:
        cuts = _by_count(ends, header, size, len(data))
    if not cuts or cuts[-1] < len(data):
        cuts.append(len(data))
    chunks, start, before = [], header, 0
    for cut in cuts:
        through = bisect_right(ends, cut)
        chunks.append(Cut(start, cut, through - before))
        start, before = cut, through
    return header, chunks


def text_of(line: Line, data: bytes, dialect: Dialect) -> bytes:
    """A line without byte order mark and line end."""
    text = data[line.start : line.end].removeprefix(BOM if not line.start else b"").removesuffix(b"\n")
    return text.removesuffix(b"\r") if dialect.line_end_rule == "auto" else text


def is_blank(text: bytes, dialect: Dialect) -> bool:
    """Spaces and tabs, none of them the delimiter."""
    return not text.strip(b" \t") and not (dialect.delimiter.isspace() and set(dialect.delimiter.encode()) & set(text))


def _planned_skipping(data: bytes, lines: list[Line], dialect: Dialect, size: Size) -> tuple[int, list[Cut]]:
    """The same where blank lines, or repeated headers, are no records."""
    header, head = 0, None
    if dialect.header:
        first = lines.pop(0)
        header, head = first.end, text_of(first, data, dialect)
        if dialect.skip_blank_lines and first.fields == 1:
            raise OneColumnError
    solid: list[int] = []
    ends: list[int] = []
    for line in lines:
        text = text_of(line, data, dialect)
        if dialect.skip_blank_lines and is_blank(text, dialect):
            continue
        solid.append(line.end)
        if not (dialect.skip_repeated_headers and text == head):
            if dialect.skip_blank_lines and not ends and not dialect.header and line.fields == 1:
                raise OneColumnError
            ends.append(line.end)
    body_end = (solid or [header])[-1]
    if isinstance(size, RowCount):
        cuts = ends[size.rows - 1 :: size.rows]
    elif isinstance(size, ChunkSize):
        cuts = _by_size(solid, header, max(size.size_bytes - header, 0))
    else:
        cuts = _by_count(ends, header, size, len(data))[:-1]
    if not cuts or cuts[-1] < body_end:
        cuts.append(body_end)
    starts = [header, *cuts]
    return header, [
        Cut(start, cut, bisect_right(ends, cut) - bisect_right(ends, start))
        for start, cut in zip(starts, cuts, strict=False)
    ]


def _by_size(ends: list[int], start: int, capacity: int) -> list[int]:
    """As many records as fit, at least one."""
    cuts, at = [], 0
    while at < len(ends):
        after = max(bisect_right(ends, start + capacity), at + 1)
        start, at = ends[after - 1], after
        cuts.append(start)
    return cuts


def _by_count(ends: list[int], start: int, size: ChunkCount, end: int) -> list[int]:
    """The last end up to each chunk's share of the bytes, where every chunk gets a record."""
    count = max(1, min(size.count, len(ends)))
    if not ends:
        return []
    cuts, taken, body = [], 0, end - start
    for number in range(1, count):
        wanted = bisect_right(ends, start + body * number // count)
        taken = min(max(wanted, taken + 1), len(ends) - (count - number))
        cuts.append(ends[taken - 1])
    return [*cuts, ends[-1]]
