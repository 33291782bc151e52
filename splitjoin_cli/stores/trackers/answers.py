"""What a tracker answers: to a count, to who asks for the join, and to the calls that set it up or repair it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.jobs import Job, Run

__all__ = [
    "Answer",
    "Claim",
    "ClearClaim",
    "Counted",
    "Duplicate",
    "InitReport",
    "Marked",
    "Mending",
    "Refusal",
    "Refused",
    "Superseded",
]


class Mending(StrEnum):
    """What became of a checksum that ``expect`` was to write down: only NOTED wrote something."""

    NOTED = "noted"
    COUNTED = "counted"
    JOINED = "joined"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class InitReport:
    """What ``init`` did.

    ``created``: the table was not there. ``changed``: settings it had to set on one that was; ``unsupported``: those
    that the store does not know (a local stand-in for DynamoDB).
    """

    created: bool
    changed: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What ``mark_done`` says of a chunk of the job's own run.

    ``job``: None while the chunk's shard is not full (then nothing is complete). ``completed``: this call's own write
    made the job complete.
    """

    job: Job | None
    completed: bool = False

    @property
    def complete(self) -> bool:
        """Whether every chunk of the job is counted."""
        return self.job is not None and self.job.complete


@dataclass(frozen=True, slots=True)
class Counted(Answer):
    """This call counted the chunk."""


@dataclass(frozen=True, slots=True)
class Duplicate(Answer):
    """The chunk was counted before.

    A duplicate sees completeness as well, and it may be the one to count its full shard, after a crash or in a race.
    """


@dataclass(frozen=True, slots=True)
class Superseded:
    """The job has a newer generation than the caller's: nothing was written, nothing is left to do for the old one."""

    job: Job


Marked = Counted | Duplicate | Superseded


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run the continuation until ``lease_until``; ``token`` and ``fence`` prove it to the tracker."""

    run: Run
    owner: str
    token: str
    fence: int
    attempt: int
    lease_until: float
    joined_at: float
    total_parts: int


class Refusal(StrEnum):
    """Why a join cannot be claimed now."""

    JOINED = "joined"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    HELD = "held"
    WAITING = "waiting"
    SUPERSEDED = "superseded"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody else has the join, or it is not time for it. ``job`` is what the refusal was decided on."""

    reason: Refusal
    job: Job


@dataclass(frozen=True, slots=True)
class ClearClaim:
    """The right to take a run out of its database; nobody claims the join while it stands.

    ``job``: as it was before. ``run``: its round is the one that ends.
    """

    run: Run
    token: str
    fence: int
    job: Job
