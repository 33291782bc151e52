"""What loaders share whose database reads S3 itself: the object is the one that was described, or nothing is kept."""

from __future__ import annotations

import codecs
import logging
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.stores.loaders.body import NotPlainError, opened
from splitjoin_cli.stores.loaders.plain import plain_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.model import Dialect, S3Location
    from splitjoin_cli.stores.loaders.base import ChunkToLoad

__all__ = ["OTHERWISE", "check_etag", "location_of", "note_streamed", "reads_alike", "why_streamed"]

_LOG = logging.getLogger(__name__)
OTHERWISE = "the database would read its quotes, line ends or a line \\. otherwise"


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


def why_streamed(chunk: ChunkToLoad, encodings: Mapping[str, str], *, knows_nulls: bool) -> str | None:
    """Why no database reads the chunk from S3 as it is meant; None where it may, and only its records decide.

    ``encodings``: those that the database has a name for, by Python's. ``knows_nulls``: whether it can take for NULL
    what the dialect says.
    """
    if chunk.compression:
        return f"it is compressed ({chunk.compression}), and the database reads plain files from S3 alone"
    if otherwise := _why_otherwise(chunk.dialect, knows_nulls=knows_nulls):
        return otherwise
    if codecs.lookup(chunk.dialect.encoding).name not in encodings:
        return f"the database has no name for its encoding, {chunk.dialect.encoding}"
    if not chunk.header_bytes and _begins_with_mark(chunk):
        return "it begins with a byte order mark and has no header: the mark would get into the first field"
    return None


def _why_otherwise(dialect: Dialect, *, knows_nulls: bool) -> str | None:
    """Why a database reads the dialect otherwise."""
    if dialect.escapechar is not None:
        return "its dialect has an escape character, which databases take otherwise"
    if replace(dialect, nulls=None).needs_second_version:
        return "its dialect is one that the database does not read"
    if not knows_nulls:
        return f"the database cannot take for NULL what --null says: {', '.join(map(repr, dialect.nulls or ()))}"
    if dialect.line_end not in ("\n", "\r\n"):
        return "its records do not all end alike, and the database takes one line end"
    return None


def reads_alike(chunk: ChunkToLoad, width: int, most_bytes: int) -> bool:
    """Whether a database reads each record from S3 as the csv module does: a pass over the bytes of the same object.

    Raises BadRowError for a record that has not ``width`` fields, or more than ``most_bytes``; SourceError where the
    object is another by now.
    """
    try:
        for _ in plain_blocks(
            chunk, width, refuse_end_of_data=True, refuse_other_line_ends=True, most_bytes=most_bytes
        ):
            pass
    except NotPlainError:
        return False
    return True


def note_streamed(chunk: ChunkToLoad, why: str) -> None:
    """The log says what is slower than it might be, and why."""
    _LOG.info("%s is read here, and streamed to the database: %s", chunk.name, why)


def _begins_with_mark(chunk: ChunkToLoad) -> bool:
    buffer = memoryview(bytearray(len(codecs.BOM_UTF8)))
    with closing(opened(chunk)) as stream:
        return bytes(buffer[: stream.readinto(buffer)]) == codecs.BOM_UTF8
