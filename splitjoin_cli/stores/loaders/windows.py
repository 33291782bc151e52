"""Bytes made here, read by a driver that reads files on all cores: a part of them at a time, as files in memory."""

from __future__ import annotations

import os
import queue
import sys
import tempfile
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, Self

from splitjoin_cli.core.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType
    from typing import IO

__all__ = ["WINDOW_BYTES", "Window", "Windows"]

FILE_BYTES: Final = 4 * 1024 * 1024
"""A driver's thread reads such a file from its start to its end: nobody guesses where a record begins."""
WINDOW_BYTES: Final = 2 * FILE_BYTES * min(max(os.cpu_count() or 2, 2), 8)
"""Three windows are in memory: one is read, one waits, one is filled."""
POLL_SECONDS = 0.05


class Window:
    """Files of whole records. ``longest_bytes``: no record in them is longer."""

    def __init__(self) -> None:
        """Without a byte. Raises OSError."""
        self._files: list[IO[bytes]] = []
        self.paths: list[str] = []
        self.size_bytes = self.file_bytes = self.longest_bytes = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Write ``piece`` behind what is in the last file. Raises OSError."""
        if not piece:
            return
        if not self.file_bytes:
            file, path = _memory_file()
            self._files.append(file)
            self.paths.append(path)
        self._files[-1].write(piece)
        self.size_bytes += len(piece)
        self.file_bytes += len(piece)

    def end_file(self) -> None:
        """The last file can be read. Raises OSError."""
        if self.file_bytes:
            self._files[-1].flush()
        self.file_bytes = 0

    @property
    def closed(self) -> bool:
        """Whether its memory is free again."""
        return all(file.closed for file in self._files)

    def close(self) -> None:
        """Free its memory. Safe to repeat."""
        for file in self._files:
            file.close()


class Windows:
    """While entered, gives one window after the other of what ``pieces`` yields, each until the next is asked for.

    A driver that opens a file's path reads what was put there, whatever becomes of the chunk's own file meanwhile.
    Leaving raises what ``pieces`` raised, whether the driver succeeded or failed: what was read is then not to be kept.
    """

    def __init__(
        self,
        pieces: Generator[tuple[bytes | memoryview, int], None, None],
        size_bytes: int | None = None,
        file_bytes: int | None = None,
    ) -> None:
        """``pieces``: with each the bytes at its end that are of a record which goes on in the next.

        It is read by a thread of its own, up to two windows ahead, and closed. ``size_bytes``: a window ends with the
        first record's end behind so many.
        """
        self._pieces, self._size_bytes = pieces, size_bytes or WINDOW_BYTES
        self._file_bytes = file_bytes or FILE_BYTES
        self._filled: queue.Queue[Window | None] = queue.Queue(1)
        self._made: list[Window] = []
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, name="splitjoin-windows", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[Window]:
        while (window := self._filled.get()) is not None:
            yield window
            window.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):  # the thread may wait for room
                self._filled.get_nowait()
            self._thread.join(POLL_SECONDS)
        for window in self._made:
            window.close()
        if self._error is not None and (error is None or isinstance(error, Exception)):
            raise self._error from error

    def _feed(self) -> None:
        try:
            with closing(self._pieces) as pieces:
                self._fill(pieces)
        except OSError as exc:
            self._error = LoadError(
                f"there is no memory for {self._size_bytes:,} bytes of the chunk: {exc.strerror or exc}",
                hint="free memory, then run the same command again",
            )
        except BaseException as exc:  # noqa: BLE001 -- it is raised again where the driver is
            self._error = exc
        finally:
            self._filled.put(None)

    def _fill(self, pieces: Iterator[tuple[bytes | memoryview, int]]) -> None:
        window, before = self._new(), 0
        for piece, left_open in pieces:
            window.longest_bytes = max(window.longest_bytes, before + len(piece))
            before, whole = left_open, len(piece) - left_open
            if window.file_bytes + len(piece) < self._file_bytes or whole <= 0:
                window.add(piece)
                continue
            window.add(memoryview(piece)[:whole])
            window.end_file()
            if window.size_bytes >= self._size_bytes:
                self._filled.put(window)
                if self._stopped.is_set():
                    return
                window = self._new()
            window.longest_bytes = max(window.longest_bytes, left_open)
            window.add(memoryview(piece)[whole:])
        window.end_file()
        if window.size_bytes:
            self._filled.put(window)

    def _new(self) -> Window:
        window = Window()
        self._made = [made for made in self._made if not made.closed] + [window]
        return window


def _memory_file() -> tuple[IO[bytes], str]:
    """A file that has no name in a directory, and how this process opens it."""
    if sys.platform == "linux":
        number = os.memfd_create("splitjoin")
        return os.fdopen(number, "wb"), f"/dev/fd/{number}"
    file = tempfile.NamedTemporaryFile("wb")  # noqa: SIM115 -- Window closes it
    return file, file.name
