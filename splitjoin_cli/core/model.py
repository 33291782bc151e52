"""The values that the parts of splitjoin hand to each other: frozen, and checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from splitjoin_cli.core.shown import in_quotes

LineEnd = Literal["\n", "\r\n", "mixed"]
Compression = Literal["gzip", "bz2", "xz", "zstd"]
EscapeIn = Literal["any", "quotes"]
LineEndRule = Literal["auto", "lf"]
StrayQuote = Literal["error", "literal", "mysql"]

LF = 0x0A
CR = 0x0D
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of UTF-8: bytes of the first record, not of its first field
MAX_DELIMITER_BYTES = 8
MAX_NULLS = 8
MAX_NULL_BYTES = 32


class ChunkState(StrEnum):
    """What became of a chunk in a split, as the JSON documents say it.

    ``STORED``: a rehearsal found it there. ``SKIPPED``: a split did, and left it as it is.
    """

    PLANNED = "planned"
    UPLOADED = "uploaded"
    SKIPPED = "skipped"
    FAILED = "failed"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A half-open range of bytes: ``start`` is in it, ``end`` is not."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            msg = f"not a byte range: {self.start} to {self.end}"
            raise ValueError(msg)

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Dialect:
    """How records are written. ``quotechar`` and ``escapechar``: one ASCII byte each, ``None`` where there is none.

    ``delimiter``: 1 to 8 bytes of UTF-8. ``line_end`` is ``None`` until the source was read. ``encoding`` is the
    encoding of the chunks' bytes. ``nulls``: what an unquoted field is, byte for byte, that means NULL; ``None``: the
    database's own rule stands; empty: nothing is NULL. ``c_escapes``: letters after the escape character mean what
    they mean in C. ``escape_in``: where the escape character works. ``line_end_rule``: with ``lf`` only LF ends a
    record, and CR is data. ``stray_quote``: how a quote in a wrong place is read. ``skip_initial_space``: spaces at a
    field's start are not part of it. ``skip_blank_lines``, ``skip_repeated_headers``: such lines are no records.
    """

    delimiter: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    header: bool = True
    line_end: LineEnd | None = None
    encoding: str = "utf-8"
    nulls: tuple[str, ...] | None = None
    c_escapes: bool = False
    escape_in: EscapeIn = "any"
    line_end_rule: LineEndRule = "auto"
    stray_quote: StrayQuote = "error"
    skip_initial_space: bool = False
    skip_blank_lines: bool = False
    skip_repeated_headers: bool = False

    def __post_init__(self) -> None:
        for char in (self.quotechar, self.escapechar):
            if char is not None and (len(char) != 1 or not char.isascii() or char in "\r\n"):
                msg = f"not one ASCII character other than CR and LF: {in_quotes(char)}"
                raise ValueError(msg)
        if not 1 <= _size(self.delimiter) <= MAX_DELIMITER_BYTES or set(self.delimiter) & {"\r", "\n"}:
            msg = f"not 1 to {MAX_DELIMITER_BYTES} bytes of UTF-8 without CR and LF: {in_quotes(self.delimiter)}"
            raise ValueError(msg)
        chars = [char for char in (*self.delimiter[:1], self.quotechar, self.escapechar) if char is not None]
        within = {self.quotechar, self.escapechar} & set(self.delimiter)
        if len(set(chars)) != len(chars) or within:
            typed = [char for char in (self.delimiter, self.quotechar, self.escapechar) if char is not None]
            msg = f"delimiter, quotechar and escapechar must differ: {', '.join(map(in_quotes, typed))}"
            raise ValueError(msg)
        self._check_escapes()
        self._check_nulls()
        if self.skip_repeated_headers and not self.header:
            msg = "repeated headers can be skipped only where there is a header"
            raise ValueError(msg)

    def _check_escapes(self) -> None:
        if self.escapechar is None and (self.c_escapes or self.escape_in != "any"):
            what = "c_escapes" if self.c_escapes else "escape_in"
            msg = f"{what} needs an escape character"
            raise ValueError(msg)
        if self.quotechar is None and self.escape_in == "quotes":
            msg = "an escape character that works in quotes alone needs a quote character"
            raise ValueError(msg)

    def _check_nulls(self) -> None:
        nulls = self.nulls or ()
        if len(nulls) > MAX_NULLS or len(set(nulls)) != len(nulls):
            msg = f"not up to {MAX_NULLS} different texts for NULL: {', '.join(map(in_quotes, nulls))}"
            raise ValueError(msg)
        for text in nulls:
            if _size(text) > MAX_NULL_BYTES:
                msg = f"a text for NULL has at most {MAX_NULL_BYTES} bytes: {in_quotes(text)}"
                raise ValueError(msg)
            if self.delimiter in text or set(text) & {self.quotechar, "\r", "\n"}:
                msg = f"a text for NULL holds no delimiter, quote character, CR or LF: {in_quotes(text)}"
                raise ValueError(msg)

    @property
    def delimiter_bytes(self) -> bytes:
        """The delimiter as the chunks have it. Raises UnicodeEncodeError where their encoding does not."""
        return self.delimiter.encode(self.encoding)

    @property
    def needs_second_version(self) -> bool:
        """Whether a reader that knows only version 1 of our documents would read such records otherwise."""
        return (
            _size(self.delimiter) > 1
            or self.nulls is not None
            or self.c_escapes
            or self.escape_in != "any"
            or self.line_end_rule != "auto"
            or self.stray_quote == "mysql"
            or self.skip_initial_space
            or self.skip_blank_lines
            or self.skip_repeated_headers
        )

    @property
    def every_newline_ends_a_record(self) -> bool:
        """Whether each LF is a record's end, whatever comes before it: only then may records be found without a scan.

        It is so where the dialect says nothing but what could not matter. A field that is added here one day, and set
        to anything but its default, makes it False, so that what does not know of it scans.
        """
        nothing_else = Dialect(
            self.delimiter,
            None,
            None,
            self.header,
            self.line_end,
            self.encoding,
            nulls=self.nulls,
            skip_initial_space=self.skip_initial_space,
            stray_quote=self.stray_quote,
        )
        return self == nothing_else


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Skip:
    """What of a source is in no chunk. ``lines`` and ``trailer``: physical lines at its start and end.

    ``ruler``: neither is a line of dashes right under the header.
    """

    lines: int = 0
    trailer: int = 0
    ruler: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a plan. ``range`` is of the source's decompressed bytes; the header's bytes come before them.

    ``rows`` is ``None`` where records were not counted. ``checksum`` is the CRC-64/NVME of the header and the body
    together, before compression; ``None`` where the bytes were not read.
    """

    number: int
    range: ByteRange
    rows: int | None
    checksum: int | None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as a store lists or heads it.

    ``name`` is relative to the sink's own prefix. ``checksum`` is the CRC-64/NVME of all its bytes where the store
    knows it. ``metadata`` is the text of the ``splitjoin`` key; ``None`` where there is none *or* the answer came
    from a listing, which has none. ``validator`` is the ETag on S3, time and inode in a directory. ``stored_at``: when
    it was stored (seconds since 1970, UTC), where a listing says it; two that differ in it alone are the same.
    """

    name: str
    size: int
    checksum: int | None = None
    metadata: str | None = None
    validator: str | None = None
    stored_at: float | None = field(default=None, compare=False)


class S3Location(NamedTuple):
    """An object on S3 as a source of server-side copies: pinned to the ETag that was scanned.

    ``store`` says which S3 it lies on (``s3.store_identity``): a sink can copy it where its ``copies_from`` is equal.
    """

    bucket: str
    key: str
    etag: str
    version_id: str | None = None
    store: str = "aws"


@dataclass(frozen=True, slots=True)
class SourceProperties:
    """What a source is, decided when it is opened.

    ``stored_bytes``: its size as stored (``None`` where the server does not say). ``seekable``: any range of its
    (decompressed, transcoded) bytes can be read at once, and their number is ``size``; otherwise it is read from
    the front, as often as asked, and ``size`` is ``None``. ``validator``: what must stay the same while it is read
    (ETag; ``size:mtime_ns`` of a file; ``None`` where there is nothing of the kind). ``s3``: where it
    lies on S3, as it is. ``read_bytes``: less than that is not worth a read of its own (a request's round trip).
    ``warnings``: what its user should know of it.
    """

    uri: str
    seekable: bool
    size: int | None
    stored_bytes: int | None
    compression: Compression | None
    validator: str | None
    s3: S3Location | None = field(default=None)
    read_bytes: int = 0
    warnings: tuple[str, ...] = ()
