"""The contract of a source of bytes, read whole or in ranges. splitjoin_cli/testing/sources.py tests each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import ByteRange, SourceProperties
    from splitjoin_cli.core.progress import Moved


def announce(source: object, part: ByteRange) -> None:
    """Tell a source that ``part`` will be read at once from front to back, in pieces, by a reader that begins there.

    Or by one that goes on there, with what it has asked for. A source may have a method ``announce(part)``, as one
    does where each read is a request: it can then ask for all of it.
    """
    tell = getattr(source, "announce", None)
    if tell is not None:
        tell(part)


class Source(Protocol):
    """One export, to be read more than once. Thread-safe.

    Opening it raises SourceError (missing, not readable, a directory) with a message that names it.
    """

    @property
    def properties(self) -> SourceProperties:
        """What it is. ``uri`` holds no user, password or query."""

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """Fill ``buffer`` from ``offset`` on; fewer bytes only at the end. Only where ``properties.seekable``.

        ``came`` may hear of the bytes as they come, where they come slowly; see told.py.
        Raises SourceChangedError when the bytes are no longer those of ``properties.validator`` (a shorter file,
        another ETag).
        """

    def stream(self, came: Moved | None = None) -> ByteStream:
        """Begin a pass from the front. Any number of times.

        ``came`` hears of the bytes as they come: of those that are stored, before anything is undone on the way.
        """

    def check_unchanged(self) -> None:
        """Raise SourceChangedError when the source is not what it was when opened. Costs one stat or HEAD."""

    def close(self) -> None:
        """Free descriptors, connections and temporary files. Safe to repeat."""
