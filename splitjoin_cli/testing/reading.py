"""How tests read a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.sources.base import Source


class PiecewiseStream:
    """A ByteStream over bytes that hands out what is asked for, and knows whether it was closed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        self.closed = False

    def readinto(self, buffer: memoryview) -> int:
        part = self._data[self._offset : self._offset + len(buffer)]
        buffer[: len(part)] = part
        self._offset += len(part)
        return len(part)

    def close(self) -> None:
        self.closed = True


def drained(stream: ByteStream, buffer_bytes: int = 65536) -> bytes:
    """All bytes of a pass, which is closed; each read but the last two fills the buffer."""
    out = bytearray()
    buffer = memoryview(bytearray(buffer_bytes))
    try:
        while True:
            count = stream.readinto(buffer)
            out += buffer[:count]
            if count < buffer_bytes:
                assert stream.readinto(buffer) == 0, "bytes after a read that was not filled"
                return bytes(out)
    finally:
        stream.close()


def read_through(source: Source, buffer_bytes: int = 65536) -> bytes:
    """One pass over ``source``."""
    return drained(source.stream(), buffer_bytes)


def read_range(source: Source, offset: int, size: int) -> bytes:
    """What ``read_at`` fills of a buffer of ``size`` bytes; the rest of the buffer must stay as it was."""
    buffer = memoryview(bytearray(b"\xa5" * size))
    count = source.read_at(offset, buffer)
    assert bytes(buffer[count:]) == b"\xa5" * (size - count)
    return bytes(buffer[:count])
