"""A million chunks of one record: the memory of every command that meets them stays flat, and they are all there."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.stores.sinks.open_file import OpenFile
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY, FEW = 1_000_000, 20_000
MIB = 1024 * 1024
MOST_PEAK_BYTES = 120 * MIB
FEW_PEAK_BYTES = 45 * MIB
FILE_NAME = "acme_20240131"
TMPFS = Path("/dev/shm")  # noqa: S108 -- the kernel's own; a directory of ours is made in it
ROOT = Path(__file__).parents[2]
JOBS = ("--jobs", "10")
SPLIT = ("split", f"{FILE_NAME}.csv", "chunks", "--rows", "1", "-q", *JOBS)
PEAK = """
import re, sys
from pathlib import Path
from splitjoin_cli.cli.run import run
code = run(sys.argv[1:])
sys.stderr.write("VmHWM " + re.search(r"VmHWM:[ \\t]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""
RETRY = """
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from splitjoin_cli.join.operate.retry import retry_chunks, wanted
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
tracker = MemoryTracker()
tracker.open_job(JobSpec(Run("acme_20240131", "0" * 32), {total}))
progress = tracker.progress("acme_20240131")
names = (f"acme_20240131-{{number:07}}-{total}.csv" for number in range(2, {total} + 1))
with ThreadPoolExecutor(1) as executor:
    want = wanted(progress, None)
    report = retry_chunks(progress, want, names, "s3://bucket/in/", None, executor=executor, dry_run=True)
assert len(report.sent) == {total} - 1
assert list(report.never_uploaded) == [1]
print(re.search(r"VmHWM:[ \\t]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
"""


@contextlib.contextmanager
def exported(records: int) -> Iterator[Path]:
    """A directory with an export, in memory where there is room: on disk a million files take longer than all else."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-test-", dir=TMPFS if TMPFS.is_dir() else None) as folder:
        with Path(folder, f"{FILE_NAME}.csv").open("w") as file:
            file.write("id,name\n")
            file.writelines(f"{number},customer {number}\n" for number in range(records))
        yield Path(folder)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """That of a million records."""
    with exported(MANY) as made:
        yield made


def peak_of(place: Path, *words: str) -> int:
    """Run a command there; the bytes of its memory at their most."""
    done = subprocess.run([sys.executable, "-c", PEAK, *words], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = re.search(r"VmHWM (\d+)$", done.stderr)
    assert found is not None
    peak = int(found[1]) * 1024
    print(f"\n{peak / MIB:.0f} MiB: splitjoin {' '.join(words)}")  # noqa: T201 -- what a soak is asked for
    return peak


def manifest_of(place: Path) -> Manifest:
    """The split's."""
    path = place / "chunks" / f"{FILE_NAME}.manifest.json"
    with OpenFile(path.open("rb", buffering=0), str(path), "") as opened:
        return Manifest.read(opened)


def chunk_name(number: int) -> str:
    """One's of the million."""
    return f"chunks/{FILE_NAME}-{number:0{len(str(MANY))}}-{MANY}.csv"


@pytest.mark.soak
def test_a_million_chunks_are_no_memory(place: Path) -> None:
    """Each command in its turn: split, again as they are and where some are gone, the others, and at last rm."""
    peaks = [peak_of(place, *SPLIT), peak_of(place, *SPLIT)]
    for gone in (1, 2, MANY // 2, MANY):
        (place / chunk_name(gone)).unlink()
    peaks.append(peak_of(place, *SPLIT, "--json"))
    manifest = manifest_of(place)
    assert (manifest.total_parts, manifest.rows) == (MANY, MANY)
    assert sum(1 for _ in (place / "chunks").iterdir()) == MANY + 1
    tracked = ("--tracker", "sqlite:tracker.db")
    with contextlib.closing(SqliteTracker(place / "tracker.db")) as tracker:
        tracker.init()
        tracker.open_job(JobSpec(Run(FILE_NAME, manifest.run_id), MANY, MANY, f"{place}/chunks/"))
    peaks += [
        peak_of(place, "verify", "chunks", *JOBS),
        peak_of(place, "verify", "chunks", "--source", f"{FILE_NAME}.csv", *JOBS),
        peak_of(place, "verify", "chunks", "--all", *JOBS),
        peak_of(place, "merge", "chunks", "out.csv", *JOBS),
        peak_of(place, "merge", "chunks", "/dev/null", "--force", *JOBS),
        peak_of(place, "ls", "chunks", *JOBS),
        peak_of(place, "inspect", f"{FILE_NAME}.csv"),
        peak_of(place, "status", FILE_NAME, *tracked, "--dest", "chunks"),
        peak_of(place, "replace", FILE_NAME, "--chunk", "5", chunk_name(5), "--dest", "chunks", *tracked, "--dry-run"),
        peak_of(place, "rm", "chunks", "--name", FILE_NAME, "--force", "--dry-run", *JOBS),
        peak_of(place, "rm", "chunks", "--name", FILE_NAME, "--force", *JOBS),
    ]
    assert (place / "out.csv").read_bytes() == (place / f"{FILE_NAME}.csv").read_bytes()
    assert list((place / "chunks").iterdir()) == []
    assert max(peaks) <= MOST_PEAK_BYTES


@pytest.mark.soak
def test_a_million_chunks_to_a_store_take_little_memory(place: Path) -> None:
    """The coordinator alone: the store keeps their sizes."""
    command = [sys.executable, "-m", "tests.soak.discarding", str(place / f"{FILE_NAME}.csv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    uploaded, peak_mib = map(int, done.stdout.split())
    assert uploaded == MANY
    assert peak_mib * MIB <= MOST_PEAK_BYTES


@pytest.mark.soak
def test_a_retry_of_a_million_chunks_is_no_memory() -> None:
    """What would be sent is kept as ranges."""
    command = [sys.executable, "-c", RETRY.format(total=MANY)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < MOST_PEAK_BYTES


def test_twenty_thousand_chunks_are_next_to_none() -> None:
    """The same in small: a dict of so many chunks would be seen already."""
    with exported(FEW) as place:
        peaks = [
            peak_of(place, *SPLIT),
            peak_of(place, "verify", "chunks"),
            peak_of(place, "merge", "chunks", "out.csv"),
        ]
        assert (place / "out.csv").read_bytes() == (place / f"{FILE_NAME}.csv").read_bytes()
        assert json.loads((place / "chunks" / f"{FILE_NAME}.manifest.json").read_bytes())["total_parts"] == FEW
    assert max(peaks) < FEW_PEAK_BYTES
