"""Turns measured runs into Markdown tables, with ratios against ours, and says on what they were measured."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.measure import Usage, middle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GIB = 1024**3
MIB = 1024**2


class Printable(Protocol):
    """A table of any group."""

    def markdown(self) -> str:
        """For people."""

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""

    def versions(self) -> list[str]:
        """What was compared, in which versions."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tool's runs at one task."""

    name: str
    keeps: str
    version: str
    runs: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One task; the first row is ours, which the ratios are against."""

    title: str
    size_bytes: int
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()  # why others have no row

    def markdown(self) -> str:
        """Medians; ``x`` columns are the tool's figure divided by ours."""
        lines = [
            f"### {self.title}",
            "",
            "| tool | GB/s | x ours | CPU s/GiB | x ours | peak MiB | what comes out right |",
            "|---|---:|---:|---:|---:|---:|---|",
        ]
        ours = middle(self.rows[0].runs)
        for row in self.rows:
            figures = middle(row.runs)
            cells = [
                row.name,
                f"{self.size_bytes / figures.seconds / 1e9:.2f}",
                f"{ours.seconds / figures.seconds:.2f}",
                f"{figures.cpu_seconds * GIB / self.size_bytes:.2f}",
                f"{figures.cpu_seconds / max(ours.cpu_seconds, 0.001):.2f}",
                f"{figures.peak_bytes / MIB:.0f}",
                row.keeps,
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", *(f"Left out: {reason}" for reason in self.left_out)]).rstrip()

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        return {
            "title": self.title,
            "size_bytes": self.size_bytes,
            "rows": [asdict(row) for row in self.rows],
            "left_out": list(self.left_out),
        }

    def versions(self) -> list[str]:
        """The tools, in which versions."""
        return [f"{row.name}: {row.version}" for row in self.rows]


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores usable",
        "memory": f"{memory_bytes / GIB:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def filesystem(path: Path) -> str:
    """The type of file system that holds ``path``: the longest mount point above it."""
    best, kind = "", "?"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if path.resolve().is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def head(facts: Mapping[str, str], tables: Sequence[Printable]) -> str:
    """What was run, on what, in which versions."""
    versions = dict.fromkeys(version for table in tables for version in table.versions())
    lines = ["## Benchmark", "", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join([*lines, "- versions: " + "; ".join(versions)])
