"""Where the chunks end: fed with the blocks of a source in order, a builder turns record ends into chunks, greedily.

Nothing is kept of a block but counters, and a chunk is three numbers in columns, so that memory stays flat. The
result depends on the bytes and the options alone, never on the size of the blocks.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import compress, count, repeat
from operator import mul, ne, sub
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import combine, crc64, crc64_each
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.names import MAX_TOTAL
from splitjoin_cli.splitting.cuts import AT_LAST, WAIT, Mark, crc_between
from splitjoin_cli.splitting.ranged import Large
from splitjoin_cli.splitting.records.watch import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.cuts import CutRule
    from splitjoin_cli.splitting.ranged import CutRange, Ranged
    from splitjoin_cli.splitting.records.base import BlockScanner
    from splitjoin_cli.splitting.records.lines import LineSorter, Skips
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.records.watch import Watch

    Offsets = Sequence[int] | memoryview

MAX_CHUNKS = MAX_TOTAL
"""More than that is a mistake in a size, not a plan; a tracker of a million chunks is what was measured."""


@dataclass(slots=True)
class Ragged:
    """Chunks with a record whose number of fields is not the first record's, found from totals."""

    chunks: int = 0
    first: int = 0


class PlanBuilder:
    """Feeds on blocks in order, yields the cuts, and holds the chunks. Not thread-safe: one block at a time."""

    def __init__(self, rule: CutRule, *, header: bool, start: Mark, watch: Watch | None = None) -> None:
        """``start``: the source's beginning: offset 0, with nothing before it. ``watch``: sees each block.

        ``sorter``: what tells the lines that are no records, where some may not be; ``skips``: which.
        """
        self._rule = rule
        self.skipped = 0
        self._header_pending = header
        self.header: Mark = start
        self._start = start
        self._last = start
        self.crc, self.position, self.records, self.delimiters, self.crlf = start.crc, start.offset, 0, 0, 0
        self.chunks = ChunkTable(start.offset)  # begun anew where the header ends
        self.expected_delimiters: int | None = None
        self.ragged = Ragged()
        self.large = Large()
        self.sorter: LineSorter | None = None
        self.skips: Skips | None = None
        self.watch = watch
        if not header:
            rule.begin(start)

    @property
    def rule(self) -> CutRule:
        """Where chunks end."""
        return self._rule

    @property
    def header_pending(self) -> bool:
        """Whether the header's end has not come yet."""
        return self._header_pending

    @property
    def last_mark(self) -> Mark:
        """The last record end so far."""
        return self._last

    @property
    def line_start(self) -> int:
        """Where the record under way begins."""
        return self._last.offset

    @property
    def line_ends(self) -> int:
        """Of lines so far, of which ``crlf`` end with CR LF."""
        return self.records

    @property
    def is_unended(self) -> bool:
        """Whether a record is under way: at the source's end, one without a line end."""
        return self.position > self._last.offset

    def skip(self, mark: memoryview) -> None:
        """Pass over a byte order mark at the source's start: bytes of the first record, not of its first field."""
        self.crc = crc64(mark, self.crc)
        self.position += len(mark)
        self.skipped = len(mark)

    def feed(
        self, block: memoryview, state: int, outcome: Outcome, scanner: BlockScanner, *, blanks: int = ANYWHERE
    ) -> array[int]:
        """Take the next block, which starts in ``state``; return the cuts it decides, absolute.

        The first may lie before the block. ``blanks``: where blank lines may be, see Watch.
        """
        base = self.position
        records = self.records + outcome.records
        cuts = array("q")
        first = self.expected_delimiters is None and outcome.records > 0
        may_cut = not self._header_pending and self._rule.may_cut(self._start, records, base + len(block))
        if first or may_cut:
            ends: Offsets = scanner.ends(block, state, base)
            if first:
                ends = self._take_first(block, state, scanner, ends)
            if not self._header_pending:
                cuts = self._cut_all(block, state, scanner, ends)
        if self.watch is not None:
            several = bool(self.expected_delimiters)
            self.watch.look(block, base, state, outcome, scanner, several=several, blanks=blanks)
        hashed, crc = 0, self.crc
        if self._start.offset > base and cuts:
            hashed, crc = self._start.offset - base, self._start.crc
        if outcome.records:
            self.large.measure(self._last.offset, base + outcome.first_end)
            crc = crc64(block[hashed : outcome.last_end], crc)
            hashed = outcome.last_end
            delimiters = self.delimiters + outcome.delimiters - outcome.tail
            self._last = Mark(base + outcome.last_end, records, delimiters, crc)
        self.crc = crc64(block[hashed:], crc)
        self.position, self.records = base + len(block), records
        self.delimiters += outcome.delimiters
        self.crlf += outcome.crlf
        return cuts

    def limit(self, start: int, number: int) -> int | None:
        """See CutRule."""
        return self._rule.limit(start, number)

    def take(self, size: int, found: Ranged, *, last: bool = False) -> None:
        """Take a whole chunk of ``size`` bytes, from the last cut, where this stands, to the last end up to its limit.

        ``found``: what they hold. ``last``: the source's end, which may follow, ends the chunk.
        """
        outcome, large = found.outcome, found.large
        if self.watch is not None and found.watch is not None:
            self.watch.add(found.watch)
        if large.records:
            first = self.large.first if self.large.records else large.first
            self.large = Large(self.large.records + large.records, first)
        end = Mark(
            self.position + size,
            self.records + outcome.records,
            self.delimiters + outcome.delimiters,
            combine(self.crc, found.crc, size),
        )
        self.position, self.records, self.delimiters, self.crc = end
        self.crlf += outcome.crlf
        self._last = end
        if not last:
            self._append(end)
            self._rule.taken()

    def take_cuts(self, found: CutRange) -> None:
        """Take bytes that were cut somewhere else, from a record's end, where this stands."""
        for mark in found.cuts:
            self._append(mark)
            self._rule.taken()
        self.position, self.records, self.delimiters, self.crc = found.end
        self.crlf += found.crlf
        self._last = found.end

    def note_ragged(self, number: int, excess: int) -> None:  # noqa: ARG002 -- what others want to know
        """Chunk ``number`` has so many delimiters more than its records should have (or fewer)."""
        self.ragged.first = self.ragged.first or number
        self.ragged.chunks += 1

    def finish(self) -> list[int]:
        """No more blocks: return the last cuts, the body's end included (unless the body is empty)."""
        end = Mark(self.position, self.records, self.delimiters, self.crc)
        if self._header_pending:  # a header without a line end is all of the source
            end = end._replace(records=1)
            self.expected_delimiters = end.delimiters
            self._set_header(end)
        unended = end.offset > self._last.offset  # the last record has no line end
        if unended:
            self.large.measure(self._last.offset, end.offset)
            end = end._replace(records=end.records + 1)
            if self.watch is not None:
                self.watch.end(end.offset, several=bool(self.expected_delimiters))
            if self.expected_delimiters is None:
                self.expected_delimiters = end.delimiters
        return self._end_at(end, unended=unended)

    def _end_at(self, end: Mark, *, unended: bool) -> list[int]:
        """The last cuts; ``unended``: what ends there may be a chunk of its own, and no cut was asked for before it."""
        cuts: list[Mark] = []
        while unended and self._rule.cut(self._start, self._last, [end.offset], end.offset) == AT_LAST:
            cuts.append(self._last)
            self._append(self._last)
        self.records = end.records
        if self._start.offset < end.offset or not len(self.chunks):
            cuts.append(end)
            self._append(end)
        return [cut.offset for cut in cuts]

    def _take_first(self, block: memoryview, state: int, scanner: BlockScanner, ends: Offsets) -> Offsets:
        """The first record is here: it says how many fields a record has, and may be the header. The body's ends."""
        first: int = ends[0]
        before: int = scanner.delimiters_before(block, state, [first - self.position])[0]
        self.expected_delimiters = self.delimiters + before
        if not self._header_pending:
            return ends
        crc = crc64(block[: first - self.position], self.crc)
        self._set_header(Mark(first, 1, self.expected_delimiters, crc))
        return ends[1:]

    def _set_header(self, header: Mark) -> None:
        self._header_pending = False
        self.header = self._start = self._last = header
        self.chunks = ChunkTable(header.offset)
        self._rule.begin(header)

    def _cut_all(self, block: memoryview, state: int, scanner: BlockScanner, ends: Offsets) -> array[int]:
        """Ask the rule for cuts until it has none in this block, and append the chunks: where they end, absolute."""
        base, end = self.position, self.position + len(block)
        cuts = array("q")
        while (index := self._rule.cut(self._start, self._last, ends, end)) == AT_LAST:
            cuts.append(self._last.offset)
            self._append(self._last)
        if index == WAIT:
            return cuts
        inside = array("q", [index])
        inside.extend(self._rule.more(index, self._last, ends, end))
        offsets = array("q", map(ends.__getitem__, inside))
        counts = scanner.delimiters_before(block, state, array("q", map(sub, offsets, repeat(base))))
        records = self._last.records + index + 1
        crc = crc64(block[: offsets[0] - base], self.crc)
        self._append(Mark(offsets[0], records, self.delimiters + counts[0], crc))
        if len(inside) > 1:
            self._append_all(block, inside, offsets, counts)
        return cuts + offsets

    def _append_all(self, block: memoryview, inside: array[int], offsets: array[int], counts: Offsets) -> None:
        """The chunks from the last cut, the first of ``offsets``, to the others: many of them, so in columns.

        ``inside``: the record of the block that each ends with; ``counts``: the delimiters in the block before it.
        """
        base, table, start = self.position, self.chunks, self._start
        _check_room(len(table) + len(offsets) - 1)
        rows = array("q", map(sub, inside[1:], inside))
        sums = crc64_each(block, [place - base for place in offsets], self.header.crc)
        found = map(sub, counts[1:], counts)
        ragged = compress(count(len(table) + 1), map(ne, found, map(mul, rows, repeat(self.expected_delimiters or 0))))
        table.extend(offsets[1:], rows, sums)
        for number in ragged:
            index = number - len(table) + len(rows) - 1
            excess = counts[index + 1] - counts[index] - rows[index] * (self.expected_delimiters or 0)
            self.note_ragged(number, excess)
        last = offsets[-1]
        crc = crc64(block[start.offset - base : last - base], start.crc)
        self._start = Mark(last, start.records + inside[-1] - inside[0], self.delimiters + counts[-1], crc)

    def _append(self, end: Mark) -> None:
        """The chunk from the last cut to ``end``."""
        table, start = self.chunks, self._start
        _check_room(len(table) + 1)
        body = crc_between(start, end)
        rows = end.records - start.records
        table.append(end.offset, rows, combine(self.header.crc, body, end.offset - start.offset))
        excess = end.delimiters - start.delimiters - rows * (self.expected_delimiters or 0)
        if excess:
            self.note_ragged(len(table), excess)
        self._start = end


def _check_room(chunks: int) -> None:
    """Raise UsageError where there are more than any plan has."""
    if chunks > MAX_CHUNKS:
        raise UsageError(
            f"more than {MAX_CHUNKS:,} chunks",
            hint="ask for larger chunks, with --chunk-size, --chunks or --rows",
        )
