"""A chunk's header as column names, and a chunk's dialect where neither metadata nor manifest says it."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError, SourceError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.bad_rows import BadTextError, too_large
from splitjoin_cli.stores.loaders.body import body_texts, opened
from splitjoin_cli.stores.loaders.fields import records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.core.model import LineEnd
    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.grammar import NullRule

__all__ = [
    "Sniffed",
    "chunk_records",
    "column_names",
    "field_count",
    "header_names",
    "header_text",
    "raw_header",
    "sniff",
]

_DELIMITERS = (",", ";", "\t", "|")
_SNIFFED_RECORDS = 200
_KEPT_BYTES = 64 * 1024
START_BYTES = 1024 * 1024
"""Of a chunk that says nothing of its header: it is looked for in so many."""


def raw_header(chunk: ChunkToLoad) -> bytes:
    """The header as it is, line end and byte order mark included; reads no more than it. Empty without one."""
    pieces: list[bytes] = []
    left = chunk.header_bytes  # what a document says: memory is taken for what is there
    with closing(opened(chunk)) as stream:
        while left:
            piece = bytearray(min(left, START_BYTES))
            filled = stream.readinto(memoryview(piece))
            if not filled:
                raise SourceError(f"{chunk.name} ends within its header")
            pieces.append(bytes(piece[:filled]))
            left -= filled
    return b"".join(pieces)


def header_text(chunk: ChunkToLoad) -> str | None:
    """The header as it is, where records equal to it are none; None where nobody asks for it."""
    if not (chunk.dialect.skip_repeated_headers and chunk.header_bytes):
        return None
    return raw_header(chunk).decode(chunk.dialect.encoding, "surrogateescape")


def chunk_records(
    chunk: ChunkToLoad, null_rule: NullRule = "never", *, most_bytes: int = LARGE_RECORD_BYTES
) -> Iterator[list[str | None]]:
    """The chunk's records field by field, the header not among them: see ``fields.records``."""
    return records(body_texts(chunk), chunk.dialect, null_rule, most_bytes=most_bytes, header=header_text(chunk))


def header_names(chunk: ChunkToLoad, most_bytes: int = LARGE_RECORD_BYTES) -> tuple[str, ...] | None:
    """The names in the chunk's header; None without one. Raises BadRowError for one of more than ``most_bytes``."""
    if not chunk.header_bytes:
        return None
    if chunk.header_bytes > most_bytes:
        raise BadRowError(f"the header: {too_large(most_bytes).reason}", hint=too_large(most_bytes).hint)
    header = raw_header(chunk).removeprefix(codecs.BOM_UTF8)
    if len(header) > _KEPT_BYTES:
        return _names(header, chunk.dialect)
    return _kept_names(header, chunk.dialect)


def _names(header: bytes, dialect: Dialect) -> tuple[str, ...]:
    try:
        text = header.decode(dialect.encoding)
    except UnicodeDecodeError as exc:
        bad = BadTextError(dialect.encoding, header[exc.start])
        line = header.count(b"\n", 0, exc.start) + 1
        raise BadRowError(f"the header, line {line} of the chunk: {bad.reason}", hint=bad.hint) from exc
    alone = replace(dialect, nulls=(), skip_repeated_headers=False)  # a column may be called NA
    found = next(records([text], alone, most_bytes=sys.maxsize), [""])
    return tuple(name or "" for name in found)


_kept_names = lru_cache(maxsize=8)(_names)  # all chunks of a split have one header


def field_count(chunk: ChunkToLoad, most_bytes: int = LARGE_RECORD_BYTES) -> int | None:
    """Fields of the first record after the header; None where there is none."""
    with closing(body_texts(chunk)) as texts:
        found = records(texts, chunk.dialect, most_bytes=most_bytes, header=header_text(chunk))
        first = next(found, None)
    return None if first is None else len(first)


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """Names that a table can have: an empty one is called by its place, a repeated one is numbered.

    Databases tell names apart without regard to case, and so does this.
    """
    taken = {name.lower() for name in header}
    seen: set[str] = set()
    tried: dict[str, int] = {}  # for each name the number it was last given, where the next one goes on
    names = []
    for place, given in enumerate(header, start=1):
        base = name = given or f"column_{place}"
        number = tried.get(base.lower(), 1)
        # what is made up here gives way to what the header says
        while name.lower() in seen or (name != given and name.lower() in taken):
            number += 1
            name = f"{base}_{number}"
        tried[base.lower()] = number
        seen.add(name.lower())
        names.append(name)
    return tuple(names)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the first bytes of a chunk without metadata show."""

    dialect: Dialect
    header_bytes: int
    header_lines: int


def sniff(start: bytes) -> Sniffed:
    """The dialect of a chunk that begins with ``start`` (decompressed; 64 KiB are plenty), which has a header.

    The delimiter is the one that gives most records the same number of fields, more than one. Raises BadRowError
    where ``start`` is no text or holds no header to its end.
    """
    encoding = _encoding(start)
    text = start.decode(encoding, "ignore").removeprefix("\ufeff")
    delimiter = max(_DELIMITERS, key=lambda each: _agreement(text, each))
    end = _record_end(start)
    if end is None:
        raise BadRowError("the chunk's first bytes hold no whole header")
    crlf, lf = text.count("\r\n"), text.count("\n")
    line_end: LineEnd = "\n" if not crlf else "\r\n" if crlf == lf else "mixed"
    dialect = Dialect(delimiter=delimiter, line_end=line_end, encoding=encoding)
    header = start[:end]
    lines = header.count(b"\n") + (not header.endswith(b"\n"))
    return Sniffed(dialect, end, lines)


def _encoding(start: bytes) -> str:
    if b"\0" in start:
        raise BadRowError("the chunk's first bytes are not text")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _agreement(text: str, delimiter: str) -> tuple[int, int]:
    """How many records have as many fields as the first, where that is more than one."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        counts = [len(record) for record in islice(reader, _SNIFFED_RECORDS) if record]
    except csv.Error:
        return (0, 0)
    if len(counts) > 1:
        counts.pop()  # may be cut
    return (counts.count(counts[0]) if counts and counts[0] > 1 else 0, counts[0] if counts else 0)


def _record_end(start: bytes) -> int | None:
    """Where the first record ends, its line end included; None where ``start`` ends within it."""
    place = 0
    while (newline := start.find(b"\n", place)) >= 0:
        if start.count(b'"', 0, newline) % 2 == 0:
            return newline + 1
        place = newline + 1
    inside = start.count(b'"') % 2 == 1
    return None if inside or len(start) >= START_BYTES or not start else len(start)
