"""An export of any size that is nowhere stored: rows repeated, of which every place, count and checksum is known."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING

from benchmarks.data import HEADER, rows
from splitjoin_cli.core.bytes.crc64 import combine, crc64, crc64_each
from splitjoin_cli.core.model import Dialect, SourceProperties
from splitjoin_cli.splitting.cuts import Mark, crc_between
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, Outcome, State
from splitjoin_cli.stores.sources.positioned import PositionedStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.model import ByteRange
    from splitjoin_cli.core.progress import Moved

__all__ = ["Export"]

TILE_BYTES = 4 * 1024 * 1024
READ_BYTES = 4 * 1024 * 1024
"""As an S3Source has it: what is worth a request."""
MOST_DOUBLINGS = 40


class Export:
    """A Source. ``on_read`` hears how many bytes are asked for, where that is not read ahead."""

    def __init__(self, size: int, *, tile_bytes: int = TILE_BYTES) -> None:
        """``size``: at least; it ends with a whole row."""
        tile = rows(tile_bytes)
        scanner = new_scanner(Alphabet.of(Dialect()), len(tile))
        found, ends = scanner.outcome(memoryview(tile), State.FIELD), scanner.ends(memoryview(tile), State.FIELD)
        if found.defect is not None or found.last_end != len(tile) or found.delimiters % found.records:
            raise ValueError("the rows are no whole records of one width")
        self._tile, self._ends, self._width = tile, ends, found.delimiters // found.records
        self._crcs = _prefixes(tile, list(ends))
        self._powers = [crc64(tile)]
        for doubling in range(MOST_DOUBLINGS):
            self._powers.append(combine(self._powers[-1], self._powers[-1], len(tile) << doubling))
        whole, rest = divmod(max(size - len(HEADER), 0), len(tile))
        last = next(end for end in ends if end >= rest) if rest else 0
        self.size = len(HEADER) + whole * len(tile) + last
        self.on_read: Callable[[int], None] = lambda _: None
        self.properties = SourceProperties(
            uri="s3://exports/simulated.csv",
            seekable=True,
            size=self.size,
            stored_bytes=self.size,
            compression=None,
            validator='"simulated"',
            read_bytes=READ_BYTES,
        )

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- it is there at once
        """As in Source."""
        self.on_read(len(buffer))
        return self.fill(offset, buffer)

    def fill(self, offset: int, buffer: memoryview) -> int:
        """``read_at`` without a word."""
        size, done = max(min(len(buffer), self.size - offset), 0), 0
        if offset < len(HEADER):
            done = min(len(HEADER) - offset, size)
            buffer[:done] = HEADER[offset : offset + done]
        while done < size:
            place = (offset + done - len(HEADER)) % len(self._tile)
            part = self._tile[place : place + size - done]
            buffer[done : done + len(part)] = part
            done += len(part)
        return size

    def stream(self, came: Moved | None = None) -> PositionedStream:
        """As in Source."""
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        """As in Source: it never changes."""

    def close(self) -> None:
        """As in Source."""

    def outcome(self, part: ByteRange) -> tuple[Outcome, int]:
        """What a worker finds in a range that begins where a record does, and the CRC of the range's bytes."""
        start, last = self._mark(part.start), self._mark(part.end)
        records = last.records - start.records
        if last.offset < part.end:  # not a record's end: what comes of it is looked at no further than that
            first = self._following(start) - part.start if records else NO_OFFSET
            end = last.offset - part.start if records else NO_OFFSET
            return Outcome(State.DATA, records, first, end, 0, records * self._width, 0, None), 0
        found = Outcome(
            State.FIELD, records, self._following(start) - part.start, part.size, 0, records * self._width, 0, None
        )
        return found, crc_between(start, last)

    @lru_cache(maxsize=4096)  # noqa: B019 -- there is one export, and a chunk begins where another ends
    def _mark(self, place: int) -> Mark:
        """The last record end of the body up to a place."""
        tiles, rest = divmod(place - len(HEADER), len(self._tile))
        index = bisect_right(self._ends, rest)
        end = self._ends[index - 1] if index else 0
        records = tiles * len(self._ends) + index
        size, crc, power = 0, 0, len(self._tile)
        for doubling in range(tiles.bit_length()):
            if tiles >> doubling & 1:
                crc = combine(crc, self._powers[doubling], power << doubling)
        size = tiles * power
        crc = combine(crc, self._crcs[index], end)
        return Mark(len(HEADER) + size + end, records, records * self._width, crc)

    def _following(self, mark: Mark) -> int:
        """The record end after a mark."""
        tiles, index = divmod(mark.records, len(self._ends))
        return len(HEADER) + tiles * len(self._tile) + self._ends[index]


def _prefixes(tile: bytes, ends: list[int]) -> list[int]:
    """The CRC of the tile's bytes before each record end, the first of no bytes."""
    found, last = [0], 0
    for crc, end in zip(crc64_each(memoryview(tile), [0, *ends], 0), ends, strict=True):
        found.append(combine(found[-1], crc, end - last))
        last = end
    return found
