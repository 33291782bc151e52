"""A join that failed, or that nobody finished, tried again on an operator's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import OtherRunError, SplitjoinError
from splitjoin_cli.stores.trackers.answers import Refusal
from splitjoin_cli.stores.trackers.rules import no_such_job

if TYPE_CHECKING:
    from splitjoin_cli.join.joiner import Joiner
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Job, Run

__all__ = ["check_complete", "check_ledger", "check_rejoin", "try_again"]


def check_rejoin(job: Job, *, now: float) -> Run:
    """The run whose join may be reopened. Raises SplitjoinError, which says what stands in the way."""
    if job.run is None:
        raise SplitjoinError(
            f"{job.file_name}: only the published counter wrote this job, and it has no join of ours",
            hint="the published counter runs the continuation itself",
        )
    if job.join.state == "clearing":
        raise SplitjoinError(
            f"{job.file_name}: splitjoin clear takes the run out of the database",
            hint="wait for it; if it was killed, type the same splitjoin clear again",
        )
    if job.join.alive(now):
        raise SplitjoinError(
            f"{job.file_name}: the join is held by {job.join.owner}, whose lease is alive",
            hint="wait for it; when its owner died, the lease runs out and the next worker or sweep takes over",
        )
    return job.run


def check_complete(job: Job) -> None:
    """Raise SplitjoinError where chunks are still to be counted.

    To be asked after ``reopen_join``, which counts full shards: what only they hold the head does not show before.
    """
    if not job.complete:
        raise SplitjoinError(
            f"{job.file_name}: {job.processed_parts:,} of {job.total_parts:,} chunks are counted, so that nothing can"
            " be joined",
            hint=f"splitjoin status {job.file_name} says which are missing; retry --to sends them through again",
        )


def check_ledger(loader: Loader, run: Run) -> None:
    """Raise SplitjoinError where the database never had a chunk of this job: it is another than the workers'."""
    if loader.job(run.file_name) is None:
        raise SplitjoinError(
            f"{loader.properties.uri} has nothing of {run.file_name} in its ledger",
            hint="give --into the database that the workers load into",
        )


def try_again(joiner: Joiner, tracker: Tracker, run: Run) -> Job:
    """See the reopened join through; returns the job as it is then.

    Raises what went wrong after the claim, and SplitjoinError where it could not be claimed.
    """
    tried = joiner.try_join(run)
    if tried.error is not None:
        raise tried.error
    if tried.replaced or tried.refused is Refusal.SUPERSEDED:
        raise OtherRunError(f"{run.file_name}: a newer run replaced {run} meanwhile")
    if not tried.settled:
        raise SplitjoinError(
            f"{run.file_name}: the join cannot be claimed: {tried.refused}",
            hint=f"splitjoin status {run.file_name} says who has it",
        )
    job = tracker.job(run.file_name)
    if job is None:
        raise no_such_job(run.file_name, tracker.uri)
    return job
