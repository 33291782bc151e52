"""Each condition of the rules alone: states that a tracker's calls do not lead to, where two of them always agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from splitjoin_cli.core.errors import NameTakenError, OtherRunError, StoreError
from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.answers import Claim, Refusal, Refused, Superseded
from splitjoin_cli.stores.trackers.jobs import Job, JobSpec, Join, JoinState, Run

NOW = 1_700_000_000.0
RUN = Run("acme_20240131", "1a2b3c4d" * 4)
OTHER = Run(RUN.file_name, "ffff0000" * 4)
TOKEN = "token 1"  # noqa: S105 -- no secret
JOIN = Join(JoinState.CLAIMED, "worker 1", TOKEN, 1, NOW + 60, 1, None, NOW, None, NOW)
JOB = Job(RUN.file_name, 2, 2, RUN.run_id, 1, rows=20, join=JOIN)
CLAIM = Claim(RUN, "worker 1", TOKEN, 1, 1, NOW + 60, NOW, 2)
GIVEN_UP = replace(JOIN, state=JoinState.WAITING, token=None)


def joined(job: Job = JOB, **changes: Any) -> Job:  # noqa: ANN401 -- any of Join's
    """The job with another join."""
    return replace(job, join=replace(job.join, **changes))


def refusal(job: Job, run: Run = RUN, token: str = "token 2") -> Refusal | None:  # noqa: S107 -- no secret
    """Why a claim is refused; None where it is granted."""
    _, answer = rules.claimed(job, run, owner="worker 2", token=token, lease_seconds=60, now=NOW)
    return answer.reason if isinstance(answer, Refused) else None


def test_a_claim_owns_what_is_as_it_was_claimed() -> None:
    """Run, generation, state, fence and token: each of them alone takes it away."""
    assert rules.owns(JOB, CLAIM)
    assert not rules.owns(None, CLAIM)
    others = [
        replace(JOB, run_id=OTHER.run_id),
        replace(JOB, generation=2),
        joined(state="waiting"),
        joined(fence=2),
        joined(token="token 2"),  # noqa: S106 -- no secret
    ]
    assert [rules.owns(job, CLAIM) for job in others] == [False] * len(others)


def test_what_was_given_up_is_known_by_run_and_fence() -> None:
    """And by the token that is gone; a join that is done was not given up."""
    job = replace(JOB, join=GIVEN_UP)
    assert rules.given_up(job, CLAIM)
    assert not rules.given_up(None, CLAIM)
    others = [
        replace(job, run_id=OTHER.run_id),
        replace(job, generation=2),
        joined(job, fence=2),
        joined(job, token=TOKEN),
        joined(job, state="joined"),
    ]
    assert [rules.given_up(other, CLAIM) for other in others] == [False] * len(others)


@pytest.mark.parametrize(
    ("job", "run", "wanted"),
    [
        (JOB, RUN, False),
        (replace(JOB, run_id=None), OTHER, False),
        (replace(JOB, run_id=None, generation=3), OTHER, False),
        (replace(JOB, generation=2), RUN, True),
        (replace(JOB, generation=2), OTHER, True),
    ],
)
def test_superseded(job: Job, run: Run, *, wanted: bool) -> None:
    """A newer generation, of the same content too; a job without a run is nobody's."""
    assert rules.superseded(job, run) is wanted


@pytest.mark.parametrize("run", [OTHER, Run(RUN.file_name, RUN.run_id, 2)])
def test_another_run_that_is_not_older_is_an_error(run: Run) -> None:
    """Of the same generation with other content, and of a newer one with the same."""
    with pytest.raises(OtherRunError):
        rules.superseded(JOB, run)


def test_open_fills_in_what_is_missing_and_keeps_what_is_there() -> None:
    """Each alone."""
    spec = JobSpec(RUN, 2, rows_expected=7, destination="new/")
    known = replace(JOB, created_at=1.0, rows_expected=3, destination="old/")
    assert rules.opened(known, spec, NOW) == known
    filled = rules.opened(JOB, spec, NOW)
    assert (filled.created_at, filled.rows_expected, filled.destination) == (NOW, 7, "new/")
    assert filled.join == JOIN


def test_open_takes_what_nobody_has() -> None:
    """A job without a run and without counts; with counts it is the published counter's."""
    empty = Job(RUN.file_name, 2)
    assert rules.opened(empty, JobSpec(RUN, 2), NOW).run == RUN
    with pytest.raises(NameTakenError, match=r"1 of 2 chunks were counted by something else$"):
        rules.opened(replace(empty, processed_parts=1), JobSpec(RUN, 2), NOW)
    waiting = replace(JOB, processed_parts=0)
    with pytest.raises(NameTakenError, match="the tracker has run"):
        rules.opened(waiting, JobSpec(OTHER, 2), NOW)


