"""A cluster, its store and its time, simulated: an Engine and a Sink that answer when a virtual clock says so.

Nothing sleeps and no thread runs. Whenever the coordinator waits, the clock goes on to what happens next; and for each
unit that it hands out, the clock goes on by what that costs it. All lots are drawn from one seed.
"""

from __future__ import annotations

import json
import random
import time
from array import array
from collections import deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import TYPE_CHECKING, Any

from benchmarks.scale.events import Clock, Rate, Slots
from benchmarks.scale.limits import LIMITS, MB
from benchmarks.scale.pattern import Setting, requests_of_chunk
from splitjoin_cli.core.model import ByteRange, StoredObject
from splitjoin_cli.splitting.engines.base import Failed, Scanned, Stored
from splitjoin_cli.splitting.engines.pace import Pace
from splitjoin_cli.splitting.engines.specs import HeaderSpec
from splitjoin_cli.splitting.engines.wire import answer_text
from splitjoin_cli.splitting.engines.words import CLUSTER
from splitjoin_cli.splitting.records.outcome import NO_OFFSET
from splitjoin_cli.splitting.survey import Found

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scale.coordinator.export import Export
    from splitjoin_cli.splitting.engines.base import Answer

__all__ = ["Cluster", "Meter", "Shape"]

TROUBLE = Failed("StoreError", "the store is away", None, fatal=False, again=True)
NOTHING = Found()


@dataclass(frozen=True, slots=True)
class Shape:
    """What is simulated. ``throughput``: of each worker, bytes a second. ``latency``: seconds of a request.

    ``unit_seconds``: what a unit costs the coordinator, which hands them out one by one. ``jitter``: a unit takes up
    to so much more, or less, than it should: 0.2 is a fifth. Of a thousand units so many ``fail`` with an answer, are
    ``lost`` with their worker (the engine says so), or are met with ``silence``.
    """

    workers: int = 200
    throughput: float = 500 * MB
    latency: float = LIMITS.request_seconds
    unit_seconds: float = 0.0005
    jitter: float = 0.2
    fail: float = 0.0
    lost: float = 0.0
    silence: float = 0.0
    seed: int = 1


class Meter:
    """CPU time of the thread, in seconds, that is not the simulation's own: use it as a context for what is."""

    def __init__(self) -> None:
        """From now on."""
        self._began, self._own, self._since = time.thread_time(), 0.0, 0.0
        self._depth = 0

    def __enter__(self) -> None:
        if not self._depth:
            self._since = time.thread_time()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._own += time.thread_time() - self._since

    @property
    def seconds(self) -> float:
        """The coordinator's, so far."""
        return time.thread_time() - self._began - self._own


class _Coming(Future[Any]):
    """A future of the virtual clock: who waits for it lets the clock go on."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401 -- a Future's
        if not self.done():
            with self._cluster.meter:
                while not self.done():
                    self._cluster.clock.step()
        return super().result(timeout)


class _Inbox:
    """Answers, in the order of the virtual clock."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._items = cluster, deque[Any]()

    def put(self, item: Any, /) -> None:  # noqa: ANN401 -- an Inbox's
        """As in Inbox."""
        self._items.append(item)

    def get(self, *, timeout: float) -> Any:  # noqa: ANN401 -- an Inbox's
        """As in Inbox."""
        if not self._items:
            with self._cluster.meter:
                clock = self._cluster.clock
                until = clock.now + timeout
                while not self._items and clock.step(until):
                    pass
        if not self._items:
            raise Empty
        return self._items.popleft()


class _Readers(Executor):
    """Small reads of the export, so many at once."""

    def __init__(self, cluster: Cluster, threads: int) -> None:
        self._cluster, self._slots = cluster, Slots(cluster.clock, threads)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> _Coming:  # noqa: ANN401
        """As in Executor; the last two arguments are the places from and up to which is read."""
        coming, cluster = _Coming(self._cluster), self._cluster
        with cluster.meter:
            seconds = cluster.read_seconds(args[-1] - args[-2])

            def done() -> None:
                self._slots.give()
                if coming.set_running_or_notify_cancel():
                    with cluster.ahead():
                        coming.set_result(fn(*args))

            self._slots.take(lambda: cluster.clock.after(seconds, done))
        return coming

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 -- as in Executor
        """As in Executor."""


