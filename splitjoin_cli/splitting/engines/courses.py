"""What is known of the chunk that is open where a span begins: from what the spans before it held."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.splitting.cuts import ByCount, ByRows, BySize

if TYPE_CHECKING:
    from splitjoin_cli.splitting.engines.base import Scanned
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.records.targets import Targets

__all__ = ["Course", "Open", "TooManyError", "course_of"]

MOST_CUTS = 20_000
"""Of a span: more are more to be told than is worth it."""


class TooManyError(Exception):
    """A span has more chunks, or records, than can be told."""


class Open(NamedTuple):
    """The chunk that is open at a place, as CutUnit has it."""

    before: int
    done: int = 0
    room: int | None = None


class Course(Protocol):
    """Of one kind of chunks. It hears of spans in order."""

    @property
    def rows(self) -> int | None:
        """See CutUnit, as the others."""

    @property
    def capacity(self) -> int | None:
        """As a ScanUnit has it, too."""

    @property
    def targets(self) -> Targets | None:
        """As a ScanUnit has them, too, but counted from the source's start."""

    def enter(self, start: int, size: int, found: Scanned) -> Open:
        """The next span is from ``start``, and held ``found``: what is open there. Raises TooManyError."""


def course_of(builder: PlanBuilder, span_bytes: int) -> Course | None:
    """Of a plan's chunks, from where ``builder`` stands; None where they cannot be had from spans."""
    rule, start = builder.rule, builder.position
    if isinstance(rule, ByRows):
        return _RowsCourse(rule.rows)
    if isinstance(rule, BySize):
        capacity = rule.limit(start, 1) - start
        return _SizeCourse(start, capacity) if 2 * span_bytes <= MOST_CUTS * capacity else None
    if not isinstance(rule, ByCount):
        return None
    targets = rule.targets
    if targets is None or 2 * span_bytes * targets.chunks > MOST_CUTS * targets.size:
        return None
    return _TargetsCourse(targets, builder.records, rule.room)


class _RowsCourse:
    """Chunks of ``rows`` records."""

    capacity = targets = None

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._counted = 0  # records of the chunk that is open

    def enter(self, start: int, size: int, found: Scanned) -> Open:  # noqa: ARG002 -- see Course
        before, records = self._counted, _records(found)
        self._counted = (before + records) % self.rows
        if records // self.rows > MOST_CUTS:
            raise TooManyError
        return Open(before)


class _SizeCourse:
    """Chunks of at most ``capacity`` bytes."""

    rows = targets = None

    def __init__(self, start: int, capacity: int) -> None:
        self.capacity = capacity
        self._cut = start  # the last one

    def enter(self, start: int, size: int, found: Scanned) -> Open:
        if found.stairs is None:
            raise TooManyError
        before, reach = start - self._cut, self._cut + self.capacity - start
        if reach < size:  # else the chunk that is open goes on behind the span
            self._cut = start + found.stairs.last_cut(reach)
        return Open(before)


class _TargetsCourse:
    """Chunks that end at ``targets``. ``records``: ends before the first span. ``room``: see ByCount."""

    rows = capacity = None

    def __init__(self, targets: Targets, records: int, room: int | None) -> None:
        self.targets, self._room = targets, room
        self._records = self._lead = self._cut = records  # the last cut is that record's end
        self._done = 0

    def enter(self, start: int, size: int, found: Scanned) -> Open:
        room = None if self._room is None else self._room - self._records
        here = Open(self._records - self._cut, self._done, room)
        if found.lead is not None:
            self._lead = max(self._lead, self._records + found.lead)
        self._records += _records(found)
        # A cut behind its target waits for a record.
        self._done = min(self.targets.before(start + size), self._records - self._lead)
        self._cut = self._done + self._lead
        if self._room is not None:
            self._cut = min(self._cut, self._done + self._room)
            if self._records - self._room > self._done:  # the records behind are as many as the chunks to come
                self._done, self._cut = min(self._records - self._room, self.targets.chunks - 1), self._records
        if self._done - here.done > MOST_CUTS:
            raise TooManyError
        return here


def _records(found: Scanned) -> int:
    """Of a range that is proved, less the lines that are none."""
    assert found.outcome is not None  # noqa: S101 -- it is proved
    less = 0 if found.skipped is None else found.skipped.blanks + found.skipped.repeated
    return found.outcome.records - less
