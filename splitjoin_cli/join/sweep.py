"""Looks after what no event brings on any more: full shards not counted, claims whose owner died, joins unclaimed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import SplitjoinError, StoppedError
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS
from splitjoin_cli.stores.trackers.base import JoinState

if TYPE_CHECKING:
    from splitjoin_cli.join.joiner import Joiner, JoinTry
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Clock, Job, Run, Tracker

__all__ = ["SweepReport", "sweep"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep found, by file name.

    ``joined``: joins that it finished. ``stuck``: jobs without progress for too long, and joins that failed for good.
    ``elsewhere``: complete jobs whose rows lie in another database or table: another worker's to join.
    """

    looked_at: int = 0
    joined: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    errors: tuple[SplitjoinError, ...] = ()


def sweep(
    *,
    tracker: Tracker,
    loader: Loader,
    joiner: Joiner,
    clock: Clock,
    stuck_after_seconds: float = STUCK_AFTER_SECONDS,
    log: logging.Logger = _LOG,
) -> SweepReport:
    """Look at each unfinished job once; one that fails does not keep the others from being looked at.

    A job is joined here only where its rows are in ``loader``'s database and table, since its ledger is what the
    claim's owner counts: a tracker may serve several workers. Raises what ``tracker.unfinished`` raises.
    """
    found = _Found()
    for job in tracker.unfinished():
        found.looked_at += 1
        try:
            _look(job, found, tracker, loader, joiner)
        except StoppedError:
            raise
        except SplitjoinError as exc:
            log.error("%s: %s", job.file_name, exc.message, extra=_extra(job))  # noqa: TRY400 -- no stack helps here
            found.errors.append(exc)
        if job.file_name not in found.settled and _is_stuck(job, clock(), stuck_after_seconds):
            log.warning("stuck: %s", _why(job), extra=_extra(job))
            found.stuck.append(job.file_name)
    return SweepReport(
        found.looked_at, tuple(found.joined), tuple(found.stuck), tuple(found.elsewhere), tuple(found.errors)
    )


class _Found:
    def __init__(self) -> None:
        self.looked_at = 0
        self.joined: list[str] = []
        self.stuck: list[str] = []
        self.elsewhere: list[str] = []
        self.settled: set[str] = set()
        self.errors: list[SplitjoinError] = []


def _look(job: Job, found: _Found, tracker: Tracker, loader: Loader, joiner: Joiner) -> None:
    run = job.run
    if run is not None and _wants_join(job, run, found, tracker, loader):
        _settle(job, found, joiner.try_join(run))


def _wants_join(job: Job, run: Run, found: _Found, tracker: Tracker, loader: Loader) -> bool:
    """Count what is full; whether the job is complete then, and this database's to join."""
    if job.join.state == JoinState.JOINED:
        tracker.finish_join(run)  # it was interrupted while it tidied up
        found.settled.add(job.file_name)
        return False
    head = tracker.count_full_shards(run)
    if head.run != run:
        found.settled.add(job.file_name)
        return False
    if not head.complete or head.join.state in {"failed", "clearing"}:
        return False
    if not _is_ours(loader, run):
        found.elsewhere.append(job.file_name)
        return False
    return True


def _settle(job: Job, found: _Found, tried: JoinTry) -> None:
    if tried.joined:
        found.joined.append(job.file_name)
    if tried.settled:
        found.settled.add(job.file_name)
    if tried.error is not None:
        found.errors.append(tried.error)


def _is_ours(loader: Loader, run: Run) -> bool:
    ledger = loader.job(run.file_name)
    return ledger is not None and (ledger.run_id, ledger.table) == (run.run_id, loader.table_of(run.file_name))


def _is_stuck(job: Job, now: float, stuck_after_seconds: float) -> bool:
    """Nothing was newly counted for too long, nor, when all is counted, a join finished; or it failed for good."""
    if job.join.state == JoinState.FAILED:
        return True
    since = job.counted_at if job.counted_at is not None else job.created_at
    return since is not None and now - since > stuck_after_seconds and not job.join.alive(now)


def _why(job: Job) -> str:
    if job.join.state == JoinState.FAILED:
        return f"the join of {job.file_name} failed: {job.join.error}"
    if job.complete:
        return f"all {job.total_parts} chunks of {job.file_name} are counted, and it is not joined"
    return f"{job.processed_parts} of {job.total_parts} chunks of {job.file_name} are counted, and no more come"


def _extra(job: Job) -> dict[str, str | None]:
    return {"file_name": job.file_name, "run_id": job.run_id}
