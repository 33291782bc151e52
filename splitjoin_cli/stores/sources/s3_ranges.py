"""Ranged GETs of one object on S3: pinned to its ETag, resumed where a connection breaks, read ahead in a pass."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import SourceChangedError, SourceError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sources.idle_ranges import IdleRanges, note

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from splitjoin_cli.core.aws.s3 import Bucket
    from splitjoin_cli.core.progress import Moved

__all__ = ["Cursors", "OpenRange", "PinnedObject", "ReadAhead", "read_parallel"]

MIB = 1024 * 1024
STEP_BYTES = 256 * 1024
READ_AHEAD_BYTES = 8 * MIB
READ_AHEAD_COUNT = 4
# A reader that goes on where it stopped gets a longer range each time, up to this: what is left when it stops is lost.
LONGEST_RANGE_BYTES = 32 * MIB
GROWTH = 4
STARTS_KEPT = 4096
CHANGED_CODES = frozenset({"PreconditionFailed", "412", "NoSuchKey", "404", "InvalidRange", "416"})


class PinnedObject:
    """One object with the ETag that it must keep. Thread-safe."""

    def __init__(self, bucket: Bucket, key: str, *, etag: str, size: int) -> None:
        """``etag`` as the store writes it, quotes included; ``size`` in bytes."""
        self.bucket = bucket
        self.key = key
        self.etag = etag
        self.size = size

    @property
    def uri(self) -> str:
        """As messages name it."""
        return self.bucket.uri(self.key)

    def changed(self) -> SourceChangedError:
        """The error for an object that is no longer the one that was opened."""
        return SourceChangedError(
            f"{self.uri} changed while it was read", hint="run it again when the file is complete"
        )

    def get(self, part: ByteRange) -> Any:  # noqa: ANN401 -- botocore's StreamingBody
        """The body of one GET of the range, not repeated. Raises botocore's errors, SourceChangedError, SourceError."""
        try:
            answer = self.bucket.once(
                "get_object", self.key, Range=f"bytes={part.start}-{part.end - 1}", IfMatch=self.etag
            )
        except aws.ERRORS as exc:
            if aws.error_code(exc) in CHANGED_CODES:
                raise self.changed() from exc
            raise
        body = answer["Body"]
        if answer.get("ETag") != self.etag:
            body.close()
            raise self.changed()
        asked = f"bytes {part.start}-{part.end - 1}/"
        as_asked = answer.get("ContentRange", f"{asked}*") in (f"{asked}{self.size}", f"{asked}*")
        if not as_asked or answer.get("ContentLength") != part.size:
            body.close()
            raise SourceError(f"{self.uri}: the store does not answer ranges of bytes as asked")
        return body


