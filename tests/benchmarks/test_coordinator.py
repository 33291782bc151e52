"""The real coordinator on a simulated cluster: the same each time, and with the answers that workers would give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scale.coordinator.cluster import Shape
from benchmarks.scale.coordinator.export import Export
from benchmarks.scale.coordinator.report import SPLITS, Case, ran, table
from benchmarks.scale.coordinator.run import JOB, MIB, Found, split
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import ChunkSize, SplitRequest
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.sinks.memory import MemorySink
from splitjoin_cli.stores.sources.memory import MemorySource

CHUNK, TILE = 16 * MIB, 256 * 1024
TROUBLED = Shape(workers=20, fail=20, lost=10, silence=5, seed=3)


def found(chunks: int, shape: Shape) -> Found:
    """A split of small chunks, of an export that is quickly made."""
    return split(chunks, shape, chunk_bytes=CHUNK, tile_bytes=TILE)


def virtual(one: Found) -> dict[str, Any]:
    """What is no real CPU time."""
    return {name: value for name, value in one.to_json().items() if not name.endswith("_cpu")}


def test_the_same_lots_give_the_same_run_and_all_trouble_is_overcome() -> None:
    """Units that fail, are lost with their worker or are met with silence are sent again, and each chunk is stored."""
    first, again = found(300, TROUBLED), found(300, TROUBLED)
    assert virtual(first) == virtual(again)
    assert first.result.plan == again.result.plan
    assert first.result.progress.count(ChunkState.UPLOADED) == first.result.total_parts >= 300
    quiet = found(300, Shape(workers=20))
    assert quiet.result.plan == first.result.plan
    assert first.tries > quiet.tries
    assert quiet.tries < 2 * quiet.result.total_parts  # neighbours are stored by one unit
    assert quiet.planned < first.planned


def test_the_last_ones_do_not_wait_for_their_deadlines() -> None:
    """Some of them were lost without a word: their backups are answered within seconds, not after two minutes."""
    one = found(300, Shape(workers=20, silence=10, seed=1))
    assert one.planned + one.stored < 30
    assert one.tries - found(300, Shape(workers=20)).tries < 20


def test_simulated_workers_answer_as_real_ones() -> None:
    """The plan is that of a split of the same bytes here, records and checksums included."""
    export = Export(3 * CHUNK, tile_bytes=TILE)
    data = bytearray(export.size)
    assert export.read_at(0, memoryview(data)) == export.size
    request = SplitRequest(source="-", destination=DirectoryPlace("out"), size=ChunkSize(CHUNK), dry_run=True)
    here = SplitRun(request, JOB, MemorySource(bytes(data)), MemorySink(), Silent()).run().plan
    there = found(3, Shape(workers=2)).result.plan
    assert there.chunks == here.chunks
    assert (there.source.fingerprint, there.header_checksum) == (here.source.fingerprint, here.header_checksum)


def test_no_worker_waits_for_the_plan() -> None:
    """A hundred of 500 MB/s, where every read takes a tenth of a second: looks are read ahead."""
    one = split(1000, Shape(workers=100), tile_bytes=TILE)
    assert one.planning_busy > 0.75  # the first looks, and the last units, have nothing beside them
    assert one.unforeseen < 10


def test_a_chunk_takes_forty_bytes() -> None:
    """Columns, of which none says what another one does."""
    one = found(300, Shape(workers=20)).result
    chunks, progress = one.plan.chunks, one.progress
    columns = (chunks.starts, chunks.rows, chunks.checksums, progress.states, progress.stored_bytes, progress.checksums)
    assert sum(len(column) * getattr(column, "itemsize", 1) for column in columns) <= 40 * len(chunks)
    assert sum(map(sys.getsizeof, columns)) <= 40 * len(chunks) + 6 * 200
    assert (progress.others, progress.errors) == ({}, {})


def test_the_table_has_a_line_for_each_split() -> None:
    """Seconds of CPU as milliseconds a chunk, tries above two as sent again."""
    said = {
        "chunks": 1000, "size": 1000 * 125 * 10**6, "planned": 7200, "planning_busy": 0.5, "tries": 2003,
        "scan_cpu": 0.25, "store_cpu": 0.5,
    }  # fmt: skip
    lines = table([Case("1 TB", 1000, 2)], lambda _: {**said, "peak_bytes": 2**26})
    assert lines.splitlines()[2] == "| 1 TB | 1,000 of 128 MiB | 2 | 2.00 h | 2 s | 0.50 | 3 | 0.25 | 0.50 | 64 |"
    page = Path(__file__).parents[2] / "docs" / "scale.md"
    assert lines.splitlines()[0] in page.read_text().splitlines()


@pytest.mark.soak
@pytest.mark.parametrize("case", SPLITS, ids=lambda case: f"{case.name}, trouble {case.trouble:g}")
def test_large_splits_stay_within_their_bounds(case: Case) -> None:
    """150 MiB and 40 bytes a chunk, 2 ms of CPU a chunk, and workers that do not wait."""
    said = ran(case)
    assert said["peak_bytes"] <= 150 * MIB + 40 * said["chunks"]
    assert (said["scan_cpu"] + said["store_cpu"]) / said["chunks"] <= 0.002
    assert said["planning_busy"] > (0.95 if case.chunks > 100_000 else 0.75)
    assert said["warnings"] == []
