"""A source of ranges in memory whose requests are kept: what Cursors make of a store that is not there."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.s3_ranges import Cursors, PinnedObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.model import ByteRange, SourceProperties
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.positioned import PositionedStream


class _Bucket:
    """As much of a Bucket as ranges need; nothing is repeated."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def translating(self, *_: object) -> nullcontext[None]:
        return nullcontext()

    def repeat(self, attempt: Callable[[], Any], *_: object) -> Any:  # noqa: ANN401 -- whatever it gives
        return attempt()


class Pinned:
    """A PinnedObject in memory: ``asked`` has the ranges."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.bucket = data, len(data), _Bucket()
        self.key, self.asked = "export.csv", list[tuple[int, int]]()
        self.bodies: list[BytesIO] = []

    def get(self, part: ByteRange) -> BytesIO:
        self.asked.append((part.start, part.end))
        self.bodies.append(BytesIO(self.data[part.start : part.end]))
        return self.bodies[-1]

    @property
    def open(self) -> int:
        """Requests whose answers are neither read nor dropped."""
        return sum(not body.closed for body in self.bodies)


def cursors_of(pinned: Pinned) -> Cursors:
    """As a source with eight jobs has them."""
    return Cursors(cast("PinnedObject", pinned), limit=16)


class CountedSource:
    """A Source whose every read is a request, or goes on with one. ``pinned`` has them."""

    def __init__(self, data: bytes) -> None:
        self.inner, self.pinned = MemorySource(data), Pinned(data)
        self.cursors = cursors_of(self.pinned)

    @property
    def properties(self) -> SourceProperties:
        return replace(self.inner.properties, read_bytes=16)

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        view = buffer[: max(0, min(len(buffer), self.pinned.size - offset))]
        if view:
            self.cursors.read(offset, view, came)
        return len(view)

    def announce(self, part: ByteRange) -> None:
        self.cursors.announce(part)

    def stream(self, came: Moved | None = None) -> PositionedStream:
        return self.inner.stream(came)

    def check_unchanged(self) -> None:
        self.inner.check_unchanged()

    def close(self) -> None:
        self.cursors.close()
