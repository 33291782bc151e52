"""Runs a unit of work, wherever this process is: the only code that a worker runs."""

from __future__ import annotations

import threading
from array import array
from contextlib import ExitStack
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.errors import (
    AccessError,
    CorruptObjectError,
    NotFoundError,
    ObjectChangedError,
    SourceChangedError,
    SplitjoinError,
    StoreError,
)
from splitjoin_cli.core.model import ByteRange, Chunk
from splitjoin_cli.core.progress import Silent, Tally
from splitjoin_cli.splitting.engines.base import (
    Answer,
    CutUnit,
    Failed,
    MergeUnit,
    Pieces,
    Scanned,
    ScanUnit,
    Stored,
    StoreUnit,
    Unit,
    Verified,
    VerifyUnit,
)
from splitjoin_cli.splitting.engines.part import write_part
from splitjoin_cli.splitting.engines.pieces import cut_pieces
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.wire import UNREADABLE, OtherReleaseError, answer_text, release, unit_of
from splitjoin_cli.splitting.engines.words import another_release
from splitjoin_cli.splitting.one_chunk import Sender, Way
from splitjoin_cli.splitting.ranges import Lane, Rules, foot_of, scan_range
from splitjoin_cli.splitting.records.lines import LineCount
from splitjoin_cli.splitting.records.open import best_block_bytes, new_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET
from splitjoin_cli.splitting.records.watch import Watch
from splitjoin_cli.splitting.stored.judge import Judge
from splitjoin_cli.splitting.survey import Found, Survey, SurveyForm
from splitjoin_cli.splitting.transfer import FATAL
from splitjoin_cli.stores.sources.base import announce

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.splitting.engines.specs import ChunkSpec
    from splitjoin_cli.splitting.ranged import Ranged
    from splitjoin_cli.splitting.records.base import Alphabet
    from splitjoin_cli.splitting.records.stairs import Stairs
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["run_here", "run_text", "run_unit"]

MOST_ENDS = 4_000_000
"""Record ends of a range whose stairs are made: they take 8 bytes each, and as much again."""
NOT_AGAIN = (AccessError, NotFoundError, ObjectChangedError)
"""What the same unit meets once more, on any worker. All else may be the worker's own trouble."""


T = TypeVar("T")
_OWN = threading.local()


@cache
def _here() -> Place:
    return Place()


def run_here(text: str) -> str:
    """Run a unit by what this process reaches. A Worker: what engines send to others is this function's name."""
    return run_text(text, _here())


def run_text(text: str, place: Place) -> str:
    """Run the unit of a text; the answer's text."""
    try:
        unit = unit_of(text)
    except OtherReleaseError as exc:
        message = another_release(place.worker, release(), exc.found)
        return answer_text(Failed("EngineError", message, None, fatal=True, again=False), text)
    except UNREADABLE as exc:
        message = f"{place.worker} cannot read its unit: {type(exc).__name__}: {exc}"
        return answer_text(Failed("EngineError", message, None, fatal=True, again=False), text)
    return answer_text(run_unit(unit, place), text)


def run_unit(unit: Unit, place: Place) -> Answer:
    """Run a unit. What it meets is the answer, and never raised."""
    return _met(lambda: _run(unit, place), place)


def _met(act: Callable[[], T], place: Place) -> T | Failed:
    """What comes of it, or what went wrong."""
    try:
        return act()
    except SplitjoinError as exc:
        return _failed(exc, place.worker)
    except Exception as exc:  # noqa: BLE001 -- also what is a bug, or this machine's trouble: the coordinator decides
        message = f"{type(exc).__name__} on {place.worker}: {exc}"
        return Failed(StoreError.__name__, message, None, fatal=False, again=True)


def _run(unit: Unit, place: Place) -> Answer:
    if isinstance(unit, VerifyUnit):
        return _verify(unit, place)
    if isinstance(unit, MergeUnit):
        return write_part(unit, place)
    if isinstance(unit, StoreUnit):
        return _store(unit, place)
    with place.source(unit.source) as source:
        if isinstance(unit, ScanUnit):
            return _scan(unit, source, place)
        return _cut(unit, source, place)


def _failed(error: SplitjoinError, worker: str) -> Failed:
    hint = error.hint
    if isinstance(error, AccessError):
        whose = f"workers use their own credentials: this is {worker}"
        hint = whose if hint is None else f"{hint}; {whose}"
    fatal = isinstance(error, FATAL)
    again = not fatal and not isinstance(error, NOT_AGAIN)
    return Failed(type(error).__name__, error.message, hint, fatal=fatal, again=again)


def _lane(alphabet: Alphabet, block_bytes: int) -> Lane:
    """A scanner and a buffer of this thread's own: kept, since pages that are new take longer than their scan."""
    fits = alphabet, block_bytes
    if getattr(_OWN, "fits", None) != fits:
        _OWN.lane, _OWN.fits = Lane(new_buffer(block_bytes), new_scanner(alphabet, block_bytes)), fits
    lane: Lane = _OWN.lane
    return lane


