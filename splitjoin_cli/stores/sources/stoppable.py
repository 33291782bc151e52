"""A source that reads no further once its split is to end: several splits run on threads, which no signal reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from splitjoin_cli.stores.sources.base import announce

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import ByteRange, SourceProperties
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["StoppableSource"]


@final
class StoppableSource:
    """Another source, each read of which asks first. See Source for the contract."""

    def __init__(self, base: Source, check: Callable[[], None]) -> None:
        """``check`` raises what ends the split. Closing this closes ``base``."""
        self._base, self._check = base, check

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._base.properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:
        """See Source."""
        self._check()
        return self._base.read_at(offset, buffer, came)

    def announce(self, part: ByteRange) -> None:
        """See ``base.announce``."""
        announce(self._base, part)

    def stream(self, came: Moved | None = None) -> ByteStream:
        """See Source."""
        self._check()
        return _StoppableStream(self._base.stream(came), self._check)

    def check_unchanged(self) -> None:
        """See Source."""
        self._base.check_unchanged()

    def close(self) -> None:
        """See Source."""
        self._base.close()


class _StoppableStream:
    def __init__(self, base: ByteStream, check: Callable[[], None]) -> None:
        self._base, self._check = base, check

    def readinto(self, buffer: memoryview) -> int:
        self._check()
        return self._base.readinto(buffer)

    def close(self) -> None:
        self._base.close()
