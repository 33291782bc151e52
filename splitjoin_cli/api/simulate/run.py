"""Runs a simulation: worker threads take messages and handle them, the sweep looks after the rest."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from splitjoin_cli.api.simulate.faults import CrashError, FaultRates, Faults, FaultyChunks, FaultyIo, InjectedError
from splitjoin_cli.api.simulate.mailbox import Letter, Mailbox
from splitjoin_cli.api.simulate.standing import Standing
from splitjoin_cli.api.simulate.tally import CountedContinuation, Tally
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.join.events import ChunkArrived
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import sweep
from splitjoin_cli.join.worker import ChunkWorker
from splitjoin_cli.stores.trackers.jobs import JoinState, Unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.api.simulate.chunks import ChunkSet
    from splitjoin_cli.api.simulate.report import SimulateReport
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.join.worker import Handled
    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import Job

__all__ = ["Parts", "Simulation", "SimulationOptions"]

REAL_TRIES = 3
"""After so many tries that failed by themselves a message is given up, as a queue moves it to its dead letters."""
LEASE_SECONDS = 2.0
"""Short: whoever crashes with the join in his hands is waited for so long."""
SWEEP_SECONDS = 1.0
FRUITLESS_SWEEPS = 5
QUIET_WAITS = 5
"""So often the join is waited for without a word: a crash here costs one or two."""
END_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """How events are delivered, to how many workers, and what goes wrong."""

    workers: int = 4
    shuffle: bool = False
    rates: FaultRates = field(default_factory=FaultRates)
    lease_seconds: float = LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker works with; the caller closes them."""

    chunks: ChunkStore
    loader: Loader
    tracker: Tracker
    continuation: Continuation


class OnlyThisJob:
    """A Tracker for a sweep that leaves other jobs alone."""

    def __init__(self, inner: Tracker, file_name: str) -> None:
        """``file_name``: the job's."""
        self._inner, self._file_name = inner, file_name

    def __getattr__(self, attribute: str) -> object:
        """All else is the tracker's."""
        return getattr(self._inner, attribute)

    def unfinished(self, **_: object) -> Iterator[Unfinished]:
        """See Tracker; whether a shard is full and not counted is looked at by who counts it."""
        job = self._inner.job(self._file_name)
        if job is not None and job.run_id is not None:
            yield Unfinished(job, uncounted=True, counted_at=job.counted_at)


