"""Sources that are read from the front only, because something is undone on the way: a compression, an encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, final

from splitjoin_cli.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.model import Compression, SourceProperties
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["GuardedStream", "StreamSource", "cannot_seek"]


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

    def read_at(self, offset: int, buffer: memoryview) -> int:  # noqa: ARG002 -- the contract's parameters
        """See Source: this one is not seekable. Raises SourceError."""
        raise cannot_seek(self._properties.uri)

    def stream(self) -> ByteStream:
        """See Source."""
        inner = self._base.stream()
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


@final
class GuardedStream:
    """A ByteStream whose first bytes are looked at before anyone gets them."""

    def __init__(self, stream: ByteStream, check: Callable[[bytes], None], check_bytes: int) -> None:
        """``check`` gets at most ``check_bytes`` first bytes, once, and raises where they must not be read on."""
        self._stream = stream
        self._check: Callable[[bytes], None] | None = check
        self._check_bytes = check_bytes

    def readinto(self, buffer: memoryview) -> int:
        """See ByteStream."""
        filled = self._stream.readinto(buffer)
        if self._check is not None:
            check, self._check = self._check, None
            check(bytes(buffer[: min(filled, self._check_bytes)]))
        return filled

    def close(self) -> None:
        """See ByteStream."""
        self._stream.close()
