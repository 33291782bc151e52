"""Bytes made here, read by a driver that takes nothing but a file's name: a pipe, never a whole chunk in memory."""

from __future__ import annotations

import os
import select
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

__all__ = ["Pipe"]

POLL_SECONDS = 0.2


class Pipe:
    """While entered, ``path`` can be opened and read once: it gives what ``blocks`` yields.

    A writer that fails looks like the end of the file to the reader. Leaving therefore raises what ``blocks``
    raised, whether the reader succeeded or failed: what was read is then not to be kept.
    """

    def __init__(self, blocks: Generator[bytes, None, None]) -> None:
        """``blocks`` is read by a thread of its own, a pipe's capacity ahead of the reader, and closed."""
        self._blocks = blocks
        self._reader, self._writer = os.pipe()
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, name="splitjoin-pipe", daemon=True)

    @property
    def path(self) -> str:
        """What the driver opens, in this process."""
        return f"/dev/fd/{self._reader}"

    def __enter__(self) -> Self:
        os.set_blocking(self._writer, False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The driver may still hold the file that it failed to read: then the writer would wait for it for ever.
        self._stopped.set()
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

    def _write(self, block: bytes) -> bool:
        """False where nobody reads any more."""
        rest = memoryview(block)
        while rest:
            if self._stopped.is_set():
                return False
            if select.select((), (self._writer,), (), POLL_SECONDS)[1]:
                try:
                    rest = rest[os.write(self._writer, rest) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    return False
        return True
