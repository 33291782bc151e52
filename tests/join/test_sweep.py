"""What a sweep repairs, what it leaves alone, and what it flags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from splitjoin_cli.core.errors import ContinuationError, StoreError
from splitjoin_cli.join.sweep import FailedJob, SweepOptions
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run, Unfinished
from tests.join.memory import FILE_NAME, RUN_ID, chunk_uri
from tests.join.rig import RUN, FailsWith, Rig


def test_a_join_that_was_never_claimed_is_joined() -> None:
    """All counted, and every worker died before it claimed."""
    rig = Rig()
    rig.load_all()
    assert rig.sweep().joined == (FILE_NAME,)
    assert (rig.join.state, len(rig.continuation.runs)) == ("joined", 1)


def test_a_live_claim_is_left_alone_and_a_lapsed_one_taken_over() -> None:
    """A crashed worker's lease frees itself; a live one is not doubled."""
    rig = Rig()
    rig.load_all()
    rig.claim()
    assert rig.sweep().joined == ()
    rig.clock.now += 61
    assert rig.sweep().joined == (FILE_NAME,)
    assert rig.join.fence == 2


def test_a_full_shard_that_nobody_counted_is_counted() -> None:
    """Its last worker died between the shard and the job."""
    rig = Rig(total=4, shard_parts=2)
    rig.load_all()
    rig.tracker.table.counted.discard((FILE_NAME, 1, 0, 1))
    head = rig.tracker.table.jobs[FILE_NAME]
    rig.tracker.table.jobs[FILE_NAME] = replace(head, processed_parts=2)
    assert rig.sweep().joined == (FILE_NAME,)


def test_a_finish_that_was_interrupted_is_finished() -> None:
    """What it tidies up on DynamoDB comes after the job's own item."""
    rig = Rig(total=1)
    rig.handle(1)
    joined = rig.tracker.table.jobs[FILE_NAME]
    finished: list[Run] = []
    rig.tracker.unfinished = lambda **_: iter([Unfinished(joined)])  # type: ignore[method-assign]  # as an index that lags
    rig.tracker.finish_join = lambda run: not finished.append(run)  # type: ignore[method-assign, func-returns-value]
    report = rig.sweep()
    assert (finished, report.joined, report.stuck) == ([RUN], (), ())


def test_a_job_whose_rows_lie_elsewhere_is_another_workers() -> None:
    """One tracker may serve several databases: this ledger cannot say that theirs is not whole."""
    rig = Rig()
    rig.load_all()
    rig.loader.database.jobs.clear()
    report = rig.sweep()
    assert (report.elsewhere, report.joined, rig.join.state) == ((FILE_NAME,), (), "none")


def test_a_job_that_gets_no_more_chunks_is_flagged() -> None:
    """A split was interrupted, or events are lost; with a live claim it is not stuck."""
    rig = Rig(total=2)
    rig.handle(1)
    assert rig.sweep().stuck == ()
    rig.clock.now += 901
    assert rig.sweep().stuck == (FILE_NAME,)
    assert rig.continuation.runs == []


def test_a_join_that_failed_for_good_is_flagged_and_left() -> None:
    """Until somebody says retry --join."""
    rig = Rig(total=1)
    fails = FailsWith(ContinuationError("no"))
    for _ in range(6):
        rig.handle(1, continuation=fails)
        rig.clock.now += 1000
    report = rig.sweep(continuation=fails)
    assert (report.stuck, report.joined, fails.runs) == ((FILE_NAME,), (), 5)


def test_one_job_that_fails_does_not_hide_the_others() -> None:
    """Each is looked at, and all errors are kept."""
    rig = Rig(total=1)
    rig.load_all()
    other = Run("zeta_20240131", RUN_ID)
    rig.tracker.open_job(JobSpec(other, 1))
    rig.tracker.mark_done(other, 1, total_parts=1, rows=1)
    ask = rig.loader.job

    def fails_for_the_first(file_name: str) -> object:
        if file_name == FILE_NAME:
            raise StoreError("throttled for too long")
        return ask(file_name)

    rig.loader.job = fails_for_the_first  # type: ignore[method-assign, assignment]
    report = rig.sweep()
    assert (report.looked_at, report.elsewhere) == (2, ("zeta_20240131",))
    assert [error.message for error in report.errors] == ["throttled for too long"]


