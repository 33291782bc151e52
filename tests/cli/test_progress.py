"""Progress: a line now and then in a log, bars on a terminal."""

from __future__ import annotations

import io
import re
import sys
import threading
from dataclasses import dataclass

import pytest
from rich.console import Console

from splitjoin_cli.cli.bars import PhaseLine
from splitjoin_cli.cli.phase import Phase
from splitjoin_cli.cli.progress import PlainProgress
from splitjoin_cli.cli.terminal import Terminal
from splitjoin_cli.cli.text import byte_text, duration_text
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.progress import Silent, skip

MIB = 1024 * 1024


@dataclass(slots=True)
class SetClock:
    """A clock that stands until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_at_most_every_ten_seconds() -> None:
    """A million chunks in 25 seconds are two lines between the first and the last, with all that is known."""
    clock = SetClock()
    lines: list[str] = []
    with PlainProgress(lines.append, clock=clock) as progress:
        progress.phase("uploading", 1000 * MIB, 1000)
        for number in range(1, 1001):
            clock.now += 0.025
            progress.advance(MIB)
            progress.chunk_done(number, ChunkState.UPLOADED)
            progress.look()
    assert lines == [
        "uploading 1,000 chunks, 1.0 GiB",
        "uploading: 400 of 1,000 chunks, 400.0 MiB of 1.0 GiB, 40 %, 40.1 MiB/s, 15 s left",
        "uploading: 800 of 1,000 chunks, 800.0 MiB of 1.0 GiB, 80 %, 40.0 MiB/s, 5.0 s left",
        "uploading done: 1,000 chunks, 1.0 GiB in 25 s",
    ]


def test_totals_that_are_not_known() -> None:
    """No percentage and no time left are made up."""
    clock = SetClock()
    lines: list[str] = []
    with PlainProgress(lines.append, clock=clock) as progress:
        progress.phase("scanning", None, None)
        for seconds in (20, 10):
            clock.now += seconds
            progress.advance(19 * MIB)
            progress.look()
    assert lines == [
        "scanning",
        "scanning: 19.0 MiB, ?/s, ? left",
        "scanning: 38.0 MiB, 2.1 MiB/s, ? left",
        "scanning done: 38.0 MiB in 30 s",
    ]


def test_a_chunk_that_is_waited_for_is_told() -> None:
    """All bytes but one chunk's have moved, and its worker hangs: the log says what is waited for, each minute."""
    clock = SetClock()
    lines: list[str] = []
    with PlainProgress(lines.append, clock=clock) as progress:
        progress.phase("uploading", 60 * MIB, 60)
        for number in range(1, 60):
            clock.now += 0.1
            progress.advance(MIB)
            progress.chunk_done(number, ChunkState.UPLOADED)
        for _ in range(90):
            clock.now += 1
            progress.look()
        clock.now += 0.9
        progress.advance(MIB)
        progress.chunk_done(60, ChunkState.UPLOADED)
    assert lines == [
        "uploading 60 chunks, 60.0 MiB",
        "uploading: 59 of 60 chunks, 59.0 MiB of 60.0 MiB, 98 %, 4.9 MiB/s, 0.2 s left",
        "uploading: 59 of 60 chunks, 59.0 MiB of 60.0 MiB, 98 %, 0 B/s, waiting for 1 chunk",
        "uploading: 59 of 60 chunks, 59.0 MiB of 60.0 MiB, 98 %, 0 B/s, waiting for 1 chunk",
        "uploading done: 60 chunks, 60.0 MiB in 1:37 min",
    ]


def test_a_log_is_looked_at_while_nothing_happens() -> None:
    """Nobody calls, and the line comes; after the end none does."""
    clock, said = SetClock(), threading.Event()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if ":" in line:
            said.set()

    with PlainProgress(say, clock=clock, look_seconds=0.001) as progress:
        progress.phase("loading", None, 24)
        clock.now += 11
        assert said.wait(20)
    assert lines == ["loading 24 chunks", "loading: 0 of 24 chunks", "loading done: 0 B in 11 s"]
    assert not any(thread.name == "splitjoin-progress" and thread.is_alive() for thread in threading.enumerate())


def test_an_error_is_no_end() -> None:
    """A phase that failed is not said to be done, and has no time left."""
    clock = SetClock()
    lines: list[str] = []

    def fails() -> None:
        with PlainProgress(lines.append, clock=clock) as progress:
            progress.phase("uploading", 100, 2)
            clock.now += 0.5
            progress.advance(50)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert lines[-1] == "stopped uploading: 0 of 2 chunks, 50 B of 100 B, 50 %"


