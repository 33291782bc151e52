"""Every interleaving of real workers, with crashes, duplicates, lost answers and lapsed leases, looked at once.

A state is what the stores hold, what each process has seen, and which events are acknowledged. What one process's
next I/O does depends on the stores and that process alone, so each such step is run once and remembered: the product
of all processes is then walked in small integers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.gc_pause import uncollected
from tests.join.memory import RUN_ID, MemoryChunks, chunk_uri
from tests.join.replay import BACKOFF_SECONDS, FAULTS, LEASE_SECONDS, READS, Cast, Fault, Process, Stores, step

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

IDLE = -1
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """What is explored.

    ``troubles``: how many crashes, duplicate deliveries, lost, repeated and refused requests there may be in all;
    ``lapses``: how often a lease, or the wait after a failure, may end early. ``kinds``: the troubles that happen; with
    crashes among them, everything must also end well if all processes die at once, whatever ``troubles`` says.
    """

    total: int
    workers: int = 2
    shard_parts: int = 256
    sweeps: bool = True
    troubles: int = 2
    lapses: int = 1
    kinds: frozenset[str] = frozenset({"crash", "duplicate", *FAULTS})


State = tuple[int, int, tuple[int, ...], int, int, int]
"""Stores, acknowledged events (a bit each), the workers' processes, the sweep's; the troubles and lapses that are left.

