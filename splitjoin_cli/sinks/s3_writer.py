"""One object on S3 whose size is not known while it is written: parts leave in the background as they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli import checksums
from splitjoin_cli.errors import CorruptObjectError, SplitjoinError, StoreError
from splitjoin_cli.model import ByteRange
from splitjoin_cli.sinks.s3_body import BytesBody
from splitjoin_cli.sinks.s3_multipart import Part, Upload, UploadLostError
from splitjoin_cli.sinks.s3_place import Wanted

if TYPE_CHECKING:
    import threading
    from concurrent.futures import Future

    from splitjoin_cli.model import StoredObject
    from splitjoin_cli.sinks.base import Buffer
    from splitjoin_cli.sinks.s3_multipart import Uploads

__all__ = ["FIRST_PART_BYTES", "S3Writer", "part_bytes"]

FIRST_PART_BYTES = 8 * 1024 * 1024
# After this many parts they grow by the first's size: 10,000 of them hold 6 TiB, the largest object S3 takes fits.
PARTS_OF_ONE_SIZE = 64


def part_bytes(index: int) -> int:
    """The size of part ``index``, from 0."""
    return FIRST_PART_BYTES * (1 + index // PARTS_OF_ONE_SIZE)


class S3Writer:
    """An ObjectWriter on S3. An object that fits in one part is one PUT; memory holds one part, and those in flight."""

    def __init__(self, uploads: Uploads, in_flight: threading.Semaphore, name: str, *, metadata: str | None) -> None:
        """``in_flight`` bounds the filled parts of all writers of a sink."""
        self._uploads = uploads
        self._in_flight = in_flight
        self._name = name
        self._metadata = metadata
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
        wanted = Wanted(self._name, self._size, self._checksum, self._metadata)
        if checksum is not None and checksum != self._checksum:
            self.abort()
            raise CorruptObjectError(
                f"{self._uploads.place.uri(self._name)}: {checksums.tagged(self._checksum)} was written, "
                f"{checksums.tagged(checksum)} was announced"
            )
        rest = memoryview(self._part)[: self._filled]
        if self._upload is None:
            return self._uploads.place.put(wanted, BytesBody(rest))
        self._send(rest)
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
        self._part = bytearray()
        if self._upload is not None:
            self._upload.cancel(self._futures)
            self._upload.abort()

    def _next_part(self) -> None:
        if self._filled:
            self._send(memoryview(self._part))
            for future in self._futures:
                if future.done():
                    future.result()
        self._part = bytearray(part_bytes(len(self._futures)))
        self._filled = 0

    def _send(self, data: memoryview) -> None:
        if self._upload is None:
            self._upload = Upload(self._uploads, self._name, self._metadata)
        self._in_flight.acquire()
        try:
            number, part = len(self._futures) + 1, ByteRange(0, len(data))
            future = self._upload.submit(self._upload.send, number, BytesBody(data), part)
        except SplitjoinError:
            self._in_flight.release()
            raise
        future.add_done_callback(lambda _: self._in_flight.release())
        self._futures.append(future)
