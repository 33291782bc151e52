"""A directory as a sink: written in a hidden folder of the same file system, renamed when whole.

The folder belongs to one process: see staging_folder. ``--fsync`` makes each object survive a power cut, too.
"""

# ruff: noqa: ARG002 -- the contract has arguments that a directory does not need

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import AccessError, CorruptObjectError, ObjectChangedError, StoreError
from splitjoin_cli.core.files import check_ordinary, in_the_way, open_ordinary
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sinks.base import SinkProperties, SmallObject
from splitjoin_cli.stores.sinks.directory_listing import listed
from splitjoin_cli.stores.sinks.open_file import OpenFile
from splitjoin_cli.stores.sinks.staging_folder import StagingFolder, sweep_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body, Condition, StagedObject

COPY_BYTES = 1 << 20
WRITE_BYTES = 128 * 1024
"""In one call, up to a multiple of it. A file system takes memory for a write in one piece where it can: ext4 looks for
1 MiB in a row, which costs up to ten times the copy where memory has been in use for long, or is a virtual machine's
(measured on Linux 6.18). Pieces of this size cost nothing, and leave no page that two writes share."""

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What file systems without hard links answer (FAT, some that are mounted over a network)."""
LOCK_SECONDS = 10.0
"""The steps under the lock take microseconds: whoever has it for longer holds the directory for another purpose, as
``flock DIRECTORY COMMAND`` does."""
LOCK_WAIT_SECONDS = 0.005


@contextmanager
def _explained(operation: str, path: Path | str) -> Iterator[None]:
    """Turn an OSError into ours, naming what was done to what."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"no space left while {operation} {path}",
                hint="free space there or choose another directory, then run the same command again",
            ) from exc
        if isinstance(exc, PermissionError):
            raise AccessError(f"not allowed: {operation} {path}", hint="check the directory's permissions") from exc
        raise StoreError(f"{operation} {path} failed: {exc.strerror or exc}") from exc


def _rename(path: str, target: Path) -> None:
    """Raises OSError; StoreError where a directory has the name."""
    try:
        os.rename(path, target)  # noqa: PTH104 -- a million Path objects are a gigabyte
    except IsADirectoryError as exc:
        raise in_the_way(target) or exc from exc


def _write_all(descriptor: int, data: Buffer, offset: int) -> None:
    view, written = memoryview(data).cast("B"), 0
    while written < len(view):  # a signal or a full disk may cut a write short; the next one says which
        at = offset + written
        piece = view[written : written + WRITE_BYTES - at % WRITE_BYTES]
        written += os.pwrite(descriptor, piece, at)


class StagedFile(StaysHere):
    """A file without a name yet, in the staging folder. A split holds one for each chunk, so they are small."""

    __slots__ = ("_descriptor", "_fsync", "path")

    def __init__(self, path: str, *, fsync: bool) -> None:
        """Make the file; it stays open until ``close``, which waits for the disk with ``fsync``."""
        self.path: str | None = path
        self._fsync = fsync
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write_at(self, offset: int, data: Buffer) -> None:
        """As in StagedObject."""
        with _explained("writing", self.place):
            _write_all(self._descriptor, data, offset)

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in StagedObject."""
        with _explained("reading", self.place):
            return os.preadv(self._descriptor, [buffer], offset)

    def truncate(self, size: int) -> None:
        """As in StagedObject."""
        with _explained("cutting", self.place):
            os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        """As in StagedObject. Safe to repeat."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with _explained("closing", self.place):  # some file systems tell only now that the disk is full
                try:
                    if self._fsync and self.path is not None:
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    @property
    def place(self) -> str:
        """Where it lies; for messages, and for who publishes it."""
        return self.path or "a file that was published"


