"""What a split that was stopped leaves: how many chunks are kept, and what its resume reads again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.result import chunk_name

if TYPE_CHECKING:
    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import SourceProperties
    from splitjoin_cli.splitting.existing import Existing
    from splitjoin_cli.splitting.result import Progress

    UnderWay = tuple[PlanFile, Existing, Progress]

__all__ = ["kept_text"]


def kept_text(source: SourceProperties, under_way: UnderWay | None) -> str:
    """One sentence for who types the command again.

    ``under_way``: a split that has its name: its plan, what was there before it, what came of its chunks; None where no
    name was claimed yet.
    """
    kept = 0 if under_way is None else _kept(*under_way)
    if under_way is None or (not kept and under_way[1].is_empty):  # then the plan was taken back
        return f"no chunk is stored yet, so {_again(source)} from its beginning"
    plan, total = under_way[0], len(under_way[0].chunks)
    left = total - kept
    said = f"{kept:,} of {count_text(total, 'chunk')} {'is' if kept == 1 else 'are'} kept"
    if plan.validator is None:
        return f"{said}; {_again(source)} from its beginning"
    if not source.seekable:
        return f"{said}; {_again(source)} from its beginning, without another scan"
    if not left:
        return f"{said}; nothing of the source is read again"
    rest = "1 chunk is" if left == 1 else f"{left:,} chunks are"
    return f"{said}; the source is not scanned again, and only the other {rest} read"


def _again(source: SourceProperties) -> str:
    return "standard input must be given again, and is read" if source.uri == "-" else "the source is read again"


def _kept(plan: PlanFile, existing: Existing, progress: Progress) -> int:
    """Those that were sent, and those of this run that were there: not all of them are looked at yet."""
    if not existing.holds(plan.run_id):
        return progress.count(ChunkState.UPLOADED) + progress.count(ChunkState.SKIPPED)
    return sum(
        progress.state(number) in (ChunkState.UPLOADED, ChunkState.SKIPPED)
        or (progress.state(number) == ChunkState.PLANNED and chunk_name(plan, number) in existing.chunks)
        for number in range(1, len(plan.chunks) + 1)
    )
