"""Progress in a log: a line when a phase begins, one when it ends, and in between one now and then.

A thread says the lines between, so that a log also shows a phase in which nothing happens.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from splitjoin_cli.cli.phase import Phase
from splitjoin_cli.cli.text import byte_text, count_text
from splitjoin_cli.core.model import ChunkState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

LINE_SECONDS = 10.0
"""A log gets a line at most so often while a phase lasts."""
SAME_LINE_SECONDS = 60.0
"""And the line that it has already, at most so often."""


class PlainProgress:
    """An Observer that says when a phase begins and ends, and in between a line at most every 10 seconds."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
        look_seconds: float = LINE_SECONDS / 10,
    ) -> None:
        """``say`` takes one line. ``look_seconds``: how often is looked whether a line is due."""
        self._say = say
        self._verbose = verbose
        self._clock = clock
        self._lock = threading.Lock()
        self._phase: Phase | None = None
        self._last_line, self._last_text = 0.0, ""
        self._look_seconds = look_seconds
        self._ended = threading.Event()
        self._looks = threading.Thread(target=self._look_again, name="splitjoin-progress", daemon=True)

    def __enter__(self) -> Self:
        self._looks.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._looks.join()
        with self._lock:
            self._end_phase(whole=error is None)

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """Say that one phase has ended and the next begins."""
        self.phase_of(name, total_bytes, total_chunks, "chunk")

    def phase_of(self, name: str, total_bytes: int | None, total: int | None, thing: str) -> None:
        """The same, of ``total`` things."""
        with self._lock:
            self._end_phase(whole=True)
            now = self._clock()
            self._phase = Phase(name, total_bytes, total, now, thing=thing)
            self._last_line = now
            totals = [] if total is None else [count_text(total, thing)]
            totals += [] if total_bytes is None else [byte_text(total_bytes)]
            self._say(" ".join([name, ", ".join(totals)]).strip())

    def advance(self, size: int) -> None:
        """Count bytes."""
        with self._lock:
            if self._phase is not None:
                self._phase.advance(size, self._clock())

    def skip(self, size: int) -> None:
        """Count bytes that were done before."""
        with self._lock:
            if self._phase is not None:
                self._phase.skip(size)

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """Count a chunk; with ``-v`` say it."""
        with self._lock:
            if self._phase is not None:
                self._phase.chunk_done(failed=state is ChunkState.FAILED)
            if self._verbose and (self._phase is None or self._phase.thing == "chunk"):
                self._say(f"chunk {number} {state}")

    def chunks_done(self, numbers: Sequence[int], state: ChunkState) -> None:
        """Count several; see ``core/progress.py``."""
        if self._verbose:
            for number in numbers:
                self.chunk_done(number, state)
            return
        with self._lock:
            if self._phase is not None:
                self._phase.chunk_done(failed=state is ChunkState.FAILED, count=len(numbers))

    def warn(self, message: str) -> None:
        """Say it at once."""
        with self._lock:
            self._say(f"Warning: {message}")

    def detail(self, message: str) -> None:
        """Say it with ``-v``."""
        if self._verbose:
            with self._lock:
                self._say(message)

    def look(self) -> None:
        """Say a line if one is due."""
        with self._lock:
            now = self._clock()
            if self._phase is None or now - self._last_line < LINE_SECONDS:
                return
            text = self._phase.summary(now)
            if text != self._last_text or now - self._last_line >= SAME_LINE_SECONDS:
                self._last_line, self._last_text = now, text
                self._say(text)

    def _look_again(self) -> None:
        while not self._ended.wait(self._look_seconds):
            self.look()

    def _end_phase(self, *, whole: bool) -> None:
        phase, self._phase = self._phase, None
        if phase is not None:
            now = self._clock()
            self._say(phase.ended(now) if whole else phase.stopped())
