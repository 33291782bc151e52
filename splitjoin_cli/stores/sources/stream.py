"""Sources that are read from the front only, because something is undone on the way: a compression, an encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.stores.sources.positioned import PositionedStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Compression, SourceProperties
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["StreamSource", "cannot_seek"]


def cannot_seek(uri: str) -> SourceError:
    """What ``read_at`` of a source raises that is read from the front only."""
    return SourceError(f"{uri} can only be read from the front")


@final
class StreamSource:
    """Another source seen through a layer. See Source for the contract; each pass goes through the base again."""

    def __init__(
        self,
        base: Source,
        layer: Callable[[ByteStream], ByteStream],
        *,
        compression: Compression | None = None,
    ) -> None:
        """``layer`` wraps each pass, and its ``close`` closes what it wraps; ``compression`` is what it undoes, if any.

        Closing this closes ``base``.
        """
        self._base = base
        self._layer = layer
        # what lies on S3 is no longer what is read, so it cannot be copied there: s3 is None
        self._properties = replace(
            base.properties,
            seekable=False,
            size=None,
            compression=compression or base.properties.compression,
            s3=None,
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- the contract's
        """See Source: this one is not seekable. Raises SourceError."""
        raise cannot_seek(self._properties.uri)

    def stream(self, came: Moved | None = None) -> ByteStream:
        """See Source."""
        return self._layered(self._base.stream(came))

    def beginning(self) -> ByteStream:
        """A pass that is not meant to go far: no more of the base is asked for than is read."""
        if isinstance(self._base, StreamSource):
            return self._layered(self._base.beginning())
        return self._layered(PositionedStream(self._base) if self._base.properties.seekable else self._base.stream())

    def _layered(self, inner: ByteStream) -> ByteStream:
        try:
            return self._layer(inner)
        except BaseException:
            inner.close()
            raise

    def check_unchanged(self) -> None:
        """See Source."""
        self._base.check_unchanged()

    def close(self) -> None:
        """See Source."""
        self._base.close()
