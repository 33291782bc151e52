"""Where a merged file goes: into a file, an object on S3, or a stream."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import NameTakenError, ObjectChangedError, StoreError, UsageError
from splitjoin_cli.core.files import FULL, mode_of, next_step
from splitjoin_cli.stores.sinks.base import ABSENT, Condition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import RawIOBase
    from types import TracebackType

    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sinks.s3 import S3Sink
    from splitjoin_cli.stores.sinks.s3_multipart import Part

__all__ = ["FileTarget", "ObjectTarget", "PartsTarget", "StreamTarget", "Target"]


class Target(Protocol):
    """Where the file goes. A context manager: leaving it by an exception leaves nothing behind.

    ``at_any_place``: ``write_at`` may be called from any thread for any place; otherwise from front to back.
    """

    @property
    def at_any_place(self) -> bool:
        """See above."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None: ...

    def tell(self, sent: Moved) -> bool:
        """Let ``sent`` hear of the file's bytes as they leave; False where ``write_at`` writes them."""

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write all of ``data``, which may be reused afterwards. Raises StoreError."""


class FileTarget:
    """A file that appears under its name when it is whole: until then it has a hidden name beside it.

    A device, pipe or socket is written in place, from front to back.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        """Raises NameTakenError where the file is there, without ``force``; UsageError where it is a directory."""
        self._shown = path
        self._force = force
        mode = mode_of(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise UsageError(f"{path} is a directory", hint="name the file to write")
        self.at_any_place = mode is None or stat.S_ISREG(mode)
        # A link keeps leading to the file; that of a pipe (/dev/stdout) leads to no path.
        self._path = Path(os.path.realpath(path)) if self.at_any_place else path
        if mode is not None and self.at_any_place and not force:
            raise self._taken()
        self._temporary: Path | None = None
        self._descriptor = -1

    @property
    def writing_to(self) -> Path:
        """Where the bytes are until the file is whole. Only within its context, and where ``at_any_place``."""
        assert self._temporary is not None  # noqa: S101 -- see above
        return self._temporary

    def _taken(self) -> NameTakenError:
        return NameTakenError(f"{self._shown} is there already", hint="--force replaces it")

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CLOEXEC
        place = self._path
        if self.at_any_place:
            place = self._temporary = self._path.with_name(f".splitjoin-{secrets.token_hex(8)}.part")
            flags |= os.O_CREAT | os.O_EXCL
        try:
            self._descriptor = os.open(place, flags, 0o666)
        except OSError as exc:
            raise self._refused(exc) from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        try:
            os.close(self._descriptor)
            if kind is None and self._temporary is not None:
                self._appear(self._temporary)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def tell(self, sent: Moved) -> bool:  # noqa: ARG002 -- see Target
        """See Target."""
        return False

    def _appear(self, temporary: Path) -> None:
        """Rename; without ``force`` by a link, which never replaces what came meanwhile, where links are to be had."""
        if not self._force:
            try:
                os.link(temporary, self._path)
            except FileExistsError as exc:
                raise self._taken() from exc
            except OSError:
                pass
            else:
                return
        temporary.replace(self._path)

    def write_at(self, offset: int, data: memoryview) -> None:
        """See Target."""
        try:
            while data:
                wrote = (
                    os.pwrite(self._descriptor, data, offset) if self.at_any_place else os.write(self._descriptor, data)
                )
                offset += wrote
                data = data[wrote:]
        except OSError as exc:
            raise self._refused(exc) from exc

    def _refused(self, exc: OSError) -> StoreError:
        hint = "OUT's directory must exist, and you must be allowed to write to it"
        if exc.errno in FULL:
            hint = "free space there, or name an OUT on another disk"
        elif exc.errno != errno.EISDIR and (known := next_step(exc)) is not None:
            hint = known
        return StoreError(f"cannot write {self._shown}: {exc.strerror or exc}", hint=hint)


class StreamTarget:
    """Standard output, or any other stream: what was written before an error stays written."""

    at_any_place = False

    def __init__(self, stream: RawIOBase) -> None:
        """``stream`` has no buffer, so that nothing is left to be written when it takes no more. It stays open."""
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        pass

    def tell(self, sent: Moved) -> bool:  # noqa: ARG002 -- see Target
        """See Target."""
        return False

    def write_at(self, offset: int, data: memoryview) -> None:  # noqa: ARG002 -- it is always the next place
        """See Target."""
        try:
            while data:
                data = data[self._stream.write(data) or 0 :]
        except OSError as exc:
            raise StoreError(f"cannot write to the output: {exc.strerror or exc}") from exc


class ObjectTarget:
    """An object in a sink, visible when it is whole."""

    at_any_place = False

    def __init__(self, sink: Sink, name: str, *, force: bool) -> None:
        """Raises NameTakenError where the object is there, without ``force``."""
        self._when = _condition(sink, name, force=force)
        self._sink = sink
        self._name = name
        self._checksum = 0
        self._sent: Moved | None = None

    def __enter__(self) -> Self:
        self._writer = self._sink.writer(self._name, when=self._when, sent=self._sent)
        return self

    def tell(self, sent: Moved) -> bool:
        """See Target."""
        self._sent = sent
        return True

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        if kind is not None:
            self._writer.abort()
            return
        try:
            self._writer.commit(checksum=self._checksum)
        except ObjectChangedError as error:  # it came while this one was written
            raise _taken(self._sink, self._name) from error

    def write_at(self, offset: int, data: memoryview) -> None:  # noqa: ARG002 -- it is always the next place
        """See Target."""
        self._checksum = crc64(data, self._checksum)
        self._writer.write(data)


class PartsTarget:
    """An object on S3 whose parts are sent from anywhere, visible when they are all there and finished."""

    def __init__(self, sink: S3Sink, name: str, *, force: bool) -> None:
        """Raises NameTakenError where the object is there, without ``force``."""
        self._when = _condition(sink, name, force=force)
        self._sink, self.name = sink, name

    def __enter__(self) -> Self:
        self._upload = self._sink.upload(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._upload.__exit__(kind, exc, trace)

    @property
    def upload_id(self) -> str:
        """What the parts are sent to."""
        return self._upload.id

    @property
    def copies_from(self) -> str:
        """As in Copier."""
        return self._sink.copies_from

    def finish(self, parts: Sequence[Part]) -> None:
        """Make the object visible: all parts in their order. Raises NameTakenError, CorruptObjectError, StoreError."""
        from splitjoin_cli.stores.sinks.s3_place import WantedObject  # noqa: PLC0415 -- botocore is slow to import

        wanted = WantedObject(self.name, sum(part.size for part in parts), None, None, self._when)
        try:
            self._upload.finish(parts, wanted)
        except ObjectChangedError as error:  # it came while this one was written
            raise _taken(self._sink, self.name) from error


def _condition(sink: Sink, name: str, *, force: bool) -> Condition:
    """On which an object may be stored. Raises NameTakenError where it is there, without ``force``."""
    found = sink.head(name)
    if not force and found is not None:
        raise _taken(sink, name)
    return ABSENT if found is None else Condition(found.validator)


def _taken(sink: Sink, name: str) -> NameTakenError:
    return NameTakenError(f"{sink.properties.uri}{name} is there already", hint="--force replaces it")
