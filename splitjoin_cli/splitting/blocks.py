"""Reads a source block by block: each is read and scanned on one of several threads, which then waits for its turn.

In its turn a block is taken while it is still in the core's cache; what follows (writing it, in a split to a
directory) again runs beside the other threads.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.reading import read_planned

if TYPE_CHECKING:
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.splitting.intake import Intake
    from splitjoin_cli.splitting.records.base import BlockScanner
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Blocks"]


class Blocks:
    """Of a source from ``start`` on: its beginning, where it cannot seek."""

    def __init__(self, source: Source, intake: Intake, start: int, block_bytes: int, moved: Moved) -> None:
        """``moved`` hears of the bytes as they come."""
        self._source, self._intake, self._start, self._block_bytes = source, intake, start, block_bytes
        self._moved = moved
        self._stream: ByteStream | None = None if source.properties.seekable else source.stream(moved)
        self._tickets = threading.Lock()
        self._next = 0
        self._stream_ended = False
        self._turn = threading.Condition()
        self._current = 0
        self._stopped = False

    def work(self, scanner: BlockScanner) -> None:
        """On one of the threads: read, scan and hand on blocks until there is none left, or ``stop``."""
        buffer = new_buffer(self._block_bytes)
        while not self._stopped and self._one(buffer, scanner):
            pass

    def stop(self) -> None:
        """No more turns."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def close(self) -> None:
        """All threads are done."""
        if self._stream is not None:
            self._stream.close()

    def _one(self, buffer: memoryview, scanner: BlockScanner) -> bool:
        """One block; False when there is none left, or after ``stop``."""
        tally = Tally(self._moved)
        number, filled = self._read(buffer, tally.add)
        if not filled:
            return False
        block = self._intake.look(buffer[:filled], self._offset(number), scanner)
        with self._turn:
            self._turn.wait_for(lambda: self._current == number or self._stopped)
            if self._stopped:
                return False
        # Only the thread whose turn it is gets here: the intake needs no lock of its own.
        writes = self._intake.take(block, scanner)
        with self._turn:
            self._current += 1
            self._turn.notify_all()
        for write in writes:
            write()
        if self._stream is None:
            tally.settle(filled)
        return True

    def _read(self, buffer: memoryview, came: Moved) -> tuple[int, int]:
        """The next block's number and size; 0 bytes at the end. A stream tells by itself what comes."""
        with self._tickets:
            number, self._next = self._next, self._next + 1
            if self._stream is not None:
                if self._stream_ended:
                    return number, 0
                filled = self._stream.readinto(buffer)
                self._stream_ended = filled < len(buffer)
                return number, filled
        wanted = min(self._block_bytes, (self._source.properties.size or 0) - self._offset(number))
        return number, 0 if wanted <= 0 else read_planned(self._source, self._offset(number), buffer[:wanted], came)

    def _offset(self, number: int) -> int:
        return self._start + number * self._block_bytes