class Simulation:
    """One simulation. ``run`` it once."""

    def __init__(self, found: ChunkSet, parts: Parts, options: SimulationOptions, observer: Observer) -> None:
        """``found``: the chunks whose arrivals are delivered."""
        self._found, self._parts, self._options, self._observer = found, parts, options, observer
        self._faults = Faults()
        self._counted = CountedContinuation(parts.continuation)
        self._tally = Tally(found)
        self._bug: BaseException | None = None
        order = random.Random(f"{options.rates.seed}:order") if options.shuffle else None  # noqa: S311 -- not a secret
        self._mailbox = Mailbox(map(Letter, found.numbers), shuffle=order)

    def run(self) -> SimulateReport:
        """Deliver until all is settled. Raises StoreError where a database or the tracker cannot be reached."""
        began = time.monotonic()
        self._parts.loader.prepare()
        standing = Standing(self._found, self._parts.loader, self._parts.tracker)
        self._observer.phase("loading", None, len(self._found.numbers))
        threads = [
            threading.Thread(target=self._work, args=(f"worker-{index}",), name=f"worker-{index}", daemon=True)
            for index in range(1, self._options.workers + 1)
        ]
        for thread in threads:
            thread.start()
        try:
            self._settle()
        except BaseException:
            self._counted.close()  # what it still runs need not be waited for
            raise
        finally:
            self._mailbox.close()
            end = time.monotonic() + END_SECONDS
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))
        return standing.report(self._tally, self._counted, time.monotonic() - began)

    # -- the workers

    def _work(self, owner: str) -> None:
        """Take messages until there are none for ever. A bug in here must not leave the others waiting."""
        worker = self._worker(owner)
        try:
            while (message := self._mailbox.take()) is not None:
                self._deliver(worker, owner, message)
        except BaseException as exc:  # noqa: BLE001 -- raised again by whoever waits
            self._bug = exc
            self._mailbox.close()

    def _worker(self, owner: str) -> ChunkWorker:
        parts, faults = self._parts, self._faults
        tracker = cast("Tracker", FaultyIo(parts.tracker, "tracker", faults))
        loader = cast("Loader", FaultyIo(parts.loader, "loader", faults))
        joiner = Joiner(
            tracker=tracker,
            loader=loader,
            continuation=cast("Continuation", FaultyIo(self._counted, "continuation", faults)),
            owner=owner,
            lease_seconds=self._options.lease_seconds,
            backoff=_no_backoff,
        )
        chunks = FaultyChunks(parts.chunks, faults)
        return ChunkWorker(
            chunks=chunks, loader=loader, tracker=tracker, joiner=joiner, sweep_runs=True, max_receives=REAL_TRIES
        )

    def _deliver(self, worker: ChunkWorker, owner: str, message: Letter) -> None:
        """One delivery: handled, and then acknowledged, given up, or put back."""
        trouble = self._options.rates.trouble(message.number, message.faults + 1, copy=message.copy)
        duplicated = trouble.duplicated and not (message.copy or message.copied)
        self._tally.begun(message, duplicated=duplicated)
        if duplicated:
            message.copied = True
            self._mailbox.put(Letter(message.number, copy=True))
        arrived = ChunkArrived.at(self._found.uri(message.number), receives=message.receives)
        outcome: Handled | None = None
        try:
            with self._faults.during(trouble):
                outcome = worker.handle(arrived)
        except (CrashError, InjectedError):
            outcome = None
        told = self._tally.ended(message, owner, trouble, outcome)
        self._observer.detail(f"chunk {message.number}, {told}")
        if trouble.met is not None:
            # Also where the worker got over it: whether it can depends on which thread was first, and the number of
            # deliveries must not.
            message.faults += 1
            self._mailbox.put_back(message)
        elif outcome is not None and outcome.acknowledge:
            self._done(message.number, ChunkState.UPLOADED)
            self._mailbox.delete()
        elif message.receives >= REAL_TRIES:
            self._done(message.number, ChunkState.FAILED)
            self._mailbox.delete()
        else:
            message.receives += 1
            self._mailbox.put_back(message)

    def _done(self, number: int, state: ChunkState) -> None:
        """Tell the observer, once for each chunk."""
        if self._tally.settled(number):
            self._observer.chunk_done(number, state)

    # -- the sweep

    def _settle(self) -> None:
        """Sweep now and then until every message is gone and the join is done, here or elsewhere, or will not be."""
        fruitless = waits = 0
        while True:
            idle = self._mailbox.wait_idle(SWEEP_SECONDS)
            if self._bug is not None:
                raise self._bug
            self._sweep()
            if not idle:
                continue
            job = self._parts.tracker.job(self._found.run.file_name)
            if job is None or self._is_settled(job) or fruitless >= FRUITLESS_SWEEPS:
                return
            if not job.join.alive(time.time()):
                fruitless += 1
                continue
            waits += 1
            if waits == QUIET_WAITS:
                self._observer.warn(f"{job.join.owner} holds the join: waiting until it is done, or its lease is over")
            time.sleep(max(0.0, min((job.join.lease_until or 0.0) - time.time(), SWEEP_SECONDS)))

    def _sweep(self) -> None:
        parts, file_name = self._parts, self._found.run.file_name
        tracker = cast("Tracker", OnlyThisJob(parts.tracker, file_name))
        joiner = Joiner(
            tracker=tracker,
            loader=parts.loader,
            continuation=self._counted,
            owner="sweep",
            lease_seconds=self._options.lease_seconds,
            backoff=_no_backoff,
        )
        self._reopen()
        if self._counted.failures >= REAL_TRIES:
            return
        report = sweep(tracker=tracker, loader=parts.loader, joiner=joiner, clock=time.time)
        if file_name in report.joined:
            self._tally.joined("sweep")

    def _reopen(self) -> None:
        """What an operator does when a join failed by no fault of its own: here, by injected ones."""
        job = self._parts.tracker.job(self._found.run.file_name)
        if job is None or job.join.state != JoinState.FAILED or job.run != self._found.run:
            return
        error = job.join.error or ""
        if _is_injected(error) and not self._counted.failures:
            self._parts.tracker.reopen_join(self._found.run)

    def _is_settled(self, job: Job) -> bool:
        if job.join.state == JoinState.JOINED or job.run != self._found.run or not job.complete:
            return True
        if job.join.alive(time.time()):
            return False
        return self._counted.failures >= REAL_TRIES or (
            job.join.state == JoinState.FAILED and not _is_injected(job.join.error)
        )


def _no_backoff(_attempt: int) -> float:
    return 0.0


def _is_injected(error: str | None) -> bool:
    """Whether a join's error is no real one: an injected failure, or owners that crashed."""
    return error is None or "injected failure" in error or "never finished" in error
