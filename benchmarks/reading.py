"""What a dialect costs: splits of one file, each read by other rules, against the split of it as it is."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.measure import middle, run
from benchmarks.surroundings import clean_env, made_data, say

if TYPE_CHECKING:
    from benchmarks.measure import Usage

COMMAND = str(Path(sys.executable).with_name("splitjoin"))
PLAIN = "as it is"
STEP_BYTES = 1024 * 1024
WIDE = {"a delimiter of two bytes": ("--delimiter", "||")}
"""Of a copy that has it."""
WAYS = {
    PLAIN: (),
    "`-q`": ("-q",),
    "`--line-end lf`": ("--line-end", "lf"),
    "`--escapechar '\\'`": ("--escapechar", "\\"),
    "`--escape-in quotes`": ("--escapechar", "\\", "--escape-in", "quotes"),
    "`--on-stray-quote mysql`": ("--on-stray-quote", "mysql"),
    "`--skip-initial-space`": ("--skip-initial-space",),
    "`--skip-blank-lines`": ("--skip-blank-lines",),
    "`--skip-repeated-headers`": ("--skip-repeated-headers",),
} | WIDE


@dataclass(frozen=True, slots=True)
class Reading:
    """The runs of each way; ``sizes``: the bytes that each reads."""

    sizes: dict[str, int]
    runs: dict[str, tuple[Usage, ...]]

    def speed(self, way: str) -> float:
        """Bytes a second, as a part of those of the plain way, by the medians."""
        return self._rate(way) / self._rate(PLAIN)

    def _rate(self, way: str) -> float:
        return self.sizes[way] / middle(self.runs[way]).seconds

    def markdown(self) -> str:
        """Medians, and the ratio to the plain way."""
        head = "| read | GB/s | x as it is | CPU s/GiB | x as it is |"
        lines = ["### Dialects", "", head, "|---|---:|---:|---:|---:|"]
        for way in self.runs:
            costs = {name: middle(self.runs[name]).cpu_seconds / self.sizes[name] for name in (way, PLAIN)}
            cells = [way, f"{self._rate(way) / 1e9:.2f}", f"{self.speed(way):.2f}", f"{costs[way] * 2**30:.2f}"]
            lines.append(f"| {' | '.join([*cells, f'{costs[way] / costs[PLAIN]:.2f}'])} |")
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        rows = [{"name": way, "runs": [asdict(one) for one in usages]} for way, usages in self.runs.items()]
        return {"title": "Dialects", "rows": rows}

    def versions(self) -> list[str]:
        """Nothing is compared but ways to read one file."""
        return []


def measure(size: int, chunk_bytes: int, rounds: int, directory: Path) -> Reading:
    """All ways in turn, so that a slow minute of the machine hits all alike; chunks beside the file."""
    runs: dict[str, list[Usage]] = {way: [] for way in WAYS}
    with made_data(directory, size) as source, TemporaryDirectory() as scratch:
        wide = source.with_name("wide.csv")
        widen(source, wide)
        sources = {way: wide if way in WIDE else source for way in WAYS}
        for number in range(1, rounds + 1):
            for way, words in WAYS.items():
                say(f"dialects, round {number} of {rounds}: {way}")
                to = source.with_name("chunks")
                command = [COMMAND, "split", *words, "--chunk-size", str(chunk_bytes), str(sources[way]), f"{to}/"]
                runs[way].append(run(command, env=clean_env(), log=Path(scratch, "log")))
                shutil.rmtree(to)
        sizes = {way: path.stat().st_size for way, path in sources.items()}
    return Reading(sizes, {way: tuple(usages) for way, usages in runs.items()})


def widen(source: Path, wide: Path) -> None:
    """Copy a file, each comma as two bars."""
    with source.open("rb") as plain, wide.open("wb") as copy:
        while block := plain.read(STEP_BYTES):
            copy.write(block.replace(b",", b"||"))
