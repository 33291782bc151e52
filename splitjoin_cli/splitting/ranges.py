"""Scans ranges of a source that are guessed to be chunks, in any order, and proves them from the first to the last.

A range that begins where a record does shows by its outcome whether it ends where one does: with that the beginning of
the next range is proved. No other record ends between there and the chunk's limit: from that end on the reading of the
guess is the file's, since both begin a record there, and in that reading it was the last.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.splitting.ranged import Large, Ranged
from splitjoin_cli.splitting.reading import read_planned
from splitjoin_cli.splitting.records.outcome import State, join, nothing

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.progress import Tally
    from splitjoin_cli.splitting.guesses import Guess
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.records.base import BlockScanner
    from splitjoin_cli.splitting.records.lines import LineCount, LineSorter
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.records.watch import Watch
    from splitjoin_cli.splitting.survey import Survey
    from splitjoin_cli.stores.sources.base import Source

__all__ = [
    "LEAST_BLOCKS",
    "Lane",
    "Output",
    "Proofs",
    "Rules",
    "begin",
    "ends_as_guessed",
    "foot_of",
    "keep_end",
    "scan_range",
]

LEAST_BLOCKS = 2
"""A chunk of fewer blocks is not worth a guess, nor one whose header takes more than such a part of a block."""


class Lane(NamedTuple):
    """What one thread works with. Two threads that share one get a wrong plan, with every range proved."""

    buffer: memoryview
    scanner: BlockScanner


class Rules(NamedTuple):
    """What is wrong in a range. ``expected``: delimiters of a record, where known; ``strict``: others are an error."""

    expected: int | None
    strict: bool = False


class Output(NamedTuple):
    """Where a range's bytes go. ``prefix`` comes first; ``given_up``: nobody wants them any more."""

    prefix: bytes
    write_at: Callable[[int, Buffer], None]
    given_up: Callable[[], bool]


