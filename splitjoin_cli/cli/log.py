"""The log of a long-running command: a plain line on stderr for each event, at a bounded rate."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import time
from typing import TYPE_CHECKING

from splitjoin_cli.cli.terminal import say
from splitjoin_cli.cli.text import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.cli.terminal import Terminal

WINDOW_SECONDS = 10.0
LINES_PER_WINDOW = 50
LOGGER = "splitjoin_cli"


class LogLines(logging.Handler):
    """Says ``TIME FILE_NAME chunk NUMBER: MESSAGE``; of more than LINES_PER_WINDOW lines in a window, how many."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        lines: int | None = LINES_PER_WINDOW,
        tracebacks: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``lines``: of one window, None for all. ``tracebacks``: of bugs."""
        super().__init__()
        self._say, self._lines, self._tracebacks, self._clock = say, lines, tracebacks, clock
        self._window_began = clock()
        self._said = self._unsaid = 0
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, or count it."""
        with self._guard:
            now = self._clock()
            if now - self._window_began >= WINDOW_SECONDS:
                self._tell_unsaid()
                self._window_began, self._said = now, 0
            if self._lines is not None and self._said >= self._lines:
                self._unsaid += 1
                return
            self._said += 1
            self._say(_line(record))
            if self._tracebacks and record.exc_info:
                self._say(logging.Formatter().formatException(record.exc_info))

    def close(self) -> None:
        """Say how much was not said."""
        with self._guard:
            self._tell_unsaid()
        super().close()

    def _tell_unsaid(self) -> None:
        if self._unsaid:
            self._say(f"and {count_text(self._unsaid, 'more line')}; -v shows all")
            self._unsaid = 0


@contextlib.contextmanager
def log_lines(terminal: Terminal) -> Iterator[None]:
    """Say what the package logs until the block is left: with ``-q`` errors alone, with ``-v`` every line."""
    logger = logging.getLogger(LOGGER)
    handler = LogLines(say, lines=None if terminal.verbose else LINES_PER_WINDOW, tracebacks=terminal.verbose)
    level = logger.level
    logger.setLevel(logging.ERROR if terminal.quiet else logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


def _line(record: logging.LogRecord) -> str:
    time_text = dt.datetime.fromtimestamp(record.created, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    file_name, chunk = getattr(record, "file_name", None), getattr(record, "chunk", None)
    about = "" if file_name is None else f" {file_name}" + ("" if chunk is None else f" chunk {chunk}") + ":"
    level = "" if record.levelno < logging.WARNING else f" {record.levelname.lower()}:"
    return f"{time_text}{about}{level} {record.getMessage()}"
