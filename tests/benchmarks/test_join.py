"""The benchmarks of the join run from end to end, small, on real servers; and their tables say what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import servers
from benchmarks.asking import Asked, StatusTable
from benchmarks.measure import Usage
from benchmarks.rates import Group, Rates, RateTable, Spent, Way, WrongCountError, in_turns, with_servers

ROOT = Path(__file__).parents[2]


def way(name: str, said: list[str], done: int) -> Way:
    """A way that tells its steps, and how much it did."""
    return Way(name, "", "1", lambda: said.append(f"prepare {name}"), lambda: said.append(f"act {name}"), lambda: done)


def test_ways_take_turns() -> None:
    """Each round has every way once, each prepared for its own."""
    said: list[str] = []
    group = in_turns("store", 7, 2, (way("a", said, 7), way("b", said, 7)))
    assert said == ["prepare a", "act a", "prepare b", "act b"] * 2
    assert [(row.name, len(row.runs)) for row in group.rows] == [("a", 2), ("b", 2)]


def test_way_that_did_less_is_no_measurement() -> None:
    """What lies there afterwards is counted; a figure for another number of things would mean nothing."""
    with pytest.raises(WrongCountError) as caught:
        in_turns("store", 7, 1, (way("a", [], 7), way("b", [], 6)))
    assert str(caught.value) == "store: b did 6 of 7"


def test_rates_are_against_the_first_row() -> None:
    """Things a second and CPU for each are medians; so are the ratios, of each round's own, with their spread."""
    ours = Rates("splitjoin", "all", "1", (Spent(1.0, 0.5), Spent(9.0, 9.0), Spent(2.0, 1.0)))
    bare = Rates("bare client", "less", "2", (Spent(1.0, 0.25), Spent(3.0, 9.0), Spent(1.0, 0.5)))
    table = RateTable("t", "database", "row", ("on two cores",), (Group("db", 1000, (ours, bare)),), ("third: gone",))
    assert table.markdown().splitlines()[2:] == [
        "- on two cores",
        "",
        "| database | by | rows/s | x ours | client CPU µs/row | x ours | what it does |",
        "|---|---|---:|---:|---:|---:|---|",
        "| db | splitjoin | 500 | 1.00 | 1,000.00 | 1.00 | all |",
        "| db | bare client | 1,000 | 2.00 (1.00-3.00) | 500.00 | 0.50 (0.50-1.00) | less |",
        "",
        "Left out: third: gone",
    ]
    assert table.versions() == ["1", "2"]


def test_status_is_against_the_first_question() -> None:
    """Seconds and CPU of each question, and how many times those of a job of one chunk, round by round."""
    few = Asked("one chunk", (Usage(0.5, 0.4, 2 << 20), Usage(0.5, 0.5, 2 << 20)))
    many = Asked("9 chunks", (Usage(1.0, 0.5, 3 << 20), Usage(2.0, 0.625, 3 << 20)))
    table = StatusTable("t", (), {"SQLite": (few, many)}, "splitjoin 1")
    assert table.markdown().splitlines()[-2:] == [
        "| SQLite | one chunk | 0.50 | 1.00 | 0.45 | 1.00 | 2 |",
        "| SQLite | 9 chunks | 1.50 | 3.00 (2.00-4.00) | 0.56 | 1.25 | 3 |",
    ]


def test_missing_server_is_no_skipped_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would skip a test leaves a row out, and says why."""
    monkeypatch.setattr("tests.servers.dynamodb.DYNALITE", Path("nowhere"))
    with pytest.raises(LookupError) as caught, servers.dynalite_server():
        pass
    assert str(caught.value) == "dynalite is not installed: run `make servers`"


@pytest.mark.server
@pytest.mark.soak
def test_suite_measures_the_join(tmp_path: Path) -> None:
    """Loaders, tracker and status, one round each: nothing is left out, every figure is of work that was done."""
    report = tmp_path / "report.json"
    words = ["--load-size", "256KiB", "--counts", "8", "--status-chunks", "600", "--status-jobs", "12", "--rounds", "1"]
    words += ["--only", "loaders", "--only", "tracker", "--only", "status", "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    status, *rates = json.loads(report.read_text())["tables"]
    assert [table["left_out"] for table in (status, *rates)] == [[], [], []]
    assert {name: [asked["what"] for asked in questions] for name, questions in status["trackers"].items()} == {
        name: ["one chunk", "600 chunks", "600 chunks, --json", "12 jobs", "12 jobs, --json"]
        for name in ("SQLite", "dynalite")
    }
    groups: list[dict[str, Any]] = [group for table in rates for group in table["groups"]]
    assert [group["name"] for group in groups] == [
        *(f"{name}, 8 chunks" for name in ("dynalite", "MiniStack", "SQLite")),
        *("MariaDB", "PostgreSQL", "DuckDB", "SQLite"),
    ]
    assert all(len(group["rows"]) == 2 for group in groups)
    assert all(run["seconds"] > 0 for group in groups for row in group["rows"] for run in row["runs"])
    assert done.stdout.startswith("## Benchmark\n")
    assert "- file: " not in done.stdout


def test_cpu_of_servers_is_counted() -> None:
    """What a process that this one started takes is in it, as soon as the system's clock has told."""
    busy = "import time\nwhile time.process_time() < 0.4: pass\nprint(flush=True)\ninput()"
    before = with_servers()
    with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        own = time.process_time()
        assert with_servers() - before >= 0.2
        assert time.process_time() - own < 0.2
        server.kill()
