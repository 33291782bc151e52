"""The rules of the join as pure functions: what a job becomes, and what a caller is told. No store, no clock, no I/O.

Memory and SQLite apply them inside a lock or transaction. DynamoDB states the same rules as condition expressions
and uses these functions to say why a condition failed.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import (
    ClearedError,
    NameTakenError,
    NoSuchJobError,
    OtherRunError,
    OtherTotalError,
    StoreError,
)
from splitjoin_cli.core.names import MAX_TOTAL, parse_file_name
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.stores.trackers.answers import Claim, Refusal, Refused, Superseded
from splitjoin_cli.stores.trackers.base import ERROR_BYTES, MAX_CLAIMS
from splitjoin_cli.stores.trackers.jobs import Job, JobProgress, Join, JoinState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from splitjoin_cli.stores.trackers.jobs import Failure, JobSpec, Run

LAPSED = f"claimed {MAX_CLAIMS} times and never finished: each owner died or outlived its lease"


def stamp(now: float) -> float:
    """The clock's time as every store keeps it: whole milliseconds."""
    return round(now, 3)


def state_of(stored: str, file_name: str) -> JoinState:
    """The state of a join as a store holds it. Raises StoreError for one that only a later release knows."""
    try:
        return JoinState(stored)
    except ValueError:
        raise StoreError(
            f"{file_name}: the tracker holds the join in the state {stored[:40]!r}, which this release does not know",
            hint="use the release of splitjoin that wrote it, or a later one",
        ) from None


def cut(text: str) -> str:
    """At most ERROR_BYTES of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:ERROR_BYTES].decode("utf-8", "ignore")


def check_number(number: int, total_parts: int) -> None:
    """Raise ValueError unless ``number`` is one of the chunks of a job of ``total_parts``."""
    if not 1 <= number <= total_parts:
        raise ValueError(f"chunk {number} of {total_parts}")


def known(job: Job | None, file_name: str, uri: str) -> Job:
    """``job`` itself; NoSuchJobError where there is none."""
    if job is None:
        raise no_such_job(file_name, uri)
    return job


def no_such_job(file_name: str, uri: str, *, dest: str = "DEST") -> NoSuchJobError:
    """The error, with the command that opens a job again whose item was deleted. ``dest``: where its chunks are."""
    named = parse_file_name(file_name)
    hint = None
    if named is not None:
        split = ["splitjoin", "split", f"--client={named.client}", f"--date={named.date}", "--tracker", uri]
        hint = (
            "splitjoin status lists those that are there; where it was deleted there,"
            f" {shlex.join([*split, 'SOURCE', dest])}"
            " opens it again, with the options of the first time, and uploads nothing that is stored"
        )
    return NoSuchJobError(f"{uri}: no job {file_name}", hint=hint)


def superseded(job: Job, run: Run) -> bool:
    """Whether ``job`` has a newer generation than ``run``. Raises OtherRunError where it is another run's all the same.

    A job without a run is nobody's: any run may count in it.
    """
    if job.run_id is None or (job.run_id, job.generation) == (run.run_id, run.generation):
        return False
    if job.generation > run.generation:
        return True
    raise OtherRunError(
        f"{job.file_name}: the tracker has {job.run}, and this is {run}",
        hint="split with --force and the same --tracker to replace a run",
    )


def check_total(job: Job, total_parts: int) -> None:
    """Raise OtherTotalError unless the job has ``total_parts`` chunks."""
    if job.total_parts != total_parts:
        raise OtherTotalError(
            f"{job.file_name}: the tracker has {job.total_parts} chunks, and this is one of {total_parts}",
            hint="split with --force and the same --tracker to replace a run",
        )


def check_round(job: Job, run: Run) -> None:
    """Raise ClearedError unless ``run`` was read in the job's round: what it loaded may be gone."""
    if job.run_id is not None and job.round != run.round:
        raise ClearedError(
            f"{job.file_name}: it was cleared since the caller began (round {run.round}, now {job.round})",
            hint="it may be delivered again",
        )


def of_round(run: Run, job: Job | None, number: int | None = None) -> Run:
    """``run`` in the job's round, or in round ``number``."""
    return replace(run, round=number if number is not None else job.round if job is not None else run.round)


