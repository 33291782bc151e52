"""What a simulation keeps of a chunk is some numbers: of a million of them no more than some tens of megabytes."""

from __future__ import annotations

import gc
import tracemalloc
from concurrent.futures import Executor, Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.api.simulate import run
from splitjoin_cli.api.simulate.chunks import find_chunks
from splitjoin_cli.api.simulate.faults import FaultRates
from splitjoin_cli.api.simulate.run import Parts, Simulation, SimulationOptions
from splitjoin_cli.core import names
from splitjoin_cli.core.errors import NoSuchJobError
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.words import count_text
from splitjoin_cli.join.continuation import MemoryContinuation
from splitjoin_cli.join.worker import End, Handled
from splitjoin_cli.stores.loaders.base import TableRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.api.simulate.report import SimulateReport
    from splitjoin_cli.join.events import ChunkArrived
    from splitjoin_cli.stores.chunks.base import ChunkStore
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.trackers.base import Tracker

TROUBLE = FaultRates(duplicates=0.3, failures=0.1, crashes=0.1)
FILE_NAME = "acme_20240131"


class Inline(Executor):
    """Runs what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 -- Executor's
        """See Executor."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Place:
    """A sink, a chunk store, a loader and a tracker of so many chunks, none of which keeps a thing."""

    properties = SimpleNamespace(uri="memory/", table="acme")
    uri = "memory:"

    def __init__(self, total: int, rows: Sequence[int] | None = None) -> None:
        """Each of them is stored. ``rows``: of each; None for as many as its number says."""
        self.total = total
        self.rows = rows or range(1, total + 1)

    def list(self, _prefix: str) -> Iterator[StoredObject]:
        """See Sink."""
        name = names.chunk_names(FILE_NAME, self.total, None)
        return (StoredObject(name(number), 20) for number in range(1, self.total + 1))

    def open_chunk(self, uri: str, *, body: bool) -> SimpleNamespace:
        """See ChunkStore."""
        assert not body
        rows = self.rows[int(uri.rsplit("-", 2)[1]) - 1]
        metadata = SimpleNamespace(file_name=FILE_NAME, run_id="0" * 32, generation=1, rows=rows)
        return SimpleNamespace(metadata=metadata, close=lambda: None)

    def prepare(self) -> None:
        """See Loader."""

    def job(self, _file_name: str) -> None:
        """See Loader and Tracker: nobody needs to join."""

    def table_rows(self, _file_name: str, _run_id: str) -> TableRows:
        """See Loader."""
        return TableRows(0)

    def ledger_numbers(self, _file_name: str, _run_id: str) -> range:
        """See Loader."""
        return range(1, self.total + 1)

    def progress(self, file_name: str) -> None:
        """See Tracker."""
        raise NoSuchJobError(file_name)


class FakeWorker:
    """A ChunkWorker that has nothing to do."""

    def __init__(self, **_: object) -> None:
        """Whatever a worker is given."""

    def handle(self, arrived: ChunkArrived) -> Handled:
        """See ChunkWorker."""
        return Handled(arrived, acknowledge=True, end=End.COUNTED, rows=arrived.name.number, loaded=True, counted=True)


def simulated(total: int, rates: FaultRates, *, shuffle: bool) -> SimulateReport:
    """A simulation of so many chunks."""
    place = Place(total)
    found = find_chunks(cast("Sink", place), cast("ChunkStore", place), FILE_NAME, executor=Inline())
    parts = Parts(cast("ChunkStore", place), cast("Loader", place), cast("Tracker", place), MemoryContinuation())
    return Simulation(found, parts, SimulationOptions(workers=1, rates=rates, shuffle=shuffle), Silent()).run()


def peak_of(total: int, rates: FaultRates, *, shuffle: bool) -> int:
    """The bytes of a simulation of so many chunks at their most, its document written."""
    gc.collect()
    tracemalloc.start()
    try:
        report = simulated(total, rates, shuffle=shuffle)
        attempts = sum(chunk["attempts"] for chunk in report.document()["chunks"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert attempts == report.deliveries >= total
    assert report.chunks[-1].events[-1].endswith(f"worker-1: {count_text(total, 'row')} loaded, counted")
    return peak


@pytest.mark.parametrize(
    ("few", "many", "rates", "shuffle", "most"),
    [
        (100, 800, TROUBLE, True, 60),
        pytest.param(300, 20_000, FaultRates(), False, 35, marks=pytest.mark.soak),
        pytest.param(300, 20_000, TROUBLE, True, 48, marks=pytest.mark.soak),
    ],
)
def test_bytes_of_a_chunk(
    monkeypatch: pytest.MonkeyPatch, few: int, many: int, rates: FaultRates, *, shuffle: bool, most: int
) -> None:
    """One story as an object would be some hundreds."""
    monkeypatch.setattr(run, "ChunkWorker", FakeWorker)
    simulated(2, rates, shuffle=shuffle)  # what is made once is no chunk's
    peaks = [peak_of(total, rates, shuffle=shuffle) for total in (few, many)]
    print(f"\n{(peaks[1] - peaks[0]) / (many - few):.1f} bytes a chunk")  # noqa: T201 -- what a soak is asked for
    assert (peaks[1] - peaks[0]) / (many - few) < most


def test_rows_of_chunks_that_are_no_small_ones() -> None:
    """A chunk may have more rows than four bytes can say; those before it keep theirs."""
    many = [1, 2**32 - 1, 2**32, 2**40, 5]
    place = Place(len(many), many)
    found = find_chunks(cast("Sink", place), cast("ChunkStore", place), FILE_NAME, executor=Inline())
    assert (list(found.rows), found.rows_expected) == (many, sum(many))