def test_chunks_that_failed_are_told() -> None:
    """The end of a phase says how many chunks failed, and a phase without bytes speaks of chunks alone."""
    lines: list[str] = []
    with PlainProgress(lines.append, clock=SetClock()) as progress:
        progress.phase("naming", None, 1)
        progress.chunk_done(1, ChunkState.UPLOADED)
        progress.phase("uploading", 100, 2)
        progress.advance(50)
        progress.chunk_done(1, ChunkState.UPLOADED)
        progress.chunk_done(2, ChunkState.FAILED)
    assert lines == [
        "naming 1 chunk",
        "naming done: 1 chunk in 0.0 s",
        "uploading 2 chunks, 100 B",
        "uploading done: 2 chunks, 50 B, 1 failed in 0.0 s",
    ]


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Tty:
    """A terminal of 160 columns in stderr's place, which keeps what is written."""
    made = Tty()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    return made


def shown(tty: Tty) -> list[str]:
    """The lines that were drawn, without colours."""
    return re.split(r"[\r\n]+", ESCAPES.sub("", tty.getvalue()))


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars show chunks and bytes; a warning stands above them, its brackets and escapes as text."""
    tty = on_a_terminal(monkeypatch)
    with Terminal(verbose=True).observer() as observer:
        observer.phase("scanning", None, None)
        observer.advance(5)
        observer.phase("uploading [b]", 3 * MIB, 3)
        observer.advance(3 * MIB)
        for number in (1, 2, 3):
            observer.chunk_done(number, ChunkState.UPLOADED)
        observer.warn("odd [bold]name \x1b[2J")
        observer.detail("a detail")
    lines = shown(tty)
    assert re.fullmatch(r"uploading \[b\]  ━+  3 of 3 chunks +3\.0 MiB +\d+\.\d \wiB/s +in \d\.\d s", lines[-2])
    assert re.fullmatch(r"scanning  ━+ +5 B .*", lines[-3])
    assert "Warning: odd [bold]name \\x1b[2J" in lines
    assert "a detail" in lines


def test_no_bar_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stopped in its middle leaves a line in its bar's place, and the bars before it."""
    tty = on_a_terminal(monkeypatch)

    def fails() -> None:
        with Terminal().observer() as observer:
            observer.phase("scanning", 10, None)
            observer.phase("uploading", 100, 2)
            observer.advance(50)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    scanning, uploading = (line for line in shown(tty)[-4:] if line)
    assert re.fullmatch(r"scanning  ━+ .*", scanning)
    assert uploading == "stopped uploading: 0 of 2 chunks, 50 B of 100 B, 50 %"


def drawn(phase: Phase, columns: int, *, now: float, no_color: bool = False) -> str:
    """The line of a phase."""
    out = io.StringIO()
    console = Console(file=out, width=columns, force_terminal=True, color_system="standard", no_color=no_color)
    console.print(PhaseLine(phase, now), end="")
    return ESCAPES.sub("", out.getvalue())


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("no_color", [False, True])
def test_a_bar_is_one_line_as_wide_as_the_terminal(columns: int, *, no_color: bool) -> None:
    """From the first to the last byte each bar fills its line, and never two."""
    phase = Phase("uploading", 4096 * MIB, 1033, 0.0)
    for now in range(0, 400, 70):
        line = drawn(phase, columns, now=float(now), no_color=no_color)
        assert line.endswith("\n")
        assert (line.count("\n"), len(line) - 1) == (1, columns), line
        phase.advance(700 * MIB, float(now))
        phase.chunk_done(failed=False)
    phase.ended_at = 400.0
    assert "╺" not in drawn(phase, columns, now=400.0, no_color=no_color)


