"""What the suites of trackers share: a store, its clock, and jobs in each state."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Protocol

import pytest

from splitjoin_cli.stores.trackers.answers import Claim, Counted, Refusal, Refused
from splitjoin_cli.stores.trackers.base import MOST_JOBS
from splitjoin_cli.stores.trackers.jobs import Job, JobSpec, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Unfinished

__all__ = ["LEASE", "SMALL_SHARD", "START", "Clock", "TrackerRig", "WithTracker"]

START = 1_700_000_000.0
SMALL_SHARD = 4
"""Chunks of a shard where many shards are wanted."""
LEASE = 60.0


class Clock:
    """Stands still until it is moved. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = START

    def __call__(self) -> float:
        with self._lock:
            return self._now

    def move(self, seconds: float) -> None:
        with self._lock:
            self._now = round(self._now + seconds, 3)


class TrackerRig(Protocol):
    """A store that trackers of one kind share."""

    sharded: bool
    """Whether large jobs are counted in shards."""
    clock: Clock
    """What its trackers take for the time."""

    def tracker(self, *, shard_parts: int = SMALL_SHARD) -> Tracker:
        """One more process on the same store; its table is there."""


def other(run: Run, generation: int = 1) -> Run:
    """Another content under the same name."""
    return Run(run.file_name, "ffff0000" * 4, generation)


def unfinished(tracker: Tracker, *, failures: bool = False) -> list[Unfinished]:
    """All that a sweep would look at."""
    return list(tracker.unfinished(after="", most=MOST_JOBS, failures=failures))


def mark_all(tracker: Tracker, run: Run, total_parts: int) -> None:
    """Count every chunk once, 10 rows each."""
    for number in range(1, total_parts + 1):
        assert isinstance(tracker.mark_done(run, number, total_parts=total_parts, rows=10), Counted)


def complete(tracker: Tracker, run: Run, total_parts: int = 2) -> None:
    """A job that waits for its join."""
    tracker.open_job(JobSpec(run, total_parts))
    mark_all(tracker, run, total_parts)


def claim(tracker: Tracker, run: Run, owner: str = "worker 1") -> Claim:
    """A claim that must be granted."""
    answer = tracker.claim_join(run, owner=owner, lease_seconds=LEASE)
    assert isinstance(answer, Claim), answer
    return answer


def refusal(tracker: Tracker, run: Run) -> Refusal:
    """The reason of a claim that must be refused."""
    answer = tracker.claim_join(run, owner="worker 2", lease_seconds=LEASE)
    assert isinstance(answer, Refused), answer
    return answer.reason


def head(tracker: Tracker, run: Run) -> Job:
    """The job, which must be there."""
    job = tracker.job(run.file_name)
    assert job is not None
    return job


class WithTracker:
    """A tracker on the ``rig``, which is a fixture of the subclass or of its module."""

    @pytest.fixture
    def tracker(self, rig: TrackerRig) -> Iterator[Tracker]:
        """A tracker on it."""
        made = rig.tracker()
        yield made
        made.close()

    @pytest.fixture
    def run(self) -> Run:
        """A job that no other test has."""
        return Run(f"Zoë-{uuid.uuid4().hex[:12]}_20240131", "1a2b3c4d" * 4)
