"""What the suites of loaders load: chunks, and streams that misbehave."""

from __future__ import annotations

import csv
import io
import random
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.codecs import compressor
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.base import ChunkToLoad
from splitjoin_cli.stores.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Compression

JOB = "acme_20240131"
RUN = "9c0de7a1b2c3d4e5"


def chunk_of(
    data: bytes,
    *,
    header: bytes | None = b"id,name\n",
    number: int = 1,
    rows: int | None = -1,
    dialect: Dialect | None = None,
    compression: Compression | None = None,
    run_id: str = RUN,
    generation: int = 1,
    validator: str | None = None,
) -> ChunkToLoad:
    """A chunk of ``header`` and ``data``; ``rows`` -1: as many as the csv module finds in ``data``."""
    dialect = dialect or Dialect(line_end="\n")
    if rows == -1:
        rows = count_records(data, dialect)
    if header is None:
        dialect = replace(dialect, header=False)
    whole = (header or b"") + data
    if compression in ("gzip", "zstd"):
        packer = compressor("gzip" if compression == "gzip" else "zstd")
        whole = packer.compress(whole) + packer.flush()
    return ChunkToLoad(
        file_name=JOB,
        run_id=run_id,
        generation=generation,
        number=number,
        total=9,
        rows=rows,
        dialect=dialect,
        header_bytes=len(header or b""),
        header_lines=(header or b"").count(b"\n"),
        compression=compression,
        open=lambda: MemorySource(whole).stream(),
        validator=validator,
    )


def count_records(data: bytes, dialect: Dialect) -> int:
    """As the csv module counts them."""
    text = io.StringIO(data.decode(dialect.encoding), newline="")
    reader = csv.reader(
        text,
        delimiter=dialect.delimiter,
        quotechar=dialect.quotechar,
        escapechar=dialect.escapechar,
        quoting=csv.QUOTE_MINIMAL if dialect.quotechar else csv.QUOTE_NONE,
    )
    return sum(1 for _ in reader)


def many_rows(count: int) -> bytes:
    """``count`` rows of an id and a name, about 40 bytes each."""
    return b"".join(b'%d,"name of number %08x"\n' % (number, zlib.crc32(b"%d" % number)) for number in range(count))


def lookalikes(count: int) -> tuple[bytes, dict[str, str]]:
    """``count`` rows of an id and a text whose lines look like such rows, and the text of each id."""
    drawn = random.Random(1)
    texts = {
        str(row): "\n".join(drawn.choice(('{},"quoted, {}"', "{},plain")).format(n, n) for n in range(row % 200))
        for row in range(count)
    }
    quoted = {row: text.replace('"', '""') for row, text in texts.items()}
    return "".join(f'{row},"{text}"\n' for row, text in quoted.items()).encode(), texts


class Streams:
    """A stream over given blocks; a callable among them is called when its turn comes."""

    def __init__(self, parts: Iterable[bytes | Callable[[], None]]) -> None:
        self._parts = iter(parts)
        self._rest = b""
        self.closed = False

    def readinto(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                part = next(self._parts, None)
                if part is None:
                    break
                if not isinstance(part, bytes):
                    part()
                    continue
                self._rest = part
            taken = self._rest[: len(buffer) - filled]
            buffer[filled : filled + len(taken)] = taken
            filled += len(taken)
            self._rest = self._rest[len(taken) :]
        return filled

    def close(self) -> None:
        self.closed = True


def with_stream(chunk: ChunkToLoad, make: Callable[[], ByteStream]) -> ChunkToLoad:
    """``chunk``, its bytes from elsewhere."""
    return replace(chunk, open=make)