def test_what_stands_beside_a_bar() -> None:
    """The wider the terminal, the more: the time left first, then rate, bytes, chunks, the percentage."""
    phase = Phase("uploading", 4096 * MIB, 33, 0.0)
    phase.advance(MIB // 16, 0.0)
    phase.advance(1536 * MIB, 31.0)
    texts = {columns: drawn(phase, columns, now=31.0).strip() for columns in (32, 50, 80, 120)}
    assert [re.sub(r"[━╸╺]+", "-", text) for text in texts.values()] == [
        "uploading  -   50 s left",
        "uploading  -  51.2 MiB/s   50 s left",
        "uploading  -   0/33 chunks   1.50 GiB/4.0 GiB  51.2 MiB/s   50 s left",
        "uploading  -   37 %   0 of 33 chunks   1.50 GiB of 4.0 GiB  51.2 MiB/s   50 s left",
    ]


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A network that slows down is followed within the window; one that stands has no time left to tell."""
    phase = Phase("uploading", 1000 * MIB, None, 0.0)
    now = 0.0
    for _ in range(400):  # 10 s at 40 MiB/s
        now += 0.025
        phase.advance(MIB, now)
    assert (phase.rate_text(now), phase.left_text(now)) == ("40.1 MiB/s", "15 s left")
    for _ in range(22):  # 11 s at 2 MiB/s
        now += 0.5
        phase.advance(MIB, now)
    assert (phase.rate_text(now), phase.left_text(now)) == ("2.0 MiB/s", "4:49 min left")
    now += 11
    assert (phase.rate_text(now), phase.left_text(now)) == ("0 B/s", "? left")


@pytest.mark.parametrize(
    ("size", "done", "now", "text"),
    [
        (100, 59, 5.0, "waiting for 1 chunk"),  # all bytes are sent; what was in buffers is, too
        (100, 58, 5.0, "waiting for 2 chunks"),
        (100, 60, 5.0, "0.0 s left"),
        (90, 59, 5.0, "0.6 s left"),
        (90, 30, 20.0, "waiting for 30 chunks"),  # nothing moved for ten seconds
        (0, 0, 20.0, "? left"),
    ],
)
def test_what_is_waited_for(size: int, done: int, now: float, text: str) -> None:
    """Chunks, where all bytes are sent or none moves: how long they take is then not known."""
    phase = Phase("uploading", 100 * MIB, 60, 0.0)
    for step in range(size):
        phase.advance(MIB, step / 20)
    phase.chunk_done(failed=False, count=done)
    assert phase.left_text(now) == text
    assert drawn(phase, 120, now=now).endswith(f"  {text}\n")


def test_the_first_bytes_say_nothing_of_the_rate() -> None:
    """They fill buffers on the way and still have to leave them: 8 MiB at once are a second more at 8 MiB a second."""
    phase = Phase("uploading", 100 * MIB, None, 0.0)
    phase.advance(100, 0.0)
    phase.advance(8 * MIB, 0.1)
    for step in range(1, 257):
        phase.advance(MIB // 16, 0.1 + step / 128)
        assert (phase.left_text(0.1 + step / 128) == "? left") == (step / 128 < 1.75)
    assert (phase.rate_text(2.1), phase.left_text(2.1)) == ("8.1 MiB/s", "10 s left")


def test_buffers_that_have_emptied_take_no_time() -> None:
    """All requests are handed over whole: while their answers are waited for, what is in buffers leaves them."""
    phase = Phase("uploading", 100 * MIB, None, 0.0)
    phase.advance(20 * MIB, 0.0)
    for step in range(1, 65):  # 8 MiB/s
        phase.advance(MIB, step / 8)
    assert phase.left_text(8.0) == "3.4 s left"  # 16 MiB, and what is in buffers
    assert phase.left_text(9.5) == "2.6 s left"  # 16 MiB at the rate of the window, which stood for 1.5 s
    for step in range(1, 5):
        phase.advance(MIB, 9.5 + step / 8)
    assert phase.left_text(10.0) == "2.1 s left"


def test_bytes_that_are_taken_back() -> None:
    """A request that is repeated sends its bytes again: neither the bytes nor the rate count them twice."""
    phase = Phase("uploading", 100 * MIB, None, 0.0)
    for now in range(1, 9):
        phase.advance(5 * MIB, float(now))
    phase.advance(-20 * MIB, 8.0)
    assert (phase.percent_text(), phase.rate_text(8.0)) == ("20 %", "2.5 MiB/s")
    phase.advance(-20 * MIB, 8.0)
    assert (phase.percent_text(), phase.rate_text(8.0), phase.left_text(8.0)) == ("0 %", "?/s", "? left")


def test_what_was_done_before_is_no_rate() -> None:
    """A resumed split passes over its stored chunks in no time: that says nothing of the network."""
    phase = Phase("uploading", 1000 * MIB, 10, 0.0)
    phase.skip(900 * MIB)
    phase.advance(MIB // 16, 0.0)
    assert (phase.percent_text(), phase.rate_text(2.0)) == ("90 %", "?/s")
    phase.advance(20 * MIB, 3.0)
    assert (phase.rate_text(3.0), phase.left_text(3.0)) == ("10.0 MiB/s", "8.0 s left")


def test_an_observer_without_skip_hears_an_advance() -> None:
    """Observers of earlier releases know no ``skip``."""

    class Counts(Silent):
        size = 0

        def advance(self, size: int) -> None:
            self.size += size

    counts = Counts()
    skip(counts, 5)
    assert counts.size == 5


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (1536, "1.5 KiB"), (1024**3, "1.0 GiB"), (1024**5, "1024.0 TiB")],
)
def test_byte_text(size: int, text: str) -> None:
    """At most three digits before the point, but for what is larger than any unit."""
    assert byte_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59, "59 s"), (61, "1:01 min"), (3723, "1:02:03")]
)
def test_duration_text(seconds: float, text: str) -> None:
    """Tenths below ten seconds, then seconds, minutes, hours."""
    assert duration_text(seconds) == text