def test_a_failed_continuation_is_an_error_of_the_sweep() -> None:
    """It is tried again after its wait."""
    rig = Rig(total=1)
    rig.load_all()
    error = ContinuationError("no")
    assert rig.sweep(continuation=FailsWith(error)).errors == (error,)
    assert rig.sweep().joined == ()
    rig.clock.now += 31
    assert rig.sweep().joined == (FILE_NAME,)


def test_a_run_that_was_replaced_meanwhile_is_nobodys() -> None:
    """The list may lag behind by seconds."""
    rig = Rig(total=1)
    rig.load_all()
    old = rig.tracker.table.jobs[FILE_NAME]
    rig.tracker.replace_job(JobSpec(Run(FILE_NAME, "b" * 32), 1))
    rig.tracker.unfinished = lambda **_: iter([Unfinished(old)])  # type: ignore[method-assign]  # as an index that lags
    rig.clock.now += 5000
    report = rig.sweep()
    assert (report.joined, report.stuck, rig.join.state) == ((), (), "none")
    assert chunk_uri(1, 1) in rig.chunks.objects


def test_a_job_that_cannot_be_joined_now_is_nobody_elses() -> None:
    """Not complete, or failed: whose rows it has is not asked, and no claim is tried."""
    rig = Rig(total=2)
    rig.handle(1)
    rig.loader.database.jobs.clear()
    assert rig.sweep().elsewhere == ()
    rig = Rig(total=1)
    rig.load_all()
    rig.tracker.fail_join(rig.claim(), error="no", backoff_seconds=0, final=True)
    rig.loader.database.jobs.clear()
    assert rig.sweep().elsewhere == ()


@pytest.mark.parametrize("changes", [{"run_id": "c" * 32}, {"table": "other"}])
def test_rows_of_another_run_or_table_are_elsewhere(changes: dict[str, str]) -> None:
    """Each of the two alone."""
    rig = Rig()
    rig.load_all()
    ledger = rig.loader.database.jobs[FILE_NAME]
    rig.loader.database.jobs[FILE_NAME] = replace(ledger, **changes)  # type: ignore[arg-type]  # texts, both
    report = rig.sweep()
    assert (report.elsewhere, report.joined, rig.join.state) == ((FILE_NAME,), (), "none")


def test_a_job_that_is_joined_late_is_not_stuck() -> None:
    """What the sweep has just settled needs no alarm, and is no error."""
    rig = Rig()
    rig.load_all()
    rig.clock.now += 901
    report = rig.sweep()
    assert (report.joined, report.stuck, report.errors) == ((FILE_NAME,), (), ())


def test_a_join_that_waits_for_too_long_is_stuck() -> None:
    """Its next try is not yet allowed, and nothing went on since the last chunk; a live claim goes on."""
    rig = Rig()
    rig.load_all()
    rig.clock.now += 901
    claim = rig.claim()
    assert rig.sweep().stuck == ()
    rig.tracker.fail_join(claim, error="no", backoff_seconds=5000)
    assert rig.sweep().stuck == (FILE_NAME,)


def test_a_join_that_failed_is_stuck_at_once() -> None:
    """Nobody needs to wait for what will not come."""
    rig = Rig(total=1)
    rig.load_all()
    rig.tracker.fail_join(rig.claim(), error="no", backoff_seconds=0, final=True)
    assert rig.sweep().stuck == (FILE_NAME,)


