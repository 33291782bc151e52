"""Where a chunk may end: the rules of --chunk-size, --rows and --chunks, and the places that they choose from."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.core.bytes.crc64 import combine
from splitjoin_cli.splitting.records.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.format.chunk_table import ChunkTable

    Offsets = Sequence[int] | memoryview

__all__ = ["AT_LAST", "WAIT", "ByCount", "ByRows", "BySize", "CutRule", "Mark", "crc_between"]


class Mark(NamedTuple):
    """A place right after a record end, and what came before it, from the source's first byte on.

    ``records`` are record ends, the header's too; ``delimiters`` those outside quotes; ``crc`` the CRC-64/NVME of all
    bytes before. The difference of two marks describes the bytes between them, their CRC too (it is linear).
    """

    offset: int
    records: int
    delimiters: int
    crc: int


def crc_between(start: Mark, end: Mark) -> int:
    """The CRC of the bytes from one mark to another, from the CRCs of all bytes before each."""
    return end.crc ^ combine(start.crc, 0, end.offset - start.offset)


WAIT = -2
"""A rule's answer: no cut in this block."""
AT_LAST = -1
"""A rule's answer: cut at the last record end of the blocks before."""


class CutRule(Protocol):
    """Says where the next chunk ends."""

    def begin(self, body: Mark) -> None:
        """The body begins at ``body``: what comes before it is the header."""

    def limit(self, start: int, number: int) -> int | None:
        """Where chunk ``number``, whose body is from ``start`` on, ends at the latest: at the last record end up to it.

        Unless no record ends there, or the source does. None: this cannot be told from places alone.
        """

    def taken(self) -> None:
        """A chunk was cut at the last record end up to its ``limit``, without asking for the cut."""

    def may_cut(self, start: Mark, records: int, block_end: int) -> bool:
        """Whether the chunk from ``start`` may end in a block that ends at ``block_end``, after ``records`` in all."""

    def cut(self, start: Mark, last: Mark, ends: Offsets, block_end: int) -> int:
        """Where the chunk from ``start`` ends: an index in ``ends``, the block's record ends, absolute; WAIT; AT_LAST.

        ``last`` is the last record end before the block; its ``records`` number those before ``ends[0]``.
        """

    def more(self, index: int, last: Mark, ends: Offsets, block_end: int) -> array[int]:
        """The cuts after one at ``ends[index]``, as ``cut`` would say them one by one: indices in ``ends``."""


class BySize:
    """Chunks of at most ``capacity`` bytes of body; a longer record is alone in its chunk."""

    def __init__(self, chunk_bytes: int) -> None:
        """``chunk_bytes``: the header included."""
        self._chunk_bytes = self._capacity = chunk_bytes
        self.oversized = 0

    def begin(self, body: Mark) -> None:
        """Leave room for the header."""
        self._capacity = max(self._chunk_bytes - body.offset, 0)

    def limit(self, start: int, number: int) -> int:  # noqa: ARG002 -- a rule's signature
        """As much as fits."""
        return start + self._capacity

    def taken(self) -> None:
        """Nothing is counted."""

    def may_cut(self, start: Mark, records: int, block_end: int) -> bool:  # noqa: ARG002 -- a rule's signature
        """Whether the limit lies before the block's end."""
        return block_end > start.offset + self._capacity

    def cut(self, start: Mark, last: Mark, ends: Offsets, block_end: int) -> int:
        """The last record end within the limit, else the first one."""
        limit = start.offset + self._capacity
        if block_end <= limit:
            return WAIT
        fits = bisect_right(ends, limit) - 1
        if fits >= 0 and ends[fits] > start.offset:
            return fits
        if start.offset < last.offset <= limit:
            return AT_LAST
        if fits + 1 < len(ends):
            self.oversized += 1
            return fits + 1
        return WAIT

    def more(self, index: int, last: Mark, ends: Offsets, block_end: int) -> array[int]:  # noqa: ARG002 -- see cut
        """See CutRule."""
        found, count, capacity = array("q"), len(ends), self._capacity
        while (limit := ends[index] + capacity) < block_end:
            following = bisect_right(ends, limit, index + 1) - 1
            if following == index:
                if index + 1 == count:
                    break
                self.oversized += 1
                following += 1
            index = following
            found.append(index)
        return found