class _FileWriter:
    def __init__(self, sink: DirectorySink, name: str, when: Condition | None, sent: Moved | None) -> None:
        self._sink, self._name, self._when, self._sent = sink, name, when, sent
        self._staged = sink.new_file()
        self._size = self._crc = 0

    def write(self, data: Buffer) -> None:
        self._staged.write_at(self._size, data)
        self._crc = crc64(data, self._crc)
        self._size += (size := memoryview(data).nbytes)
        if self._sent is not None:
            self._sent(size)

    def copy(self, body: Body, offset: int, buffer: memoryview) -> int:
        """Append what fits into ``buffer`` of ``body`` from ``offset`` on; the bytes appended."""
        filled = body.read_at(offset, buffer[: min(len(buffer), body.size - offset)])
        if not filled:
            raise CorruptObjectError(f"writing {self._name}: {offset} bytes came, {body.size} were planned")
        self.write(buffer[:filled])
        return filled

    def commit(self, *, checksum: int | None) -> StoredObject:
        if checksum is not None and checksum != self._crc:
            self.abort()
            raise CorruptObjectError(f"writing {self._name}: the bytes written are not the bytes planned")
        stored = self._sink.publish(self._staged, self._name, when=self._when)
        return StoredObject(stored.name, stored.size, self._crc, None, stored.validator)

    def abort(self) -> None:
        self._sink.discard(self._staged)


