"""What a tracker's report means: states, missing numbers, the map, the pace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.times import iso_time
from splitjoin_cli.join.operate.status import cells, job_status, list_jobs, pace
from splitjoin_cli.stores.trackers.answers import Claim
from splitjoin_cli.stores.trackers.jobs import Failure, JobProgress, JobSpec, Join, JoinState, Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from splitjoin_cli.testing.jobs import START, Clock

if TYPE_CHECKING:
    from splitjoin_cli.join.operate.status import JobStatus

STUCK = 900.0
RUN = Run("acme_20240131", "r1")


def progress(**changes: Any) -> JobProgress:  # noqa: ANN401 -- any of JobProgress's
    """A job of three chunks, opened at START, with one counted ten seconds later."""
    plain = JobProgress(
        file_name=RUN.file_name, run_id=RUN.run_id, generation=1, total_parts=3, processed_parts=1, unnumbered=0,
        complete=False, missing=(2, 3), failures=(), duplicates=0, rows=10, rows_expected=30, destination="out/",
        created_at=START, counted_at=START + 10, updated_at=START + 10, join=Join(),
    )  # fmt: skip
    return replace(plain, **changes)


def status(at: float = 20.0, *, stored: frozenset[int] | None = None, **changes: Any) -> JobStatus:  # noqa: ANN401 -- as above
    """That job ``at`` seconds after START."""
    return job_status(progress(**changes), now=START + at, stuck_seconds=STUCK, stored=stored)


COUNTED: dict[str, Any] = {"processed_parts": 3, "missing": (), "complete": True}
CLAIMED = Join(
    JoinState.CLAIMED,
    owner="w",
    token="t",  # noqa: S106 -- no secret
    fence=1,
    lease_until=START + 100,
    attempts=1,
    joined_at=START + 15,
)
WAITING = Join(JoinState.WAITING, lease_until=START + 50)
LONG_CLAIMED = replace(CLAIMED, lease_until=START + 4000)
FAILED = Failure(2, "row 7", 3, START + 12, final=True)
PUBLISHED: dict[str, Any] = {"run_id": None, "created_at": None, "counted_at": None, "updated_at": None}

STATES: dict[str, tuple[float, dict[str, Any], str]] = {
    "nothing counted": (20, {"processed_parts": 0, "counted_at": None, "missing": (1, 2, 3)}, "waiting"),
    "some counted": (20, {}, "running"),
    "all counted": (20, COUNTED, "complete"),
    "a live lease": (20, COUNTED | {"join": CLAIMED}, "joining"),
    "a live lease, long after the last count": (3000, COUNTED | {"join": LONG_CLAIMED}, "joining"),
    "a lapsed lease": (200, COUNTED | {"join": CLAIMED}, "complete"),
    "a lapsed lease, too long ago": (911, COUNTED | {"join": CLAIMED}, "stuck"),
    "joined": (20, COUNTED | {"join": Join(JoinState.JOINED, joined_at=START + 15)}, "joined"),
    "joined long ago": (9999, COUNTED | {"join": Join(JoinState.JOINED, joined_at=START + 15)}, "joined"),
    "a chunk failed for good": (20, {"failures": (FAILED,)}, "failed"),
    "a chunk failed and comes again": (20, {"failures": (replace(FAILED, final=False),)}, "running"),
    "the join failed for good": (20, COUNTED | {"join": Join(JoinState.FAILED, attempts=5)}, "failed"),
    "the join waits for its next try": (20, COUNTED | {"join": WAITING}, "complete"),
    "failed beats stuck": (9999, {"failures": (FAILED,)}, "failed"),
    "nothing new for long enough": (910, {}, "stuck"),
    "nothing new for not quite so long": (909, {}, "running"),
    "never anything": (900, {"processed_parts": 0, "counted_at": None}, "stuck"),
    "duplicates and claims are no progress": (910, {"duplicates": 9, "updated_at": START + 909}, "stuck"),
    "all counted, not joined for long": (910, COUNTED, "stuck"),
    "published alone, all counted": (9999, COUNTED | PUBLISHED | {"missing": None, "unnumbered": 3}, "complete"),
    "published alone, over the total": (9999, PUBLISHED | {"processed_parts": 5, "missing": None}, "complete"),
    "published alone, under way": (9999, PUBLISHED | {"missing": None, "unnumbered": 1}, "running"),
}  # fmt: skip


@pytest.mark.parametrize("case", STATES)
def test_states(case: str) -> None:
    """The first that fits, in the contract's order."""
    at, changes, wanted = STATES[case]
    assert status(at, **changes).state == wanted


