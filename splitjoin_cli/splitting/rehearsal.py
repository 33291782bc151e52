"""A dry run: the plan against what is stored at DEST, chunk by chunk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.splitting.claim import next_generation
from splitjoin_cli.splitting.result import Progress
from splitjoin_cli.splitting.standing import Placing

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import Chunk, StoredObject
    from splitjoin_cli.splitting.existing import Existing
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["rehearse"]


def rehearse(
    sink: Sink, existing: Existing, plan: PlanFile, executor: Executor, *, force: bool
) -> tuple[PlanFile, Progress]:
    """The plan as it would be claimed, and each chunk as ``stored`` or ``planned``; nothing is stored.

    Raises NameTakenError as the split would.
    """
    plan = replace(plan, generation=next_generation(sink, existing, plan, force=force))
    progress = Progress.of(plan)

    def stands(chunk: Chunk, stored: StoredObject) -> None:
        progress.keep(chunk.number, stored.size, stored.checksum)
        progress.set(chunk.number, ChunkState.STORED)

    if existing.chunks:
        placing = Placing(sink, plan, existing, force=force)
        standing = placing.standing()
        for first, last in standing.ranges():
            progress.set_all(first, last - first + 1, ChunkState.STORED)
            for number in range(first, last + 1):
                progress.stored_bytes[number - 1] = plan.header_bytes + plan.chunks[number].range.size
        placing.forget(standing)
        for _ in placing.missing(executor, stands, lambda: None, standing):
            pass
    return plan, progress
