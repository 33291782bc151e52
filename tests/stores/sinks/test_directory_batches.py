"""Many files of a directory in one call of the kernel: the same as one at a time, and as careful."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.stores.sinks.base import ABSENT, Numbering
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.staging_folder import STAGING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.stores.sinks.directory_batches import DirectoryBatches

HEADER = b"id\n"
BODY = b"0\n11\n222\n3333\n"
ENDS = array("q", [2, 5, 9, 14])
NAMES = Numbering("acme_20240131-", "-12.csv", 2)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[DirectorySink]:
    """A sink on a directory that is not there yet."""
    made = DirectorySink(tmp_path / "out")
    yield made
    made.close()


def batches_of(sink: DirectorySink) -> DirectoryBatches:
    """Those of the kernel, which the tests have."""
    found = sink.batches
    assert found is not None
    return found


def staged(sink: DirectorySink) -> array[int]:
    """Four files of different sizes."""
    batches = batches_of(sink)
    first = batches.reserve(len(ENDS))
    batches.stage_all(first, HEADER, memoryview(BODY), array("q", [end + 100 for end in ENDS]), 100)
    return array("q", range(first, first + len(ENDS)))


def test_files_are_written_and_named_as_one_at_a_time(sink: DirectorySink, tmp_path: Path) -> None:
    """Bytes, names and permissions; nothing is visible before it is whole, and no folder stays."""
    files = staged(sink)
    assert [path.name.startswith(STAGING_PREFIX) for path in (tmp_path / "out").iterdir()] == [True]
    assert batches_of(sink).publish_all(memoryview(files), NAMES, 9) == 4
    one_by_one = DirectorySink(tmp_path / "other")
    begin = 0
    for number, end in enumerate(ENDS, start=9):
        file = one_by_one.stage("acme_20240131-", number)
        file.write_at(0, HEADER + BODY[begin:end])
        one_by_one.publish(file, f"acme_20240131-{number:02}-12.csv", when=ABSENT)
        begin = end
    sink.close()
    one_by_one.close()
    found = [
        {path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_nlink) for path in place.iterdir()}
        for place in (tmp_path / "out", tmp_path / "other")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 4


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_name_that_is_taken_is_not_replaced(sink: DirectorySink, tmp_path: Path, kind: str) -> None:
    """Whatever has it: those before it are named, it and those after it wait for who says what is wrong."""
    files = staged(sink)
    taken, elsewhere = tmp_path / "out" / "acme_20240131-11-12.csv", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"theirs")
    if kind == "file":
        taken.write_bytes(b"theirs")
    elif kind == "folder":
        taken.mkdir()
    else:
        taken.symlink_to(elsewhere)
    assert batches_of(sink).publish_all(memoryview(files), NAMES, 9) == 2
    sink.close()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"acme_20240131-{number:02}-12.csv" for number in (9, 10, 11)
    ]
    assert (kind, taken.is_dir(), taken.is_symlink()) in {
        ("file", False, False),
        ("folder", True, False),
        ("link", False, True),
    }
    assert elsewhere.read_bytes() == b"theirs"


def test_naming_stops_where_no_file_is(sink: DirectorySink) -> None:
    """0 is no staged file: what is staged by itself is named by itself."""
    files = staged(sink)
    files[2] = 0
    assert batches_of(sink).publish_all(memoryview(files), NAMES, 9) == 2
    assert batches_of(sink).publish_all(memoryview(files)[2:], NAMES, 11) == 0
    assert batches_of(sink).publish_all(memoryview(files)[3:], NAMES, 12) == 1


def test_what_cannot_be_written_is_said_with_its_place(sink: DirectorySink) -> None:
    """The first file that the system refuses; those before it are whole, and one of them can be taken by itself."""
    batches = batches_of(sink)
    first = batches.reserve(4)
    folder = sink.staging_folder.path
    (folder / str(first + 2)).write_bytes(b"in the way")
    with pytest.raises(StoreError) as caught:
        batches.stage_all(first, HEADER, memoryview(BODY), ENDS, 0)
    assert caught.value.message == f"writing {folder}/{first + 2} failed: File exists"
    assert (folder / str(first + 1)).read_bytes() == HEADER + b"11\n"
    stored = sink.publish(batches.staged(first + 1), "a", when=ABSENT)
    assert (stored.size, sink.get_small("a")) == (6, HEADER + b"11\n")
    sink.discard(batches.staged(first))
    assert not (folder / str(first)).exists()


def test_a_folder_that_was_taken_away_is_an_error(sink: DirectorySink) -> None:
    """Nothing is written elsewhere: files are made relative to the folder that this process locked."""
    folder = sink.staging_folder.path
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.parent)
    staged(sink)
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted([folder.name, "moved"])


def test_a_listing_is_the_one_of_the_sink(sink: DirectorySink, tmp_path: Path) -> None:
    """Columns and others together are what ``list`` gives; other jobs' chunks may be left out."""
    out = tmp_path / "out"
    out.mkdir()
    chunks = [f"acme_20240131-{number:02}-12.csv" for number in range(1, 13)]
    suffixes = ["-1-12.csv", "-13-12.csv", "-00-12.csv", "-1-3.csv", "-01-12.csv.gz", ".plan.json", ".manifest.json"]
    suffixes += ["-0001-0012.csv", "-1234567890-9999999999.csv"]
    odd = [f"acme_20240131{suffix}" for suffix in suffixes]
    odd += ["acme_x.manifest.json", "acme_\u0301-1-1.csv", "acme_ä.csv"]
    for size, name in enumerate([*chunks, *odd]):
        (out / name).write_bytes(b"x" * size)
    (out / "acme_20240131-2-3.csv").symlink_to(out / chunks[0])
    (out / "acme_20240131-3-3.csv").symlink_to(out / "nowhere")
    (out / "acme_20240131-4-4.csv").mkdir()
    for name, target in (("-5-12.csv", "x" * 300), ("-6-6.csv", "acme_20240131-6-6.csv"), ("-7-7.csv", "acme_x/below")):
        (out / f"acme_20240131{name}").symlink_to(target)
    (out / "acme_x").write_bytes(b"")
    (out / "acme_20240130-1-1.csv").write_bytes(b"another job's")
    (out / "other_20240131-1-1.csv").write_bytes(b"another client's")
    staged(sink)
    found = list(_listed(sink, sizes=True))
    wanted = [one for one in sink.list("acme_") if one.name != "acme_20240130-1-1.csv"]
    assert sorted(found, key=lambda one: one.name) == wanted
    assert sorted(one.name for one in _listed(sink, sizes=False)) == [one.name for one in wanted]
    columns = [len(listed.numbers) for listed in batches_of(sink).list_all("acme_", "acme_20240131-")]
    assert columns in ([12], [2], [1], [0])  # those that are called as the first of them is


