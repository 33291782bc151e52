"""What a tracker knows of a job, as an operator asks it: its state, what is missing, how fast it goes. Read only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from splitjoin_cli.core.ranges import NumberRanges, as_ranges, ascending, plain
from splitjoin_cli.core.times import iso_time
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS
from splitjoin_cli.join.operate.reasons import Advice
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from splitjoin_cli.join.operate.dead_letters import DeadLetters
    from splitjoin_cli.join.operate.reconcile import Reconciliation
    from splitjoin_cli.join.operate.values import Values
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import JobProgress

__all__ = [
    "ALARMING",
    "Cell",
    "JobState",
    "JobStatus",
    "OtherObject",
    "Pace",
    "alarming",
    "cells",
    "job_status",
    "list_jobs",
    "pace",
]


class JobState(StrEnum):
    """What a job is in, the first that fits: what the JSON documents and the reports say."""

    JOINED = "joined"
    JOINING = "joining"
    FAILED = "failed"
    STUCK = "stuck"
    COMPLETE = "complete"
    WAITING = "waiting"
    RUNNING = "running"


Cell = Literal["done", "some", "none", "failed"]

ALARMING: frozenset[JobState] = frozenset({JobState.STUCK, JobState.FAILED})
"""The states for which ``--check`` exits 12."""


@dataclass(frozen=True, slots=True)
class OtherObject:
    """What is stored under a chunk's name and is not of the tracker's run: no worker counts it there.

    ``run_id``: None where the object carries no metadata of splitjoin.
    """

    number: int
    run_id: str | None
    generation: int


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it was at ``at`` (seconds since 1970, UTC).

    ``idle_seconds``: since when nothing went on that counts as progress; None where that is unknown (the published
    counter writes no times) or the job is joined. ``never_uploaded``: numbers of chunks that are neither counted nor
    stored, ascending; None where nobody compared with what is stored. ``reconciliation``: likewise, with a ledger.
    ``values``: likewise, the table's with the chunks'.
    ``dead_letters``: what lies in a dead-letter queue, other jobs' too; None where no queue was named.
    ``other_objects``: stored under a missing chunk's name, and not of the tracker's run; None where nobody looked.
    ``advice``: why the job does not go on, and what to do next.
    """

    progress: JobProgress
    state: JobState
    at: float
    idle_seconds: float | None
    never_uploaded: Sequence[int] | None = None
    reconciliation: Reconciliation | None = None
    dead_letters: DeadLetters | None = None
    other_objects: tuple[OtherObject, ...] | None = None
    values: Values | None = None
    advice: Advice = field(default_factory=Advice)

    @property
    def given_up(self) -> tuple[int, ...]:
        """The chunks whose messages lie among the dead letters and that are not counted, ascending."""
        if self.dead_letters is None:
            return ()
        missing = self.progress.missing
        numbers = {letter.number for letter in self.dead_letters.of(self.progress.file_name)}
        return tuple(sorted(number for number in numbers if missing is None or number in missing))

    @property
    def all_counted(self) -> bool:
        """Whether no chunk is missing. The published counter can step over the total."""
        return self.progress.processed_parts >= self.progress.total_parts

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return plain(self.document())

    def document(self) -> dict[str, Any]:
        """The same, with ranges of numbers, which may be millions, as they are kept: to be written piece by piece."""
        progress, join = self.progress, self.progress.join
        document: dict[str, Any] = {
            "file_name": progress.file_name,
            "run_id": progress.run_id,
            "state": self.state,
            "total_parts": progress.total_parts,
            "processed_parts": progress.processed_parts,
            "missing": None if progress.missing is None else as_ranges(progress.missing),
            "failures": [
                {"number": one.number, "error": one.error, "attempts": one.attempts, "at": iso_time(one.at)}
                for one in progress.failures
            ],
            "duplicates": progress.duplicates,
            "rows": progress.rows,
            "rows_expected": progress.rows_expected,
            "created_at": iso_time(progress.created_at),
            "updated_at": iso_time(progress.updated_at),
            "join": {
                "state": join.state,
                "owner": join.owner,
                "attempts": join.attempts,
                "joined_at": iso_time(join.joined_at) if join.state == JoinState.JOINED else None,
            },
        }
        letters = None if self.dead_letters is None else self.dead_letters.of(progress.file_name)
        document["dead_letters"] = None if letters is None else [letter.to_json() for letter in letters]
        document["reconcile"] = None if self.reconciliation is None else self.reconciliation.to_json()
        document["values"] = None if self.values is None else self.values.to_json()
        document["never_uploaded"] = None if self.never_uploaded is None else as_ranges(self.never_uploaded)
        document["reason"] = [reason.text for reason in self.advice.reasons]
        document["next"] = [step.text for step in self.advice.steps]
        return document


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast chunks are counted, and how long the rest takes at that."""

    chunks_per_second: float
    seconds_left: float


def list_jobs(tracker: Tracker, *, now: float, stuck_seconds: float = STUCK_AFTER_SECONDS) -> list[JobStatus]:
    """All jobs, newest first; those without a time (only the published counter wrote them) last. Raises StoreError."""
    jobs = [job_status(progress, now=now, stuck_seconds=stuck_seconds) for progress in tracker.list()]
    jobs.sort(key=lambda job: job.progress.file_name)
    jobs.sort(key=lambda job: job.progress.created_at or 0.0, reverse=True)
    return jobs


def job_status(
    progress: JobProgress, *, now: float, stuck_seconds: float, stored: Collection[int] | None = None
) -> JobStatus:
    """What a tracker's report means at ``now``."""
    idle = _idle_seconds(progress, now)
    return JobStatus(
        progress=progress,
        state=_state(progress, now, idle is not None and idle >= stuck_seconds),
        at=now,
        idle_seconds=idle,
        never_uploaded=None if stored is None else _never_uploaded(progress, stored),
    )


