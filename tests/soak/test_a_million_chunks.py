"""A million chunks of one record in a directory: the memory of every command that meets them stays flat."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.manifest import Manifest, SourceIdentity
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.trackers.base import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY, FEW = 1_000_000, 20_000
MIB = 1024 * 1024
MOST_PEAK_BYTES = 120 * MIB
FEW_PEAK_BYTES = 45 * MIB
FILE_NAME = "acme_20240131"
HEADER = b"id,note\n"
TMPFS = Path("/dev/shm")  # noqa: S108 -- the kernel's own; a directory of ours is made in it
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
from splitjoin_cli.stores.trackers.base import JobSpec, Run
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


def make(place: Path, total: int) -> None:
    """A whole split of so many chunks, as ``split --rows 1`` makes it, and the export."""
    chunks = place / "chunks"
    chunks.mkdir()
    table, sizes, width = ChunkTable(len(HEADER)), array("q"), len(str(total))
    folder = os.open(chunks, os.O_RDONLY)
    with (place / "export.csv").open("wb") as export:
        export.write(HEADER)
        for number in range(1, total + 1):
            record = b"%d,text\n" % number
            name = f"{FILE_NAME}-{number:0{width}}-{total}.csv"
            file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
            os.write(file, HEADER + record)
            os.close(file)
            export.write(record)
            table.append(table.end + len(record), 1, crc64(HEADER + record))
            sizes.append(len(HEADER) + len(record))
    os.close(folder)
    source = SourceIdentity("export.csv", table.end, "f")
    manifest = Manifest(FILE_NAME, "0" * 32, 1, source, Dialect(line_end="\n"), None, 1, table, sizes)
    with (chunks / f"{FILE_NAME}.manifest.json").open("wb") as document:
        for block in manifest.blocks():
            document.write(block)


@contextlib.contextmanager
def made(total: int) -> Iterator[Path]:
    """In memory where there is room: on disk, to make a million files takes longer than all commands."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-test-", dir=TMPFS if TMPFS.is_dir() else None) as folder:
        make(Path(folder), total)
        yield Path(folder)


def peak_of(place: Path, *words: str) -> int:
    """Run a command there; the bytes of its memory at their most."""
    done = subprocess.run([sys.executable, "-c", PEAK, *words], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = re.search(r"VmHWM (\d+)$", done.stderr)
    assert found is not None
    peak = int(found[1]) * 1024
    print(f"\n{peak / MIB:.0f} MiB: splitjoin {' '.join(words)}")  # noqa: T201 -- what a soak is asked for
    return peak


@pytest.mark.soak
def test_a_million_chunks_are_no_memory() -> None:
    """Each command in its turn, the one that removes them all last."""
    first = f"chunks/{FILE_NAME}-0000005-{MANY}.csv"
    jobs, named, tracked = ("--jobs", "10"), ("--name", FILE_NAME), ("--tracker", "sqlite:tracker.db")
    with made(MANY) as place:
        tracker = SqliteTracker(place / "tracker.db")
        tracker.init()
        tracker.open_job(JobSpec(Run(FILE_NAME, "0" * 32), MANY, MANY, f"{place}/chunks/"))
        tracker.close()
        peaks = [
            peak_of(place, "verify", "chunks", *jobs),
            peak_of(place, "verify", "chunks", "--source", "export.csv", *jobs),
            peak_of(place, "verify", "chunks", "--all", *jobs),
            peak_of(place, "merge", "chunks", "out.csv", *jobs),
            peak_of(place, "merge", "chunks", "/dev/null", "--force", *jobs),
            peak_of(place, "ls", "chunks", *jobs),
            peak_of(place, "inspect", "export.csv"),
            peak_of(place, "status", FILE_NAME, *tracked, "--dest", "chunks"),
            peak_of(place, "replace", FILE_NAME, "--chunk", "5", first, "--dest", "chunks", *tracked, "--dry-run"),
            peak_of(place, "rm", "chunks", *named, "--force", "--dry-run", *jobs),
            peak_of(place, "rm", "chunks", *named, "--force", *jobs),
        ]
        assert (place / "out.csv").read_bytes() == (place / "export.csv").read_bytes()
        assert list((place / "chunks").iterdir()) == []
    assert max(peaks) < MOST_PEAK_BYTES


@pytest.mark.soak
def test_a_retry_of_a_million_chunks_is_no_memory() -> None:
    """What would be sent is kept as ranges."""
    command = [sys.executable, "-c", RETRY.format(total=MANY)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < MOST_PEAK_BYTES


def test_twenty_thousand_chunks_are_next_to_none() -> None:
    """The same in small: a dict of so many chunks would be seen already."""
    with made(FEW) as place:
        peaks = [peak_of(place, "verify", "chunks"), peak_of(place, "merge", "chunks", "out.csv")]
        assert (place / "out.csv").read_bytes() == (place / "export.csv").read_bytes()
        assert json.loads((place / "chunks" / f"{FILE_NAME}.manifest.json").read_bytes())["total_parts"] == FEW
    assert max(peaks) < FEW_PEAK_BYTES
