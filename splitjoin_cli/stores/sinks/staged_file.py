"""A file of the directory sink that has no name yet, and what an error of the system is called there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import AccessError, StoreError
from splitjoin_cli.core.files import FULL, next_step
from splitjoin_cli.core.unpicklable import StaysHere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.core.bytes.base import Buffer

WRITE_BYTES = 128 * 1024
"""In one call, up to a multiple of it. A file system takes memory for a write in one piece where it can: ext4 looks for
1 MiB in a row, which costs up to ten times the copy where memory has been in use for long, or is a virtual machine's
(measured on Linux 6.18). Pieces of this size cost nothing, and leave no page that two writes share."""


@contextmanager
def explained(operation: str, path: Path | str) -> Iterator[None]:
    """Turn an OSError into ours, naming what was done to what."""
    try:
        yield
    except OSError as exc:
        if exc.errno in FULL:
            raise StoreError(f"no space left while {operation} {path}", hint=next_step(exc)) from exc
        if isinstance(exc, PermissionError):
            raise AccessError(f"not allowed: {operation} {path}", hint="check the directory's permissions") from exc
        raise StoreError(f"{operation} {path} failed: {exc.strerror or exc}", hint=next_step(exc)) from exc


def _write_all(descriptor: int, data: Buffer, offset: int) -> None:
    view, written = memoryview(data).cast("B"), 0
    while written < len(view):  # a signal or a full disk may cut a write short; the next one says which
        at = offset + written
        piece = view[written : written + WRITE_BYTES - at % WRITE_BYTES]
        written += os.pwrite(descriptor, piece, at)


class StagedFile(StaysHere):
    """A file without a name yet, in the staging folder. A split holds one for each chunk, so they are small."""

    __slots__ = ("_descriptor", "_fsync", "path")

    def __init__(self, path: str, *, fsync: bool, written: bool = False) -> None:
        """Make the file; it stays open until ``close``, which waits for the disk with ``fsync``.

        ``written``: it is there already, whole and closed.
        """
        self.path: str | None = path
        self._fsync = fsync
        self._descriptor = -1
        if not written:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write_at(self, offset: int, data: Buffer) -> None:
        """As in StagedObject."""
        with explained("writing", self.place):
            _write_all(self._descriptor, data, offset)

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in StagedObject."""
        with explained("reading", self.place):
            return os.preadv(self._descriptor, [buffer], offset)

    def truncate(self, size: int) -> None:
        """As in StagedObject."""
        with explained("cutting", self.place):
            os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        """As in StagedObject. Safe to repeat."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with explained("closing", self.place):  # some file systems tell only now that the disk is full
                try:
                    if self._fsync and self.path is not None:
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    @property
    def place(self) -> str:
        """Where it lies; for messages, and for who publishes it."""
        return self.path or "a file that was published"