class OpenRange:
    """A range being read from front to back, by one thread at a time. ``asked``: the bytes that were wanted last."""

    def __init__(self, pinned: PinnedObject, part: ByteRange) -> None:
        """Nothing is asked for yet."""
        self.start = part.start
        self.position = part.start
        self.asked = part.size
        self._pinned = pinned
        self._end = part.end
        self._body: Any = None
        self._body_end = part.start

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self.position

    def extend(self, end: int, asked: int) -> None:
        """Go on to ``end`` once what was asked for is read; see ``asked``."""
        self.asked = asked
        self._end = max(self._end, min(end, self._pinned.size))

    def fill(self, view: memoryview, came: Moved | None = None) -> None:
        """Read ``len(view)`` bytes, of which ``came`` hears as they come.

        A broken connection is resumed where it broke; progress makes up for failures.
        """
        bucket, done = self._pinned.bucket, 0
        with bucket.translating("get_object", self._pinned.key):
            while done < len(view):
                done += bucket.repeat(partial(self._some, view[done:], came), "get_object", self._pinned.key)

    def close(self) -> None:
        """Drop the connection where bytes are left on it. Safe to repeat."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _some(self, view: memoryview, came: Moved | None) -> int:
        """At least one byte of what is open or is opened now; as many as come before the range ends or breaks."""
        if self._body is None:
            self._body = self._pinned.get(ByteRange(self.position, self._end))
            self._body_end = self._end
        got, wanted = 0, min(len(view), self._body_end - self.position)
        try:
            while got < wanted and not self._pinned.bucket.stop.is_set():
                read = self._body.readinto(view[got : min(got + STEP_BYTES, wanted)])
                got += read
                self.position += read
                if came is not None:
                    came(read)
        except aws.ERRORS:
            self.close()
            if not got:
                raise
        if self.position == self._body_end:
            self.close()
        return got


class Cursors:
    """Ranges that stand where readers stopped, each longer than the one before. Thread-safe."""

    def __init__(self, pinned: PinnedObject, *, limit: int) -> None:
        """At most ``limit`` are kept, those that were used last."""
        self._pinned = pinned
        self._idle: IdleRanges[OpenRange] = IdleRanges(limit=limit, noted=STARTS_KEPT)
        self._lock = threading.Lock()
        self._starts: OrderedDict[int, None] = OrderedDict()  # of readers that went on, the latest last

    def read(self, offset: int, view: memoryview, came: Moved | None = None) -> None:
        """Fill ``view`` from ``offset`` on; ``came`` hears of bytes as they come."""
        cursor, announced = self._idle.take(offset)
        # A reader that was announced begins here; the one before, whose end this is, goes no further.
        if cursor is None or (announced > 0 and not cursor.left):
            asked = max(len(view), min(announced, LONGEST_RANGE_BYTES))
            cursor = OpenRange(self._pinned, ByteRange(offset, offset + asked))
        elif cursor.left < len(view):
            asked = max(len(view), min(cursor.asked * GROWTH, LONGEST_RANGE_BYTES))
            cursor.extend(self._useful_end(cursor.start, offset + len(view), offset + asked), asked)
        try:
            cursor.fill(view, came)
        except BaseException:
            cursor.close()
            raise
        self._idle.keep(cursor)

    def announce(self, part: ByteRange) -> None:
        """As in IdleRanges."""
        self._idle.announce(part)

    def close(self) -> None:
        """Drop all."""
        self._idle.close()

    def _useful_end(self, start: int, least: int, most: int) -> int:
        """How far to ask for the reader that began at ``start``: where another one began, this one will stop.

        Chunks lie side by side and are read at once; what is asked for beyond one's end would come twice.
        """
        end = self._idle.announced_end(start)
        if end is not None:
            return max(least, min(end, most))
        with self._lock:
            note(self._starts, start, None, STARTS_KEPT)
            return min((other for other in self._starts if least <= other < most), default=most)


def read_parallel(
    pinned: PinnedObject, pool: ThreadPoolExecutor, offset: int, view: memoryview, came: Moved | None = None
) -> None:
    """Fill a large buffer by several GETs at once."""
    starts = range(0, len(view), READ_AHEAD_BYTES)
    pieces = [(offset + start, view[start : start + READ_AHEAD_BYTES]) for start in starts]
    futures = [pool.submit(_read_whole, pinned, start, piece, came) for start, piece in pieces]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        for future in futures:  # the caller's buffer must not be written to any more
            if not future.cancelled():
                future.exception()


class ReadAhead:
    """One pass over the object, a few ranges ahead of the reader: a ByteStream. Memory: READ_AHEAD_COUNT buffers."""

    def __init__(self, pinned: PinnedObject, pool: ThreadPoolExecutor, came: Moved | None = None) -> None:
        """Begins to read at once. ``came`` hears of bytes as they come, before they are asked for here."""
        self._came = came
        self._pinned = pinned
        self._pool = pool
        self._asked = 0
        self._coming: deque[tuple[Future[None], memoryview]] = deque()
        self._block = memoryview(b"")
        self._place = 0
        self._closed = False
        for _ in range(READ_AHEAD_COUNT):
            self._ask(None)

    def readinto(self, buffer: memoryview) -> int:
        """As in ByteStream."""
        if self._closed:
            raise ValueError("the stream is closed")
        done = 0
        while done < len(buffer) and (self._place < len(self._block) or self._next()):
            taken = min(len(buffer) - done, len(self._block) - self._place)
            buffer[done : done + taken] = self._block[self._place : self._place + taken]
            done += taken
            self._place += taken
        return done

    def close(self) -> None:
        """As in ByteStream."""
        self._closed = True
        while self._coming:
            future, _ = self._coming.popleft()
            if not future.cancel():
                with contextlib.suppress(Exception):
                    future.result()

    def _next(self) -> bool:
        """Go on to the next block; its predecessor's memory is filled anew."""
        if not self._coming:
            return False
        future, block = self._coming.popleft()
        future.result()
        old, self._block, self._place = self._block, block, 0
        self._ask(old.obj if len(old) else None)
        return True

    def _ask(self, memory: Any) -> None:  # noqa: ANN401 -- the object behind a memoryview has no better type
        size = min(READ_AHEAD_BYTES, self._pinned.size - self._asked)
        if size > 0:
            view = memoryview(bytearray(size) if memory is None else memory)[:size]
            self._coming.append((self._pool.submit(_read_whole, self._pinned, self._asked, view, self._came), view))
            self._asked += size


def _read_whole(pinned: PinnedObject, offset: int, view: memoryview, came: Moved | None) -> None:
    part = OpenRange(pinned, ByteRange(offset, offset + len(view)))
    try:
        part.fill(view, came)
    finally:
        part.close()
