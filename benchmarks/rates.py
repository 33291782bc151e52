"""Measures ways to do the same within this process, in turns, and tabulates how many of a thing each does a second."""

from __future__ import annotations

import gc
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.surroundings import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


TICKS = os.sysconf("SC_CLK_TCK")
WHOSE = "client and server"
"""Of whom ``with_servers`` is."""
SMALLEST_SECONDS = 1e-6  # a clock's step: nothing is divided by less


class WrongCountError(Exception):
    """A way did not do what it was measured for; a figure of it would mean nothing."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run took. ``cpu_seconds`` is this process's, of all its threads, unless its table says of whom else."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do it. Only ``act`` is timed; ``count`` then tells how much is there, by another look."""

    name: str
    what: str
    version: str
    prepare: Callable[[], None]
    act: Callable[[], None]
    count: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Rates:
    """One way's runs."""

    name: str
    what: str
    version: str
    runs: tuple[Spent, ...]

    @property
    def middle(self) -> Spent:
        """The median of each figure by itself."""
        return Spent(median(run.seconds for run in self.runs), median(run.cpu_seconds for run in self.runs))


@dataclass(frozen=True, slots=True)
class Group:
    """Ways that did the same ``count`` of things in one place; the first is ours, which the ratios are against."""

    name: str
    count: int
    rows: tuple[Rates, ...]


@dataclass(frozen=True, slots=True)
class RateTable:
    """``place`` and ``thing`` name columns: ``database``, ``row``. ``notes``: what was run, a sentence each.

    ``whose``: CPU time it is.
    """

    title: str
    place: str
    thing: str
    notes: tuple[str, ...]
    groups: tuple[Group, ...]
    left_out: tuple[str, ...] = ()
    whose: str = "client"

    def markdown(self) -> str:
        """Medians; ``x`` columns are the way's figure divided by ours, see ``ratio``."""
        head = (
            f"{self.place} | by | {self.thing}s/s | x ours | {self.whose} CPU µs/{self.thing} | x ours | what it does"
        )
        lines = [
            f"### {self.title}",
            "",
            *(f"- {note}" for note in self.notes),
            "",
            f"| {head} |",
            "|---|---|---:|---:|---:|---:|---|",
        ]
        for group in self.groups:
            ours = group.rows[0].runs
            for row in group.rows:
                spent = row.middle
                rates = ratio([run.seconds for run in row.runs], [run.seconds for run in ours])
                cpu = ratio([run.cpu_seconds for run in ours], [run.cpu_seconds for run in row.runs])
                cells = [
                    group.name,
                    row.name,
                    f"{group.count / spent.seconds:,.0f}",
                    rates,
                    f"{spent.cpu_seconds * 1e6 / group.count:,.2f}",
                    cpu,
                    row.what,
                ]
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", *(f"Left out: {reason}" for reason in self.left_out)]).rstrip()

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        return {
            "title": self.title,
            "notes": list(self.notes),
            "groups": [asdict(group) for group in self.groups],
            "left_out": list(self.left_out),
        }

    def versions(self) -> list[str]:
        """What was compared, in which versions."""
        return [row.version for group in self.groups for row in group.rows]


def ratio(under: Sequence[float], over: Sequence[float]) -> str:
    """The median of each round's own ratio ``over / under``, and between which the rounds lie: ``2.10 (1.85-2.93)``.

    What ran in one round met the same machine: on a busy one these vary less than the figures do.
    """
    rounds = sorted(high / max(low, SMALLEST_SECONDS) for low, high in zip(under, over, strict=True))
    spread = f" ({rounds[0]:.2f}-{rounds[-1]:.2f})" if f"{rounds[0]:.2f}" != f"{rounds[-1]:.2f}" else ""
    return f"{median(rounds):.2f}{spread}"


def with_servers() -> float:
    """The CPU seconds of this process and of all that it started, servers too, as ``process_time`` has its own."""
    found: dict[int, tuple[int, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = stat.read_text().rpartition(")")[2].split()
            found[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    ours, reached = set[int](), {os.getpid()}
    while reached:
        ours |= reached
        reached = {pid for pid, (parent, _) in found.items() if parent in reached}
    return time.process_time() + sum(found[pid][1] for pid in ours - {os.getpid()})


def in_turns(
    name: str,
    count: int,
    rounds: int,
    ways: Sequence[Way],
    cpu_seconds: Callable[[], float] = time.process_time,
) -> Group:
    """Run all ways in turn, ``rounds`` times. Raises WrongCountError where one did not do all ``count`` things."""
    runs: dict[str, list[Spent]] = {way.name: [] for way in ways}
    for number in range(1, rounds + 1):
        for way in ways:
            say(f"{name}, round {number} of {rounds}: {way.name}")
            way.prepare()
            gc.collect()
            os.sync()  # what others left to be written must not be this one's to wait for
            began, cpu_began = time.perf_counter(), cpu_seconds()
            way.act()
            spent = Spent(time.perf_counter() - began, cpu_seconds() - cpu_began)
            done = way.count()
            if done != count:
                raise WrongCountError(f"{name}: {way.name} did {done:,} of {count:,}")
            runs[way.name].append(spent)
    return Group(name, count, tuple(Rates(way.name, way.what, way.version, tuple(runs[way.name])) for way in ways))
