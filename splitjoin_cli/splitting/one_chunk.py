"""Sends one chunk: as it is, compressed, or copied by the store itself. On a thread here, or on a worker elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import CopyRefusedError, CorruptObjectError, SourceChangedError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.splitting.packed import Packed
from splitjoin_cli.stores.sources.base import announce

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.codecs import ChunkCompression
    from splitjoin_cli.core.model import Chunk, S3Location, StoredObject
    from splitjoin_cli.core.progress import Observer, Tally
    from splitjoin_cli.stores.sinks.base import Condition, Copier, ObjectWriter, Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["COPY_BYTES", "ChunkBody", "Sender", "Way", "check_scanned"]

COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ChunkBody:
    """The bytes of one chunk: the header, then its range of a source that can seek. A Body."""

    header: bytes
    source: Source
    range: ByteRange

    @property
    def size(self) -> int:
        """Header and body."""
        return len(self.header) + self.range.size

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in Body."""
        wanted = min(len(buffer), self.size - offset)
        if wanted <= 0:
            return 0
        head = self.header[offset : offset + wanted]
        buffer[: len(head)] = head
        if len(head) == wanted:
            return wanted
        start = self.range.start + max(offset - len(self.header), 0)
        filled = len(head) + self.source.read_at(start, buffer[len(head) : wanted])
        if filled < wanted:
            self.source.check_unchanged()
            raise SourceChangedError(
                f"{self.source.properties.uri} ended at byte {start + filled - len(head)}, inside a chunk of the plan",
                hint="split it when nothing writes to it any more",
            )
        return filled


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where, and how. ``copier``: None where the bytes must pass here.

    ``refused`` hears why the store does not copy, from any thread: the bytes pass here then.
    """

    source: Source
    sink: Sink
    header: bytes
    compression: ChunkCompression | None
    observer: Observer
    copier: Copier | None = None
    refused: Callable[[str], object] = lambda _: None


class Sender:
    """Sends chunks one way, from any thread."""

    def __init__(self, way: Way, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """``is_stopped``: nobody wants them any more."""
        self._way, self._is_stopped = way, is_stopped
        self._copier = way.copier

    def streams(self, chunk: Chunk) -> bool:
        """Whether all of its bytes pass here, from front to back; else the store copies it by itself."""
        if self._way.compression is not None or self._copier is None or self._way.source.properties.s3 is None:
            return True
        return len(self._way.header) + chunk.range.size < self._copier.least_copy_bytes

    def send(
        self, chunk: Chunk, name: str, metadata: str | None, when: Condition, tally: Tally, end: int | None = None
    ) -> StoredObject:
        """Store a chunk where ``when`` holds. Raises ObjectChangedError where not, and what source and sink raise.

        ``end``: up to which place the chunks behind it are sent next, on this thread; None: no further than this one.
        """
        way = self._way
        body = ChunkBody(way.header, way.source, chunk.range)
        coming = ByteRange(chunk.range.start, chunk.range.end if end is None else end)
        if way.compression is not None:
            announce(way.source, coming)
            packed = Packed(tally)
            writer = way.sink.writer(name, metadata=metadata, when=when, sent=packed.sent)
            return self._compress(way.compression, chunk, body, writer, packed)
        s3, copier = way.source.properties.s3, self._copier
        if copier is not None and s3 is not None and not self.streams(chunk):
            stored = self._copy(copier, name, metadata, chunk, body, s3, when, tally)
            if stored is not None:
                return stored
        announce(way.source, coming)
        return way.sink.put(name, body, checksum=chunk.checksum, metadata=metadata, when=when, sent=tally.add)

    def _copy(
        self,
        copier: Copier,
        name: str,
        metadata: str | None,
        chunk: Chunk,
        body: ChunkBody,
        s3: S3Location,
        when: Condition,
        tally: Tally,
    ) -> StoredObject | None:
        try:
            return copier.copy(
                name,
                self._way.header,
                s3,
                chunk.range,
                checksum=chunk.checksum,
                read=body,
                metadata=metadata,
                when=when,
                sent=tally.add,
            )
        except CopyRefusedError as exc:
            tally.settle(0)
            known, self._copier = self._copier is None, None
            if not known:
                self._way.refused(exc.message)
            return None

    def _compress(
        self, compression: ChunkCompression, chunk: Chunk, body: ChunkBody, writer: ObjectWriter, packed: Packed
    ) -> StoredObject:
        from splitjoin_cli.core.bytes.codecs import compressor  # noqa: PLC0415 -- only where asked for

        try:
            packer, crc, offset = compressor(compression), 0, 0
            buffer = new_buffer(min(COPY_BYTES, max(body.size, 1)))
            while offset < body.size:
                self._check_wanted()
                filled = body.read_at(offset, buffer[: min(len(buffer), body.size - offset)])
                crc = crc64(buffer[:filled], crc)
                writer.write(packed.noted(packer.compress(buffer[:filled]), filled))
                offset += filled
            check_scanned(self._way.source, chunk, crc)
            writer.write(packed.noted(packer.flush(), 0))
            return writer.commit(checksum=None)
        except BaseException:
            writer.abort()
            raise

    def _check_wanted(self) -> None:
        if self._is_stopped():
            raise CorruptObjectError("given up, since another chunk's error ends the split")


def check_scanned(source: Source, chunk: Chunk, crc: int) -> None:
    """The bytes sent must be the bytes scanned. Raises SourceChangedError."""
    if chunk.checksum is not None and crc != chunk.checksum:
        raise SourceChangedError(
            f"{source.properties.uri} is not what was scanned: chunk {chunk.number} is other",
            hint="split it when nothing writes to it any more",
        )
