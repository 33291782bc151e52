"""Runs the real worker one I/O at a time, without threads: by running it again from its start with the answers it had.

A worker is a function of the event and of the answers to its I/O calls. So its whole state, between two of them, is
the event and the answers so far. ``Process.step`` runs it anew, feeds it those, lets the next call through to the
stores, and stops it at the one after. That makes any interleaving, any crash, and a snapshot of any moment cheap.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, cast

from splitjoin_cli.core.errors import ContinuationError, LoadError, SplitjoinError, StoreError
from splitjoin_cli.join.events import ChunkArrived
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import _Found, sweep
from splitjoin_cli.join.worker import ChunkWorker
from splitjoin_cli.stores.chunks.base import StoredChunk
from splitjoin_cli.stores.trackers.answers import Refused
from splitjoin_cli.stores.trackers.jobs import Failure, Job
from splitjoin_cli.stores.trackers.memory import MemoryTable, MemoryTracker
from tests.join.memory import MemoryChunks, MemoryDatabase, MemoryLoader

if TYPE_CHECKING:
    from types import TracebackType

    from splitjoin_cli.join.base import JoinPayload
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.answers import Claim
    from splitjoin_cli.stores.trackers.base import Tracker

Fault = Literal["none", "lost", "repeated", "refused"]
FAULTS: tuple[Fault, ...] = ("lost", "repeated", "refused")
LEASE_SECONDS = 60.0
BACKOFF_SECONDS = 10.0
BEGINNING = 1_700_000_000.0

QUIET = logging.getLogger("tests.quiet")
QUIET.disabled = True

# What a call asks without changing anything: a lost answer is a refused request, and a repeat is nothing.
READS = frozenset({"job", "unfinished", "progress", "ledger_rows", "ledger_numbers", "ledger_job"})


class PausedError(BaseException):
    """The process stands before its next I/O. Not an Exception, as a crash is none."""


@dataclass(slots=True)
class Stores:
    """All that outlives a crash. ``shard_parts``: 256 in the product. ``token``: for the claim of the next step.

    ``tracker``: any, made with this one's clock and token, instead of one in memory; then there are no snapshots.
    """

    total: int
    chunks: MemoryChunks
    shard_parts: int = 256
    table: MemoryTable = field(default_factory=MemoryTable)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    effects: dict[str, JoinPayload] = field(default_factory=dict)
    now: float = BEGINNING
    broken: str | None = None
    token: str = ""
    tracker: Tracker | None = None

    def copy(self) -> Stores:
        """A snapshot."""
        return replace(self, table=self.table.copy(), database=self.database.copy(), effects=dict(self.effects))

    def key(self) -> Hashable:
        """Equal for stores that behave alike from here on: what is only shown to people is left out."""
        database = self.database
        return (
            table_key(self.table),
            frozenset(database.table.items()),
            frozenset(database.ledger),
            frozenset(database.jobs.values()),
            frozenset(self.effects),
            self.now,
            self.broken,
        )

    def scrub(self) -> None:
        """Forget what is only shown to people."""
        self.table.jobs = {name: scrubbed(job) for name, job in self.table.jobs.items()}
        self.table.failures = {
            key: Failure(failure.number, "", 1, 0.0, failure.final) for key, failure in self.table.failures.items()
        }

    def loaded_once(self, run_id: str) -> bool:
        """Whether every chunk of a run is in the table exactly once."""
        return all(self.database.table.get((run_id, number), 0) == 1 for number in range(1, self.total + 1))


def table_key(table: MemoryTable) -> Hashable:
    """What is decided by."""
    return (
        frozenset(scrubbed(job) for job in table.jobs.values()),
        frozenset((key, frozenset(shard.done)) for key, shard in table.shards.items()),
        frozenset(table.counted),
    )


def scrubbed(job: Job) -> Job:
    """``job`` less statistics and times that nothing is decided by."""
    join = replace(job.join, changed_at=None, finished_at=None, error=None)
    return replace(job, duplicates=0, created_at=None, counted_at=None, join=join)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: a value, or an error."""

    value: Any = None
    error: tuple[type[SplitjoinError], str] | None = None

    def give(self) -> Any:  # noqa: ANN401 -- any call's answer
        """The value again, or the error."""
        if self.error is not None:
            kind, message = self.error
            raise kind(message)
        return list(self.value) if isinstance(self.value, tuple) else self.value


