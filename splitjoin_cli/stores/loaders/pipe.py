"""Bytes made here, read by a driver that takes nothing but a file's name: a pipe, never a whole chunk in memory."""

from __future__ import annotations

import fcntl
import os
import select
import sys
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

__all__ = ["Pipe"]

POLL_SECONDS = 0.2
PIPE_BYTES = 1024 * 1024
"""What Linux lets any process have; a pipe has 64 KiB otherwise."""


class Pipe:
    """While entered, ``path`` can be opened and read once: it gives what ``blocks`` yields.

    A writer that fails looks like the end of the file to the reader. Leaving therefore raises what ``blocks``
    raised, whether the reader succeeded or failed: what was read is then not to be kept.
    """

    def __init__(self, blocks: Generator[bytes | memoryview, None, None]) -> None:
        """``blocks`` is read by a thread of its own, a pipe's capacity ahead of the reader, and closed."""
        self._blocks = blocks
        self._reader, self._writer = os.pipe()
        _enlarge(self._writer)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, name="splitjoin-pipe", daemon=True)

    @property
    def path(self) -> str:
        """What the driver opens, in this process."""
        return f"/dev/fd/{self._reader}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._drain()
        self._thread.join()
        os.close(self._reader)
        if self._error is not None and (error is None or isinstance(error, Exception)):
            raise self._error from error

    def _feed(self) -> None:
        try:
            with closing(self._blocks) as blocks:
                for block in blocks:
                    if not self._write(block):
                        break
        except BaseException as exc:  # noqa: BLE001 -- it is raised again where the driver is
            self._error = exc
        finally:
            os.close(self._writer)

    def _write(self, block: bytes | memoryview) -> bool:
        """False where nobody reads any more.

        The system waits for room until all is written: who asks for room wakes up for each piece that is read, and
        takes Python's lock from the reader.
        """
        rest = memoryview(block)
        while rest:
            if self._stopped.is_set():
                return False
            rest = rest[os.write(self._writer, rest) :]
        return True

    def _drain(self) -> None:
        """Take what the writer waits with: a driver that failed may hold the file open, and does not read it."""
        os.set_blocking(self._reader, False)
        while self._thread.is_alive():
            if select.select((self._reader,), (), (), POLL_SECONDS)[0] and not os.read(self._reader, PIPE_BYTES):
                break


def _enlarge(writer: int) -> None:
    """Reader and writer then wait for each other a sixteenth as often. Where the system has no more room, it stays."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
