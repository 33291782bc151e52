"""merge: what was split comes back byte for byte, or nothing does."""

from __future__ import annotations

import errno
import io
import os
from array import array
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, cast
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import (
    CorruptObjectError,
    NameTakenError,
    NotFoundError,
    StoreError,
    UsageError,
)
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting.engines import merge as engine_merge
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.merge import EngineMerge
from splitjoin_cli.splitting.engines.place import OpenStored, Place
from splitjoin_cli.splitting.engines.specs import Reach, StoredSpec
from splitjoin_cli.splitting.engines.words import CLUSTER
from splitjoin_cli.splitting.stored.judge import StoredPlace
from splitjoin_cli.splitting.stored.merge import FileTarget, Merged, ObjectTarget, StreamTarget, Target, merge
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from tests.splitting.places import FILE_NAME, MANIFEST, MemoryPlace, stored_split

if TYPE_CHECKING:
    from splitjoin_cli.stores.sources.memory import MemorySource

HEADER = b'id,"no\nte"\n'
CHUNKS = [[b"1,a\n", b'2,"two\nlines"\n'], [b"3,c\n"], [b"4,d\n", b'5,"e ""e"""']]
WHOLE = HEADER + b"".join(record for chunk in CHUNKS for record in chunk)
SECOND = f"{FILE_NAME}-2-3.csv"
RECORDS = st.lists(
    st.lists(st.sampled_from([b"1,a\n", b'"q\n""",b\n', b"\n", b"x" * 300 + b"\n"]), min_size=1), min_size=1
)


def merged(place: MemoryPlace, target: Target, file_name: str | None = None, dialect: Dialect | None = None) -> Merged:
    """Merge on two threads."""
    with ThreadPoolExecutor(2) as executor:
        return merge(
            place.sink, place.open_chunk, target, executor=executor, jobs=2, file_name=file_name, dialect=dialect
        )


def merged_into(path: Path, place: MemoryPlace, engine: str) -> Merged:
    """Merge into a file, on threads or by units in this process."""
    target = FileTarget(path, force=False)
    if engine == "threads":
        return merged(place, target)
    stored = OpenStored(StoredPlace(place.sink, place.open_chunk), lambda: None)
    units = InProcess(Place(opens_stored=lambda _: stored))
    try:
        with mock.patch.object(engine_merge, "PART_BYTES", 10), ThreadPoolExecutor(1) as executor:
            joins = EngineMerge(units, StoredSpec("memory:///", Reach()), target, None)
            return merge(place.sink, place.open_chunk, joins, executor=executor, jobs=1)
    finally:
        units.close()


ENGINES = pytest.mark.parametrize("engine", ["threads", "units"])


def streamed(place: MemoryPlace, dialect: Dialect | None = None) -> bytes:
    """What merge writes to a stream."""
    stream = io.BytesIO()
    merged(place, StreamTarget(cast("io.RawIOBase", stream)), dialect=dialect)
    return stream.getvalue()


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("header", [HEADER, b""])
@ENGINES
def test_file_is_the_source_again(tmp_path: Path, compression: None, header: bytes, engine: str) -> None:
    """Whatever the chunks are stored as, OUT has the source's bytes, and nothing is beside it."""
    out = tmp_path / "out.csv"
    result = merged_into(out, stored_split(header, CHUNKS, compression=compression), engine)
    whole = header + WHOLE.removeprefix(HEADER)
    assert out.read_bytes() == whole
    assert result == Merged(FILE_NAME, 3, len(whole), 5)
    assert list(tmp_path.iterdir()) == [out]


@given(RECORDS)
def test_any_split_comes_back(chunks: list[list[bytes]]) -> None:
    """The law of merge: header + all bodies, with the manifest and, where the names tell, without it."""
    place = stored_split(HEADER, chunks)
    whole = HEADER + b"".join(record for chunk in chunks for record in chunk)
    assert streamed(place) == whole
    del place.objects[MANIFEST]
    assert streamed(place) == whole


def test_object_appears_whole() -> None:
    """An object in a sink is written with the checksum of all its bytes."""
    place, target = stored_split(HEADER, CHUNKS), MemoryPlace()
    merged(place, ObjectTarget(target.sink, "out.csv", force=False))
    assert target.objects == {"out.csv": WHOLE}


