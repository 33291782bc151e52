"""How long starting takes: the command's help, and importing the package, against Python's own start and click's."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.measure import middle, run
from benchmarks.surroundings import clean_env

if TYPE_CHECKING:
    from benchmarks.measure import Usage

BARE = "python -c pass"
RUNS_PER_ROUND = 7
WAYS: dict[str, list[str]] = {
    BARE: [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "import splitjoin_cli": [sys.executable, "-c", "import splitjoin_cli"],
    "from splitjoin_cli import split": [sys.executable, "-c", "from splitjoin_cli import split"],
    "splitjoin --version": [str(Path(sys.executable).with_name("splitjoin")), "--version"],
    "splitjoin --help": [str(Path(sys.executable).with_name("splitjoin")), "--help"],
    "splitjoin split --help": [str(Path(sys.executable).with_name("splitjoin")), "split", "--help"],
}


@dataclass(frozen=True, slots=True)
class Starts:
    """The runs of each way to start."""

    runs: dict[str, tuple[Usage, ...]]

    def ratio(self, name: str) -> float:
        """How many times as long as Python's own start, by the medians."""
        return middle(self.runs[name]).seconds / middle(self.runs[BARE]).seconds

    def markdown(self) -> str:
        """Medians, and the ratio to Python's own start."""
        lines = ["### Starting", "", "| what | ms | x python -c pass | CPU ms |", "|---|---:|---:|---:|"]
        for name, usages in self.runs.items():
            figures = middle(usages)
            cells = [f"`{name}`", f"{figures.seconds * 1e3:.0f}", f"{self.ratio(name):.2f}"]
            lines.append(f"| {' | '.join([*cells, f'{figures.cpu_seconds * 1e3:.0f}'])} |")
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        rows = [{"name": name, "runs": [asdict(one) for one in usages]} for name, usages in self.runs.items()]
        return {"title": "Starting", "rows": rows}

    def versions(self) -> list[str]:
        """Python's alone."""
        return [f"Python {sys.version.split()[0]}"]


def measure(rounds: int) -> Starts:
    """Run each in turn, so that a slow minute of the machine hits all alike."""
    runs: dict[str, list[Usage]] = {name: [] for name in WAYS}
    with TemporaryDirectory() as scratch:
        for _ in range(rounds * RUNS_PER_ROUND):
            for name, command in WAYS.items():
                runs[name].append(run(command, env=clean_env(), log=Path(scratch, "log")))
    return Starts({name: tuple(usages) for name, usages in runs.items()})
