"""Many small sources: one command for all of them against one command for each, on disk and on an S3 server."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.measure import middle, run
from benchmarks.surroundings import clean_env, made_data, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.measure import Usage

COMMAND = str(Path(sys.executable).with_name("splitjoin"))
SIZE_BYTES = 1_000_000
ONE, EACH = "one command", "a command for each"


@dataclass(frozen=True, slots=True)
class Nights:
    """The runs of both ways at both places."""

    files: int
    runs: dict[str, dict[str, tuple[Usage, ...]]]
    left_out: dict[str, str]

    def ratio(self, place: str) -> float:
        """What one command takes, as a part of what the others take, by the medians."""
        return middle(self.runs[place][ONE]).seconds / middle(self.runs[place][EACH]).seconds

    def markdown(self) -> str:
        """Medians, and the ratio to one command for each."""
        title = f"### {self.files:,} files of {SIZE_BYTES / 1e6:.0f} MB"
        lines = [
            title,
            "",
            "| to | way | s | x a command for each | CPU s | peak MiB |",
            "|---|---|---:|---:|---:|---:|",
        ]
        for place, ways in self.runs.items():
            for way, usages in ways.items():
                figures = middle(usages)
                ratio = self.ratio(place) if way == ONE else 1.0
                cells = [place, way, f"{figures.seconds:.1f}", f"{ratio:.2f}", f"{figures.cpu_seconds:.1f}"]
                lines.append(f"| {' | '.join([*cells, f'{figures.peak_bytes / 1024**2:.0f}'])} |")
        return "\n".join([*lines, *(f"\nLeft out: {place}: {reason}" for place, reason in self.left_out.items())])

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        rows = [
            {"to": place, "name": way, "runs": [asdict(one) for one in usages]}
            for place, ways in self.runs.items()
            for way, usages in ways.items()
        ]
        return {"title": f"{self.files} files", "rows": rows}

    def versions(self) -> list[str]:
        """Nothing is compared but ways to call one command."""
        return []


def measure(files: int, rounds: int, directory: Path) -> Nights:
    """Both ways in turn, so that a slow minute of the machine hits both alike; each round to an empty place."""
    runs: dict[str, dict[str, tuple[Usage, ...]]] = {}
    left_out: dict[str, str] = {}
    with made_data(directory, SIZE_BYTES) as source:
        exports = source.parent / "exports"
        exports.mkdir()
        for number in range(files):
            shutil.copyfile(source, exports / f"acme-{number:05}_20240131.csv")
        runs["disk"] = both("disk", exports, f"{source.parent}/chunks-", rounds, clean_env())
        try:
            with _bucket() as (uri, env):
                runs["S3"] = both("S3", exports, f"{uri}chunks-", rounds, env)
        except LookupError as exc:
            left_out["S3"] = str(exc)
    return Nights(files, runs, left_out)


@contextmanager
def _bucket() -> Iterator[tuple[str, dict[str, str]]]:
    """A bucket on the S3 server of the tests, and the environment that leads there."""
    from benchmarks.servers import s3_server  # noqa: PLC0415 -- what it imports makes this process large

    with s3_server() as server:
        server.client().create_bucket(Bucket="bench")
        yield "s3://bench/", {**clean_env(), **server.env}


def both(title: str, exports: Path, place: str, rounds: int, env: Mapping[str, str]) -> dict[str, tuple[Usage, ...]]:
    """The runs of each way, of the files of ``exports``, to places that begin with ``place``."""
    loop = f'for f in {shlex.quote(str(exports))}/*.csv; do {shlex.quote(COMMAND)} split -q "$f" "$0" || exit; done'
    runs: dict[str, list[Usage]] = {ONE: [], EACH: []}
    with TemporaryDirectory() as scratch:
        for number in range(1, rounds + 1):
            for way in (ONE, EACH):
                say(f"{title}, round {number} of {rounds}: {way}")
                to = f"{place}{number}-{len(way)}/"
                command = [COMMAND, "split", "-q", f"{exports}/", to] if way == ONE else ["sh", "-c", loop, to]
                runs[way].append(run(command, env=env, log=Path(scratch, "log")))
                if title == "disk":
                    shutil.rmtree(to)
    return {way: tuple(usages) for way, usages in runs.items()}
