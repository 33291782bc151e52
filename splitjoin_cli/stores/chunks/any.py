"""Stored chunks by URI, in a directory or on S3: what the worker reads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, final

from splitjoin_cli.stores.chunks.directory import DirectoryChunks

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.stores.chunks.base import ChunkStore, StoredChunk

__all__ = ["Chunks"]


@final
class Chunks:
    """A ChunkStore for any URI: ``s3://bucket/key``, else a path. S3 is reached when the first one asks for it."""

    def __init__(self, options: AwsOptions | None = None, *, connections: int = 8) -> None:
        """``connections``: chunks that are open at once."""
        self._options = options
        self._connections = connections
        self._lock = threading.Lock()
        self._directory = DirectoryChunks()
        self._s3: ChunkStore | None = None

    def open_chunk(self, uri: str, *, body: bool = True) -> StoredChunk:
        """See ChunkStore."""
        store = self._s3_store() if uri.lower().startswith("s3://") else self._directory
        return store.open_chunk(uri, body=body)

    def close(self) -> None:
        """See ChunkStore."""
        with self._lock:
            store, self._s3 = self._s3, None
        if store is not None:
            store.close()

    def _s3_store(self) -> ChunkStore:
        from splitjoin_cli.stores.chunks.s3 import S3Chunks  # noqa: PLC0415 -- botocore is slow to import

        with self._lock:
            if self._s3 is None:
                self._s3 = S3Chunks(self._options, connections=self._connections)
            return self._s3
