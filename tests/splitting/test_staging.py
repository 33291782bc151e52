"""Chunks that are written while the scan runs: in any blocks, with few files open, and gone when something fails."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadInputError, NameTakenError, StoreError
from splitjoin_cli.splitting.request import ChunkSize, RowCount
from splitjoin_cli.splitting.staging import StagedChunks
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.directory_batches import DirectoryBatches
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStaged, MemoryStore
from tests.laws import examples
from tests.splitting.runs import MANIFEST, PLAN, blocks_of, request, split, stream_of

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.stores.sinks.base import Numbering

EXPORT = b"id,name\n" + b"".join(b'%d,"na\nme %d"\n' % (number, number) for number in range(300))
HEADER = b"id,name\n"


@st.composite
def pieces(draw: st.DrawFn) -> tuple[bytes, list[int], list[tuple[int, list[int]]]]:
    """A body, where its chunks end, and the blocks it comes in, each with the cuts that are known by then.

    A cut is known in its own block, or in the one after it: by size, a chunk ends at the last record end that fits,
    which may be found when the next block shows that no more fits.
    """
    size = draw(st.integers(1, 60))
    body = bytes(draw(st.lists(st.integers(97, 122), min_size=size, max_size=size)))
    cuts = sorted(draw(st.sets(st.integers(1, size), max_size=6)) | {size})
    ends = sorted(draw(st.sets(st.integers(1, size), max_size=6)) | {size})
    blocks: list[tuple[int, list[int]]] = [(end, []) for end in ends]
    for cut in cuts[:-1]:
        home = next(index for index, (end, _) in enumerate(blocks) if cut <= end)
        late = home + 1 < len(blocks) and not any(c > blocks[home][0] for c in blocks[home][1])
        follows = [c for c in cuts if cut < c <= blocks[home][0]]
        if late and not follows and draw(st.booleans()):
            home += 1
        blocks[home][1].append(cut)
    return body, cuts, blocks


@examples(200)
@given(pieces(), st.booleans())
def test_chunks_are_written_in_whatever_blocks_they_come(
    drawn: tuple[bytes, list[int], list[tuple[int, list[int]]]],
    late: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Cuts inside blocks, at their ends and in the block before; writes done at once, or all of them at the end."""
    body, cuts, blocks = drawn
    store = MemoryStore()
    sink = MemorySink(store)
    staging = StagedChunks(sink, "acme_20240131-")
    data, base, writes = HEADER + body, 0, []
    header = bytearray(HEADER)
    for end, known in blocks:
        stop = len(HEADER) + end
        block = memoryview(data)[base:stop]
        new = staging.take(block, base, [len(HEADER) + cut for cut in known], header=header)
        if late:
            writes += new
        else:
            for write in new:
                write()
        base = stop
    for write in reversed(writes):
        write()
    announced = {cut for _, known in blocks for cut in known}
    rest = [cut for cut in cuts[:-1] if cut not in announced]
    staging.end([len(HEADER) + cut for cut in [*rest, len(body)]], header=HEADER)
    for number in range(1, len(cuts) + 1):
        staging.publish(number, str(number), metadata=None, when=ABSENT)
    found = [sink.get_small(str(number)) for number in range(1, len(cuts) + 1)]
    assert found == [HEADER + body[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    assert store.unfinished == {}


@pytest.mark.parametrize("rows", [1, 2, 50])
@pytest.mark.parametrize("block_bytes", [16, 500, 100_000])
def test_few_chunks_are_open_at_once(rows: int, block_bytes: int) -> None:
    """No more than threads and what lies across blocks, however many chunks a block has."""
    lock, now, most = threading.Lock(), 0, 0

    class Counts(MemorySink):
        def stage(self, name_prefix: str, number: int) -> MemoryStaged:
            nonlocal now, most
            staged = super().stage(name_prefix, number)
            close = staged.close
            with lock:
                now += 1
                most = max(most, now)

            def closed() -> None:
                nonlocal now
                with lock:
                    now -= 1
                close()

            staged.close = closed  # type: ignore[method-assign]
            return staged

    with blocks_of(block_bytes):
        split(EXPORT, Counts(), request(size=RowCount(rows), jobs=2))
    assert now == 0
    assert most <= 8


def test_bad_input_leaves_nothing(tmp_path: Path) -> None:
    """Found in the last block, when most of the chunks are written."""
    bad = EXPORT + b'1,"open\n'
    with blocks_of(256), pytest.raises(BadInputError):
        split(bad, DirectorySink(tmp_path / "out"), request())
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("size", [RowCount(40), ChunkSize(900)], ids=["rows", "size"])
def test_a_full_disk_leaves_nothing(
    size: RowCount | ChunkSize,
    streamed: bool,  # noqa: FBT001 -- a parameter
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At whatever write it fills up: no chunk, no plan, no folder, the place and the next step are named."""
    write, left = os.pwrite, 0

    def fills_up(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data, offset)

    monkeypatch.setattr("splitjoin_cli.stores.sinks.directory.os.pwrite", fills_up)
    error: StoreError | None = StoreError("")
    room = 0
    while error is not None:
        left, place = room, tmp_path / str(room)
        error = failure(stream_of(EXPORT) if streamed else EXPORT, place, size)
        if error is not None:
            assert error.message.startswith(f"no space left while writing {place}/")
            assert error.hint == "free space there or choose another directory, then run the same command again"
            visible = sorted(path.name for path in place.iterdir())
            assert all(name != MANIFEST and not name.startswith(".") for name in visible)
            left = 1_000_000
            split(EXPORT, DirectorySink(place), request(size=size))
            whole = {path.name: path.read_bytes() for path in place.iterdir()}
        room += 1
    assert {path.name: path.read_bytes() for path in place.iterdir()} == whole
    assert room > 10


def failure(source: object, place: Path, size: RowCount | ChunkSize) -> StoreError | None:
    """What a split of it raises, if anything."""
    try:
        with blocks_of(1000):
            split(source, DirectorySink(place), request(size=size, jobs=1))  # type: ignore[arg-type]  # bytes or a source
    except StoreError as exc:
        return exc
    return None


LIMITED = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
from splitjoin_cli.__main__ import main
sys.argv = ["splitjoin", "split", "--chunk-size=4000", "--date=1", sys.argv[1], sys.argv[2]]
main()
"""


def test_a_file_that_may_not_grow_is_an_error_of_its_place(tmp_path: Path) -> None:
    """The system's own refusal, in a process of its own: exit 1, and nothing is left."""
    source, place = tmp_path / "acme.csv", tmp_path / "out"
    source.write_bytes(EXPORT)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(source), str(place)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Error: writing {place}/" in done.stderr
    assert "failed: File too large" in done.stderr
    assert list(place.iterdir()) == []


def many(place: Path, **options: object) -> SplitResult:
    """A split of 300 records into as many chunks, many of them in one block."""
    with blocks_of(4096):
        return split(EXPORT, DirectorySink(place), request(size=RowCount(1), jobs=1, **options))


def content(place: Path) -> dict[str, bytes]:
    """Every file of a directory."""
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_chunks_in_batches_are_those_written_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files, the result, and what the same split again says."""
    results = []
    for switch in ("", "numpy"):
        monkeypatch.setenv("SPLITJOIN_SCANNER", switch)
        place = tmp_path / f"out{switch}"
        for _ in range(2):
            document = many(place).to_json()
            place_of = {"destination": f"{place}/", "seconds": document["seconds"]}
            assert {key: document[key] for key in place_of} == place_of
            chunks = [chunk | {"uri": chunk["uri"].removeprefix(f"{place}/")} for chunk in document["chunks"]]
            results.append(document | {"destination": "", "seconds": 0, "chunks": chunks})
    assert results[0] == results[2]
    assert results[1] == results[3]
    assert (results[0]["uploaded"], results[1]["skipped"]) == (300, 300)
    assert content(tmp_path / "out") == content(tmp_path / "outnumpy")


@pytest.mark.parametrize("ours", [True, False])
def test_a_name_that_is_taken_meanwhile_is_looked_at(
    ours: bool,  # noqa: FBT001 -- a parameter
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process that stores the same chunk is no harm; anybody else's file is an error, and stays."""
    many(tmp_path / "whole")
    place = tmp_path / "out"
    taken = place / "acme_20240131-117-300.csv"
    theirs = (tmp_path / "whole" / taken.name).read_bytes() if ours else b"theirs"
    publish_all = DirectoryBatches.publish_all

    def late(self: DirectoryBatches, files: memoryview, names: Numbering, number: int) -> int:
        if not taken.exists():
            taken.write_bytes(theirs)
        return publish_all(self, files, names, number)

    monkeypatch.setattr(DirectoryBatches, "publish_all", late)
    if ours:
        many(place)
        assert content(place) == content(tmp_path / "whole")
        return
    with pytest.raises(NameTakenError) as error:
        many(place)
    assert error.value.message.startswith(f"{taken} is not a chunk of this run; this is a split of memory:source.csv")
    assert taken.read_bytes() == b"theirs"
    assert (place / PLAN).exists()


def test_a_resume_sends_what_is_not_there(tmp_path: Path) -> None:
    """Of many chunks a few are gone, and one has another size: those alone are stored again."""
    many(tmp_path / "out")
    whole = content(tmp_path / "out")
    for number in (1, 150, 300):
        (tmp_path / "out" / f"acme_20240131-{number:03}-300.csv").unlink()
    (tmp_path / "out" / "acme_20240131-007-300.csv").write_bytes(b"")
    document = many(tmp_path / "out").to_json()
    assert (document["uploaded"], document["skipped"]) == (4, 296)
    assert content(tmp_path / "out") == whole
    again = many(tmp_path / "out", dry_run=True).to_json()
    assert (again["skipped"], {chunk["state"] for chunk in again["chunks"]}) == (300, {"stored"})


def test_the_fsync_of_many_chunks_reaches_all(tmp_path: Path) -> None:
    """Files and their names, by whichever way they are written."""
    with blocks_of(4096):
        split(EXPORT, DirectorySink(tmp_path / "out", fsync=True), request(size=RowCount(1)))
    many(tmp_path / "other")
    assert content(tmp_path / "out") == content(tmp_path / "other")
