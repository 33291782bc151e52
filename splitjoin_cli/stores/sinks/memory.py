"""A sink in memory, which does what the contract says and no more: for tests, and for embedding small splits."""

from __future__ import annotations

import hashlib
import io
import itertools
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.errors import (
    CopyRefusedError,
    CorruptObjectError,
    ObjectChangedError,
    SourceChangedError,
    StoreError,
)
from splitjoin_cli.core.model import S3Location, StoredObject
from splitjoin_cli.stores.sinks.base import SinkProperties, SmallObject
from splitjoin_cli.stores.sinks.open_bytes import OpenBytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.model import ByteRange, Compression
    from splitjoin_cli.core.progress import Moved
from splitjoin_cli.stores.sinks.base import Body, Condition, StagedObject

__all__ = ["STORE", "MemorySink", "MemoryStore", "location"]

STORE = "memory"
LEAST_COPY_BYTES = 10 * 1024 * 1024
"""What ``S3Location.store`` says of exports that a MemorySink can copy."""

READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Held:
    data: bytes
    stored: StoredObject


@dataclass(slots=True)
class MemoryStore:
    """What outlives a sink: objects, what killed sinks left unfinished, and exports to copy from.

    ``exports``: the bytes by ``bucket/key``. Sinks that share a store are processes that share a bucket.
    """

    exports: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, _Held] = field(default_factory=dict)
    unfinished: dict[int, MemoryStaged] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(default_factory=itertools.count)


def location(store: MemoryStore, bucket: str, key: str) -> S3Location:
    """An export of the store as it is now, as a source of copies."""
    return S3Location(bucket, key, _etag(store.exports[f"{bucket}/{key}"]), store=STORE)


