"""The benchmark suite runs from end to end, small: what it measures is not judged here, that it measures is."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import data
from benchmarks.__main__ import discard_server, parse_size
from benchmarks.chunks import STEPS, measure
from benchmarks.copies import OURS, PEER, Copies, requests_of
from benchmarks.many import EACH, ONE, Nights, both
from benchmarks.measure import CommandFailedError, Usage, middle, run
from benchmarks.reading import PLAIN, Reading, widen
from benchmarks.report import Row, Table
from benchmarks.starting import BARE, Starts
from benchmarks.surroundings import clean_env
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.s3 import S3Sink
from tests.servers.proxy import Proxy, Request

ROOT = Path(__file__).parents[2]
MIB = 1024**2


def test_data_is_whole_records_of_seven_fields(tmp_path: Path) -> None:
    """The file ends with a whole row, just below the size asked for, with newlines and quotes inside of fields."""
    path = tmp_path / "export.csv"
    written = data.write(path, 2 * MIB)
    assert 2 * MIB - 200 < written == path.stat().st_size <= 2 * MIB
    with path.open(newline="", encoding="utf-8") as file:
        records = list(csv.reader(file))
    assert {len(record) for record in records} == {7}
    notes = {record[5] for record in records}
    assert {"called on Monday,\nno answer\ntry again", 'said "later", twice'} < notes


def test_usage_counts_the_children_of_a_command(tmp_path: Path) -> None:
    """CPU time spent by what a shell starts is the shell's."""
    burn = f"{sys.executable} -c 'sum(range(5_000_000))'"
    usage = run(["sh", "-ec", f"{burn}; true"], env={}, log=tmp_path / "log")
    assert 0.02 < usage.cpu_seconds <= 2 * usage.seconds
    assert usage.peak_bytes > MIB


def test_failed_command_is_no_measurement(tmp_path: Path) -> None:
    """A tool that fails has no figures, and its words are kept."""
    with pytest.raises(CommandFailedError) as caught:
        run(["sh", "-c", "echo no room >&2; exit 3"], env={}, log=tmp_path / "log")
    assert str(caught.value) == "sh -c echo no room >&2; exit 3 ended with 3:\nno room\n"


def test_ratios_are_against_the_first_row() -> None:
    """Speed as a multiple of ours, CPU as a multiple of ours, medians over the rounds."""
    ours = Row("splitjoin", "all", "1", (Usage(1.0, 2.0, MIB), Usage(9.0, 9.0, MIB), Usage(2.0, 1.0, MIB)))
    other = Row("other", "some", "2", (Usage(4.0, 1.0, 2 * MIB),))
    assert middle(ours.runs) == Usage(2.0, 2.0, MIB)
    assert Table("t", 1024**3, (ours, other), ("third: not there",)).markdown().splitlines()[4:] == [
        "| splitjoin | 0.54 | 1.00 | 2.00 | 1.00 | 1 | all |",
        "| other | 0.27 | 0.50 | 1.00 | 0.50 | 2 | some |",
        "",
        "Left out: third: not there",
    ]


