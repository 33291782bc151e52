"""The source beside the chunks: read by places, and compared with what the chunks hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.splitting.stored.chunks import BLOCK_BYTES

if TYPE_CHECKING:
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import ByteRange
    from splitjoin_cli.splitting.stored.around import Placed

__all__ = ["Comparison", "Forward"]


class Forward:
    """A source that cannot seek, read by places that never go back."""

    def __init__(self, stream: ByteStream) -> None:
        """``stream``: at its begin."""
        self._stream = stream
        self._at = 0
        self._passed = memoryview(bytearray(BLOCK_BYTES))

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """See Source; what lies between is passed over."""
        while self._at < offset:
            got = self._stream.readinto(self._passed[: offset - self._at])
            if not got:
                return 0
            self._at += got
        got = self._stream.readinto(buffer)
        self._at += got
        return got


class Comparison:
    """Compares a chunk's body, block by block, with its range of the source."""

    def __init__(self, source: Placed, place: ByteRange, block_bytes: int) -> None:
        """``place``: of the body in the source; ``block_bytes``: of the largest block."""
        self.differs_at: int | None = None
        self._source = source
        self._at = place.start
        self._end = place.end
        self._expected = bytearray(block_bytes)

    def feed(self, block: memoryview) -> None:
        """Compare the next bytes of the body; what is beyond the range is not the source's business."""
        block = block[: self._end - self._at]
        if self.differs_at is not None or not block:
            return
        got = self._source.read_at(self._at, memoryview(self._expected)[: len(block)])
        # A bytearray is compared at once, and a memoryview byte by byte: it must not be on the left.
        same = self._expected == block if got == len(self._expected) else self._expected[:got] == block[:got]
        if not same or got < len(block):
            other = (at for at in range(got) if self._expected[at] != block[at])
            self.differs_at = self._at + next(other, got)
        self._at += len(block)
