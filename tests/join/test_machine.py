"""L4, L5 and L6 beyond what can be explored: random walks of the real worker with unbounded faults, on each tracker."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.jobs import Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.join.memory import MemoryChunks, chunk_uri
from tests.join.replay import FAULTS, LEASE_SECONDS, Cast, Fault, Process, Stores, step
from tests.seldom import seldom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from splitjoin_cli.stores.trackers.base import Tracker
    from tests.servers.dynamodb import DynamoDbServer

SEEDS = (1, 20240131)
WORKERS = 3
RUN_ID = "a" * 32
places = st.integers(0, WORKERS - 1)


class JoinMachine(RuleBasedStateMachine):
    """Three workers and a sweep over one job of up to nine chunks; anything may die, come again, or get no answer."""

    make_tracker: ClassVar[Callable[[Stores], Tracker] | None] = None

    @initialize(total=st.integers(1, 9))
    def begin(self, total: int) -> None:
        """A split was made; nothing has arrived."""
        self.file_name = f"acme-{uuid.uuid4().hex[:8]}_20240131"
        chunks = MemoryChunks()
        for number in range(1, total + 1):
            chunks.put(chunk_uri(number, total, self.file_name), b"1,a\n" * number)
        self.stores = Stores(total, chunks, shard_parts=4)
        make = type(self).make_tracker
        self.stores.tracker = make(self.stores) if make is not None else None
        self.cast = Cast()
        self.workers: list[Process | None] = [None] * WORKERS
        self.sweep: Process | None = None
        self.acknowledged: set[int] = set()

    @rule(place=places, number=st.integers(1, 9))
    def deliver(self, place: int, number: int) -> None:
        """An event comes, or comes again, to an idle worker."""
        if self.workers[place] is None:
            self.workers[place] = Process((number - 1) % self.stores.total + 1)

    @rule(place=places, fault=st.sampled_from(("none", "none", "none", *FAULTS)), steps=st.integers(1, 6))
    def work(self, place: int, fault: Fault, steps: int) -> None:
        """A worker does some I/O, the last of it with a fault; it acknowledges, or not, when it is through."""
        process = self.workers[place]
        for left in range(steps, 0, -1):
            if process is not None and not process.ended:
                process = step(self.cast, self.stores, process, fault if left == 1 else "none")
        if process is not None and process.ended:
            if process.acknowledge:
                self.acknowledged.add(process.number)
            process = None
        self.workers[place] = process

    @rule(place=places)
    def crash(self, place: int) -> None:
        """A worker is gone, wherever it was."""
        self.workers[place] = None

    @rule(fault=st.sampled_from(("none", "none", *FAULTS)), goes_on=st.booleans())
    def sweep_along(self, fault: Fault, *, goes_on: bool) -> None:
        """The sweep does its next I/O, or dies."""
        sweep = step(self.cast, self.stores, self.sweep or Process(0), fault) if goes_on else None
        self.sweep = None if sweep is None or sweep.ended else sweep

    @precondition(lambda self: self.stores.database.jobs)
    @rule()
    def time_passes(self) -> None:
        """Every lease lapses, and every wait is over."""
        self.stores.now += LEASE_SECONDS + 1

    @invariant()
    def nothing_is_early_or_double(self) -> None:
        """L4 and the payload's half of L5, at any moment."""
        if not hasattr(self, "stores"):
            return
        assert self.stores.broken is None
        assert set(self.stores.database.table.values()) <= {1}
        if self.stores.effects:
            assert self.stores.loaded_once(RUN_ID)

    def teardown(self) -> None:
        """Everybody dies; events that are not acknowledged come again, a sweep runs: the join is there, once."""
        if not hasattr(self, "stores"):
            return
        self.recover()
        head = self.tracker().job(self.file_name)
        assert head is not None
        assert (head.join.state, head.processed_parts, list(self.stores.effects)) == (
            "joined",
            self.stores.total,
            [RUN_ID],
        )
        assert self.stores.loaded_once(RUN_ID)
        assert self.acknowledged == set(range(1, self.stores.total + 1))

    def recover(self) -> None:
        """No faults any more. A join that failed for good, after five claims, is what ``retry --join`` is for."""
        run = Run(self.file_name, RUN_ID)
        for _ in range(3):
            self.time_passes()
            head = self.tracker().job(self.file_name)
            if head is not None and head.join.state == "failed":
                self.tracker().reopen_join(run)
            for number in sorted(set(range(1, self.stores.total + 1)) - self.acknowledged):
                if self._to_the_end(Process(number)).acknowledge:
                    self.acknowledged.add(number)
            self._to_the_end(Process(0))

    def tracker(self) -> Tracker:
        """The job's tracker, without faults."""
        memory = MemoryTracker(self.stores.table, clock=lambda: self.stores.now, shard_parts=self.stores.shard_parts)
        return self.stores.tracker or memory

    def _to_the_end(self, process: Process) -> Process:
        while not process.ended:
            process = step(self.cast, self.stores, process)
        return process


def walk(make_tracker: Callable[[Stores], Tracker] | None, seed_number: int, examples: int) -> None:
    """Run the machine with a seed: the same walks on every tracker."""
    machine = type("Machine", (JoinMachine,), {"make_tracker": make_tracker and staticmethod(make_tracker)})
    budget = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(seed_number)(machine), settings=budget)


@pytest.mark.parametrize("seed_number", SEEDS)
def test_random_walks_in_memory(seed_number: int) -> None:
    """With shards of four, so that jobs have up to three."""
    walk(None, seed_number, 60)


@pytest.mark.parametrize("seed_number", SEEDS)
def test_the_same_walks_on_sqlite(seed_number: int, tmp_path: Path) -> None:
    """The embedded tracker, one file for all of them."""

    def make(stores: Stores) -> Tracker:
        return SqliteTracker(tmp_path / "tracker.db", clock=lambda: stores.now, new_token=lambda: stores.token)

    walk(make, seed_number, 25)


@pytest.mark.parametrize("seed_number", [SEEDS[0], *map(seldom, SEEDS[1:])])
def test_the_same_walks_on_dynamodb(
    seed_number: int, dynalite_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server that tells nothing with a failed condition."""
    dynalite_server.use(monkeypatch)
    client: Any = dynalite_server.client()
    table = f"walks-{uuid.uuid4().hex[:8]}"
    DynamoDbTracker(table, client=client, shard_parts=4).init()

    def make(stores: Stores) -> Tracker:
        return DynamoDbTracker(
            table, client=client, shard_parts=4, clock=lambda: stores.now, new_token=lambda: stores.token
        )

    walk(make, seed_number, 8)


@pytest.mark.soak
@pytest.mark.parametrize("seed_number", range(10))
def test_long_walks_in_memory(seed_number: int) -> None:
    """Three hundred for each seed."""
    walk(None, seed_number, 300)
