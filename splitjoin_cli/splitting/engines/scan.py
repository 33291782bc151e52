"""Scans a source on an engine: chunks are guessed here, scanned there, and proved here, from the first to the last.

Where a guess was wrong, a worker scans the chunk from its proved beginning to its limit, which tells where it ends
without a guess, and guesses go on behind it. What is out of the ordinary is left to the scan in order, on threads here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.core.units import size_text
from splitjoin_cli.splitting.engines.ahead import LookAhead, looks_at_once
from splitjoin_cli.splitting.engines.base import Failed, Scanned, ScanUnit
from splitjoin_cli.splitting.engines.courses import TooManyError, course_of
from splitjoin_cli.splitting.engines.dispatch import Dispatcher, Work, error_of
from splitjoin_cli.splitting.engines.pace import Pace
from splitjoin_cli.splitting.engines.spans import Spans, span_bytes
from splitjoin_cli.splitting.engines.specs import HeaderSpec
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.guesses import Guess, Guesses, look_bytes
from splitjoin_cli.splitting.ranged import Large, Ranged
from splitjoin_cli.splitting.ranges import LEAST_BLOCKS, Lane, Proofs, begin, ends_as_guessed, keep_end
from splitjoin_cli.splitting.records.lines import LineCount
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET
from splitjoin_cli.splitting.survey import Found, Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.engines.base import Answer, Remote
    from splitjoin_cli.splitting.guesses import KeptEnds
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.scan import ScanOptions
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["EngineScan"]

TOO_SMALL = "chunks are very small"
MENDS = 16
"""How many wrong guesses are mended, and one more for as many chunks as units are under way, which a wrong guess costs.

