"""The rules of ``replace`` and ``clear`` as pure functions, beside those of the join: no store, no clock, no I/O.

What ``replace`` writes down outlives it: a load that had opened the old object ends after it, and its count would make
the job complete with other bytes than the place holds. What ``clear`` takes is the join itself, so that nobody
continues over rows that are being deleted; the round it begins is what a count or a finish from before is told by.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import ClearedError, RunConflictError, StoreError
from splitjoin_cli.stores.trackers.answers import ClearClaim, Mending, Refusal, Refused
from splitjoin_cli.stores.trackers.base import CLEAR
from splitjoin_cli.stores.trackers.jobs import Job, Join, JoinState
from splitjoin_cli.stores.trackers.rules import check_total, same, stamp, superseded

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.base import Checksum
    from splitjoin_cli.stores.trackers.jobs import Run


def check_expected(expected: str | None, checksum: Checksum | None, file_name: str, number: int) -> str | None:
    """What a count of the chunk says of its bytes; None where nothing was written down for it.

    Raises RunConflictError, naming both, where they are not those that were written down.
    """
    if expected is None:
        return None
    loaded = None if checksum is None else checksum()
    if loaded != expected:
        raise RunConflictError(
            f"{file_name}: the tracker expects chunk {number} with the checksum {expected}, as splitjoin replace"
            f" wrote it down, and the one that was loaded has {loaded or 'none that is known'}",
            hint=f"type splitjoin replace {file_name} --chunk {number} FILE again, with the file that is to be loaded",
        )
    return expected


def expecting(
    job: Job, run: Run, checksum: str | None, *, total_parts: int, asked: bool, counted: bool, standing: str | None
) -> Mending:
    """What ``expect`` answers, from the job and the chunk: ``counted``, and ``standing``, which is written down."""
    if job.run_id is None or superseded(job, run):
        return Mending.SUPERSEDED
    check_total(job, total_parts)
    if job.join.state == JoinState.CLEARING:
        raise ClearedError(f"{job.file_name}: it is being cleared", hint="let splitjoin clear end first")
    if asked and (checksum is None or standing != checksum):
        if job.join.state == JoinState.JOINED:
            return Mending.JOINED
        if counted:
            return Mending.COUNTED
    return Mending.NOTED


def clearing(job: Job, run: Run, *, token: str, now: float) -> tuple[Job, ClearClaim | Refused]:
    """What ``claim_clear`` makes of a job, and its answer."""
    if job.run_id is None or superseded(job, run):
        return job, Refused(Refusal.SUPERSEDED, job)
    join = job.join
    if join.state == JoinState.CLAIMED and join.alive(now):
        return job, Refused(Refusal.HELD, job)
    taken = Join(
        state=JoinState.CLEARING,
        owner=CLEAR,
        token=token,
        fence=join.fence + 1,
        attempts=join.attempts,
        joined_at=join.joined_at,
        changed_at=stamp(now),
    )
    after = replace(job, join=taken)
    return after, clear_claim(after, job)


def clear_claim(after: Job, before: Job) -> ClearClaim:
    """The claim that stands in ``after``."""
    if after.run is None or after.join.token is None:
        raise StoreError(f"{after.file_name}: the tracker's join is not whole: {after.join}")
    return ClearClaim(after.run, after.join.token, after.join.fence, before)


def clears(job: Job | None, claim: ClearClaim) -> bool:
    """Whether the job still is this clear's."""
    if job is None or not same(job, claim.run):
        return False
    return job.join.state == JoinState.CLEARING and (job.join.fence, job.join.token) == (claim.fence, claim.token)


def cleared(job: Job) -> Job:
    """The job after its run was taken out of the database: nothing is counted, and the next round begins."""
    return Job(
        job.file_name,
        job.total_parts,
        run_id=job.run_id,
        generation=job.generation,
        rows_expected=job.rows_expected,
        destination=job.destination,
        created_at=job.created_at,
        round=job.round + 1,
        join=Join(fence=job.join.fence),
    )


def is_cleared(job: Job | None, claim: ClearClaim) -> bool:
    """Whether this clear's own finish stands already, whose answer was lost."""
    if job is None:
        return False
    next_round = replace(claim.run, round=claim.run.round + 1)
    return same(job, next_round) and job.join.fence == claim.fence
