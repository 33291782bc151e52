"""The contract of a tracker, as suites of tests: what ``replace`` writes down, and how ``clear`` begins a new round."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import ClearedError, NoSuchJobError, OtherRunError, OtherTotalError, RunConflictError
from splitjoin_cli.stores.trackers.answers import ClearClaim, Counted, Duplicate, Mending, Refusal, Refused
from splitjoin_cli.stores.trackers.base import CLEAR
from splitjoin_cli.stores.trackers.jobs import Job, JobSpec, Join, Run
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

__all__ = ["RepairContract"]

MENDED, OLD = "crc64nvme:AAAAAAAAAAE=", "crc64nvme:AAAAAAAAAAI="
TOTALS = pytest.mark.parametrize("total", [3, 6], ids=["one item", "shards"])


def expect(
    tracker: Tracker, run: Run, number: int, total: int, *, checksum: str | None = MENDED, asked: bool = True
) -> Mending:
    """Write a checksum down."""
    return tracker.expect(run, number, checksum, total_parts=total, asked=asked)


def clear(tracker: Tracker, run: Run) -> ClearClaim:
    """A clear's claim that must be granted."""
    answer = tracker.claim_clear(run)
    assert isinstance(answer, ClearClaim), answer
    return answer


def cleared(tracker: Tracker, run: Run) -> Job:
    """A run after its clear."""
    after = tracker.finish_clear(clear(tracker, run))
    assert after is not None
    return after


def now(tracker: Tracker, run: Run) -> Run:
    """The run in the round that stands."""
    found = head(tracker, run).run
    assert found is not None
    return found


