"""Progress, two ways: bars for a terminal, a line now and then for a log."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from splitjoin_cli.cli.text import byte_text, count_text, duration_text, visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.progress import Progress, TaskID

    from splitjoin_cli.core.model import ChunkState

LINE_SECONDS = 10.0
"""A log gets a line at most so often while a phase lasts."""


@dataclass(slots=True)
class Phase:
    """What is known of the phase that is under way."""

    name: str
    total_bytes: int | None
    total_chunks: int | None
    began: float
    bytes_done: int = 0
    chunks_done: int = 0

    def summary(self, now: float) -> str:
        """``uploading: 12 of 33 chunks, 1.5 GiB of 4.0 GiB, 37 %, 110.0 MiB/s, 23 s left``."""
        return f"{self.name}: {', '.join(self._facts(max(now - self.began, 1e-9)))}"

    def ended(self, now: float) -> str:
        """``uploading done: 33 chunks, 4.0 GiB in 38 s``."""
        facts = [count_text(self.chunks_done, "chunk")] if self.chunks_done else []
        facts += [byte_text(self.bytes_done)] if self.bytes_done or not facts else []
        return f"{self.name} done: {', '.join(facts)} in {duration_text(now - self.began)}"

    def _facts(self, seconds: float) -> list[str]:
        facts = []
        if self.chunks_done or self.total_chunks:
            facts.append(_of(self.chunks_done, self.total_chunks))
        of = "" if self.total_bytes is None else f" of {byte_text(self.total_bytes)}"
        facts.append(f"{byte_text(self.bytes_done)}{of}")
        rate = self.bytes_done / seconds
        if self.total_bytes:
            facts.append(f"{100 * self.bytes_done / self.total_bytes:.0f} %")
        facts.append(f"{byte_text(rate)}/s")
        if self.total_bytes and rate:
            facts.append(f"{duration_text(max(self.total_bytes - self.bytes_done, 0) / rate)} left")
        return facts


class PlainProgress:
    """An Observer that says when a phase begins and ends, and in between a line at most every 10 seconds."""

    def __init__(
        self, say: Callable[[str], None], *, verbose: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``say`` takes one line."""
        self._say = say
        self._verbose = verbose
        self._clock = clock
        self._lock = threading.Lock()
        self._phase: Phase | None = None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._end_phase(whole=error is None)

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """Say that one phase has ended and the next begins."""
        with self._lock:
            self._end_phase(whole=True)
            now = self._clock()
            self._phase = Phase(name, total_bytes, total_chunks, now)
            self._last_line = now
            totals = [] if total_chunks is None else [count_text(total_chunks, "chunk")]
            totals += [] if total_bytes is None else [byte_text(total_bytes)]
            self._say(" ".join([name, ", ".join(totals)]).strip())

    def advance(self, size: int) -> None:
        """Count bytes."""
        with self._lock:
            if self._phase is not None:
                self._phase.bytes_done += size
                self._line(self._phase)

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """Count a chunk; with ``-v`` say it."""
        with self._lock:
            if self._phase is not None:
                self._phase.chunks_done += 1
                self._line(self._phase)
            if self._verbose:
                self._say(f"chunk {number} {state}")

    def warn(self, message: str) -> None:
        """Say it at once."""
        with self._lock:
            self._say(f"Warning: {message}")

    def detail(self, message: str) -> None:
        """Say it with ``-v``."""
        if self._verbose:
            with self._lock:
                self._say(message)

    def _line(self, phase: Phase) -> None:
        now = self._clock()
        if now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self._say(phase.summary(now))

    def _end_phase(self, *, whole: bool) -> None:
        phase, self._phase = self._phase, None
        if phase is not None:
            now = self._clock()
            self._say(phase.ended(now) if whole else f"stopped {phase.summary(now)}")


class RichProgress:
    """An Observer that draws a bar for each phase, with chunks, bytes, rate and the time that is left."""

    def __init__(self, *, verbose: bool = False) -> None:
        """Nothing is drawn before the first phase."""
        self._verbose = verbose
        self._lock = threading.Lock()
        self._progress = _bars()
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """Begin another bar; the one before is full."""
        with self._lock:
            self._finish()
            self._task = self._progress.add_task(
                name, total=total_bytes, chunks_done=0, total_chunks=total_chunks, chunks=_of(0, total_chunks)
            )

    def advance(self, size: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.advance(self._task, size)

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """Count a chunk; with ``-v`` say it."""
        with self._lock:
            if self._task is not None:
                task = self._progress.tasks[self._task]
                done = task.fields["chunks_done"] + 1
                self._progress.update(self._task, chunks_done=done, chunks=_of(done, task.fields["total_chunks"]))
        self.detail(f"chunk {number} {state}")

    def warn(self, message: str) -> None:
        """Say it above the bars."""
        self._print(f"Warning: {message}", style="yellow")

    def detail(self, message: str) -> None:
        """Say it above the bars, with ``-v``."""
        if self._verbose:
            self._print(message, style="dim")

    def _print(self, message: str, *, style: str) -> None:
        with contextlib.suppress(OSError):  # nobody sees the terminal any more
            self._progress.console.print(
                visible(message), style=style, markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._task]
            self._progress.update(self._task, total=task.completed if task.total is None else task.total)
            self._progress.stop_task(self._task)


def _of(done: int, total: int | None) -> str:
    if total is None:
        return count_text(done, "chunk") if done else ""
    return f"{done:,} of {count_text(total, 'chunk')}"


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[chunks]}", markup=False),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
    )
