"""Foretells time, cost and bounds of the pattern: ``python -m benchmarks.scale``; ``--check`` beside a real run here.

``--coordinator`` runs the real coordinator of ``split --engine`` on a simulated cluster and store, and measures it.

A discrete-event simulation of this product's own plan, requests and shards, fed with rates that were measured here and
limits that AWS states (benchmarks/scale/limits.py). Nothing of it was run against AWS.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks.scale.check import check
from benchmarks.scale.coordinator import report as coordinator
from benchmarks.scale.pattern import MOST_TOKENS, Setting, advise, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scale.pattern import Outcome

TB, MIB = 10**12, 1024**2
SIZES = (1, 10, 100, 1000)
DATABASES = {"one server": 500_000, "a cluster": 20_000_000, "no bound": 1e10}
"""Rows a second that it takes in all."""
COLUMNS = (
    "TB", "set", "chunks", "machines", "at once", "Timeout, s", "planned", "stored", "loaded", "a load, s",
    "split bound by", "load bound by", "$",
)  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with real runs on servers of this machine")
    parser.add_argument("--tb", type=float, action="append", help="sizes, in TB (1, 10, 100, 1000)")
    parser.add_argument("--hours", type=float, default=4.0, help="that scanning and storing may take each (4)")
    parser.add_argument("--coordinator", action="store_true", help="measure the coordinator on a simulated cluster")
    parser.add_argument("--most", type=int, default=10**7, help="chunks of its largest split (10000000)")
    options = parser.parse_args(words)
    if options.coordinator:
        print(coordinator.table([case for case in coordinator.SPLITS if case.chunks <= options.most]))
        return 0
    if options.check:
        print("| run | foretold, s | took, s | took / foretold |\n|---|---:|---:|---:|")
        for one in check():
            print(f"| {one.what} | {one.foretold:.2f} | {one.took:.2f} | {one.ratio:.2f} |")
        return 0
    print(table(options.tb or SIZES, options.hours))
    return 0


def table(sizes: Sequence[float], hours: float, tokens: int = MOST_TOKENS) -> str:
    """All sizes: as installed, and as advised for each database."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|---:|",
    ]
    for size in sizes:
        settings = {"as installed": Setting(int(size * TB), copies=True)}
        for name, rows in DATABASES.items():
            settings[f"for {name}"] = advise(int(size * TB), hours, rows_per_second=rows)
        lines += [_line(size, name, setting, simulate(setting, tokens=tokens)) for name, setting in settings.items()]
    return "\n".join(lines)


def _line(size: float, name: str, setting: Setting, found: Outcome) -> str:
    slow = " (too long)" if found.load_seconds > setting.timeout_seconds else ""
    cells = [
        f"{size:g}", name, f"{setting.chunks:,} of {setting.chunk_bytes // MIB:,} MiB", str(setting.machines),
        f"{setting.concurrency:,}", f"{setting.timeout_seconds:,}", _hours(found.planned), _hours(found.stored),
        _hours(found.loaded), f"{found.load_seconds:.0f}{slow}", found.split_bound_by, found.load_bound_by,
        f"{sum(found.dollars.values()):,.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 100 else f"{hours / 24:,.0f} days"


if __name__ == "__main__":
    sys.exit(main())
