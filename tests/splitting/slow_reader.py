"""What a file's records and chunks are, worked out byte by byte and far from how the product does it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.splitting.request import Size

BOM = b"\xef\xbb\xbf"


class RefusedError(Exception):
    """The file breaks its dialect's rules."""


class Cut(NamedTuple):
    """A chunk: its body's first byte, the one after its last, and its records."""

    start: int
    end: int
    rows: int


def record_ends(data: bytes, dialect: Dialect, *, literal: bool = False) -> list[int]:
    """The offset after each record. Raises RefusedError; ``literal``: stray and open quotes are data."""
    quote = None if dialect.quotechar is None else ord(dialect.quotechar)
    escape = None if dialect.escapechar is None else ord(dialect.escapechar)
    text = iter(enumerate(data))
    for _ in range(len(BOM) if data.startswith(BOM) else 0):
        next(text)
    ends = list(_ends(text, ord(dialect.delimiter), quote, escape, literal=literal))
    if not data.removeprefix(BOM):
        raise RefusedError("empty")
    if not ends or ends[-1] < len(data):
        ends.append(len(data))
    return ends


def _ends(  # noqa: C901 -- one branch for each rule of the grammar
    text: Iterator[tuple[int, int]], delimiter: int, quote: int | None, escape: int | None, *, literal: bool
) -> Iterator[int]:
    starts_field, quoted, closed, returned = True, False, False, False
    for at, byte in text:
        if returned and byte != 10:
            raise RefusedError(f"a lone CR before byte {at}")
        if quoted:
            if byte == escape:
                next(text, None)
            elif byte == quote:
                quoted, closed = False, True
            continue
        if byte == quote and (starts_field or closed):
            quoted, starts_field, closed = True, False, False
            continue
        if byte in (10, 13, delimiter):
            if byte == 10:
                yield at + 1
            returned, starts_field, closed = byte == 13, byte != 13, False
            continue
        if not literal and (closed or byte == quote):
            raise RefusedError(f"a stray quote near byte {at}")
        if byte == escape and not closed:
            next(text, None)
        starts_field = closed = False
    if returned or (quoted and not literal):
        raise RefusedError("the file ends too soon")


def planned(data: bytes, dialect: Dialect, size: Size, *, literal: bool = False) -> tuple[int, list[Cut]]:
    """The header's size, and the chunks. Raises RefusedError."""
    ends = record_ends(data, dialect, literal=literal)
    header = ends.pop(0) if dialect.header else 0
    if isinstance(size, RowCount):
        cuts = ends[size.rows - 1 :: size.rows]
    elif isinstance(size, ChunkSize):
        cuts = _by_size(ends, header, max(size.size_bytes - header, 0))
    else:
        cuts = _by_count(ends, header, size)
    if not cuts or cuts[-1] < len(data):
        cuts.append(len(data))
    chunks, start, before = [], header, 0
    for cut in cuts:
        through = bisect_right(ends, cut)
        chunks.append(Cut(start, cut, through - before))
        start, before = cut, through
    return header, chunks


def _by_size(ends: list[int], start: int, capacity: int) -> list[int]:
    """As many records as fit, at least one."""
    cuts, at = [], 0
    while at < len(ends):
        after = max(bisect_right(ends, start + capacity), at + 1)
        start, at = ends[after - 1], after
        cuts.append(start)
    return cuts


def _by_count(ends: list[int], start: int, size: ChunkCount) -> list[int]:
    """The last end up to each chunk's share of the bytes, where every chunk gets a record."""
    count = max(1, min(size.count, len(ends)))
    if not ends:
        return []
    cuts, taken, body = [], 0, ends[-1] - start
    for number in range(1, count):
        wanted = bisect_right(ends, start + body * number // count)
        taken = min(max(wanted, taken + 1), len(ends) - (count - number))
        cuts.append(ends[taken - 1])
    return [*cuts, ends[-1]]
