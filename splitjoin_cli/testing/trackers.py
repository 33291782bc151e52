"""The contract of a tracker, as suites of tests: how jobs are opened and chunks counted.

A tracker of your own is held to it, to reports.ReportContract and to joins.JoinContract, by a class that makes one:

    class EtcdRig:
        sharded = False

        def __init__(self, url):
            self.url, self.clock = url, Clock()

        def tracker(self, *, shard_parts=SMALL_SHARD):
            return EtcdTracker(self.url, clock=self.clock)

    class TestEtcdTracker(TrackerContract, ReportContract, JoinContract):
        @pytest.fixture
        def rig(self, etcd):
            return EtcdRig(etcd.url)
"""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import NameTakenError, NoSuchJobError, OtherRunError, OtherTotalError
from splitjoin_cli.stores.trackers.answers import Claim, Counted, Duplicate, InitReport, Refusal, Refused, Superseded
from splitjoin_cli.stores.trackers.jobs import Job, JobSpec, Join, Run
from splitjoin_cli.testing.deliveries import Said, Tally, deliver_twice
from splitjoin_cli.testing.jobs import (
    LEASE,
    SMALL_SHARD,
    START,
    WithTracker,
    claim,
    complete,
    head,
    other,
    refusal,
    unfinished,
)

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.testing.jobs import TrackerRig


__all__ = ["ShardedTrackerContract", "TrackerContract"]


