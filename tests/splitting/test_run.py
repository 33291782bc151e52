"""Whole splits in memory and into directories: the laws of what they leave, for random exports and options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.model import ChunkState, Dialect
from splitjoin_cli.core.names import SUFFIX_OF
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.laws import examples
from tests.splitting.exports import Export, exports
from tests.splitting.runs import JOB, MANIFEST, TwoPass, blocks_of, objects, plain, request, split, stream_of

if TYPE_CHECKING:
    from splitjoin_cli.splitting.request import Size
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.stores.sinks.base import Condition

SIZES: st.SearchStrategy[Size] = st.one_of(
    st.builds(ChunkSize, st.integers(1, 120)),
    st.builds(RowCount, st.integers(1, 6)),
    st.builds(ChunkCount, st.integers(1, 8)),
)
COMPRESSIONS = st.sampled_from([None, None, "gzip", "zstd"])


def check(export: Export, size: Size, stored: dict[str, bytes], result: SplitResult) -> None:
    """Everything that must hold of what a split left: names, bytes, bounds, the manifest, and nothing else."""
    manifest = Manifest.from_bytes(stored[MANIFEST])
    total = len(result.plan.chunks)
    suffix, width = SUFFIX_OF[result.plan.compression], len(str(total))
    wanted = [f"{JOB.file_name}-{number:0{width}}-{total}{suffix}" for number in range(1, total + 1)]
    assert sorted(stored) == sorted([*wanted, MANIFEST])
    bodies = []
    for number, name in enumerate(wanted, 1):
        data = plain(stored[name])
        assert data.startswith(export.header)
        bodies.append(data[len(export.header) :])
        chunk = manifest.chunks[number]
        assert (chunk.range.size, chunk.checksum) == (len(bodies[-1]), crc64(stored[name]))
        assert manifest.stored_bytes[number - 1] == len(stored[name])
    assert b"".join(bodies) == b"".join(export.body)
    rows = _rows(export, bodies)
    assert manifest.chunks.rows.tolist() == rows
    assert (manifest.rows, manifest.total_parts) == (len(export.body), total)
    assert manifest.chunks[1].range.start == len(export.header)
    _check_size(export, size, bodies, rows)


def _rows(export: Export, bodies: list[bytes]) -> list[int]:
    """Records of each body; fails where a body does not end where a record does."""
    records, counts = list(export.body), []
    for body in bodies:
        rest, count = len(body), 0
        while rest > 0:
            rest -= len(records.pop(0))
            count += 1
        assert rest == 0
        counts.append(count)
    return counts


def _check_size(export: Export, size: Size, bodies: list[bytes], rows: list[int]) -> None:
    if isinstance(size, ChunkSize):
        for body, count in zip(bodies, rows, strict=True):
            assert count <= 1 or len(export.header) + len(body) <= size.size_bytes
    elif isinstance(size, RowCount):
        assert set(rows[:-1]) <= {size.rows}
        assert rows[-1] <= size.rows
    else:
        assert len(bodies) == max(1, min(size.count, len(export.body)))


@examples(150)
@given(
    export=exports(),
    size=SIZES,
    compress=COMPRESSIONS,
    jobs=st.sampled_from([1, 2, 5]),
    streamed=st.booleans(),
    block_bytes=st.sampled_from([4, 7, 16, 64, 4096]),
    kind=st.sampled_from([MemorySink, TwoPass]),
)
def test_a_split_in_memory_is_exact(
    *,
    export: Export,
    size: Size,
    compress: str | None,
    jobs: int,
    streamed: bool,
    block_bytes: int,
    kind: type[MemorySink],
) -> None:
    """L1: whatever the export, options, way of reading and size of the blocks in which it is read."""
    store = MemoryStore()
    asked = request(size=size, compress=compress, jobs=jobs, dialect=export.dialect)
    source = stream_of(export.data) if streamed else export.data
    with blocks_of(block_bytes):
        result = split(source, kind(store), asked)
    check(export, size, {name: data for name, (data, _) in objects(store).items()}, result)
    assert store.unfinished == {}


@examples(80)
@given(
    export=exports(),
    size=SIZES,
    compress=COMPRESSIONS,
    jobs=st.sampled_from([1, 3]),
    streamed=st.booleans(),
    block_bytes=st.sampled_from([4, 16, 4096]),
)
def test_a_split_into_a_directory_is_exact(
    *,
    export: Export,
    size: Size,
    compress: str | None,
    jobs: int,
    streamed: bool,
    block_bytes: int,
) -> None:
    """L1 again, and no staging folder stays."""
    asked = request(size=size, compress=compress, jobs=jobs, dialect=export.dialect)
    source = stream_of(export.data) if streamed else export.data
    with tempfile.TemporaryDirectory() as place, blocks_of(block_bytes):
        result = split(source, DirectorySink(Path(place)), asked)
        check(export, size, {path.name: path.read_bytes() for path in Path(place).iterdir()}, result)


@pytest.mark.parametrize("kind", [MemorySink, TwoPass])
@pytest.mark.parametrize(
    ("data", "header", "wanted", "rows"),
    [
        (b"a,b", True, b"a,b", 0),
        (b"a,b\n", True, b"a,b\n", 0),
        (b"a,b", False, b"a,b", 1),
        (b"\n", True, b"\n", 0),
        (b"\n\n", True, b"\n\n", 1),
        (b"\xef\xbb\xbfa\n", True, b"\xef\xbb\xbfa\n", 0),
    ],
)
def test_a_source_of_a_record_or_less_is_one_chunk(
    data: bytes,
    header: bool,  # noqa: FBT001 -- a parameter
    wanted: bytes,
    rows: int,
    kind: type[MemorySink],
) -> None:
    """A header alone is a chunk with 0 rows, so that whoever waits for all chunks has one to wait for."""
    store = MemoryStore()
    result = split(data, kind(store), request(dialect=Dialect(header=header)))
    assert objects(store)["acme_20240131-1-1.csv"][0] == wanted
    assert (result.plan.chunks.total_rows, len(result.plan.chunks)) == (rows, 1)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_an_empty_source_is_bad_input(data: bytes, tmp_path: Path) -> None:
    """Nothing is written, not even the directory's first file."""
    with pytest.raises(BadInputError) as error:
        split(data, DirectorySink(tmp_path / "out"))
    assert error.value.message == "memory:source.csv is empty; expected a header or a record"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [MemorySink, TwoPass])
