"""A pass over a source that can be read at any place."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["PositionedStream"]


@final
class PositionedStream:
    """A ByteStream made of a seekable source's ``read_at``."""

    def __init__(self, source: Source) -> None:
        """Closing this leaves ``source`` open."""
        self._source = source
        self._offset = 0

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        filled = self._source.read_at(self._offset, buffer)
        self._offset += filled
        return filled

    def close(self) -> None:
        """See ByteStream: nothing is held."""
