"""One object on S3 whose size is not known while it is written: parts leave in the background as they fill."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.errors import CorruptObjectError, SplitjoinError, StoreError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sinks.s3_body import MAX_PARTS, BytesBody
from splitjoin_cli.stores.sinks.s3_multipart import Part, Upload, UploadLostError
from splitjoin_cli.stores.sinks.s3_place import WantedObject

if TYPE_CHECKING:
    from concurrent.futures import Future

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Condition
    from splitjoin_cli.stores.sinks.s3_multipart import Uploads

__all__ = ["FIRST_PART_BYTES", "PartBuffers", "S3Writer", "part_bytes"]

# The least that S3 takes: each job fills one.
FIRST_PART_BYTES = 5 * 1024 * 1024
# After this many parts they grow by the first's size: 10,000 of them hold 6 TiB. 50 TB, the most that S3 takes, would
# need parts of 5 GiB from nearly the first on, all in memory: what is so large is split into smaller chunks instead.
PARTS_OF_ONE_SIZE = 40
# Of all filled parts together, for each job: beside the part that each job fills, what bounds the memory.
IN_FLIGHT_BYTES = 4 * 1024 * 1024


def part_bytes(index: int) -> int:
    """The size of part ``index``, from 0."""
    return FIRST_PART_BYTES * (1 + index // PARTS_OF_ONE_SIZE)


class PartBuffers:
    """The memory of filled parts: bounded over all writers of a sink, and used again. Thread-safe.

    Fresh pages cost more than the copy into them.
    """

    def __init__(self, jobs: int) -> None:
        """``jobs`` times IN_FLIGHT_BYTES are in flight at most, one part at least; ``jobs`` buffers are kept."""
        self._limit = jobs
        self._most_bytes = jobs * IN_FLIGHT_BYTES
        self._bytes_in_flight = 0
        self._arrived = threading.Condition()
        self._lock = threading.Lock()
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """A buffer of ``size`` bytes, with anything in it."""
        with self._lock:
            for index, buffer in enumerate(self._free):
                if len(buffer) == size:
                    return self._free.pop(index)
        return bytearray(size)

    def give(self, buffer: bytearray) -> None:
        """Take back a buffer that nobody reads any more."""
        with self._lock:
            if len(self._free) == self._limit:
                del self._free[0]
            self._free.append(buffer)

    def depart(self, size: int) -> None:
        """Wait until a part of ``size`` bytes may be in flight, too."""
        with self._arrived:
            self._arrived.wait_for(
                lambda: not self._bytes_in_flight or self._bytes_in_flight + size <= self._most_bytes
            )
            self._bytes_in_flight += size

    def arrive(self, size: int, buffer: bytearray | None) -> None:
        """A part of ``size`` bytes is in flight no more."""
        if buffer is not None:
            self.give(buffer)
        with self._arrived:
            self._bytes_in_flight -= size
            self._arrived.notify_all()


class S3Writer:
    """An ObjectWriter on S3. An object that fits in one part is one PUT; memory holds one part, and those in flight."""

    def __init__(
        self,
        uploads: Uploads,
        buffers: PartBuffers,
        name: str,
        *,
        metadata: str | None,
        when: Condition | None = None,
        sent: Moved | None = None,
    ) -> None:
        """``uploads`` and ``buffers`` are the sink's. ``sent``: hears of bytes as they leave, from any thread."""
        self._uploads = uploads
        self._buffers = buffers
        self._name = name
        self._metadata = metadata
        self._when = when
        self._sent = sent
        self._upload: Upload | None = None
        self._futures: list[Future[Part]] = []
        self._part = bytearray()
        self._filled = 0
        self._size = 0
        self._checksum = 0
        self._closed = False

    def write(self, data: Buffer) -> None:
        """As in ObjectWriter. Raises what a part sent in the background met."""
        if self._closed:
            raise StoreError(f"{self._uploads.place.uri(self._name)}: the writer is closed")
        view = memoryview(data).cast("B")
        self._checksum = checksums.crc64(view, self._checksum)
        self._size += len(view)
        while len(view):
            if self._filled == len(self._part):
                self._next_part()
            taken = min(len(view), len(self._part) - self._filled)
            self._part[self._filled : self._filled + taken] = view[:taken]
            self._filled += taken
            view = view[taken:]

    def commit(self, *, checksum: int | None) -> StoredObject:
        """As in ObjectWriter."""
        self._closed = True
        wanted = WantedObject(self._name, self._size, self._checksum, self._metadata, self._when)
        if checksum is not None and checksum != self._checksum:
            self.abort()
            raise CorruptObjectError(
                f"{self._uploads.place.uri(self._name)}: {checksums.tagged(self._checksum)} was written, "
                f"{checksums.tagged(checksum)} was announced"
            )
        if self._upload is None:
            stored = self._uploads.place.put(wanted, BytesBody(memoryview(self._part)[: self._filled]), self._sent)
            self._give_back()
            return stored
        self._send()
        try:
            with self._upload as upload:
                return upload.finish(upload.gather(self._futures), wanted)
        except UploadLostError:
            # Our own CompleteMultipartUpload may have arrived although its answer did not.
            found = self._uploads.place.kept(wanted)
            if found is None:
                raise
            return found

    def abort(self) -> None:
        """As in ObjectWriter."""
        self._closed = True
        self._give_back()
        if self._upload is not None:
            self._upload.cancel(self._futures)
            self._upload.abort()

    def _next_part(self) -> None:
        if len(self._futures) >= MAX_PARTS - 1 and self._filled:
            most = sum(map(part_bytes, range(MAX_PARTS)))
            raise StoreError(
                f"{self._uploads.place.uri(self._name)}: one object takes {most:,} bytes of a stream, in {MAX_PARTS:,}"
                " parts, and there are more",
                hint="make smaller chunks",
            )
        if self._filled:
            self._send()
            for future in self._futures:
                if future.done():
                    future.result()
        self._part = self._buffers.take(part_bytes(len(self._futures)))
        self._filled = 0

    def _give_back(self) -> None:
        part, self._part, self._filled = self._part, bytearray(), 0
        if part:
            self._buffers.give(part)

    def _send(self) -> None:
        """Hand the filled part over to the pool, and its memory with it."""
        if self._upload is None:
            self._upload = Upload(self._uploads, self._name, self._metadata)
        buffer, size = self._part, self._filled
        self._part, self._filled = bytearray(), 0
        self._buffers.depart(len(buffer))
        try:
            number, body = len(self._futures) + 1, BytesBody(memoryview(buffer)[:size])
            future = self._upload.submit(self._upload.send, number, body, ByteRange(0, size), self._sent)
        except SplitjoinError:
            self._buffers.arrive(len(buffer), None)
            raise
        future.add_done_callback(lambda _: self._buffers.arrive(len(buffer), buffer))
        self._futures.append(future)
