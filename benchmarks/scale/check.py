"""The simulation's small end against a real run: an S3 server, MariaDB and our own command on this machine.

Four small runs tell the rates of this machine; the simulation then foretells runs of other sizes, with other numbers of
jobs and workers, and those are run.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.scale.limits import Limits, Measured
from benchmarks.scale.pattern import Setting, simulate
from benchmarks.surroundings import clean_env, made_data, say

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Told", "Trial", "check", "fit"]

MIB = 1024 * 1024
COMMAND = str(Path(sys.executable).with_name("splitjoin"))
FREE = 1e15
"""A rate that bounds nothing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One real run. ``at_once``: jobs, or workers. ``rows``: of all chunks."""

    chunks: int
    size: int
    rows: int
    at_once: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """What was foretold for a run, and what it took."""

    what: str
    foretold: float
    took: float

    @property
    def ratio(self) -> float:
        """Above 1: the run took longer."""
        return self.took / self.foretold


def fit(small: Trial, large: Trial, amount: str) -> tuple[float, float]:
    """Seconds of a chunk for itself, and ``amount`` (size, rows) a second, from two runs that do one after another.

    One has more, smaller chunks than the other.
    """
    a, b = small.chunks / small.at_once, large.chunks / large.at_once
    x, y = getattr(small, amount) / small.at_once, getattr(large, amount) / large.at_once
    each = (small.seconds * y - large.seconds * x) / (a * y - b * x)
    each = min(max(each, 0.0), small.seconds / a)
    rest = large.seconds - b * each
    return each, y / rest if rest > 0 else math.inf


class _Machine:
    """The command, a bucket and a database on this machine."""

    def __init__(self, scratch: Path, env: Mapping[str, str], bucket: str, into: str) -> None:
        self._scratch, self._env, self._bucket, self._into = scratch, env, bucket, into
        self._runs = 0

    def split(self, size: int, chunk: int, jobs: int) -> tuple[Trial, str]:
        """A file of so many bytes to the bucket."""
        self._runs += 1
        place = f"{self._bucket}{self._runs}/"
        with made_data(self._scratch, size) as source:
            options = ["--chunk-size", str(chunk), "--jobs", str(jobs), "--date", "d", "--client", f"c{self._runs}"]
            said = self._run("split", str(source), place, *options)
        return Trial(said["total_parts"], said["bytes"], said["rows"], jobs, said["seconds"]), place

    def load(self, place: str, workers: int) -> Trial:
        """All chunks of a place into a new table."""
        self._runs += 1
        tracker = f"sqlite:{self._scratch}/{self._runs}.db"
        options = ["--into", self._into, "--create-table", "--tracker", tracker, "--workers", str(workers)]
        said = self._run("simulate", place, *options, "--table", f"t{self._runs}")
        return Trial(said["total_parts"], 0, said["rows_loaded"], workers, said["seconds"])

    def _run(self, *words: str) -> dict[str, Any]:
        say(f"splitjoin {' '.join(words)}")
        ran = subprocess.run(
            [COMMAND, *words, "-q", "--json"], env=self._env, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise SystemExit(f"splitjoin {words[0]} failed: {ran.stdout}{ran.stderr}")
        said: dict[str, Any] = json.loads(ran.stdout)
        return said


def check(size: int = 32 * MIB) -> list[Told]:
    """Measure the rates, foretell, run. ``size``: of the largest file. Raises LookupError without a server."""
    from benchmarks.servers import mariadb_server, s3_server  # noqa: PLC0415 -- what they import takes long

    with TemporaryDirectory(prefix="splitjoin-scale-") as scratch, s3_server() as store, mariadb_server() as database:
        store.client().create_bucket(Bucket="scale")
        with closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE scale")
        env = {**clean_env(), **store.env, "SPLITJOIN_DB_PASSWORD": database.password}
        into = f"mysql://root@127.0.0.1:{database.port}/scale"
        return _told(_Machine(Path(scratch), env, "s3://scale/", into), size)


def _told(machine: _Machine, size: int) -> list[Told]:
    # The store grows slower with what it holds, and the first run pays for the start of all: it is thrown away.
    machine.load(machine.split(size // 8, MIB, 1)[1], 1)
    many, many_place = machine.split(size // 4, 128 * 1024, 1)
    few, few_place = machine.split(size, 8 * MIB, 1)
    both, both_place = machine.split(size, 4 * MIB, 4)
    put, stream = fit(many, few, "size")
    load_many, load_few = machine.load(many_place, 1), machine.load(few_place, 1)
    count, rows = fit(load_many, load_few, "rows")
    load_both = machine.load(both_place, 4)
    limits = Limits(
        puts_per_second=FREE, gets_per_second=FREE, stream_bytes_per_second=min(stream, FREE), request_seconds=put,
        event_seconds=0.0, first_invocations=FREE, more_invocations_per_second=0.0, write_units_per_second=FREE,
        item_units_per_second=FREE, start_seconds=max(count - put, 0.0),
    )  # fmt: skip
    row_bytes = few.size / few.rows
    measured = Measured(scan_bytes_per_second=FREE, upload_cpu_seconds=1e-9, connection_rows_per_second=min(rows, FREE),
                        row_bytes=row_bytes, units_per_count=1.0)  # fmt: skip
    network, database = both.size / both.seconds, load_both.rows / load_both.seconds
    told = []
    for chunk, jobs, workers in ((512 * 1024, 4, 3), (2 * MIB, 2, 2)):
        real, place = machine.split(size, chunk, jobs)
        setting = Setting(real.size, chunk_bytes=math.ceil(real.size / real.chunks), machines=1, cores=1, jobs=jobs,
                          network=max(network, real.size / real.chunks / FREE), database_rows=database,
                          concurrency=workers)  # fmt: skip
        foretold = simulate(setting, limits, measured)
        told.append(
            Told(f"split into {real.chunks} chunks, {jobs} jobs", foretold.stored - foretold.planned, real.seconds)
        )
        at_once = Setting(real.size, chunk_bytes=setting.chunk_bytes, cores=1, jobs=10**9, network=FREE,
                          database_rows=database, concurrency=workers)  # fmt: skip
        loads = simulate(at_once, limits, measured)
        loaded = machine.load(place, workers)
        told.append(Told(f"load {real.chunks} chunks, {workers} workers", loads.loaded - loads.stored, loaded.seconds))
    return told
