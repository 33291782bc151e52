"""Every interleaving of real workers, with crashes, duplicates, lost answers and lapsed leases, looked at once.

A state is what the stores hold, what each process has seen, and which events are acknowledged. What one process's
next I/O does depends on the stores and that process alone, so each such step is run once and remembered: the product
of all processes is then walked in small integers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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


class State(NamedTuple):
    """Numbers of stores and processes; ``acked``: a bit for each event."""

    stores: int
    acked: int
    workers: tuple[int, ...]
    sweep: int
    troubles: int
    lapses: int


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
        self._recovered: dict[tuple[int, int], str | None] = {}
        self._lapsed: dict[int, int | None] = {}

    def run(self) -> Found:
        """Breadth first, so that a trace is a shortest one."""
        chunks = MemoryChunks()
        for number in range(1, self.setting.total + 1):
            chunks.put(chunk_uri(number, self.setting.total), b"1,a\n" * number)
        stores = self._stores_number(Stores(self.setting.total, chunks, self.setting.shard_parts))
        first = State(stores, 0, (IDLE,) * self.setting.workers, IDLE, self.setting.troubles, self.setting.lapses)
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

    def _following(self, state: State) -> Iterator[tuple[str, State]]:
        for place in range(self.setting.workers):
            if place and state.workers[place] == state.workers[place - 1]:
                continue  # workers are alike
            if state.workers[place] == IDLE:
                yield from self._deliveries(state, place)
            else:
                yield from self._moves(state, place)
        if self.setting.sweeps:
            yield from self._sweeping(state)
        if state.lapses and (lapsed := self._lapse(state.stores)) is not None:
            yield "the lease lapses", state._replace(stores=lapsed, lapses=state.lapses - 1)

    def _deliveries(self, state: State, place: int) -> Iterator[tuple[str, State]]:
        held = {self.processes[number].number for number in state.workers if number != IDLE}
        for number in range(1, self.setting.total + 1):
            process = self._process_number(Process(number, waits_for=self.cast.first_call))
            if not state.acked >> (number - 1) & 1 and number not in held:
                yield f"event {number} is delivered", _put(state, place, process)
            elif state.troubles and "duplicate" in self.setting.kinds:
                again = _put(state, place, process)._replace(troubles=state.troubles - 1)
                yield f"event {number} is delivered again", again

    def _moves(self, state: State, place: int) -> Iterator[tuple[str, State]]:
        process = self.processes[state.workers[place]]
        who = f"the worker of event {process.number}"
        if process.ended:
            acked = state.acked | 1 << (process.number - 1) if process.acknowledge else state.acked
            text = "acknowledges" if process.acknowledge else "gives the event back"
            yield f"{who} {text}", _put(state, place, IDLE)._replace(acked=acked)
        for text, stores, following, cost in self._steps_of(state, state.workers[place]):
            moved = _put(state, place, following)
            yield f"{who} {text}", moved._replace(stores=stores, troubles=state.troubles - cost)

    def _sweeping(self, state: State) -> Iterator[tuple[str, State]]:
        if state.sweep == IDLE:
            number = self._process_number(Process(0, waits_for="unfinished"))
            yield "a sweep begins", state._replace(sweep=number)
            return
        if self.processes[state.sweep].ended:
            yield "the sweep ends", state._replace(sweep=IDLE)
            return
        for text, stores, following, cost in self._steps_of(state, state.sweep):
            yield f"the sweep {text}", state._replace(stores=stores, sweep=following, troubles=state.troubles - cost)

    def _steps_of(self, state: State, number: int) -> Iterator[tuple[str, int, int, int]]:
        """What a process can do: its text, the stores, itself thereafter, what it costs."""
        process = self.processes[number]
        if not process.ended:
            yield process.waits_for, *self._step(state.stores, number, "none"), 0
        if not state.troubles:
            return
        if "crash" in self.setting.kinds:
            yield f"crashes before {process.waits_for or 'it is acknowledged'}", state.stores, IDLE, 1
        for fault in FAULTS:
            reads_only = process.waits_for in READS and fault != "refused"
            if fault in self.setting.kinds and not process.ended and not reads_only:
                yield f"{process.waits_for} ({fault})", *self._step(state.stores, number, fault), 1

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
        stores = self.stores[state.stores]
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
        under_way = state.sweep != IDLE or any(number != IDLE for number in state.workers)
        if under_way and "crash" not in self.setting.kinds:
            return None
        key = (state.stores, state.acked)
        if key not in self._recovered:
            self._recovered[key] = self._recover(state)
        return self._recovered[key]

    def _recover(self, state: State) -> str | None:
        """All die where they stand, time passes, what is not acknowledged comes again, a sweep runs: is it joined."""
        stores, acked = state.stores, state.acked
        for _ in range(ROUNDS):
            lapsed = self._lapse(stores)
            stores = stores if lapsed is None else lapsed
            for number in range(1, self.setting.total + 1):
                if not acked >> (number - 1) & 1:
                    stores, process = self._to_the_end(stores, Process(number, waits_for=self.cast.first_call))
                    acked |= process.acknowledge << (number - 1)
            if self.setting.sweeps:
                stores, _process = self._to_the_end(stores, Process(0, waits_for="unfinished"))
            if acked == self.all:
                break
        end = self.stores[stores]
        if end.broken is not None:
            return end.broken
        states = [job.join.state for job in end.table.jobs.values() if job.run_id is not None]
        if not end.effects or acked != self.all or set(states) - {"joined"}:
            return f"L5: the join is lost (acknowledged: {acked:b}, effects: {len(end.effects)}, states: {states})"
        return None if end.loaded_once(RUN_ID) else f"L4: joined, and the table holds {end.database.table}"

    def _to_the_end(self, stores: int, process: Process) -> tuple[int, Process]:
        number = self._process_number(process)
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


def _put(state: State, place: int, process: int) -> State:
    workers = list(state.workers)
    workers[place] = process
    return state._replace(workers=tuple(sorted(workers)))


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
    return Exploration(setting, cast_).run()