def opened(job: Job | None, spec: JobSpec, now: float) -> Job:
    """What ``open_job`` makes of a job."""
    run = spec.run
    if job is None or (job.run_id is None and job.processed_parts == 0):
        fresh = job or Job(run.file_name, spec.total_parts, created_at=stamp(now))
        check_total(fresh, spec.total_parts)
        job = replace(fresh, run_id=run.run_id, generation=run.generation)
    elif job.run_id is None:
        raise NameTakenError(
            f"{job.file_name}: {job.processed_parts} of {job.total_parts} chunks were counted by something else",
            hint="--force replaces it",
        )
    elif job.run_id != run.run_id:
        raise NameTakenError(
            f"{job.file_name}: the tracker has {job.run}, and this is run {run.run_id}", hint="--force replaces it"
        )
    check_total(job, spec.total_parts)
    return replace(
        job,
        created_at=stamp(now) if job.created_at is None else job.created_at,
        rows_expected=spec.rows_expected if job.rows_expected is None else job.rows_expected,
        destination=spec.destination if job.destination is None else job.destination,
    )


def replaced(job: Job | None, spec: JobSpec, now: float) -> Job:
    """What ``replace_job`` makes of a job."""
    if job is None or job.run_id == spec.run.run_id:
        return opened(job, spec, now)
    return Job(
        spec.run.file_name,
        spec.total_parts,
        run_id=spec.run.run_id,
        generation=max(job.generation + 1, spec.run.generation),
        rows_expected=spec.rows_expected,
        destination=spec.destination,
        created_at=stamp(now),
        join=Join(fence=job.join.fence),
    )


def counted(job: Job | None, run: Run, total_parts: int, *, parts: int, rows: int, now: float) -> Job:
    """The head after ``parts`` chunks were counted into it; the caller has looked at run, total and duplicates."""
    at = stamp(now)
    job = job or Job(run.file_name, total_parts, created_at=at)
    return replace(
        job,
        run_id=run.run_id,
        generation=run.generation,
        round=run.round,
        processed_parts=job.processed_parts + parts,
        rows=job.rows + rows,
        counted_at=at,
    )


def claimed(
    job: Job, run: Run, *, owner: str, token: str, lease_seconds: float, now: float
) -> tuple[Job, Claim | Refused]:
    """What ``claim_join`` makes of a job, and its answer."""
    refusal = _refusal(job, run, token, now)
    if refusal is not None:
        return job, Refused(refusal, job)
    join, at = job.join, stamp(now)
    if join.token == token and join.alive(now):
        return job, claim_of(job, run)
    if join.attempts >= MAX_CLAIMS:
        job = replace(job, join=replace(join, state=JoinState.FAILED, error=join.error or LAPSED, changed_at=at))
        return job, Refused(Refusal.FAILED, job)
    join = replace(
        join,
        state=JoinState.CLAIMED,
        owner=owner,
        token=token,
        fence=join.fence + 1,
        lease_until=stamp(now + lease_seconds),
        attempts=join.attempts + 1,
        joined_at=at if join.joined_at is None else join.joined_at,
        changed_at=at,
    )
    job = replace(job, join=join)
    return job, claim_of(job, run)


def _refusal(job: Job, run: Run, token: str, now: float) -> Refusal | None:  # noqa: PLR0911 -- a reason each
    if superseded(job, run):
        return Refusal.SUPERSEDED
    if job.join.state == JoinState.CLEARING or job.round != run.round:
        return Refusal.CLEARED
    if job.join.state == JoinState.JOINED:
        return Refusal.JOINED
    if job.join.state == JoinState.FAILED:
        return Refusal.FAILED
    if job.run_id is None or not job.complete:
        return Refusal.INCOMPLETE
    if job.join.held(now) and job.join.token != token:
        return Refusal.HELD if job.join.state == JoinState.CLAIMED else Refusal.WAITING
    return None


def claim_of(job: Job, run: Run) -> Claim:
    """The claim that stands in a job."""
    join = job.join
    if join.token is None or join.owner is None or join.lease_until is None or join.joined_at is None:
        raise StoreError(f"{job.file_name}: the tracker's join is not whole: {join}")
    return Claim(
        run, join.owner, join.token, join.fence, join.attempts, join.lease_until, join.joined_at, job.total_parts
    )


def same(job: Job, run: Run) -> bool:
    """Whether the job is the run's, and in its round."""
    return (job.run_id, job.generation, job.round) == (run.run_id, run.generation, run.round)


def owns(job: Job | None, claim: Claim) -> bool:
    """Whether the job still is the claim's: the same run and round, fence and token."""
    if job is None or not same(job, claim.run):
        return False
    join = job.join
    return join.state == JoinState.CLAIMED and (join.fence, join.token) == (claim.fence, claim.token)


