"""What names to a worker the places, the header and the chunks that a unit is about: plain values, without a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import ObjectOptions
    from splitjoin_cli.stores.sinks.base import Condition

__all__ = ["ChunkSpec", "HeaderSpec", "Reach", "SinkSpec", "SourceSpec", "StoredSpec"]


class Reach(NamedTuple):
    """How a store is reached, beside the worker's own credentials. None: as the worker's own surroundings say."""

    region: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What names a source that any worker reads by ranges. ``uri``: ``s3://BUCKET/KEY``, or an absolute path.

    ``validator`` and ``size``: what it must be, as SourceProperties has them; a worker that finds another one fails.
    """

    uri: str
    validator: str | None
    size: int
    reach: Reach
    request_payer: str | None = None


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """What names a sink that any worker writes to. ``uri``: ``s3://BUCKET/PREFIX/``, or an absolute path."""

    uri: str
    reach: Reach
    objects: ObjectOptions
    fsync: bool = False


@dataclass(frozen=True, slots=True)
class StoredSpec:
    """What names a place of stored chunks that any worker reads: ``s3://BUCKET/PREFIX/``, or an absolute path."""

    uri: str
    reach: Reach


class HeaderSpec(NamedTuple):
    """Where the header lies in the source, and the CRC-64/NVME of its bytes: a worker reads it once."""

    start: int
    size: int
    checksum: int


class ChunkSpec(NamedTuple):
    """A chunk to be stored: ``start`` and ``end`` of its range of the source.

    ``when``: the condition on which it is stored; there is always one. ``checksum``: CRC-64/NVME of header and range
    together, None where nobody read them.
    """

    name: str
    number: int
    start: int
    end: int
    checksum: int | None
    metadata: str | None
    when: Condition
