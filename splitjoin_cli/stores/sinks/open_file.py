"""A plan or manifest in a directory, read piece by piece."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.files import next_step

if TYPE_CHECKING:
    from io import FileIO

__all__ = ["OpenFile"]


class OpenFile:
    """See OpenSmall. A file that is replaced under its name stays what it was; one that is written to is noticed."""

    def __init__(self, file: FileIO, shown: str, validator: str) -> None:
        """``file``: open to be read; it is closed with this. ``shown``: its path, for errors."""
        self._file, self._shown = file, shown
        self.validator = validator
        self.size = os.fstat(file.fileno()).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """See OpenSmall."""
        wanted, pieces = min(size, self.size - offset), []
        try:
            while wanted > 0 and (piece := os.pread(self._file.fileno(), wanted, offset)):
                pieces.append(piece)
                offset, wanted = offset + len(piece), wanted - len(piece)
        except OSError as exc:
            raise StoreError(f"reading {self._shown} failed: {exc.strerror or exc}", hint=next_step(exc)) from exc
        if wanted > 0:
            raise StoreError(f"{self._shown} became shorter while it was read", hint="run the same command again")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
