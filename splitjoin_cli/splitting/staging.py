"""Writes chunks while the scan still runs, under no name yet: a split into a directory reads its source once.

The scan hands over each block with the cuts in it; its bytes are written from the buffer they were read and scanned in.
A chunk that lies in one block is begun, written and ended in one go, so that a block of many has few open at once.
A cut may lie before the block, in bytes that went to the chunk before it: they move to the new chunk when the last
write of that one is done. The parts that are written on several threads never overlap.
"""

from __future__ import annotations

import threading
from array import array
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.stores.sinks.base import Batches, Condition, Numbering, StagedObject, Staging

MOVE_BYTES = 1 << 20
LEAST_BATCH = 4
"""Chunks of a block that are worth a batch. A batch is written by one thread."""


class _Staged:
    """One chunk being written. ``pending`` counts what must be done before it is whole."""

    __slots__ = ("moves", "object", "pending", "size", "start", "written")

    def __init__(self, staged: StagedObject, start: int, pending: int) -> None:
        self.object = staged
        self.start = start  # of its body, in the source
        self.size: int | None = None  # the body's, when its end is known
        self.written = 0
        self.pending = pending
        self.moves: tuple[_Staged, int] | None = None  # the chunk that takes the rest of this body, from an offset on


class StagedChunks:
    """The chunks of one split, staged; a BlockConsumer. After the scan all of them are whole."""

    def __init__(self, sink: Staging, name_prefix: str) -> None:
        """``name_prefix``: the job's, by which ``sweep`` finds what a killed process left."""
        self._sink, self._name_prefix = sink, name_prefix
        self._batches: Batches | None = getattr(sink, "batches", None)
        self._lock = threading.Lock()
        self._files = array("q")  # of batches, by chunk; 0: it is a staged object by itself, or has its name
        self._alone: dict[int, StagedObject] = {}  # those, by chunk
        self._open: _Staged | None = None
        self._body_start: int | None = None
        self._header = b""

    def __len__(self) -> int:
        return len(self._files)

    def stage(self, number: int) -> StagedObject:
        """Begin chunk ``number`` on its own: whoever asks writes all of it and lets it be adopted, or drops it."""
        return self._sink.stage(self._name_prefix, number)

    def drop(self, staged: StagedObject) -> None:
        """Remove a chunk that was not adopted."""
        self._sink.discard(staged)

    def adopt(self, staged: StagedObject, header: bytes) -> None:
        """The next chunk is ``staged``, written and closed; only before the first ``take``."""
        self._header, self._body_start = header, len(header)
        self._append(staged)

    def take(
        self, block: memoryview, base: int, cuts: Sequence[int], *, header: bytearray | None
    ) -> list[Callable[[], None]]:
        """As in BlockConsumer."""
        if header is None:
            return []
        if self._body_start is None:
            self._header, self._body_start = bytes(header), len(header)
        writes: list[Callable[[], None]] = []
        position = max(base, self._body_start)
        for index, cut in enumerate(cuts):
            if cut < position:
                self._move_tail(cut, position)
                continue
            if self._open is None and self._batches is not None and len(cuts) - index >= LEAST_BATCH:
                writes.append(self._write_all(self._batches, block, base, position, array("q", cuts[index:])))
                position = cuts[-1]
                break
            data = block[position - base : cut - base]
            if self._open is None:
                number = len(self._files) + 1
                self._files.append(0)
                writes.append(partial(self._write_whole, number, data))
            else:
                writes += self._write(data, position)
                self._close(cut)
            position = cut
        return writes + self._write(block[position - base :], position)

    def end(self, cuts: Sequence[int], *, header: bytes) -> None:
        """As in BlockConsumer: all writes are done by now."""
        self._header = header
        for cut in cuts[:-1]:
            self._move_tail(cut, self._written_to())
        if self._open is not None and not cuts and len(self._files) > 1:  # what came after the last cut is in no chunk
            self.drop(self._alone.pop(len(self._files)))
            self._open = None
            self._files.pop()
        if self._open is None and not self._files:  # a header and nothing else: one chunk with 0 rows
            self._begin(len(header))
        if self._open is not None:
            self._close(cuts[-1] if cuts else self._open.start)

    def publish(self, number: int, name: str, *, metadata: str | None, when: Condition) -> None:
        """Make chunk ``number`` visible under ``name``. Raises ObjectChangedError where the condition does not hold."""
        self._sink.publish(self._staged(number), name, metadata=metadata, when=when)
        self._alone.pop(number, None)
        self._files[number - 1] = 0

    def publish_some(self, first: int, count: int, names: Numbering) -> int:
        """Make ``count`` chunks visible from chunk ``first`` on, whose names must be free and have no metadata.

        How many were; at the next one ``publish`` has to say what is to be said. Only for a sink with batches.
        """
        if self._batches is None or not self._files[first - 1]:
            return 0
        with memoryview(self._files)[first - 1 : first - 1 + count] as files:
            named = self._batches.publish_all(files, names, first)
        self._files[first - 1 : first - 1 + named] = array("q", bytes(8 * named))
        return named

    def discard(self) -> None:
        """Remove all of it, and forget it. Safe to repeat, and after some were published."""
        for staged in self._alone.values():
            self._sink.discard(staged)
        self._alone.clear()
        if self._batches is not None:
            for number in filter(None, self._files):
                self._sink.discard(self._batches.staged(number))
        self._files = array("q")

    def _staged(self, number: int) -> StagedObject:
        """A chunk that is whole, as an object by itself."""
        file = self._files[number - 1]
        if not file or self._batches is None:
            return self._alone[number]
        return self._batches.staged(file)

    def _append(self, staged: StagedObject) -> None:
        self._files.append(0)
        self._alone[len(self._files)] = staged

    def _written_to(self) -> int:
        chunk = self._open
        return 0 if chunk is None else chunk.start + chunk.written

    def _begin(self, start: int) -> _Staged:
        staged = self.stage(len(self._files) + 1)
        self._append(staged)
        staged.write_at(0, self._header)
        self._open = _Staged(staged, start, 1)  # 1: its end is not known
        return self._open

    def _write(self, data: memoryview, position: int) -> list[Callable[[], None]]:
        if not data:
            return []
        chunk = self._open or self._begin(position)
        with self._lock:
            chunk.pending += 1
        chunk.written = position + len(data) - chunk.start
        return [partial(self._write_now, chunk, position - chunk.start, data)]

    def _write_all(
        self, batches: Batches, block: memoryview, base: int, start: int, ends: array[int]
    ) -> Callable[[], None]:
        """Chunks that lie in one block from ``start`` on, one after the other."""
        first = batches.reserve(len(ends))
        self._files.extend(range(first, first + len(ends)))
        return partial(batches.stage_all, first, self._header, block[start - base : ends[-1] - base], ends, start)

    def _write_whole(self, number: int, data: memoryview) -> None:
        staged = self.stage(number)
        self._alone[number] = staged
        staged.write_at(0, self._header)
        staged.write_at(len(self._header), data)
        staged.close()

    def _write_now(self, chunk: _Staged, offset: int, data: memoryview) -> None:
        chunk.object.write_at(len(self._header) + offset, data)
        self._done(chunk)

    def _close(self, end: int) -> None:
        chunk, self._open = self._open, None
        if chunk is not None:
            chunk.size = end - chunk.start
            self._done(chunk)

    def _move_tail(self, cut: int, position: int) -> None:
        """The open chunk ends at ``cut``; what it has from there to ``position`` begins the next one."""
        chunk = self._open
        if chunk is None:
            return
        follower = self._begin(cut)
        follower.written = position - cut
        follower.pending += 1
        chunk.moves = (follower, cut - chunk.start)
        chunk.size = cut - chunk.start
        self._done(chunk)

    def _done(self, chunk: _Staged) -> None:
        """One thing less to wait for; the last one makes the chunk whole."""
        with self._lock:
            chunk.pending -= 1
            if chunk.pending:
                return
        size = chunk.size or 0
        if chunk.moves is not None:
            follower, offset = chunk.moves
            self._move(chunk, follower, offset)
            chunk.object.truncate(len(self._header) + size)
            chunk.object.close()
            self._done(follower)
        else:
            if size < chunk.written:
                chunk.object.truncate(len(self._header) + size)
            chunk.object.close()

    def _move(self, chunk: _Staged, follower: _Staged, offset: int) -> None:
        buffer = memoryview(bytearray(min(MOVE_BYTES, max(chunk.written - offset, 1))))
        position = offset
        while position < chunk.written:
            filled = chunk.object.read_at(
                len(self._header) + position, buffer[: min(len(buffer), chunk.written - position)]
            )
            follower.object.write_at(len(self._header) + position - offset, buffer[:filled])
            position += filled