def test_claims_are_refused_for_one_reason_each() -> None:
    """In the order in which they are looked at."""
    lapsed = joined(lease_until=NOW - 1)
    assert refusal(lapsed) is None
    assert refusal(replace(lapsed, generation=2)) == Refusal.SUPERSEDED
    assert refusal(joined(lapsed, state="joined")) == Refusal.JOINED
    assert refusal(joined(lapsed, state="failed")) == Refusal.FAILED
    assert refusal(replace(lapsed, processed_parts=1)) == Refusal.INCOMPLETE
    assert refusal(replace(lapsed, processed_parts=3)) == Refusal.INCOMPLETE
    assert refusal(replace(lapsed, run_id=None)) == Refusal.INCOMPLETE
    assert refusal(JOB) == Refusal.HELD
    assert refusal(joined(state="waiting", token=None)) == Refusal.WAITING
    assert refusal(joined(lapsed, attempts=5)) == Refusal.FAILED


def test_a_claim_that_is_repeated_is_the_same() -> None:
    """While its lease is alive; later it is a new one, and counts as one."""
    job, answer = rules.claimed(JOB, RUN, owner="worker 1", token=TOKEN, lease_seconds=60, now=NOW + 1)
    assert (job, answer) == (JOB, CLAIM)
    job, answer = rules.claimed(JOB, RUN, owner="worker 1", token=TOKEN, lease_seconds=60, now=NOW + 61)
    assert isinstance(answer, Claim)
    assert (answer.fence, answer.attempt, job.join.joined_at) == (2, 2, NOW)


def test_a_lease_lasts_through_its_last_moment() -> None:
    """Only a claim or a wait is held; a live owner is one that claimed."""
    assert JOIN.held(NOW + 60)
    assert not JOIN.held(NOW + 60.001)
    assert JOIN.alive(NOW + 60)
    assert not JOIN.alive(NOW + 60.001)
    assert GIVEN_UP.held(NOW)
    assert not GIVEN_UP.alive(NOW)
    assert not replace(JOIN, lease_until=None).held(NOW)
    assert not replace(JOIN, state=JoinState.FAILED).held(NOW)


def test_a_finish_needs_a_claim_of_its_run() -> None:
    """Once joined it stays as it was."""
    done = rules.finished(JOB, RUN, NOW + 5)
    assert isinstance(done, Job)
    assert rules.finished(done, RUN, NOW + 9) is done
    newer = replace(JOB, generation=2)
    assert rules.finished(newer, RUN, NOW) == Superseded(newer)
    for job in (joined(joined_at=None), replace(JOB, run_id=None)):
        with pytest.raises(StoreError, match=r"finish_join of a join that was never claimed$"):
            rules.finished(job, RUN, NOW)


def test_only_a_join_that_failed_or_waits_is_opened_again() -> None:
    """Of the same run; the published counter's has none."""
    for state, changed in (("failed", True), ("waiting", True), ("claimed", False), ("joined", False), ("none", False)):
        job = joined(state=state)
        assert (rules.reopened(job, RUN, NOW) != job) is changed
    for job in (joined(replace(JOB, run_id=None), state="failed"), joined(replace(JOB, generation=2), state="failed")):
        with pytest.raises(OtherRunError):
            rules.reopened(job, RUN, NOW)


@pytest.mark.parametrize(
    ("attempts", "final", "state"), [(4, False, "waiting"), (5, False, "failed"), (1, True, "failed")]
)
def test_a_failure_is_for_good_when_it_is_final_or_the_last(attempts: int, final: bool, state: str) -> None:  # noqa: FBT001 -- a parameter of the test
    """Else there is a time from which the next one may try."""
    job = rules.failed(joined(attempts=attempts), error="boom", backoff_seconds=30, final=final, now=NOW)
    assert (job.join.state, job.join.lease_until) == (state, NOW + 30 if state == "waiting" else None)


def test_replace_begins_again_only_for_other_content() -> None:
    """The fence goes on; the generation grows by one, at least to the plan's."""
    assert rules.replaced(JOB, JobSpec(RUN, 2), NOW).processed_parts == 2
    assert rules.replaced(None, JobSpec(RUN, 2), NOW).generation == 1
    again = rules.replaced(JOB, JobSpec(OTHER, 3), NOW)
    assert (again.run, again.processed_parts, again.join) == (Run(RUN.file_name, OTHER.run_id, 2), 0, Join(fence=1))
