"""The contract of a tracker, as a suite of tests: who may run what follows a complete job, and how often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import OtherRunError, StoreError
from splitjoin_cli.stores.trackers.answers import Claim, Refusal
from splitjoin_cli.stores.trackers.base import MAX_CLAIMS
from splitjoin_cli.stores.trackers.jobs import JobSpec, Join, Run
from splitjoin_cli.testing.jobs import (
    LEASE,
    START,
    WithTracker,
    claim,
    complete,
    head,
    mark_all,
    other,
    refusal,
    unfinished,
)

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.testing.jobs import TrackerRig


__all__ = ["JoinContract"]


class JoinContract(WithTracker):
    """Every tracker: claims, leases, attempts, finishes."""

    def test_an_incomplete_job_cannot_be_claimed(self, tracker: Tracker, run: Run) -> None:
        """One chunk is missing."""
        tracker.open_job(JobSpec(run, 2))
        tracker.mark_done(run, 2, total_parts=2, rows=10)
        assert refusal(tracker, run) == Refusal.INCOMPLETE
        assert head(tracker, run).join == Join()

    def test_a_claim_is_held_by_one_owner(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Until its lease is over; the next claim has a greater fence, another token, and the first one's joined_at."""
        complete(tracker, run)
        rig.clock.move(1.25)
        first = claim(tracker, run)
        assert first == Claim(run, "worker 1", first.token, 1, 1, START + 1.25 + LEASE, START + 1.25, 2)
        rig.clock.move(LEASE)
        assert refusal(tracker, run) == Refusal.HELD
        rig.clock.move(0.001)
        second = claim(rig.tracker(), run, "worker 2")
        assert (second.fence, second.attempt, second.joined_at) == (2, 2, first.joined_at)
        assert second.token != first.token
        join = head(tracker, run).join
        assert (join.state, join.owner, join.fence, join.attempts) == ("claimed", "worker 2", 2, 2)
        assert join.alive(rig.clock())

    def test_a_claim_of_another_run_is_an_error(self, tracker: Tracker, run: Run) -> None:
        """The job is complete, but not that run's."""
        complete(tracker, run)
        with pytest.raises(OtherRunError, match=re.escape(f"the tracker has {run}, and this is {other(run)}")):
            tracker.claim_join(other(run), owner="worker 1", lease_seconds=LEASE)

    def test_a_claim_of_an_older_generation_of_the_same_content_is_refused(self, tracker: Tracker, run: Run) -> None:
        """A, B, A: the run id is the job's again, and complete, and the generation is not the claim's."""
        tracker.open_job(JobSpec(run, 2))
        tracker.replace_job(JobSpec(other(run), 2))
        third = tracker.replace_job(JobSpec(run, 2)).run
        assert third is not None
        mark_all(tracker, third, 2)
        assert refusal(tracker, run) == Refusal.SUPERSEDED
        assert claim(tracker, third).attempt == 1

    def test_a_renewed_lease_lives_longer(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """From when it was renewed, even where it was over already and nobody came."""
        complete(tracker, run)
        held = claim(tracker, run)
        rig.clock.move(LEASE + 1)
        renewed = tracker.renew_join(held, lease_seconds=LEASE)
        assert renewed is not None
        assert (renewed.token, renewed.fence, renewed.lease_until) == (held.token, held.fence, rig.clock() + LEASE)
        rig.clock.move(LEASE)
        assert refusal(tracker, run) == Refusal.HELD

    def test_a_lapsed_owner_changes_nothing_but_may_succeed(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Renewal, release and failure need the fence; a success of any owner of the run counts."""
        complete(tracker, run)
        lapsed = claim(tracker, run)
        rig.clock.move(LEASE + 1)
        claim(tracker, run, "worker 2")
        before = head(tracker, run)
        assert tracker.renew_join(lapsed, lease_seconds=LEASE) is None
        assert tracker.release_join(lapsed) is False
        assert tracker.fail_join(lapsed, error="boom", backoff_seconds=1) is False
        assert tracker.job(run.file_name) == before
        assert tracker.finish_join(run) is True
        assert head(tracker, run).join.state == "joined"

    def test_a_released_claim_was_no_attempt(self, tracker: Tracker, run: Run) -> None:
        """The next one may come at once; repeated, the release is still true, until somebody claims."""
        complete(tracker, run)
        held = claim(tracker, run)
        assert tracker.release_join(held) is True
        assert tracker.release_join(held) is True
        assert tracker.renew_join(held, lease_seconds=LEASE) is None
        again = claim(tracker, run, "worker 2")
        assert (again.attempt, again.fence, again.joined_at) == (1, 2, held.joined_at)
        assert tracker.release_join(held) is False

    def test_a_failed_continuation_waits_before_the_next(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Its error is kept, cut to 500 bytes; repeated, the failure is noted once."""
        complete(tracker, run)
        held = claim(tracker, run)
        for _ in range(2):
            assert tracker.fail_join(held, error="ß" * 400, backoff_seconds=30) is True
        join = head(tracker, run).join
        assert (join.state, join.error, join.attempts, join.lease_until) == ("waiting", "ß" * 250, 1, START + 30)
        assert not join.alive(rig.clock())
        assert refusal(tracker, run) == Refusal.WAITING
        rig.clock.move(30.001)
        assert claim(tracker, run).attempt == 2

    def test_a_join_fails_for_good_after_its_last_attempt(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Nobody may claim it then, until it is reopened, with new attempts and the same joined_at."""
        complete(tracker, run)
        first = claim(tracker, run)
        tracker.fail_join(first, error="boom 1", backoff_seconds=0)
        for attempt in range(2, MAX_CLAIMS + 1):
            rig.clock.move(1)
            held = claim(tracker, run)
            assert held.attempt == attempt
            tracker.fail_join(held, error=f"boom {attempt}", backoff_seconds=0)
        rig.clock.move(1)
        assert refusal(tracker, run) == Refusal.FAILED
        assert (head(tracker, run).join.state, head(tracker, run).join.error) == ("failed", "boom 5")
        assert tracker.reopen_join(run).join.state == "none"
        again = claim(tracker, run)
        assert (again.attempt, again.fence, again.joined_at) == (1, 6, first.joined_at)

    def test_the_last_attempt_fails_for_good_by_itself(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Nobody needs to claim once more to learn it: ``status`` says so from then on, with no wait."""
        complete(tracker, run)
        for attempt in range(1, MAX_CLAIMS + 1):
            held = claim(tracker, run)
            assert tracker.fail_join(held, error=f"boom {attempt}", backoff_seconds=30) is True
            join = head(tracker, run).join
            last = attempt == MAX_CLAIMS
            assert (join.state, join.attempts, join.error) == (
                "failed" if last else "waiting",
                attempt,
                f"boom {attempt}",
            )
            assert join.lease_until == (None if last else rig.clock() + 30)
            rig.clock.move(31)

    def test_owners_that_die_use_up_the_attempts_too(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """A continuation that kills its worker is not tried for ever, and the reason is told."""
        complete(tracker, run)
        for _ in range(MAX_CLAIMS):
            claim(tracker, run)
            rig.clock.move(LEASE + 1)
        assert refusal(tracker, run) == Refusal.FAILED
        join = head(tracker, run).join
        assert join.state == "failed"
        assert join.error == "claimed 5 times and never finished: each owner died or outlived its lease"

    def test_a_final_failure_needs_no_attempts(self, tracker: Tracker, run: Run) -> None:
        """What cannot be mended by trying again is not tried again."""
        complete(tracker, run)
        tracker.fail_join(
            claim(tracker, run), error="chunks 3, 7-9 are not in the ledger", backoff_seconds=0, final=True
        )
        assert refusal(tracker, run) == Refusal.FAILED
        assert head(tracker, run).join.error == "chunks 3, 7-9 are not in the ledger"

    def test_reopening_leaves_a_live_claim_and_a_finished_join_alone(self, tracker: Tracker, run: Run) -> None:
        """Only what waits or failed is given free; and what is not counted stays so."""
        tracker.mark_done(run, 1, total_parts=2, rows=10)
        assert tracker.reopen_join(run).processed_parts == 1
        assert not head(tracker, run).complete
        tracker.mark_done(run, 2, total_parts=2, rows=10)
        held = claim(tracker, run)
        tracker.reopen_join(run)
        assert refusal(tracker, run) == Refusal.HELD
        assert tracker.renew_join(held, lease_seconds=LEASE) is not None
        tracker.finish_join(run)
        tracker.reopen_join(run)
        assert refusal(tracker, run) == Refusal.JOINED

    def test_a_finished_join_stays_finished(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """It is safe to repeat, cannot be claimed again, and leaves the sweep's index; its head stays."""
        complete(tracker, run, 6)
        assert run.file_name in {job.file_name for job in unfinished(tracker)}
        held = claim(tracker, run)
        rig.clock.move(2)
        assert tracker.finish_join(run) is True
        finished = head(tracker, run)
        assert (finished.join.state, finished.join.finished_at, finished.join.joined_at) == ("joined", START + 2, START)
        rig.clock.move(2)
        assert tracker.finish_join(run) is True
        assert tracker.job(run.file_name) == finished
        assert refusal(tracker, run) == Refusal.JOINED
        assert tracker.fail_join(held, error="too late", backoff_seconds=1) is False
        assert tracker.renew_join(held, lease_seconds=LEASE) is None
        assert tracker.release_join(held) is False
        assert tracker.job(run.file_name) == finished
        assert run.file_name not in {job.file_name for job in unfinished(tracker)}
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.missing, report.rows, report.join.state) == (6, (), 60, "joined")

    def test_a_join_that_nobody_claimed_cannot_be_finished(self, tracker: Tracker, run: Run) -> None:
        """There was no owner whose success it could be."""
        complete(tracker, run)
        with pytest.raises(
            StoreError, match=f"^{re.escape(run.file_name)}: finish_join of a join that was never claimed$"
        ):
            tracker.finish_join(run)
        assert head(tracker, run).join == Join()

    def test_the_fence_outlives_a_run(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """An owner of the replaced run cannot touch the new one's claim, though its name is the same."""
        complete(tracker, run)
        old = claim(tracker, run)
        newcomer = tracker.replace_job(JobSpec(other(run), 2)).run
        assert newcomer is not None
        mark_all(tracker, newcomer, 2)
        new = claim(tracker, newcomer, "worker 2")
        assert (new.fence, new.attempt) == (2, 1)
        before = head(tracker, run)
        assert tracker.renew_join(old, lease_seconds=LEASE) is None
        assert tracker.fail_join(old, error="boom", backoff_seconds=1) is False
        assert tracker.finish_join(old.run) is False
        assert tracker.job(run.file_name) == before
        assert rig.tracker().finish_join(newcomer) is True
