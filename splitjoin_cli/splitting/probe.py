"""Plans a split without reading the source: where every newline ends a record, a look around each cut is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.splitting import limits
from splitjoin_cli.splitting.request import ChunkCount, RowCount

if TYPE_CHECKING:
    from splitjoin_cli.splitting.request import ChunkSize, Size
    from splitjoin_cli.stores.sources.base import Source

FIRST_BYTES = 64 * 1024
LAST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Probed:
    """A plan without rows and checksums, which nobody counted. ``oversized``: records larger than a chunk."""

    chunks: ChunkTable
    header: bytes
    oversized: int


class _NeedsScanError(Exception):
    """What was read shows that only a scan can tell."""


class _Probe:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.size = source.properties.size or 0

    def read(self, start: int, end: int) -> bytes:
        """The bytes of a range. Raises _NeedsScanError where they hold what a scan refuses, and names."""
        buffer = bytearray(end - start)
        found = bytes(buffer[: self._source.read_at(start, memoryview(buffer))])
        if b"\r" in found and _holds_lone_return(found, ends=start + len(found) == self.size):
            raise _NeedsScanError
        return found

    def last_end(self, low: int, high: int) -> int | None:
        """The last record end in (low, high]."""
        step, end = FIRST_BYTES, high
        while end > low:
            start = max(low, end - step)
            found = self.read(start, end).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end, step = start, min(step * 2, LAST_BYTES)
        return None

    def first_end(self, low: int) -> int | None:
        """The first record end after ``low``."""
        step, start = FIRST_BYTES, low
        while start < self.size:
            end = min(start + step, self.size)
            found = self.read(start, end).find(b"\n")
            if found >= 0:
                return start + found + 1
            start, step = end, min(step * 2, LAST_BYTES)
        return None


def probe(source: Source, size: Size, *, header: bool) -> Probed | None:
    """The same boundaries as a scan would find; None where only a scan can tell.

    For dialects where ``every_newline_ends_a_record`` alone. ``source`` must be seekable. Raises BadInputError for an
    empty source and an endless header.
    """
    if isinstance(size, RowCount):
        return None
    try:
        return _probe(source, size, header=header)
    except _NeedsScanError:
        return None


def _probe(source: Source, size: ChunkSize | ChunkCount, *, header: bool) -> Probed | None:
    probing = _Probe(source)
    mark = len(BYTE_ORDER_MARK)
    if probing.size <= mark and probing.read(0, probing.size) in (b"", BYTE_ORDER_MARK):
        raise limits.empty_source(source.properties.uri)
    start = 0
    if header:
        start = probing.first_end(0) or probing.size
        if start > limits.MAX_HEADER_BYTES:
            raise limits.endless_header(source.properties.uri, quoted=False)
    head = probing.read(0, start)
    if isinstance(size, ChunkCount):
        return _by_count(probing, head, size.count)
    return _by_size(probing, head, max(size.size_bytes - len(head), 0))


def _holds_lone_return(data: bytes, *, ends: bool) -> bool:
    """Whether a CR stands without its LF; the last byte's may be missing here unless the source ends with it."""
    return data.count(b"\r") - data.count(b"\r\n") > (data.endswith(b"\r") and not ends)


def _by_size(probing: _Probe, head: bytes, capacity: int) -> Probed:
    table, oversized, start = ChunkTable(len(head)), 0, len(head)
    while start < probing.size:
        limit = start + capacity
        if probing.size <= limit:
            end = probing.size
        else:
            found = probing.last_end(start, limit)
            oversized += found is None
            end = found or probing.first_end(limit) or probing.size
        table.append(end, None, None)
        start = end
    return _finished(table, head, oversized)


def _by_count(probing: _Probe, head: bytes, count: int) -> Probed | None:
    """As many chunks as wanted, unless records are so few that the rule needs their number."""
    table, start, body = ChunkTable(len(head)), len(head), probing.size - len(head)
    for k in range(1, count):
        if start == probing.size:
            break
        target = len(head) + body * k // count
        end = probing.last_end(start, target) if target > start else None
        if end is None:
            end = probing.first_end(start) or probing.size
        table.append(end, None, None)
        start = end
    if start == probing.size and len(table) < count and body:
        return None
    if start < probing.size:
        table.append(probing.size, None, None)
    return _finished(table, head, 0)


def _finished(table: ChunkTable, head: bytes, oversized: int) -> Probed:
    if not len(table):
        table.append(len(head), None, None)
    return Probed(table, head, oversized)