class DirectorySink(StaysHere):
    """Objects as files of one directory, which can be staged. Metadata is not kept: a directory has the manifest."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        """The directory is made when something is first written. Raises StoreError where a file is in the way."""
        self._path = path.absolute()
        self._fsync = fsync
        self._lock = threading.Lock()
        self._staging: StagingFolder | None = None
        self._count = 0
        if path.exists() and not path.is_dir():
            raise StoreError(f"not a directory: {path}", hint="DEST is a directory or s3://bucket/prefix/")

    @property
    def properties(self) -> SinkProperties:
        """As in Sink."""
        return SinkProperties(uri=f"{self._path}/", keeps_metadata=False)

    @property
    def staging(self) -> Self:
        """A file gets its name when it is whole."""
        return self

    @property
    def copier(self) -> None:
        """A directory copies from nowhere."""
        return None

    def put(
        self,
        name: str,
        body: Body,
        *,
        checksum: int | None,
        metadata: str | None = None,
        when: Condition | None = None,
        sent: Moved | None = None,
    ) -> StoredObject:
        """As in Sink."""
        writer = self.writer(name, metadata=metadata, when=when, sent=sent)
        try:
            buffer = memoryview(bytearray(min(COPY_BYTES, max(body.size, 1))))
            offset = 0
            while offset < body.size:
                offset += writer.copy(body, offset, buffer)
            return writer.commit(checksum=checksum)
        except BaseException:
            writer.abort()
            raise

    def writer(
        self, name: str, *, metadata: str | None = None, when: Condition | None = None, sent: Moved | None = None
    ) -> _FileWriter:
        """As in Sink."""
        return _FileWriter(self, name, when, sent)

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        """As in Sink. Under the lock, also without a condition: another process may compare and remove just now."""
        staged = self.new_file()
        try:
            staged.write_at(0, data)
            if when is not None:
                self.publish(staged, name, when=when)
            else:
                with self._locked():
                    self.publish(staged, name)
        except ObjectChangedError:
            return False
        finally:
            self.discard(staged)
        return True

    def get_small(self, name: str) -> bytes | None:
        """As in Sink."""
        small = self.read_small(name)
        return None if small is None else small.data

    def check_writable(self, name: str) -> None:
        """As in Sink: a directory says so when the first chunk is begun, before much is read."""

    def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
        """As in Sink."""
        with _explained("reading", self._path / name):
            try:
                with open_ordinary(self._path / name) as file:
                    return SmallObject(file.read(-1 if most is None else most), _validator(os.fstat(file.fileno())))
            except FileNotFoundError:
                return None

    def open_small(self, name: str) -> OpenFile | None:
        """As in Sink."""
        with _explained("reading", self._path / name):
            try:
                file = open_ordinary(self._path / name)
            except FileNotFoundError:
                return None
            return OpenFile(file, str(self._path / name), _validator(os.fstat(file.fileno())))

    def head(self, name: str) -> StoredObject | None:
        """As in Sink; without a checksum, which a directory does not keep."""
        with _explained("looking at", self._path / name):
            try:
                found = (self._path / name).stat()
            except FileNotFoundError:
                return None
        check_ordinary(self._path / name, found)
        return StoredObject(name, found.st_size, validator=_validator(found), stored_at=found.st_mtime)

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """As in Sink."""
        if self._path.exists():
            with _explained("listing", self._path):
                yield from listed(self._path, name_prefix, _validator)

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        with _explained("removing", self._path / name), suppress(FileNotFoundError):
            if when is None:
                (self._path / name).unlink()
                return True
            with self._locked():
                if not self._holds(name, when):
                    return not (self._path / name).exists()
                (self._path / name).unlink()
        return True

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
        """As in Sink: the staging folders of dead processes, of any job. Others' that may not be removed stay."""
        with _explained("listing", self._path):
            return sweep_leftovers(self._path, self._staging, count=count)

    def stage(self, name_prefix: str, number: int) -> StagedFile:
        """As in Staging."""
        return self.new_file()

    def publish(
        self, staged: StagedObject, name: str, *, metadata: str | None = None, when: Condition | None = None
    ) -> StoredObject:
        """As in Staging."""
        assert isinstance(staged, StagedFile)  # noqa: S101 -- what stage() made
        staged.close()
        with _explained("renaming to", self._path / name):
            found = os.stat(staged.place)  # noqa: PTH116 -- a million Path objects are a gigabyte
            self._give_name(staged.place, name, when)
        staged.path = None
        self._sync_directory()
        return StoredObject(name, found.st_size, validator=_validator(found), stored_at=found.st_mtime)

    def discard(self, staged: StagedObject) -> None:
        """As in Staging."""
        assert isinstance(staged, StagedFile)  # noqa: S101 -- what stage() made
        path, staged.path = staged.path, None  # what goes away need not reach the disk
        with suppress(StoreError):
            staged.close()
        if path is not None:
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 -- as in publish

    def checksum(self, name: str, *, compression: Compression | None = None) -> int | None:
        """As in Staging."""
        path, crc = self._path / name, 0
        buffer = memoryview(bytearray(COPY_BYTES))
        with _explained("reading", path):
            try:
                with open_ordinary(path) as file:
                    if compression is not None:
                        from splitjoin_cli.core.bytes.codecs import decompressed_checksum  # noqa: PLC0415 -- slow

                        return decompressed_checksum(file, compression, str(path))
                    while filled := file.readinto(buffer):
                        crc = crc64(buffer[:filled], crc)
            except FileNotFoundError:
                return None
        return crc

    def close(self) -> None:
        """As in Sink: the staging folder goes, with what is in it."""
        with self._lock:
            staging, self._staging = self._staging, None
            if staging is not None:
                staging.remove()

    def _give_name(self, path: str, name: str, when: Condition | None) -> None:
        """Rename a staged file. A hard link is the rename that fails where the name is taken. Raises OSError."""
        target = self._path / name
        if when is None:
            _rename(path, target)
            return
        if when.validator is None and self._linked(path, target):
            os.unlink(path)  # noqa: PTH108 -- as in _rename
            return
        with self._locked():
            if not self._holds(name, when):
                raise in_the_way(target) or _taken(target)
            _rename(path, target)

    def _linked(self, path: str, target: Path) -> bool:
        """Give a file a second name that must be free; False where the file system has no hard links."""
        try:
            os.link(path, target)
        except FileExistsError as exc:
            raise in_the_way(target) or _taken(target) from exc
        except OSError as exc:
            if exc.errno not in NO_LINKS:
                raise
            return False
        return True

    def _holds(self, name: str, when: Condition) -> bool:
        """Whether a condition holds; the caller has the lock."""
        try:
            return when.validator == _validator((self._path / name).stat())
        except FileNotFoundError:
            return when.validator is None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the directory's lock, for a comparison and the step that depends on it.

        Where the file system has no locks, or another program keeps this one, the step is done without it.
        """
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(LOCK_WAIT_SECONDS)
                    continue
                except OSError:
                    break
                break
            yield
        finally:
            os.close(descriptor)

    def new_file(self) -> StagedFile:
        """A new file in the staging folder."""
        with self._lock:
            if self._staging is None:
                self._staging = self._make_staging()
            self._count += 1
            path = f"{self._staging.path}/{self._count}"
        with _explained("writing", path):
            return StagedFile(path, fsync=self._fsync)

    def _make_staging(self) -> StagingFolder:
        with _explained("making", self._path):
            self._path.mkdir(parents=True, exist_ok=True)
        with _explained("writing in", self._path):
            return StagingFolder.make(self._path)

    def _sync_directory(self) -> None:
        """Make the names survive a power cut, too."""
        if self._fsync:
            with _explained("syncing", self._path):
                descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def _validator(found: os.stat_result) -> str:
    """What tells one content of a name from another: every content is a file of its own."""
    return f"{found.st_mtime_ns}-{found.st_ino}"


def _taken(path: Path) -> ObjectChangedError:
    return ObjectChangedError(f"{path}: another file has this name by now")