@pytest.mark.parametrize("kind", ["file", "object"])
def test_existing_output_is_kept_without_force(tmp_path: Path, kind: str) -> None:
    """OUT that is there is neither replaced nor opened; with --force it is replaced."""
    out = tmp_path / "out.csv"
    out.write_bytes(b"old")
    place = MemoryPlace({"out.csv": b"old"})

    def target(*, force: bool) -> Target:
        return FileTarget(out, force=force) if kind == "file" else ObjectTarget(place.sink, "out.csv", force=force)

    with pytest.raises(NameTakenError) as caught:
        target(force=False)
    shown = str(out) if kind == "file" else "memory:place/out.csv"
    assert (caught.value.message, caught.value.hint) == (f"{shown} is there already", "--force replaces it")
    merged(stored_split(HEADER, CHUNKS), target(force=True))
    assert (out.read_bytes() if kind == "file" else place.objects["out.csv"]) == WHOLE


@pytest.mark.parametrize("force", [False, True])
def test_an_object_that_comes_meanwhile_is_kept(*, force: bool) -> None:
    """What another process stores under OUT's name while this one writes is not replaced, with --force either."""
    store = MemoryStore()
    target = ObjectTarget(MemorySink(store), "out.csv", force=force)
    MemorySink(store).put_small("out.csv", b"theirs")
    with pytest.raises(NameTakenError):
        merged(stored_split(HEADER, CHUNKS), target)
    assert store.objects["out.csv"].data == b"theirs"


def test_output_that_comes_meanwhile_is_kept(tmp_path: Path) -> None:
    """A file that another process makes while this one writes is not replaced either."""
    out = tmp_path / "out.csv"
    target = FileTarget(out, force=False)
    out.write_bytes(b"theirs")
    with pytest.raises(NameTakenError):
        merged(stored_split(HEADER, CHUNKS), target)
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(out, b"theirs")]


def test_link_keeps_leading_to_the_file(tmp_path: Path) -> None:
    """--force through a symbolic link replaces the file, not the link."""
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_bytes(b"old")
    link.symlink_to(real)
    merged(stored_split(HEADER, CHUNKS), FileTarget(link, force=True))
    assert link.is_symlink()
    assert real.read_bytes() == WHOLE


def test_device_is_written_in_place() -> None:
    """/dev/null is no file to be replaced, with --force or without."""
    merged(stored_split(HEADER, CHUNKS), FileTarget(Path(os.devnull), force=False))
    assert Path(os.devnull).is_char_device()


def test_pipe_behind_a_link_is_written_in_place() -> None:
    """/dev/fd/N of a pipe, as /dev/stdout is one, leads to no path that could be renamed."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader:
        merged(stored_split(HEADER, CHUNKS), FileTarget(Path(f"/dev/fd/{write_end}"), force=False))
        os.close(write_end)
        assert reader.read() == WHOLE


def test_directory_is_no_output(tmp_path: Path) -> None:
    """A directory as OUT is a mistake on the command line."""
    with pytest.raises(UsageError) as caught:
        FileTarget(tmp_path, force=True)
    assert caught.value.message == f"{tmp_path} is a directory"


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """OUT below a directory that is not there."""
    out = tmp_path / "none" / "out.csv"
    with pytest.raises(StoreError) as caught:
        merged(stored_split(HEADER, CHUNKS), FileTarget(out, force=False))
    assert caught.value.message == f"cannot write {out}: No such file or directory"


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full halfway, the old file stays and no part of the new one does."""
    out = tmp_path / "out.csv"
    out.write_bytes(b"old")
    writes: list[int] = []
    really = os.pwrite

    def full_after_two(descriptor: int, data: bytes, offset: int) -> int:
        writes.append(offset)
        if len(writes) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full_after_two)
    with pytest.raises(StoreError) as caught:
        merged(stored_split(HEADER, CHUNKS), FileTarget(out, force=True))
    assert caught.value.message == f"cannot write {out}: No space left on device"
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(out, b"old")]


def test_stream_that_takes_a_byte_at_a_time_gets_all() -> None:
    """A pipe may take less than it is offered."""

    class TakesOneByte(io.RawIOBase):
        got = b""

        def write(self, data: object) -> int:
            self.got += bytes(cast("memoryview", data)[:1])
            return 1

    stream = TakesOneByte()
    merged(stored_split(HEADER, CHUNKS), StreamTarget(stream))
    assert stream.got == WHOLE


def test_closed_stream_is_an_error() -> None:
    """The reader of a pipe went away."""

    class Broken(io.RawIOBase):
        def write(self, _: object) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(StoreError, match=r"^cannot write to the output: Broken pipe$"):
        merged(stored_split(HEADER, CHUNKS), StreamTarget(Broken()))