def _scan(unit: ScanUnit, source: Source, place: Place) -> Scanned:
    """Scan a range, with a scanner and a buffer that no other thread has."""
    block_bytes = best_block_bytes(source.properties.read_bytes)
    header = b"" if unit.header is None else place.header(source, unit.source, unit.header)
    form = SurveyForm.of(unit.alphabet, unit.encoding, headers=unit.header is not None)
    if unit.skips is None or not unit.skips.repeats:
        form = form.with_header(header)
    start = unit.range.start
    announce(source, unit.range)
    ends = None if unit.capacity is None and unit.targets is None else array("q")
    found = scan_range(
        _lane(unit.alphabet, block_bytes),
        source,
        start,
        unit.range.end,
        Rules(unit.expected, unit.strict),
        watch=Watch(unit.alphabet, unit.letters),
        survey=Survey(form, at=start, foot=foot_of(source, form.line, start - unit.behind, start)),
        tally=Tally(lambda _: None),
        ends=ends,
        lines=None if unit.skips is None else LineCount(unit.alphabet, unit.skips, header),
    )
    if found is None:
        nothing = Found()
        return Scanned(None, 0, nothing, nothing, NO_OFFSET, (nothing, nothing, nothing))
    stairs = None
    if unit.capacity is not None and ends and len(ends) <= MOST_ENDS:
        from splitjoin_cli.splitting.records.stairs import stairs_of  # noqa: PLC0415 -- only for small chunks

        stairs = stairs_of(ends, 0, unit.capacity)
    lead = None if unit.targets is None or ends is None else unit.targets.lead(ends, unit.range.size)
    return _scanned(found, start, stairs, lead)


def _scanned(found: Ranged, start: int, stairs: Stairs | None, lead: int | None) -> Scanned:
    """What was found, its places counted from the range's start."""

    def place(total: int, first: int) -> Found:
        return Found(total, first - start) if total else Found()

    survey, watch = found.survey, found.watch
    survey.close()
    assert watch is not None  # noqa: S101 -- it was given
    letter = watch.first_letter
    return Scanned(
        found.outcome,
        found.crc,
        place(found.large.records, found.large.first),
        place(watch.blank_lines, watch.first_blank),
        letter if letter == NO_OFFSET else letter - start,
        (place(*survey.invalid), place(*survey.marks), place(*survey.lines)),
        stairs,
        lead,
        found.skipped,
    )


def _cut(unit: CutUnit, source: Source, place: Place) -> Pieces:
    header = b"" if unit.header is None else place.header(source, unit.source, unit.header)
    pieces = cut_pieces(unit, source, _lane(unit.alphabet, best_block_bytes(source.properties.read_bytes)), header)
    if pieces is None:
        uri = source.properties.uri
        raise SourceChangedError(f"{uri} changed while it was scanned: a record breaks a rule now", hint="run again")
    return pieces


def _verify(unit: VerifyUnit, place: Place) -> Verified:
    with ExitStack() as stack:
        source = None if unit.source is None else stack.enter_context(place.source(unit.source))
        stored = stack.enter_context(place.stored(unit.place))
        judge = Judge(stored.place, unit.facts, source)
        return Verified(tuple(judge.chunk(chunk) for chunk in unit.chunks))


def _store(unit: StoreUnit, place: Place) -> Stored | Failed:
    """Store each chunk; what is wrong with all of them is the answer."""
    end = unit.chunks[-1].end
    found: list[StoredObject | Failed] = []
    refused: list[str] = []
    # Held for all of them. What a chunk takes for itself is opened anew behind one that failed.
    with place.source(unit.source), place.sink(unit.sink):
        for chunk in unit.chunks:
            one = _met(partial(_store_one, unit, chunk, end, place, refused), place)
            if isinstance(one, Failed) and one.fatal:
                return one
            found.append(one)
    return Stored(tuple(found), refused[0] if refused else None)


def _store_one(unit: StoreUnit, spec: ChunkSpec, end: int, place: Place, refused: list[str]) -> StoredObject:
    """``end``: of the chunks that are read behind it, as far as they are its neighbours. ``refused``: see Stored."""
    with place.source(unit.source) as source, place.sink(unit.sink) as sink:
        header = place.header(source, unit.source, unit.header)
        copier = sink.copier if unit.copies and not refused else None
        sender = Sender(Way(source, sink, header, unit.compression, Silent(), copier, refused.append))
        chunk = Chunk(spec.number, ByteRange(spec.start, spec.end), None, spec.checksum)
        try:
            return sender.send(chunk, spec.name, spec.metadata, spec.when, Tally(lambda _: None), end)
        except CorruptObjectError:  # other bytes than were scanned: is it the source, or the way?
            source.check_unchanged()
            raise
