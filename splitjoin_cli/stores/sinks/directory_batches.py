"""Many files of a directory sink in one call of the compiled kernel: what directory.py does of one at a time."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from array import array
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.names import SUFFIX_OF
from splitjoin_cli.core.native import Bytes, staged
from splitjoin_cli.stores.sinks.base import Listed
from splitjoin_cli.stores.sinks.staged_file import StagedFile, explained
from splitjoin_cli.stores.sinks.staging_folder import STAGING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.stores.sinks.base import Numbering
    from splitjoin_cli.stores.sinks.staging_folder import StagingFolder

__all__ = ["AT_ONCE", "DirectoryBatches", "file_validator"]

AT_ONCE = 1000
"""Files in one call: it takes about 10 ms, and no signal is heard meanwhile."""
LISTED_AT_ONCE = 4096
SUFFIXES = tuple(SUFFIX_OF.values())
_OTHERS_BYTES = 64 * 1024


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
            while named < len(files) and not error.value:
                wanted = min(AT_ONCE, len(files) - named)
                done = self._functions.sj_publish(
                    self._sink.staging_folder.folder,
                    column.address + named * files.itemsize,
                    directory,
                    names.prefix.encode(),
                    names.suffix.encode(),
                    names.width,
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
        for listing, directory in self._pieces(_Columns(name_prefix, job_prefix, sizes=sizes)):
            yield listing.found(directory)

    def names(self, name_prefix: str) -> list[str]:
        """All that begin with ``name_prefix``, which no chunk's does, whatever has them."""
        pieces = self._pieces(_Columns(name_prefix, "/", sizes=False))
        return [name for listing, _ in pieces for name in listing.other_names]

    def _pieces(self, listing: _Columns) -> Iterator[tuple[_Columns, int]]:
        """``listing`` again and again, filled, with the open directory."""
        place = self._sink.path
        if not place.exists():
            return
        with explained("listing", place), _opened(place) as directory:
            stream = self._functions.sj_open_listing(directory)
            if not stream:
                raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
            try:
                more = True
                while more:
                    more = listing.fill(self._functions, stream)
                    yield listing, directory
            finally:
                self._functions.sj_close_listing(stream)

    def validator(self, marks: tuple[int, int]) -> str:
        """See Batches."""
        return file_validator(*marks)


class _Columns:
    """What one call of the kernel lists."""

    def __init__(self, name_prefix: str, job_prefix: str, *, sizes: bool) -> None:
        self._numbers = array("i", bytes(4 * LISTED_AT_ONCE))
        self._columns = [array("q", bytes(8 * LISTED_AT_ONCE if sizes else 0)) for _ in range(3)]
        self._others = ctypes.create_string_buffer(_OTHERS_BYTES)
        self._listing = staged.Listing(
            os.fsencode(name_prefix),
            os.fsencode(job_prefix),
            (ctypes.c_char_p * 3)(*(suffix.encode() for suffix in SUFFIXES)),
            *(column.buffer_info()[0] if column else None for column in (self._numbers, *self._columns)),
            ctypes.addressof(self._others),
            LISTED_AT_ONCE,
            _OTHERS_BYTES,
        )

    def fill(self, functions: ctypes.CDLL, stream: int) -> bool:
        """Take the next; whether there are more. Raises OSError."""
        answer: int = functions.sj_list(stream, self._listing)
        if answer < 0:
            raise OSError(self._listing.error, os.strerror(self._listing.error))
        return bool(answer)

    @property
    def other_names(self) -> list[str]:
        """Those of interest that are in no column."""
        names = ctypes.string_at(self._others, self._listing.others_size).split(b"\0")[:-1]
        return list(map(os.fsdecode, names))

    def found(self, directory: int) -> Listed:
        """What was taken; ``directory``: where it lies."""
        listing = self._listing
        count = listing.found
        sizes, changed, inodes = (column[:count] for column in self._columns)
        others = (_object(directory, name) for name in sorted(self.other_names))
        return Listed(
            listing.total,
            SUFFIXES[listing.suffix],
            self._numbers[:count],
            sizes,
            (changed, inodes),
            [one for one in others if one is not None],
        )


def _object(directory: int, name: str) -> StoredObject | None:
    """A file of a directory; None where it is none, or gone."""
    if name.startswith(STAGING_PREFIX):
        return None
    with suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=directory)
        if stat.S_ISREG(found.st_mode):
            validator = file_validator(found.st_mtime_ns, found.st_ino)
            return StoredObject(name, found.st_size, validator=validator, stored_at=found.st_mtime)
    return None


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)