A plain tuple of numbers: millions are made."""


class Move(NamedTuple):
    """What a process can do. ``acked``: the bit of the event that it acknowledges. ``cost``: in troubles."""

    text: str
    stores: int
    process: int
    acked: int = 0
    cost: int = 0


class Found(NamedTuple):
    """What an exploration ended with. ``broken``: the first law that did not hold, and the way there."""

    states: int
    steps: int
    broken: str | None = None
    trace: tuple[str, ...] = ()


class Exploration:
    """One walk through all states of a setting."""

    def __init__(self, setting: Setting, cast_: Cast | None = None) -> None:
        self.setting = setting
        self.cast = cast_ or Cast(sweep_runs=setting.sweeps)
        self.all = (1 << setting.total) - 1
        self.stores: list[Stores] = []
        self.processes: list[Process] = []
        self._stores_at: dict[Hashable, int] = {}
        self._processes_at: dict[Hashable, int] = {}
        self._steps: dict[tuple[int, int, Fault], tuple[int, int]] = {}
        self._moves_of: dict[tuple[int, int, bool], tuple[Move, ...]] = {}
        self._beginnings: dict[int, int] = {}
        self._judged: dict[tuple[int, int | None], str | None] = {}
        self._lapsed: dict[int, int | None] = {}

    def run(self) -> Found:
        """Breadth first, so that a trace is a shortest one."""
        chunks = MemoryChunks()
        for number in range(1, self.setting.total + 1):
            chunks.put(chunk_uri(number, self.setting.total), b"1,a\n" * number)
        stores = self._stores_number(Stores(self.setting.total, chunks, self.setting.shard_parts))
        first = (stores, 0, (IDLE,) * self.setting.workers, IDLE, self.setting.troubles, self.setting.lapses)
        came: dict[State, tuple[State, str] | None] = {first: None}
        waiting = deque([first])
        while waiting:
            state = waiting.popleft()
            if (broken := self._broken(state)) is not None:
                return Found(len(came), len(self._steps), broken, _trace(came, state))
            for action, following in self._following(state):
                if following not in came:
                    came[following] = (state, action)
                    waiting.append(following)
        return Found(len(came), len(self._steps))

    # What can happen next.

    def _following(self, state: State) -> list[tuple[str, State]]:
        stores, acked, workers, sweep, troubles, lapses = state
        found: list[tuple[str, State]] = []
        for place, worker in enumerate(workers):
            if place and worker == workers[place - 1]:
                continue  # workers are alike
            others = workers[:place] + workers[place + 1 :]
            if worker == IDLE:
                found += self._deliveries(state, others)
                continue
            for text, after, process, bit, cost in self._moves(stores, worker, troubles):
                moved = tuple(sorted((*others, process)))
                found.append((text, (after, acked | bit, moved, sweep, troubles - cost, lapses)))
        if self.setting.sweeps and sweep == IDLE:
            found.append(("a sweep begins", (stores, acked, workers, self._beginning(0), troubles, lapses)))
        elif self.setting.sweeps:
            for text, after, process, _bit, cost in self._moves(stores, sweep, troubles):
                found.append((text, (after, acked, workers, process, troubles - cost, lapses)))
        if lapses and (lapsed := self._lapse(stores)) is not None:
            found.append(("the lease lapses", (lapsed, acked, workers, sweep, troubles, lapses - 1)))
        return found

    def _deliveries(self, state: State, others: tuple[int, ...]) -> Iterator[tuple[str, State]]:
        stores, acked, _, sweep, troubles, lapses = state
        held = {self.processes[number].number for number in others if number != IDLE}
        for number in range(1, self.setting.total + 1):
            moved = tuple(sorted((*others, self._beginning(number))))
            if not acked >> (number - 1) & 1 and number not in held:
                yield f"event {number} is delivered", (stores, acked, moved, sweep, troubles, lapses)
            elif troubles and "duplicate" in self.setting.kinds:
                yield f"event {number} is delivered again", (stores, acked, moved, sweep, troubles - 1, lapses)

    def _beginning(self, number: int) -> int:
        """The process of an event, or of the sweep (0), before its first I/O."""
        if number not in self._beginnings:
            first_call = self.cast.first_call if number else "unfinished"
            self._beginnings[number] = self._process_number(Process(number, waits_for=first_call))
        return self._beginnings[number]

    def _moves(self, stores: int, number: int, troubles: int) -> tuple[Move, ...]:
        key = (stores, number, troubles > 0)
        if key not in self._moves_of:
            self._moves_of[key] = tuple(self._every_move(*key))
        return self._moves_of[key]

    def _every_move(self, stores: int, number: int, troubled: bool) -> Iterator[Move]:  # noqa: FBT001 -- part of a key
        process = self.processes[number]
        who = f"the worker of event {process.number}" if process.number else "the sweep"
        if process.ended and not process.number:
            yield Move("the sweep ends", stores, IDLE)
            return
        if not process.ended:
            yield Move(f"{who} {process.waits_for}", *self._step(stores, number, "none"))
        elif process.acknowledge:
            yield Move(f"{who} acknowledges", stores, IDLE, acked=1 << (process.number - 1))
        else:
            yield Move(f"{who} gives the event back", stores, IDLE)
        if troubled and "crash" in self.setting.kinds:
            yield Move(f"{who} crashes before {process.waits_for or 'it is acknowledged'}", stores, IDLE, cost=1)
        if not troubled or process.ended:
            return
        for fault in FAULTS:
            reads_only = process.waits_for in READS and fault != "refused"
            if fault in self.setting.kinds and not reads_only:
                yield Move(f"{who} {process.waits_for} ({fault})", *self._step(stores, number, fault), cost=1)

    def _step(self, stores: int, process: int, fault: Fault) -> tuple[int, int]:
        key = (stores, process, fault)
        if key not in self._steps:
            changed = self.stores[stores].copy()
            moved = step(self.cast, changed, self.processes[process], fault)
            changed.broken = changed.broken or _two_owners(self.stores[stores], changed)
            self._steps[key] = (self._stores_number(changed), self._process_number(moved))
        return self._steps[key]

    def _lapse(self, stores: int) -> int | None:
        """Time passes until whoever held the join holds it no more; None where nobody does."""
        if stores not in self._lapsed:
            held = self.stores[stores]
            lapsed = None
            if any(job.join.held(held.now) for job in held.table.jobs.values()):
                later = held.copy()
                later.now += max(LEASE_SECONDS, BACKOFF_SECONDS) + 1
                lapsed = self._stores_number(later)
            self._lapsed[stores] = lapsed
        return self._lapsed[stores]

    # The laws.

    def _broken(self, state: State) -> str | None:
        """L4 and L5 as they can be seen at any moment, and that everything can still end well."""
        stores, acked, workers, sweep, _, _ = state
        under_way = sweep != IDLE or any(number != IDLE for number in workers)
        all_may_die = not under_way or "crash" in self.setting.kinds
        key = (stores, acked if all_may_die else None)
        if key not in self._judged:
            broken = self._broken_now(self.stores[stores])
            self._judged[key] = self._recover(stores, acked) if broken is None and all_may_die else broken
        return self._judged[key]

    @staticmethod
    def _broken_now(stores: Stores) -> str | None:
        if stores.broken is not None:
            return stores.broken
        if any(times > 1 for times in stores.database.table.values()):
            return f"L4: rows are there twice: {stores.database.table}"
        job = next(iter(stores.table.jobs.values()), None)
        if job is not None and job.join.state == "joined":
            if not stores.loaded_once(RUN_ID):
                return f"L4: joined, and the table holds {stores.database.table}"
            if not stores.effects:
                return "L5: joined, and the continuation never ran"
        return None

    def _recover(self, stores: int, acked: int) -> str | None:
        """All die where they stand, time passes, what is not acknowledged comes again, a sweep runs: is it joined."""
        for _ in range(ROUNDS):
            lapsed = self._lapse(stores)
            stores = stores if lapsed is None else lapsed
            for number in range(1, self.setting.total + 1):
                if not acked >> (number - 1) & 1:
                    stores, process = self._to_the_end(stores, self._beginning(number))
                    acked |= process.acknowledge << (number - 1)
            if self.setting.sweeps:
                stores, _process = self._to_the_end(stores, self._beginning(0))
            if acked == self.all:
                break
        end = self.stores[stores]
        if end.broken is not None:
            return end.broken
        states = [job.join.state for job in end.table.jobs.values() if job.run_id is not None]
        if not end.effects or acked != self.all or set(states) - {"joined"}:
            return f"L5: the join is lost (acknowledged: {acked:b}, effects: {len(end.effects)}, states: {states})"
        return None if end.loaded_once(RUN_ID) else f"L4: joined, and the table holds {end.database.table}"

    def _to_the_end(self, stores: int, number: int) -> tuple[int, Process]:
        while not self.processes[number].ended:
            stores, number = self._step(stores, number, "none")
        return stores, self.processes[number]

    # Numbers for values.

    def _stores_number(self, stores: Stores) -> int:
        key = stores.key()
        if key not in self._stores_at:
            self._stores_at[key] = len(self.stores)
            self.stores.append(stores)
        return self._stores_at[key]

    def _process_number(self, process: Process) -> int:
        key = process.key()
        if key not in self._processes_at:
            self._processes_at[key] = len(self.processes)
            self.processes.append(process)
        return self._processes_at[key]


def _two_owners(before: Stores, after: Stores) -> str | None:
    """A claim that was granted while another was alive."""
    for name, job in after.table.jobs.items():
        old = before.table.jobs.get(name)
        if old is not None and job.join.fence > old.join.fence and old.join.alive(before.now):
            return f"L5: two owners: {old.join} and {job.join}"
    return None


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    actions = []
    while (before := came[state]) is not None:
        state, action = before
        actions.append(action)
    return tuple(reversed(actions))


def explore(setting: Setting, cast_: Cast | None = None) -> Found:
    """Look at every state of a setting."""
    with uncollected():  # all that is made stays
        return Exploration(setting, cast_).run()
