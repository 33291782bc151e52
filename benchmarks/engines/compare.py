"""From and to an S3 server that costs next to nothing: on threads, on two Dask workers, and by other tools' cutters."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.measure import CommandFailedError, Usage, middle, run
from benchmarks.surroundings import made_data, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from benchmarks.engines.cluster import Cluster

__all__ = ["THREADS", "Engines", "measure"]

MIB = 1024 * 1024
SOURCE = "s3://exports/export.csv"
HERE = Path(__file__).parent
COPIED, SENT, SMALL = 128 * MIB, 8 * MIB, MIB // 4
"""Chunks that the store copies, chunks whose bytes pass through the workers, and such of which a unit stores many."""
UNITS = 1000
RIGHT, CUT = "quotes, headers, bytes", "bytes; cuts quoted newlines, no headers"
THREADS = "splitjoin, threads"
ENVIRONMENTS = {"engines": ("dask[distributed]", "s3fs"), "lithops": ("lithops", "boto3")}


@dataclass(frozen=True, slots=True)
class Way:
    """``cluster``: whose CPU time is its own, too; None: it has none."""

    name: str
    keeps: str
    command: Callable[[str], list[str]]
    cluster: Cluster | None = None


@dataclass(frozen=True, slots=True)
class Engines:
    """What each way took, its cluster included, for each size of chunks; and units that have nothing to do.

    ``units``: seconds by the clock, and of CPU everywhere, for one.
    """

    size_bytes: int
    runs: Mapping[int, Mapping[str, tuple[Usage, ...]]] = field(default_factory=dict)
    units: tuple[float, float] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    keeps: Mapping[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """Medians, and the median of each round's ratio to threads."""
        lines = [f"### S3 to S3, {self.size_bytes:,} bytes, two workers", ""]
        for chunk_bytes, runs in self.runs.items():
            head = f"chunks of {chunk_bytes:,} bytes"
            lines += [f"| {head} | s | speed / threads | CPU s | / threads | what comes out right |"]
            lines += ["|---|---:|---:|---:|---:|---|"]
            lines += [self._line(name, usages, runs[THREADS]) for name, usages in runs.items()] + [""]
        if self.units is not None:
            seconds, cpu = self.units
            lines += [f"A unit with nothing to do: {seconds * 1000:.1f} ms by the clock, {cpu * 1000:.1f} ms of CPU"]
        return "\n".join([*lines, *(f"Left out: {name}: {reason}" for name, reason in self.left_out.items())])

    def _line(self, name: str, usages: Sequence[Usage], ours: Sequence[Usage]) -> str:
        found, pairs = middle(usages), list(zip(ours, usages, strict=True))
        cells = [
            name, f"{found.seconds:.1f}", f"{median(one.seconds / other.seconds for one, other in pairs):.2f}",
            f"{found.cpu_seconds:.2f}", f"{median(other.cpu_seconds / one.cpu_seconds for one, other in pairs):.2f}",
            self.keeps.get(name, RIGHT),
        ]  # fmt: skip
        return f"| {' | '.join(cells)} |"

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        runs = {
            str(size): {name: [asdict(one) for one in usages] for name, usages in ways.items()}
            for size, ways in self.runs.items()
        }
        return {"title": "engines", "size_bytes": self.size_bytes, "runs": runs, "units": self.units}

    def versions(self) -> list[str]:
        """Beside ours."""
        code = "import dask; print('dask', dask.__version__)"
        return [peers.first_line(sys.executable, "-c", code)] if self.runs else []


def install() -> None:
    """Put the others into environments of their own; those that cannot be had are left out."""
    for name, packages in ENVIRONMENTS.items():
        place = peers.CACHE / name
        if not (place / "installed.txt").exists():
            say(f"installing {', '.join(packages)} into {place}")
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            done = subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "-q", *packages], check=False)
            if done.returncode == 0:
                (place / "installed.txt").write_text("\n".join(packages))


def measure(
    size: int,
    rounds: int,
    directory: Path,
    serve: Callable[[Path], AbstractContextManager[dict[str, str]]],
    *,
    others: bool = True,
) -> Engines:
    """All in turn. ``serve``: the environment that leads to a server with a file as SOURCE. ``others``: peers, too."""
    from benchmarks.engines.cluster import cluster  # noqa: PLC0415 -- what it imports makes this process large

    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        source = stack.enter_context(made_data(directory, size))
        env, left_out = stack.enter_context(serve(source)), dict[str, str]()
        try:
            ours = stack.enter_context(cluster(Path(sys.executable).parent, scratch / "ours", env))
        except LookupError as exc:
            return Engines(size, left_out={"dask": str(exc)})
        ways, theirs = _ours(ours), list[Way]()
        for name, make in {"dask.bytes": _dask_bytes, "Lithops": _lithops}.items() if others else ():
            try:
                theirs.append(make(stack, scratch, env))
            except LookupError as exc:
                left_out[name] = str(exc)
        run_of = _Runs(env, scratch, rounds, left_out)
        runs = {
            COPIED: run_of.in_turns([*ways, *theirs], COPIED),
            **{size: run_of.in_turns(ways, size) for size in (SENT, SMALL)},
        }
        keeps = {way.name: way.keeps for way in [*ways, *theirs]}
        return Engines(source.stat().st_size, runs, _units(ours, env), left_out, keeps)


