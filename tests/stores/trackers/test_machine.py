"""Any sequence of calls, against a model that says in a few lines what a tracker is for (Hypothesis state machine)."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.stores.trackers.answers import Claim, Counted, Duplicate, Refusal, Refused, Superseded
from splitjoin_cli.stores.trackers.base import MAX_CLAIMS
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.jobs import unfinished
from tests.seldom import seldom
from tests.stores.trackers.rigs import DynamoDbRig, MemoryRig, SqliteRig

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.testing.jobs import Clock, TrackerRig
    from tests.servers.dynamodb import DynamoDbServer

LEASE = 10.0


@dataclass
class Model:
    """One job: what was counted, who holds the join until when, how it stands."""

    run: Run
    total: int
    done: set[int] = field(default_factory=set)
    duplicates: int = 0
    state: str = "none"
    until: float | None = None
    holder: Claim | None = None
    attempts: int = 0
    fence: int = 0
    joined_at: float | None = None


class TrackerMachine(RuleBasedStateMachine):
    """Several processes do what they like; the tracker must say what the model says."""

    def make_rig(self) -> TrackerRig:
        raise NotImplementedError

    @initialize(total=st.integers(1, 9))
    def begin(self, total: int) -> None:
        self.rig = self.make_rig()
        self.name = f"acme-{uuid.uuid4().hex[:12]}_20240131"
        self.clock: Clock = self.rig.clock
        self.trackers: list[Tracker] = [self.rig.tracker(shard_parts=3) for _ in range(2)]
        self.model = Model(Run(self.name, "run-1"), total)
        self.old: list[Run] = []
        self.claims: list[Claim] = []
        self.trackers[0].open_job(JobSpec(self.model.run, total))

    @rule(which=st.integers(0, 1))
    def open_again(self, which: int) -> None:
        assert self.trackers[which].open_job(JobSpec(self.model.run, self.model.total)).run == self.model.run

    @rule(which=st.integers(0, 1))
    def open_other_content(self, which: int) -> None:
        with pytest.raises(NameTakenError):
            self.trackers[which].open_job(JobSpec(Run(self.name, "other"), self.model.total))

    @rule(which=st.integers(0, 1), total=st.integers(1, 9), again=st.booleans())
    def force(self, which: int, total: int, again: bool) -> None:  # noqa: FBT001 -- Hypothesis passes by name
        before = self.model
        wanted = Run(self.name, f"run-{before.run.generation + 1}")
        for _ in range(1 + again):
            job = self.trackers[which].replace_job(JobSpec(wanted, total))
        assert job.generation == before.run.generation + 1
        self.old.append(before.run)
        self.model = Model(Run(self.name, wanted.run_id, job.generation), total, fence=before.fence)

    @rule(which=st.integers(0, 1), number=st.integers(1, 9))
    def mark(self, which: int, number: int) -> None:
        model = self.model
        number = 1 + number % model.total
        answer = self.trackers[which].mark_done(model.run, number, total_parts=model.total, rows=number)
        assert isinstance(answer, Duplicate if number in model.done else Counted)
        assert not isinstance(answer, Superseded)
        new = number not in model.done
        model.duplicates += not new
        model.done.add(number)
        assert answer.complete == (answer.job is not None and len(model.done) == model.total)
        assert answer.completed == (new and len(model.done) == model.total)
        if len(model.done) == model.total:
            assert answer.complete

    @precondition(lambda self: self.old)
    @rule(which=st.integers(0, 1))
    def old_run_comes_late(self, which: int) -> None:
        old = self.old[-1]
        answer = self.trackers[which].claim_join(old, owner="late", lease_seconds=LEASE)
        assert isinstance(answer, Refused)
        assert answer.reason is Refusal.SUPERSEDED
        assert self.trackers[which].finish_join(old) is False

    @rule(which=st.integers(0, 1))
    def claim(self, which: int) -> None:
        model = self.model
        answer = self.trackers[which].claim_join(model.run, owner=f"w{which}", lease_seconds=LEASE)
        expected = self._refusal()
        if expected is None and model.attempts >= MAX_CLAIMS:
            model.state, expected = "failed", Refusal.FAILED
        if expected is not None:
            assert isinstance(answer, Refused)
            assert answer.reason is expected
            return
        assert isinstance(answer, Claim)
        model.fence += 1
        model.attempts += 1
        model.joined_at = self.clock() if model.joined_at is None else model.joined_at
        model.state, model.until, model.holder = "claimed", self.clock() + LEASE, answer
        assert (answer.fence, answer.attempt, answer.joined_at) == (model.fence, model.attempts, model.joined_at)
        self.claims.append(answer)

    def _refusal(self) -> Refusal | None:
        model = self.model
        if model.state in {"joined", "failed"}:
            return Refusal(model.state)
        if len(model.done) < model.total:
            return Refusal.INCOMPLETE
        if model.until is not None and model.until >= self.clock():
            return Refusal.HELD if model.state == "claimed" else Refusal.WAITING
        return None

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 1), data=st.data(), verb=st.sampled_from(["renew", "release", "fail", "give up"]))
    def use_a_claim(self, which: int, data: st.DataObject, verb: str) -> None:
        """Any claim that was ever granted, also long after it is somebody else's."""
        claim, model, tracker = data.draw(st.sampled_from(self.claims)), self.model, self.trackers[which]
        mine = model.holder is not None and claim.token == model.holder.token and model.state == "claimed"
        repeated = claim.run == model.run and claim.fence == model.fence and not mine and model.state != "joined"
        if verb == "renew":
            assert (tracker.renew_join(claim, lease_seconds=LEASE) is not None) == mine
            model.until = self.clock() + LEASE if mine else model.until
            return
        if verb == "release":
            assert tracker.release_join(claim) == (mine or repeated)
        else:
            final = verb == "give up"
            assert tracker.fail_join(claim, error="boom", backoff_seconds=5, final=final) == (mine or repeated)
        if not mine:
            return
        model.holder = None
        if verb == "release":
            model.state, model.until, model.attempts = "none", None, model.attempts - 1
        elif verb == "give up" or model.attempts >= MAX_CLAIMS:
            model.state, model.until = "failed", None
        else:
            model.state, model.until = "waiting", self.clock() + 5

    @precondition(lambda self: self.model.joined_at is not None)
    @rule(which=st.integers(0, 1))
    def finish(self, which: int) -> None:
        """Any owner's success counts, a lapsed one's too."""
        assert self.trackers[which].finish_join(self.model.run) is True
        self.model.state, self.model.until, self.model.holder = "joined", None, None

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.trackers[which].reopen_join(self.model.run)
        if self.model.state in {"failed", "waiting"}:
            self.model.state, self.model.until, self.model.attempts = "none", None, 0

    @rule(seconds=st.sampled_from([0.001, 4, 11]))
    def time_passes(self, seconds: float) -> None:
        self.clock.move(seconds)

    @invariant()
    def the_report_says_what_the_model_says(self) -> None:
        model = self.model
        report = self.trackers[0].progress(self.name)
        assert (report.run, report.total_parts) == (model.run, model.total)
        assert report.missing == tuple(n for n in range(1, model.total + 1) if n not in model.done)
        assert (report.processed_parts, report.rows) == (len(model.done), sum(model.done))
        assert (report.duplicates, report.unnumbered) == (model.duplicates, 0)
        assert report.complete == (len(model.done) == model.total)
        join = report.join
        assert (join.state, join.fence, join.attempts) == (model.state, model.fence, model.attempts)
        assert join.joined_at == model.joined_at
        assert any(job.file_name == self.name for job in unfinished(self.trackers[1])) == (model.state != "joined")


class MemoryMachine(TrackerMachine):
    def make_rig(self) -> TrackerRig:
        return MemoryRig()


class SqliteMachine(TrackerMachine):
    def make_rig(self) -> TrackerRig:
        self.directory = Path(tempfile.mkdtemp(prefix="splitjoin-machine-"))
        return SqliteRig(self.directory)

    def teardown(self) -> None:
        for tracker in getattr(self, "trackers", ()):
            tracker.close()
        if hasattr(self, "directory"):
            shutil.rmtree(self.directory)


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.server
@pytest.mark.parametrize("server", ["dynalite_server", seldom("ministack_server")])
def test_dynamodb(request: pytest.FixtureRequest, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same machine on real servers, for fewer steps."""
    running: DynamoDbServer = request.getfixturevalue(server)
    running.use(monkeypatch)
    client = running.client()
    DynamoDbRig(client, "machine").tracker().init()

    class DynamoDbMachine(TrackerMachine):
        def make_rig(self) -> TrackerRig:
            return DynamoDbRig(client, "machine")

    limits = settings(max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(DynamoDbMachine, settings=limits)
