"""Progress on a terminal: a bar for each phase, one line each, as wide as the terminal."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.text import Text

from splitjoin_cli.cli.phase import Phase, fine_byte_text
from splitjoin_cli.cli.text import byte_text, duration_text, visible
from splitjoin_cli.core.model import ChunkState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from rich.console import ConsoleOptions, RenderResult

DRAWINGS_PER_SECOND = 5
LEAST_BAR_COLUMNS = 8
GAP = "  "


class _Fact(NamedTuple):
    """A text beside the bar. ``columns``: its room, so that the bar keeps its width while the text changes."""

    text: str
    style: str
    columns: int = 0

    @property
    def shown(self) -> str:
        """With the space before it."""
        return GAP + self.text.rjust(self.columns)


class PhaseLine:
    """One phase as one line: its name, its bar, and as many facts as leave room for the bar."""

    def __init__(self, phase: Phase, now: float) -> None:
        """``now``: by the clock of ``phase``."""
        self._phase, self._now = phase, now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As rich wants it."""
        columns = options.max_width
        name = f"{visible(self._phase.name)}{GAP}"
        for facts in self._choices():
            rest = columns - len(name) - sum(len(fact.shown) for fact in facts)
            if rest >= LEAST_BAR_COLUMNS:
                break
        else:
            facts, rest = [], max(columns - len(name), 1)
        yield Segment(name[: columns - rest])
        bar = list(console.render(self._bar(rest), options.update(width=rest)))
        yield from bar
        yield Segment(
            " " * (rest - sum(segment.cell_length for segment in bar))
        )  # without colours its rest is not drawn
        for fact in facts:
            yield from Text(fact.shown, style=fact.style, end="").render(console)
        yield Segment.line()

    def _bar(self, columns: int) -> ProgressBar:
        phase = self._phase
        if phase.ended_at is not None and not phase.chunks_failed:
            return ProgressBar(total=1, completed=1, width=columns)
        done, total = phase.bytes_done, phase.total_bytes
        if not phase.counts_bytes:
            done, total = phase.chunks_done, phase.total_chunks
        completed = 0 if total is None else min(max(done, 0), total)
        return ProgressBar(total=total, completed=completed, width=columns, animation_time=self._now)

    def _choices(self) -> Iterator[list[_Fact]]:
        """What may stand beside the bar, from much to little."""
        phase = self._phase
        chunks = self._chunks(" of ")
        if not phase.counts_bytes:
            yield [*chunks, *self._time()]
            yield chunks
            return
        ended = phase.ended_at is not None
        percent = [] if ended or phase.total_bytes is None else [_Fact(phase.percent_text(), "progress.percentage", 5)]
        speed = [_Fact(phase.rate_text(self._now), "progress.data.speed", 10), *self._time()]
        yield [*percent, *chunks, *self._bytes(" of "), *speed]
        yield [*chunks, *self._bytes(" of "), *speed]
        yield [*self._chunks("/"), *self._bytes("/"), *speed]
        yield [*self._bytes("/"), *speed]
        yield speed
        yield self._time()

    def _chunks(self, of: str) -> list[_Fact]:
        phase = self._phase
        if not phase.chunks_text():
            return []
        widest = len(phase.chunks_text()) + len(f"{phase.total_chunks or 0:,}") - len(f"{phase.chunks_done:,}")
        failed = [_Fact(phase.failed_text(), "red")] if phase.chunks_failed else []
        return [_Fact(phase.chunks_text().replace(" of ", of), "none", widest - len(" of ") + len(of)), *failed]

    def _bytes(self, of: str) -> list[_Fact]:
        phase = self._phase
        total = "" if phase.total_bytes is None else of + byte_text(phase.total_bytes)
        if phase.ended_at is not None:
            return [_Fact(byte_text(phase.bytes_done), "progress.download", 9 + len(total))]
        return [_Fact(fine_byte_text(phase.bytes_done) + total, "progress.download", 9 + len(total))]

    def _time(self) -> list[_Fact]:
        phase = self._phase
        if phase.ended_at is not None:
            return [_Fact(f"in {duration_text(phase.seconds(self._now))}", "progress.elapsed", 10)]
        return [_Fact(phase.left_text(self._now), "progress.remaining", 10)]


class RichProgress:
    """An Observer that draws a bar for each phase, with chunks, bytes, rate and the time that is left."""

    def __init__(self, *, verbose: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is drawn before the first phase."""
        self._verbose, self._clock = verbose, clock
        self._lock = threading.Lock()
        self._phases: list[Phase] = []
        self._console = Console(stderr=True)
        self._live = Live(
            console=self._console,
            get_renderable=self._lines,
            refresh_per_second=DRAWINGS_PER_SECOND,
            redirect_stdout=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stopped = None
        with self._lock:
            if error is None:
                self._end()
            elif self._phases:  # a bar that will not be full is not left on the screen
                stopped = self._phases.pop().stopped()
        self._live.stop()
        if stopped is not None:
            self._print(stopped, style="none")

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        """Begin another bar; the one before is full."""
        self.phase_of(name, total_bytes, total_chunks, "chunk")

    def phase_of(self, name: str, total_bytes: int | None, total: int | None, thing: str) -> None:
        """The same, of ``total`` things."""
        with self._lock:
            self._end()
            self._phases.append(Phase(name, total_bytes, total, self._clock(), thing=thing))

    def advance(self, size: int) -> None:
        """Move the bar."""
        with self._lock:
            if self._phases:
                self._phases[-1].advance(size, self._clock())

    def skip(self, size: int) -> None:
        """Move the bar, and leave the rate alone."""
        with self._lock:
            if self._phases:
                self._phases[-1].skip(size)

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """Count a chunk; with ``-v`` say it."""
        with self._lock:
            if self._phases:
                self._phases[-1].chunk_done(failed=state is ChunkState.FAILED)
                if self._phases[-1].thing != "chunk":
                    return
        self.detail(f"chunk {number} {state}")

    def chunks_done(self, numbers: Sequence[int], state: ChunkState) -> None:
        """Count several; see ``core/progress.py``."""
        if self._verbose:
            for number in numbers:
                self.chunk_done(number, state)
            return
        with self._lock:
            if self._phases:
                self._phases[-1].chunk_done(failed=state is ChunkState.FAILED, count=len(numbers))

    def warn(self, message: str) -> None:
        """Say it above the bars."""
        self._print(f"Warning: {message}", style="yellow")

    def detail(self, message: str) -> None:
        """Say it above the bars, with ``-v``."""
        if self._verbose:
            self._print(message, style="dim")

    def _print(self, message: str, *, style: str) -> None:
        with contextlib.suppress(OSError):  # nobody sees the terminal any more
            self._console.print(
                visible(message), style=style, markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    def _lines(self) -> Group:
        with self._lock:
            now = self._clock()
            return Group(*(PhaseLine(phase, now) for phase in self._phases))

    def _end(self) -> None:
        if self._phases and self._phases[-1].ended_at is None:
            self._phases[-1].ended_at = self._clock()