def test_all_names_are_those_of_every_client(sink: DirectorySink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks, documents, hidden files and directories, in pieces."""
    monkeypatch.setattr("splitjoin_cli.core.native.listing.PIECE_CHUNKS", 3)
    sink.put_small("acme_20240131.plan.json", b"{}")
    batches_of(sink).publish_all(memoryview(staged(sink)), NAMES, 5)
    (sink.path / "other_20240131-1-1.csv").write_bytes(b"id\n")
    (sink.path / "a directory").mkdir()
    assert sorted(batches_of(sink).all_names()) == sorted(path.name for path in sink.path.iterdir())


def _listed(sink: DirectorySink, *, sizes: bool) -> Iterator[StoredObject]:
    """What a listing shows, as objects."""
    batches = batches_of(sink)
    for listed in batches.list_all("acme_", "acme_20240131-", sizes=sizes):
        width = len(str(listed.total))
        for place, number in enumerate(listed.numbers):
            name = f"acme_20240131-{number:0{width}}-{listed.total}{listed.suffix}"
            marks = (listed.marks[0][place], listed.marks[1][place]) if sizes else (0, 0)
            yield StoredObject(name, listed.sizes[place] if sizes else 0, validator=batches.validator(marks))
        yield from listed.others


def test_nothing_is_listed_where_nothing_is(sink: DirectorySink) -> None:
    """No directory is made for it."""
    assert list(batches_of(sink).list_all("acme_", "acme_20240131-")) == []
    assert batches_of(sink).names(STAGING_PREFIX) == []
    assert list(batches_of(sink).all_names()) == []
    assert not sink.path.exists()


def test_a_listing_comes_in_pieces(sink: DirectorySink, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little room there is: every chunk once."""
    monkeypatch.setattr("splitjoin_cli.core.native.listing.PIECE_CHUNKS", 3)
    batches_of(sink).publish_all(memoryview(staged(sink)), NAMES, 5)
    sink.put_small("acme_20240131.plan.json", b"{}")
    pieces = list(batches_of(sink).list_all("acme_", "acme_20240131-"))
    assert sorted(number for piece in pieces for number in piece.numbers) == [5, 6, 7, 8]
    assert sorted(size for piece in pieces for size in piece.sizes) == [5, 6, 7, 8]
    assert [one.name for piece in pieces for one in piece.others] == ["acme_20240131.plan.json"]
    assert len(pieces) > 1


def test_there_are_none_without_the_kernel(sink: DirectorySink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then files go one by one."""
    monkeypatch.setenv("SPLITJOIN_SCANNER", "numpy")
    assert sink.batches is None
