"""Simulations: the same trouble from the same seed; every row once and one join, or it is said what is wrong."""

from __future__ import annotations

import csv
import random
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from splitjoin_cli.api.simulate import run
from splitjoin_cli.api.simulate.chunks import find_chunks
from splitjoin_cli.api.simulate.faults import CrashError, FaultRates, Faults, FaultyIo, InjectedError
from splitjoin_cli.api.simulate.mailbox import Letter, Mailbox
from splitjoin_cli.api.simulate.run import Parts, Simulation, SimulationOptions
from splitjoin_cli.core.errors import ContinuationError
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.join.continuation import MemoryContinuation
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.splitting.request import RowCount, SplitRequest
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.trackers.answers import Refused
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from splitjoin_cli.api.simulate.report import SimulateReport
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.join.base import Continuation, JoinPayload
    from splitjoin_cli.stores.loaders.base import ChunkToLoad, Loader, LoadResult
    from splitjoin_cli.stores.trackers.base import Tracker

JOB = JobName("acme", "20240131")
TROUBLE = FaultRates(duplicates=0.3, failures=0.1, crashes=0.1)
LEASE_SECONDS = 0.3


def split_rows(directory: Path, *, rows: int, per_chunk: int) -> Path:
    """An export of so many rows, split; returns the directory of the chunks."""
    directory.mkdir(exist_ok=True)
    source = directory / "acme.csv"
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "note"])
        writer.writerows([number, 'two\nlines, "quoted"' if number % 7 == 0 else ""] for number in range(rows))
    request = SplitRequest(
        source=str(source), destination=DirectoryPlace(str(directory / "chunks")), size=RowCount(per_chunk)
    )
    sink = DirectorySink(directory / "chunks")
    with closing(LocalSource(str(source))) as opened, closing(sink):
        SplitRun(request, JOB, opened, sink, Silent()).run()
    return directory / "chunks"