def begin(lane: Lane, source: Source, builder: PlanBuilder, survey: Survey) -> bytes | None:
    """Let ``builder`` have the header, or know of the first record. The header's bytes; None: it is not ordinary."""
    block = lane.buffer[: source.read_at(0, lane.buffer)]
    marked = block[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK
    text = block[len(BYTE_ORDER_MARK) :] if marked else block
    outcome = lane.scanner.outcome(text, State.FIELD) if text else nothing(State.FIELD)
    if not outcome.records or (marked and not builder.header_pending):
        return None
    first = text[: outcome.first_end]
    before = lane.scanner.outcome(first, State.FIELD)
    if before.defect is not None or len(first) * LEAST_BLOCKS > len(lane.buffer):
        return None
    if builder.skips is not None and builder.skips.blanks:
        if not builder.header_pending and builder.sorter is not None:
            before = _first_solid(lane, text, outcome, builder.sorter)
        if not before.delimiters:
            return None  # what is wrong then is said in order
    if not builder.header_pending:
        builder.expected_delimiters = before.delimiters
        return b""
    if marked:
        builder.skip(block[: len(BYTE_ORDER_MARK)])
    builder.feed(first, State.FIELD, before, lane.scanner)
    header = bytes(block[: builder.position])
    survey.at += len(header) - len(first)
    survey.see(first)
    survey.begin_body(header)
    return header


def foot_of(source: Source, line: bytes, body: int, place: int) -> bytes:
    """The bytes before ``place`` that ``line``, looked for by a Survey, may begin in; the body begins at ``body``.

    One without a line end in itself begins with ``place``, where a record does, or behind it.
    """
    if b"\n" not in line:
        return b"\n"
    before = memoryview(bytearray(min(place - body, len(line) + 1)))
    if before:
        read_planned(source, place - len(before), before, lambda _: None)
    return (b"\n" + bytes(before))[-len(line) - 1 :]


def keep_end(source: Source, survey: Survey, body: int, end: int) -> None:
    """Keep the last bytes before ``end``, up to which ranges were scanned, as a scan in order does."""
    last = memoryview(bytearray(min(survey.keeps, end)))
    if last:
        read_planned(source, end - len(last), last, lambda _: None)
        survey.keep(memoryview(bytes(last).removeprefix(BYTE_ORDER_MARK)) if len(last) == end else last)
    survey.foot = foot_of(source, survey.form.line, body, end)


def _first_solid(lane: Lane, text: memoryview, outcome: Outcome, sorter: LineSorter) -> Outcome:
    """What comes up to the first record's end, which has blank lines before it; nothing where it is not plain."""
    found = None if outcome.defect is not None else sorter.sort(text, lane.scanner.ends(text, State.FIELD), 0)
    sorter.begin()
    if outcome.defect is not None or (found is not None and not found.records):
        return nothing(State.FIELD)
    end = outcome.first_end if found is None else found.records[0]
    return lane.scanner.outcome(text[:end], State.FIELD)


def scan_range(  # noqa: PLR0913 -- what is scanned, with what, for what
    lane: Lane,
    source: Source,
    start: int,
    end: int,
    rules: Rules,
    *,
    watch: Watch | None,
    survey: Survey,
    tally: Tally,
    out: Output | None = None,
    ends: array[int] | None = None,
    lines: LineCount | None = None,
) -> Ranged | None:
    """What the bytes from ``start``, a record's, to ``end`` hold. None where they break the rules, or nobody cares.

    ``watch`` and ``survey``: as nothing has come to them yet. ``tally`` hears of the bytes as they come.
    ``lines`` counts those that are no records, where some may be. ``ends`` gets all ends that a chunk may have, counted
    from ``start``.
    """
    position, outcome, crc, large = start, nothing(State.FIELD), 0, Large()
    filled, written = 0, 0
    if out is not None:
        filled = len(out.prefix)
        lane.buffer[:filled] = out.prefix
    while position < end:
        room = lane.buffer[filled:]
        text = room[: read_planned(source, position, room[: end - position], tally.add)]
        found = lane.scanner.outcome(text, outcome.end)
        sorter = None if lines is None else lines.sorter
        if (out is not None and out.given_up()) or _breaks(rules, text, outcome, found, lane.scanner, sorter):
            return None
        seen = survey.form.look(text)
        if watch is not None:
            several = bool(rules.expected) and (sorter is None or not sorter.blanks)
            watch.look(text, position, outcome.end, found, lane.scanner, several=several, blanks=seen.blanks)
        crc = crc64(text, crc)
        survey.add(text, seen)
        if out is not None:
            out.write_at(written, lane.buffer[: filled + len(text)])
            written += filled + len(text)
        if lines is not None or (ends is not None and found.records):
            here = lane.scanner.ends(text, outcome.end, position - start)
            here = here if lines is None else lines.take(text, here, position - start)
            if ends is not None and len(here):
                ends.frombytes(here.cast("B"))
        if found.records:
            large.measure(start + max(outcome.last_end, 0), position + found.first_end)
        outcome = join(outcome, position - start, found)
        position += len(text)
        tally.settle(position - start)
        filled = 0
    return Ranged(outcome, crc, large, watch, survey, None if lines is None else lines.skipped)


def _breaks(
    rules: Rules, text: memoryview, before: Outcome, found: Outcome, scanner: BlockScanner, sorter: LineSorter | None
) -> bool:
    if found.defect is not None:
        return True
    if not rules.strict:
        return False
    find = scanner.first_ragged if sorter is None else partial(sorter.first_ragged, scanner)
    return find(text, before.end, before=before.tail, expected=rules.expected) is not None


class Proofs:
    """Takes what ranges held, in any order, and lets the plan have those that are proved. Not thread-safe."""

    def __init__(self, builder: PlanBuilder, survey: Survey) -> None:
        """``builder`` and ``survey`` stand where the first range begins."""
        self._builder, self._survey = builder, survey
        self._last = 0
        self._waiting: dict[int, tuple[Guess, Ranged]] = {}  # until the chunks before them are proved

    def take(self, guess: Guess, found: Ranged, *, last: bool = False) -> list[int]:
        """A range that ends as was guessed. The numbers of those that are proved by it, from the first on.

        ``last``: the source's end may follow it, see PlanBuilder.
        """
        self._last = guess.number if last else self._last
        proved: list[int] = []
        self._waiting[guess.number] = guess, found
        while (following := self._waiting.pop(len(self._builder.chunks) + 1, None)) is not None:
            (number, start, end), held = following
            if start != self._builder.position:
                break  # guessed from an end that was wrong: whatever it held, it is not this chunk
            at_end = number == self._last
            self._builder.take(end - start, held, last=at_end)
            held.survey.close()
            self._survey.take(held.survey)
            proved.append(number)
        return proved


def ends_as_guessed(guess: Guess, found: Ranged | None) -> bool:
    """Whether the last record of a range ends with it."""
    if found is None:
        return False
    last = found.outcome.last_end if found.skipped is None else found.skipped.last
    return last == guess.end - guess.start
