"""Writes the chunks of a file side by side, each on a thread of its own, from where a guess says that it begins.

A look at the bytes before a chunk's limit tells nearly always where its last record ends: read as if they began outside
quotes, or inside, they break the rules of quoting one way or the other (Ge et al., "Speculative Distributed CSV Data
Parsing", SIGMOD 2019). The scan of a chunk then proves its end, and with that the beginning of the next one. At the
first chunk whose guess was wrong, and at anything else that is out of the ordinary, this ends, and the scan in order
(``scan``) goes on from there; so nothing depends on a guess but speed.

What it is good for: two threads that write one file wait for each other (a file has one lock for its writers), and a
chunk written by one thread is written in whole pages, from its header on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.core.parallel import run_workers
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.plan import Large
from splitjoin_cli.splitting.records.open import new_scanner, scans_side_by_side
from splitjoin_cli.splitting.records.outcome import State, join, nothing
from splitjoin_cli.splitting.scan import read_planned
from splitjoin_cli.splitting.survey import Survey, SurveyForm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.progress import Moved, Observer
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.records.base import BlockScanner
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.records.watch import Watch
    from splitjoin_cli.splitting.scan import ScanOptions
    from splitjoin_cli.splitting.staging import StagedChunks
    from splitjoin_cli.stores.sinks.base import StagedObject
    from splitjoin_cli.stores.sources.base import Source

FIRST_LOOK = 64 * 1024
"""Bytes before a limit that are read for a guess; when no record ends in them, or both readings are lawful, more."""
LOOKS = 3
"""Each look is at eight times the bytes of the one before; then there is no guess."""
LEAST_BLOCKS = 2
"""A chunk of fewer blocks is not worth a guess, nor one whose header takes more than such a part of a block."""


class _Guess(NamedTuple):
    """Chunk ``number``, from ``start`` to ``end``: a record's, unless the guess is wrong."""

    number: int
    start: int
    end: int


class _Lane(NamedTuple):
    """What one thread works with."""

    buffer: memoryview
    scanner: BlockScanner


class _Done(NamedTuple):
    """A chunk that is written, and what it held."""

    guess: _Guess
    staged: StagedObject
    outcome: Outcome
    crc: int
    large: Large
    watch: Watch | None
    survey: Survey