def test_document() -> None:
    """Every field is there; times have a Z; what is unknown is null."""
    failure = replace(FAILED, final=False)
    assert status(failures=(failure,), duplicates=4, join=CLAIMED).to_json() == {
        "file_name": "acme_20240131",
        "run_id": "r1",
        "state": "joining",
        "total_parts": 3,
        "processed_parts": 1,
        "missing": [2, 3],
        "failures": [{"number": 2, "error": "row 7", "attempts": 3, "at": "2023-11-14T22:13:32.000Z"}],
        "duplicates": 4,
        "rows": 10,
        "rows_expected": 30,
        "created_at": "2023-11-14T22:13:20.000Z",
        "updated_at": "2023-11-14T22:13:30.000Z",
        "join": {"state": "claimed", "owner": "w", "attempts": 1, "joined_at": None},
        "dead_letters": None,
        "reconcile": None,
        "values": None,
        "never_uploaded": None,
        "reason": [],
        "next": [],
    }
    unknown = status(**PUBLISHED, missing=None, rows=None, rows_expected=None).to_json()
    assert [name for name, value in unknown.items() if value is None] == [
        "run_id", "missing", "rows", "rows_expected", "created_at", "updated_at", "dead_letters",
        "reconcile", "values", "never_uploaded",
    ]  # fmt: skip


def test_joined_at_is_told_once_it_is_joined() -> None:
    """It is the time of the first claim, as the continuation was told it."""
    join = Join(JoinState.JOINED, owner="w", attempts=2, joined_at=START + 15, finished_at=START + 18)
    assert status(**COUNTED, join=join).to_json()["join"] == {
        "state": "joined", "owner": "w", "attempts": 2, "joined_at": "2023-11-14T22:13:35.000Z",
    }  # fmt: skip


def test_what_was_never_uploaded() -> None:
    """The missing chunks that are not stored; of all, where the missing ones are unknown."""
    assert status(stored=frozenset({1, 3})).never_uploaded == (2,)
    assert status(stored=frozenset({3}), missing=None).never_uploaded == (1, 2)
    assert status(stored=frozenset()).to_json()["never_uploaded"] == [2, 3]
    assert status().to_json()["never_uploaded"] is None


def test_list_is_newest_first() -> None:
    """By when the job began; those of the published counter, which writes no time, at the end."""
    clock = Clock()
    tracker = MemoryTracker(clock=clock)
    for name in ("b_1", "c_1", "a_1"):
        tracker.open_job(JobSpec(Run(name, "r"), 1))
        clock.move(1)
    old = tracker.table.jobs["c_1"]
    tracker.table.jobs["d_1"] = replace(old, file_name="d_1", run_id=None, created_at=None)
    found = list_jobs(tracker, now=clock())
    assert [job.progress.file_name for job in found] == ["a_1", "c_1", "b_1", "d_1"]


def test_a_real_job_from_waiting_to_joined() -> None:
    """The states that a job goes through, as a tracker reports them."""
    clock = Clock()
    tracker = MemoryTracker(clock=clock)
    seen = []

    def look() -> None:
        seen.append(job_status(tracker.progress(RUN.file_name), now=clock(), stuck_seconds=STUCK).state)

    tracker.open_job(JobSpec(RUN, 2))
    look()
    for number in (1, 2):
        tracker.mark_done(RUN, number, total_parts=2, rows=1)
        look()
    claim = tracker.claim_join(RUN, owner="w", lease_seconds=30)
    assert isinstance(claim, Claim)
    look()
    clock.move(STUCK)
    look()
    tracker.finish_join(RUN)
    look()
    assert seen == ["waiting", "running", "complete", "joining", "stuck", "joined"]


def test_map_of_each_chunk() -> None:
    """A cell for each while they fit."""
    assert cells(progress(failures=(FAILED,)), 10) == (1, ["done", "failed", "none"])


def test_map_of_many_chunks() -> None:
    """A cell stands for several: all, some or none of them counted, or one of them failed. The last may be smaller."""
    many = progress(total_parts=11, missing=(4, 5, 6, 8, 11), failures=(replace(FAILED, number=8),))
    assert cells(many, 4) == (3, ["done", "none", "failed", "some"])


def test_no_map_where_numbers_are_unknown() -> None:
    """The published counter tells how many, never which."""
    assert cells(progress(missing=None), 10) == (1, [])


def test_pace_since_the_job_began() -> None:
    """Chunks counted by now, and how long the rest takes at that."""
    found = pace(status(20))
    assert found is not None
    assert (found.chunks_per_second, found.seconds_left) == (1 / 20, 40)


def test_pace_since_an_earlier_look() -> None:
    """While watching, what was counted meanwhile is what counts."""
    later = status(24, processed_parts=2, missing=(3,))
    found = pace(later, status(20))
    assert found is not None
    assert (found.chunks_per_second, found.seconds_left) == (0.25, 4)


@pytest.mark.parametrize("changes", [COUNTED, {"created_at": None}, {"processed_parts": 0}])
def test_no_pace(changes: dict[str, Any]) -> None:
    """Where nothing is left, nothing was counted, or nobody knows when it began."""
    assert pace(status(20, **changes)) is None


def test_times() -> None:
    """ISO 8601 in UTC, to the millisecond."""
    assert iso_time(START + 0.5) == "2023-11-14T22:13:20.500Z"
    assert iso_time(None) is None