@pytest.mark.parametrize(("text", "size"), [("1GiB", 1024**3), ("1.5MiB", 1536 * 1024), ("12", 12), ("7B", 7)])
def test_sizes_are_parsed(text: str, size: int) -> None:
    """Sizes as the command itself takes them."""
    assert parse_size(text) == size


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_server_that_discards_serves_our_sink(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps names, sizes, checksums and small objects, refuses a taken name, and drops the bytes of large ones."""
    with discard_server(scheme, tmp_path) as env:
        for name, value in env.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        sink = S3Sink("s3://bench/in/")
        claims = [sink.put_small("a.plan.json", b"{}", when=ABSENT) for _ in range(2)]
        writer = sink.writer("a-1-1.csv", metadata="{}")
        writer.write(bytes(2 * MIB))
        writer.commit(checksum=None)
        stored = sink.head("a-1-1.csv")
        found = [(one.name, one.size) for one in sink.list("a")]
        assert sink.get_small("a.plan.json") == b"{}"
        sink.close()
    assert claims == [True, False]
    assert found == [("a-1-1.csv", 2 * MIB), ("a.plan.json", 2)]
    assert stored is not None
    assert (stored.size, stored.metadata, stored.checksum) == (2 * MIB, "{}", crc64(bytes(2 * MIB)))


@pytest.mark.parametrize(
    "names",
    [
        {"http": ["splitjoin"]},
        pytest.param({"disk": ["splitjoin", "cp", "csv module"], "http": ["splitjoin"]}, marks=pytest.mark.soak),
    ],
    ids=["http", "disk and http"],
)
def test_suite_compares_our_command_with_others(names: dict[str, list[str]], tmp_path: Path) -> None:
    """The installed command and two peers, to a directory and to the server that discards: tables and every run."""
    report = tmp_path / "report.json"
    words = [
        "--no-install",
        "--size",
        "2MiB",
        "--chunk-size",
        "512KiB",
        "--rounds",
        "1",
        *(word for group in names for word in ("--only", group)),
    ]
    words += ["--peers", "cp,csv module", "--disk", str(tmp_path), "--tmpfs", str(tmp_path), "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    tables: list[dict[str, Any]] = json.loads(report.read_text())["tables"]
    assert [[row["name"] for row in table["rows"]] for table in tables] == list(names.values())
    assert all(row["runs"][0]["seconds"] > 0 for table in tables for row in table["rows"])
    assert done.stdout.startswith("## Benchmark\n")
    assert list(tmp_path.iterdir()) == [report]


def test_requests_of_a_split_are_counted_by_what_they_are_for() -> None:
    """Those of the source, of chunks and of the rest, each per chunk; seconds beside s5cmd's."""
    asked = [
        ("GET", "export.csv"),
        ("GET", "export.csv"),
        ("PUT", "in/a-1-1.csv"),
        ("PUT", "in/a.plan.json"),
        ("GET", ""),
    ]
    proxy = Proxy(
        "", requests=[Request(method, "bench", key, {}, copies=False, sent=0, answered=0) for method, key in asked]
    )
    counted = requests_of(proxy)
    assert counted == {
        "GET of the source": 2,
        "PUT of chunks": 1,
        "PUT of the plan and manifest": 1,
        "listings": 1,
    }
    runs = {OURS: (Usage(3.0, 1.0, MIB),), PEER: (Usage(2.0, 0.5, MIB),)}
    lines = Copies(2, counted, runs).markdown().splitlines()
    assert lines[2].startswith("- requests per chunk: 1.00 GET of the source, 0.50 PUT of chunks, ")
    assert lines[3:] == [
        "- 1.50 of them for source and chunks; the goal is 2 at most",
        "",
        "| tool | s | x s5cmd | CPU s |",
        "|---|---:|---:|---:|",
        "| splitjoin split | 3.0 | 1.50 | 1.00 |",
        "| s5cmd cp | 2.0 | 1.00 | 0.50 |",
    ]


def test_starts_are_measured_against_pythons_own() -> None:
    """Each ratio is of medians; the first row is what the others are compared with."""
    starts = Starts({BARE: (Usage(0.01, 0.01, MIB),), "import splitjoin_cli": (Usage(0.015, 0.012, MIB),)})
    assert starts.ratio("import splitjoin_cli") == pytest.approx(1.5)
    assert starts.markdown().splitlines()[4:] == [
        "| `python -c pass` | 10 | 1.00 | 10 |",
        "| `import splitjoin_cli` | 15 | 1.50 | 12 |",
    ]
    assert starts.document()["title"] == "Starting"


def test_many_files_are_measured_against_a_command_for_each(tmp_path: Path) -> None:
    """The same files, by both ways; where there is no S3 server, that is said."""
    nights = Nights(2, {"disk": {ONE: (Usage(1.0, 2.0, MIB),), EACH: (Usage(4.0, 8.0, MIB),)}}, {"S3": "no weed"})
    assert nights.ratio("disk") == 0.25
    assert nights.markdown().splitlines()[4:] == [
        "| disk | one command | 1.0 | 0.25 | 2.0 | 1 |",
        "| disk | a command for each | 4.0 | 1.00 | 8.0 | 1 |",
        "",
        "Left out: S3: no weed",
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a_20240131.csv").write_text("id\n1\n")
    runs = both("disk", tmp_path / "in", f"{tmp_path}/out-", 1, clean_env())
    assert {way: len(usages) for way, usages in runs.items()} == {ONE: 1, EACH: 1}


def test_what_a_dialect_costs_is_measured_against_the_file_as_it_is(tmp_path: Path) -> None:
    """By the bytes that each way reads: delimiters of two bytes make a larger file."""
    runs: dict[str, tuple[Usage, ...]] = {PLAIN: (Usage(1.0, 2.0, MIB),), "wide": (Usage(4.0, 4.0, MIB),)}
    reading = Reading({PLAIN: 10**9, "wide": 2 * 10**9}, runs)
    assert reading.speed("wide") == 0.5
    assert reading.markdown().splitlines()[4:] == [
        "| as it is | 1.00 | 1.00 | 2.15 | 1.00 |",
        "| wide | 0.50 | 0.50 | 2.15 | 1.00 |",
    ]
    widen(Path(__file__), tmp_path / "wide")
    assert (tmp_path / "wide").read_bytes() == Path(__file__).read_bytes().replace(b",", b"||")


def test_many_chunks_are_measured_beside_coreutils(tmp_path: Path) -> None:
    """Each step of a round finds what the step before it left; every run is in the document."""
    measured = measure(20, 1, tmp_path)
    assert list(tmp_path.iterdir()) == []
    lines = measured.markdown().splitlines()
    assert lines[0] == "### 20 chunks of one record, in memory"
    assert [line.split(" | ")[0] for line in lines[4:]] == [f"| {step.name}" for step in STEPS]
    rows: Any = measured.document()["rows"]
    assert [len(row["runs"]) for row in rows] == [1] * 2 * len(STEPS)
    assert measured.versions()[0].startswith("split ")
