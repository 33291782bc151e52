"""The group ``small``: what a chunk of 100 rows costs beside its rows, on SQLite, against the bare driver."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import splitjoin_cli
from benchmarks import peers
from benchmarks.loading import TABLE, Sqlite
from benchmarks.rates import RateTable, Way, in_turns
from benchmarks.report import filesystem
from benchmarks.surroundings import clean_env, made_data
from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.join.events import ChunkArrived
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.worker import ChunkWorker
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from splitjoin_cli.join.base import JoinPayload

ROWS = 100
ROW_BYTES = 76


class _Silent:
    """A continuation of which nothing comes."""

    uri = "none"

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""

    def close(self) -> None:
        """See Continuation."""


def compare(chunks: int, rounds: int, directory: Path) -> RateTable:
    """The worker and ``simulate``, ours, each chunk loaded, counted and told of, against rows alone."""
    with (
        made_data(directory, chunks * ROWS * ROW_BYTES) as source,
        tempfile.TemporaryDirectory(dir=source.parent) as scratch,
    ):
        place = Path(scratch) / "chunks"
        command = [peers.splitjoin(), "split", str(source), str(place), "--client", "bench", "--date", "20240131"]
        command += ["--rows", str(ROWS), "-q", "--json"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, env=clean_env()).stdout)
        paths = [place / chunk["name"] for chunk in found["chunks"]]
        engine, tracker = Sqlite(Path(scratch)), Path(scratch) / "tracker.db"

        def prepare() -> None:
            engine.reset()
            for file in tracker.parent.glob(f"{tracker.name}*"):
                file.unlink()

        def bare() -> None:
            for path in paths:
                engine.load(path)

        def count() -> int:
            if engine.rows() != found["rows"]:
                raise SplitjoinError(f"{engine.rows()} rows of {found['rows']}")
            return len(paths)

        version = peers.OURS.version()
        ways = (
            Way("worker", "loads, counts, joins", version, prepare, partial(_work, engine, tracker, paths), count),
            Way("simulate", "the same", version, prepare, partial(_simulate, engine, tracker, place), count),
            Way("bare client", Sqlite.bare, Sqlite.version, prepare, bare, count),
        )
        group = in_turns(f"{len(paths):,} of {ROWS}", len(paths), rounds, ways)
        engine.close()
        shutil.rmtree(place)
    notes = (
        f"Chunks, database and tracker (SQLite files) lie on {filesystem(directory)}; one worker.",
        "CPU of a chunk beside its rows is that of the worker less that of the bare client.",
    )
    return RateTable("Small chunks into SQLite", "chunks, of rows", "chunk", notes, (group,))


def _work(engine: Sqlite, tracker_path: Path, paths: list[Path]) -> None:
    loader = SqliteLoader(engine.url.partition(":")[2], LoadTarget(TABLE))
    with closing(loader), closing(SqliteTracker(tracker_path)) as tracker, closing(Chunks()) as store:
        joiner = Joiner(tracker=tracker, loader=loader, continuation=_Silent(), owner="bench")
        worker = ChunkWorker(chunks=store, loader=loader, tracker=tracker, joiner=joiner, sweep_runs=True)
        for path in paths:
            worker.handle(ChunkArrived.at(str(path)))


def _simulate(engine: Sqlite, tracker: Path, place: Path) -> None:
    report = splitjoin_cli.simulate(place, into=engine.url, table=TABLE, tracker=f"sqlite:{tracker}", workers=1)
    if not report.ok:
        raise SplitjoinError(report.problems[0])
