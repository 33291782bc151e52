"""The contract of a tracker, as a suite of tests: what it tells of jobs, of their failures and of its times."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.stores.trackers.answers import Counted
from splitjoin_cli.stores.trackers.jobs import Failure, JobSpec, Run
from splitjoin_cli.testing.jobs import (
    START,
    WithTracker,
    claim,
    complete,
    other,
    unfinished,
)

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.testing.jobs import TrackerRig


__all__ = ["ReportContract"]


class ReportContract(WithTracker):
    """Every tracker: failures, progress, lists."""

    def test_failures_are_told_until_the_chunk_is_counted(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """The most recent one of each chunk, with its attempts; a count wins, whichever comes first."""
        tracker.open_job(JobSpec(run, 7))
        tracker.mark_failed(run, 7, error="ß" * 400, final=True)
        tracker.mark_failed(run, 2, error="lock wait", final=True)
        rig.clock.move(3)
        tracker.mark_failed(run, 2, error="lock wait again", final=False)
        tracker.mark_failed(run, 3, error="bad row", final=True)
        tracker.mark_done(run, 3, total_parts=7, rows=10)
        tracker.mark_done(run, 4, total_parts=7, rows=10)
        tracker.mark_failed(run, 4, error="late", final=True)
        report = tracker.progress(run.file_name)
        assert report.failures == (
            Failure(2, "lock wait again", 2, START + 3, final=False),
            Failure(7, "ß" * 250, 1, START, final=True),
        )
        assert report.missing == (1, 2, 5, 6, 7)

    def test_a_final_failure_that_was_sent_again_is_final_no_more(
        self, rig: TrackerRig, tracker: Tracker, run: Run
    ) -> None:
        """Until it fails once more; repeated, it stays as it is; only a final failure can be sent again."""
        tracker.open_job(JobSpec(run, 7))
        tracker.mark_failed(run, 2, error="bad row", final=True)
        tracker.mark_failed(run, 7, error="lock wait", final=False)
        final, passing = tracker.progress(run.file_name).failures
        for failure in (final, final, passing):
            tracker.mark_retried(run, failure)
        report = tracker.progress(run.file_name)
        assert report.failures == (replace(final, final=False, retried=True), passing)
        assert {job.file_name: job.failures for job in tracker.list()}[run.file_name] == report.failures
        rig.clock.move(3)
        tracker.mark_failed(run, 2, error="bad row again", final=True)
        assert tracker.progress(run.file_name).failures[0] == Failure(2, "bad row again", 2, START + 3, final=True)

    def test_a_sending_is_noted_for_one_run_alone(self, tracker: Tracker, run: Run) -> None:
        """The same failure of another chunk, job and newer run stays final; an older run's is not shown."""
        neighbour = replace(run, file_name=f"x{run.file_name}")
        for each in (run, neighbour):
            tracker.open_job(JobSpec(each, 2))
            tracker.mark_failed(each, 1, error="bad row", final=True)
        tracker.mark_failed(run, 2, error="bad row", final=True)
        failure, second = tracker.progress(run.file_name).failures
        tracker.mark_retried(run, failure)
        assert tracker.progress(run.file_name).failures == (replace(failure, final=False, retried=True), second)
        assert tracker.progress(neighbour.file_name).failures == (failure,)
        newer = tracker.replace_job(JobSpec(other(run), 2)).run
        assert newer is not None
        tracker.mark_failed(newer, 1, error="bad row", final=True)
        tracker.mark_failed(run, 2, error="too late", final=True)
        tracker.mark_retried(run, failure)
        assert tracker.progress(run.file_name).failures == (failure,)

    def test_a_chunk_that_failed_again_before_its_sending_was_noted_stays_failed(
        self, tracker: Tracker, run: Run
    ) -> None:
        """The worker may be faster than whoever sent; and a failure that is not there is not made."""
        tracker.open_job(JobSpec(run, 7))
        tracker.mark_failed(run, 2, error="bad row", final=True)
        (seen,) = tracker.progress(run.file_name).failures
        tracker.mark_failed(run, 2, error="bad row", final=True)
        tracker.mark_retried(run, seen)
        tracker.mark_retried(run, replace(seen, number=3))
        tracker.mark_retried(Run(run.file_name, run.run_id, run.generation + 1), seen)
        assert tracker.progress(run.file_name).failures == (replace(seen, attempts=2),)
        tracker.mark_done(run, 2, total_parts=7, rows=10)
        tracker.mark_retried(run, replace(seen, attempts=2))
        assert tracker.progress(run.file_name).failures == ()

    def test_progress_tells_the_times_of_progress(self, rig: TrackerRig, tracker: Tracker, run: Run) -> None:
        """Duplicates are none; a claim and a finish are."""
        tracker.open_job(JobSpec(run, 6))
        rig.clock.move(1)
        tracker.mark_done(run, 1, total_parts=6, rows=10)
        rig.clock.move(1)
        tracker.mark_done(run, 1, total_parts=6, rows=10)
        report = tracker.progress(run.file_name)
        assert (report.created_at, report.counted_at, report.updated_at) == (START, START + 1, START + 1)
        for number in range(2, 7):
            tracker.mark_done(run, number, total_parts=6, rows=10)
        rig.clock.move(1)
        claim(tracker, run)
        report = tracker.progress(run.file_name)
        assert (report.counted_at, report.updated_at) == (START + 2, START + 3)
        rig.clock.move(1)
        tracker.finish_join(run)
        assert tracker.progress(run.file_name).updated_at == START + 4

    def test_progress_of_a_job_under_way(self, tracker: Tracker, run: Run) -> None:
        """Chunks of a shard that is not full count as well; the head knows only the full ones."""
        tracker.open_job(JobSpec(run, 10, rows_expected=100, destination="s3://bucket/"))
        for number in (1, 2, 3, 4, 6, 10, 10):
            tracker.mark_done(run, number, total_parts=10, rows=10)
        report = tracker.progress(run.file_name)
        assert (report.run, report.total_parts, report.processed_parts, report.unnumbered) == (run, 10, 6, 0)
        assert (report.missing, report.complete, report.duplicates) == ((5, 7, 8, 9), False, 1)
        assert (report.rows, report.rows_expected, report.destination) == (60, 100, "s3://bucket/")

    def test_list_tells_of_every_job(self, tracker: Tracker, run: Run) -> None:
        """The same as of one: waiting, under way with failures, and joined."""
        waiting, under_way, joined = (Run(f"{name}-{run.file_name}", run.run_id) for name in ("a", "b", "c"))
        tracker.open_job(JobSpec(waiting, 3))
        for number in (1, 2, 3, 4, 5):
            tracker.mark_done(under_way, number, total_parts=9, rows=10)
        tracker.mark_failed(under_way, 7, error="bad row", final=False)
        complete(tracker, joined, 6)
        claim(tracker, joined)
        tracker.finish_join(joined)
        names = {waiting.file_name, under_way.file_name, joined.file_name}
        listed = {report.file_name: report for report in tracker.list() if report.file_name in names}
        assert listed == {name: tracker.progress(name) for name in names}
        assert [failure.number for failure in listed[under_way.file_name].failures] == [7]
        found = [one.job for one in unfinished(tracker) if one.file_name in names]
        assert found == [tracker.job(name) for name in (waiting.file_name, under_way.file_name)]

    def test_a_sweep_is_told_of_what_is_not_joined(self, tracker: Tracker, rig: TrackerRig, run: Run) -> None:
        """In order of name, from a name on and no more than asked; with the first chunk that failed for good."""
        client, _, date = run.file_name.rpartition("_")
        first, second, third = (Run(f"{client}-{name}_{date}", run.run_id) for name in ("a", "b", "c"))
        for one in (third, second, first):
            tracker.open_job(JobSpec(one, 9))
        for number, final in ((2, True), (4, False), (8, True), (6, True)):
            tracker.mark_failed(second, number, error=f"row {number}", final=final)
        rig.clock.move(60)
        tracker.mark_done(second, 2, total_parts=9, rows=10)
        asked = {one.file_name: one for one in unfinished(tracker, failures=True)}
        mine = [first.file_name, second.file_name, third.file_name]
        assert [name for name in asked if name in mine] == mine
        found = asked[second.file_name]
        assert (found.job, found.uncounted, found.counted_at) == (tracker.job(second.file_name), False, rig.clock())
        assert found.failure is not None
        assert (found.failure.number, found.failure.error) == (6, "row 6")
        assert asked[first.file_name].failure is None
        assert all(one.failure is None for one in unfinished(tracker))
        (only,) = tracker.unfinished(after=first.file_name, most=1, failures=False)
        assert only.file_name == second.file_name

    def test_progress_of_256_chunks_and_of_257(self, rig: TrackerRig, run: Run) -> None:
        """At the size of a real shard nothing changes but where the counts lie."""
        tracker = rig.tracker(shard_parts=256)
        for total_parts in (256, 257):
            mine = Run(f"{total_parts}-{run.file_name}", run.run_id)
            tracker.open_job(JobSpec(mine, total_parts))
            with ThreadPoolExecutor(16) as executor:
                list(executor.map(lambda n: tracker.mark_done(mine, n, total_parts=total_parts, rows=1), range(1, 256)))  # noqa: B023 -- it is used in this turn only
            report = tracker.progress(mine.file_name)
            assert (report.processed_parts, report.missing) == (255, tuple(range(256, total_parts + 1)))
            for number in range(256, total_parts + 1):
                last = tracker.mark_done(mine, number, total_parts=total_parts, rows=1)
            assert isinstance(last, Counted)
            assert last.complete
