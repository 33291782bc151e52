"""The chunks that a simulation loads: where they lie, whose they are, and how many rows they hold."""

from __future__ import annotations

from array import array
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.errors import NotFoundError
from splitjoin_cli.core.parallel import in_order
from splitjoin_cli.core.ranges import as_ranges
from splitjoin_cli.join.chunk import chunk_to_load, run_of
from splitjoin_cli.splitting.stored.chunks import choose_job, inventory
from splitjoin_cli.splitting.stored.records import SCAN_BYTES, RecordCounter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from splitjoin_cli.core.ranges import NumberRanges
    from splitjoin_cli.splitting.stored.chunks import Inventory
    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.trackers.jobs import Run

__all__ = ["ChunkSet", "ChunkUris", "find_chunks"]

WINDOW = 64
"""Chunks that are looked at ahead."""
MOST_IN_FOUR_BYTES = 2**32 - 1


@dataclass(frozen=True, slots=True)
class ChunkUris:
    """Where a job's chunks lie, by number. ``before``: place and name up to the number; ``behind``: the name after it.

    ``spelled``: the URIs that are otherwise.
    """

    before: str
    behind: str
    width: int
    spelled: Mapping[int, str]

    @classmethod
    def of(cls, place: str, file_name: str, here: Inventory) -> ChunkUris:
        """Of the chunks of ``here``, whose names come after ``place``."""
        before, behind = names.around_number(file_name, here.total, here.compression)
        spelled = {number: place + name for number, name in here.spelled.items()}
        return cls(place + before, behind, len(str(here.total)), spelled)

    def __call__(self, number: int) -> str:
        """One chunk's."""
        return self.spelled.get(number) or f"{self.before}{number:0{self.width}d}{self.behind}"


@dataclass(frozen=True, slots=True)
class ChunkSet:
    """The chunks of one job that lie in a place: no more than columns, since there may be millions.

    ``numbers``: of those that are there; ``rows``: of each, in the same order.
    """

    run: Run
    total_parts: int
    numbers: NumberRanges
    uri: ChunkUris
    rows: array[int]

    @property
    def rows_expected(self) -> int | None:
        """Of all chunks; None where some are missing."""
        return sum(self.rows) if len(self.numbers) == self.total_parts else None


def find_chunks(sink: Sink, store: ChunkStore, file_name: str | None, *, executor: Executor) -> ChunkSet:
    """The chunks of ``file_name``, or of the only job that lies in the place.

    Rows that nothing tells are counted. Raises UsageError where several jobs lie there, NotFoundError where none does.
    """
    name = choose_job(sink, file_name)
    here, job = inventory(sink, name, None), names.parse_file_name(name)
    if job is None or not here.numbers:
        raise NotFoundError(f"there are no chunks of {name} in {sink.properties.uri}")
    numbers, total = as_ranges(here.numbers), here.total
    uri = ChunkUris.of(sink.properties.uri, job.file_name, here)
    del here  # its columns are not needed while the chunks are looked at
    first: Run | None = None
    rows = array("I")
    for run, count in in_order(executor, lambda number: _look(store, uri(number)), numbers, WINDOW):
        first = first or run
        if count > MOST_IN_FOUR_BYTES and rows.typecode == "I":
            rows = array("q", rows)
        rows.append(count)
    assert first is not None  # noqa: S101 -- there are chunks
    return ChunkSet(first, total, numbers, uri, rows)


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
