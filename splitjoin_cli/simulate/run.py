"""Runs a simulation: worker threads take messages, the sweep looks after the rest, the effects are counted."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from splitjoin_cli.errors import NoSuchJobError
from splitjoin_cli.join.events import ChunkArrived
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import sweep
from splitjoin_cli.join.worker import Worker
from splitjoin_cli.simulate.faults import CrashError, FaultRates, Faults, FaultyChunks, FaultyIo, InjectedError
from splitjoin_cli.simulate.mailbox import Mailbox, Message
from splitjoin_cli.simulate.report import ChunkStory, SimulateReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.join.base import Continuation, JoinPayload
    from splitjoin_cli.join.worker import Outcome
    from splitjoin_cli.loaders.base import Loader
    from splitjoin_cli.model import ChunkState
    from splitjoin_cli.objects.base import ChunkStore
    from splitjoin_cli.simulate.chunks import ChunkSet
    from splitjoin_cli.simulate.faults import Trouble
    from splitjoin_cli.split.progress import Observer
    from splitjoin_cli.trackers.base import Job, Tracker

__all__ = ["Parts", "Simulation", "SimulationOptions"]

REAL_TRIES = 3
"""After so many tries that failed by themselves a message is given up, as a queue moves it to its dead letters."""
LEASE_SECONDS = 2.0
"""Short: whoever crashes with the join in his hands is waited for so long."""
SWEEP_SECONDS = 1.0
FRUITLESS_SWEEPS = 5
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


class CountedContinuation:
    """A Continuation that remembers its effects: once it returned, the receiver has it. Thread-safe."""

    def __init__(self, inner: Continuation) -> None:
        """``inner``: what really runs."""
        self._inner = inner
        self._lock = threading.Lock()
        self.effects: list[JoinPayload] = []
        self.failures = 0

    @property
    def uri(self) -> str:
        """See Continuation."""
        return self._inner.uri

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""
        try:
            self._inner.run(payload)
        except Exception:
            with self._lock:
                self.failures += 1
            raise
        with self._lock:
            self.effects.append(payload)

    def close(self) -> None:
        """See Continuation."""
        self._inner.close()


class OnlyThisJob:
    """A Tracker for a sweep that leaves other jobs alone."""

    def __init__(self, inner: Tracker, file_name: str) -> None:
        """``file_name``: the job's."""
        self._inner, self._file_name = inner, file_name

    def __getattr__(self, attribute: str) -> object:
        """All else is the tracker's."""
        return getattr(self._inner, attribute)

    def unfinished(self) -> Iterator[Job]:
        """See Tracker."""
        job = self._inner.job(self._file_name)
        if job is not None and job.run_id is not None:
            yield job


@dataclass(slots=True)
class _Before:
    """What stood before: rows of others in the table, and whether this run was joined."""

    other_rows: int
    joined: bool