@dataclass(frozen=True, slots=True)
class Process:
    """A worker on an event (``number``), or a sweep (0), between two I/O calls.

    ``partial``: what the tables held before each step of a call that has several and is not through. ``waits_for``:
    the call that it stands before. ``frames``: where each function of it stands, and its variables there: two
    processes that agree in them go on alike, whatever they asked before. ``ended``: it has returned; ``acknowledge``:
    and its event need not come again.
    """

    number: int
    answers: tuple[Answer, ...] = ()
    partial: tuple[MemoryTable, ...] = ()
    waits_for: str = ""
    frames: Hashable = ()
    ended: bool = False
    acknowledge: bool = False

    def key(self) -> Hashable:
        """Equal for processes that go on alike."""
        return self.number, self.frames, self.waits_for, self.ended, self.acknowledge


class Replay:
    """One run of a process: what it knows already, then one I/O on the stores, then PausedError."""

    def __init__(self, stores: Stores, process: Process, fault: Fault) -> None:
        self.stores = stores
        self.answers = list(process.answers)
        self.partial = list(process.partial)
        self.fault = fault
        stores.token = f"t{self._fence() + 1}" if stores.tracker is None else uuid.uuid4().hex
        self.memory = MemoryTracker(
            stores.table,
            clock=lambda: stores.now,
            new_token=lambda: stores.token,
            shard_parts=stores.shard_parts,
            on_step=self._on_step,
        )
        self.tracker: Tracker = stores.tracker or self.memory
        self.waits_for = ""
        self._position = 0
        self._inner = 0
        self._spent = False
        self._again = False

    def call(self, name: str, live: Callable[[], object]) -> Any:  # noqa: ANN401 -- any call's answer
        """The answer of an I/O call: the one it had, or the one that the stores give now."""
        if self._position < len(self.answers):
            self._position += 1
            return self.answers[self._position - 1].give()
        self.waits_for = name
        if self._spent:
            raise PausedError
        self._inner = 0
        answer = self._refusal(name) if self.fault == "refused" else self._live(name, live)
        self._spent = True
        self.partial.clear()
        self.answers.append(answer)
        self._position += 1
        self.stores.scrub()
        return answer.give()

    def _live(self, name: str, live: Callable[[], object]) -> Answer:
        answer = _asked(live)
        if self.fault == "lost" and answer.error is None:
            return self._refusal(name)
        if self.fault == "repeated":
            self._again = True
            return _asked(live)
        return answer

    def _refusal(self, name: str) -> Answer:
        self._spent = True
        kinds: dict[str, type[SplitjoinError]] = {"load": LoadError, "continue": ContinuationError}
        return Answer(error=(kinds.get(name, StoreError), f"no answer to {name}"))

    def _on_step(self, _step: str) -> None:
        """Before each step of the tracker: a call with two is two I/Os, with room for others between them."""
        if self._again:
            return
        self._inner += 1
        if self._inner <= len(self.partial):
            self.memory.table = self.partial[self._inner - 1].copy()
            return
        self.memory.table = self.stores.table
        if self._spent:
            raise PausedError
        self.partial.append(self.stores.table.copy())
        self._spent = True

    def _fence(self) -> int:
        return max((job.join.fence for job in self.stores.table.jobs.values()), default=0)


def _asked(live: Callable[[], object]) -> Answer:
    try:
        value = live()
    except SplitjoinError as exc:
        return Answer(error=(type(exc), exc.message))
    if isinstance(value, (Iterator, list)):
        return Answer(tuple(value))
    if isinstance(value, Job):
        return Answer(scrubbed(value))
    if isinstance(value, Refused):
        return Answer(Refused(value.reason, scrubbed(value.job)))
    job = getattr(value, "job", None)
    return Answer(replace(cast("Any", value), job=scrubbed(job)) if isinstance(job, Job) else value)


class _Recorded:
    """Any of the worker's stores, its calls going through a Replay; properties do not."""

    def __init__(self, target: object, replay: Replay, renamed: dict[str, str]) -> None:
        self._target = target
        self._replay = replay
        self._renamed = renamed

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the target has
        found = getattr(self._target, name)
        if not callable(found):
            return found
        known = self._renamed.get(name, name)
        return lambda *args, **kwargs: self._replay.call(known, lambda: found(*args, **kwargs))