def given_up(job: Job | None, claim: Claim) -> bool:
    """Whether this claim's own release or failure stands already: nobody claimed since, and the token is gone."""
    if job is None or not same(job, claim.run):
        return False
    return job.join.fence == claim.fence and job.join.token is None and job.join.state != JoinState.JOINED


def renewed(job: Job, lease_seconds: float, now: float) -> Job:
    """The job with a longer lease; the caller has looked whether the claim ``owns`` it."""
    return replace(job, join=replace(job.join, lease_until=stamp(now + lease_seconds)))


def released(job: Job, now: float) -> Job:
    """The job with its claim given back: no attempt."""
    join = job.join
    attempts = max(0, join.attempts - 1)
    join = replace(join, state=JoinState.NONE, owner=None, token=None, lease_until=None, attempts=attempts)
    return replace(job, join=replace(join, changed_at=stamp(now)))


def failed(job: Job, *, error: str, backoff_seconds: float, final: bool, now: float) -> Job:
    """The job after its continuation failed."""
    join, final = job.join, final or job.join.attempts >= MAX_CLAIMS
    join = replace(
        join,
        state=JoinState.FAILED if final else JoinState.WAITING,
        token=None,
        lease_until=None if final else stamp(now + backoff_seconds),
        error=cut(error),
        changed_at=stamp(now),
    )
    return replace(job, join=join)


def finished(job: Job, run: Run, now: float) -> Job | Superseded:
    """The job after its continuation succeeded; Superseded where that is no matter to it any more."""
    if superseded(job, run) or job.join.state == JoinState.CLEARING or job.round != run.round:
        return Superseded(job)
    if job.join.state == JoinState.JOINED:
        return job
    if job.run_id is None or job.join.joined_at is None:
        raise StoreError(f"{job.file_name}: finish_join of a join that was never claimed")
    at = stamp(now)
    join = replace(
        job.join, state=JoinState.JOINED, token=None, lease_until=None, error=None, finished_at=at, changed_at=at
    )
    return replace(job, join=join)


def reopened(job: Job, run: Run, now: float) -> Job:
    """The job with a join that may be claimed at once; a live claim and a finished join stay."""
    if job.run_id is None or superseded(job, run):
        raise OtherRunError(f"{job.file_name}: the tracker has {job.run or 'no run'}, and this is {run}")
    check_round(job, run)
    if job.join.state not in {JoinState.FAILED, JoinState.WAITING}:
        return job
    join = replace(job.join, state=JoinState.NONE, owner=None, token=None, lease_until=None, attempts=0, error=None)
    return replace(job, join=replace(join, changed_at=stamp(now)))


def report(
    job: Job,
    *,
    numbers: Iterable[int] | None,
    unnumbered: int = 0,
    more_rows: int = 0,
    more_duplicates: int = 0,
    counted_at: float | None = None,
    failures: Sequence[Failure] = (),
) -> JobProgress:
    """A job's report from its head and what is kept beside it.

    ``numbers``: the counted chunks; None stands for all of them. ``more_rows``, ``more_duplicates``, ``counted_at``:
    of shards, where the head does not have them yet. A failure may be of a number beyond the total.
    """
    total = job.total_parts
    missing = NumberRanges() if numbers is None else _missing(numbers, total)
    counted = total - len(missing)
    last = _latest(job.counted_at, counted_at)
    return JobProgress(
        file_name=job.file_name,
        run_id=job.run_id,
        generation=job.generation,
        total_parts=job.total_parts,
        processed_parts=counted if numbers is None else counted + unnumbered,
        unnumbered=unnumbered,
        complete=job.complete,
        missing=None if unnumbered else missing,
        failures=()
        if numbers is None
        else tuple(sorted((f for f in failures if f.number in missing or f.number > total), key=lambda f: f.number)),
        duplicates=job.duplicates + more_duplicates,
        rows=None if unnumbered else job.rows + more_rows,
        rows_expected=job.rows_expected,
        destination=job.destination,
        created_at=job.created_at,
        counted_at=last,
        updated_at=_latest(job.created_at, last, job.join.changed_at),
        join=job.join,
        round=job.round,
    )


def _missing(numbers: Iterable[int], total: int) -> NumberRanges:
    """The numbers up to ``total`` that are not counted. A total is what one name claimed: memory follows the counts."""
    if total > MAX_TOTAL:
        return NumberRanges.without(sorted(set(numbers)), total)
    present = bytearray(total + 1)
    for number in numbers:
        present[number] = 1
    return NumberRanges.of_flags(present, wanted=0)


def _latest(*times: float | None) -> float | None:
    return max((at for at in times if at is not None), default=None)