def alarming(job: JobStatus) -> bool:
    """Whether ``--check`` is to find the job: by its state, or because database and tracker disagree for good."""
    return job.state in ALARMING or (job.reconciliation is not None and job.reconciliation.broken)


def _state(progress: JobProgress, now: float, stale: bool) -> JobState:  # noqa: FBT001 -- the caller's one line
    """The first that fits, in this order."""
    join = progress.join
    counted = progress.processed_parts >= progress.total_parts
    if join.state == JoinState.JOINED:
        return JobState.JOINED
    if join.alive(now):
        return JobState.JOINING
    if join.state == JoinState.FAILED or any(failure.final for failure in progress.failures):
        return JobState.FAILED
    # Nobody is to finish the join of an item that the published expression wrote alone: it is no worse for its age.
    if stale and not (counted and progress.run_id is None):
        return JobState.STUCK
    if counted:
        return JobState.COMPLETE
    return JobState.RUNNING if progress.processed_parts else JobState.WAITING


def _idle_seconds(progress: JobProgress, now: float) -> float | None:
    """Since the last newly counted chunk, or since the job began. Duplicates, failures and claims are no progress."""
    last = progress.created_at if progress.counted_at is None else progress.counted_at
    return None if last is None or progress.join.state == JoinState.JOINED else max(0.0, now - last)


def _never_uploaded(progress: JobProgress, stored: Collection[int]) -> NumberRanges:
    every = NumberRanges.without((), progress.total_parts)
    return (every if progress.missing is None else as_ranges(progress.missing)).less(ascending(stored))


def pace(status: JobStatus, earlier: JobStatus | None = None) -> Pace | None:
    """The pace between two looks, else since the job began; None where nothing is left or nothing can be said."""
    progress = status.progress
    left = progress.total_parts - progress.processed_parts
    since, before = progress.created_at, 0
    if earlier is not None and earlier.progress.processed_parts < progress.processed_parts:
        since, before = earlier.at, earlier.progress.processed_parts
    counted = progress.processed_parts - before
    if left <= 0 or counted <= 0 or since is None or status.at <= since:
        return None
    per_second = counted / (status.at - since)
    return Pace(per_second, left / per_second)


def cells(progress: JobProgress, most: int) -> tuple[int, list[Cell]]:
    """A map of at most ``most`` cells: how many chunks a cell stands for, and what is true of them.

    ``failed``: the last try of one of them failed. Empty where the numbers of the missing chunks are unknown.
    """
    total, missing = progress.total_parts, progress.missing
    per_cell = -(-total // most)
    if missing is None:
        return per_cell, []
    lacking = [0] * -(-total // per_cell)
    for first, last in as_ranges(missing).ranges():
        for cell in range((first - 1) // per_cell, (last - 1) // per_cell + 1):
            lacking[cell] += min(last, (cell + 1) * per_cell) - max(first - 1, cell * per_cell)
    failed = {(failure.number - 1) // per_cell for failure in progress.failures}
    return per_cell, [
        "failed" if index in failed else _cell(count, min(per_cell, total - index * per_cell))
        for index, count in enumerate(lacking)
    ]


def _cell(lacking: int, size: int) -> Cell:
    if not lacking:
        return "done"
    return "none" if lacking == size else "some"
