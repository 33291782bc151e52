"""CSV files for the split's tests: strategies that make them, and the csv module's word on what they mean."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, final

from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect, SourceProperties
from splitjoin_cli.splitting.records.base import Alphabet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.progress import Moved

BOM = b"\xef\xbb\xbf"
BLOCK_BYTES = st.sampled_from([1, 2, 3, 7, 63, 64, 65, 128, 1000])
"""Around the width of a mask's word, and so small that whatever can lie at a block's edge does."""


class Record(NamedTuple):
    """A record as the csv module reads it: the byte after its last one, and how many fields it has."""

    end: int
    fields: int


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(1 << 40)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def records_of(data: bytes, dialect: Dialect) -> list[Record]:
    """What ``csv.reader`` makes of ``data`` (read as utf-8-sig), line by line, so that each record's end is known.

    A file that ends inside quotes, or behind an escape character, ends with a record, too.
    """
    skipped = len(BOM) if data.startswith(BOM) else 0
    position = skipped

    def lines() -> Iterator[str]:
        nonlocal position
        for line in _lines(data[skipped:]):
            position += len(line)
            yield line.decode("latin-1")  # a byte is a character: none of the dialect's is part of a longer one

    with _fields_of_any_length():
        rows = csv.reader(
            lines(),
            delimiter=dialect.delimiter,
            quotechar=dialect.quotechar,
            escapechar=dialect.escapechar,
            quoting=csv.QUOTE_NONE if dialect.quotechar is None else csv.QUOTE_MINIMAL,
        )
        return [Record(position, max(len(row), 1)) for row in rows]


def _lines(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def alphabet_of(dialect: Dialect, *, literal: bool = False) -> Alphabet:
    """The scanner's form of a dialect."""
    return Alphabet.of(replace(dialect, stray_quote="literal") if literal else dialect)


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    """Any delimiter, quote and escape character that differ, or neither quotes nor escapes."""
    characters = draw(st.permutations([",", ";", "\t", "|", '"', "'", "\\", "^", "x", "\x01"]))
    quotechar = draw(st.sampled_from([characters[1], characters[1], None]))
    escapechar = draw(st.sampled_from([characters[2], None, None]))
    return Dialect(delimiter=characters[0], quotechar=quotechar, escapechar=escapechar)


DELIMITERS = ["||", "¦", "~|~", "::", "aab", " | ", "|||x", "\x01\x02\x03\x04\x05\x06\x07\x08", ",", "\t", "|"]


@st.composite
def rare_dialects(draw: st.DrawFn) -> Dialect:
    """What the csv module does not know, alone and together; now and then what it does."""
    quotechar = draw(st.sampled_from(['"', '"', "'", None]))
    escapechar = draw(st.sampled_from([None, "\\", "^"]))
    within = ("any", "quotes") if escapechar is not None and quotechar is not None else ("any",)
    return Dialect(
        delimiter=draw(st.sampled_from(DELIMITERS)),
        quotechar=quotechar,
        escapechar=escapechar,
        escape_in=draw(st.sampled_from(within)),
        line_end_rule=draw(st.sampled_from(["auto", "auto", "lf"])),
        stray_quote=draw(st.sampled_from(["error", "literal", "mysql"])),
        skip_initial_space=draw(st.booleans()),
    )


def _plain(dialect: Dialect) -> str:
    meant = {*dialect.delimiter, dialect.quotechar, dialect.escapechar}
    return "".join(c for c in "abé;'\"\\^ x" if c not in meant)


@st.composite
def _fields(draw: st.DrawFn, dialect: Dialect) -> str:
    plain = st.text(_plain(dialect), max_size=8)
    if dialect.quotechar is None or draw(st.booleans()):
        text = draw(plain)
        if dialect.escapechar is not None and draw(st.booleans()):
            text += dialect.escapechar + draw(st.sampled_from([dialect.delimiter, dialect.escapechar, "\n"]))
        return text
    quote = dialect.quotechar
    pieces = ["a", "é", dialect.delimiter, "\n", "\r\n", "\r", quote * 2]
    if dialect.escapechar is not None:
        pieces += [dialect.escapechar + c for c in (quote, dialect.escapechar, "\n", "a")]
    return quote + "".join(draw(st.lists(st.sampled_from(pieces), max_size=8))) + quote


@st.composite
def valid_files(draw: st.DrawFn, dialect: Dialect, *, fields: int | None = None, min_records: int = 1) -> bytes:
    """Files by RFC 4180, with LF, CR LF or both, with or without a last line end and a byte order mark.

    ``fields``: in each record; None for any numbers.
    """
    count = st.integers(1, 4) if fields is None else st.just(fields)
    widths = draw(st.lists(count, min_size=min_records, max_size=12))
    line_end = draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"]]))
    text = ""
    for number, width in enumerate(widths, start=1):
        values = [draw(_fields(dialect)) for _ in range(width)]
        if len(values) == 1 and number == len(widths):
            values[0] = values[0] or "a"  # an empty record without a line end is no record
        text += dialect.delimiter.join(values)
        if number < len(widths) or draw(st.booleans()):
            text += draw(st.sampled_from(line_end))
    mark = BOM if draw(st.integers(0, 4)) == 0 else b""
    return mark + text.encode()


@st.composite
def dirty_files(draw: st.DrawFn, dialect: Dialect, *, lone_returns: bool = False) -> bytes:
    """Any mixture of what means something and what does not."""
    pieces = ["a", "é", dialect.delimiter, "\n", "\r\n"]
    if len(dialect.delimiter) > 1:
        pieces += [*dialect.delimiter, dialect.delimiter]
    if dialect.skip_initial_space:
        pieces += [" ", dialect.delimiter + " "]
    if dialect.quotechar is not None:
        pieces += [dialect.quotechar, dialect.quotechar, dialect.quotechar * 2, dialect.delimiter + dialect.quotechar]
    if dialect.escapechar is not None:
        pieces += [dialect.escapechar]
    if lone_returns or dialect.line_end_rule == "lf":
        pieces += ["\r"]
    return "".join(draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=60))).encode()


@final
class ForwardOnly:
    """A source that cannot seek: passes from the front, which it counts."""

    def __init__(self, data: bytes, uri: str = "memory:source.csv.gz") -> None:
        self._data = data
        self.passes_open = 0
        self.properties = SourceProperties(
            uri=uri, seekable=False, size=None, stored_bytes=None, compression="gzip", validator=None
        )

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- Source's
        raise AssertionError(f"read {len(buffer)} bytes at {offset} of a source that cannot seek")

    def stream(self, came: Moved | None = None) -> Pass:  # noqa: ARG002 -- Source's
        self.passes_open += 1
        return Pass(self, self._data)

    def check_unchanged(self) -> None:
        """It never changes."""

    def close(self) -> None:
        """It holds nothing."""


class Pass:
    """One pass over a ForwardOnly."""

    def __init__(self, source: ForwardOnly, data: bytes) -> None:
        self._source = source
        self._data = BytesIO(data)

    def readinto(self, buffer: memoryview) -> int:
        return self._data.readinto(buffer)

    def close(self) -> None:
        if not self._data.closed:
            self._data.close()
            self._source.passes_open -= 1
