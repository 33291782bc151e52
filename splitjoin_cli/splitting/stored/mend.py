"""A mended chunk's file: whether it fits the split, and its bytes as the split stores them."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import BadInputError, SplitjoinError, StoreError
from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.splitting.stored.chunks import ChunkReader
from splitjoin_cli.splitting.stored.records import RecordCounter
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError
from splitjoin_cli.stores.loaders.fields import decoded, records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from splitjoin_cli.core.format.manifest import Manifest
    from splitjoin_cli.splitting.stored.chunks import OpenChunk
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["FileBody", "MendedFile", "header_of", "mended_file"]

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file's bytes as a Body."""

    descriptor: int
    size: int

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in Body."""
        done = 0
        while done < len(buffer) and (got := os.preadv(self.descriptor, [buffer[done:]], offset + done)):
            done += got
        return done


@dataclass(frozen=True, slots=True)
class MendedFile:
    """A file that fits: ``rows`` less its header, ``size`` before compression, ``checksum`` of ``body`` as stored."""

    rows: int
    size: int
    checksum: int
    body: FileBody


def header_of(manifest: Manifest, number: int, sink: Sink, open_chunk: OpenChunk) -> tuple[bytes, int]:
    """The split's header, and how many fields its records have: from chunk ``number``, or another where it is gone.

    Raises StoreError where no chunk is there.
    """
    numbers = chain((number,), (other for other in range(1, manifest.total_parts + 1) if other != number))
    for one in numbers:
        name = manifest.name(one)
        if sink.head(name) is None:
            continue
        with ChunkReader(open_chunk, manifest.compression, name) as reader:
            header = reader.head(manifest.header_bytes)
            if header:
                return header, _fields(header, manifest)
            return header, _fields(_first_record(reader, manifest), manifest)
    raise StoreError(
        f"no chunk of {manifest.file_name} is in {sink.properties.uri}",
        hint="split the file again, with the same options",
    )


def _first_record(reader: ChunkReader, manifest: Manifest) -> bytes:
    """The first record of a chunk without a header."""
    counter, kept, buffer = (
        RecordCounter(manifest.dialect, block_bytes=BLOCK_BYTES),
        b"",
        memoryview(bytearray(BLOCK_BYTES)),
    )
    for block in reader.blocks(buffer):
        end = counter.feed(block)
        if end >= 0:
            return kept + bytes(block[:end])
        kept += bytes(block)
    return kept


def _fields(record: bytes, manifest: Manifest) -> int:
    blocks = [record.removeprefix(BYTE_ORDER_MARK)]
    return len(next(records(decoded(blocks, manifest.dialect.encoding, "replace"), manifest.dialect), []))


@contextmanager
def mended_file(
    source: Source, name: str, manifest: Manifest, number: int, header: bytes, width: int, *, tmp_dir: Path | None
) -> Iterator[MendedFile]:
    """``source`` as chunk ``number`` of the split: checked, compressed as the split is, in a temporary file.

    ``header`` and ``width`` are the split's (``header_of``); ``name`` is what errors call the file. Memory is bounded.
    Raises BadInputError where it does not fit.
    """
    with tempfile.TemporaryFile(dir=tmp_dir, prefix="splitjoin-") as plain:
        size, counter = _spooled(source, plain, name, manifest, header)
        _check_end(counter, name, last=number == manifest.total_parts)
        _check_fields(plain.fileno(), size, name, manifest, len(header), width)
        if manifest.compression is None:
            yield MendedFile(counter.records, size, _checksum(plain.fileno()), FileBody(plain.fileno(), size))
            return
        with tempfile.TemporaryFile(dir=tmp_dir, prefix="splitjoin-") as packed:
            stored = _packed(plain.fileno(), packed, manifest)
            checksum = _checksum(packed.fileno())
            yield MendedFile(counter.records, size, checksum, FileBody(packed.fileno(), stored))


def _spooled(
    source: Source, plain: BinaryIO, name: str, manifest: Manifest, header: bytes
) -> tuple[int, RecordCounter]:
    """The file's bytes, decompressed, and the records after the header."""
    counter = RecordCounter(manifest.dialect, at=len(header), block_bytes=BLOCK_BYTES, header=header)
    buffer, size, left = memoryview(bytearray(BLOCK_BYTES)), 0, header
    with closing(source.stream()) as stream:
        while got := stream.readinto(buffer):
            block = buffer[:got]
            plain.write(block)
            begin = bytes(block[: len(left)])
            if left[: len(begin)] != begin:
                raise _other_header(name)
            left = left[len(begin) :]
            counter.feed(block[len(begin) :])
            size += got
    if left:
        raise _other_header(name)
    plain.flush()
    source.check_unchanged()
    return size, counter


def _other_header(name: str) -> BadInputError:
    return BadInputError(
        f"{name} does not begin with the split's header",
        hint="each chunk has the header, byte for byte: its names, its quotes and its line end",
    )


def _check_end(counter: RecordCounter, name: str, *, last: bool) -> None:
    if counter.lone_return is not None:
        raise BadInputError(
            f"{name} has a carriage return without a line feed, outside quotes, at byte {counter.lone_return}",
            hint="end each record as the other chunks do",
        )
    why = counter.why_torn(last=last)
    if why is not None:
        raise BadInputError(
            f"{name} ends inside a record: {why}; another chunk follows", hint="end its last record with a line end"
        )


def _check_fields(descriptor: int, size: int, name: str, manifest: Manifest, header_bytes: int, width: int) -> None:
    """Raise BadInputError for the first record that has not as many fields as the header."""
    number = 0
    header = b"".join(_blocks(descriptor, 0, header_bytes))
    texts = decoded(_blocks(descriptor, header_bytes, size), manifest.dialect.encoding)
    try:
        found = records(texts, manifest.dialect, header=header.decode(manifest.dialect.encoding, "surrogateescape"))
        for number, record in enumerate(found, start=1):
            if len(record) != width:
                raise BadInputError(
                    f"{name}: record {number} has {len(record)} fields, and the split's have {width}",
                    hint="mend the record; records are counted from 1, without the header",
                )
    except (BadRecordError, BadTextError) as exc:
        raise BadInputError(f"{name}: record {number + 1}: {exc.reason}", hint=exc.hint) from exc


def _blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (block := os.pread(descriptor, BLOCK_BYTES, start)):
        yield block
        start += len(block)


def _packed(descriptor: int, packed: BinaryIO, manifest: Manifest) -> int:
    from splitjoin_cli.core.bytes.codecs import compressor  # noqa: PLC0415 -- only where asked for

    if manifest.compression not in {"gzip", "zstd"}:
        raise SplitjoinError(f"chunks are not stored as {manifest.compression}")
    packer, stored = compressor(manifest.compression), 0
    for block in _blocks(descriptor, 0, os.fstat(descriptor).st_size):
        stored += packed.write(packer.compress(block))
    stored += packed.write(packer.flush())
    packed.flush()
    return stored


def _checksum(descriptor: int) -> int:
    summed = 0
    for block in _blocks(descriptor, 0, os.fstat(descriptor).st_size):
        summed = crc64(block, summed)
    return summed
