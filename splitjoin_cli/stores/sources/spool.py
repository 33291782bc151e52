"""Standard input and pipes: copied to disk once, into a file without a name, and read there as often as needed."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Protocol, cast, final

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sources.local import read_fully, unreadable
from splitjoin_cli.stores.sources.positioned import PositionedStream

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.core.progress import Moved

__all__ = ["SpooledSource", "spool_pipe", "spool_standard_input"]

_BLOCK_BYTES = 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class _Readable(Protocol):
    """What ``sys.stdin.buffer`` and an unbuffered file have in common."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


@final
class SpooledSource(StaysHere):
    """What came through a pipe, now a file that nobody else can see: it cannot change. See Source for the contract."""

    def __init__(self, file: IO[bytes], size: int, uri: str) -> None:
        """``file`` holds ``size`` bytes, and is closed, and so removed, with this."""
        self._file = file
        self._size = size
        self._properties = SourceProperties(
            uri=uri,
            seekable=True,
            size=size,
            stored_bytes=size,
            compression=None,
            validator=None,
        )

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
        """See Source."""
        try:
            return read_fully(self._file.fileno(), buffer, offset)
        except (OSError, ValueError) as exc:  # ValueError: closed
            raise unreadable(f"the spooled {self._properties.uri}", exc) from exc

    def stream(self, came: Moved | None = None) -> PositionedStream:
        """See Source."""
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        """See Source: nothing can have changed."""

    def close(self) -> None:
        """See Source."""
        self._file.close()


def spool_standard_input(tmp_dir: Path | None = None, most: int | None = None) -> SpooledSource:
    """Copy standard input, ``most`` bytes of it (None: all), to ``tmp_dir`` (None: the system's).

    Raises SourceError where it cannot be read or kept.
    """
    if sys.stdin is None:
        raise SourceError("cannot read standard input: it is closed", hint="pipe a file in, or name one")
    return _spool(cast("_Readable", sys.stdin.buffer), "standard input", "-", tmp_dir, most)


def spool_pipe(path: str, tmp_dir: Path | None = None, most: int | None = None) -> SpooledSource:
    """The same for a named pipe, ``/dev/fd/N`` (process substitution) or another thing that can be read once."""
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115, PTH123 -- closed below; paths are text here
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from exc
    with file:
        return _spool(file, path, path, tmp_dir, most)


def _spool(pipe: _Readable, name: str, uri: str, tmp_dir: Path | None, most: int | None) -> SpooledSource:
    place = str(tmp_dir or tempfile.gettempdir())
    try:
        # unlinked, or never linked, from the start: a kill leaves nothing
        file = tempfile.TemporaryFile(buffering=0, prefix="splitjoin-", dir=place)  # noqa: SIM115 -- the source's
    except OSError as exc:
        raise _cannot_keep(name, place, exc, 0) from exc
    try:
        size = _copy(pipe, file.fileno(), name, place, most)
    except BaseException:
        file.close()
        raise
    return SpooledSource(file, size, uri)


def _copy(pipe: _Readable, target: int, name: str, place: str, most: int | None) -> int:
    """Copy to the end, or ``most`` bytes; return the bytes copied."""
    _widen(pipe)
    block = memoryview(bytearray(_BLOCK_BYTES))
    copied = 0
    while True:
        room = len(block) if most is None else min(len(block), most - copied)
        if not room:
            return copied
        try:
            count = pipe.readinto(block[:room])
        except OSError as exc:
            raise unreadable(name, exc) from exc
        if not count:
            return copied
        try:
            written = 0
            while written < count:
                written += os.write(target, block[written:count])
        except OSError as exc:
            raise _cannot_keep(name, place, exc, copied + written) from exc
        copied += count


def _widen(pipe: _Readable) -> None:
    """Let a pipe hold a whole block, where the system has that: fewer, larger reads. No pipe, no matter."""
    with suppress(AttributeError, OSError, ValueError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _BLOCK_BYTES)  # type: ignore[attr-defined]  # what it is tried for


def _cannot_keep(name: str, place: str, exc: OSError, copied: int) -> SourceError:
    if exc.errno in _NO_ROOM:
        message = f"cannot spool {name} to {place}: no space left after {copied} bytes, and all of it must fit"
        return SourceError(message, hint="pass --tmp-dir DIRECTORY, on a disk with room for the whole input")
    return SourceError(
        f"cannot spool {name} to {place}: {exc.strerror}",
        hint="pass --tmp-dir DIRECTORY, one that exists and can be written to",
    )
