"""The folder in which a directory sink writes before objects have names: what may be removed is decided here alone.

``.splitjoin-TOKEN`` (16 hexadecimal digits) belongs to one process. It holds an empty file ``lock``, which that process
keeps locked while it lives, and staged files with numbers as names. A leftover is removed only where all of this is so:

* its name is exactly that, and it is a folder itself, not a symbolic link to one;
* its ``lock`` is there already: an empty ordinary file with this one name, neither a link nor made by the sweep;
* nobody holds the lock. A folder with nothing in it was left between its making and its lock's, and goes, too.

Then its ordinary files with numbers as names go, the lock and the folder. Whatever else is in it stays, and the folder
with it. Each step is relative to an open folder, so that nothing which is put in its place meanwhile is reached.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core.unpicklable import StaysHere

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["LOCK_NAME", "STAGING_PREFIX", "StagingFolder", "sweep_leftovers"]

STAGING_PREFIX = ".splitjoin-"
LOCK_NAME = "lock"
TOKEN_BYTES = 8
_FOLDER_NAME = re.compile(re.escape(STAGING_PREFIX) + f"[0-9a-f]{{{2 * TOKEN_BYTES}}}", re.ASCII)
_FILE_NAME = re.compile("[1-9][0-9]*", re.ASCII)
_AT_ONCE = 10_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without waiting: a named pipe in the lock's place is opened at once, and seen for what it is.
_LOCK = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class StagingFolder(StaysHere):
    """One staging folder whose lock this process holds, until ``remove``."""

    def __init__(self, path: Path, folder: int, lock: int) -> None:
        """``folder`` and ``lock``: open descriptors, this object's from now on."""
        self.path = path
        self.folder = folder
        self._lock = lock

    @classmethod
    def make(cls, place: Path) -> Self:
        """A new one in the directory ``place``. Raises OSError."""
        while True:
            path = place / f"{STAGING_PREFIX}{os.urandom(TOKEN_BYTES).hex()}"
            path.mkdir()
            try:
                return cls(path, *_made(path))
            except (FileNotFoundError, BlockingIOError):
                continue  # until it was locked, another process's sweep took it for a leftover
            except OSError:
                with suppress(OSError):
                    path.rmdir()
                raise

    def remove(self) -> None:
        """Remove what was staged, and the folder, as far as the system lets it be removed."""
        with suppress(OSError):
            _empty(self.folder)
            self.path.rmdir()
        os.close(self._lock)
        os.close(self.folder)


def sweep_leftovers(
    place: Path, own: StagingFolder | None, *, count: bool = False, hidden: Iterable[str] | None = None
) -> int:
    """Remove the leftovers of dead processes in the directory ``place``; how many went. ``own``: the caller's, if any.

    ``count``: remove none of them. ``hidden``: the names there that begin with STAGING_PREFIX, where they are known.

    One that cannot be removed (another user's) is left alone. Raises OSError where ``place`` cannot be listed.
    """
    try:
        directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # a DEST that is a link is followed
    except (FileNotFoundError, NotADirectoryError):
        return 0
    with _closing(directory):
        if hidden is None:
            with os.scandir(directory) as entries:  # of a million names few are kept
                hidden = [entry.name for entry in entries if entry.name.startswith(STAGING_PREFIX)]
        names = [name for name in sorted(hidden) if _FOLDER_NAME.fullmatch(name)]
        return sum(_sweep(directory, name, count=count) for name in names if own is None or name != own.path.name)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _listed(folder: int) -> list[str]:
    return os.listdir(folder)


def _made(path: Path) -> tuple[int, int]:
    """Open a folder that was just made, and make and take its lock: their descriptors. Raises OSError."""
    folder = os.open(path, _FOLDER)
    try:
        lock = os.open(LOCK_NAME, _LOCK | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
        try:
            _take(lock)
        except OSError as exc:
            os.close(lock)
            if not isinstance(exc, BlockingIOError):  # no process has it, and none can have one here
                os.unlink(LOCK_NAME, dir_fd=folder)
            raise
    except OSError:
        os.close(folder)
        raise
    return folder, lock


def _sweep(directory: int, name: str, *, count: bool) -> bool:
    """Remove one leftover, where it is one; whether it was, and is gone."""
    try:
        with _closing(os.open(name, _FOLDER, dir_fd=directory)) as folder:
            if _listed(folder):
                with _closing(os.open(LOCK_NAME, _LOCK, dir_fd=folder)) as lock:
                    if not _is_ours(os.fstat(lock)):
                        return False
                    _take(lock)
                    if not count:
                        _empty(folder)
            if not count:
                os.rmdir(name, dir_fd=directory)
    except OSError:  # a link, a living process's, another user's, or something is in it that none of us made
        return False
    return True


def _is_ours(lock: os.stat_result) -> bool:
    return stat.S_ISREG(lock.st_mode) and not lock.st_size and lock.st_nlink == 1


def _take(lock: int) -> None:
    """Take a lock that is open. Raises BlockingIOError where another process holds it, or removed it."""
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.fstat(lock).st_nlink:
        raise BlockingIOError


def _empty(folder: int) -> None:
    """Remove what splitjoin makes in a staging folder, the lock last: a sweep that is killed here is swept again."""
    while staged := _some_staged(folder):
        for name in staged:
            os.unlink(name, dir_fd=folder)
    with suppress(FileNotFoundError):
        os.unlink(LOCK_NAME, dir_fd=folder)


def _some_staged(folder: int) -> list[str]:
    """Files that splitjoin made there, not more at a time than memory may hold of a million."""
    with os.scandir(folder) as entries:
        staged = (one.name for one in entries if _FILE_NAME.fullmatch(one.name) and one.is_file(follow_symlinks=False))
        return list(islice(staged, _AT_ONCE))
