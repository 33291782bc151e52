"""A claim stays alive while its continuation runs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.join.lease import renewing
from splitjoin_cli.stores.trackers.answers import Refused
from splitjoin_cli.stores.trackers.jobs import JobSpec
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from tests.join.memory import FILE_NAME
from tests.join.rig import RUN

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.answers import Claim

LEASE_SECONDS = 0.3


class CountsRenewals(MemoryTracker):
    """Its first ``failing`` renewals get no answer."""

    def __init__(self, *, failing: int = 0) -> None:
        super().__init__()
        self.failing = failing
        self.renewals = 0
        self.reached = threading.Event()

    def renew_join(self, claim: Claim, *, lease_seconds: float) -> Claim | None:
        self.renewals += 1
        if self.renewals <= self.failing:
            raise StoreError("throttled for too long")
        renewed = super().renew_join(claim, lease_seconds=lease_seconds)
        if self.renewals >= self.failing + 2:
            self.reached.set()
        return renewed

    def claimed(self) -> Claim:
        self.open_job(JobSpec(RUN, 1))
        self.mark_done(RUN, 1, total_parts=1, rows=1)
        claim = self.claim_join(RUN, owner="w1", lease_seconds=LEASE_SECONDS)
        assert not isinstance(claim, Refused)
        return claim

    def lease_until(self) -> float:
        job = self.job(FILE_NAME)
        assert job is not None
        assert job.join.lease_until is not None
        return job.join.lease_until


def test_a_lease_is_renewed_until_the_block_ends() -> None:
    """At a third of its length."""
    tracker = CountsRenewals()
    claim = tracker.claimed()
    before = threading.active_count()
    with renewing(tracker, claim, LEASE_SECONDS):
        assert tracker.reached.wait(10)
    assert tracker.lease_until() > claim.lease_until
    assert threading.active_count() == before


def test_a_renewal_without_an_answer_is_tried_again() -> None:
    """The next third comes before the lease is over."""
    tracker = CountsRenewals(failing=1)
    claim = tracker.claimed()
    with renewing(tracker, claim, LEASE_SECONDS):
        assert tracker.reached.wait(10)
    assert tracker.lease_until() > claim.lease_until


def test_a_claim_that_is_somebody_elses_is_not_renewed() -> None:
    """By fence: the new owner's lease is not touched."""
    tracker = CountsRenewals()
    claim = tracker.claimed()
    while tracker.lease_until() >= time.time():
        time.sleep(0.02)
    other = tracker.claim_join(RUN, owner="w2", lease_seconds=60)
    assert not isinstance(other, Refused)
    with renewing(tracker, claim, LEASE_SECONDS):
        time.sleep(LEASE_SECONDS)
    assert (tracker.lease_until(), tracker.renewals) == (other.lease_until, 1)
