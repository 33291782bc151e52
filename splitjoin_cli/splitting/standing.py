"""Is a stored chunk this run's? Then it is not sent again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.splitting.result import chunk_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.splitting.claim import Existing
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["missing_chunks", "standing_chunk"]

LOOK_AHEAD = 256
"""How many stored chunks a resume looks at before it is known whether they must be sent."""


def missing_chunks(
    sink: Sink, plan: PlanFile, existing: Existing, executor: Executor, skip: Callable[[Chunk, StoredObject], None]
) -> Iterator[Chunk]:
    """The chunks to send: all but those that stand, which ``skip`` is told of."""
    if not existing.chunks:
        yield from plan.chunks
        return
    from splitjoin_cli.core.parallel import in_order  # noqa: PLC0415 -- only what is used is imported

    def look_at(chunk: Chunk) -> tuple[Chunk, StoredObject | None]:
        return chunk, standing_chunk(sink, plan, chunk, existing)

    for chunk, stored in in_order(executor, look_at, plan.chunks, LOOK_AHEAD):
        if stored is None:
            yield chunk
        else:
            skip(chunk, stored)


def standing_chunk(sink: Sink, plan: PlanFile, chunk: Chunk, existing: Existing) -> StoredObject | None:
    """The stored object of a chunk, if it is this run's.

    On S3 the chunk says so itself. In a directory it follows from the claimed name, unless a run was replaced
    there: then, and for compressed chunks, whose checksum is of the stored bytes, the (local) file is read.
    """
    name = chunk_name(plan, chunk.number)
    stored = existing.chunks.get(name)
    if stored is None or (plan.compression is None and stored.size != plan.header_bytes + chunk.range.size):
        return None
    if sink.properties.keeps_metadata or sink.staging is None:
        return _says_so(sink, plan, chunk, name)
    if plan.compression is None and plan.generation == 1:
        return stored
    crc = sink.staging.checksum(name)
    wanted = chunk.checksum if plan.compression is None else None
    if existing.manifest is not None and existing.manifest.run_id == plan.run_id:
        wanted = existing.manifest.chunks[chunk.number].checksum
    elif plan.compression is not None and plan.generation > 1:
        return None  # nothing tells it from the replaced run's
    return replace(stored, checksum=crc) if wanted in (None, crc) else None


def _says_so(sink: Sink, plan: PlanFile, chunk: Chunk, name: str) -> StoredObject | None:
    """The object where its own metadata names this run, this chunk and this range."""
    found = sink.head(name)
    if found is None or found.metadata is None:
        return None
    from splitjoin_cli.core.format.metadata import decode_metadata  # noqa: PLC0415 -- only what is used is imported

    try:
        metadata = decode_metadata(found.metadata, name)
    except StoreError:
        return None
    same = (metadata.run_id, metadata.number, metadata.range) == (plan.run_id, chunk.number, chunk.range)
    whole = plan.compression is not None or found.checksum in (None, chunk.checksum) or chunk.checksum is None
    return found if same and whole else None