class RepairContract(WithTracker):
    """Every tracker: ``expect``, ``claim_clear``, ``finish_clear``."""

    @TOTALS
    def test_a_count_of_other_bytes_than_were_written_down_is_an_error(
        self, tracker: Tracker, run: Run, total: int
    ) -> None:
        """It names both checksums and counts nothing; the right one counts; a duplicate is compared as well."""
        tracker.open_job(JobSpec(run, total))
        assert tracker.all_expected(run).get(2) is None
        assert expect(tracker, run, 2, total) is Mending.NOTED
        assert expect(tracker, run, 2, total) is Mending.NOTED
        assert tracker.all_expected(run).get(2) == MENDED
        assert tracker.all_expected(run) == {2: MENDED}
        message = (
            f"{run.file_name}: the tracker expects chunk 2 with the checksum {MENDED}, as splitjoin replace wrote it "
            f"down, and the one that was loaded has {OLD}"
        )
        with pytest.raises(RunConflictError, match=f"^{re.escape(message)}$"):
            tracker.mark_done(run, 2, total_parts=total, rows=10, checksum=lambda: OLD)
        with pytest.raises(RunConflictError, match=r"has none that is known$"):
            tracker.mark_done(run, 2, total_parts=total, rows=10)
        assert 2 in (tracker.progress(run.file_name).missing or ())
        assert isinstance(tracker.mark_done(run, 2, total_parts=total, rows=10, checksum=lambda: MENDED), Counted)
        with pytest.raises(RunConflictError):
            tracker.mark_done(run, 2, total_parts=total, rows=10, checksum=lambda: OLD)
        assert isinstance(tracker.mark_done(run, 2, total_parts=total, rows=10, checksum=lambda: MENDED), Duplicate)

    @TOTALS
    def test_no_checksum_is_asked_for_where_none_was_written_down(self, tracker: Tracker, run: Run, total: int) -> None:
        """It may have to read the object: the neighbour's does not matter."""
        tracker.open_job(JobSpec(run, total))
        expect(tracker, run, 2, total)

        def never() -> str:
            raise AssertionError

        assert isinstance(tracker.mark_done(run, 1, total_parts=total, rows=10, checksum=never), Counted)
        assert isinstance(tracker.mark_done(run, 1, total_parts=total, rows=10, checksum=never), Duplicate)

    @TOTALS
    def test_nothing_is_written_down_for_a_chunk_that_is_counted(self, tracker: Tracker, run: Run, total: int) -> None:
        """Unless the ledger was asked; what is written down already is no refusal; and it can be taken back."""
        tracker.open_job(JobSpec(run, total))
        last = total
        tracker.mark_done(run, last, total_parts=total, rows=10)
        assert expect(tracker, run, last, total) is Mending.COUNTED
        assert expect(tracker, run, last, total, checksum=None) is Mending.COUNTED
        assert tracker.all_expected(run) == {}
        assert expect(tracker, run, last, total, asked=False) is Mending.NOTED
        assert expect(tracker, run, last, total) is Mending.NOTED
        assert expect(tracker, run, last, total, checksum=OLD) is Mending.COUNTED
        assert tracker.all_expected(run) == {last: MENDED}
        assert expect(tracker, run, last, total, checksum=None, asked=False) is Mending.NOTED
        assert tracker.all_expected(run) == {}

    @TOTALS
    def test_a_chunk_is_written_down_whose_neighbour_is_counted(self, tracker: Tracker, run: Run, total: int) -> None:
        """Each number is alone, also inside one shard."""
        tracker.open_job(JobSpec(run, total))
        tracker.mark_done(run, 1, total_parts=total, rows=10)
        assert expect(tracker, run, 2, total) is Mending.NOTED
        assert tracker.all_expected(run) == {2: MENDED}

    @TOTALS
    def test_nothing_is_written_down_for_a_joined_run(self, tracker: Tracker, run: Run, total: int) -> None:
        """Nothing would load the chunk any more."""
        complete(tracker, run, total)
        claim(tracker, run)
        tracker.finish_join(run)
        assert expect(tracker, run, 2, total) is Mending.JOINED
        assert expect(tracker, run, 2, total, asked=False) is Mending.NOTED

    def test_what_is_written_down_is_of_one_run(self, tracker: Tracker, run: Run) -> None:
        """A newer run drops it, also of the same content; an older one, another one and another total write nothing."""
        message = f"{tracker.uri}: no job {run.file_name}"
        with pytest.raises(NoSuchJobError, match=f"^{re.escape(message)}$"):
            expect(tracker, run, 1, 3)
        assert tracker.all_expected(run) == {}
        tracker.open_job(JobSpec(run, 3))
        with pytest.raises(OtherTotalError):
            expect(tracker, run, 1, 4)
        with pytest.raises(OtherRunError):
            expect(tracker, other(run), 1, 3)
        with pytest.raises(ValueError, match=r"^chunk 4 of 3$"):
            expect(tracker, run, 4, 3)
        neighbour = replace(run, file_name=f"x{run.file_name}")
        tracker.open_job(JobSpec(neighbour, 3))
        assert expect(tracker, neighbour, 2, 3) is Mending.NOTED
        assert expect(tracker, run, 1, 3) is Mending.NOTED
        assert (tracker.all_expected(run), tracker.all_expected(other(run))) == ({1: MENDED}, {})
        assert tracker.all_expected(neighbour) == {2: MENDED}
        second = tracker.replace_job(JobSpec(other(run), 3)).run
        assert second is not None
        assert expect(tracker, run, 1, 3) is Mending.SUPERSEDED
        assert (tracker.all_expected(second), tracker.all_expected(run)) == ({}, {})
        third = tracker.replace_job(JobSpec(run, 3)).run
        assert third is not None
        assert tracker.all_expected(third).get(1) is None
        assert isinstance(tracker.mark_done(third, 1, total_parts=3, rows=10), Counted)

    @TOTALS
    def test_a_clear_begins_a_round_with_nothing_counted(
        self, rig: TrackerRig, tracker: Tracker, run: Run, total: int
    ) -> None:
        """Counts, failures and join begin again; generation, fence and what replace wrote down stay."""
        tracker.open_job(JobSpec(run, total, rows_expected=30, destination="s3://b/"))
        expect(tracker, run, 2, total)
        tracker.mark_failed(run, 1, error="bad row", final=True)
        for number in range(1, total + 1):
            tracker.mark_done(run, number, total_parts=total, rows=10, checksum=lambda: MENDED)
        before = claim(tracker, run)
        tracker.finish_join(run)
        rig.clock.move(5)
        taken = clear(tracker, run)
        standing = head(tracker, run).join
        assert (standing.state, standing.owner, standing.fence) == ("clearing", CLEAR, before.fence + 1)
        assert standing.alive(rig.clock())
        after = tracker.finish_clear(taken)
        assert after == head(tracker, run) == Job(
            run.file_name, total, run_id=run.run_id, rows_expected=30, destination="s3://b/",
            created_at=START, round=1, join=Join(fence=before.fence + 1),
        )  # fmt: skip
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.rows, report.failures, report.round) == (0, 0, (), 1)
        assert report.missing == tuple(range(1, total + 1))
        assert [one.job for one in unfinished(tracker) if one.file_name == run.file_name] == [after]
        again = now(tracker, run)
        assert tracker.all_expected(again).get(2) == MENDED
        with pytest.raises(RunConflictError):
            tracker.mark_done(again, 2, total_parts=total, rows=10, checksum=lambda: OLD)
        for number in range(1, total + 1):
            marked = tracker.mark_done(again, number, total_parts=total, rows=10, checksum=lambda: MENDED)
            assert isinstance(marked, Counted)
        assert claim(tracker, again).fence == before.fence + 2
        assert tracker.finish_join(again)
        assert head(tracker, run).join.state == "joined"

    def test_what_was_begun_in_an_older_round_is_refused(self, tracker: Tracker, run: Run) -> None:
        """Its count, its claim, its lease and its finish: the rows that it stood for are gone."""
        complete(tracker, run)
        held = claim(tracker, run)
        tracker.release_join(held)
        held = claim(tracker, run)
        tracker.fail_join(held, error="no", backoff_seconds=9)
        cleared(tracker, run)
        message = f"{run.file_name}: it was cleared since the caller began (round 0, now 1)"
        with pytest.raises(ClearedError, match=f"^{re.escape(message)}$"):
            tracker.mark_done(run, 1, total_parts=2, rows=10)
        with pytest.raises(ClearedError, match=f"^{re.escape(message)}$"):
            tracker.reopen_join(run)
        assert refusal(tracker, run) is Refusal.CLEARED
        assert tracker.renew_join(held, lease_seconds=LEASE) is None
        assert not tracker.release_join(held)
        assert not tracker.fail_join(held, error="no", backoff_seconds=9)
        assert not tracker.finish_join(run)
        assert head(tracker, run).processed_parts == 0
        again = now(tracker, run)
        mark_all(tracker, again, 2)
        assert refusal(tracker, run) is Refusal.CLEARED
        claim(tracker, again)
        assert not tracker.finish_join(run)
        assert head(tracker, run).join.state == "claimed"

    def test_a_full_shard_of_an_older_round_stays_out_of_the_head(self, tracker: Tracker, run: Run) -> None:
        """Where the chunks are counted beside the head, it is the head that refuses them."""
        total = 6
        tracker.open_job(JobSpec(run, total))
        cleared(tracker, run)
        with pytest.raises(ClearedError):
            mark_all(tracker, run, total)
        assert head(tracker, run).processed_parts == 0
        mark_all(tracker, now(tracker, run), total)
        assert head(tracker, run).complete

    def test_nobody_claims_finishes_or_expects_while_it_is_cleared(self, tracker: Tracker, run: Run) -> None:
        """A clear has no lease that could lapse; a failure of its join's owner writes nothing either."""
        complete(tracker, run)
        held = claim(tracker, run)
        assert tracker.release_join(held)
        clear(tracker, run)
        assert refusal(tracker, run) is Refusal.CLEARED
        assert not tracker.finish_join(run)
        assert not tracker.fail_join(held, error="no", backoff_seconds=1)
        assert tracker.reopen_join(run).join.state == "clearing"
        with pytest.raises(ClearedError, match=f"^{re.escape(run.file_name)}: it is being cleared$"):
            expect(tracker, run, 1, 2)
        assert head(tracker, run).join.state == "clearing"

    def test_a_live_lease_keeps_a_clear_out(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Until it lapses; then its owner has lost the join, and only the clear ends it."""
        complete(tracker, run)
        held = claim(tracker, run)
        answer = tracker.claim_clear(run)
        assert isinstance(answer, Refused)
        assert (answer.reason, answer.job.join.owner) == (Refusal.HELD, "worker 1")
        assert head(tracker, run).join.state == "claimed"
        rig.clock.move(LEASE + 1)
        clear(tracker, run)
        assert tracker.renew_join(held, lease_seconds=LEASE) is None
        assert not tracker.finish_join(run)

    @pytest.mark.parametrize("state", ["none", "waiting", "failed", "joined"])
    def test_a_join_in_any_other_state_is_taken(self, tracker: Tracker, run: Run, state: str) -> None:
        """Also one whose chunks are not all counted."""
        if state == "none":
            tracker.open_job(JobSpec(run, 2))
        else:
            complete(tracker, run)
            held = claim(tracker, run)
        if state == "joined":
            tracker.finish_join(run)
        elif state != "none":
            tracker.fail_join(held, error="no", backoff_seconds=60, final=state == "failed")
        assert head(tracker, run).join.state == state
        clear(tracker, run)
        assert head(tracker, run).join.state == "clearing"

    def test_a_killed_clear_is_taken_over(self, tracker: Tracker, run: Run) -> None:
        """By the same command: the killed one's claim is worth nothing then, and each finish is counted once."""
        complete(tracker, run)
        killed, second = clear(tracker, run), clear(tracker, run)
        assert second.fence == killed.fence + 1
        assert tracker.finish_clear(killed) is None
        assert head(tracker, run).join.state == "clearing"
        after = tracker.finish_clear(second)
        assert tracker.finish_clear(second) == after == head(tracker, run)
        assert tracker.finish_clear(killed) is None
        assert cleared(tracker, run).round == 2

    def test_a_clear_of_another_run_takes_nothing(self, tracker: Tracker, run: Run) -> None:
        """An older one is told so; one that has the name no more ends without a write."""
        with pytest.raises(NoSuchJobError):
            tracker.claim_clear(run)
        tracker.open_job(JobSpec(run, 2))
        with pytest.raises(OtherRunError):
            tracker.claim_clear(other(run))
        taken = clear(tracker, run)
        newer = tracker.replace_job(JobSpec(other(run), 2))
        assert tracker.finish_clear(taken) is None
        answer = tracker.claim_clear(run)
        assert isinstance(answer, Refused)
        assert answer.reason is Refusal.SUPERSEDED
        assert head(tracker, run) == newer

    def test_a_newer_run_begins_in_the_first_round(self, tracker: Tracker, run: Run) -> None:
        """Rounds are of one generation, and of one job."""
        neighbour = replace(run, file_name=f"x{run.file_name}")
        for each in (run, neighbour):
            tracker.mark_done(each, 1, total_parts=2, rows=10)
        cleared(tracker, run)
        assert (head(tracker, neighbour).round, tracker.progress(neighbour.file_name).missing) == (0, (2,))
        newer = tracker.replace_job(JobSpec(other(run), 2))
        assert (newer.generation, newer.round) == (2, 0)
        mark_all(tracker, other(run, 2), 2)
        assert head(tracker, run).complete

    def test_failures_of_an_older_round_are_not_shown(self, tracker: Tracker, run: Run) -> None:
        """Nor do they count as tries of the new one."""
        tracker.open_job(JobSpec(run, 2))
        tracker.mark_failed(run, 1, error="bad row", final=True)
        cleared(tracker, run)
        tracker.mark_failed(run, 1, error="too late", final=True)
        assert tracker.progress(run.file_name).failures == ()
        tracker.mark_failed(now(tracker, run), 1, error="again", final=False)
        (failure,) = tracker.progress(run.file_name).failures
        assert (failure.error, failure.attempts) == ("again", 1)
