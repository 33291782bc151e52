"""A worker with everything in memory, for tests of one thing at a time."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from splitjoin_cli.join.continuation import MemoryContinuation
from splitjoin_cli.join.events import ChunkArrived
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import SWEEP, SweepOptions, SweepReport, sweep
from splitjoin_cli.join.worker import ChunkWorker, End, Handled
from splitjoin_cli.stores.trackers.answers import Refused
from splitjoin_cli.stores.trackers.jobs import Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from tests.join.memory import FILE_NAME, RUN_ID, MemoryChunks, MemoryLoader, chunk_uri

if TYPE_CHECKING:
    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.stores.trackers.answers import Claim
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Join

LEASE_SECONDS = 60.0
RUN = Run(FILE_NAME, RUN_ID)


@dataclass(slots=True)
class Time:
    """A clock that stands still until it is told."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Rig:
    """What a worker works with. ``total`` chunks of 1, 2, ... rows are stored."""

    total: int = 2
    sweep_runs: bool = True
    max_receives: int | None = None
    chunks: MemoryChunks = field(default_factory=MemoryChunks)
    loader: MemoryLoader = field(default_factory=MemoryLoader)
    continuation: MemoryContinuation = field(default_factory=MemoryContinuation)
    clock: Time = field(default_factory=Time)
    shard_parts: int = 256
    tracker: MemoryTracker = field(init=False)

    def __post_init__(self) -> None:
        self.tracker = MemoryTracker(clock=self.clock, shard_parts=self.shard_parts)
        for number in range(1, self.total + 1):
            self.chunks.put(chunk_uri(number, self.total), b"1,a\n" * number)

    def joiner(self, *, tracker: Tracker | None = None, continuation: Continuation | None = None) -> Joiner:
        return Joiner(
            tracker=tracker or self.tracker,
            loader=self.loader,
            continuation=continuation or self.continuation,
            owner="w1",
            lease_seconds=LEASE_SECONDS,
            keep_lease=lambda _tracker, _claim, _seconds: nullcontext(),
        )

    def worker(self, *, tracker: Tracker | None = None, continuation: Continuation | None = None) -> ChunkWorker:
        return ChunkWorker(
            chunks=self.chunks,
            loader=self.loader,
            tracker=tracker or self.tracker,
            joiner=self.joiner(tracker=tracker, continuation=continuation),
            sweep_runs=self.sweep_runs,
            max_receives=self.max_receives,
        )

    def handle(self, number: int, *, receives: int = 1, continuation: Continuation | None = None) -> Handled:
        """One event, as it comes."""
        worker = self.worker(continuation=continuation)
        return worker.handle(ChunkArrived.at(chunk_uri(number, self.total), receives=receives))

    def load_all(self) -> None:
        """Load and count every chunk; nobody claims."""
        worker = self.worker()
        for number in range(1, self.total + 1):
            stored = self.chunks.open_chunk(chunk_uri(number, self.total))
            arrived = ChunkArrived.at(stored.uri)
            worker._load_and_count(
                Handled(arrived, acknowledge=False, end=End.FAILED), stored, RUN, self.tracker.job(RUN.file_name)
            )

    def claim(self, owner: str = "dead") -> Claim:
        """Somebody else takes the join."""
        claim = self.tracker.claim_join(RUN, owner=owner, lease_seconds=LEASE_SECONDS)
        assert not isinstance(claim, Refused)
        return claim

    def sweep(self, *, continuation: Continuation | None = None, options: SweepOptions = SWEEP) -> SweepReport:
        return sweep(
            tracker=self.tracker,
            loader=self.loader,
            joiner=self.joiner(continuation=continuation),
            clock=self.clock,
            options=options,
        )

    @property
    def join(self) -> Join:
        job = self.tracker.job(FILE_NAME)
        assert job is not None
        return job.join


class FailsWith:
    """A continuation that fails, as often as it runs."""

    def __init__(self, error: Exception | SplitjoinError) -> None:
        self._error = error
        self.runs = 0

    @property
    def uri(self) -> str:
        return "fails:"

    def run(self, _payload: object) -> None:
        self.runs += 1
        raise self._error

    def close(self) -> None:
        pass
