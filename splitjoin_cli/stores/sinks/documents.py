"""Stores a plan or a manifest on a condition: in one piece, or as it is made where it is too large to be held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core.errors import ObjectChangedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.stores.sinks.base import Condition, Sink

__all__ = ["Document", "put_blocks", "put_document"]

SMALL_CHUNKS = 20_000
"""A document of so many chunks is stored in one piece."""


class Document(Protocol):
    """A plan or a manifest."""

    def blocks(self) -> Iterator[bytes]:
        """Its file in pieces."""


def put_document(sink: Sink, name: str, document: Document, chunks: int, *, when: Condition) -> bool:
    """Store a document of so many ``chunks``; False, and nothing done, where ``when`` does not hold.

    That of a million chunks is 40 MB (a plan) or 200 MB (a manifest): it is never held. Raises StoreError.
    """
    if chunks <= SMALL_CHUNKS:
        return sink.put_small(name, b"".join(document.blocks()), when=when)
    return put_blocks(sink, name, document.blocks(), when=when)


def put_blocks(sink: Sink, name: str, blocks: Iterable[bytes], *, when: Condition) -> bool:
    """Store an object block by block; False, and nothing done, where ``when`` does not hold. Raises StoreError."""
    writer = sink.writer(name, when=when)
    try:
        for block in blocks:
            writer.write(block)
        writer.commit(checksum=None)
    except ObjectChangedError:
        writer.abort()
        return False
    except BaseException:
        writer.abort()
        raise
    return True