A source with more is scanned in order from there on.
"""


class EngineScan:
    """The chunks of a split, as many as can be had this way. ``run`` it once."""

    def __init__(
        self,
        remote: Remote,
        source: Source,
        builder: PlanBuilder,
        options: ScanOptions,
        observer: Observer,
        survey: Survey,
        place_of: Callable[[int], int],
    ) -> None:
        """``builder`` and ``survey``: as nothing has come to them yet. ``place_of``: the place in the whole source."""
        self._remote, self._source, self._builder, self._options = remote, source, builder, options
        self._observer, self._survey, self._place_of = observer, survey, place_of
        self._dispatcher = Dispatcher(remote.engine, pace=remote.pace, check=remote.check, tell=observer.detail)
        self._header, self._header_bytes = HeaderSpec(0, 0, 0), b""
        self._size = source.properties.size or 0
        self._proofs = Proofs(builder, survey)
        self._wrong = self._is_done = False
        self._why = "where chunks begin could not be guessed, or the file breaks a rule"
        self._spans: Spans | None = None
        self._held: dict[int, tuple[Guess, Scanned]] = {}  # of spans that wait for their proof
        self._told: dict[int, int] = {}  # bytes of ranges that wait for their proof, by number

    def run(self) -> bytes:
        """Scan; then ``builder`` stands after the last proved range. The header's bytes.

        None of them, with nothing done, where this is not the way for such a source.
        Raises what the source raises, here or on a worker, and EngineError.
        """
        alphabet, block_bytes = self._options.alphabet, self._options.block_bytes
        lane = Lane(new_buffer(block_bytes), new_scanner(alphabet, block_bytes))
        header = None if self._size < self._least else begin(lane, self._source, self._builder, self._survey)
        if header is None:
            self._tell_rest("the header is long, or breaks a rule")
            return b""
        self._observer.advance(len(header))
        self._header, self._header_bytes = HeaderSpec(self._place_of(0), len(header), crc64(header)), header
        if self._is_small():
            self._find_spans()
        else:
            self._find_all()
        keep_end(self._source, self._survey, len(header), self._builder.position)
        if not self._is_done:
            self._tell_rest(self._why)
        return header

    def _find_spans(self) -> None:
        """Let spans be scanned, then cut; nothing is done where they cannot be."""
        planned, survey = self._builder, self._survey
        span_size = span_bytes(self._options.block_bytes)
        course = course_of(planned, span_size)
        if course is None:
            self._why = TOO_SMALL
            return
        spans = self._spans = Spans(planned, course, self._header, span_size)
        found = Survey(survey.form, survey.at, b"\n")
        self._builder, self._survey = spans.shadow, found
        try:
            self._find_all()
        except TooManyError:
            self._observer.advance(planned.position - spans.shadow.position)
            self._is_done, self._why = False, TOO_SMALL
            return
        finally:
            self._builder, self._survey = planned, survey
        if spans.shadow.position > planned.position:
            uri = self._source.properties.uri
            spans.cut_all(self._dispatcher, self._remote.source, self._options.alphabet, self._place_of, uri)
            survey.take(found)

    def _find_all(self) -> None:
        """Scan chunks, or spans, where they are guessed."""
        alphabet, block_bytes = self._options.alphabet, self._options.block_bytes
        at_once = looks_at_once(self._remote.engine)
        readers = (self._remote.pace or Pace()).readers(at_once)
        ahead = LookAhead(self._source, readers, self._builder.limit, self._size, at_once)
        try:
            looks = new_scanner(alphabet, max(block_bytes, look_bytes()))
            expected = self._builder.expected_delimiters
            self._scan_all(ahead, Guesses(ahead, alphabet, looks, expected=expected, kept=self._kept()))
        finally:
            ahead.close()
            readers.shutdown(cancel_futures=True)

    def _kept(self) -> KeptEnds | None:
        """What tells the ends that a chunk may have, where some lines are no records."""
        skips, alphabet, header = self._builder.skips, self._options.alphabet, self._header_bytes
        if skips is None:
            return None

        def last(text: memoryview, ends: memoryview) -> int:
            lines = LineCount(alphabet, skips, header)
            lines.take(text, ends, 0)
            return lines.skipped.last

        return last

    @property
    def _least(self) -> int:
        """Fewer bytes are not worth a guess."""
        return LEAST_BLOCKS * self._options.block_bytes

    def _is_small(self) -> bool:
        """Whether chunks, header included, are too small to be guessed each by itself, or are of rows."""
        start = self._builder.position
        end = self._builder.limit(start, 1)
        return end is None or end - start + self._header.size < self._least

    def _tell_rest(self, why: str) -> None:
        """Say that workers cannot scan what is left, where that is much."""
        left = self._size - self._builder.position
        if left > self._least:
            self._observer.warn(f"{size_text(left)} are scanned here, and not by workers: {why}")

    def _scan_all(self, ahead: LookAhead, guesses: Guesses) -> None:
        wrong = 0
        while wrong < MENDS + len(self._builder.chunks) // max(self._remote.engine.in_flight, 1):
            wrong += 1
            self._wrong = False
            self._proofs = Proofs(self._builder, self._survey)
            try:
                self._dispatcher.run(self._guessed(ahead, guesses))
            finally:
                self._observer.advance(-sum(self._told.values()))
                self._told.clear()
            if self._is_done or not self._mend():
                return

    def _guessed(self, ahead: LookAhead, guesses: Guesses) -> Iterator[Work]:
        """Work for the chunks behind what is proved, until a guess proves to be wrong; the last one with the end."""
        start, number = self._builder.position, len(self._builder.chunks) + 1
        while not self._wrong and start < self._size:
            limit = self._builder.limit(start, number)
            if limit is None or limit <= start:
                return
            ahead.expect(number, limit)
            end = guesses.last_end(start, min(limit, self._size))
            if end is None:
                return
            last = limit >= self._size
            yield self._work(Guess(number, start, end), partial(self._answered, last=last))
            if last:
                return
            start, number = end, number + 1

    def _work(self, guess: Guess, done: Callable[[Guess, Scanned], None]) -> Work:
        options, watch, start = self._options, self._builder.watch, self._place_of(guess.start)
        course, skips = None if self._spans is None else self._spans.course, self._builder.skips
        unit = ScanUnit(
            version=release(),
            source=self._remote.source,
            number=guess.number,
            range=ByteRange(start, start + guess.end - guess.start),
            alphabet=options.alphabet,
            behind=guess.start - len(self._header_bytes),
            expected=self._builder.expected_delimiters,
            strict=options.strict,
            letters=b"" if watch is None else watch.letters,
            encoding=self._survey.form.encoding,
            header=self._header if self._survey.form.line or (skips is not None and skips.repeats) else None,
            capacity=None if course is None else course.capacity,
            targets=None if course is None or course.targets is None else course.targets.seen_from(guess.start),
            skips=skips,
        )

        def answered(answer: Answer) -> None:
            if isinstance(answer, Failed):
                raise error_of(answer)
            assert isinstance(answer, Scanned)  # noqa: S101 -- answer_of looked which unit it answers
            done(guess, answer)

        return Work(unit, answered)

    def _answered(self, guess: Guess, answer: Scanned, *, last: bool) -> None:
        if self._wrong:
            return
        found = self._ranged(guess, answer)
        if found is None or not ends_as_guessed(guess, found):
            self._wrong = True
            return
        self._told[guess.number] = guess.end - guess.start
        self._observer.advance(guess.end - guess.start)
        if self._spans is not None:
            self._held[guess.number] = guess, answer
        proved = self._proofs.take(guess, found, last=last)
        for number in proved:
            del self._told[number]
            self._is_done = self._is_done or (last and number == guess.number)
        if self._spans is not None:
            for number in proved:
                self._spans.proved(*self._held.pop(number))

    def _mend(self) -> bool:
        """Let a worker find the end of the next chunk, whose beginning is proved; whether there is one."""
        start, number = self._builder.position, len(self._builder.chunks) + 1
        limit = self._builder.limit(start, number)
        if limit is None or not start < limit or self._size - start <= self._options.block_bytes:
            return False  # what is left is not worth a unit
        ends: list[int] = []
        reach = Guess(number, start, min(limit, self._size))
        self._dispatcher.run([self._work(reach, lambda _, answer: ends.append(_last_end(answer)))])
        if ends == [NO_OFFSET]:
            return False
        self._wrong, before = False, self._builder.position
        self._proofs = Proofs(self._builder, self._survey)  # what waits began where the wrong guess ended
        known = Guess(number, start, start + ends[0])
        self._dispatcher.run([self._work(known, partial(self._answered, last=limit >= self._size))])
        return self._builder.position > before and not self._is_done

    def _ranged(self, guess: Guess, answer: Scanned) -> Ranged | None:
        """An answer as what a range held, its places those of the source that is scanned."""
        if answer.outcome is None:
            return None

        def place(found: Found) -> Found:
            return Found(found.total, found.first + guess.start) if found.total else found

        watch = None
        saw = answer.blanks.total or answer.letter != NO_OFFSET
        if self._builder.watch is not None and saw:
            watch = self._builder.watch.again()
            watch.blank_lines, watch.first_blank = answer.blanks.total, place(answer.blanks).first
            watch.first_letter = answer.letter if answer.letter == NO_OFFSET else answer.letter + guess.start
        invalid, marks, lines = map(place, answer.seen)
        large = place(answer.large)
        # What lies across its end is looked at by the worker that has the next range.
        survey = Survey(self._survey.form, guess.end, b"\n", invalid, marks, lines)
        large_ones = Large(large.total, max(large.first, 0))
        return Ranged(answer.outcome, answer.crc, large_ones, watch, survey, answer.skipped)


def _last_end(answer: Scanned) -> int:
    """The last end that a chunk may have in a range; NO_OFFSET: there is none."""
    if answer.skipped is not None:
        return answer.skipped.last
    return NO_OFFSET if answer.outcome is None else answer.outcome.last_end
