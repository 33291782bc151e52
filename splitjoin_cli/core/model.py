"""The values that the parts of splitjoin hand to each other: frozen, and checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

LineEnd = Literal["\n", "\r\n", "mixed"]
Compression = Literal["gzip", "bz2", "xz", "zstd"]

LF = 0x0A
CR = 0x0D
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of UTF-8: bytes of the first record, not of its first field


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
    """How records are written: each character one ASCII byte, ``None`` where there is none.

    ``line_end`` is ``None`` until the source was read. ``encoding`` is the encoding of the chunks' bytes.
    """

    delimiter: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    header: bool = True
    line_end: LineEnd | None = None
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        chars = [c for c in (self.delimiter, self.quotechar, self.escapechar) if c is not None]
        for char in chars:
            if len(char) != 1 or ord(char) > 127 or char in "\r\n":  # noqa: PLR2004 -- the last ASCII code
                msg = f"not one ASCII character other than CR and LF: {char!r}"
                raise ValueError(msg)
        if len(set(chars)) != len(chars):
            msg = f"delimiter, quotechar and escapechar must differ: {', '.join(map(repr, chars))}"
            raise ValueError(msg)

    @property
    def every_newline_ends_a_record(self) -> bool:
        """Whether each LF is a record's end, whatever comes before it: only then may records be found without a scan.

        It is so where the dialect says nothing but what could not matter. A field that is added here one day, and set
        to anything but its default, makes it False, so that what does not know of it scans.
        """
        nothing_else = Dialect(self.delimiter, None, None, self.header, self.line_end, self.encoding)
        return self == nothing_else


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
