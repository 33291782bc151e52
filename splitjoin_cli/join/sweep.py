"""Looks after what no event brings on any more: full shards not counted, claims whose owner died, joins unclaimed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import SplitjoinError, StoppedError
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS
from splitjoin_cli.stores.trackers.base import MOST_JOBS
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.join.joiner import Joiner, JoinTry
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Clock, Tracker
    from splitjoin_cli.stores.trackers.jobs import Job, Run, Unfinished

__all__ = ["SWEEP", "FailedJob", "SweepOptions", "SweepReport", "sweep"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """What one sweep does: it looks at the first ``most`` unfinished jobs after the name ``after``.

    ``may_begin``: asked before each job; the first no ends the sweep. ``failures``: also find what failed for good.
    """

    stuck_after_seconds: float = STUCK_AFTER_SECONDS
    after: str = ""
    most: int = MOST_JOBS
    failures: bool = False
    may_begin: Callable[[], bool] = lambda: True


SWEEP = SweepOptions()


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job of which a chunk, or where ``chunk`` is None the join, failed for good."""

    file_name: str
    run_id: str | None
    chunk: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep found, by file name, in order of name.

    ``joined``: joins that it finished. ``stuck``: jobs without progress for too long, and joins that failed for good.
    ``elsewhere``: complete jobs whose rows lie in another database or table: another worker's to join. ``failed``: none
    but where that was asked. ``last``: the name after which the next sweep goes on; "" where this one came to the end.
    """

    looked_at: int = 0
    joined: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    errors: tuple[SplitjoinError, ...] = ()
    failed: tuple[FailedJob, ...] = ()
    last: str = ""


def sweep(
    *,
    tracker: Tracker,
    loader: Loader,
    joiner: Joiner,
    clock: Clock,
    options: SweepOptions = SWEEP,
    log: logging.Logger = _LOG,
) -> SweepReport:
    """Look at unfinished jobs, in order of name; one that fails does not hide the others.

    A job is joined here only where its rows are in ``loader``'s database and table, since its ledger is what the
    claim's owner counts: a tracker may serve several workers. Raises what ``tracker.unfinished`` raises.
    """
    found = _Found(options.after)
    for one in tracker.unfinished(after=options.after, most=options.most, failures=options.failures):
        if not options.may_begin():
            break
        job = one.job
        found.looked_at += 1
        found.last = job.file_name
        try:
            _look(one, found, tracker, loader, joiner, clock)
        except StoppedError:
            raise
        except SplitjoinError as exc:
            log.error("%s: %s", job.file_name, exc.message, extra=_extra(job))  # noqa: TRY400 -- no stack helps here
            found.errors.append(exc)
        if job.file_name not in found.settled and _is_stuck(one, clock(), options.stuck_after_seconds):
            log.warning("stuck: %s", _why(job), extra=_extra(job))
            found.stuck.append(job.file_name)
        if options.failures and (failed := _failed(one, clock())) is not None:
            found.failed.append(failed)
    else:
        if found.looked_at < options.most:
            found.last = ""
    return found.report()


class _Found:
    def __init__(self, after: str) -> None:
        self.looked_at = 0
        self.joined: list[str] = []
        self.stuck: list[str] = []
        self.elsewhere: list[str] = []
        self.settled: set[str] = set()
        self.errors: list[SplitjoinError] = []
        self.failed: list[FailedJob] = []
        self.last = after

    def report(self) -> SweepReport:
        return SweepReport(
            self.looked_at,
            tuple(self.joined),
            tuple(self.stuck),
            tuple(self.elsewhere),
            tuple(self.errors),
            tuple(self.failed),
            self.last,
        )


def _look(one: Unfinished, found: _Found, tracker: Tracker, loader: Loader, joiner: Joiner, clock: Clock) -> None:
    run = one.job.run
    if run is not None and _wants_join(one, run, found, tracker, loader, clock):
        _settle(one.job, found, joiner.try_join(run))


def _wants_join(one: Unfinished, run: Run, found: _Found, tracker: Tracker, loader: Loader, clock: Clock) -> bool:
    """Count what is full; whether the job is complete then, and this database's to join, and nobody holds it."""
    job = one.job
    if job.join.state == JoinState.JOINED:
        tracker.finish_join(run)  # it was interrupted while it tidied up
        found.settled.add(job.file_name)
        return False
    head = tracker.count_full_shards(run) if one.uncounted else job
    if head.run != run:
        found.settled.add(job.file_name)
        return False
    if not head.complete or head.join.state in {"failed", "clearing"}:
        return False
    if not _is_ours(loader, run):
        found.elsewhere.append(job.file_name)
        return False
    return not head.join.held(clock())


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


def _is_stuck(one: Unfinished, now: float, stuck_after_seconds: float) -> bool:
    """Nothing was newly counted for too long, nor, when all is counted, a join finished; or it failed for good."""
    job = one.job
    if job.join.state == JoinState.FAILED:
        return True
    since = one.counted_at if one.counted_at is not None else job.created_at
    return since is not None and now - since > stuck_after_seconds and not job.join.alive(now)


def _failed(one: Unfinished, now: float) -> FailedJob | None:
    """What failed for good, where ``status`` shows the job as failed."""
    job, failure = one.job, one.failure
    if job.join.state == JoinState.JOINED or job.join.alive(now):
        return None
    if failure is not None:
        return FailedJob(job.file_name, job.run_id, failure.number, failure.error)
    return FailedJob(job.file_name, job.run_id, None, job.join.error) if job.join.state == JoinState.FAILED else None


def _why(job: Job) -> str:
    if job.join.state == JoinState.FAILED:
        return f"the join of {job.file_name} failed: {job.join.error}"
    if job.complete:
        return f"all {job.total_parts} chunks of {job.file_name} are counted, and it is not joined"
    return f"{job.processed_parts} of {job.total_parts} chunks of {job.file_name} are counted, and no more come"


def _extra(job: Job) -> dict[str, str | None]:
    return {"file_name": job.file_name, "run_id": job.run_id}
