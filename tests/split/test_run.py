"""Whole splits in memory and into directories: the laws of what they leave, for random exports and options."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from splitjoin_cli.checksums import crc64
from splitjoin_cli.manifest import Manifest
from splitjoin_cli.names import SUFFIX_OF
from splitjoin_cli.sinks.directory import DirectorySink
from splitjoin_cli.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.split.request import ChunkCount, ChunkSize, RowCount
from tests.split.exports import Export, exports
from tests.split.runs import JOB, MANIFEST, TwoPass, blocks_of, objects, plain, request, split, stream_of

if TYPE_CHECKING:
    from splitjoin_cli.split.request import Size
    from splitjoin_cli.split.result import SplitResult

SIZES: st.SearchStrategy[Size] = st.one_of(
    st.builds(ChunkSize, st.integers(1, 120)),
    st.builds(RowCount, st.integers(1, 6)),
    st.builds(ChunkCount, st.integers(1, 8)),
)
COMPRESSIONS = st.sampled_from([None, None, "gzip", "zstd"])


def check(export: Export, size: Size, stored: dict[str, bytes], result: SplitResult) -> None:
    """Everything that must hold of what a split left: names, bytes, bounds, the manifest, and nothing else."""
    manifest = Manifest.from_bytes(stored[MANIFEST])
    total = result.plan.chunks.__len__()
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


@settings(max_examples=250, deadline=None)
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


@settings(max_examples=80, deadline=None)
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