def test_stuck_is_told_from_the_last_count_else_from_the_beginning() -> None:
    """An old job that goes on is not; one that never began is; of one without times nothing is known."""
    rig = Rig(total=2)
    opened = rig.tracker.open_job(JobSpec(RUN, 2))
    rig.clock.now += 901
    assert rig.sweep().stuck == (FILE_NAME,)
    rig.handle(1)
    assert rig.sweep().stuck == ()
    timeless = replace(opened, created_at=None)
    rig.tracker.unfinished = lambda **_: iter([Unfinished(timeless)])  # type: ignore[method-assign]  # as somebody else wrote it
    rig.clock.now += 5000
    assert rig.sweep().stuck == ()


def test_a_job_without_a_run_is_left_to_whoever_counts_it() -> None:
    """The published counter's, should an index show it."""
    rig = Rig()
    rig.load_all()
    theirs = replace(rig.tracker.table.jobs[FILE_NAME], run_id=None)
    rig.tracker.unfinished = lambda **_: iter([Unfinished(theirs)])  # type: ignore[method-assign]  # an index that lags
    report = rig.sweep()
    assert (report.joined, report.elsewhere, report.errors, rig.join.state) == ((), (), (), "none")


def test_sweeps_go_through_all_jobs_in_order_of_name() -> None:
    """Each looks at the most that it may, and the next one goes on after the last; after the end it begins again."""
    rig = Rig(total=1)
    names = [f"{letter}_20240131" for letter in "bdace"]
    for name in names:
        rig.tracker.open_job(JobSpec(Run(name, RUN_ID), 2))
    rig.clock.now += 901
    swept, last = [], ""
    for _ in range(4):
        report = rig.sweep(options=SweepOptions(after=last, most=2))
        swept.append(report.stuck)
        last = report.last
    first, *others = sorted(names)
    assert swept == [(first, others[0]), (others[1], others[2]), (others[3],), (first, others[0])]


def test_a_sweep_ends_when_its_time_is_over() -> None:
    """What it may not begin is the next one's; one that may begin nothing stays where it was."""
    rig = Rig(total=1)
    for letter in "abc":
        rig.tracker.open_job(JobSpec(Run(f"{letter}_20240131", RUN_ID), 2))
    left = iter([True, True, False, False])
    report = rig.sweep(options=SweepOptions(may_begin=lambda: next(left)))
    assert (report.looked_at, report.last) == (2, "b_20240131")
    report = rig.sweep(options=SweepOptions(after=report.last, may_begin=lambda: next(left)))
    assert (report.looked_at, report.last) == (0, "b_20240131")
    report = rig.sweep(options=SweepOptions(after=report.last))
    assert (report.looked_at, report.last) == (1, "")


def test_a_job_whose_shards_are_counted_goes_on() -> None:
    """None is full yet, so that its head says nothing of them."""
    rig = Rig(total=5, shard_parts=3)
    rig.tracker.open_job(JobSpec(RUN, 5))
    rig.clock.now += 901
    rig.handle(1)
    assert rig.sweep().stuck == ()


def test_what_failed_for_good_is_found_where_it_is_asked() -> None:
    """A chunk that is not counted since, or the join; not while an owner holds the join."""
    rig = Rig(total=3)
    rig.handle(1)
    for number in (1, 2, 3):
        rig.tracker.mark_failed(RUN, number, error=f"row {number}", final=number != 2)
    assert rig.sweep().failed == ()
    asked = SweepOptions(failures=True)
    assert rig.sweep(options=asked).failed == (FailedJob(FILE_NAME, RUN_ID, 3, "row 3"),)
    rig.handle(3)
    assert rig.sweep(options=asked).failed == ()
    rig.handle(2, continuation=FailsWith(ContinuationError("no")))
    rig.clock.now += 1000
    claim = rig.claim()
    assert rig.sweep(options=asked).failed == ()
    rig.tracker.fail_join(claim, error="no such topic", backoff_seconds=0, final=True)
    assert rig.sweep(options=asked).failed == (FailedJob(FILE_NAME, RUN_ID, None, "no such topic"),)
