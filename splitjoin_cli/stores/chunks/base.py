"""The contract of a chunk store: it opens one stored chunk, bytes and metadata of one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.format.metadata import ChunkMetadata
    from splitjoin_cli.core.model import S3Location
    from splitjoin_cli.core.names import ChunkName


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """One chunk as one answer of its store showed it.

    ``metadata``: what says whose it is: its own on S3, its manifest's or plan's line in a directory, which keeps no
    metadata; None where there is none, and then name and ``validator`` are all that is known. ``beside``: what a
    manifest in the same place says of an object of the same size that has no metadata; good for its dialect and rows,
    never for its run. ``checksum``: CRC-64/NVME of the bytes as stored, where the store or a manifest says.
    ``validator``: the ETag as the store writes it; size, time and inode of a file. ``size``: bytes as stored.

    ``open`` begins a pass over the bytes as stored. It, or a read, MUST raise SourceChangedError when they are no
    longer those of ``validator``, CorruptObjectError when a manifest knows their checksum and it is another.
    ``etag_now`` asks the store for the validator now; None: the object is gone.
    """

    uri: str
    name: ChunkName
    size: int
    metadata: ChunkMetadata | None
    beside: ChunkMetadata | None
    validator: str
    checksum: int | None = None
    open: Callable[[], ByteStream]
    etag_now: Callable[[], str | None]
    close: Callable[[], None]
    s3: S3Location | None = None


class ChunkStore(Protocol):
    """Opens chunks by URI. Thread-safe; a StoredChunk is one thread's."""

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:
        """One GET, or a HEAD without ``body``: for a database that fetches the object itself.

        The caller closes what it gets. Raises NotFoundError where there is no such object, MixupError where its
        metadata is another chunk's than its name says, StoreError where it cannot be read.
        """

    def close(self) -> None:
        """Free connections. Safe to repeat."""
