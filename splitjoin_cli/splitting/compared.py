"""Are stored objects a plan's chunks by their bytes? For stores that keep no metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.format.chunk_table import UNKNOWN_CHECKSUM
from splitjoin_cli.splitting.result import chunk_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["has_the_bytes", "holds_only"]


def holds_only(sink: Sink, plan: PlanFile, chunks: Mapping[str, StoredObject]) -> bool:
    """Whether objects without metadata are chunks of ``plan``, each by name, size and checksum.

    Compressed ones are decompressed and compared. All of them are read.
    """
    numbers = {chunk_name(plan, number): number for number in range(1, len(plan.chunks) + 1)}
    return all(
        name in numbers and has_the_bytes(sink, plan, plan.chunks[numbers[name]], stored)
        for name, stored in chunks.items()
    )


def has_the_bytes(sink: Sink, plan: PlanFile, chunk: Chunk, stored: StoredObject) -> bool:
    """Whether an object has the bytes of a chunk, compressed or not."""
    if chunk.checksum in (None, UNKNOWN_CHECKSUM) or sink.staging is None:
        return False
    if plan.compression is None and stored.size != plan.header_bytes + chunk.range.size:
        return False
    try:
        return sink.staging.checksum(stored.name, compression=plan.compression) == chunk.checksum
    except BadInputError:  # damaged, or not compressed
        return False
