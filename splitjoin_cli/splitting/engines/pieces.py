"""Cuts a range into pieces of chunks, on a worker: it may begin in the middle of one, and end in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.cuts import ByCount, ByRows, BySize, Mark
from splitjoin_cli.splitting.engines.base import Pieces
from splitjoin_cli.splitting.plan import PlanBuilder
from splitjoin_cli.splitting.reading import read_planned
from splitjoin_cli.splitting.records.lines import header_text
from splitjoin_cli.splitting.records.outcome import State
from splitjoin_cli.splitting.skipping import SkippingPlanBuilder
from splitjoin_cli.stores.sources.base import announce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.cuts import CutRule
    from splitjoin_cli.splitting.engines.base import CutUnit
    from splitjoin_cli.splitting.ranges import Lane
    from splitjoin_cli.splitting.records.targets import Targets
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["cut_pieces"]


class _RowsFrom(ByRows):
    """Chunks of ``rows`` records, of which the first has ``before`` already."""

    def __init__(self, rows: int, before: int) -> None:
        super().__init__(rows)
        self._first = rows - before

    def may_cut(self, start: Mark, records: int, block_end: int) -> bool:
        return records >= self._first if not start.records else super().may_cut(start, records, block_end)

    def cut(self, start: Mark, last: Mark, ends: Sequence[int] | memoryview, block_end: int) -> int:
        if start.records:
            return super().cut(start, last, ends, block_end)
        return super().cut(start._replace(records=self._first - self.rows), last, ends, block_end)


class _CountFrom(ByCount):
    """Chunks that end at ``targets``, of which ``done`` are cut, and the next chunk has ``before`` records already."""

    def __init__(self, targets: Targets, unit: CutUnit) -> None:
        super().__init__(targets.chunks, size=targets.start + targets.size, records=None)
        super().begin(Mark(targets.start, 0, 0, 0))
        self._cuts = self._done = unit.done
        self._before, self._room = unit.before, unit.room

    def begin(self, body: Mark) -> None:
        """It has begun, before the range."""

    def may_cut(self, start: Mark, records: int, block_end: int) -> bool:
        return super().may_cut(self._from(start), records, block_end)

    def cut(self, start: Mark, last: Mark, ends: Sequence[int] | memoryview, block_end: int) -> int:
        return super().cut(self._from(start), last, ends, block_end)

    def _from(self, start: Mark) -> Mark:
        return start._replace(records=-self._before) if self._cuts == self._done else start

    def _bound(self, seen: int) -> int:
        return super()._bound(seen) if self._room is None else self._room + self._cuts + 1


class _Pieces(PlanBuilder):
    """Chunks as pieces: the first one's begins with the range."""

    excess: dict[int, int]

    def go_on(self, before_bytes: int, expected: int) -> None:
        """Begin in the middle of a chunk, which has so many bytes already."""
        self.expected_delimiters, self.excess = expected, {}
        self._start = Mark(-before_bytes, 0, 0, 0)

    def note_ragged(self, number: int, excess: int) -> None:
        """See PlanBuilder."""
        self.excess[number] = excess


class _SkippingPieces(_Pieces, SkippingPlanBuilder):
    """The same, where some lines are no records."""


def cut_pieces(unit: CutUnit, source: Source, lane: Lane, header: bytes) -> Pieces | None:
    """The pieces of a range that begins and ends where a chunk may; None where it breaks the rules by now."""
    rule, start = _rule(unit), Mark(0, 0, 0, 0)
    if unit.skips is None:
        builder = _Pieces(rule, header=False, start=start)
    else:
        builder = _SkippingPieces(rule, alphabet=unit.alphabet, skips=unit.skips, header=False, start=start)
        if unit.skips.repeats:
            builder.sorter.header = header_text(header, unit.alphabet)
    builder.go_on(unit.before if isinstance(rule, BySize) else 0, unit.expected)
    announce(source, unit.range)
    state, position = int(State.FIELD), unit.range.start
    while position < unit.range.end:
        text = lane.buffer[: unit.range.end - position]
        text = text[: read_planned(source, position, text, Tally(lambda _: None).add)]
        outcome = lane.scanner.outcome(text, state)
        if outcome.defect is not None:
            return None
        builder.feed(text, state, outcome, lane.scanner)
        state, position = outcome.end, position + len(text)
    table = builder.chunks
    return Pieces(
        ends=tuple(table.starts[1:]),
        rows=tuple(table.rows),
        checksums=tuple(table.checksums),
        excess=tuple(builder.excess.items()),
        oversized=rule.oversized if isinstance(rule, BySize) else 0,
        records=builder.records,
        delimiters=builder.delimiters,
        crc=builder.crc,
    )


def _rule(unit: CutUnit) -> CutRule:
    """Where chunks end, counted from the range's start."""
    if unit.targets is not None:
        return _CountFrom(unit.targets, unit)
    return BySize(unit.capacity or 0) if unit.rows is None else _RowsFrom(unit.rows, unit.before)
