"""Many chunks of one record in a directory: each of our commands beside the plainest tool that does as much there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.measure import middle, run
from benchmarks.peers import splitjoin
from benchmarks.surroundings import clean_env, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.measure import Usage

_WRITE = "import sys; print('id,name,amount'); [print(f'{n},customer {n},{n * 7 % 1000}.25') for n in range({count})]"


class Place(NamedTuple):
    """What a round works in: ``source`` has the records, ``ours`` our chunks, ``theirs`` those of GNU split."""

    source: Path
    ours: Path
    theirs: Path


class Step(NamedTuple):
    """One command of ours on what the steps before it left, and what it is compared with."""

    name: str
    beside: str
    ours: Callable[[Place], Sequence[str]]
    theirs: Callable[[Place], Sequence[str]] | None = None  # None: it is beside our own first step


def _split(place: Place) -> list[str]:
    words = [splitjoin(), "split", str(place.source), str(place.ours), "--rows", "1", "-q"]
    return [*words, "--client", "bench", "--date", "20240131"]


def _gnu_split(place: Place) -> list[str]:
    split = f"split -l 1 -a 7 -d {shlex.quote(str(place.source))} {shlex.quote(str(place.theirs))}/"
    return ["sh", "-c", f"mkdir {shlex.quote(str(place.theirs))} && {split}"]


def _find(place: Path, *command: str) -> list[str]:
    """A command of the files in a place, as many at a time as fit."""
    return ["sh", "-c", f"find {shlex.quote(str(place))} -type f -print0 | xargs -0 {shlex.join(command)}"]


def _merge(place: Place) -> list[str]:
    return [splitjoin(), "merge", str(place.ours), str(place.source.with_name("merged.csv")), "--force", "-q"]


STEPS = (
    Step("split --rows 1", "split -l 1", _split, _gnu_split),
    Step("the same split again", "split --rows 1", _split),
    Step(
        "verify",
        "xargs cksum",
        lambda place: [splitjoin(), "verify", str(place.ours), "-q"],
        lambda place: _find(place.ours, "cksum"),
    ),
    Step("merge", "xargs cat", _merge, lambda place: _find(place.ours, "cat")),
)


@dataclass(frozen=True, slots=True)
class ManyChunks:
    """The runs of each step, ours and what it is beside."""

    chunks: int
    runs: dict[str, tuple[list[Usage], list[Usage]]]

    def ratio(self, step: Step) -> float:
        """Wall time, ours as a multiple of what it is beside."""
        ours, theirs = self.runs[step.name]
        return middle(ours).seconds / middle(theirs).seconds

    def markdown(self) -> str:
        """Medians."""
        lines = [
            f"### {self.chunks:,} chunks of one record, in memory",
            "",
            "| command | s | CPU s | us a chunk | peak MiB | beside | x s | x CPU s |",
            "|---|---:|---:|---:|---:|---|---:|---:|",
        ]
        for step in STEPS:
            ours, theirs = (middle(runs) for runs in self.runs[step.name])
            cells = [step.name, f"{ours.seconds:.2f}", f"{ours.cpu_seconds:.2f}"]
            cells += [f"{ours.seconds * 1e6 / self.chunks:.1f}", f"{ours.peak_bytes / 1024**2:.0f}", step.beside]
            cells += [f"{self.ratio(step):.2f}", f"{ours.cpu_seconds / max(theirs.cpu_seconds, 0.001):.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        rows = [
            {"name": name, "runs": [asdict(one) for one in runs]}
            for step in STEPS
            for name, runs in zip((step.name, f"{step.name}, beside: {step.beside}"), self.runs[step.name], strict=True)
        ]
        return {"title": f"{self.chunks} chunks of one record", "rows": rows}

    def versions(self) -> list[str]:
        """Of the tools beside ours."""
        said = subprocess.run(["split", "--version"], capture_output=True, text=True, check=False).stdout
        return said.splitlines()[:1]


def measure(chunks: int, rounds: int, directory: Path) -> ManyChunks:
    """All steps in turn, each beside its peer, ``rounds`` times, each round from nothing."""
    runs: dict[str, tuple[list[Usage], list[Usage]]] = {step.name: ([], []) for step in STEPS}
    with TemporaryDirectory(prefix="splitjoin-bench-", dir=directory) as own:
        place = Place(Path(own, "export.csv"), Path(own, "ours"), Path(own, "theirs"))
        with place.source.open("wb") as file:
            subprocess.run([sys.executable, "-c", _WRITE.replace("{count}", str(chunks))], stdout=file, check=True)
        for number in range(1, rounds + 1):
            first: Usage | None = None
            for step in STEPS:
                say(f"{chunks:,} chunks, round {number} of {rounds}: {step.name}")
                ours, theirs = runs[step.name]
                ours.append(run(step.ours(place), env=clean_env(), log=Path(own, "log")))
                first = first or ours[-1]
                theirs.append(
                    first if step.theirs is None else run(step.theirs(place), env=clean_env(), log=Path(own, "log"))
                )
            shutil.rmtree(place.ours)
            shutil.rmtree(place.theirs)
    return ManyChunks(chunks, runs)