class ByRows:
    """Chunks of ``rows`` records."""

    def __init__(self, rows: int) -> None:
        """``rows``: at least 1."""
        self.rows = rows

    def begin(self, body: Mark) -> None:
        """Rows are counted from the body's start, wherever it is."""

    def limit(self, start: int, number: int) -> None:
        """Records must be counted."""

    def taken(self) -> None:
        """Never: there are no limits."""

    def may_cut(self, start: Mark, records: int, block_end: int) -> bool:  # noqa: ARG002 -- a rule's signature
        """Whether the block has the record that ends the chunk."""
        return records >= start.records + self.rows

    def cut(self, start: Mark, last: Mark, ends: Offsets, block_end: int) -> int:  # noqa: ARG002 -- a rule's signature
        """The end of the chunk's last record."""
        index = start.records + self.rows - last.records - 1
        return index if index < len(ends) else WAIT

    def more(self, index: int, last: Mark, ends: Offsets, block_end: int) -> array[int]:  # noqa: ARG002 -- see cut
        """See CutRule."""
        return array("q", range(index + self.rows, len(ends), self.rows))


class ByCount:
    """Exactly min(``count``, records) chunks of about the same size.

    The k-th cut is the last record end at or before k/count of the body, but every chunk has a record, and every later
    one keeps one. The last clause needs the number of records; without it the cuts are the same wherever they come to
    ``count`` chunks, so that one pass is enough unless records are few (``fell_short``).
    """

    def __init__(self, count: int, *, size: int, records: int | None) -> None:
        """``size``: bytes of the source; ``records``: of its body, None where that is not known yet."""
        self._wanted, self._size, self._records = count, size, records
        self._count = count if records is None else max(1, min(count, records))
        self._body: Mark | None = None
        self._cuts = 0

    def begin(self, body: Mark) -> None:
        """Take where the body begins."""
        self._body = body

    def limit(self, start: int, number: int) -> int | None:  # noqa: ARG002 -- a rule's signature
        """The chunk's target, unless records may be so few that their number decides."""
        return self._target(number) if self._records is None and number <= self._count else None

    def taken(self) -> None:
        """One of the cuts."""
        self._cuts += 1

    @property
    def targets(self) -> Targets | None:
        """Where chunks should end, once a body of some bytes has begun."""
        if self._body is None or self._size <= self._body.offset:
            return None
        return Targets(self._body.offset, self._size - self._body.offset, self._count)

    @property
    def room(self) -> int | None:
        """Cut k is at most so many records, the header's too, and k; None: their number is not known."""
        return None if self._records is None or self._body is None else self._bound(0) - self._cuts - 1

    def fell_short(self, chunks: ChunkTable, records: int) -> bool:
        """Whether a plan made without knowing the records has too few chunks, or one without a record at the end."""
        return len(chunks) != max(1, min(self._wanted, records)) or (records > 0 and not chunks.rows[-1])

    def may_cut(self, start: Mark, records: int, block_end: int) -> bool:
        """Whether the next cut's target, or the last record it may take, lies before the block's end."""
        if self._cuts + 1 >= self._count:
            return False
        target = self._target(self._cuts + 1)
        return records > start.records and (target < block_end or records >= self._bound(records))

    def _target(self, number: int) -> int:
        """How far the chunks up to ``number`` should reach."""
        start = self._body.offset if self._body is not None else 0
        return start + (self._size - start) * number // self._count

    def _bound(self, seen: int) -> int:
        """The last record that the next chunk may take, counted as marks count."""
        if self._records is None or self._body is None:
            return seen + 1
        return self._body.records + self._records - (self._count - self._cuts - 1)

    def cut(self, start: Mark, last: Mark, ends: Offsets, block_end: int) -> int:
        """The record end by the rule above."""
        known = last.records + len(ends)
        if not self.may_cut(start, known, block_end):
            return WAIT
        wanted = last.records + bisect_right(ends, self._target(self._cuts + 1))
        record = min(max(wanted, start.records + 1), self._bound(known))
        if record > known:
            return WAIT
        self._cuts += 1
        return AT_LAST if record <= last.records else record - last.records - 1

    def more(self, index: int, last: Mark, ends: Offsets, block_end: int) -> array[int]:
        """See CutRule."""
        found = array("q")
        while (index := self.cut(Mark(ends[index], last.records + index + 1, 0, 0), last, ends, block_end)) >= 0:
            found.append(index)
        return found
