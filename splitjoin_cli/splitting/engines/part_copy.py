"""Has the store copy the body of a stored chunk into a part of a merged file: no byte of it passes the worker."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, cast

from splitjoin_cli.core.bytes.crc64 import combine, crc64
from splitjoin_cli.core.errors import CopyRefusedError, SourceChangedError, SourceError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.splitting.engines.base import Merged
from splitjoin_cli.stores.sources.base import announce

if TYPE_CHECKING:
    from splitjoin_cli.core.model import S3Location
    from splitjoin_cli.splitting.engines.base import MergeUnit
    from splitjoin_cli.splitting.engines.place import Place
    from splitjoin_cli.splitting.engines.specs import SinkSpec
    from splitjoin_cli.splitting.stored.judge import StoredPlace
    from splitjoin_cli.stores.sinks.s3 import S3Sink

__all__ = ["copied_part"]


def copied_part(unit: MergeUnit, spec: SinkSpec, stored: StoredPlace, place: Place) -> Merged | None:
    """The part of a unit of one chunk; None where its bytes must be read here.

    That is so where the store does not copy, or does not say which checksum it made of what it copied, and where
    anything is not as the unit says: whoever reads the chunk finds what is wrong. The checksum of a body follows from
    those of the chunk and of the header, which is read: a CRC is linear.
    """
    location = _location(unit, stored)
    if location is None:
        return None
    [said], head = unit.chunks, unit.header
    begin = 0 if unit.first == 1 else head.size
    with place.sink(spec) as sink:
        try:
            part = cast("S3Sink", sink).copy_part(
                unit.part.name, unit.part.upload, unit.part.number, location, ByteRange(begin, begin + unit.size)
            )
        except (CopyRefusedError, SourceChangedError):
            return None
    wanted = said.checksum
    if wanted is not None and begin:
        wanted ^= combine(head.checksum, 0, unit.size)
    if part.checksum is None or wanted not in (None, part.checksum):
        return None
    return Merged(part.size, part.checksum, part.etag, copied=True)


def _location(unit: MergeUnit, stored: StoredPlace) -> S3Location | None:
    """The chunk, pinned to its ETag; None where it is not what it should be as far as its header and size tell."""
    [said], head = unit.chunks, unit.header
    try:
        with closing(stored.open_chunk(said.name)) as chunk:
            header = memoryview(bytearray(head.size))
            announce(chunk, ByteRange(0, head.size))
            if chunk.properties.size != head.size + (said.size or 0) or chunk.read_at(0, header) < head.size:
                return None
            return chunk.properties.s3 if crc64(header) == head.checksum else None
    except SourceError:
        return None