@pytest.mark.parametrize("manifest", [True, False])
def test_set_that_is_not_whole_names_what_is_missing(tmp_path: Path, *, manifest: bool) -> None:
    """Missing numbers as ranges, and no output."""
    place = stored_split(HEADER, [[b"%d,x\n" % number] for number in range(12)])
    for number in (3, 7, 8, 9):
        del place.objects[f"{FILE_NAME}-{number:02d}-12.csv"]
    if not manifest:
        del place.objects[MANIFEST]
    with pytest.raises(StoreError) as caught:
        merged(place, FileTarget(tmp_path / "out.csv", force=False))
    assert caught.value.message == f"{FILE_NAME} is not whole: chunks 3, 7-9 of 12 missing"
    assert list(tmp_path.iterdir()) == []


def test_split_under_way_is_not_whole() -> None:
    """All chunks are there, the manifest is not yet, and the plan still stands."""
    place = stored_split(HEADER, CHUNKS)
    del place.objects[MANIFEST]
    place.objects[f"{FILE_NAME}.plan.json"] = b"{}"
    with pytest.raises(StoreError) as caught:
        streamed(place)
    assert caught.value.message == f"{FILE_NAME} is not whole: its split was interrupted"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"3,c", b"3,x", f"{SECOND} has the checksum crc64nvme:"),
        (b"3,c\n", b"", f"{SECOND} ends after 0 of the 4 bytes of its body"),
        (b"3,c\n", b"3,c\n4\n", f"{SECOND} holds more than the 4 bytes of its body"),
        (b"id,", b"ID,", f"{SECOND} does not begin with the header of chunk 1"),
    ],
)
@ENGINES
def test_chunk_that_is_not_what_was_stored_is_refused(
    tmp_path: Path, old: bytes, new: bytes, message: str, engine: str
) -> None:
    """Damage is an error that names the chunk, and no output."""
    place = stored_split(HEADER, CHUNKS)
    place.replace_in(SECOND, old, new)
    with pytest.raises(CorruptObjectError) as caught:
        merged_into(tmp_path / "out.csv", place, engine)
    assert caught.value.message.startswith(message)
    assert caught.value.hint == "splitjoin verify says what else is wrong; then split again with --force"
    assert list(tmp_path.iterdir()) == []


def test_units_behind_a_damaged_chunk_are_not_begun(tmp_path: Path) -> None:
    """Those under way end; of several damaged chunks the first is named, as on threads, and no output is there."""
    place = stored_split(HEADER, [[b"%d,some text\n" % number] for number in range(60)])
    for number in (3, 4, 50):
        name = f"{FILE_NAME}-{number:02d}-60.csv"
        place.objects[name] = place.objects[name].replace(b"some", b"more")
    out, submit = tmp_path / "out.csv", InProcess.submit
    with (
        mock.patch.object(InProcess, "submit", autospec=True, side_effect=submit) as sent,
        pytest.raises(CorruptObjectError, match=rf"^{FILE_NAME}-03-60.csv has the checksum "),
    ):
        merged_into(out, place, "units")
    assert sent.call_count < 30
    assert list(tmp_path.iterdir()) == []


def test_damaged_compression_is_no_bad_input() -> None:
    """A chunk that cannot be decompressed is the store's fault: exit 1, not 4."""
    place = stored_split(HEADER, CHUNKS, compression="gzip")
    place.objects[f"{SECOND}.gz"] = place.objects[f"{SECOND}.gz"][:-4]
    with pytest.raises(StoreError, match=rf"^chunk {SECOND}\.gz: {SECOND}\.gz is cut short") as caught:
        streamed(place)
    assert caught.value.exit_code == 1


def others_set(*bodies: bytes, header: bytes = HEADER) -> MemoryPlace:
    """Chunks by another tool: the published naming, unpadded numbers, no manifest."""
    return MemoryPlace(
        {f"in_2024-{number}-{len(bodies)}.csv": header + body for number, body in enumerate(bodies, start=1)}
    )


@ENGINES
def test_set_of_another_tool_is_merged(tmp_path: Path, engine: str) -> None:
    """Without a manifest the header is the first record, a byte order mark and quoted newlines included."""
    bodies = [b"%d,x\n" % number for number in range(11)]
    header = b"\xef\xbb\xbf" + b'"i\nd",x\r\n'
    out = tmp_path / "out.csv"
    result = merged_into(out, others_set(*bodies, header=header), engine)
    assert out.read_bytes() == header + b"".join(bodies)
    assert result == Merged("in_2024", 11, out.stat().st_size, None)