class TrackerContract(WithTracker):
    """Every tracker: opening and counting."""

    def test_init_leaves_alone_what_is_right(self, tracker: Tracker) -> None:
        """The second time nothing is made and nothing is set."""
        tracker.init()
        again = tracker.init()
        assert again == InitReport(created=False, unsupported=again.unsupported)

    def test_a_tracker_that_is_there_is_reached(self, tracker: Tracker) -> None:
        """With its table and no job in it, which is no error."""
        tracker.init()
        tracker.reach()

    def test_a_job_that_nobody_opened_is_not_known(self, tracker: Tracker, run: Run) -> None:
        """Neither to a look nor to a report, a claim, or a finish."""
        assert tracker.job(run.file_name) is None
        message = f"{tracker.uri}: no job {run.file_name}"
        for call in (
            lambda: tracker.progress(run.file_name),
            lambda: tracker.claim_join(run, owner="worker 1", lease_seconds=LEASE),
            lambda: tracker.finish_join(run),
            lambda: tracker.count_full_shards(run),
            lambda: tracker.reopen_join(run),
        ):
            with pytest.raises(NoSuchJobError, match=f"^{re.escape(message)}$"):
                call()

    def test_open_job_makes_it_and_is_safe_to_repeat(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """What is there stays, also when it is repeated later and by another process."""
        spec = JobSpec(run, 3, rows_expected=30, destination="s3://bucket/prefix/")
        opened = tracker.open_job(spec)
        assert opened == Job(
            run.file_name,
            3,
            run_id=run.run_id,
            rows_expected=30,
            destination="s3://bucket/prefix/",
            created_at=START,
        )
        rig.clock.move(5)
        assert rig.tracker().open_job(spec) == opened
        assert tracker.job(run.file_name) == opened

    def test_open_job_may_come_after_counts(self, tracker: Tracker, run: Run) -> None:
        """It completes what the first count could not know, and loses nothing of it."""
        tracker.mark_done(run, 2, total_parts=3, rows=10)
        job = tracker.open_job(JobSpec(run, 3, rows_expected=30, destination="s3://bucket/"))
        assert (job.processed_parts, job.rows, job.rows_expected, job.destination) == (1, 10, 30, "s3://bucket/")
        assert isinstance(tracker.mark_done(run, 2, total_parts=3, rows=10), Duplicate)

    def test_open_job_after_the_join_changes_nothing(self, tracker: Tracker, run: Run) -> None:
        """A late repeat neither takes a claim nor reopens a joined job nor brings it back to the sweep."""
        complete(tracker, run)
        held = claim(tracker, run)
        assert tracker.open_job(JobSpec(run, 2)).join.token == held.token
        tracker.finish_join(run)
        joined = head(tracker, run)
        assert tracker.open_job(JobSpec(run, 2, rows_expected=20)).join == joined.join
        assert run.file_name not in {job.file_name for job in unfinished(tracker)}

    def test_open_job_of_other_content_is_refused(self, tracker: Tracker, run: Run) -> None:
        """The name is taken, and the message names both runs; a newer generation does not help."""
        opened = tracker.open_job(JobSpec(run, 3))
        newcomer = other(run, 7)
        message = f"{run.file_name}: the tracker has run {run.run_id} (generation 1), and this is run {newcomer.run_id}"
        with pytest.raises(NameTakenError, match=f"^{re.escape(message)}$"):
            tracker.open_job(JobSpec(newcomer, 3))
        assert tracker.job(run.file_name) == opened

    def test_open_job_with_another_total_is_refused(self, tracker: Tracker, run: Run) -> None:
        """The same run cannot have two numbers of chunks."""
        tracker.open_job(JobSpec(run, 3))
        message = f"{run.file_name}: the tracker has 3 chunks, and this is one of 4"
        with pytest.raises(OtherTotalError, match=f"^{re.escape(message)}$"):
            tracker.open_job(JobSpec(run, 4))

    def test_replace_job_begins_a_new_generation_once(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Counts and join start again, the fence does not; repeated, it is the same generation."""
        complete(tracker, run, 6)
        tracker.mark_failed(run, 1, error="bad row", final=True)
        first = claim(tracker, run)
        rig.clock.move(9)
        spec = JobSpec(other(run), 2, rows_expected=7, destination="s3://other/")
        job = tracker.replace_job(spec)
        assert job == Job(
            run.file_name,
            2,
            run_id=spec.run.run_id,
            generation=2,
            rows_expected=7,
            destination="s3://other/",
            created_at=START + 9,
            join=Join(fence=first.fence),
        )
        assert rig.tracker().replace_job(spec) == job
        assert rig.tracker().open_job(spec) == job
        assert tracker.progress(run.file_name).missing == (1, 2)

    def test_replace_job_by_the_same_content_changes_nothing(self, tracker: Tracker, run: Run) -> None:
        """``split --force`` of what is there is the same run, with its counts; where nothing is, it is opened."""
        assert tracker.replace_job(JobSpec(run, 3)).generation == 1
        tracker.mark_done(run, 1, total_parts=3, rows=10)
        job = tracker.replace_job(JobSpec(run, 3))
        assert (job.generation, job.processed_parts) == (1, 1)
        assert isinstance(tracker.mark_done(run, 1, total_parts=3, rows=10), Duplicate)

    def test_replace_job_leaves_other_jobs_alone(self, tracker: Tracker, run: Run) -> None:
        """Their counts and failures stay."""
        neighbour = Run(f"b-{run.file_name}", run.run_id)
        tracker.mark_done(neighbour, 1, total_parts=3, rows=10)
        tracker.mark_failed(neighbour, 2, error="bad row", final=True)
        before = tracker.progress(neighbour.file_name)
        tracker.open_job(JobSpec(run, 3))
        assert (tracker.progress(run.file_name).missing, tracker.progress(run.file_name).failures) == ((1, 2, 3), ())
        tracker.replace_job(JobSpec(other(run), 3))
        tracker.mark_failed(run, 2, error="a worker of the older run", final=True)
        assert tracker.progress(run.file_name).failures == ()
        assert tracker.progress(neighbour.file_name) == before
        for _ in range(2):
            tracker.mark_done(other(run, 2), 1, total_parts=3, rows=10)
        assert tracker.progress(run.file_name).duplicates == 1
        assert tracker.progress(neighbour.file_name) == before
        assert isinstance(tracker.mark_done(neighbour, 1, total_parts=3, rows=10), Duplicate)

    def test_replace_job_goes_beyond_the_generation_of_its_plan(self, tracker: Tracker, run: Run) -> None:
        """A tracker that is younger than the stored split takes its generation."""
        tracker.open_job(JobSpec(run, 3))
        assert tracker.replace_job(JobSpec(other(run, 5), 3)).generation == 5

    def test_mark_done_counts_each_chunk_once(self, tracker: Tracker, run: Run) -> None:
        """In any order; the last one is told that the job is complete, and so is each duplicate after it."""
        tracker.open_job(JobSpec(run, 3))
        answers = [tracker.mark_done(run, number, total_parts=3, rows=10) for number in (3, 1, 1, 2, 3)]
        assert [type(answer) for answer in answers] == [Counted, Counted, Duplicate, Counted, Duplicate]
        assert [not isinstance(answer, Superseded) and answer.complete for answer in answers] == [0, 0, 0, 1, 1]
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.duplicates, report.rows, report.missing) == (3, 2, 30, ())

    def test_mark_done_works_without_open_job(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """The first count makes the job, in the chunk's generation."""
        second = Run(run.file_name, run.run_id, 2)
        tracker.mark_done(second, 1, total_parts=2, rows=10)
        job = head(tracker, run)
        assert (job.run, job.total_parts, job.created_at) == (second, 2, rig.clock())
        assert job.file_name in {found.file_name for found in unfinished(tracker)}

    @pytest.mark.parametrize("number", [0, 4, -1])
    def test_mark_done_refuses_a_number_beyond_the_total(self, tracker: Tracker, run: Run, number: int) -> None:
        """Chunks count from 1 to the total."""
        with pytest.raises(ValueError, match=f"^chunk {number} of 3$"):
            tracker.mark_done(run, number, total_parts=3, rows=10)

    @pytest.mark.parametrize("total_parts", [3, 6], ids=["one item", "shards"])
    def test_mark_done_of_another_run_is_an_error(self, tracker: Tracker, run: Run, total_parts: int) -> None:
        """It names both, is looked at before the total and before duplicates, and counts nothing."""
        complete(tracker, run, total_parts)
        newcomer = other(run)
        message = f"{run.file_name}: the tracker has {run}, and this is {newcomer}"
        with pytest.raises(OtherRunError, match=f"^{re.escape(message)}$"):
            tracker.mark_done(newcomer, 1, total_parts=total_parts, rows=10)
        newer = Run(run.file_name, run.run_id, 2)
        if total_parts <= SMALL_SHARD:
            with pytest.raises(OtherRunError, match=re.escape(f"the tracker has {run}, and this is {newer}")):
                tracker.mark_done(newer, 1, total_parts=total_parts - 1, rows=10)
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.duplicates) == (total_parts, 0)

    @pytest.mark.parametrize(("total_parts", "wrong"), [(3, 2), (6, 7)], ids=["one item", "shards"])
    def test_mark_done_with_another_total_is_an_error(
        self, tracker: Tracker, run: Run, total_parts: int, wrong: int
    ) -> None:
        """It is looked at before duplicates, and counts nothing."""
        tracker.open_job(JobSpec(run, total_parts))
        tracker.mark_done(run, 1, total_parts=total_parts, rows=10)
        message = f"{run.file_name}: the tracker has {total_parts} chunks, and this is one of {wrong}"
        with pytest.raises(OtherTotalError, match=f"^{re.escape(message)}$"):
            tracker.mark_done(run, 1, total_parts=wrong, rows=10)
        assert tracker.progress(run.file_name).processed_parts == 1

    @pytest.mark.parametrize("total_parts", [3, 6], ids=["one item", "shards"])
    def test_mark_done_of_another_run_with_a_new_number_is_an_error(
        self, tracker: Tracker, run: Run, total_parts: int
    ) -> None:
        """The run alone is the reason: nobody counted that chunk yet, and nobody has after the refusal."""
        tracker.open_job(JobSpec(run, total_parts))
        tracker.mark_done(run, 1, total_parts=total_parts, rows=10)
        before = tracker.progress(run.file_name)
        newcomer = other(run)
        with pytest.raises(
            OtherRunError, match=f"^{re.escape(f'{run.file_name}: the tracker has {run}, and this is')}"
        ):
            tracker.mark_done(newcomer, 2, total_parts=total_parts, rows=10)
        assert tracker.progress(run.file_name) == before
        assert isinstance(tracker.mark_done(run, 2, total_parts=total_parts, rows=10), Counted)

    def test_mark_done_of_an_unknown_generation_with_a_new_number_is_an_error(self, tracker: Tracker, run: Run) -> None:
        """A generation that the tracker never gave out is another run's, newer or not."""
        tracker.mark_done(run, 1, total_parts=3, rows=10)
        before = tracker.progress(run.file_name)
        newer = Run(run.file_name, run.run_id, 2)
        with pytest.raises(OtherRunError, match=re.escape(f"the tracker has {run}, and this is {newer}")):
            tracker.mark_done(newer, 2, total_parts=3, rows=10)
        assert tracker.progress(run.file_name) == before

    def test_an_older_generation_with_a_new_number_counts_nothing(self, tracker: Tracker, run: Run) -> None:
        """It is told that it was replaced, although nobody counted its chunk in the newer run either."""
        tracker.open_job(JobSpec(run, 3))
        newer = tracker.replace_job(JobSpec(other(run), 3))
        assert tracker.mark_done(run, 2, total_parts=3, rows=10) == Superseded(newer)
        third = tracker.replace_job(JobSpec(run, 3))
        assert tracker.mark_done(run, 2, total_parts=3, rows=10) == Superseded(third)
        assert tracker.progress(run.file_name).missing == (1, 2, 3)

    @pytest.mark.parametrize(("total_parts", "wrong"), [(3, 2), (6, 7)], ids=["one item", "shards"])
    def test_mark_done_with_another_total_and_a_new_number_is_an_error(
        self, tracker: Tracker, run: Run, total_parts: int, wrong: int
    ) -> None:
        """The total alone is the reason."""
        tracker.open_job(JobSpec(run, total_parts))
        tracker.mark_done(run, 1, total_parts=total_parts, rows=10)
        before = tracker.progress(run.file_name)
        message = f"{run.file_name}: the tracker has {total_parts} chunks, and this is one of {wrong}"
        with pytest.raises(OtherTotalError, match=f"^{re.escape(message)}$"):
            tracker.mark_done(run, 2, total_parts=wrong, rows=10)
        assert tracker.progress(run.file_name) == before
        assert isinstance(tracker.mark_done(run, 2, total_parts=total_parts, rows=10), Counted)

    @pytest.mark.parametrize("wrong", ["run", "total", "total, same size"])
    def test_a_full_shard_of_another_run_or_total_stays_out_of_the_head(
        self, tracker: Tracker, run: Run, wrong: str
    ) -> None:
        """Where nobody of the job's run counted in that shard, it is the head that refuses it."""
        total_parts = SMALL_SHARD + 2
        tracker.open_job(JobSpec(run, total_parts))
        theirs = other(run) if wrong == "run" else run
        total = total_parts if wrong == "run" else total_parts + 1
        numbers = range(1, SMALL_SHARD + 1) if wrong == "total, same size" else range(SMALL_SHARD + 1, total + 1)
        error = OtherRunError if wrong == "run" else OtherTotalError
        for number in numbers[:-1]:
            with contextlib.suppress(error):
                tracker.mark_done(theirs, number, total_parts=total, rows=10)
        with pytest.raises(error):
            tracker.mark_done(theirs, numbers[-1], total_parts=total, rows=10)
        opened = head(tracker, run)
        assert (opened.run, opened.total_parts, opened.processed_parts) == (run, total_parts, 0)
        for sweeps in (run, theirs):
            assert tracker.count_full_shards(sweeps) == opened
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.missing, report.rows) == (0, tuple(range(1, total_parts + 1)), 0)
        assert {job.file_name: job for job in tracker.list()}[run.file_name] == report

    def test_a_failure_of_a_chunk_that_the_job_does_not_have_is_told(self, tracker: Tracker, run: Run) -> None:
        """Another total is an error of that chunk, whose number may be beyond this job's."""
        tracker.open_job(JobSpec(run, 2))
        tracker.mark_failed(run, 9, error="another total", final=True)
        report = tracker.progress(run.file_name)
        assert [(failure.number, failure.error) for failure in report.failures] == [(9, "another total")]
        assert report.missing == (1, 2)

    def test_an_older_generation_is_superseded(self, tracker: Tracker, run: Run) -> None:
        """Its counts, claims and finishes do nothing: also where the newer run has the same content again (A, B, A)."""
        complete(tracker, run)
        tracker.replace_job(JobSpec(other(run), 2))
        third = tracker.replace_job(JobSpec(run, 2))
        assert third.run == Run(run.file_name, run.run_id, 3)
        assert tracker.mark_done(run, 1, total_parts=2, rows=10) == Superseded(third)
        assert refusal(tracker, run) == Refusal.SUPERSEDED
        assert tracker.finish_join(run) is False
        with pytest.raises(OtherRunError, match=re.escape(f"the tracker has {third.run}, and this is {run}")):
            tracker.reopen_join(run)
        assert tracker.count_full_shards(run) == third
        assert tracker.job(run.file_name) == third

    def test_a_full_shard_of_an_older_generation_is_superseded(self, tracker: Tracker, run: Run) -> None:
        """Its chunks are counted in a shard of their own, which the newer run's head does not take."""
        total_parts = SMALL_SHARD + 1
        tracker.open_job(JobSpec(run, total_parts))
        newer = tracker.replace_job(JobSpec(other(run), total_parts))
        for number in range(1, SMALL_SHARD):
            tracker.mark_done(run, number, total_parts=total_parts, rows=10)
        assert tracker.mark_done(run, SMALL_SHARD, total_parts=total_parts, rows=10) == Superseded(newer)
        assert tracker.job(run.file_name) == newer

    @pytest.mark.parametrize("total_parts", [SMALL_SHARD, 3 * SMALL_SHARD, 3 * SMALL_SHARD + 1])
    def test_only_the_last_chunk_completes_a_job(self, tracker: Tracker, run: Run, total_parts: int) -> None:
        """With and without shards, the last of which may be smaller."""
        tracker.open_job(JobSpec(run, total_parts))
        answers = [tracker.mark_done(run, n, total_parts=total_parts, rows=10) for n in range(total_parts, 0, -1)]
        assert all(isinstance(answer, Counted) for answer in answers)
        assert [not isinstance(answer, Superseded) and answer.complete for answer in answers] == [
            *([False] * (total_parts - 1)),
            True,
        ]
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.rows, report.complete) == (total_parts, 10 * total_parts, True)

    @pytest.mark.parametrize("total_parts", [60, 520], ids=["one item", "shards"])
    def test_delivered_twice_to_32_threads_every_chunk_counts_once(
        self, rig: TrackerRig, run: Run, total_parts: int
    ) -> None:
        """The counts are exact, exactly one answer completes the job, and exactly one claim is granted."""
        tracker = rig.tracker(shard_parts=256)
        tracker.open_job(JobSpec(run, total_parts))

        def mark(number: int) -> Said:
            answer = tracker.mark_done(run, number, total_parts=total_parts, rows=number)
            assert not isinstance(answer, Superseded)
            return Said("counted" if isinstance(answer, Counted) else "duplicate", answer.completed)

        assert deliver_twice(mark, total_parts) == Tally(total_parts, total_parts, completions=1)
        report = tracker.progress(run.file_name)
        assert (report.processed_parts, report.duplicates) == (total_parts, total_parts)
        assert (report.rows, report.missing, report.complete) == (total_parts * (total_parts + 1) // 2, (), True)
        with ThreadPoolExecutor(32) as executor:
            claims = list(
                executor.map(lambda n: tracker.claim_join(run, owner=f"w{n}", lease_seconds=LEASE), range(32))
            )
        assert [type(answer) for answer in claims].count(Claim) == 1
        assert {answer.reason for answer in claims if isinstance(answer, Refused)} == {Refusal.HELD}


class ShardedTrackerContract(WithTracker):
    """Trackers that count large jobs in shards."""

    def test_an_answer_says_whether_its_shard_is_full(self, tracker: Tracker, run: Run) -> None:
        """No job while it is not: then nobody looked at the head; a duplicate of a full shard sees it as well."""
        total_parts = SMALL_SHARD + 1
        tracker.open_job(JobSpec(run, total_parts))
        answers = [tracker.mark_done(run, n, total_parts=total_parts, rows=10) for n in (1, 1, 2, 3, 4, 4)]
        heads = [None if isinstance(answer, Superseded) or answer.job is None else answer.job for answer in answers]
        assert [job and job.processed_parts for job in heads] == [None, None, None, None, 4, 4]
        assert not any(job and job.complete for job in heads)
