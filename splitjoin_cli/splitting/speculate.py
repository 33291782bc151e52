"""Writes the chunks of a file side by side, each on a thread of its own, from where a guess says that it begins.

The scan of a chunk proves its end, and with that the beginning of the next one (``ranges``). At the first chunk whose
guess was wrong, and at anything else that is out of the ordinary, this ends, and the scan in order (``scan``) goes on
from there; so nothing depends on a guess but speed.

What it is good for: two threads that write one file wait for each other (a file has one lock for its writers), and a
chunk written by one thread is written in whole pages, from its header on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.parallel import run_workers
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.guesses import Guesses, guessable
from splitjoin_cli.splitting.ranges import (
    LEAST_BLOCKS,
    Lane,
    Output,
    Proofs,
    Rules,
    begin,
    ends_as_guessed,
    foot_of,
    keep_end,
    scan_range,
)
from splitjoin_cli.splitting.records.open import new_scanner, scans_side_by_side
from splitjoin_cli.splitting.survey import Survey, SurveyForm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.guesses import Guess
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.ranged import Ranged
    from splitjoin_cli.splitting.records.base import BlockScanner
    from splitjoin_cli.splitting.scan import ScanOptions
    from splitjoin_cli.splitting.staging import StagedChunks
    from splitjoin_cli.stores.sinks.base import StagedObject
    from splitjoin_cli.stores.sources.base import Source


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
        self._guesses: Iterator[Guess] = iter(())
        self._wrong: int | None = None  # the first chunk known not to be what was guessed
        self._proofs = Proofs(builder, self._survey)
        self._waiting: dict[int, tuple[Guess, StagedObject]] = {}  # until the chunks before them are proved
        self._error: BaseException | None = None

    def run(self, executor: Executor) -> bytes:
        """Write chunks; then ``builder`` and ``staging`` stand after the last proved one. The header's bytes.

        None of them, with nothing done, where this is not the way for such a source. ``executor`` must run
        ``options.threads`` calls at once, on threads. Raises what source and sink raise.
        """
        size = self._source.properties.size
        if size is None or not self._source.properties.seekable or not self._is_worth_it(size):
            return b""
        first = Lane(new_buffer(self._options.block_bytes), self._scanner())
        header = begin(first, self._source, self._builder, self._survey)
        if header is None:
            return b""
        self._header = header
        self._observer.advance(len(header))
        self._guesses = self._guess_all(first.scanner, size)
        try:
            run_workers(executor, self._options.threads, self._work, self._fail)
        finally:
            for guess, staged in self._waiting.values():
                self._discard(staged, guess.end - guess.start)
        if self._error is not None:
            raise self._error
        keep_end(self._source, self._survey, len(header), self._builder.position)
        return self._header

    def _scanner(self) -> BlockScanner:
        return new_scanner(self._options.alphabet, self._options.block_bytes)

    def _is_worth_it(self, size: int) -> bool:
        """Whether there are threads to gain from it, and chunks enough for each of them."""
        alphabet, first = self._options.alphabet, self._builder.limit(0, 1)
        return (
            scans_side_by_side()
            and guessable(alphabet)
            and first is not None
            and first >= LEAST_BLOCKS * self._options.block_bytes
            and size >= first * self._options.threads
        )

    def _guess_all(self, scanner: BlockScanner, size: int) -> Iterator[Guess]:
        """Chunks, as long as there is a guess, and as many for one thread as for another.

        The last ones, fewer than threads, are left to the scan in order, where all threads work on one chunk.
        """
        ahead: list[Guess] = []
        guesses = Guesses(self._source, self._options.alphabet, scanner)
        for guess in guesses.each(self._builder.position, 1, self._builder.limit, size):
            ahead.append(guess)
            if len(ahead) == self._options.threads:
                yield from ahead
                ahead.clear()

    def _work(self) -> None:
        lane = Lane(new_buffer(self._options.block_bytes), self._scanner())
        try:
            while (guess := self._next()) is not None:
                self._chunk(guess, lane)
        except BaseException as exc:  # noqa: BLE001 -- raised again by run(), on the caller's thread
            self._fail(exc)

    def _next(self) -> Guess | None:
        with self._lock:
            if self._wrong is not None or self._error is not None:
                return None
            return next(self._guesses, None)

    def _fail(self, exc: BaseException) -> None:
        with self._lock:
            self._error = self._error or exc

    def _is_given_up(self, number: int) -> bool:
        return self._error is not None or (self._wrong is not None and self._wrong < number)

    def _chunk(self, guess: Guess, lane: Lane) -> None:
        """Write one chunk, as guessed; keep it if its end is proved."""
        staged = self._staging.stage(guess.number)
        tally = Tally(self._observer.advance)
        try:
            found = self._scan(guess, lane, staged, tally)
            proved = ends_as_guessed(guess, found)
            if proved:
                staged.close()
        except BaseException:
            self._discard(staged, tally.size)
            raise
        if proved and found is not None:
            self._keep(guess, found, staged)
        else:
            self._discard(staged, tally.size)
            with self._lock:
                self._wrong = guess.number if self._wrong is None else min(self._wrong, guess.number)

    def _scan(self, guess: Guess, lane: Lane, staged: StagedObject, tally: Tally) -> Ranged | None:
        """Scan a chunk and write it, header first."""
        watch = self._builder.watch
        return scan_range(
            lane,
            self._source,
            guess.start,
            guess.end,
            Rules(self._builder.expected_delimiters, self._options.strict),
            watch=None if watch is None else watch.again(),
            survey=Survey(self._survey.form, at=guess.start, foot=self._foot(guess.start)),
            tally=tally,
            out=Output(self._header, staged.write_at, lambda: self._is_given_up(guess.number)),
        )

    def _foot(self, place: int) -> bytes:
        return foot_of(self._source, self._survey.form.line, len(self._header), place)

    def _keep(self, guess: Guess, found: Ranged, staged: StagedObject) -> None:
        """Hand on what is proved from the first chunk to this one, in order."""
        with self._lock:
            self._waiting[guess.number] = guess, staged
            for number in self._proofs.take(guess, found):
                self._staging.adopt(self._waiting.pop(number)[1], self._header)

    def _discard(self, staged: StagedObject, size: int) -> None:
        """Remove a chunk of which ``size`` bytes were told: they are not done, after all."""
        self._staging.drop(staged)
        self._observer.advance(-size)
