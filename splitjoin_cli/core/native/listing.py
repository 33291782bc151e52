"""Lists a directory in the compiled kernel, thousands of names at a call: chunks in columns, other names as text."""

from __future__ import annotations

import ctypes
import errno
import os
from array import array
from typing import TYPE_CHECKING

from splitjoin_cli.core.names import SUFFIX_OF
from splitjoin_cli.core.native.files import Listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import Compression

__all__ = ["Piece", "listed"]

PIECE_CHUNKS = 4096
_OTHERS_BYTES = 64 * 1024
_SUFFIXES = tuple(SUFFIX_OF.values())


class Piece:
    """What one call lists; the next call takes its place. ``marks``: times of change (ns) and inodes."""

    def __init__(
        self, client: str, job: str, chunks: tuple[int, Compression | None], *, sizes: bool, every: bool
    ) -> None:
        """See ``listed``."""
        self._numbers = array("i", bytes(4 * PIECE_CHUNKS))
        self._columns = [array("q", bytes(8 * PIECE_CHUNKS if sizes else 0)) for _ in range(3)]
        self._others = ctypes.create_string_buffer(_OTHERS_BYTES)
        self._found = Listing(
            os.fsencode(client),
            os.fsencode(job),
            (ctypes.c_char_p * 3)(*(suffix.encode() for suffix in _SUFFIXES)),
            *(column.buffer_info()[0] if column else None for column in (self._numbers, *self._columns)),
            ctypes.addressof(self._others),
            PIECE_CHUNKS,
            _OTHERS_BYTES,
            total=chunks[0],
            suffix=_SUFFIXES.index(SUFFIX_OF[chunks[1]]),
            every=every,
        )

    def fill(self, functions: ctypes.CDLL, stream: int) -> bool:
        """Take the next; whether there are more. Raises OSError."""
        answer: int = functions.sj_list(stream, self._found)
        if answer < 0:
            raise OSError(self._found.error, os.strerror(self._found.error))
        return bool(answer)

    @property
    def total(self) -> int:
        """Of the chunks that are in the columns; 0 where none is known yet."""
        total: int = self._found.total
        return total

    @property
    def suffix(self) -> str:
        """What their names end with."""
        place: int = self._found.suffix
        return _SUFFIXES[place]

    @property
    def numbers(self) -> array[int]:
        """Those of the chunks."""
        return self._numbers[: self._found.found]

    @property
    def sizes(self) -> array[int]:
        """Theirs."""
        return self._columns[0][: self._found.found]

    @property
    def marks(self) -> tuple[array[int], array[int]]:
        """When each was changed (ns), and its inode."""
        return self._columns[1][: self._found.found], self._columns[2][: self._found.found]

    @property
    def others(self) -> list[str]:
        """The names of interest that are in no column."""
        names = ctypes.string_at(self._others, self._found.others_size).split(b"\0")[:-1]
        return list(map(os.fsdecode, names))


def listed(
    functions: ctypes.CDLL,
    directory: int,
    client: str,
    job: str,
    chunks: tuple[int, Compression | None] = (0, None),
    *,
    sizes: bool = True,
    every: bool = False,
) -> Iterator[Piece]:
    """The names in an open directory that begin with ``client``, in no order: one piece, filled again and again.

    In its columns are ordinary files, and links to such, that are called as chunks whose names begin with ``job``:
    those of ``chunks``, their total and compression, or (total 0) of the first that comes. All other names are
    ``others``, but for other jobs' chunks unless ``every``. Without ``sizes`` the columns are numbers alone. Raises
    OSError.
    """
    stream = functions.sj_open_listing(directory)
    if not stream:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    try:
        piece = Piece(client, job, chunks, sizes=sizes, every=every)
        more = True
        while more:
            more = piece.fill(functions, stream)
            yield piece
    finally:
        functions.sj_close_listing(stream)
