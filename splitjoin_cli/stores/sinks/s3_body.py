"""Request bodies that botocore sends as they are: large blocks from one reused buffer, as often as it takes."""

from __future__ import annotations

import hashlib
import threading
from base64 import b64encode
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.errors import SourceChangedError, SourceError, StoreError
from splitjoin_cli.core.model import ByteRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body

__all__ = ["MAX_PARTS", "BytesBody", "RequestBody", "UploadStoppedError", "content_md5", "plan_parts"]

MAX_PARTS = 10_000
MIB = 1024 * 1024
# Stays in the L2 cache, and is large enough that Python's work per block does not show (measured: 64 KiB costs a
# quarter more CPU, 1 MiB saves nothing).
BLOCK_BYTES = 256 * 1024

_of_thread = threading.local()


def _block() -> memoryview:
    """The calling thread's buffer. One request at a time is sent from a thread, so one buffer is enough."""
    if not hasattr(_of_thread, "block"):
        _of_thread.block = new_buffer(BLOCK_BYTES)
    block: memoryview = _of_thread.block
    return block


class UploadStoppedError(StoreError):
    """The body ended because something else did: another part failed, or the sink is closing."""


class BytesBody:
    """Bytes in memory as a Body. They must not change before the request is done."""

    def __init__(self, data: Buffer) -> None:
        """``data`` is not copied."""
        self._data = memoryview(data)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self._data)

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in Body."""
        piece = self.view(offset, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def view(self, offset: int, size: int) -> memoryview:
        """The bytes themselves."""
        return self._data[offset : offset + size]


class RequestBody:
    """A range of a Body as the file that botocore sends. For one thread; its blocks are valid until the next ``read``.

    ``read`` ignores the size it is asked for: http.client and urllib3 send what they get, and their own 16 KiB
    would cost three times the CPU.
    """

    def __init__(
        self, body: Body, part: ByteRange, *, uri: str, stopped: Callable[[], bool], sent: Moved | None = None
    ) -> None:
        """``uri``: of the object, for messages. ``stopped``: asked before each block.

        Once it says yes, ``read`` raises UploadStoppedError. ``sent``: hears of each block when it is sent, and of
        what is to be sent again. The passes for a digest do not count.
        """
        self._body = body
        self._part = part
        self._uri = uri
        self._stopped = stopped
        self._position = 0
        self._sent, self._told = sent, 0
        self.block_bytes = BLOCK_BYTES
        """What ``read`` gives at most; who sends slowly makes it less."""
        self._checksum: int | None = None
        # Bytes in memory are sent from where they lie.
        self._lying = body if isinstance(body, BytesBody) else None

    def __len__(self) -> int:
        return self._part.size

    @property
    def checksum(self) -> int:
        """The CRC-64/NVME of the range, from a pass of its own the first time that it is asked for."""
        if self._checksum is None:
            summed = 0
            for block in self.blocks():
                summed = checksums.crc64(block, summed)
            self._checksum = summed
        return self._checksum

    def tell(self) -> int:
        """As files have it."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """As files have it."""
        self._position = (0, self._position, self._part.size)[whence] + offset
        self._tell(min(self._told, self._position))
        return self._position

    def read(self, _size: int = -1) -> memoryview:
        """The next block, empty at the end.

        Raises SourceChangedError where the source ends early, SourceError where it cannot be read.
        """
        self._tell(max(self._told, self._position))  # who asks for more has sent what it had
        return self._next()

    def blocks(self) -> Iterator[memoryview]:
        """All blocks from the front."""
        self.seek(0)
        while len(view := self._next()):
            yield view

    def _tell(self, told: int) -> None:
        """Let ``told`` bytes count as sent."""
        change, self._told = told - self._told, told
        if change and self._sent is not None:
            self._sent(change)

    def _next(self) -> memoryview:
        if self._stopped():
            raise UploadStoppedError(f"{self._uri}: stopped before it was done")
        wanted = min(self.block_bytes, self._part.size - self._position)
        if wanted <= 0:
            return memoryview(b"")
        if self._lying is not None:
            view = self._lying.view(self._part.start + self._position, wanted)
        else:
            view = _block()[:wanted]
            self._fill(view)
        self._position += wanted
        return view

    def _fill(self, view: memoryview) -> None:
        place = self._part.start + self._position
        try:
            got = self._body.read_at(place, view)
        except OSError as exc:
            raise SourceError(f"{self._uri}: cannot read the source: {exc.strerror or exc}") from exc
        if got < len(view):
            missing = self._part.size - self._position - got
            raise SourceChangedError(f"{self._uri}: the source ended {missing} bytes early")


def content_md5(body: RequestBody) -> str:
    """The body's Content-MD5 (RFC 1864), by reading it."""
    digest = hashlib.md5(usedforsecurity=False)
    for block in body.blocks():
        digest.update(block)
    return b64encode(digest.digest()).decode("ascii")


def plan_parts(size: int, part_bytes: int, most: int = MAX_PARTS) -> list[ByteRange]:
    """Ranges of ``part_bytes``, or of what ``most`` parts need if that is more; the last may be smaller.

    10,000 parts of 5 GiB hold the largest object that S3 takes, 50 TB (S3 user guide, "Multipart upload limits").
    """
    least = -(-size // most)
    step = max(part_bytes, -(-least // MIB) * MIB)
    return [ByteRange(start, min(start + step, size)) for start in range(0, size, step)]