class Speculation:
    """The first chunks of a split into a sink that stages, as many as can be had this way. ``run`` it once."""

    def __init__(
        self,
        source: Source,
        builder: PlanBuilder,
        staging: StagedChunks,
        options: ScanOptions,
        observer: Observer,
        survey: Survey | None = None,
    ) -> None:
        """``builder``, ``staging`` and ``survey``: as nothing has come to them yet."""
        self._survey = survey or Survey(SurveyForm(None))
        self._source, self._builder, self._staging = source, builder, staging
        self._options, self._observer = options, observer
        self._header = b""
        self._lock = threading.Lock()
        self._guesses: Iterator[_Guess] = iter(())
        self._wrong: int | None = None  # the first chunk known not to be what was guessed
        self._waiting: dict[int, _Done] = {}  # until the chunks before them are proved
        self._error: BaseException | None = None

    def run(self, executor: Executor) -> bytes:
        """Write chunks; then ``builder`` and ``staging`` stand after the last proved one. The header's bytes.

        None of them, with nothing done, where this is not the way for such a source. ``executor`` must run
        ``options.threads`` calls at once, on threads. Raises what source and sink raise.
        """
        size = self._source.properties.size
        if size is None or not self._source.properties.seekable or not self._is_worth_it(size):
            return b""
        first = _Lane(new_buffer(self._options.block_bytes), self._scanner())
        if not self._begin(first):
            return b""
        self._guesses = self._guess_all(first.scanner, size)
        try:
            run_workers(executor, self._options.threads, self._work, self._fail)
        finally:
            for done in self._waiting.values():
                self._discard(done.staged, done.guess.end - done.guess.start)
        if self._error is not None:
            raise self._error
        return self._header

    def _scanner(self) -> BlockScanner:
        return new_scanner(self._options.alphabet, self._options.block_bytes)

    def _is_worth_it(self, size: int) -> bool:
        """Whether there are threads to gain from it, and chunks enough for each of them."""
        alphabet, first = self._options.alphabet, self._builder.limit(0, 1)
        return (
            scans_side_by_side()
            # Where a stray quote is data, a look cannot tell one reading from the other by it.
            and (alphabet.stray == "error" or alphabet.quote is None)
            and first is not None
            and first >= LEAST_BLOCKS * self._options.block_bytes
            and size >= first * self._options.threads
        )

    def _begin(self, lane: _Lane) -> bool:
        """Read the header, or the first record; False where they are not ordinary."""
        block = lane.buffer[: self._source.read_at(0, lane.buffer)]
        marked = block[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK
        text = block[len(BYTE_ORDER_MARK) :] if marked else block
        outcome = lane.scanner.outcome(text, State.FIELD) if text else nothing(State.FIELD)
        if not outcome.records or (marked and not self._builder.header_pending):
            return False
        first = text[: outcome.first_end]
        before = lane.scanner.outcome(first, State.FIELD)
        if before.defect is not None or len(first) * LEAST_BLOCKS > len(lane.buffer):
            return False
        if not self._builder.header_pending:
            self._builder.expected_delimiters = before.delimiters
            return True
        if marked:
            self._builder.skip(block[: len(BYTE_ORDER_MARK)])
        self._builder.feed(first, State.FIELD, before, lane.scanner)
        self._header = bytes(block[: self._builder.position])
        survey = self._survey
        survey.at += len(self._header) - len(first)
        survey.see(first)
        survey.end()
        survey.form, survey.foot = survey.form.with_header(self._header), b"\n"
        self._observer.advance(len(self._header))
        return True

    def _guess_all(self, scanner: BlockScanner, size: int) -> Iterator[_Guess]:
        """Chunks, as long as there is a guess, and as many for one thread as for another.

        The last ones, fewer than threads, are left to the scan in order, where all threads work on one chunk.
        """
        start, number, threads = self._builder.position, 1, self._options.threads
        ahead: list[_Guess] = []
        while True:
            limit = self._builder.limit(start, number)
            if limit is None or not start < limit < size:
                return
            end = self._guess(scanner, start, limit)
            if end is None:
                return
            ahead.append(_Guess(number, start, end))
            start, number = end, number + 1
            if len(ahead) == threads:
                yield from ahead
                ahead.clear()

    def _guess(self, scanner: BlockScanner, low: int, limit: int) -> int | None:
        """The last record end in (low, limit], by the only lawful way to read the bytes before it, or the likelier."""
        look = FIRST_LOOK
        for _ in range(LOOKS):
            begin = max(low, limit - look)
            text = memoryview(bytearray(limit - begin))
            text = text[: self._source.read_at(begin, text)]
            if begin > low and len(self._options.alphabet.delimiter) > 1:  # not from the middle of a delimiter
                first = bytes(text).find(b"\n") + 1
                begin, text = begin + first, text[first:]
            if not text:
                look *= 8
                continue
            outside, inside = (scanner.outcome(text, state) for state in (State.FIELD, State.QUOTED))
            if begin == low:
                found: Outcome | None = outside if outside.defect is None else None
            elif outside.defect is None:
                sure = inside.defect is not None or self._options.alphabet.quote is None
                found = outside if sure or not inside.records else None
            else:
                found = inside if inside.defect is None else None
            if found is not None and found.records:
                return begin + found.last_end
            if begin == low:
                return None
            look *= 8
        return None

    def _work(self) -> None:
        lane = _Lane(new_buffer(self._options.block_bytes), self._scanner())
        try:
            while (guess := self._next()) is not None:
                self._chunk(guess, lane)
        except BaseException as exc:  # noqa: BLE001 -- raised again by run(), on the caller's thread
            self._fail(exc)

    def _next(self) -> _Guess | None:
        with self._lock:
            if self._wrong is not None or self._error is not None:
                return None
            return next(self._guesses, None)

    def _fail(self, exc: BaseException) -> None:
        with self._lock:
            self._error = self._error or exc

    def _is_given_up(self, number: int) -> bool:
        return self._error is not None or (self._wrong is not None and self._wrong < number)

    def _chunk(self, guess: _Guess, lane: _Lane) -> None:
        """Write one chunk, as guessed; keep it if its end is proved."""
        staged = self._staging.stage(guess.number)
        position, outcome, crc, large = guess.start, nothing(State.FIELD), 0, Large()
        tally = Tally(self._observer.advance)
        watch = None if self._builder.watch is None else self._builder.watch.again()
        filled, written = len(self._header), 0
        survey = Survey(self._survey.form, at=guess.start, foot=b"\n")
        try:
            lane.buffer[:filled] = self._header
            while position < guess.end:
                text = self._read(lane.buffer[filled:], position, guess.end, tally.add)
                found = lane.scanner.outcome(text, outcome.end)
                if self._is_given_up(guess.number) or self._breaks_rules(text, outcome, found, lane.scanner):
                    break
                if watch is not None:
                    watch.look(text, position, outcome.end, found, lane.scanner, uneven=self._is_uneven(outcome, found))
                crc = crc64(text, crc)
                survey.see(text)
                staged.write_at(written, lane.buffer[: filled + len(text)])
                written += filled + len(text)
                if found.records:
                    large.measure(guess.start + max(outcome.last_end, 0), position + found.first_end)
                outcome = join(outcome, position - guess.start, found)
                position += len(text)
                filled = 0
                tally.settle(position - guess.start)
            # A record ends there, then; and no other one up to the limit: from that end on the reading of the look is
            # the file's, since both begin a record there, and in that reading it was the last.
            proved = outcome.last_end == guess.end - guess.start
            if proved:
                staged.close()
        except BaseException:
            self._discard(staged, tally.size)
            raise
        if proved:
            self._keep(_Done(guess, staged, outcome, crc, large, watch, survey))
        else:
            self._discard(staged, tally.size)
            with self._lock:
                self._wrong = guess.number if self._wrong is None else min(self._wrong, guess.number)

    def _read(self, buffer: memoryview, start: int, end: int, came: Moved) -> memoryview:
        return buffer[: read_planned(self._source, start, buffer[: end - start], came)]

    def _breaks_rules(self, text: memoryview, before: Outcome, found: Outcome, scanner: BlockScanner) -> bool:
        if found.defect is not None:
            return True
        expected = self._builder.expected_delimiters
        return self._options.strict and (
            scanner.first_ragged(text, before.end, before=before.tail, expected=expected) is not None
        )

    def _is_uneven(self, before: Outcome, found: Outcome) -> bool:
        """Whether the records that end in a block have other than the expected delimiters; ``before``: the chunk's."""
        begun = before.tail if before.records else before.delimiters
        expected = self._builder.expected_delimiters
        return bool(expected) and begun + found.delimiters - found.tail != found.records * (expected or 0)

    def _keep(self, done: _Done) -> None:
        """Hand on what is proved from the first chunk to this one, in order."""
        with self._lock:
            self._waiting[done.guess.number] = done
            while (following := self._waiting.pop(len(self._builder.chunks) + 1, None)) is not None:
                size = following.guess.end - following.guess.start
                self._builder.take(size, following.outcome, following.crc, following.large, following.watch)
                following.survey.end()
                self._survey.take(following.survey)
                self._staging.adopt(following.staged, self._header)

    def _discard(self, staged: StagedObject, size: int) -> None:
        """Remove a chunk of which ``size`` bytes were told: they are not done, after all."""
        self._staging.drop(staged)
        self._observer.advance(-size)