class Simulation:
    """One simulation. ``run`` it once."""

    def __init__(self, found: ChunkSet, parts: Parts, options: SimulationOptions, observer: Observer) -> None:
        """``found``: the chunks whose arrivals are delivered."""
        self._found, self._parts, self._options, self._observer = found, parts, options, observer
        self._faults = Faults()
        self._counted = CountedContinuation(parts.continuation)
        self._stories = {number: ChunkStory(number) for number in range(1, found.total_parts + 1)}
        self._lock = threading.Lock()
        self._deliveries = self._duplicates = self._failures = self._crashes = 0
        self._joined_by: tuple[int | None, str] | None = None
        self._settled: set[int] = set()
        self._bug: BaseException | None = None
        order = random.Random(f"{options.rates.seed}:order") if options.shuffle else None  # noqa: S311 -- not a secret
        self._mailbox = Mailbox([Message(number) for number in sorted(found.uris)], shuffle=order)

    def run(self) -> SimulateReport:
        """Deliver until all is settled. Raises StoreError where a database or the tracker cannot be reached."""
        began = time.monotonic()
        self._parts.loader.prepare()
        before = self._look()
        self._observer.phase("loading", None, len(self._found.uris))
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
        return self._report(before, time.monotonic() - began)

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

    def _worker(self, owner: str) -> Worker:
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
        return Worker(
            chunks=chunks, loader=loader, tracker=tracker, joiner=joiner, sweep_runs=True, max_receives=REAL_TRIES
        )

    def _deliver(self, worker: Worker, owner: str, message: Message) -> None:
        """One delivery: handled, and then acknowledged, given up, or put back."""
        story = self._stories[message.number]
        with self._lock:
            self._deliveries += 1
            story.attempts += 1
            trouble = self._options.rates.trouble(message.number, message.faults + 1, copy=message.copy)
            duplicated = trouble.duplicated and not (message.copy or message.copied)
            self._duplicates += duplicated
        if duplicated:
            message.copied = True
            self._mailbox.put(Message(message.number, copy=True))
        arrived = ChunkArrived.at(self._found.uris[message.number], receives=message.receives)
        outcome: Outcome | None = None
        try:
            with self._faults.during(trouble):
                outcome = worker.handle(arrived)
        except (CrashError, InjectedError):
            outcome = None
        self._record(story, owner, message, trouble, outcome)
        if trouble.met is not None:
            # Also where the worker got over it: whether it can depends on which thread was first, and the number of
            # deliveries must not.
            message.faults += 1
            self._mailbox.put_back(message)
        elif outcome is not None and outcome.acknowledge:
            self._done(message.number, "uploaded")
            self._mailbox.delete()
        elif message.receives >= REAL_TRIES:
            self._done(message.number, "failed")
            self._mailbox.delete()
        else:
            message.receives += 1
            self._mailbox.put_back(message)

    def _done(self, number: int, state: ChunkState) -> None:
        """Tell the observer, once for each chunk."""
        with self._lock:
            if number in self._settled:
                return
            self._settled.add(number)
        self._observer.chunk_done(number, state)

    def _record(
        self, story: ChunkStory, owner: str, message: Message, trouble: Trouble, outcome: Outcome | None
    ) -> None:
        event = _event(trouble, outcome)
        with self._lock:
            if trouble.met is not None:
                self._crashes += trouble.kind == "crash"
                self._failures += trouble.kind == "failure"
            elif outcome is not None and outcome.error is not None:
                self._failures += 1
            if outcome is not None and outcome.joined and self._joined_by is None:
                self._joined_by = (message.number, owner)
            story.events.append(f"{'duplicate, ' if message.copy else ''}{owner}: {event}")
            if outcome is not None and outcome.error is not None and not isinstance(outcome.error, InjectedError):
                story.hint = outcome.error.hint
        self._observer.detail(f"chunk {message.number}, {story.events[-1]}")

    # -- the sweep

    def _settle(self) -> None:
        """Sweep now and then until every message is gone and the join is done, or will not be."""
        fruitless = 0
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
            left = (job.join.lease_until or 0.0) - time.time() if job.join.state == "claimed" else 0.0
            if left > 0:
                time.sleep(min(left, SWEEP_SECONDS))
            else:
                fruitless += 1

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
        if file_name in report.joined and self._joined_by is None:
            self._joined_by = (None, "sweep")

    def _reopen(self) -> None:
        """What an operator does when a join failed by no fault of its own: here, by injected ones."""
        job = self._parts.tracker.job(self._found.run.file_name)
        if job is None or job.join.state != "failed" or job.run != self._found.run:
            return
        error = job.join.error or ""
        if _is_injected(error) and not self._counted.failures:
            self._parts.tracker.reopen_join(self._found.run)

    def _is_settled(self, job: Job) -> bool:
        if job.join.state == "joined" or job.run != self._found.run or not job.complete:
            return True
        return self._counted.failures >= REAL_TRIES or (job.join.state == "failed" and not _is_injected(job.join.error))

    # -- what stands

    def _look(self) -> _Before:
        loader, run = self._parts.loader, self._found.run
        ledger, job = loader.job(run.file_name), self._parts.tracker.job(run.file_name)
        mine = loader.ledger_rows(run.file_name, run.run_id).rows
        joined = ledger is not None and ledger.run_id == run.run_id and ledger.joined_at is not None
        joined = joined or (job is not None and job.run == run and job.join.state == "joined")
        return _Before(max(0, loader.table_rows(run.run_id) - mine), joined)

    def _report(self, before: _Before, seconds: float) -> SimulateReport:
        parts, found, run = self._parts, self._found, self._found.run
        loader = parts.loader
        rows_loaded = loader.table_rows(run.run_id) - before.other_rows
        for number in loader.ledger_numbers(run.file_name, run.run_id):
            if number in found.rows:
                self._stories[number].rows = found.rows[number]
        processed, owner = 0, None
        with suppress(NoSuchJobError):
            progress = parts.tracker.progress(run.file_name)
            processed, owner = (
                progress.processed_parts,
                progress.join.owner if progress.join.state == "joined" else None,
            )
        keys = {payload.run_id for payload in self._counted.effects} | ({run.run_id} if before.joined else set())
        chunk, worker = self._joined_by or (None, owner)
        report = SimulateReport(
            file_name=run.file_name,
            into=loader.properties.uri,
            table=loader.properties.table,
            tracker=parts.tracker.uri,
            total_parts=found.total_parts,
            processed_parts=processed,
            rows_expected=found.rows_expected,
            rows_loaded=rows_loaded,
            deliveries=self._deliveries,
            duplicates=self._duplicates,
            failures=self._failures,
            crashes=self._crashes,
            joins=len(keys),
            continuation_runs=len(self._counted.effects),
            joined_chunk=chunk,
            joined_worker=worker,
            problems=(),
            seconds=seconds,
            chunks=tuple(self._stories.values()),
        )
        hints = dict.fromkeys(story.hint for story in self._stories.values() if story.hint and not story.rows)
        problems = tuple(self._problems(report))
        return replace(report, problems=problems, hints=tuple(filter(None, hints)) if problems else ())

    def _problems(self, report: SimulateReport) -> Iterator[str]:
        """Why it is not ok."""
        found, run = self._found, self._found.run
        loaded = set(self._parts.loader.ledger_numbers(run.file_name, run.run_id))
        for number in range(1, found.total_parts + 1):
            if number in loaded:
                continue
            if number not in found.uris:
                yield f"chunk {number} is not stored"
            else:
                events = self._stories[number].events
                yield f"chunk {number} is not loaded: {events[-1] if events else 'it was not delivered'}"
        if report.rows_expected is not None and report.rows_loaded != report.rows_expected:
            yield f"{report.rows_loaded:,} rows are loaded, {report.rows_expected:,} were expected"
        if report.joins != 1:
            job = self._parts.tracker.job(run.file_name)
            error = f": {job.join.error}" if job is not None and job.join.error else ""
            yield f"the join's effect is there {report.joins} times{error}"
        if len(set(self._counted.effects)) > 1:
            yield "the continuation was told different things by different tries"


def _no_backoff(_attempt: int) -> float:
    return 0.0


def _is_injected(error: str | None) -> bool:
    """Whether a join's error is no real one: an injected failure, or owners that crashed."""
    return error is None or "injected failure" in error or "never finished" in error


def _event(trouble: Trouble, outcome: Outcome | None) -> str:
    """What a delivery came to, in words."""
    if trouble.met is not None and outcome is None:
        return f"{'crashed' if trouble.kind == 'crash' else 'failed'} {trouble.met}"
    assert outcome is not None  # noqa: S101 -- only what was met leaves none
    if outcome.error is not None:
        return f"failed: {outcome.error.message}"
    rows = "" if outcome.rows is None else f"{outcome.rows:,} rows {'loaded' if outcome.loaded else 'found loaded'}, "
    ends = {
        "counted": "counted" if outcome.counted else "found counted",
        "joined": "joined" if outcome.joined else "found joined",
        "replaced": "a newer run has the job",
        "left": "another holds the join",
    }
    return rows + ends[outcome.end]
