"""A pass over a source that can be read at any place."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from splitjoin_cli.stores.sources.told import read_told

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["PositionedStream"]


@final
class PositionedStream:
    """A ByteStream made of a seekable source's ``read_at``."""

    def __init__(self, source: Source, came: Moved | None = None) -> None:
        """Closing this leaves ``source`` open. ``came``: as in ``Source.stream``."""
        self._source, self._came = source, came
        self._offset = 0

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        filled = read_told(self._source, self._offset, buffer, self._came)
        self._offset += filled
        return filled

    def close(self) -> None:
        """See ByteStream: nothing is held."""
