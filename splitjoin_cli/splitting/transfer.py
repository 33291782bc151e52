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
from splitjoin_cli.splitting.one_chunk import COPY_BYTES, Sender, check_scanned
from splitjoin_cli.splitting.packed import Packed
from splitjoin_cli.splitting.stretches import MOST_BYTES, Stretches, neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.splitting.one_chunk import Way
    from splitjoin_cli.splitting.standing import Place
    from splitjoin_cli.stores.sinks.base import Condition, ObjectWriter

FATAL = (BadInputError, NameTakenError, SourceChangedError, StoppedError, UsageError)
"""What makes every other chunk wrong or unwanted, too; anything else fails one chunk."""


CHANGES = 3
"""How often what a chunk replaces may change before that chunk has failed."""


@dataclass(frozen=True, slots=True)
class TransferJob:
    """What all chunks of a transfer share. ``name`` and ``metadata`` give a chunk's from the chunk.

    ``when``: the condition on which it is stored; ``again``: what is there where that did not hold.
    """

    way: Way
    name: Callable[[Chunk], str]
    metadata: Callable[[Chunk], str | None]
    when: Callable[[Chunk], Condition]
    again: Callable[[Chunk], Place]
    done: Callable[[Chunk, StoredObject], None]
    failed: Callable[[Chunk, SplitjoinError], None]


class Transfer:
    """Sends chunks. ``jobs`` at once, at most; chunks are taken from the iterable as there is room."""

    def __init__(self, job: TransferJob, executor: Executor, jobs: int) -> None:
        """``executor`` runs at least ``jobs`` calls at once."""
        self._job, self._executor, self._jobs = job, executor, jobs
        self._way = job.way
        self._stop = threading.Event()
        self._sender = Sender(job.way, self._stop.is_set)

    def run(self, chunks: Iterable[Chunk], size: int) -> None:
        """Send them all. Each ends in ``done`` or ``failed``; raises what makes all of them wrong.

        ``size``: bytes of all together, at most.
        """
        properties = self._way.source.properties
        if not properties.seekable:
            self._stream(chunks)
        elif not properties.read_bytes:
            self._bounded(partial(self._guarded, chunk, self._send) for chunk in chunks)
        else:
            most = min(MOST_BYTES, -(-size // self._jobs))
            stretches = neighbours(chunks, self._sender.streams, most_bytes=most)
            self._bounded(Stretches(self._send_one).calls(stretches, self._jobs))

    def _send_one(self, chunk: Chunk, end: int) -> None:
        """Send one chunk of a stretch that goes on to ``end``."""
        self._guarded(chunk, partial(self._send, end=end))

    def _bounded(self, calls: Iterable[Callable[[], None]]) -> None:
        """Run calls, at most ``jobs`` under way at any time; the first error that one raises ends it."""
        in_any_order(self._executor, calls, self._jobs, self._give_up)

    def _give_up(self) -> None:
        self._stop.set()
        self._way.sink.close()  # what is under way ends at its next block, and is undone

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
                self._way.source.check_unchanged()
            self._job.failed(chunk, exc)
        else:
            self._job.done(chunk, stored)

    def _send(self, chunk: Chunk, end: int | None = None) -> StoredObject:
        """Store a chunk over what was seen; where that has changed, look again: it may be stored by now."""
        tally = Tally(self._way.observer.advance)
        try:
            stored = self._send_until_stored(chunk, tally, end)
        except BaseException:
            tally.settle(0)
            raise
        tally.settle(len(self._way.header) + chunk.range.size)
        return stored

    def _send_until_stored(self, chunk: Chunk, tally: Tally, end: int | None) -> StoredObject:
        job = self._job
        when = job.when(chunk)
        for _ in range(CHANGES):
            try:
                return self._sender.send(chunk, job.name(chunk), job.metadata(chunk), when, tally, end)
            except ObjectChangedError:
                tally.settle(0)
                place = job.again(chunk)
                if place.stored is not None:
                    return place.stored
                when = place.when
        return self._sender.send(chunk, job.name(chunk), job.metadata(chunk), when, tally, end)

    def _stream(self, chunks: Iterable[Chunk]) -> None:
        """A source that cannot seek: one pass, chunk after chunk; what ends a chunk runs beside the next one."""
        stream = self._way.source.stream()
        try:
            reader = _Reader(stream, self._way.source.properties.uri)
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

        job, way = self._job, self._way
        reader.skip_to(chunk.range.start)
        tally = Tally(way.observer.advance)
        packed = Packed(tally)
        writer = way.sink.writer(job.name(chunk), metadata=job.metadata(chunk), when=job.when(chunk), sent=packed.sent)
        try:
            packer = None if way.compression is None else compressor(way.compression)
            crc = crc64(way.header)
            writer.write(packed.noted(way.header if packer is None else packer.compress(way.header), len(way.header)))
            for piece in reader.read_to(chunk.range.end):
                crc = crc64(piece, crc)
                writer.write(packed.noted(piece if packer is None else packer.compress(piece), len(piece)))
            check_scanned(way.source, chunk, crc)
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
        tally.settle(len(self._way.header) + chunk.range.size)
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
