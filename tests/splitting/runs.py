"""Splits for tests: from bytes to a result in one call, what lies there afterwards, and sinks that die on the way."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import prepare
from splitjoin_cli.splitting.request import RowCount, SplitRequest
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.positioned import PositionedStream
from splitjoin_cli.stores.sources.stream import StreamSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.model import ByteRange, Compression, S3Location, StoredObject
    from splitjoin_cli.core.progress import Moved, Observer
    from splitjoin_cli.core.source_name import Naming
    from splitjoin_cli.splitting.engines.base import Remote
    from splitjoin_cli.splitting.free_names import FreeNames
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.stores.sinks.base import (
        Body,
        Condition,
        ObjectWriter,
        OpenSmall,
        Sink,
        SinkProperties,
        SmallObject,
        StagedObject,
    )
    from splitjoin_cli.stores.sources.base import Source

T = TypeVar("T")

JOB = JobName("acme", "20240131")
MANIFEST = f"{JOB.file_name}.manifest.json"
PLAN = f"{JOB.file_name}.plan.json"


def request(**options: Any) -> SplitRequest:  # noqa: ANN401 -- any of SplitRequest's
    """A request, of two rows to a chunk and two jobs unless told otherwise."""
    return replace(
        SplitRequest(source="acme.csv", destination=DirectoryPlace("out"), size=RowCount(2), jobs=2), **options
    )


def stream_of(data: bytes) -> StreamSource:
    """The bytes as a source that is read from the front only."""
    return StreamSource(MemorySource(data), lambda stream: stream)


def blocks_of(block_bytes: int) -> AbstractContextManager[object]:
    """Lets splits read in blocks of so many bytes, so that small exports have many."""
    return mock.patch.object(prepare, "best_block_bytes", return_value=block_bytes)


def split(
    source: bytes | Source,
    sink: Sink,
    asked: SplitRequest | None = None,
    *,
    job: JobName = JOB,
    naming: Naming | None = None,
    observer: Observer | None = None,
    remote: Remote | None = None,
    free: FreeNames | None = None,
) -> SplitResult:
    """One split; the sink is closed after it, as api/one_split.py does. ``naming``: where ``job`` was not typed."""
    job = job if naming is None else naming.job
    opened = MemorySource(source) if isinstance(source, bytes) else source
    try:
        heard = observer or Silent()
        return SplitRun(asked or request(), job, opened, sink, heard, naming=naming, remote=remote, free=free).run()
    finally:
        sink.close()


def objects(store: MemoryStore) -> dict[str, tuple[bytes, str | None]]:
    """All that readers see: bytes and metadata by name."""
    return {name: (held.data, held.stored.metadata) for name, held in store.objects.items()}


def chunks(store: MemoryStore) -> dict[str, bytes]:
    """The chunks alone, decompressed."""
    return {name: plain(held.data) for name, held in sorted(store.objects.items()) if not name.endswith(".json")}


def plain(data: bytes) -> bytes:
    """What a chunk holds, decompressed if it is compressed."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        stream = DecompressedStream(PositionedStream(MemorySource(data)), "zstd", "a chunk")
        out, buffer = b"", memoryview(bytearray(65536))
        while filled := stream.readinto(buffer):
            out += bytes(buffer[:filled])
        return out
    return data


class TwoPass(MemorySink):
    """A sink where names must be known first, as on S3."""

    @property
    def staging(self) -> None:
        return None


class Killed(BaseException):
    """The process is gone: nothing after this has any effect."""


@dataclass(slots=True)
class Fate:
    """When a process dies: at the ``at``-th I/O, before or after it takes effect. ``calls``: I/Os so far."""

    at: int
    after: bool
    calls: int = 0
    dead: bool = False


