"""What a tracker knows of jobs: runs, their joins, what is counted and what failed.

All times are seconds since 1970-01-01 UTC, whole milliseconds, of the tracker's own injected clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Failure", "Job", "JobProgress", "JobSpec", "Join", "JoinState", "Run", "Unfinished"]


class JoinState(StrEnum):
    """What a join is in, as the stores and the JSON documents say it; see Join."""

    NONE = "none"
    CLAIMED = "claimed"
    WAITING = "waiting"
    FAILED = "failed"
    JOINED = "joined"
    CLEARING = "clearing"


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One generation of a job. ``file_name`` is ``<client>_<date>``; ``generation`` counts from 1.

    ``round``: how often the run was cleared (``Tracker.finish_clear``), as the tracker said when the caller began. It
    is no part of what a run is: two that differ in it alone are equal. What is counted, claimed or finished in an older
    round is refused.
    """

    file_name: str
    run_id: str
    generation: int = 1
    round: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.file_name or "#" in self.file_name or not self.run_id or self.generation < 1 or self.round < 0:
            raise ValueError(f"not a run: {self}")

    def __str__(self) -> str:
        return f"run {self.run_id} (generation {self.generation})"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job is opened with. ``rows_expected``: None where records were not counted; ``destination``: a URI."""

    run: Run
    total_parts: int
    rows_expected: int | None = None
    destination: str | None = None

    def __post_init__(self) -> None:
        if self.total_parts < 1:
            raise ValueError(f"not a number of chunks: {self.total_parts}")


@dataclass(frozen=True, slots=True)
class Join:
    """What is known of the join.

    ``state``: ``none`` (never claimed, or given back), ``claimed``, ``waiting`` (a try failed; the next one may begin
    after ``lease_until``), ``failed`` (for good, until ``reopen_join``), ``joined``, ``clearing`` (``claim_clear`` has
    it, until ``finish_clear``). ``fence`` grows with every claim and never starts again, not even with another run.
    ``attempts``: claims since the run began or was reopened. ``joined_at``: when the run was first claimed, so that
    every try of the continuation sends the same bytes.
    """

    state: JoinState = JoinState.NONE
    owner: str | None = None
    token: str | None = None
    fence: int = 0
    lease_until: float | None = None
    attempts: int = 0
    error: str | None = None
    joined_at: float | None = None
    finished_at: float | None = None
    changed_at: float | None = None

    def held(self, now: float) -> bool:
        """Whether nobody may claim at ``now``: a lease is alive, a failure's wait is not over, or ``clear`` has it."""
        if self.state == JoinState.CLEARING:
            return True
        return (
            self.state in {JoinState.CLAIMED, JoinState.WAITING}
            and self.lease_until is not None
            and self.lease_until >= now
        )

    def alive(self, now: float) -> bool:
        """Whether an owner holds a live lease, or ``clear`` has the join: its claim has no end."""
        return self.state in {JoinState.CLAIMED, JoinState.CLEARING} and self.held(now)


@dataclass(frozen=True, slots=True)
class Job:
    """The head of a job, as one consistent read shows it.

    ``run_id`` is None for a job that only the published counter wrote (``SET total_parts ... ADD processed_parts``).
    ``processed_parts``: chunks counted into the head; chunks of a shard that is not full are not in it. ``rows``
    likewise. ``counted_at``: when something was last newly counted into it.
    """

    file_name: str
    total_parts: int
    processed_parts: int = 0
    run_id: str | None = None
    generation: int = 1
    rows: int = 0
    rows_expected: int | None = None
    destination: str | None = None
    duplicates: int = 0
    created_at: float | None = None
    counted_at: float | None = None
    round: int = 0
    join: Join = field(default_factory=Join)

    @property
    def run(self) -> Run | None:
        """Whose job it is, and in which round; None where only the published counter wrote."""
        return None if self.run_id is None else Run(self.file_name, self.run_id, self.generation, self.round)

    @property
    def complete(self) -> bool:
        """Whether every chunk is counted: what ``claim_join`` asks for."""
        return self.processed_parts == self.total_parts


@dataclass(frozen=True, slots=True)
class Failure:
    """The most recent failed try of a chunk that is not counted. ``final``: nobody tries again by himself.

    ``retried``: it was final, and the chunk was sent through again since: a try that is not ended.
    """

    number: int
    error: str
    attempts: int
    at: float
    final: bool
    retried: bool = False


@dataclass(frozen=True, slots=True)
class JobProgress:
    """All that is known of a job.

    ``processed_parts`` counts every chunk, also those of shards that are not full. ``missing``: numbers not counted,
    ascending; None where it cannot be known because ``unnumbered`` counts came without a number (the published
    counter's). ``failures``: by number, only of chunks that are not counted. ``rows``: None where some counts told
    none. ``complete``: the head says so (a claim is possible); all chunks can be counted a moment earlier.
    ``counted_at``: the last newly counted chunk; ``updated_at``: the last change that was progress of any kind.
    """

    file_name: str
    run_id: str | None
    generation: int
    total_parts: int
    processed_parts: int
    unnumbered: int
    complete: bool
    missing: Sequence[int] | None
    failures: tuple[Failure, ...]
    duplicates: int
    rows: int | None
    rows_expected: int | None
    destination: str | None
    created_at: float | None
    counted_at: float | None
    updated_at: float | None
    join: Join
    round: int = 0

    @property
    def run(self) -> Run | None:
        """Whose job it is, and in which round; None where only the published counter wrote."""
        return None if self.run_id is None else Run(self.file_name, self.run_id, self.generation, self.round)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A job as a sweep's reads show it.

    ``uncounted``: ``count_full_shards`` has something to do. ``counted_at``: when a chunk was last newly counted, into
    the head or a shard. ``failure``: of the first chunk that failed for good and is not counted, where that was asked.
    """

    job: Job
    uncounted: bool = False
    counted_at: float | None = None
    failure: Failure | None = None

    @property
    def file_name(self) -> str:
        """The job's."""
        return self.job.file_name