class CheckingContinuation:
    """Looks, when it runs, whether it may; its effect is there once for each key."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def uri(self) -> str:
        return "checking:"

    def run(self, payload: JoinPayload) -> None:
        stores = self._stores
        if not stores.loaded_once(payload.run_id):
            stores.broken = f"L4: the continuation ran while the table held {stores.database.table}"
        if stores.effects.setdefault(payload.run_id, payload) != payload:
            stores.broken = f"L5: one key, two payloads: {stores.effects[payload.run_id]} and {payload}"

    def close(self) -> None:
        pass


@contextlib.contextmanager
def no_renewal(_tracker: Tracker, _claim: Claim, _lease_seconds: float) -> Iterator[None]:
    """Leases lapse when the exploration says so."""
    yield


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: how an event is handled. ``sweep_runs``: as in ChunkWorker. ``first_call``: a worker's."""

    sweep_runs: bool = True
    first_call: str = "job"

    def act(self, replay: Replay, process: Process) -> object:
        """Run the process from its start, to its end or a pause."""
        stores = replay.stores
        tracker = cast("Tracker", _Recorded(replay.tracker, replay, {}))
        loader = cast("Loader", _Recorded(MemoryLoader(stores.database), replay, {"job": "ledger_job"}))
        continuation = cast("Any", _Recorded(CheckingContinuation(stores), replay, {"run": "continue"}))
        joiner = Joiner(
            tracker=tracker,
            loader=loader,
            continuation=continuation,
            owner="w",
            lease_seconds=LEASE_SECONDS,
            backoff=lambda _attempt: BACKOFF_SECONDS,
            keep_lease=no_renewal,
            log=QUIET,
        )
        if not process.number:
            return sweep(tracker=tracker, loader=loader, joiner=joiner, clock=lambda: stores.now, log=QUIET)
        worker = ChunkWorker(
            chunks=stores.chunks,
            loader=loader,
            tracker=tracker,
            joiner=joiner,
            sweep_runs=self.sweep_runs,
            log=QUIET,
            monotonic=lambda: 0.0,  # time that is only told: each try's own would make each try a state of its own
        )
        return worker.handle(ChunkArrived.at(uri_of(stores, process.number)))


def uri_of(stores: Stores, number: int) -> str:
    """The URI of a chunk."""
    return sorted(stores.chunks.objects)[number - 1]


def step(cast_: Cast, stores: Stores, process: Process, fault: Fault = "none") -> Process:
    """Let ``process`` do its next I/O on ``stores``, which it changes."""
    replay = Replay(stores, process, fault)
    outcome: object = None
    try:
        outcome = cast_.act(replay, process)
    except SplitjoinError:  # a sweep that could not even list the jobs, or a worker that handles no errors
        pass
    except PausedError as exc:
        frames = tuple(_frames(exc.__traceback__))
        return Process(process.number, tuple(replay.answers), tuple(replay.partial), replay.waits_for, frames)
    return Process(process.number, ended=True, acknowledge=bool(getattr(outcome, "acknowledge", False)))


def _frames(trace: TracebackType | None) -> Iterator[Hashable]:
    """The functions of the product that are on the stack: their code, the place in it, their variables."""
    while trace is not None:
        frame = trace.tb_frame
        if str(frame.f_globals.get("__name__")).startswith("splitjoin_cli."):
            variables = [(name, _frozen(value)) for name, value in frame.f_locals.items() if name != "self"]
            yield frame.f_code.co_qualname, frame.f_lasti, tuple(variables)
        trace = trace.tb_next


def _frozen(value: object) -> Hashable:
    """A variable's value; the parts that processes are built of, and functions, by their type alone."""
    return _freezer(type(value))(value)  # type: ignore[arg-type] # a class, whose values need no hash


@cache
def _freezer(kind: type) -> Callable[[Any], Hashable]:
    if issubclass(kind, (NoneType, str, int, float, bool)):
        return lambda value: cast("Hashable", value)
    for known, freeze in _FREEZERS.items():
        if issubclass(kind, known):
            return freeze
    name = kind.__qualname__
    if is_dataclass(kind):
        names = [each.name for each in fields(kind)]
        return lambda value: (name, tuple([_frozen(getattr(value, each)) for each in names]))
    return lambda _value: name


def _name(value: object) -> str:
    return type(value).__qualname__


_FREEZERS: dict[type, Callable[[Any], Hashable]] = {
    StoredChunk: lambda stored: stored.uri,
    Job: scrubbed,
    BaseException: lambda error: (_name(error), str(error)),
    list: lambda values: tuple(map(_frozen, values)),
    tuple: lambda values: tuple(map(_frozen, values)),
    set: lambda values: frozenset(map(_frozen, values)),
    _Found: lambda found: tuple((name, _frozen(each)) for name, each in vars(found).items()),
}