class MortalSink:
    """A MemorySink whose process is killed at one of its I/Os; nobody cleans up after it."""

    def __init__(self, inner: MemorySink, fate: Fate) -> None:
        self.inner, self.fate = inner, fate
        self._lock = threading.Lock()

    def io(self, effect: Callable[[], T]) -> T:
        with self._lock:
            number = self.fate.calls
            self.fate.calls += 1
            if self.fate.dead or (number == self.fate.at and not self.fate.after):
                self._die()
        result = effect()
        if number == self.fate.at:
            self._die()
        return result

    def _die(self) -> None:
        self.fate.dead = True
        self.inner.kill()
        raise Killed

    @property
    def properties(self) -> SinkProperties:
        return self.inner.properties

    @property
    def staging(self) -> MortalSink | None:
        return None if self.inner.staging is None else self

    @property
    def prober(self) -> None:
        return None

    @property
    def copier(self) -> MortalSink | None:
        return None if self.inner.copier is None else self

    @property
    def copies_from(self) -> str:
        return self.inner.copies_from

    @property
    def least_copy_bytes(self) -> int:
        return self.inner.least_copy_bytes

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
        return self.io(lambda: self.inner.put(name, body, checksum=checksum, metadata=metadata, when=when, sent=sent))

    def writer(
        self, name: str, *, metadata: str | None = None, when: Condition | None = None, sent: Moved | None = None
    ) -> ObjectWriter:
        return _MortalWriter(self, self.io(lambda: self.inner.writer(name, metadata=metadata, when=when, sent=sent)))

    def copy(
        self,
        name: str,
        prefix: bytes,
        source: S3Location,
        ranges: ByteRange,
        *,
        checksum: int | None,
        read: Body,
        metadata: str | None = None,
        when: Condition | None = None,
        sent: Moved | None = None,
    ) -> StoredObject:
        return self.io(
            lambda: self.inner.copy(
                name, prefix, source, ranges, checksum=checksum, read=read, metadata=metadata, when=when, sent=sent
            )
        )

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        return self.io(lambda: self.inner.put_small(name, data, when=when))

    def get_small(self, name: str) -> bytes | None:
        return self.io(lambda: self.inner.get_small(name))

    def check_writable(self, name: str) -> None:
        self.inner.check_writable(name)

    def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
        return self.io(lambda: self.inner.read_small(name, most=most))

    def open_small(self, name: str) -> OpenSmall | None:
        return self.io(lambda: self.inner.open_small(name))

    def head(self, name: str) -> StoredObject | None:
        return self.io(lambda: self.inner.head(name))

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        return iter(self.io(lambda: [*self.inner.list(name_prefix)]))

    def delete(self, name: str, *, when: Condition | None = None) -> bool:
        return self.io(lambda: self.inner.delete(name, when=when))

    def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
        return self.io(lambda: self.inner.sweep(name_prefix, only=only, count=count))

    def stage(self, name_prefix: str, number: int) -> StagedObject:
        return _MortalStaged(self, self.io(lambda: self.inner.stage(name_prefix, number)))

    def publish(
        self, staged: StagedObject, name: str, *, metadata: str | None = None, when: Condition | None = None
    ) -> StoredObject:
        assert isinstance(staged, _MortalStaged)
        inner = staged.inner
        return self.io(lambda: self.inner.publish(inner, name, metadata=metadata, when=when))

    def discard(self, staged: StagedObject) -> None:
        assert isinstance(staged, _MortalStaged)
        inner = staged.inner
        self.io(lambda: self.inner.discard(inner))

    def checksum(self, name: str, *, compression: Compression | None = None) -> int | None:
        return self.io(lambda: self.inner.checksum(name, compression=compression))

    def close(self) -> None:
        if not self.fate.dead:
            self.inner.close()


class _MortalWriter:
    def __init__(self, sink: MortalSink, inner: ObjectWriter) -> None:
        self.sink, self.inner = sink, inner

    def write(self, data: Buffer) -> None:
        self.sink.io(lambda: self.inner.write(data))

    def commit(self, *, checksum: int | None) -> StoredObject:
        return self.sink.io(lambda: self.inner.commit(checksum=checksum))

    def abort(self) -> None:
        self.sink.io(self.inner.abort)


class _MortalStaged:
    def __init__(self, sink: MortalSink, inner: StagedObject) -> None:
        self.sink, self.inner = sink, inner

    def write_at(self, offset: int, data: Buffer) -> None:
        self.sink.io(lambda: self.inner.write_at(offset, data))

    def read_at(self, offset: int, buffer: memoryview) -> int:
        return self.sink.io(lambda: self.inner.read_at(offset, buffer))

    def truncate(self, size: int) -> None:
        self.sink.io(lambda: self.inner.truncate(size))

    def close(self) -> None:
        self.sink.io(self.inner.close)
