"""The plan of a split whose blank lines, or repeated headers, are no records: they stay where they are, uncounted.

A chunk ends with a record, and what follows it that is none begins the next one. By size, a repeated header may end a
chunk too; a blank line never does, since those at the end of the file are in no chunk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.splitting.cuts import AT_LAST, WAIT, Mark
from splitjoin_cli.splitting.plan import PlanBuilder
from splitjoin_cli.splitting.records.lines import BLANK, RECORD, REPEATED, LineSorter, header_text
from splitjoin_cli.splitting.records.watch import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.cuts import CutRule
    from splitjoin_cli.splitting.ranged import CutRange, Ranged
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner
    from splitjoin_cli.splitting.records.lines import Skips, Sorted
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.records.watch import Watch

__all__ = ["SkippingPlanBuilder"]


class SkippingPlanBuilder(PlanBuilder):
    """See PlanBuilder. ``records`` and ``delimiters`` are those of records alone."""

    def __init__(
        self,
        rule: CutRule,
        *,
        alphabet: Alphabet,
        skips: Skips,
        header: bool,
        start: Mark,
        watch: Watch | None = None,
    ) -> None:
        """As PlanBuilder's, for a dialect that skips lines."""
        super().__init__(rule, header=header, start=start, watch=watch)
        self._alphabet, self.skips, self._repeats, self._blanks = alphabet, skips, skips.repeats, skips.blanks
        self.sorter: LineSorter = LineSorter(alphabet, blanks=skips.blanks)
        self._by_size = skips.solid
        self._head = bytearray()
        self.blank_lines = self.repeated_headers = 0
        self._solid = start  # behind the last line that is not blank
        self._line_start = start.offset

    @property
    def line_start(self) -> int:
        """See PlanBuilder."""
        return self._line_start

    @property
    def line_ends(self) -> int:
        """See PlanBuilder."""
        return self.records + self.blank_lines + self.repeated_headers

    @property
    def is_unended(self) -> bool:
        """See PlanBuilder."""
        return self.position > self._line_start and self.sorter.last() == RECORD

    def feed(
        self, block: memoryview, state: int, outcome: Outcome, scanner: BlockScanner, *, blanks: int = ANYWHERE
    ) -> array[int]:
        """See PlanBuilder."""
        base = self.position
        ends: Sequence[int] | memoryview = scanner.ends(block, state, base)
        if self._header_pending:
            self._head += block[: ends[0] - base] if len(ends) else block
            if len(ends):
                ends = self._take_first(block, state, scanner, ends)
                self._begin_body()
        begun = max(base, self.header.offset) - base
        found = None if self._header_pending else self.sorter.sort(block[begun:], ends, base + begun)
        cuts = self._take_lines(block, state, outcome, scanner, ends, found)
        if self.watch is not None:
            several = bool(self.expected_delimiters) and not self._blanks
            self.watch.look(block, base, state, outcome, scanner, several=several, blanks=blanks)
        if outcome.records:
            self._line_start = base + outcome.last_end
        self.position, self.crlf = base + len(block), self.crlf + outcome.crlf
        return array("q", [cut.offset for cut in cuts])

    def finish(self) -> list[int]:
        """See PlanBuilder; a last line without a line end may be blank, or the header, too."""
        if self._header_pending:
            self._begin_body_at_end()
        end, unended = self._solid, False
        if self.position > self._line_start:
            kind = self.sorter.last()
            if self.watch is not None and not self._blanks:
                self.watch.end(self.position, several=bool(self.expected_delimiters))
            self._count(blanks=kind == BLANK, repeated=kind == REPEATED)
            if kind != BLANK:
                end = Mark(self.position, self.records + (kind != REPEATED), self._delimiters_at_end(kind), self.crc)
                unended = self._by_size or kind != REPEATED
        if unended and self.expected_delimiters is None:
            self._set_expected(end.delimiters)
        return self._end_at(end, unended=unended)

    def take(self, size: int, found: Ranged, *, last: bool = False) -> None:
        """See PlanBuilder."""
        outcome, skipped = found.outcome, found.skipped
        if skipped is not None:
            self._count(blanks=skipped.blanks, repeated=skipped.repeated)
            records = outcome.records - skipped.blanks - skipped.repeated
            delimiters = outcome.delimiters - (self.expected_delimiters or 0) * skipped.repeated
            found = found._replace(outcome=outcome._replace(records=records, delimiters=delimiters))
        super().take(size, found, last=last)
        self._begin_line()

    def take_cuts(self, found: CutRange) -> None:
        """See PlanBuilder."""
        if found.skipped is not None:
            self._count(blanks=found.skipped.blanks, repeated=found.skipped.repeated)
        super().take_cuts(found)
        self._begin_line()

    def _begin_line(self) -> None:
        """This stands behind a line that a chunk may end with."""
        self._solid, self._line_start = self._last, self.position
        self.sorter.begin()

    def _begin_body(self) -> None:
        """The header's end is here."""
        self._solid, self._line_start = self.header, self.header.offset
        self._set_expected(self.expected_delimiters or 0)
        if self._repeats:
            self.sorter.header = header_text(bytes(self._head), self._alphabet)
        self.sorter.begin()
        self.records = 1

    def _begin_body_at_end(self) -> None:
        self.expected_delimiters = self.delimiters
        self._set_header(Mark(self.position, 1, self.delimiters, self.crc))
        self._begin_body()

    def _set_expected(self, delimiters: int) -> None:
        """The first record is here. Raises UsageError where a blank line may be a record like it."""
        self.expected_delimiters = delimiters
        if self._blanks and not delimiters:
            raise UsageError(
                "--skip-blank-lines needs several fields: in a file of one column, a blank line may be a row",
                hint="leave --skip-blank-lines out; or check --delimiter",
            )

    def _count(self, *, blanks: int, repeated: int) -> None:
        self.blank_lines += blanks
        self.repeated_headers += repeated

    def _delimiters_at_end(self, kind: int) -> int:
        return self.delimiters - (self.expected_delimiters or 0) * (kind == REPEATED)

    def _take_lines(
        self,
        block: memoryview,
        state: int,
        outcome: Outcome,
        scanner: BlockScanner,
        ends: Sequence[int] | memoryview,
        found: Sorted | None,
    ) -> list[Mark]:
        """The block's cuts; then the marks stand behind it."""
        base, records = self.position, ends if found is None else found.records
        if self.expected_delimiters is None and len(records):
            before = scanner.delimiters_before(block, state, [records[0] - base])[0]
            self._set_expected(self.delimiters + before)
        solid = records if found is None else found.solid
        repeated = array("q") if found is None else found.repeated
        self._count(blanks=0 if found is None else len(found.blanks), repeated=len(repeated))
        cut_ends = solid if self._by_size else records
        wanted: list[int] = []
        start = self._start
        block_end = base + len(block)
        while not self._header_pending and self._rule.may_cut(start, self.records + len(records), block_end):
            index = self._rule.cut(start, self._last, cut_ends, block_end)
            if index == WAIT:
                break
            if index == AT_LAST:
                start = self._last
            else:
                start = Mark(cut_ends[index], self.records + bisect_right(records, cut_ends[index]), 0, 0)
            wanted.append(start.offset)
        marks = {self._last.offset: self._last} | self._marks(
            block, state, scanner, outcome, records, repeated, {*wanted, *cut_ends[-1:], *solid[-1:]}
        )
        cuts = [marks[place] for place in wanted]
        for cut in cuts:
            self._append(cut)
        if outcome.records:
            self.large.measure(self._line_start, base + outcome.first_end)
        if len(cut_ends):
            self._last = marks[cut_ends[-1]]
        if len(solid):
            self._solid = marks[solid[-1]]
        self.records += len(records)
        self.delimiters += outcome.delimiters - (self.expected_delimiters or 0) * len(repeated)
        return cuts

    def _marks(
        self,
        block: memoryview,
        state: int,
        scanner: BlockScanner,
        outcome: Outcome,
        records: Sequence[int] | memoryview,
        repeated: array[int],
        places: set[int],
    ) -> dict[int, Mark]:
        """The marks at some of the block's ends, and ``crc`` behind all of it."""
        base, expected = self.position, self.expected_delimiters or 0
        inside = sorted(place for place in places if place > base)
        last = base + outcome.last_end
        counts: list[int] = []
        if inside == [last]:
            counts = [outcome.delimiters - outcome.tail]
        elif inside:
            counts = list(scanner.delimiters_before(block, state, [place - base for place in inside]))
        marks, hashed, crc = {}, 0, self.crc
        for place, count in zip(inside, counts, strict=True):
            crc = crc64(block[hashed : place - base], crc)
            hashed = place - base
            delimiters = self.delimiters + count - expected * bisect_right(repeated, place)
            marks[place] = Mark(place, self.records + bisect_right(records, place), delimiters, crc)
        self.crc = crc64(block[hashed:], crc)
        return marks
