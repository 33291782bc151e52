"""A source in memory: the smallest implementation of the contract, and the one that tests start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from splitjoin_cli.core.bytes.crc64 import crc64, encode
from splitjoin_cli.core.errors import SourceChangedError
from splitjoin_cli.core.model import SourceProperties
from splitjoin_cli.stores.sources.positioned import PositionedStream

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Moved

__all__ = ["MemorySource"]


@final
class MemorySource:
    """Bytes as a source. See Source for the contract."""

    def __init__(self, data: bytes, uri: str = "memory:source.csv") -> None:
        """``data`` is what it is when opened; ``replace`` changes it behind the reader's back."""
        self._data = data
        self._opened = data
        self._properties = SourceProperties(
            uri=uri,
            seekable=True,
            size=len(data),
            stored_bytes=len(data),
            compression=None,
            validator=encode(crc64(data)),
        )

    @property
    def properties(self) -> SourceProperties:
        """See Source."""
        return self._properties

    def replace(self, data: bytes) -> None:
        """Change the content, as another process would."""
        self._data = data

    def read_at(
        self,
        offset: int,
        buffer: memoryview,
        came: Moved | None = None,  # noqa: ARG002 -- it is there at once
    ) -> int:
        """See Source."""
        self.check_unchanged()
        part = self._data[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def stream(self, came: Moved | None = None) -> PositionedStream:
        """See Source."""
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        """See Source."""
        if self._data is not self._opened:
            raise SourceChangedError(f"{self._properties.uri} changed while it was read")

    def close(self) -> None:
        """See Source: nothing is held."""
