"""A million chunks of one record: what a split of them takes of memory, and that they are all there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from benchmarks.measure import Usage, run_apart
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.stores.sinks.open_file import OpenFile

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNKS = 1_000_000
MIB = 1024 * 1024
MOST_BYTES = 120 * MIB
MOST_BYTES_OF_A_RESUME = 160 * MIB
"""Where chunks are gone they are looked up by name, beside the listing."""
MEMORY = Path("/dev/shm")  # noqa: S108 -- the kernel's own; a directory of ours is made in it
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory in memory, with the export in it."""
    with TemporaryDirectory(dir=MEMORY) as made:
        with Path(made, "acme.csv").open("w") as file:
            file.write("id,name\n")
            file.writelines(f"{number},customer {number}\n" for number in range(CHUNKS))
        yield Path(made)


def split(place: Path, *options: str) -> Usage:
    """The installed command, with ten jobs."""
    words = ["splitjoin", "split", "acme.csv", "out", "--rows", "1", "--jobs", "10", "--date", "d", "-q", *options]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return run_apart(["sh", "-c", f"cd {place} && exec {' '.join(words)}"], env={"PATH": path}, log=place / "log")


@pytest.mark.soak
def test_a_million_chunks_in_a_directory_take_little_memory(place: Path) -> None:
    """Split, split again as they are and when some are gone, and as one JSON document."""
    peaks = {"split": split(place).peak_bytes, "again": split(place).peak_bytes}
    for number in (1, 2, 500_000, CHUNKS):
        (place / "out" / f"acme_d-{number:07}-{CHUNKS}.csv").unlink()
    assert split(place, "--json").peak_bytes <= MOST_BYTES_OF_A_RESUME
    assert {what: peak for what, peak in peaks.items() if peak > MOST_BYTES} == {}
    path = place / "out" / "acme_d.manifest.json"
    with OpenFile(path.open("rb", buffering=0), str(path), "") as opened:
        manifest = Manifest.read(opened)
    assert (manifest.total_parts, manifest.rows) == (CHUNKS, CHUNKS)
    listed = [entry.name for entry in (place / "out").iterdir()]
    assert len(listed) == CHUNKS + 1


@pytest.mark.soak
def test_a_million_chunks_to_a_store_take_little_memory(place: Path) -> None:
    """The coordinator alone: the store keeps their sizes."""
    command = [sys.executable, "-m", "tests.soak.discarding", str(place / "acme.csv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    uploaded, peak_mib = map(int, done.stdout.split())
    assert uploaded == CHUNKS
    assert peak_mib * MIB <= MOST_BYTES