class Cluster:
    """An Engine, what its store holds, and the Pace of its coordinator."""

    name, words, lost_work = "simulated", CLUSTER, False

    def __init__(self, shape: Shape, export: Export, chunk_bytes: int, clock: Clock | None = None) -> None:
        """``chunk_bytes``: at most, of a chunk: how many requests store it."""
        self.clock, self.meter = clock or Clock(), Meter()
        self.workers = Slots(self.clock, shape.workers)
        self.in_flight = 2 * shape.workers
        self.sizes = array("I")  # of stored chunks, by number; 0: not there
        self.units = self.tries = 0
        self.unforeseen = 0
        self._shape, self._export = shape, export
        self._lots = random.Random(shape.seed)
        self._puts = Rate(self.clock, LIMITS.puts_per_second)
        self._requests = requests_of_chunk(Setting(chunk_bytes, chunk_bytes=chunk_bytes))
        self._is_ahead = False
        self._last = ""
        export.on_read = self._read

    @property
    def pace(self) -> Pace:
        """What the coordinator waits by."""
        return Pace(lambda: self.clock.now, lambda: _Inbox(self), partial(_Readers, self), self._lots.random)

    def ahead(self) -> Cluster:
        """A context in which reads cost nothing: their time was counted before."""
        return self

    def __enter__(self) -> None:
        self._is_ahead = True

    def __exit__(self, *_: object) -> None:
        self._is_ahead = False

    def read_seconds(self, size: int) -> float:
        """What one read takes."""
        return self._shape.latency + size / LIMITS.stream_bytes_per_second

    def submit(self, unit: str) -> Future[str]:
        """As in Engine."""
        with self.meter:
            future: Future[str] = _Coming(self)
            self.tries += 1
            self.clock.pass_by(self._shape.unit_seconds)
            self.workers.take(partial(self._begin, unit, future))
            return future

    def cancel(self, future: Future[str]) -> None:
        """As in Engine."""
        future.cancel()

    def close(self) -> None:
        """As in Engine."""

    def pages(self, objects: int) -> None:
        """A listing of so many takes its time."""
        self.clock.pass_by(self._shape.latency * (1 + objects // 1000))

    def _read(self, size: int) -> None:
        """The coordinator reads for itself, and waits."""
        if not self._is_ahead:
            self.unforeseen += 1
            with self.meter:
                self.clock.pass_by(self.read_seconds(size))

    def _begin(self, text: str, future: Future[str]) -> None:
        """A worker has a unit. What becomes of it is drawn now."""
        if future.cancelled():
            self.workers.give()
            return
        unit, shape, lot = json.loads(text), self._shape, self._lots.random() * 1000
        times = 1 + shape.jitter * (2 * self._lots.random() - 1)
        seconds = sum(part.size for part in _parts(unit)) / shape.throughput * times
        if lot < shape.fail + shape.lost + shape.silence:
            seconds *= self._lots.random()
            self.clock.after(seconds, partial(self._fail, text, future, lot))
        elif unit["unit"] == "scan":
            self.clock.after(seconds + shape.latency, partial(self._end, text, unit, future))
        else:
            requests = self._requests * len(unit["chunks"])
            seconds += shape.latency * requests
            end = partial(self._end, text, unit, future)
            self._puts.take(requests, lambda: self.clock.after(seconds, end))

    def _fail(self, text: str, future: Future[str], lot: float) -> None:
        self.workers.give()
        if lot < self._shape.silence or not future.set_running_or_notify_cancel():
            return
        if lot < self._shape.silence + self._shape.lost:
            future.set_exception(RuntimeError("the worker is gone"))
        else:
            future.set_result(answer_text(TROUBLE, text))

    def _end(self, text: str, unit: dict[str, Any], future: Future[str]) -> None:
        self.workers.give()
        answer = self._answer(unit)
        if future.set_running_or_notify_cancel():
            self.units += 1
            future.set_result(answer_text(answer, text))

    def _answer(self, unit: dict[str, Any]) -> Answer:
        parts = _parts(unit)
        if unit["unit"] == "scan":
            outcome, crc = self._export.outcome(parts[0])
            return Scanned(outcome, crc, NOTHING, NOTHING, NO_OFFSET, (NOTHING, NOTHING, NOTHING))
        header, found = HeaderSpec(*unit["header"]).size, list[StoredObject]()
        for part, (name, number, _, _, checksum, *_) in zip(parts, unit["chunks"], strict=True):
            size = header + part.size
            while len(self.sizes) < number:
                self.sizes.append(0)
            self.sizes[number - 1] = size
            found.append(StoredObject(name, size, checksum, validator='"simulated"'))
        return Stored(tuple(found))


def _parts(unit: dict[str, Any]) -> list[ByteRange]:
    """The ranges of a unit."""
    if unit["unit"] == "scan":
        return [ByteRange(**unit["range"])]
    return [ByteRange(start, end) for _, _, start, end, *_ in unit["chunks"]]