def test_set_without_headers_is_merged_as_told() -> None:
    """--no-header keeps every record; without it, chunks that begin differently are refused."""
    place = others_set(b"1,a\n", b"2,b\n", header=b"")
    assert streamed(place, Dialect(header=False)) == b"1,a\n2,b\n"
    with pytest.raises(StoreError) as caught:
        streamed(place)
    assert caught.value.message == "in_2024-2-2.csv does not begin with the first record of chunk 1, as its header"
    assert caught.value.hint == "where the chunks have no header, say --no-header"


def test_header_longer_than_a_block_is_found() -> None:
    """A first record of a megabyte is one header."""
    header = b'"' + b"wide\n" * 200_000 + b'",x\n'
    assert streamed(others_set(b"1,a\n", b"2,b\n", header=header)) == header + b"1,a\n2,b\n"


def test_mixed_sets_are_refused() -> None:
    """Chunks of two totals under one name: no guess which are meant."""
    place = others_set(b"1\n", b"2\n")
    place.objects["in_2024-1-1.csv"] = place.objects["in_2024-1-2.csv"]
    with pytest.raises(StoreError) as caught:
        streamed(place)
    assert caught.value.message == "in_2024 is mixed: in_2024-1-2.csv is not one of its 1 chunk"


def test_unknown_name_is_not_found() -> None:
    """--name that nothing here has."""
    place = stored_split(HEADER, CHUNKS)
    with pytest.raises(NotFoundError) as caught:
        merged(place, StreamTarget(cast("io.RawIOBase", io.BytesIO())), file_name="other_1")
    assert caught.value.message == "there are no chunks of other_1 in memory:place/"


def test_first_error_stops_the_others(tmp_path: Path) -> None:
    """After a failure no further chunk is opened but those under way."""
    place = stored_split(HEADER, [[b"%d,x\n" % number] for number in range(50)])
    opened: list[str] = []

    def opens(name: str) -> MemorySource:
        opened.append(name)
        if name == f"{FILE_NAME}-03-50.csv":
            raise StoreError("gone")
        return place.open_chunk(name)

    with ThreadPoolExecutor(2) as executor, pytest.raises(StoreError, match=r"^chunk acme_20240131-03-50\.csv: gone$"):
        merge(place.sink, opens, FileTarget(tmp_path / "o", force=False), executor=executor, jobs=2)
    assert len(opened) < 10


def test_compressed_chunks_without_a_manifest_are_merged_here(tmp_path: Path) -> None:
    """Where each goes is not known before it is read: a usage error of engines, with the way out."""
    place = stored_split(HEADER, CHUNKS, compression="gzip")
    del place.objects[MANIFEST]
    assert streamed(place) == WHOLE
    with pytest.raises(UsageError) as caught:
        merged_into(tmp_path / "out.csv", place, "units")
    assert caught.value.hint == "use --engine threads"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([5, 5, 5], [(1, 2), (3, 3)]),
        ([30, 1, 1], [(1, 1), (2, 3)]),
        ([0], [(1, 1)]),
        ([3, 3, 3, 9, 3], [(1, 3), (4, 5)]),
    ],
)
def test_parts_end_where_chunks_do(sizes: list[int], expected: list[tuple[int, int]]) -> None:
    """Each has as much as is wanted, or more, but for the last one; the header counts."""
    starts = array("q", accumulate(sizes, initial=2))
    with mock.patch.object(engine_merge, "PART_BYTES", 11):
        runs = list(engine_merge._runs(starts, len(sizes), CLUSTER))
    assert [(run.start, run.stop - 1) for run in runs] == expected


def test_a_chunk_that_may_be_copied_is_a_part_of_its_own() -> None:
    """Small ones go together, up to what is worth a unit; so does one that follows some of them."""
    starts = array("q", accumulate([5, 6, 2, 2, 7, 30, 1], initial=1))
    with mock.patch.multiple(engine_merge, PART_BYTES=10, LEAST_PART_BYTES=5):
        runs = list(engine_merge._runs(starts, 7, CLUSTER, copies=True))
    assert [(run.start, run.stop - 1) for run in runs] == [(1, 1), (2, 2), (3, 5), (6, 6), (7, 7)]


def test_a_full_disk_is_named_with_what_helps(tmp_path: Path) -> None:
    """That OUT's directory is there is known then: what is needed is room."""
    with (
        pytest.raises(StoreError, match="No space left on device") as caught,
        FileTarget(tmp_path / "out.csv", force=False) as target,
        mock.patch("os.pwrite", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    ):
        target.write_at(0, memoryview(b"x"))
    assert caught.value.hint == "free space there, or name an OUT on another disk"
    assert list(tmp_path.iterdir()) == []
