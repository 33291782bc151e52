"""Crashes and failures at any I/O, drawn from seed, chunk and attempt, so that the same seed makes the same trouble."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from splitjoin_cli.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.chunks.base import ChunkStore, StoredChunk

__all__ = ["CrashError", "FaultRates", "Faults", "FaultyChunks", "FaultyIo", "InjectedError", "Trouble"]

STEPS = 24
"""A handled event has 10 to 30 moments before and after its I/Os: each of the first so many is as likely."""
READS = 2
"""Reads of one pass over a chunk that are such moments: a large chunk has thousands."""
SPARED_AFTER = 100
"""Attempts of one event that may meet a fault: so that even a probability of 1 comes to an end."""
LAST = "before the acknowledgement"


class CrashError(BaseException):
    """The worker's process ends here. No Exception, so that nothing which handles errors handles it."""


class InjectedError(StoreError):
    """An I/O failed, or its answer was lost, because the simulation wanted it."""


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Probabilities from 0 to 1, and what they are drawn from."""

    duplicates: float = 0.0
    failures: float = 0.0
    crashes: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for rate in (self.duplicates, self.failures, self.crashes):
            if not 0 <= rate <= 1:
                raise ValueError(f"not a probability: {rate}")

    def trouble(self, number: int, attempt: int, *, copy: bool = False) -> Trouble:
        """What the ``attempt``-th delivery of chunk ``number``'s event, or of its ``copy``, meets.

        The two have attempts of their own: which of them comes first is up to the threads.
        """
        draw = random.Random(f"{self.seed}:{number}:{attempt}{':copy' if copy else ''}")  # noqa: S311 -- it must be the same each time
        duplicate, crash, failure = (draw.random() for _ in range(3))
        kind: Literal["crash", "failure"] | None = None
        if attempt <= SPARED_AFTER:
            kind = "crash" if crash < self.crashes else "failure" if failure < self.failures else None
        return Trouble(kind, draw.randrange(STEPS), duplicated=duplicate < self.duplicates)


@dataclass(slots=True)
class Trouble:
    """One delivery's fate: it meets ``kind`` at its ``step``-th moment, or at its last one where it has fewer.

    ``duplicated``: the event is delivered once more. ``met``: where it happened, None until then.
    """

    kind: Literal["crash", "failure"] | None
    step: int
    duplicated: bool = False
    taken: int = 0
    met: str | None = None

    def moment(self, where: str) -> None:
        """A moment at which it may happen. Raises CrashError, InjectedError."""
        if self.taken >= self.step:
            self.meet(where)
        self.taken += 1

    def meet(self, where: str = LAST) -> None:
        """Let it happen, unless it did."""
        if self.kind is None or self.met is not None:
            return
        self.met = where
        if self.kind == "crash":
            raise CrashError(where)
        raise InjectedError(f"injected failure {where}")


class Faults:
    """Each thread's trouble. Threads that have none, as the sweep's, meet none."""

    def __init__(self) -> None:
        """No trouble yet."""
        self._threads = threading.local()

    @contextmanager
    def during(self, trouble: Trouble) -> Iterator[None]:
        """Let this thread meet ``trouble`` until the block is left, at its last moment if at none before."""
        self._threads.trouble = trouble
        try:
            yield
            trouble.meet()
        finally:
            self._threads.trouble = None

    def moment(self, where: str) -> None:
        """A moment of this thread. Raises CrashError, InjectedError."""
        trouble: Trouble | None = getattr(self._threads, "trouble", None)
        if trouble is not None:
            trouble.moment(where)


class FaultyIo:
    """Stands before a tracker, loader or continuation: each of its calls can crash or fail, before or after it."""

    def __init__(self, inner: object, name: str, faults: Faults) -> None:
        """``name``: for messages."""
        self._inner, self._name, self._faults = inner, name, faults

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 -- it is whatever the other has
        """The other's attribute; a method with the moments around it."""
        found = getattr(self._inner, attribute)
        if not callable(found):
            return found
        where = f"{self._name}.{attribute}"

        def call(*values: object, **named: object) -> object:
            self._faults.moment(f"before {where}")
            answer = found(*values, **named)
            self._faults.moment(f"after {where}")
            return answer

        return call


class FaultyChunks:
    """A ChunkStore whose chunks can also fail in the middle of being read: that is in the middle of a load."""

    def __init__(self, inner: ChunkStore, faults: Faults) -> None:
        """See FaultyIo."""
        self._inner, self._faults = inner, faults

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:
        """See ChunkStore."""
        self._faults.moment("before opening the chunk")
        stored = self._inner.open_chunk(uri, body=body)
        try:
            self._faults.moment("after opening the chunk")
        except BaseException:
            stored.close()
            raise
        return replace(stored, open=lambda: FaultyStream(stored.open(), self._faults))

    def close(self) -> None:
        """See ChunkStore."""
        self._inner.close()


class FaultyStream:
    """A ByteStream that can fail at its first reads."""

    def __init__(self, inner: ByteStream, faults: Faults) -> None:
        """See FaultyIo."""
        self._inner, self._faults = inner, faults
        self._reads = 0

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        if self._reads < READS:
            self._reads += 1
            self._faults.moment("while the chunk was read")
        return self._inner.readinto(buffer)

    def close(self) -> None:
        """See ByteStream."""
        self._inner.close()
