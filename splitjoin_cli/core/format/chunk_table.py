"""The chunks of a plan as columns: a million of them is 24 MB of numbers, not a million objects."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, overload

from splitjoin_cli.core.model import ByteRange, Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ChunkTable"]

UNKNOWN_ROWS = -1
UNKNOWN_CHECKSUM = 0  # a CRC that really is 0, one in 2**64, is treated as unknown: it is computed again, no more


class ChunkTable:
    """Chunks numbered from 1, without a gap: each begins where the one before it ends.

    ``starts``: one entry more than chunks, the last one is the end of the body. ``rows``: -1 where not counted.
    ``checksums``: 0 where not known. Appending is not thread-safe; reading is.
    """

    __slots__ = ("checksums", "rows", "starts")

    def __init__(self, start: int) -> None:
        """``start``: where chunk 1 begins, the header's size in bytes."""
        self.starts = array("q", [start])
        self.rows = array("q")
        self.checksums = array("Q")

    def append(self, end: int, rows: int | None, checksum: int | None) -> None:
        """Add the next chunk, up to ``end``. Raises ValueError where it would end before it starts."""
        if end < self.starts[-1]:
            msg = f"chunk {len(self) + 1} would end at {end}, before its start at {self.starts[-1]}"
            raise ValueError(msg)
        self.rows.append(UNKNOWN_ROWS if rows is None else rows)
        self.checksums.append(UNKNOWN_CHECKSUM if checksum is None else checksum)
        self.starts.append(end)

    def extend(self, ends: array[int], rows: array[int], checksums: array[int]) -> None:
        """Add the next chunks, whose ends are known to ascend; in the columns' own terms of what is not known."""
        self.rows.extend(rows)
        self.checksums.extend(checksums)
        self.starts.extend(ends)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Chunk]:
        return (self._chunk(number) for number in range(1, len(self) + 1))

    @overload
    def __getitem__(self, number: int) -> Chunk: ...
    @overload
    def __getitem__(self, number: slice) -> list[Chunk]: ...

    def __getitem__(self, number: int | slice) -> Chunk | list[Chunk]:
        """One chunk, or those from ``table[first:stop]``, by number: ``table[1]`` is the first; no negative ones."""
        if isinstance(number, slice):
            first = 1 if number.start is None else number.start
            stop = len(self) + 1 if number.stop is None else number.stop
            if number.step not in (None, 1) or first < 1:
                msg = f"not a run of chunk numbers: {number}"
                raise IndexError(msg)
            return [self._chunk(n) for n in range(first, min(stop, len(self) + 1))]
        if not 1 <= number <= len(self):
            msg = f"no chunk {number} among {len(self)}"
            raise IndexError(msg)
        return self._chunk(number)

    def _chunk(self, number: int) -> Chunk:
        rows = self.rows[number - 1]
        checksum = self.checksums[number - 1]
        return Chunk(
            number=number,
            range=ByteRange(self.starts[number - 1], self.starts[number]),
            rows=None if rows == UNKNOWN_ROWS else rows,
            checksum=None if checksum == UNKNOWN_CHECKSUM else checksum,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChunkTable):
            return NotImplemented
        return (self.starts, self.rows, self.checksums) == (other.starts, other.rows, other.checksums)

    __hash__ = None  # type: ignore[assignment]  # a table grows: it is no key

    def __repr__(self) -> str:
        return f"ChunkTable({len(self)} chunks, {self.start} to {self.end})"

    @property
    def start(self) -> int:
        """Where chunk 1 begins."""
        return self.starts[0]

    @property
    def end(self) -> int:
        """Where the last chunk ends: the size of the decompressed source."""
        return self.starts[-1]

    @property
    def total_rows(self) -> int | None:
        """Records in all; ``None`` where those of any chunk were not counted."""
        if len(self.rows) and min(self.rows) == UNKNOWN_ROWS:
            return None
        return sum(self.rows)

    def with_checksums(self, checksums: array[int]) -> ChunkTable:
        """The same chunks with other checksums, one for each (0: not known)."""
        if len(checksums) != len(self):
            msg = f"{len(checksums)} checksums for {len(self)} chunks"
            raise ValueError(msg)
        other = ChunkTable(self.start)
        other.starts, other.rows, other.checksums = self.starts, self.rows, checksums
        return other

    def boundaries(self) -> bytes:
        """``starts`` as 8 little-endian bytes each, the same on every machine: what a run's id is hashed from."""
        column = self.starts
        if sys.byteorder == "big":
            column = column[:]
            column.byteswap()
        return column.tobytes()