@dataclass(slots=True)
class Bench:
    """Where simulations of one set of chunks run: the same database and tracker for each."""

    chunks: Path
    database: Path
    tracker: Tracker = field(default_factory=MemoryTracker)
    continuation: Continuation = field(default_factory=MemoryContinuation)
    observer: Observer = field(default_factory=Silent)

    def run(self, loader: Loader | None = None, **options: Any) -> SimulateReport:  # noqa: ANN401 -- SimulationOptions'
        """One simulation."""
        store = Chunks()
        with ThreadPoolExecutor(2) as executor, closing(DirectorySink(self.chunks)) as sink:
            found = find_chunks(sink, store, None, executor=executor)
        with closing(loader or self.loader()) as used:
            parts = Parts(store, used, self.tracker, self.continuation)
            asked = SimulationOptions(**({"lease_seconds": LEASE_SECONDS} | options))
            return Simulation(found, parts, asked, self.observer).run()

    def loader(self, **target: Any) -> SqliteLoader:  # noqa: ANN401 -- LoadTarget's
        """A loader into the bench's table."""
        return SqliteLoader(str(self.database), LoadTarget("acme", **target))

    def ids(self) -> list[int]:
        """The ids in the table."""
        with closing(sqlite3.connect(self.database)) as db:
            return sorted(int(number) for (number,) in db.execute("SELECT id FROM acme"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Ten chunks of seven rows, the last of six; an SQLite file, a tracker in memory."""
    return Bench(split_rows(tmp_path, rows=69, per_chunk=7), tmp_path / "load.db")


def test_nothing_goes_wrong(bench: Bench) -> None:
    """One delivery a chunk, all rows, one join by whoever brought the last chunk."""
    report = bench.run(workers=1)
    document = report.to_json()
    seconds = document.pop("seconds")
    assert seconds > 0
    assert document == {
        "file_name": "acme_20240131",
        "into": f"sqlite:{bench.database}",
        "table": "acme",
        "tracker": "memory:",
        "total_parts": 10,
        "processed_parts": 10,
        "rows_expected": 69,
        "rows_loaded": 69,
        "deliveries": 10,
        "duplicates": 0,
        "failures": 0,
        "crashes": 0,
        "joins": 1,
        "continuation_runs": 1,
        "joined_by": {"chunk": 10, "worker": "worker-1"},
        "ok": True,
        "chunks": [{"number": number, "rows": 6 if number == 10 else 7, "attempts": 1} for number in range(1, 11)],
    }
    assert bench.ids() == list(range(69))


@pytest.mark.parametrize("seed", range(6))
def test_all_goes_wrong(bench: Bench, seed: int) -> None:
    """Duplicates, failures and crashes far beyond what is usual: every row once, one join, and each fault counted."""
    rates = FaultRates(duplicates=0.5, failures=0.3, crashes=0.3, seed=seed)
    bench.tracker = SqliteTracker(bench.database.with_name("tracker.db")) if seed % 2 else bench.tracker
    report = bench.run(shuffle=True, rates=rates)
    assert report.problems == ()
    assert bench.ids() == list(range(69))
    assert report.joins == 1
    assert report.processed_parts == 10
    # An event is delivered again for each fault, whether the worker got over it or not.
    assert report.deliveries == 10 + report.duplicates + report.failures + report.crashes
    assert report.deliveries == sum(chunk.attempts for chunk in report.chunks)
    assert min(report.duplicates, report.failures, report.crashes) > 0
    assert isinstance(bench.continuation, MemoryContinuation)
    assert len(bench.continuation.effects) == 1


def test_the_same_seed_makes_the_same_trouble_on_any_number_of_threads(bench: Bench) -> None:
    """All figures are the same twice, and with more workers, but for who joins and how often what follows ran."""
    told: list[dict[str, Any]] = []
    for index, workers in enumerate((8, 8, 1)):
        place = Bench(bench.chunks, bench.database.with_name(f"load-{index}.db"))
        report = place.run(workers=workers, shuffle=True, rates=FaultRates(0.5, 0.2, 0.2, seed=3))
        document = report.to_json()
        told.append({key: document[key] for key in document if key not in UP_TO_THREADS})
    assert told[0] == told[1] == told[2]
    assert told[0]["ok"]
    assert min(told[0]["duplicates"], told[0]["failures"], told[0]["crashes"]) > 0


UP_TO_THREADS = {"into", "seconds", "joined_by", "continuation_runs"}


def test_everything_always_goes_wrong(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Even a probability of 1 ends: an event, and its duplicate, is spared after its hundredth attempt.

    A delivery that is refused the join comes once more, so that each attempt beyond those has a line in the log.
    """
    report = bench.run(rates=FaultRates(duplicates=1, crashes=1), workers=8)
    assert report.problems == ()
    assert (report.duplicates, report.crashes) == (10, 2 * 10 * 100)
    attempts = [chunk.attempts for chunk in report.chunks]
    refused = sum("the join cannot be claimed" in record.getMessage() for record in caplog.records)
    assert min(attempts) >= 2 * 101
    assert sum(attempts) - 2 * 101 * len(attempts) <= refused
    assert bench.ids() == list(range(69))


def test_again_on_the_same_tracker_and_database(bench: Bench) -> None:
    """All is found done: ok, with the join that stands, and nothing that ran."""
    first = bench.run(rates=replace(TROUBLE, seed=1), shuffle=True)
    again = bench.run(rates=replace(TROUBLE, seed=2), shuffle=True)
    assert (first.ok, again.ok) == (True, True)
    assert (again.joins, again.continuation_runs, again.rows_loaded) == (1, 0, 69)
    assert again.joined_worker == first.joined_worker
    assert [chunk.rows for chunk in again.chunks] == [chunk.rows for chunk in first.chunks]
    assert bench.ids() == list(range(69))


def test_rows_of_others_in_the_table_are_not_counted(bench: Bench) -> None:
    """A table that holds other rows already; twice, since the second time this job's are there as well."""
    with closing(sqlite3.connect(bench.database)) as db:
        db.execute("CREATE TABLE acme (id, note)")
        db.execute("INSERT INTO acme VALUES (1000, '')")
        db.commit()
    for _ in range(2):
        report = bench.run()
        assert (report.rows_loaded, report.ok) == (69, True)


def test_rows_that_somebody_deleted_are_missed(bench: Bench) -> None:
    """The count is of the table's rows, not of the ledger's."""
    assert bench.run().ok
    with closing(sqlite3.connect(bench.database)) as db:
        db.execute("DELETE FROM acme WHERE id IN ('0', '1')")
        db.commit()
    assert bench.run().problems == ("67 rows are loaded, 69 were expected",)


class LoadsTwice:
    """A loader that loads chunk 3 under the name of another run too."""

    def __init__(self, inner: Loader) -> None:
        self._inner = inner

    def __getattr__(self, attribute: str) -> object:
        return getattr(self._inner, attribute)

    def load(self, chunk: ChunkToLoad) -> LoadResult:
        if chunk.number == 3:
            self._inner.load(replace(chunk, run_id="other"))
        return self._inner.load(chunk)


def test_a_loader_that_loads_twice_is_found(bench: Bench) -> None:
    """Rows that are there twice are no success."""
    report = bench.run(cast("Loader", LoadsTwice(bench.loader(beside_other_run=True))))
    assert report.problems == ("76 rows are loaded, 69 were expected",)
    assert not report.ok


def test_a_join_without_its_effect_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracker's word is not enough for a join that is finished here: nothing ran."""
    monkeypatch.setattr(Joiner, "_continue", lambda joiner, claim, payload, _: joiner._finish(claim, payload))
    report = bench.run(workers=1)
    assert report.problems == ("the join's effect is there 0 times",)
    assert report.joined_worker == "worker-1"


class OthersAreFaster:
    """A loader of a simulation beside which another one begins and ends, and another job fills the same table."""

    def __init__(self, inner: Loader, other: Callable[[], SimulateReport]) -> None:
        self._inner, self._other = inner, other
        self._lock = threading.Lock()
        self.reports: list[SimulateReport] = []

    def __getattr__(self, attribute: str) -> object:
        return getattr(self._inner, attribute)

    def load(self, chunk: ChunkToLoad) -> LoadResult:
        with self._lock:
            if not self.reports:
                self.reports.append(self._other())
                self._inner.load(replace(chunk, file_name="other_1"))
        return self._inner.load(chunk)


def test_two_at_once_are_both_right(bench: Bench) -> None:
    """What the other did stands, and is not this one's: rows and join are there once, and nothing ran here."""
    loader = OthersAreFaster(bench.loader(), bench.run)
    report = bench.run(cast("Loader", loader), workers=2)
    (other,) = loader.reports
    assert (report.problems, other.problems) == ((), ())
    assert (report.rows_loaded, report.joins, report.continuation_runs) == (69, 1, 0)
    assert (other.rows_loaded, other.joins, other.continuation_runs) == (69, 1, 1)
    assert (report.joined_chunk, report.joined_worker) == (None, other.joined_worker)
    assert isinstance(bench.continuation, MemoryContinuation)
    assert len(bench.continuation.effects) == 1


class HeldElsewhere(MemoryTracker):
    """A tracker whose join a worker on another machine is the first to claim; it takes half a second."""

    def claim_join(self, run: Any, *, owner: str, lease_seconds: float) -> Any:  # noqa: ANN401 -- as the real one
        if not isinstance(super().claim_join(run, owner="elsewhere", lease_seconds=30), Refused):
            threading.Timer(0.5, self.finish_join, [run]).start()
        return super().claim_join(run, owner=owner, lease_seconds=lease_seconds)


class Warnings(Silent):
    """What an observer is warned of."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, message: str) -> None:
        self.texts.append(message)


def test_a_join_that_is_held_elsewhere_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever waits for long is told for whom."""
    monkeypatch.setattr(run, "SWEEP_SECONDS", 0.05)
    bench.tracker = HeldElsewhere()
    bench.observer = observer = Warnings()
    report = bench.run()
    assert report.problems == ()
    assert (report.joins, report.continuation_runs, report.joined_worker) == (1, 0, "elsewhere")
    assert observer.texts == ["elsewhere holds the join: waiting until it is done, or its lease is over"]


def test_a_newer_run_that_took_over_is_named(bench: Bench) -> None:
    """Where the table has no run column its rows stay, and the join is not this run's any more."""

    def replaced(step: str) -> None:
        if step == "claim_join":
            bench.tracker.replace_job(JobSpec(Run("acme_20240131", "newer"), 10))

    bench.tracker = MemoryTracker(on_step=replaced)
    report = bench.run()
    assert len(report.problems) == 1
    assert re.fullmatch(
        r"the join's effect is there 0 times: the job is another run's by now, run newer \(generation 2\), and this is"
        r" run [0-9a-f]+ \(generation 1\)",
        report.problems[0],
    )


class FailsAlways:
    """A continuation that never works."""

    uri = "fails:"

    def __init__(self) -> None:
        self.runs = 0

    def run(self, payload: JoinPayload) -> None:
        self.runs += 1
        raise ContinuationError(f"no {payload.file_name} wanted")

    def close(self) -> None: ...


def test_a_continuation_that_fails_by_itself_stops(bench: Bench) -> None:
    """After three tries; the error is told, and all rows are there."""
    bench.continuation = fails = FailsAlways()
    report = bench.run(workers=1)
    assert report.problems == ("the join's effect is there 0 times: no acme_20240131 wanted",)
    assert (report.joins, report.continuation_runs, report.rows_loaded) == (0, 0, 69)
    assert fails.runs == 3
    bench.continuation = MemoryContinuation()
    assert bench.run().ok


def test_a_bad_row_stops_after_three_tries(bench: Bench) -> None:
    """The others are loaded; there is no join; the chunk is named with the database's reason."""
    with closing(sqlite3.connect(bench.database)) as db:
        db.execute("CREATE TABLE acme (id INTEGER CHECK (id <> 8), note TEXT)")
        db.commit()
    report = bench.run()
    (problem, rows, join) = report.problems
    assert problem.startswith("chunk 2 is not loaded: worker-")
    assert "CHECK constraint failed" in problem
    assert (rows, join) == ("62 rows are loaded, 69 were expected", "the join's effect is there 0 times")
    assert [chunk.attempts for chunk in report.chunks] == [1, 3, 1, 1, 1, 1, 1, 1, 1, 1]
    assert (report.failures, report.processed_parts, report.chunks[1].rows) == (3, 9, 0)
    assert [failure.final for failure in bench.tracker.progress("acme_20240131").failures] == [True]


def test_another_run_in_the_ledger_comes_with_the_way_out(bench: Bench) -> None:
    """Nothing is loaded; both runs are named for each chunk, and what to do about it once."""
    assert bench.run().ok
    with closing(sqlite3.connect(bench.database)) as db:
        db.execute("UPDATE splitjoin_jobs SET run_id = 'theirs'")
        db.execute("UPDATE splitjoin_ledger SET run_id = 'theirs'")
        db.commit()
    bench.tracker = MemoryTracker()
    report = bench.run()
    assert len(report.problems) == 10 + 2
    assert (
        "the ledger holds 69 rows in 10 chunks of run theirs (generation 1), and the chunk is of" in report.problems[0]
    )
    (hint,) = report.hints
    assert hint == (
        "clear the other one: delete its rows from acme, then DELETE FROM splitjoin_ledger"
        " WHERE file_name = 'acme_20240131' AND run_id = 'theirs' or use --beside-other-run"
    )


def test_a_chunk_that_is_not_stored_is_named(bench: Bench) -> None:
    """How many rows there should be is then unknown."""
    next(bench.chunks.glob("*-04-10.csv")).unlink()
    report = bench.run()
    assert report.problems == ("chunk 4 is not stored", "the join's effect is there 0 times")
    assert (report.rows_expected, report.rows_loaded, report.processed_parts) == (None, 62, 9)


def test_chunks_without_a_manifest(bench: Bench) -> None:
    """Their records are counted, so that it is known how many rows there should be."""
    next(bench.chunks.glob("*.manifest.json")).unlink()
    report = bench.run(rates=TROUBLE)
    assert report.problems == ()
    assert report.rows_expected == 69
    assert bench.ids() == list(range(69))


def test_a_bug_in_a_worker_is_raised(bench: Bench) -> None:
    """And leaves nobody waiting."""
    bench.tracker = MemoryTracker(on_step=_raises_a_bug)
    with pytest.raises(BugError, match="a bug in mark_done"):
        bench.run()


def _raises_a_bug(step: str) -> None:
    """No error of ours, and none that a worker may take for a failed try."""
    if step == "mark_done" and threading.current_thread() is not threading.main_thread():
        raise BugError(f"a bug in {step}")


class BugError(BaseException):
    """What no worker expects."""


# -- the faults themselves


def test_trouble_is_drawn_from_seed_chunk_and_attempt() -> None:
    """The same three make the same trouble, in any order; another seed makes another."""
    rates = FaultRates(0.5, 0.3, 0.3, seed=7)
    drawn = [rates.trouble(number, attempt) for number in range(1, 50) for attempt in range(1, 4)]
    again = [rates.trouble(number, attempt) for number in range(1, 50) for attempt in range(1, 4)]
    assert drawn == again
    assert {one.kind for one in drawn} == {None, "crash", "failure"}
    other = replace(rates, seed=8)
    assert drawn != [other.trouble(number, attempt) for number in range(1, 50) for attempt in range(1, 4)]


def test_rates_are_kept() -> None:
    """Of many draws about as many meet a fault as asked."""
    drawn = [TROUBLE.trouble(number, 1) for number in range(5000)]
    assert 400 < sum(one.kind == "crash" for one in drawn) < 600
    assert 350 < sum(one.kind == "failure" for one in drawn) < 550
    assert 1350 < sum(one.duplicated for one in drawn) < 1650


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_no_probability(rate: float) -> None:
    """What is not from 0 to 1 is refused."""
    with pytest.raises(ValueError, match="not a probability"):
        FaultRates(crashes=rate)


def test_a_fault_comes_before_or_after_an_io() -> None:
    """Before it nothing was done; after it all was, and only the answer is lost."""
    done: list[str] = []
    faults = Faults()
    faulty = FaultyIo(done, "list", faults)
    crashes = FaultRates(crashes=1)
    places = set()
    for attempt in range(1, 60):
        done.clear()
        trouble = crashes.trouble(1, attempt)
        with pytest.raises(CrashError), faults.during(trouble):
            faulty.append("x")
        assert done == ([] if trouble.met == "before list.append" else ["x"])
        places.add(trouble.met)
    assert places == {"before list.append", "after list.append", "before the acknowledgement"}


def test_threads_without_trouble_meet_none() -> None:
    """The sweep and lease renewals go through the same objects."""
    faults = Faults()
    faulty = FaultyIo([], "list", faults)
    trouble = FaultRates(failures=1).trouble(1, 1)

    def append_elsewhere() -> None:
        other = threading.Thread(target=faulty.append, args=("x",))
        with faults.during(trouble):
            other.start()
            other.join()

    with pytest.raises(InjectedError, match=r"^injected failure before the acknowledgement$"):
        append_elsewhere()
    assert faulty.copy() == ["x"]


# -- the mailbox


def test_mailbox_is_first_in_first_out() -> None:
    """What is put back comes after what waits."""
    box = Mailbox([Letter(1), Letter(2)])
    first = box.take()
    assert first == Letter(1)
    box.put_back(first)
    assert [box.take(), box.take()] == [Letter(2), Letter(1)]


def test_mailbox_in_any_order_from_a_seed() -> None:
    """The same seed gives the same order, and it is not the usual one."""
    orders = []
    for _ in range(2):
        box = Mailbox(map(Letter, range(20)), shuffle=random.Random(3))
        orders.append(_all(box))
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == list(range(20))
    assert orders[0] != list(range(20))


def test_mailbox_is_idle_when_nothing_waits_and_nothing_is_taken() -> None:
    """A message that is being handled may come back."""
    box = Mailbox([Letter(1)])
    assert not box.wait_idle(0)
    box.take()
    assert not box.wait_idle(0)
    box.delete()
    assert box.wait_idle(0)


def test_a_closed_mailbox_ends_who_waits() -> None:
    """Also one that waits already."""
    box = Mailbox([])
    taken: list[Letter | None] = []
    waiting = threading.Thread(target=lambda: taken.append(box.take()))
    waiting.start()
    box.close()
    waiting.join(10)
    assert taken == [None]


def _all(box: Mailbox) -> list[int]:
    numbers = []
    while not box.wait_idle(0):
        message = box.take()
        assert message is not None
        numbers.append(message.number)
        box.delete()
    return numbers


# -- for minutes


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand chunks."""
    return split_rows(tmp_path_factory.mktemp("thousand"), rows=3000, per_chunk=3)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_a_thousand_chunks(thousand: Path, tmp_path: Path, seed: int) -> None:
    """30 % duplicates, 10 % crashes, 10 % failures, in any order: every row once, one join."""
    bench = Bench(thousand, tmp_path / "load.db", SqliteTracker(tmp_path / "tracker.db"))
    report = bench.run(shuffle=True, rates=replace(TROUBLE, seed=seed))
    assert report.problems == ()
    assert bench.ids() == list(range(3000))
    assert (report.joins, report.processed_parts) == (1, 1000)