class MemoryStaged:
    """A StagedObject, and what a writer holds until its commit."""

    def __init__(self, owner: MemorySink, name_prefix: str, number: int) -> None:
        """``owner``: the sink that can still finish it."""
        self.owner = owner
        self.name_prefix = name_prefix
        self.number = number
        self.data = bytearray()
        self._closed = False

    def write_at(self, offset: int, data: Buffer) -> None:
        """As in StagedObject."""
        with self.owner.store.lock:
            if self._closed:
                raise StoreError(f"{self.owner.properties.uri}{self.name_prefix}: the staged object is closed")
            end = offset + len(data)
            if len(self.data) < end:
                self.data.extend(bytes(end - len(self.data)))
            self.data[offset:end] = data

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in StagedObject."""
        with self.owner.store.lock:
            piece = bytes(self.data[offset : offset + len(buffer)])
        buffer[: len(piece)] = piece
        return len(piece)

    def truncate(self, size: int) -> None:
        """As in StagedObject."""
        with self.owner.store.lock:
            del self.data[size:]

    def close(self) -> None:
        """As in StagedObject."""
        self._closed = True


class MemoryWriter:
    """An ObjectWriter."""

    def __init__(
        self,
        sink: MemorySink,
        staged: MemoryStaged,
        name: str,
        metadata: str | None,
        when: Condition | None,
        sent: Moved | None = None,
    ) -> None:
        """``staged`` takes the bytes until the commit."""
        self._sink = sink
        self._staged = staged
        self._name = name
        self._metadata = metadata
        self._when = when
        self._sent = sent

    def write(self, data: Buffer) -> None:
        """As in ObjectWriter."""
        self._staged.write_at(len(self._staged.data), data)
        if self._sent is not None:
            self._sent(len(data))

    def commit(self, *, checksum: int | None) -> StoredObject:
        """As in ObjectWriter."""
        self._staged.close()
        return self._sink.finish(self._staged, self._name, checksum, self._metadata, self._when)

    def abort(self) -> None:
        """As in ObjectWriter."""
        self._staged.close()
        self._sink.discard(self._staged)


class MemorySink:
    """A Sink that stages, and copies. ``kill`` stops it as SIGKILL would: nothing is undone."""

    def __init__(self, store: MemoryStore | None = None, *, uri: str = "memory:///") -> None:
        """``store``: shared with other sinks; a fresh one without."""
        self.store = store or MemoryStore()
        self.alive = True
        self._properties = SinkProperties(uri=uri)

    @property
    def properties(self) -> SinkProperties:
        """As in Sink."""
        return self._properties

    @property
    def staging(self) -> Self | None:
        """As in Sink."""
        return self

    @property
    def prober(self) -> None:
        """As in Sink: nothing is lacking here."""
        return None

    @property
    def copier(self) -> Self | None:
        """As in Sink."""
        return self

    @property
    def copies_from(self) -> str:
        """As in Copier."""
        return STORE

    @property
    def least_copy_bytes(self) -> int:
        """As in Copier."""
        return LEAST_COPY_BYTES

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
            for data in _blocks(body):
                writer.write(data)
            return writer.commit(checksum=checksum)
        except BaseException:
            writer.abort()
            raise

    def writer(
        self, name: str, *, metadata: str | None = None, when: Condition | None = None, sent: Moved | None = None
    ) -> MemoryWriter:
        """As in Sink."""
        return MemoryWriter(self, self.stage(name, 0), name, metadata, when, sent)

    def copy(  # noqa: PLR0913 -- as in Copier
        self,
        name: str,
        prefix: bytes,
        source: S3Location,
        ranges: ByteRange,
        *,
        checksum: int | None,
        read: Body,  # noqa: ARG002 -- part of the contract; nothing needs to be sent here
        metadata: str | None = None,
        when: Condition | None = None,
        sent: Moved | None = None,
    ) -> StoredObject:
        """As in Sink: from ``store.exports``."""
        export = self.store.exports.get(f"{source.bucket}/{source.key}")
        if export is None or source.store != STORE:
            raise CopyRefusedError(f"cannot copy s3://{source.bucket}/{source.key} to {self._properties.uri}{name}")
        if _etag(export) != source.etag:
            raise SourceChangedError(f"s3://{source.bucket}/{source.key}: the source changed while it was copied")
        staged = self.stage(name, 0)
        staged.write_at(0, prefix + export[ranges.start : ranges.end])
        if sent is not None:
            sent(len(staged.data))
        return self.finish(staged, name, checksum, metadata, when)

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        with self.store.lock:
            if not self._holds(name, when):
                return False
            self._keep(name, data, None)
            return True

    def get_small(self, name: str) -> bytes | None:
        """As in Sink."""
        held = self.store.objects.get(name)
        return None if held is None else held.data

    def check_writable(self, name: str) -> None:
        """As in Sink: memory takes all."""

    def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
        """As in Sink."""
        held = self.store.objects.get(name)
        return None if held is None else SmallObject(held.data[:most], str(held.stored.validator))

    def open_small(self, name: str) -> OpenBytes | None:
        """As in Sink."""
        small = self.read_small(name)
        return None if small is None else OpenBytes(small)

    def head(self, name: str) -> StoredObject | None:
        """As in Sink."""
        held = self.store.objects.get(name)
        return None if held is None else held.stored

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """As in Sink."""
        with self.store.lock:
            found = [self.store.objects[name].stored for name in sorted(self.store.objects)]
        for stored in found:
            if stored.name.startswith(name_prefix) and "/" not in stored.name:
                yield replace(stored, metadata=None)

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        """As in Sink."""
        with self.store.lock:
            if name in self.store.objects and not self._holds(name, when):
                return False
            self.store.objects.pop(name, None)
            return True

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
        """As in Sink: what sinks that were killed left."""
        with self.store.lock:
            dead = [
                number
                for number, staged in self.store.unfinished.items()
                if staged.name_prefix.startswith(name_prefix)
                and not staged.owner.alive
                and (only is None or only(staged.name_prefix))
            ]
            for number in () if count else dead:
                del self.store.unfinished[number]
            return len(dead)

    def stage(self, name_prefix: str, number: int) -> MemoryStaged:
        """As in Staging."""
        if not self.alive:
            raise StoreError(f"{self._properties.uri}{name_prefix}: the sink is closed")
        staged = MemoryStaged(self, name_prefix, number)
        with self.store.lock:
            self.store.unfinished[id(staged)] = staged
        return staged

    def publish(
        self, staged: StagedObject, name: str, *, metadata: str | None = None, when: Condition | None = None
    ) -> StoredObject:
        """As in Staging."""
        return self.finish(staged, name, None, metadata, when)

    def discard(self, staged: StagedObject) -> None:
        """As in Staging."""
        with self.store.lock:
            self.store.unfinished.pop(id(staged), None)

    def checksum(self, name: str, *, compression: Compression | None = None) -> int | None:
        """As in Staging."""
        held = self.store.objects.get(name)
        if held is None or compression is None:
            return None if held is None else held.stored.checksum
        from splitjoin_cli.core.bytes.codecs import decompressed_checksum  # noqa: PLC0415 -- only where asked for

        return decompressed_checksum(io.BytesIO(held.data), compression, name)

    def close(self) -> None:
        """As in Sink."""
        self.alive = False
        with self.store.lock:
            mine = [number for number, staged in self.store.unfinished.items() if staged.owner is self]
            for number in mine:
                del self.store.unfinished[number]

    def kill(self) -> None:
        """End without undoing anything."""
        self.alive = False

    def finish(
        self,
        staged: StagedObject,
        name: str,
        checksum: int | None,
        metadata: str | None,
        when: Condition | None,
    ) -> StoredObject:
        """Make what was staged visible, if it is what was announced. Raises CorruptObjectError, and discards it.

        Raises ObjectChangedError where the condition does not hold.
        """
        with self.store.lock:
            held = self.store.unfinished.pop(id(staged), None)
            if held is None:
                raise StoreError(f"{self._properties.uri}{name}: the staged object is gone")
            data = bytes(held.data)
            found = checksums.crc64(data)
            if checksum is not None and found != checksum:
                raise CorruptObjectError(
                    f"{self._properties.uri}{name}: {checksums.tagged(found)} was written, "
                    f"{checksums.tagged(checksum)} was announced"
                )
            if not self._holds(name, when):
                raise ObjectChangedError(f"{self._properties.uri}{name}: another object has this name by now")
            return self._keep(name, data, metadata)

    def _holds(self, name: str, when: Condition | None) -> bool:
        """Whether a condition holds; the caller has the lock."""
        held = self.store.objects.get(name)
        return when is None or when.validator == (None if held is None else held.stored.validator)

    def _keep(self, name: str, data: bytes, metadata: str | None) -> StoredObject:
        stored = StoredObject(name, len(data), checksums.crc64(data), metadata, f'"{next(self.store.numbers)}"')
        self.store.objects[name] = _Held(data, stored)
        return stored


def _blocks(body: Body) -> Iterator[memoryview]:
    block, done = memoryview(bytearray(READ_BYTES)), 0
    while done < body.size:
        wanted = min(READ_BYTES, body.size - done)
        got = body.read_at(done, block[:wanted])
        if got < wanted:
            raise SourceChangedError(f"the source ended {body.size - done - got} bytes early")
        yield block[:got]
        done += got


def _etag(data: bytes) -> str:
    return '"' + hashlib.md5(data, usedforsecurity=False).hexdigest() + '"'
