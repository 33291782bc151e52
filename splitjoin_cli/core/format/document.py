"""The bytes of a document, where they are stored or in memory: what manifests and plans are read from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["BytesDocument", "Document"]


class Document(Protocol):
    """The bytes of a document where they are stored, read at any place; they MUST stay those of one content."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read_at(self, offset: int, size: int) -> bytes:
        """The next ``size`` bytes from ``offset`` on; fewer only at the end."""


class BytesDocument(NamedTuple):
    """A document in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """See Document."""
        return len(self.data)

    def read_at(self, offset: int, size: int) -> bytes:
        """See Document."""
        return self.data[offset : offset + size]
