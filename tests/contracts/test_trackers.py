"""The contract of a tracker, held by every implementation: see splitjoin_cli/stores/trackers/base.py."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import splitjoin_cli.stores.trackers
from splitjoin_cli.core.errors import NameTakenError, NoSuchJobError, OtherRunError, OtherTotalError, StoreError
from splitjoin_cli.stores.trackers.base import (
    MAX_CLAIMS,
    Claim,
    Counted,
    Duplicate,
    Failure,
    InitReport,
    Job,
    JobSpec,
    Join,
    Refusal,
    Refused,
    Run,
    Superseded,
)
from tests.stores.trackers.deliveries import Said, Tally, deliver_twice
from tests.stores.trackers.rigs import SMALL_SHARD, START, DynamoDbRig, MemoryRig, Rig, SqliteRig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.stores.trackers.base import Tracker
    from tests.servers.dynamodb import DynamoDbServer

COVERED = {"MemoryTracker", "SqliteTracker", "DynamoDbTracker"}
SERVERS = {"dynalite": "dynalite_server", "ministack": "ministack_server"}
KINDS = ["memory", "sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in SERVERS)]
SHARDED_KINDS = [kind for kind in KINDS if kind != "sqlite"]
LEASE = 60.0


@pytest.fixture(scope="module")
def stores() -> dict[str, tuple[Any, str]]:
    """A client and a table for each server, made when they are first asked for."""
    return {}


@pytest.fixture(params=KINDS)
def rig(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    stores: dict[str, tuple[Any, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Rig:
    """Each kind of store in turn."""
    if request.param == "memory":
        return MemoryRig()
    if request.param == "sqlite":
        return SqliteRig(tmp_path)
    server: DynamoDbServer = request.getfixturevalue(SERVERS[request.param])
    server.use(monkeypatch)
    if request.param not in stores:
        client, table = server.client(), f"jobs-{uuid.uuid4().hex[:12]}"
        DynamoDbRig(client, table).tracker().init()
        stores[request.param] = (client, table)
    return DynamoDbRig(*stores[request.param])


@pytest.fixture
def tracker(rig: Rig) -> Iterator[Tracker]:
    """A tracker on it."""
    made = rig.tracker()
    yield made
    made.close()


@pytest.fixture
def run() -> Run:
    """A job that no other test has."""
    return Run(f"Zoë-{uuid.uuid4().hex[:12]}_20240131", "1a2b3c4d" * 4)


def other(run: Run, generation: int = 1) -> Run:
    """Another content under the same name."""
    return Run(run.file_name, "ffff0000" * 4, generation)


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


def test_every_tracker_is_held_to_the_contract() -> None:
    """A tracker that is not in this suite fails it."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.trackers.__path__, "splitjoin_cli.stores.trackers."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {name for name, kind in members if kind.__module__ == module.name and hasattr(kind, "mark_done")}
    assert found - {"Tracker"} == COVERED


# Opening and replacing


def test_init_leaves_alone_what_is_right(tracker: Tracker) -> None:
    """The second time nothing is made and nothing is set."""
    tracker.init()
    again = tracker.init()
    assert again == InitReport(created=False, unsupported=again.unsupported)


def test_a_tracker_that_is_there_is_reached(tracker: Tracker) -> None:
    """With its table and no job in it, which is no error."""
    tracker.init()
    tracker.reach()


def test_a_job_that_nobody_opened_is_not_known(tracker: Tracker, run: Run) -> None:
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


