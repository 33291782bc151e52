"""Regular files, read in place: by preadv into the caller's buffer, from any thread.

They are never mapped: a mapped file that someone truncates kills the process, and mapped pages count as its memory.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import SourceChangedError, SourceError
from splitjoin_cli.core.files import next_step
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sources.positioned import PositionedStream

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Moved

__all__ = ["LocalSource", "is_pipe", "read_fully", "unreadable"]


def read_fully(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fill ``buffer`` from ``offset`` on, however often the system answers with less; fewer bytes only at the end."""
    filled = os.preadv(descriptor, [buffer], offset)
    while 0 < filled < len(buffer):
        more = os.preadv(descriptor, [buffer[filled:]], offset + filled)
        if not more:
            break
        filled += more
    return filled


def unreadable(path: str, exc: OSError | ValueError) -> SourceError:
    """What to raise where the system would not open or read ``path``."""
    if isinstance(exc, FileNotFoundError):
        hint = None
        if path.startswith("s3:"):
            hint = "an object on S3 is written s3://BUCKET/KEY"
        elif not Path(path).is_absolute():
            hint = "the path is relative to the working directory; check both"
        return SourceError(f"cannot read {path}: no such file", hint=hint)
    if isinstance(exc, PermissionError):
        return SourceError(f"cannot read {path}: permission denied", hint="check its permissions and its directories'")
    if isinstance(exc, OSError):
        return SourceError(f"cannot read {path}: {exc.strerror}", hint=next_step(exc))
    return SourceError(f"cannot read {path}: {exc}")


def is_pipe(path: str) -> bool:
    """Whether a path is a named pipe, ``/dev/fd/N`` of one, or a socket."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 -- paths are text here
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _validator(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}"


@final
class LocalSource(StaysHere):
    """A regular file, as it was when it was opened. See Source for the contract.

    What is appended later is never read; that it was appended is what ``check_unchanged`` finds.
    """

    def __init__(self, path: str) -> None:
        """Open ``path``. Raises SourceError where there is no regular file that may be read."""
        self._path = path
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(self._descriptor)
        except (OSError, ValueError) as exc:
            self.close()
            raise unreadable(path, exc) from exc
        if not stat.S_ISREG(status.st_mode):
            self.close()
            if stat.S_ISDIR(status.st_mode):
                raise SourceError(f"cannot read {path}: it is a directory", hint="name one file in it")
            raise SourceError(f"cannot read {path}: it is not a regular file", hint="pipe it in: splitjoin split - ...")
        self._size = status.st_size
        self._identity = (status.st_dev, status.st_ino)
        self._properties = SourceProperties(
            uri=path,
            seekable=True,
            size=status.st_size,
            stored_bytes=status.st_size,
            compression=None,
            validator=_validator(status),
        )
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def read_at(
        self,
        offset: int,
        buffer: memoryview,
        came: Moved | None = None,  # noqa: ARG002 -- it is there at once
    ) -> int:
        """See Source. A file that ends before the size it had is a changed one."""
        wanted = min(len(buffer), self._size - offset)
        if wanted <= 0:
            return 0
        if wanted < len(buffer):
            buffer = buffer[:wanted]
        try:
            filled = read_fully(self._descriptor, buffer, offset)
        except OSError as exc:
            raise unreadable(self._path, exc) from exc
        if filled < wanted:
            raise SourceChangedError(
                f"{self._path} changed while it was read: it had {self._size} bytes and now ends at {offset + filled}",
                hint="run again when nothing writes to it",
            )
        return filled

    def stream(self, came: Moved | None = None) -> PositionedStream:
        """See Source."""
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        """See Source: the open file's size and time are the same, and the path still leads to it."""
        try:
            now, there = os.fstat(self._descriptor), Path(self._path).stat()
        except FileNotFoundError as exc:
            raise SourceChangedError(f"{self._path} was removed while it was read") from exc
        except OSError as exc:
            raise unreadable(self._path, exc) from exc
        if (there.st_dev, there.st_ino) != self._identity:
            raise SourceChangedError(
                f"{self._path} was replaced by another file while it was read",
                hint="run again: the new file is a new run",
            )
        if _validator(now) != self._properties.validator:
            raise SourceChangedError(
                f"{self._path} changed while it was read: size or time of change are not what they were",
                hint="run again when nothing writes to it",
            )

    def close(self) -> None:
        """See Source."""
        descriptor, self._descriptor = self._descriptor, -1  # so that a late read cannot meet another file's number
        if descriptor >= 0:
            os.close(descriptor)
