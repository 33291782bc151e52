"""What bytes come in: the buffers that hold them, and the contract of a stream of them."""

from __future__ import annotations

from typing import Protocol

Buffer = bytes | bytearray | memoryview


class ByteStream(Protocol):
    """The decompressed (and transcoded) bytes from the front on. Not thread-safe."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer``; return the bytes filled: fewer than asked only at the end.

        Raises BadInputError for a damaged or truncated compressed stream, naming the byte.
        """

    def close(self) -> None:
        """Free what the pass holds. Safe to repeat."""
