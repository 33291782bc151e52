"""The table of docs/scale.md: each split in a process of its own, so that its memory is its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.scale.coordinator.cluster import Shape
from benchmarks.scale.coordinator.run import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SPLITS", "Case", "table"]

COLUMNS = (
    "split", "chunks", "trouble", "planned", "at best", "workers busy", "sent again",
    "CPU a chunk, ms: planned", "stored", "memory, MiB",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """``trouble``: of a thousand units."""

    name: str
    chunks: int
    trouble: float


SPLITS = (
    Case("1 TB", 7_451, 0),
    Case("1 TB", 7_451, 2),
    Case("100 TB", 745_059, 0),
    Case("100 TB", 745_059, 2),
    Case("10 million chunks", 9_999_000, 0),
)


def ran(case: Case) -> dict[str, Any]:
    """What one split says, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.scale.coordinator", str(case.chunks), str(case.trouble)]
    found: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return found


def table(cases: Sequence[Case] = SPLITS, run: Callable[[Case], dict[str, Any]] = ran) -> str:
    """A line each."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    return "\n".join(lines + [_line(case, run(case)) for case in cases])


def _line(case: Case, found: dict[str, Any]) -> str:
    shape, chunks = Shape(), found["chunks"]
    each = shape.latency + found["size"] / chunks / shape.throughput
    cells = [
        case.name, f"{chunks:,} of {CHUNK_BYTES >> 20} MiB", f"{case.trouble:g}", _time(found["planned"]),
        _time(chunks * each / shape.workers), f"{found['planning_busy']:.2f}",
        f"{found['tries'] - 2 * chunks:,}", f"{found['scan_cpu'] / chunks * 1000:.2f}",
        f"{found['store_cpu'] / chunks * 1000:.2f}", f"{found['peak_bytes'] / 2**20:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds:.0f} s"
