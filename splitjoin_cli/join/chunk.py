"""From a stored object to the chunk that a loader takes: whose it is, and how its bytes are written."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.stores.loaders.base import ChunkToLoad
from splitjoin_cli.stores.loaders.header import sniff
from splitjoin_cli.stores.trackers.jobs import Run

if TYPE_CHECKING:
    from splitjoin_cli.core.names import ChunkName
    from splitjoin_cli.stores.chunks.base import StoredChunk

__all__ = ["chunk_to_load", "published_run_id", "run_of"]

SNIFFED_BYTES = 64 * 1024
BLOCK_BYTES = 256 * 1024


def published_run_id(name: ChunkName) -> str:
    """The run of chunks that carry no metadata: one for a job's name and total, as 32 hex digits."""
    return hashlib.sha256(f"published\0{name.file_name}\0{name.total}".encode()).hexdigest()[:32]


def run_of(stored: StoredChunk) -> Run:
    """The run that a stored chunk belongs to."""
    if stored.metadata is None:
        return Run(stored.name.file_name, published_run_id(stored.name))
    return Run(stored.metadata.file_name, stored.metadata.run_id, stored.metadata.generation)


def chunk_to_load(stored: StoredChunk) -> ChunkToLoad:
    """``stored`` as a loader takes it; sniffed where neither metadata nor a manifest describes it.

    A chunk without metadata of its own carries its validator, by which the ledger knows it again.
    """
    run, name = run_of(stored), stored.name
    known = stored.metadata or stored.beside
    if known is not None:
        rows, dialect, compression = known.rows, known.dialect, known.compression
        header_bytes, header_lines = known.header_bytes, known.header_lines
    else:
        rows, compression = None, name.compression
        found = sniff(_start(stored))
        dialect, header_bytes, header_lines = found.dialect, found.header_bytes, found.header_lines
    return ChunkToLoad(
        file_name=run.file_name,
        run_id=run.run_id,
        generation=run.generation,
        number=name.number,
        total=name.total,
        rows=rows,
        dialect=dialect,
        header_bytes=header_bytes,
        header_lines=header_lines,
        compression=compression,
        open=stored.open,
        validator=stored.validator if stored.metadata is None else None,
        mended=stored.metadata is not None and stored.metadata.mended is not None,
        checksum=_Checksum(stored),
        s3=stored.s3,
        etag_now=stored.etag_now,
    )


class _Checksum:
    """Tells the checksum of a stored object: the store's word, else from a pass over its bytes, once."""

    def __init__(self, stored: StoredChunk) -> None:
        self._stored = stored
        self._found = stored.checksum

    def __call__(self) -> str:
        if self._found is None:
            summed, buffer = 0, memoryview(bytearray(BLOCK_BYTES))
            with closing(self._stored.open()) as stream:
                while got := stream.readinto(buffer):
                    summed = crc64(buffer[:got], summed)
            self._found = summed
        return tagged(self._found)


def _start(stored: StoredChunk) -> bytes:
    """The first decompressed bytes."""
    buffer = memoryview(bytearray(SNIFFED_BYTES))
    stream = stored.open()
    if stored.name.compression is not None:
        stream = DecompressedStream(stream, stored.name.compression, stored.uri)
    with closing(stream):
        filled = 0
        while filled < len(buffer) and (got := stream.readinto(buffer[filled:])):
            filled += got
    return bytes(buffer[:filled])