def test_open_job_makes_it_and_is_safe_to_repeat(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_open_job_may_come_after_counts(tracker: Tracker, run: Run) -> None:
    """It completes what the first count could not know, and loses nothing of it."""
    tracker.mark_done(run, 2, total_parts=3, rows=10)
    job = tracker.open_job(JobSpec(run, 3, rows_expected=30, destination="s3://bucket/"))
    assert (job.processed_parts, job.rows, job.rows_expected, job.destination) == (1, 10, 30, "s3://bucket/")
    assert isinstance(tracker.mark_done(run, 2, total_parts=3, rows=10), Duplicate)


def test_open_job_after_the_join_changes_nothing(tracker: Tracker, run: Run) -> None:
    """A late repeat neither reopens a joined job nor brings it back to the sweep."""
    complete(tracker, run)
    claim(tracker, run)
    tracker.finish_join(run)
    joined = head(tracker, run)
    assert tracker.open_job(JobSpec(run, 2, rows_expected=20)).join == joined.join
    assert run.file_name not in {job.file_name for job in tracker.unfinished()}


def test_open_job_of_other_content_is_refused(tracker: Tracker, run: Run) -> None:
    """The name is taken, and the message names both runs; a newer generation does not help."""
    opened = tracker.open_job(JobSpec(run, 3))
    newcomer = other(run, 7)
    message = f"{run.file_name}: the tracker has run {run.run_id} (generation 1), and this is run {newcomer.run_id}"
    with pytest.raises(NameTakenError, match=f"^{re.escape(message)}$"):
        tracker.open_job(JobSpec(newcomer, 3))
    assert tracker.job(run.file_name) == opened


def test_open_job_with_another_total_is_refused(tracker: Tracker, run: Run) -> None:
    """The same run cannot have two numbers of chunks."""
    tracker.open_job(JobSpec(run, 3))
    message = f"{run.file_name}: the tracker has 3 chunks, and this is one of 4"
    with pytest.raises(OtherTotalError, match=f"^{re.escape(message)}$"):
        tracker.open_job(JobSpec(run, 4))


def test_replace_job_begins_a_new_generation_once(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_replace_job_by_the_same_content_changes_nothing(tracker: Tracker, run: Run) -> None:
    """``split --force`` of what is there is the same run, with its counts; where nothing is, it is opened."""
    assert tracker.replace_job(JobSpec(run, 3)).generation == 1
    tracker.mark_done(run, 1, total_parts=3, rows=10)
    job = tracker.replace_job(JobSpec(run, 3))
    assert (job.generation, job.processed_parts) == (1, 1)
    assert isinstance(tracker.mark_done(run, 1, total_parts=3, rows=10), Duplicate)


def test_replace_job_leaves_other_jobs_alone(tracker: Tracker, run: Run) -> None:
    """Their counts and failures stay."""
    neighbour = Run(f"b-{run.file_name}", run.run_id)
    tracker.mark_done(neighbour, 1, total_parts=3, rows=10)
    tracker.mark_failed(neighbour, 2, error="bad row", final=True)
    before = tracker.progress(neighbour.file_name)
    tracker.open_job(JobSpec(run, 3))
    tracker.replace_job(JobSpec(other(run), 3))
    assert tracker.progress(neighbour.file_name) == before
    for _ in range(2):
        tracker.mark_done(other(run, 2), 1, total_parts=3, rows=10)
    assert tracker.progress(run.file_name).duplicates == 1
    assert tracker.progress(neighbour.file_name) == before
    assert isinstance(tracker.mark_done(neighbour, 1, total_parts=3, rows=10), Duplicate)


def test_replace_job_goes_beyond_the_generation_of_its_plan(tracker: Tracker, run: Run) -> None:
    """A tracker that is younger than the stored split takes its generation."""
    tracker.open_job(JobSpec(run, 3))
    assert tracker.replace_job(JobSpec(other(run, 5), 3)).generation == 5


# Counting


def test_mark_done_counts_each_chunk_once(tracker: Tracker, run: Run) -> None:
    """In any order; the last one is told that the job is complete, and so is each duplicate after it."""
    tracker.open_job(JobSpec(run, 3))
    answers = [tracker.mark_done(run, number, total_parts=3, rows=10) for number in (3, 1, 1, 2, 3)]
    assert [type(answer) for answer in answers] == [Counted, Counted, Duplicate, Counted, Duplicate]
    assert [not isinstance(answer, Superseded) and answer.complete for answer in answers] == [0, 0, 0, 1, 1]
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.duplicates, report.rows, report.missing) == (3, 2, 30, ())


def test_mark_done_works_without_open_job(rig: Rig, tracker: Tracker, run: Run) -> None:
    """The first count makes the job, in the chunk's generation."""
    second = Run(run.file_name, run.run_id, 2)
    tracker.mark_done(second, 1, total_parts=2, rows=10)
    job = head(tracker, run)
    assert (job.run, job.total_parts, job.created_at) == (second, 2, rig.clock())
    assert job.file_name in {found.file_name for found in tracker.unfinished()}


@pytest.mark.parametrize("number", [0, 4, -1])
def test_mark_done_refuses_a_number_beyond_the_total(tracker: Tracker, run: Run, number: int) -> None:
    """Chunks count from 1 to the total."""
    with pytest.raises(ValueError, match=f"^chunk {number} of 3$"):
        tracker.mark_done(run, number, total_parts=3, rows=10)


@pytest.mark.parametrize("total_parts", [3, 6], ids=["one item", "shards"])
def test_mark_done_of_another_run_is_an_error(tracker: Tracker, run: Run, total_parts: int) -> None:
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
def test_mark_done_with_another_total_is_an_error(tracker: Tracker, run: Run, total_parts: int, wrong: int) -> None:
    """It is looked at before duplicates, and counts nothing."""
    tracker.open_job(JobSpec(run, total_parts))
    tracker.mark_done(run, 1, total_parts=total_parts, rows=10)
    message = f"{run.file_name}: the tracker has {total_parts} chunks, and this is one of {wrong}"
    with pytest.raises(OtherTotalError, match=f"^{re.escape(message)}$"):
        tracker.mark_done(run, 1, total_parts=wrong, rows=10)
    assert tracker.progress(run.file_name).processed_parts == 1


@pytest.mark.parametrize("total_parts", [3, 6], ids=["one item", "shards"])
def test_mark_done_of_another_run_with_a_new_number_is_an_error(tracker: Tracker, run: Run, total_parts: int) -> None:
    """The run alone is the reason: nobody counted that chunk yet, and nobody has after the refusal."""
    tracker.open_job(JobSpec(run, total_parts))
    tracker.mark_done(run, 1, total_parts=total_parts, rows=10)
    before = tracker.progress(run.file_name)
    newcomer = other(run)
    with pytest.raises(OtherRunError, match=f"^{re.escape(f'{run.file_name}: the tracker has {run}, and this is')}"):
        tracker.mark_done(newcomer, 2, total_parts=total_parts, rows=10)
    assert tracker.progress(run.file_name) == before
    assert isinstance(tracker.mark_done(run, 2, total_parts=total_parts, rows=10), Counted)


def test_mark_done_of_an_unknown_generation_with_a_new_number_is_an_error(tracker: Tracker, run: Run) -> None:
    """A generation that the tracker never gave out is another run's, newer or not."""
    tracker.mark_done(run, 1, total_parts=3, rows=10)
    before = tracker.progress(run.file_name)
    newer = Run(run.file_name, run.run_id, 2)
    with pytest.raises(OtherRunError, match=re.escape(f"the tracker has {run}, and this is {newer}")):
        tracker.mark_done(newer, 2, total_parts=3, rows=10)
    assert tracker.progress(run.file_name) == before


def test_an_older_generation_with_a_new_number_counts_nothing(tracker: Tracker, run: Run) -> None:
    """It is told that it was replaced, although nobody counted its chunk in the newer run either."""
    tracker.open_job(JobSpec(run, 3))
    newer = tracker.replace_job(JobSpec(other(run), 3))
    assert tracker.mark_done(run, 2, total_parts=3, rows=10) == Superseded(newer)
    third = tracker.replace_job(JobSpec(run, 3))
    assert tracker.mark_done(run, 2, total_parts=3, rows=10) == Superseded(third)
    assert tracker.progress(run.file_name).missing == (1, 2, 3)


@pytest.mark.parametrize(("total_parts", "wrong"), [(3, 2), (6, 7)], ids=["one item", "shards"])
def test_mark_done_with_another_total_and_a_new_number_is_an_error(
    tracker: Tracker, run: Run, total_parts: int, wrong: int
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


@pytest.mark.parametrize("wrong", ["run", "total"])
def test_a_full_shard_of_another_run_or_total_stays_out_of_the_head(tracker: Tracker, run: Run, wrong: str) -> None:
    """Where nobody of the job's run counted in that shard, it is the head that refuses it."""
    total_parts = SMALL_SHARD + 2
    tracker.open_job(JobSpec(run, total_parts))
    theirs = other(run) if wrong == "run" else run
    total = total_parts if wrong == "run" else total_parts + 1
    numbers = range(SMALL_SHARD + 1, total + 1)
    error = OtherRunError if wrong == "run" else OtherTotalError
    for number in numbers[:-1]:
        with contextlib.suppress(error):
            tracker.mark_done(theirs, number, total_parts=total, rows=10)
    with pytest.raises(error):
        tracker.mark_done(theirs, numbers[-1], total_parts=total, rows=10)
    opened = head(tracker, run)
    assert (opened.run, opened.total_parts, opened.processed_parts) == (run, total_parts, 0)
    assert tracker.count_full_shards(run) == opened
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.missing, report.rows) == (0, tuple(range(1, total_parts + 1)), 0)
    assert {job.file_name: job for job in tracker.list()}[run.file_name] == report


def test_a_failure_of_a_chunk_that_the_job_does_not_have_is_told(tracker: Tracker, run: Run) -> None:
    """Another total is an error of that chunk, whose number may be beyond this job's."""
    tracker.open_job(JobSpec(run, 2))
    tracker.mark_failed(run, 9, error="another total", final=True)
    report = tracker.progress(run.file_name)
    assert [(failure.number, failure.error) for failure in report.failures] == [(9, "another total")]
    assert report.missing == (1, 2)


def test_an_older_generation_is_superseded(tracker: Tracker, run: Run) -> None:
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


@pytest.mark.parametrize("total_parts", [SMALL_SHARD, 3 * SMALL_SHARD, 3 * SMALL_SHARD + 1])
def test_only_the_last_chunk_completes_a_job(tracker: Tracker, run: Run, total_parts: int) -> None:
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


@pytest.mark.parametrize("rig", SHARDED_KINDS, indirect=True)
def test_an_answer_says_whether_its_shard_is_full(tracker: Tracker, run: Run) -> None:
    """No job while it is not: then nobody looked at the head; a duplicate of a full shard sees it as well."""
    total_parts = SMALL_SHARD + 1
    tracker.open_job(JobSpec(run, total_parts))
    answers = [tracker.mark_done(run, n, total_parts=total_parts, rows=10) for n in (1, 1, 2, 3, 4, 4)]
    heads = [None if isinstance(answer, Superseded) or answer.job is None else answer.job for answer in answers]
    assert [job and job.processed_parts for job in heads] == [None, None, None, None, 4, 4]
    assert not any(job and job.complete for job in heads)


@pytest.mark.parametrize("total_parts", [60, 520], ids=["one item", "shards"])
def test_delivered_twice_to_32_threads_every_chunk_counts_once(rig: Rig, run: Run, total_parts: int) -> None:
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
        claims = list(executor.map(lambda n: tracker.claim_join(run, owner=f"w{n}", lease_seconds=LEASE), range(32)))
    assert [type(answer) for answer in claims].count(Claim) == 1
    assert {answer.reason for answer in claims if isinstance(answer, Refused)} == {Refusal.HELD}


# Joining


def test_an_incomplete_job_cannot_be_claimed(tracker: Tracker, run: Run) -> None:
    """One chunk is missing."""
    tracker.open_job(JobSpec(run, 2))
    tracker.mark_done(run, 2, total_parts=2, rows=10)
    assert refusal(tracker, run) == Refusal.INCOMPLETE
    assert head(tracker, run).join == Join()


def test_a_claim_is_held_by_one_owner(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_a_claim_of_another_run_is_an_error(tracker: Tracker, run: Run) -> None:
    """The job is complete, but not that run's."""
    complete(tracker, run)
    with pytest.raises(OtherRunError, match=re.escape(f"the tracker has {run}, and this is {other(run)}")):
        tracker.claim_join(other(run), owner="worker 1", lease_seconds=LEASE)


def test_a_claim_of_an_older_generation_of_the_same_content_is_refused(tracker: Tracker, run: Run) -> None:
    """A, B, A: the run id is the job's again, and complete, and the generation is not the claim's."""
    tracker.open_job(JobSpec(run, 2))
    tracker.replace_job(JobSpec(other(run), 2))
    third = tracker.replace_job(JobSpec(run, 2)).run
    assert third is not None
    mark_all(tracker, third, 2)
    assert refusal(tracker, run) == Refusal.SUPERSEDED
    assert claim(tracker, third).attempt == 1


def test_a_renewed_lease_lives_longer(rig: Rig, tracker: Tracker, run: Run) -> None:
    """From when it was renewed, even where it was over already and nobody came."""
    complete(tracker, run)
    held = claim(tracker, run)
    rig.clock.move(LEASE + 1)
    renewed = tracker.renew_join(held, lease_seconds=LEASE)
    assert renewed is not None
    assert (renewed.token, renewed.fence, renewed.lease_until) == (held.token, held.fence, rig.clock() + LEASE)
    rig.clock.move(LEASE)
    assert refusal(tracker, run) == Refusal.HELD


def test_a_lapsed_owner_changes_nothing_but_may_succeed(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_a_released_claim_was_no_attempt(tracker: Tracker, run: Run) -> None:
    """The next one may come at once; repeated, the release is still true, until somebody claims."""
    complete(tracker, run)
    held = claim(tracker, run)
    assert tracker.release_join(held) is True
    assert tracker.release_join(held) is True
    assert tracker.renew_join(held, lease_seconds=LEASE) is None
    again = claim(tracker, run, "worker 2")
    assert (again.attempt, again.fence, again.joined_at) == (1, 2, held.joined_at)
    assert tracker.release_join(held) is False


def test_a_failed_continuation_waits_before_the_next(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_a_join_fails_for_good_after_its_last_attempt(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_the_last_attempt_fails_for_good_by_itself(rig: Rig, tracker: Tracker, run: Run) -> None:
    """Nobody needs to claim once more to learn it: ``status`` says so from then on, and there is no wait to sit out."""
    complete(tracker, run)
    for attempt in range(1, MAX_CLAIMS + 1):
        held = claim(tracker, run)
        assert tracker.fail_join(held, error=f"boom {attempt}", backoff_seconds=30) is True
        join = head(tracker, run).join
        last = attempt == MAX_CLAIMS
        assert (join.state, join.attempts, join.error) == ("failed" if last else "waiting", attempt, f"boom {attempt}")
        assert join.lease_until == (None if last else rig.clock() + 30)
        rig.clock.move(31)


def test_owners_that_die_use_up_the_attempts_too(rig: Rig, tracker: Tracker, run: Run) -> None:
    """A continuation that kills its worker is not tried for ever, and the reason is told."""
    complete(tracker, run)
    for _ in range(MAX_CLAIMS):
        claim(tracker, run)
        rig.clock.move(LEASE + 1)
    assert refusal(tracker, run) == Refusal.FAILED
    join = head(tracker, run).join
    assert join.state == "failed"
    assert join.error == "claimed 5 times and never finished: each owner died or outlived its lease"


def test_a_final_failure_needs_no_attempts(tracker: Tracker, run: Run) -> None:
    """What cannot be mended by trying again is not tried again."""
    complete(tracker, run)
    tracker.fail_join(claim(tracker, run), error="chunks 3, 7-9 are not in the ledger", backoff_seconds=0, final=True)
    assert refusal(tracker, run) == Refusal.FAILED
    assert head(tracker, run).join.error == "chunks 3, 7-9 are not in the ledger"


def test_reopening_leaves_a_live_claim_and_a_finished_join_alone(tracker: Tracker, run: Run) -> None:
    """Only what waits or failed is given free."""
    complete(tracker, run)
    held = claim(tracker, run)
    tracker.reopen_join(run)
    assert refusal(tracker, run) == Refusal.HELD
    assert tracker.renew_join(held, lease_seconds=LEASE) is not None
    tracker.finish_join(run)
    tracker.reopen_join(run)
    assert refusal(tracker, run) == Refusal.JOINED


def test_a_finished_join_stays_finished(rig: Rig, tracker: Tracker, run: Run) -> None:
    """It is safe to repeat, cannot be claimed again, and leaves the sweep's index; its head stays."""
    complete(tracker, run, 6)
    assert run.file_name in {job.file_name for job in tracker.unfinished()}
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
    assert run.file_name not in {job.file_name for job in tracker.unfinished()}
    report = tracker.progress(run.file_name)
    assert (report.processed_parts, report.missing, report.rows, report.join.state) == (6, (), 60, "joined")


def test_a_join_that_nobody_claimed_cannot_be_finished(tracker: Tracker, run: Run) -> None:
    """There was no owner whose success it could be."""
    complete(tracker, run)
    with pytest.raises(StoreError, match=f"^{re.escape(run.file_name)}: finish_join of a join that nobody claimed$"):
        tracker.finish_join(run)
    assert head(tracker, run).join == Join()


def test_the_fence_outlives_a_run(rig: Rig, tracker: Tracker, run: Run) -> None:
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


# Looking


def test_failures_are_told_until_the_chunk_is_counted(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_a_final_failure_that_was_sent_again_is_final_no_more(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_a_chunk_that_failed_again_before_its_sending_was_noted_stays_failed(tracker: Tracker, run: Run) -> None:
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


def test_progress_tells_the_times_of_progress(rig: Rig, tracker: Tracker, run: Run) -> None:
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


def test_progress_of_a_job_under_way(tracker: Tracker, run: Run) -> None:
    """Chunks of a shard that is not full count as well; the head knows only the full ones."""
    tracker.open_job(JobSpec(run, 10, rows_expected=100, destination="s3://bucket/"))
    for number in (1, 2, 3, 4, 6, 10, 10):
        tracker.mark_done(run, number, total_parts=10, rows=10)
    report = tracker.progress(run.file_name)
    assert (report.run, report.total_parts, report.processed_parts, report.unnumbered) == (run, 10, 6, 0)
    assert (report.missing, report.complete, report.duplicates) == ((5, 7, 8, 9), False, 1)
    assert (report.rows, report.rows_expected, report.destination) == (60, 100, "s3://bucket/")


def test_list_tells_of_every_job(tracker: Tracker, run: Run) -> None:
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
    unfinished = {job.file_name: job for job in tracker.unfinished() if job.file_name in names}
    assert unfinished == {name: tracker.job(name) for name in (waiting.file_name, under_way.file_name)}


def test_progress_of_256_chunks_and_of_257(rig: Rig, run: Run) -> None:
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
