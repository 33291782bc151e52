"""The end of the time that a worker is given: what cannot be finished before it is not begun, or undone in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import OutOfTimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.chunks.base import ChunkStore, StoredChunk

__all__ = ["Deadline", "DeadlineChunks"]

MOST_RESERVE_SECONDS = 10.0
RESERVED_SHARE = 0.1
LEAST_LEASE_SECONDS = 2.0


@final
class Deadline:
    """Seconds that are left, less a reserve in which what was begun is undone, recorded and answered.

    The reserve is a tenth of what is left when this is made, at most 10 s.
    """

    def __init__(self, left: Callable[[], float]) -> None:
        """``left``: seconds until the process is stopped, at the time of the call."""
        self._left = left
        self._reserve_seconds = min(MOST_RESERVE_SECONDS, left() * RESERVED_SHARE)
        self._longest_seconds = 0.0
        self._began: float | None = None

    def seconds_left(self) -> float:
        """Until the reserve begins; negative within it."""
        return self._left() - self._reserve_seconds

    def may_begin(self) -> bool:
        """Asked before each piece of work: whether one more fits in that takes as long as the longest before it."""
        left = self.seconds_left()
        if self._began is not None:
            self._longest_seconds = max(self._longest_seconds, self._began - left)
        self._began = left
        return left > self._longest_seconds

    def lease_seconds(self) -> float:
        """The lease of a claim made now: until the reserve begins, when its owner may be gone. Raises OutOfTimeError.

        It needs no renewal. A continuation that ends later still finishes: that asks for no living lease.
        """
        left = self.seconds_left()
        if left < LEAST_LEASE_SECONDS:
            raise OutOfTimeError("too little time is left to begin the join: the event comes again, or a sweep joins")
        return left


@final
class DeadlineChunks:
    """A ChunkStore whose streams fail when the reserve begins: the loader then rolls back, and the failure is told.

    Without it the process would be stopped in the middle. Nothing would be half-loaded then either, since the database
    undoes the transaction of a lost connection; but nobody would have said why.
    """

    def __init__(self, inner: ChunkStore, deadline: Deadline) -> None:
        """``inner`` stays the caller's to close."""
        self._inner = inner
        self._deadline = deadline

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:
        """See ChunkStore."""
        stored = self._inner.open_chunk(uri, body=body)
        return replace(stored, open=lambda: _DeadlineStream(stored.open(), stored.uri, self._deadline))

    def close(self) -> None:
        """See ChunkStore; and above."""


class _DeadlineStream:
    def __init__(self, inner: ByteStream, uri: str, deadline: Deadline) -> None:
        self._inner = inner
        self._uri = uri
        self._deadline = deadline

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream. Raises OutOfTimeError."""
        if self._deadline.seconds_left() <= 0:
            raise OutOfTimeError(
                f"{self._uri}: the time is nearly over and not all of it is loaded; nothing of it stays",
                hint="raise the function's timeout (30 minutes at most, 90 on Managed Instances), or split into smaller"
                " chunks",
            )
        return self._inner.readinto(buffer)

    def close(self) -> None:
        """See ByteStream."""
        self._inner.close()
