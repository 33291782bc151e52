"""A directory as a sink: written in a hidden folder of the same file system, renamed when whole.

The folder belongs to one process: see staging_folder. ``--fsync`` makes each object survive a power cut, too.
"""

# ruff: noqa: ARG002 -- the contract has arguments that a directory does not need

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CorruptObjectError, ObjectChangedError, StoreError
from splitjoin_cli.core.files import check_ordinary, in_the_way, is_missing, mode_of, open_ordinary, status_of
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.switches import SCANNER, switched
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.stores.sinks.base import SinkProperties, SmallObject
from splitjoin_cli.stores.sinks.directory_batches import DirectoryBatches, file_validator
from splitjoin_cli.stores.sinks.directory_listing import listed
from splitjoin_cli.stores.sinks.open_file import OpenFile
from splitjoin_cli.stores.sinks.staged_file import StagedFile, explained
from splitjoin_cli.stores.sinks.staging_folder import STAGING_PREFIX, StagingFolder, sweep_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body, Condition, StagedObject

COPY_BYTES = 1 << 20
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What file systems without hard links answer (FAT, some that are mounted over a network)."""
LOCK_SECONDS = 10.0
"""The steps under the lock take microseconds: whoever has it for longer holds the directory for another purpose, as
``flock DIRECTORY COMMAND`` does."""
LOCK_WAIT_SECONDS = 0.005


def _rename(path: str, target: Path) -> None:
    """Raises OSError; StoreError where a directory has the name."""
    try:
        os.rename(path, target)  # noqa: PTH104 -- a million Path objects are a gigabyte
    except IsADirectoryError as exc:
        raise in_the_way(target) or exc from exc


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
        self.path = path.absolute()
        self.fsync = fsync
        self._lock = threading.Lock()
        self._staging: StagingFolder | None = None
        self._count = 0
        mode = mode_of(path)
        if mode is not None and not stat.S_ISDIR(mode):
            raise StoreError(f"not a directory: {path}", hint="DEST is a directory or s3://bucket/prefix/")

    @property
    def properties(self) -> SinkProperties:
        """As in Sink."""
        return SinkProperties(uri=f"{self.path}/", keeps_metadata=False)

    @property
    def staging(self) -> Self:
        """A file gets its name when it is whole."""
        return self

    @property
    def batches(self) -> DirectoryBatches | None:
        """As in Staging: what the compiled kernel does."""
        compiled = None if switched(SCANNER) else kernel()
        return None if compiled is None else DirectoryBatches(self, compiled)

    @property
    def prober(self) -> None:
        """As in Sink: nothing is lacking here."""
        return None

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
        with explained("reading", self.path / name):
            try:
                with open_ordinary(self.path / name) as file:
                    return SmallObject(file.read(-1 if most is None else most), validator_of(os.fstat(file.fileno())))
            except FileNotFoundError:
                return None

    def open_small(self, name: str) -> OpenFile | None:
        """As in Sink."""
        with explained("reading", self.path / name):
            try:
                file = open_ordinary(self.path / name)
            except FileNotFoundError:
                return None
            return OpenFile(file, str(self.path / name), validator_of(os.fstat(file.fileno())))

    def head(self, name: str) -> StoredObject | None:
        """As in Sink; without a checksum, which a directory does not keep."""
        with explained("looking at", self.path / name):
            found = status_of(self.path / name)
        if found is None:
            return None
        check_ordinary(self.path / name, found)
        return StoredObject(name, found.st_size, validator=validator_of(found), stored_at=found.st_mtime)

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """As in Sink."""
        if not is_missing(self.path):
            with explained("listing", self.path):
                yield from listed(self.path, name_prefix, validator_of)

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        with explained("removing", self.path / name), suppress(FileNotFoundError):
            if when is None:
                (self.path / name).unlink()
                return True
            with self._locked():
                if not self._holds(name, when):
                    return not (self.path / name).exists()
                (self.path / name).unlink()
        return True

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
        """As in Sink: the staging folders of dead processes, of any job. Others' that may not be removed stay."""
        with explained("listing", self.path):
            batches = self.batches
            hidden = None if batches is None else batches.names(STAGING_PREFIX)
            return sweep_leftovers(self.path, self._staging, count=count, hidden=hidden)

    def stage(self, name_prefix: str, number: int) -> StagedFile:
        """As in Staging."""
        return self.new_file()

    def publish(
        self, staged: StagedObject, name: str, *, metadata: str | None = None, when: Condition | None = None
    ) -> StoredObject:
        """As in Staging."""
        assert isinstance(staged, StagedFile)  # noqa: S101 -- what stage() made
        staged.close()
        with explained("renaming to", self.path / name):
            found = os.stat(staged.place)  # noqa: PTH116 -- a million Path objects are a gigabyte
            self._give_name(staged.place, name, when)
        staged.path = None
        self.sync_directory()
        return StoredObject(name, found.st_size, validator=validator_of(found), stored_at=found.st_mtime)

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
        path, crc = self.path / name, 0
        buffer = memoryview(bytearray(COPY_BYTES))
        with explained("reading", path):
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
        target = self.path / name
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
        found = status_of(self.path / name)
        return when.validator == (None if found is None else validator_of(found))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the directory's lock, for a comparison and the step that depends on it.

        Where the file system has no locks, or another program keeps this one, the step is done without it.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
        path = f"{self.staging_folder.path}/{self.reserve(1)}"
        with explained("writing", path):
            return StagedFile(path, fsync=self.fsync)

    def reserve(self, count: int) -> int:
        """So many names of files in the staging folder, which are numbers: the first of them."""
        with self._lock:
            first = self._count + 1
            self._count += count
        return first

    @property
    def staging_folder(self) -> StagingFolder:
        """The folder of this sink's staged files, made when it is first needed. Raises StoreError, AccessError."""
        with self._lock:
            if self._staging is None:
                self._staging = self._make_staging()
            return self._staging

    def _make_staging(self) -> StagingFolder:
        with explained("making", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with explained("writing in", self.path):
            return StagingFolder.make(self.path)

    def sync_directory(self) -> None:
        """Make the names survive a power cut, too."""
        if self.fsync:
            with explained("syncing", self.path):
                descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def validator_of(found: os.stat_result) -> str:
    """What tells one content of a name from another: every content is a file of its own."""
    return file_validator(found.st_mtime_ns, found.st_ino)


def _taken(path: Path) -> ObjectChangedError:
    return ObjectChangedError(f"{path}: another file has this name by now")
