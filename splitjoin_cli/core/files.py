"""Files under splitjoin's own names: what is not an ordinary file is refused, never waited for or read without end."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoreError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

__all__ = ["check_ordinary", "in_the_way", "open_ordinary"]

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link to a missing file",
}


def open_ordinary(path: Path | str) -> FileIO:
    """``path``, open to be read. Raises OSError; StoreError where it is not an ordinary file: a pipe would wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_ordinary(path, os.fstat(descriptor))
        return open(descriptor, "rb", buffering=0)  # noqa: PTH123 -- a descriptor has no path
    except BaseException:
        os.close(descriptor)
        raise


def check_ordinary(path: Path | str, status: os.stat_result) -> None:
    """Raise StoreError where ``status``, that of ``path``, is not an ordinary file's."""
    if not stat.S_ISREG(status.st_mode):
        raise _taken(path, status)


def in_the_way(path: Path) -> StoreError | None:
    """The error for what has the name ``path`` and is no ordinary file; None for a file, and where nothing is."""
    try:
        status = path.stat()
    except FileNotFoundError:
        try:
            status = path.lstat()
        except OSError:
            return None
    except OSError:
        return None
    return None if stat.S_ISREG(status.st_mode) else _taken(path, status)


def _taken(path: Path | str, status: os.stat_result) -> StoreError:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "of an unknown kind")
    return StoreError(
        f"{path} is {kind}, and splitjoin needs that name for a file",
        hint="move it away, or choose another directory, then run the same command again",
    )
