"""Moves the chunks of a plan into a sink, in parallel, in bounded memory: a failed chunk does not stop the others."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import (
    BadInputError,
    CopyRefusedError,
    CorruptObjectError,
    NameTakenError,
    ObjectChangedError,
    SourceChangedError,
    SplitjoinError,
    StoppedError,
    UsageError,
)
from splitjoin_cli.core.parallel import in_any_order
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.packed import Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.bytes.codecs import ChunkCompression
    from splitjoin_cli.core.model import ByteRange, Chunk, S3Location, StoredObject
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.standing import Place
    from splitjoin_cli.stores.sinks.base import Condition, Copier, ObjectWriter, Sink
    from splitjoin_cli.stores.sources.base import Source

COPY_BYTES = 1 << 20
FATAL = (BadInputError, NameTakenError, SourceChangedError, StoppedError, UsageError)
"""What makes every other chunk wrong or unwanted, too; anything else fails one chunk."""


CHANGES = 3
"""How often what a chunk replaces may change before that chunk has failed."""


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
class TransferJob:
    """What all chunks of a transfer share. ``name`` and ``metadata`` give a chunk's from the chunk.

    ``when``: the condition on which it is stored; ``again``: what is there where that did not hold.
    """

    source: Source
    sink: Sink
    header: bytes
    compression: ChunkCompression | None
    name: Callable[[Chunk], str]
    metadata: Callable[[Chunk], str | None]
    when: Callable[[Chunk], Condition]
    again: Callable[[Chunk], Place]
    done: Callable[[Chunk, StoredObject], None]
    failed: Callable[[Chunk, SplitjoinError], None]
    observer: Observer
    copier: Copier | None = None


class Transfer:
    """Sends chunks. ``jobs`` at once, at most; chunks are taken from the iterable as there is room."""

    def __init__(self, job: TransferJob, executor: Executor, jobs: int) -> None:
        """``executor`` runs at least ``jobs`` calls at once."""
        self._job, self._executor, self._jobs = job, executor, jobs
        self._copier = job.copier
        self._stop = threading.Event()

    def run(self, chunks: Iterable[Chunk]) -> None:
        """Send them all. Each ends in ``done`` or ``failed``; raises what makes all of them wrong."""
        if self._job.source.properties.seekable:
            self._bounded(partial(self._guarded, chunk, self._send) for chunk in chunks)
        else:
            self._stream(chunks)

    def _bounded(self, calls: Iterable[Callable[[], None]]) -> None:
        """Run calls, at most ``jobs`` under way at any time; the first error that one raises ends it."""
        in_any_order(self._executor, calls, self._jobs, self._give_up)

    def _give_up(self) -> None:
        self._stop.set()
        self._job.sink.close()  # what is under way ends at its next block, and is undone

    def _guarded(self, chunk: Chunk, send: Callable[[Chunk], StoredObject]) -> None:
        """Send one chunk, and sort what goes wrong: fatal for all, or a failure of this one.

        Once all is given up, what breaks because of it (the sink is closed) is no news.
        """
        if self._stop.is_set():
            return
        try:
            stored = send(chunk)
        except FATAL:
            self._stop.set()
            raise
        except SplitjoinError as exc:
            if self._stop.is_set():
                return
            if isinstance(exc, CorruptObjectError):  # other bytes than were scanned: is it the source, or the way?
                self._job.source.check_unchanged()
            self._job.failed(chunk, exc)
        else:
            self._job.done(chunk, stored)

    def _send(self, chunk: Chunk) -> StoredObject:
        """Store a chunk over what was seen; where that has changed, look again: it may be stored by now."""
        tally = Tally(self._job.observer.advance)
        try:
            stored = self._send_until_stored(chunk, tally)
        except BaseException:
            tally.settle(0)
            raise
        tally.settle(len(self._job.header) + chunk.range.size)
        return stored

    def _send_until_stored(self, chunk: Chunk, tally: Tally) -> StoredObject:
        when = self._job.when(chunk)
        for _ in range(CHANGES):
            try:
                return self._send_once(chunk, when, tally)
            except ObjectChangedError:
                tally.settle(0)
                place = self._job.again(chunk)
                if place.stored is not None:
                    return place.stored
                when = place.when
        return self._send_once(chunk, when, tally)

    def _send_once(self, chunk: Chunk, when: Condition, tally: Tally) -> StoredObject:
        job = self._job
        name, metadata = job.name(chunk), job.metadata(chunk)
        body = ChunkBody(job.header, job.source, chunk.range)
        if job.compression is not None:
            packed = Packed(tally)
            writer = job.sink.writer(name, metadata=metadata, when=when, sent=packed.sent)
            return self._compress(chunk, body, writer, packed)
        s3 = job.source.properties.s3
        copier = self._copier
        if copier is not None and s3 is not None and body.size >= copier.least_copy_bytes:
            stored = self._copy(copier, name, metadata, chunk, body, s3, when, tally)
            if stored is not None:
                return stored
        return job.sink.put(name, body, checksum=chunk.checksum, metadata=metadata, when=when, sent=tally.add)

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
                self._job.header,
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
            if self._copier is not None:
                self._job.observer.detail(f"copying on the server was refused, streaming instead: {exc.message}")
            self._copier = None
            return None

    def _compress(self, chunk: Chunk, body: ChunkBody, writer: ObjectWriter, packed: Packed) -> StoredObject:
        from splitjoin_cli.core.bytes.codecs import compressor  # noqa: PLC0415 -- only where asked for

        assert self._job.compression is not None  # noqa: S101 -- the caller looked
        try:
            packer, crc, offset = compressor(self._job.compression), 0, 0
            buffer = new_buffer(min(COPY_BYTES, max(body.size, 1)))
            while offset < body.size:
                self._check_stopped()
                filled = body.read_at(offset, buffer[: min(len(buffer), body.size - offset)])
                crc = crc64(buffer[:filled], crc)
                writer.write(packed.noted(packer.compress(buffer[:filled]), filled))
                offset += filled
            self._check(chunk, crc)
            writer.write(packed.noted(packer.flush(), 0))
            return writer.commit(checksum=None)
        except BaseException:
            writer.abort()
            raise

    def _check(self, chunk: Chunk, crc: int) -> None:
        """The bytes sent must be the bytes scanned."""
        if chunk.checksum is not None and crc != chunk.checksum:
            raise SourceChangedError(
                f"{self._job.source.properties.uri} is not what was scanned: chunk {chunk.number} is other",
                hint="split it when nothing writes to it any more",
            )

    def _check_stopped(self) -> None:
        if self._stop.is_set():
            raise CorruptObjectError("given up, since another chunk's error ends the split")

    def _stream(self, chunks: Iterable[Chunk]) -> None:
        """A source that cannot seek: one pass, chunk after chunk; what ends a chunk runs beside the next one."""
        stream = self._job.source.stream()
        try:
            reader = _Reader(stream, self._job.source.properties.uri)
            self._bounded(self._streamed(reader, chunks))
        finally:
            stream.close()

    def _streamed(self, reader: _Reader, chunks: Iterable[Chunk]) -> Iterable[Callable[[], None]]:
        for chunk in chunks:
            if self._stop.is_set():
                return
            try:
                commit = self._write_streamed(reader, chunk)
            except FATAL:
                raise
            except SplitjoinError as exc:
                self._job.failed(chunk, exc)
                continue
            yield partial(self._guarded, chunk, commit)

    def _write_streamed(self, reader: _Reader, chunk: Chunk) -> Callable[[Chunk], StoredObject]:
        """Write one chunk as far as its last byte; the answer makes it visible."""
        from splitjoin_cli.core.bytes.codecs import compressor  # noqa: PLC0415 -- only where asked for

        job = self._job
        reader.skip_to(chunk.range.start)
        tally = Tally(job.observer.advance)
        packed = Packed(tally)
        writer = job.sink.writer(job.name(chunk), metadata=job.metadata(chunk), when=job.when(chunk), sent=packed.sent)
        try:
            packer = None if job.compression is None else compressor(job.compression)
            crc = crc64(job.header)
            writer.write(packed.noted(job.header if packer is None else packer.compress(job.header), len(job.header)))
            for piece in reader.read_to(chunk.range.end):
                crc = crc64(piece, crc)
                writer.write(packed.noted(piece if packer is None else packer.compress(piece), len(piece)))
            self._check(chunk, crc)
            if packer is not None:
                writer.write(packed.noted(packer.flush(), 0))
        except BaseException:
            writer.abort()
            tally.settle(0)
            raise
        return partial(self._commit, writer, tally, chunk.checksum if packer is None else None)

    def _commit(self, writer: ObjectWriter, tally: Tally, checksum: int | None, chunk: Chunk) -> StoredObject:
        """Make a chunk visible that is written to its last byte."""
        try:
            stored = writer.commit(checksum=checksum)
        except ObjectChangedError:
            writer.abort()
            place = self._job.again(chunk)
            if place.stored is None:
                tally.settle(0)
                raise
            stored = place.stored
        except BaseException:
            writer.abort()
            tally.settle(0)
            raise
        tally.settle(len(self._job.header) + chunk.range.size)
        return stored


class _Reader:
    """A stream that knows where it is."""

    def __init__(self, stream: ByteStream, uri: str) -> None:
        self._stream, self._uri = stream, uri
        self._buffer = new_buffer(COPY_BYTES)
        self._position = 0

    def skip_to(self, offset: int) -> None:
        for _ in self.read_to(offset):
            pass

    def read_to(self, offset: int) -> Iterable[memoryview]:
        """The bytes up to ``offset``, in one buffer that is used again."""
        while self._position < offset:
            filled = self._stream.readinto(self._buffer[: min(COPY_BYTES, offset - self._position)])
            if not filled:
                raise SourceChangedError(
                    f"{self._uri} ended at byte {self._position}, before the end that was scanned",
                    hint="split it when nothing writes to it any more",
                )
            self._position += filled
            yield self._buffer[:filled]