def test_warnings_are_said_and_kept(kind: type[MemorySink]) -> None:
    """Records that do not fit and ragged ones: heard once, and in the manifest."""
    heard: list[str] = []

    class Listens(Silent):
        def warn(self, message: str) -> None:
            heard.append(message)

    store = MemoryStore()
    data = b"a,b\n1,2\n3\n" + b"x" * 30 + b",y\n" + b"z" * 30 + b",1\n"
    split(data, kind(store), request(size=ChunkSize(12)), observer=Listens())
    assert heard == [
        "2 records are larger than the chunk size; each is alone in its chunk",
        "line 3 (byte 8) has 1 field, the first has 2; such records are in 1 of 3 chunks",
    ]
    assert list(Manifest.from_bytes(store.objects[MANIFEST].data).warnings) == heard


def test_a_file_that_was_only_touched_is_the_same_run(tmp_path: Path) -> None:
    """The time of change is no content: scanned again, and everything skipped."""
    source, place = tmp_path / "acme.csv", tmp_path / "out"
    source.write_bytes(b"id\n" + b"1\n" * 10)
    first = split(LocalSource(str(source)), DirectorySink(place))
    os.utime(source, ns=(1, 1))
    again = split(LocalSource(str(source)), DirectorySink(place))
    assert again.plan.run_id == first.plan.run_id
    assert again.progress.count(ChunkState.SKIPPED) == 5


def test_a_run_label_makes_another_run() -> None:
    """The same content, on purpose."""
    labels = [None, "second", "third"]
    assert len({split(b"id\n1\n", MemorySink(), request(run_label=label)).plan.run_id for label in labels}) == 3


def test_a_change_after_a_one_pass_split_was_read_is_no_error() -> None:
    """The chunks are whole and of one moment: what comes later is for the next run."""
    store, source = MemoryStore(), MemorySource(b"id\n1\n2\n3\n")

    class ChangesThen(MemorySink):
        def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
            source.replace(b"id\n9\n")
            return super().put_small(name, data, when=when)

    split(source, ChangesThen(store))
    assert objects(store)["acme_20240131-2-2.csv"][0] == b"id\n3\n"
    assert MANIFEST in store.objects


PLANS = """
import re, sys
from pathlib import Path
from splitjoin_cli.cli.run import run
code = run(["split", "--rows=1", "--dry-run", "--quiet", "--json", *sys.argv[1:]])
sys.stderr.write(re.search(r"VmHWM:[ \\t]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""
# not ru_maxrss, which a process has from the one that started it


def test_many_chunks_need_little_memory(tmp_path: Path) -> None:
    """A plan of 100,000 chunks and its whole document: columns, no objects (1,000,000 were measured at 265 MiB)."""
    source = tmp_path / "acme.csv"
    source.write_bytes(b"id\n" + b"".join(b"%d\n" % number for number in range(100_000)))
    done = subprocess.run(
        [sys.executable, "-c", PLANS, str(source), str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    chunks = json.loads(done.stdout)["chunks"]
    assert [chunk["number"] for chunk in chunks] == list(range(1, 100_001))
    assert int(done.stderr) < 140 * 1024
