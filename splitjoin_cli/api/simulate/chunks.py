"""The chunks that a simulation loads: where they lie, whose they are, and how many rows they hold."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.errors import NotFoundError
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.join.chunk import chunk_to_load, run_of
from splitjoin_cli.splitting.stored.chunks import choose_job, inventory
from splitjoin_cli.splitting.stored.records import SCAN_BYTES, RecordCounter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.trackers.base import Run

__all__ = ["ChunkSet", "find_chunks"]

WINDOW = 64
"""Chunks that are looked at ahead."""


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """The chunks of one job that lie in a place. ``uris`` and ``rows``: by number, of those that are there."""

    run: Run
    total_parts: int
    uris: Mapping[int, str]
    rows: Mapping[int, int]

    @property
    def rows_expected(self) -> int | None:
        """Of all chunks; None where some are missing."""
        return sum(self.rows.values()) if len(self.uris) == self.total_parts else None


def find_chunks(sink: Sink, store: ChunkStore, file_name: str | None, *, executor: Executor) -> ChunkSet:
    """The chunks of ``file_name``, or of the only job that lies in the place.

    Rows that nothing tells are counted. Raises UsageError where several jobs lie there, NotFoundError where none does.
    """
    name = choose_job(sink, file_name)
    here = inventory(sink, name, None)
    uri = sink.properties.uri
    uris = {number: uri + stored for number, stored in here.found(name)}
    if not uris:
        raise NotFoundError(f"there are no chunks of {name} in {uri}")
    looked = in_order(executor, lambda item: (item[0], *_look(store, item[1])), uris.items(), WINDOW)
    runs: dict[int, Run] = {}
    rows: dict[int, int] = {}
    for number, run, count in looked:
        runs[number], rows[number] = run, count
    return ChunkSet(runs[min(runs)], here.total, uris, rows)


def _look(store: ChunkStore, uri: str) -> tuple[Run, int]:
    """Run and rows of one chunk."""
    with closing(store.open_chunk(uri, body=False)) as stored:
        known = stored.metadata or stored.beside
        if known is not None and known.rows is not None:
            return run_of(stored), known.rows
    with closing(store.open_chunk(uri)) as stored:
        return run_of(stored), _count(chunk_to_load(stored), uri)


def _count(chunk: ChunkToLoad, uri: str) -> int:
    """How many records a chunk holds, its header not counted."""
    stream = chunk.open()
    if chunk.compression is not None:
        stream = DecompressedStream(stream, chunk.compression, uri)
    header = memoryview(bytearray(chunk.header_bytes))
    buffer = memoryview(bytearray(SCAN_BYTES))
    with closing(stream):
        begun = 0
        while begun < len(header) and (got := stream.readinto(header[begun:])):
            begun += got
        counter = RecordCounter(chunk.dialect, at=len(header), header=bytes(header))
        while got := stream.readinto(buffer):
            counter.feed(buffer[:got])
    return counter.records
