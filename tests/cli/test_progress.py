"""Progress: a line now and then in a log, bars on a terminal."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

from splitjoin_cli.cli.progress import PlainProgress
from splitjoin_cli.cli.terminal import Terminal
from splitjoin_cli.cli.text import byte_text, duration_text
from splitjoin_cli.core.model import ChunkState

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
    assert lines == [
        "uploading 1,000 chunks, 1.0 GiB",
        "uploading: 399 of 1,000 chunks, 400.0 MiB of 1.0 GiB, 40 %, 40.0 MiB/s, 15 s left",
        "uploading: 799 of 1,000 chunks, 800.0 MiB of 1.0 GiB, 80 %, 40.0 MiB/s, 5.0 s left",
        "uploading done: 1,000 chunks, 1.0 GiB in 25 s",
    ]


def test_totals_that_are_not_known() -> None:
    """No percentage and no time left are made up."""
    clock = SetClock()
    lines: list[str] = []
    with PlainProgress(lines.append, clock=clock) as progress:
        progress.phase("scanning", None, None)
        clock.now += 20
        progress.advance(40 * MIB)
    assert lines == ["scanning", "scanning: 40.0 MiB, 2.0 MiB/s", "scanning done: 40.0 MiB in 20 s"]


def test_an_error_is_no_end() -> None:
    """A phase that failed is not said to be done."""
    clock = SetClock()
    lines: list[str] = []

    def fails() -> None:
        with PlainProgress(lines.append, clock=clock) as progress:
            progress.phase("uploading", 100, 2)
            clock.now += 1
            progress.advance(50)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert lines[-1] == "stopped uploading: 0 of 2 chunks, 50 B of 100 B, 50 %, 50 B/s, 1.0 s left"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars show chunks and bytes; a warning stands above them, its brackets and escapes as text."""
    tty = Tty()
    monkeypatch.setattr(sys, "stderr", tty)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with Terminal(verbose=True).observer() as observer:
        observer.phase("scanning", None, None)
        observer.advance(5)
        observer.phase("uploading [b]", 3 * MIB, 3)
        observer.advance(3 * MIB)
        for number in (1, 2, 3):
            observer.chunk_done(number, ChunkState.UPLOADED)
        observer.warn("odd [bold]name \x1b[2J")
        observer.detail("a detail")
    shown = tty.getvalue()
    assert "3 of 3 chunks" in shown
    assert "3.0/3.0 MiB" in shown
    assert "uploading [b]" in shown
    assert "Warning: odd [bold]name \\x1b[2J" in shown
    assert "a detail" in shown


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
