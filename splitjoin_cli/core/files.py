"""What a path leads to; files under splitjoin's own names: no other kind is waited for, or read without end.

A user may name what is where this process may not look. ``Path.exists`` and its kin raise PermissionError there; the
questions here are answered, and whoever opens the path then says what is wrong with it.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NotAFileError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

__all__ = [
    "FULL",
    "check_ordinary",
    "in_the_way",
    "is_directory",
    "is_file",
    "is_missing",
    "mode_of",
    "next_step",
    "open_ordinary",
    "status_of",
]

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What writing fails with where there is no room, or none for this user."""

_NEXT_STEPS = {
    **dict.fromkeys(FULL, "free space there or choose another directory, then run the same command again"),
    errno.EFBIG: "the file system, or a limit (ulimit -f), allows no file of this size: choose another directory",
    errno.EROFS: "its file system is mounted read-only: choose another directory",
    errno.EMFILE: "raise the limit of open files (ulimit -n 4096), then run the same command again",
    errno.ENFILE: "the machine has too many files open: close some programs, then run the same command again",
    errno.ENAMETOOLONG: "choose a shorter name, or a directory with a shorter path",
    errno.ESTALE: "the file server has replaced it: mount its file system again, then run the same command again",
    errno.EIO: "look at the disk and the system's log (dmesg), then run the same command again",
    errno.ELOOP: "a symbolic link leads to itself: correct it",
    errno.ENOTDIR: "a part of its path is a file: choose another directory",
    errno.EISDIR: "it is a directory: name a file",
}

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
_LEADS_NOWHERE = _MISSING | {errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES}
"""What following a symbolic link may fail with though the link is there: one that leads to itself, for example."""


def status_of(path: Path | str, *, directory: int | None = None) -> os.stat_result | None:
    """Of what ``path`` leads to, from the open ``directory``; None where nothing is, or a link that leads nowhere.

    Raises OSError where the system does not say.
    """
    try:
        return os.stat(path, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno in _LEADS_NOWHERE and _is_link(path, directory):
            return None
        raise


def next_step(error: OSError) -> str | None:
    """What helps against what the system says, whatever was done to the path; None where that is not known."""
    return _NEXT_STEPS.get(error.errno or 0)


def mode_of(path: Path | str) -> int | None:
    """The mode of what ``path`` leads to; None where nothing is, or the system does not say."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 -- as it comes, a text or a Path
    except (OSError, ValueError):
        return None


def is_directory(path: Path | str) -> bool:
    """Whether ``path`` is known to lead to a directory."""
    mode = mode_of(path)
    return mode is not None and stat.S_ISDIR(mode)


def is_file(path: Path | str) -> bool:
    """Whether ``path`` is known to lead to an ordinary file."""
    mode = mode_of(path)
    return mode is not None and stat.S_ISREG(mode)


def is_missing(path: Path | str) -> bool:
    """Whether nothing is at ``path``, for certain: not where the system does not let this process look."""
    try:
        os.stat(path)  # noqa: PTH116 -- as it comes, a text or a Path
    except OSError as exc:
        return exc.errno in _MISSING
    except ValueError:
        return False
    return False


def open_ordinary(path: Path | str) -> FileIO:
    """``path``, open to be read. Raises OSError; NotAFileError where it is no ordinary file: a pipe would wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as exc:  # a socket cannot be opened, nor can a link to itself
        raise in_the_way(path) or exc from exc
    try:
        check_ordinary(path, os.fstat(descriptor))
        return open(descriptor, "rb", buffering=0)  # noqa: PTH123 -- a descriptor has no path
    except BaseException:
        os.close(descriptor)
        raise


def check_ordinary(path: Path | str, status: os.stat_result) -> None:
    """Raise NotAFileError where ``status``, that of ``path``, is not an ordinary file's."""
    if not stat.S_ISREG(status.st_mode):
        raise _taken(path, _KINDS.get(stat.S_IFMT(status.st_mode), "of an unknown kind"))


def in_the_way(path: Path | str) -> NotAFileError | None:
    """The error for what has the name ``path`` and is no ordinary file; None for a file, and where nothing is."""
    try:
        check_ordinary(path, os.stat(path))  # noqa: PTH116 -- as it comes, a text or a Path
    except NotAFileError as exc:
        return exc
    except OSError as exc:
        if exc.errno not in _LEADS_NOWHERE or not _is_link(path):
            return None
        missing = exc.errno in _MISSING
        return _taken(path, f"a symbolic link to {'a missing file' if missing else f'nothing ({exc.strerror})'}")
    return None


def _is_link(path: Path | str, directory: int | None = None) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path, dir_fd=directory).st_mode)
    except OSError:
        return False


def _taken(path: Path | str, kind: str) -> NotAFileError:
    return NotAFileError(
        f"{path} is {kind}, and splitjoin needs that name for a file",
        hint="move it away, or choose another directory, then run the same command again",
    )
