"""Many files of a directory sink in one call of the compiled kernel: what directory.py does of one at a time."""

from __future__ import annotations

import ctypes
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core.files import is_missing, status_of
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.native import Bytes
from splitjoin_cli.core.native.files import Numbered
from splitjoin_cli.core.native.listing import listed
from splitjoin_cli.stores.sinks.base import Listed
from splitjoin_cli.stores.sinks.staged_file import StagedFile, explained
from splitjoin_cli.stores.sinks.staging_folder import STAGING_PREFIX

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.core.native.listing import Piece
    from splitjoin_cli.stores.sinks.base import Numbering
    from splitjoin_cli.stores.sinks.staging_folder import StagingFolder

__all__ = ["AT_ONCE", "DirectoryBatches", "file_validator"]

AT_ONCE = 1000
"""Files in one call: it takes about 10 ms, and no signal is heard meanwhile."""


def file_validator(changed_ns: int, inode: int) -> str:
    """What tells one content of a name from another: every content is a file of its own."""
    return f"{changed_ns}-{inode}"


class Directory(Protocol):
    """What of a DirectorySink is needed here."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def fsync(self) -> bool:
        """Whether objects are to survive a power cut."""

    @property
    def staging_folder(self) -> StagingFolder:
        """Where files lie that have no name yet."""

    def reserve(self, count: int) -> int:
        """As in Batches."""

    def sync_directory(self) -> None:
        """Make the names survive a power cut, too, where that is asked for."""


class DirectoryBatches:
    """See Batches."""

    def __init__(self, sink: Directory, kernel: Kernel) -> None:
        """Of a sink that belongs to this process."""
        self._sink, self._functions = sink, kernel.functions

    def reserve(self, count: int) -> int:
        """See Batches."""
        return self._sink.reserve(count)

    def stage_all(self, first: int, header: bytes, body: memoryview, ends: array[int], base: int) -> None:
        """See Batches."""
        folder = self._sink.staging_folder
        error = ctypes.c_int32()
        with Bytes(header) as head, Bytes(body) as text:
            begin, done = base, 0
            while done < len(ends):
                wrote = self._functions.sj_stage(
                    folder.folder,
                    first + done,
                    head.address,
                    head.size,
                    text.address + begin - base,
                    begin,
                    ends.buffer_info()[0] + done * ends.itemsize,
                    min(AT_ONCE, len(ends) - done),
                    self._sink.fsync,
                    error,
                )
                done += wrote
                if error.value:
                    with explained("writing", f"{folder.path}/{first + done}"):
                        raise OSError(error.value, os.strerror(error.value))
                begin = ends[done - 1]

    def staged(self, number: int) -> StagedFile:
        """See Batches."""
        return StagedFile(f"{self._sink.staging_folder.path}/{number}", fsync=False, written=True)

    def publish_all(self, files: memoryview, names: Numbering, number: int) -> int:
        """See Batches."""
        place, error, named = self._sink.path, ctypes.c_int32(), 0
        with explained("renaming to", place), _opened(place) as directory, Bytes(files) as column:
            prefix, suffix = names.prefix.encode(), names.suffix.encode()
            numbered = Numbered(prefix, suffix, len(prefix), len(suffix), names.width, 0, directory)
            while named < len(files) and not error.value:
                wanted = min(AT_ONCE, len(files) - named)
                done = self._functions.sj_publish(
                    self._sink.staging_folder.folder,
                    column.address + named * files.itemsize,
                    numbered,
                    number + named,
                    wanted,
                    error,
                )
                named += done
                if done < wanted:
                    break
        if named:
            self._sink.sync_directory()
        return named

    def list_all(self, name_prefix: str, job_prefix: str, *, sizes: bool = True) -> Iterator[Listed]:
        """See Batches."""
        for piece, directory in self._pieces(name_prefix, job_prefix, sizes=sizes):
            others = (_object(directory, name) for name in sorted(piece.others))
            found = [one for one in others if one is not None]
            yield Listed(piece.total, piece.suffix, piece.numbers, piece.sizes, piece.marks, found)

    def names(self, name_prefix: str) -> list[str]:
        """All that begin with ``name_prefix``, which no chunk's does, whatever has them."""
        return [name for piece, _ in self._pieces(name_prefix, "/", sizes=False) for name in piece.others]

    def all_names(self) -> Iterator[str]:
        """See Batches."""
        for piece, _ in self._pieces("", "/", sizes=False, every=True):
            yield from (name for name in piece.others if name not in (".", ".."))

    def _pieces(
        self, name_prefix: str, job_prefix: str, *, sizes: bool, every: bool = False
    ) -> Iterator[tuple[Piece, int]]:
        """See ``listed``; with the open directory."""
        place = self._sink.path
        if is_missing(place):
            return
        with explained("listing", place), _opened(place) as directory:
            for piece in listed(self._functions, directory, name_prefix, job_prefix, sizes=sizes, every=every):
                yield piece, directory

    def validator(self, marks: tuple[int, int]) -> str:
        """See Batches."""
        return file_validator(*marks)


def _object(directory: int, name: str) -> StoredObject | None:
    """A file of a directory; None where it is none, or gone."""
    if name.startswith(STAGING_PREFIX):
        return None
    found = status_of(name, directory=directory)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    validator = file_validator(found.st_mtime_ns, found.st_ino)
    return StoredObject(name, found.st_size, validator=validator, stored_at=found.st_mtime)


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)
