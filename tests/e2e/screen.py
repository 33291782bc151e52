"""Runs the command in a terminal: a pseudo terminal, whose screen pyte keeps."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING

import pyte

from tests.e2e.command import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.command import Splitjoin

ROWS = 60
SECONDS = 60.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass(frozen=True, slots=True)
class Screen:
    """What a run left: its exit code, all that it wrote, and the screen at its end."""

    code: int
    written: str
    screen: pyte.Screen

    @property
    def lines(self) -> list[str]:
        """The screen's lines, without the blank ones at its end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    @property
    def plain(self) -> list[str]:
        """What was written, without colours: its lines as they are, not as the screen wraps them."""
        return ESCAPES.sub("", self.written).replace("\r\n", "\n").splitlines()

    def colour(self, row: int, word: str) -> str:
        """The colour of a word in a row."""
        found: str = self.screen.buffer[row][self.screen.display[row].index(word)].fg
        return found


def on_a_screen(
    splitjoin: Splitjoin,
    *arguments: str,
    columns: int = 80,
    interrupt: Callable[[pyte.Screen], bool] | None = None,
    **env: str,
) -> Screen:
    """Run it with stdin, stdout and stderr on a terminal. ``interrupt``: when Ctrl-C is typed."""
    screen = pyte.Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {"TERM": "xterm-256color", **splitjoin.environment(**env)}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [COMMAND, *arguments],
        cwd=splitjoin.directory,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.05)[0]:
                try:
                    block = os.read(ours, 65536)
                except OSError:  # the other side is closed: Linux says EIO
                    break
                written += block
                stream.feed(block)
            if interrupt is not None and interrupt(screen):
                process.send_signal(signal.SIGINT)
                interrupt = None
        return Screen(process.wait(SECONDS), written.decode(), screen)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