class _Runs:
    def __init__(self, env: Mapping[str, str], scratch: Path, rounds: int, left_out: dict[str, str]) -> None:
        self._env, self._scratch, self._rounds, self._left_out = env, scratch, rounds, left_out
        self._number = 0

    def in_turns(self, ways: Sequence[Way], chunk_bytes: int) -> dict[str, tuple[Usage, ...]]:
        """A round of each, then the next; one that fails is left out."""
        runs: dict[str, list[Usage]] = {way.name: [] for way in ways}
        for number in range(1, self._rounds + 1):
            for way in ways:
                if way.name in self._left_out:
                    continue
                say(f"engines, chunks of {chunk_bytes:,} bytes, round {number} of {self._rounds}: {way.name}")
                try:
                    runs[way.name].append(self._one(way, chunk_bytes))
                except CommandFailedError as exc:
                    self._left_out[way.name] = str(exc).splitlines()[-1]
        return {name: tuple(usages) for name, usages in runs.items() if name not in self._left_out}

    def _one(self, way: Way, chunk_bytes: int) -> Usage:
        self._number += 1
        before = way.cluster.cpu_seconds if way.cluster else 0.0
        words = [word.replace("CHUNK_BYTES", str(chunk_bytes)) for word in way.command(f"s3://bench/{self._number}/")]
        used = run(words, env=self._env, log=self._scratch / "log")
        theirs = way.cluster.cpu_seconds - before if way.cluster else 0.0
        return Usage(used.seconds, used.cpu_seconds + theirs, used.peak_bytes)


def _ours(ours: Cluster) -> list[Way]:
    def command(place: str) -> list[str]:
        words = [peers.splitjoin(), "split", SOURCE, place, "--client", "bench", "--date", "20240131", "-q"]
        return [*words, "--chunk-size", "CHUNK_BYTES"]

    def on_dask(place: str) -> list[str]:
        return [*command(place), "--engine", f"dask:{ours.scheduler_file}"]

    return [Way(THREADS, RIGHT, command), Way("splitjoin, dask", RIGHT, on_dask, ours)]


def _dask_bytes(stack: ExitStack, scratch: Path, env: Mapping[str, str]) -> Way:
    from benchmarks.engines.cluster import cluster  # noqa: PLC0415 -- as above

    programs = peers.CACHE / "engines" / "bin"
    theirs = stack.enter_context(cluster(programs, scratch / "theirs", env))
    words = [str(programs / "python"), str(HERE / "peer_dask_bytes.py"), str(theirs.scheduler_file), SOURCE]
    return Way("dask.bytes.read_bytes", CUT, lambda place: [*words, place, "CHUNK_BYTES"], theirs)


def _lithops(stack: ExitStack, scratch: Path, env: Mapping[str, str]) -> Way:  # noqa: ARG001 -- as the others
    python = peers.CACHE / "lithops" / "bin" / "python"
    if not python.exists():
        raise LookupError(f"{python} is not installed")
    words = ["env", f"HOME={scratch}", str(python), str(HERE / "peer_lithops.py"), SOURCE]
    return Way("Lithops' partitioner", CUT, lambda place: [*words, place, "CHUNK_BYTES"])


def _units(ours: Cluster, env: Mapping[str, str]) -> tuple[float, float]:
    """Of one: seconds by the clock, and of CPU here, in the scheduler and in the workers."""
    words = [sys.executable, "-m", "benchmarks.engines.units", str(ours.scheduler_file)]
    took: list[tuple[float, float]] = []
    for count in (1, UNITS):  # what the first one takes is the start
        say(f"engines: {count} units that have nothing to do")
        before = ours.cpu_seconds
        log = ours.scheduler_file.with_name("units.log")
        used = run([*words, str(count)], env=env, log=log)
        took.append((float(log.read_text().split()[-1]), used.cpu_seconds + ours.cpu_seconds - before))
    (first, first_cpu), (all_of_them, all_cpu) = took
    return (all_of_them - first) / (UNITS - 1), (all_cpu - first_cpu) / (UNITS - 1)
