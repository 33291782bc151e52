"""Bodies for sinks: whole ones, and those that fail as sources do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import SourceChangedError

if TYPE_CHECKING:
    from collections.abc import Callable


class Bytes:
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.crc = crc64(data)

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, buffer: memoryview) -> int:
        piece = self.data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)


class EndsEarly(Bytes):
    """Says that it is larger than it is, as a file that was truncated after the plan."""

    @property
    def size(self) -> int:
        return len(self.data) + 1000


class FailsAt(Bytes):
    """Raises from an offset on."""

    def __init__(self, data: bytes, offset: int, error: Exception) -> None:
        super().__init__(data)
        self.offset = offset
        self.error = error

    def read_at(self, offset: int, buffer: memoryview) -> int:
        if offset + len(buffer) > self.offset:
            raise self.error
        return super().read_at(offset, buffer)


class ChangesAfterFirstRead(Bytes):
    """Other bytes of the same size once it was read through, as a file that is rewritten in place."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read = 0

    def read_at(self, offset: int, buffer: memoryview) -> int:
        got = super().read_at(offset, buffer)
        self.read += got
        if self.read > len(self.data):
            buffer[:got] = bytes(got)
        return got


class Blocks(Bytes):
    """Stands still at an offset until it is let go on; says when it got there."""

    def __init__(self, data: bytes, offset: int, *, on_arrival: Callable[[], object] = lambda: None) -> None:
        super().__init__(data)
        self.offset = offset
        self.on_arrival = on_arrival
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def read_at(self, offset: int, buffer: memoryview) -> int:
        if offset >= self.offset and not self.arrived.is_set():
            self.arrived.set()
            self.on_arrival()
            self.go_on.wait(20)
        return super().read_at(offset, buffer)


CHANGED = SourceChangedError("the export changed while it was read")
