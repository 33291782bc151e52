"""What loaders share whose database reads S3 itself: the object is the one that was described, or nothing is kept."""

from __future__ import annotations

import codecs
from contextlib import closing
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.stores.loaders.body import opened

if TYPE_CHECKING:
    from splitjoin_cli.core.model import S3Location
    from splitjoin_cli.stores.loaders.base import ChunkToLoad

__all__ = ["check_etag", "location_of", "refuse_unreadable"]


def location_of(chunk: ChunkToLoad) -> S3Location:
    """Where the chunk's object is. Raises BadRowError for a chunk that is not on S3."""
    if chunk.s3 is None or chunk.etag_now is None:
        raise BadRowError("it is not on S3, and this database fetches it from there itself")
    return chunk.s3


def check_etag(chunk: ChunkToLoad) -> None:
    """Ask S3 whether the object is still the one that described the chunk. Raises LoadError."""
    place = location_of(chunk)
    now = chunk.etag_now() if chunk.etag_now else None
    if now != place.etag:
        raise LoadError(
            f"s3://{place.bucket}/{place.key} is not the object that was to be loaded: its ETag was {place.etag},"
            f" and is {now or 'gone'}",
            hint="the event of the new object loads it",
        )


def refuse_unreadable(chunk: ChunkToLoad, streaming: str) -> None:
    """Raise BadRowError for what no database reads from S3 as the csv module would; ``streaming``: what does it."""
    why = None
    if chunk.compression:
        why = f"it is compressed ({chunk.compression}), and the database reads plain files from S3 alone"
    elif chunk.dialect.line_end not in ("\n", "\r\n"):
        why = "its records do not all end alike, and the database takes one line end"
    elif not chunk.header_bytes and _begins_with_mark(chunk):
        why = "it begins with a byte order mark and has no header: the mark would get into the first field"
    if why:
        raise BadRowError(why, hint=f"use {streaming}, which streams it")


def _begins_with_mark(chunk: ChunkToLoad) -> bool:
    buffer = memoryview(bytearray(len(codecs.BOM_UTF8)))
    with closing(opened(chunk)) as stream:
        return bytes(buffer[: stream.readinto(buffer)]) == codecs.BOM_UTF8
