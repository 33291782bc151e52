"""Chunks in a directory: whose they are, what they hold, and what is noticed."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from splitjoin_cli.core.errors import (
    AccessError,
    CorruptObjectError,
    MixupError,
    NotFoundError,
    SourceChangedError,
    StoreError,
)
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.names import ChunkName, manifest_name, plan_name
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.chunks.described import Descriptions
from tests.stores.chunks.reading import TEXT, read, split

if TYPE_CHECKING:
    from pathlib import Path

JOB = "acme_20240131"
HEADER, BODY = TEXT[:8], TEXT[8:]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a split in it."""
    out = tmp_path / "out"
    split(tmp_path, str(out))
    return out


def first(place: Path) -> Path:
    """Its first chunk."""
    return place / f"{JOB}-1-2.csv"


def test_a_manifest_says_what_metadata_would(place: Path) -> None:
    """Run, range, rows, dialect; the bytes are read as often as asked."""
    stored = Chunks().open_chunk(str(first(place)))
    manifest = Manifest.from_bytes((place / manifest_name(JOB)).read_bytes())
    metadata = stored.metadata
    assert metadata is not None
    assert (metadata.run_id, metadata.generation, metadata.rows) == (manifest.run_id, 1, 500)
    assert (metadata.header_bytes, metadata.header_lines, metadata.dialect) == (8, 1, manifest.dialect)
    assert (stored.name, stored.size) == (ChunkName("acme", "20240131", 1, 2), first(place).stat().st_size)
    assert [read(stored), read(stored, 7)] == [first(place).read_bytes()] * 2
    assert stored.etag_now() == stored.validator


def test_a_manifest_is_read_once_however_many_want_it() -> None:
    """Who comes meanwhile waits for the one that reads it: of a million chunks it is 32 MB. An error stops nobody."""
    descriptions, wanted = Descriptions(), threading.Barrier(4)
    manifest, reads = cast("Manifest", object()), []

    def read_it() -> Manifest:
        reads.append(1)
        if len(reads) == 1:
            raise StoreError("not now")
        return manifest

    def want() -> object:
        wanted.wait(10)
        return descriptions.get("manifest", "1", read_it)

    with pytest.raises(StoreError, match="not now"):
        descriptions.get("manifest", "1", read_it)
    with ThreadPoolExecutor(4) as executor:
        got = [future.result() for future in [executor.submit(want) for _ in range(4)]]
    assert got == [manifest] * 4
    assert len(reads) == 2


def test_while_there_is_no_manifest_the_plan_says_it(place: Path) -> None:
    """Chunks become visible before the manifest does."""
    manifest = Manifest.from_bytes((place / manifest_name(JOB)).read_bytes())
    plan = PlanFile(
        file_name=JOB,
        run_id=manifest.run_id,
        generation=3,
        source=manifest.source,
        validator=None,
        options_digest="0" * 32,
        dialect=manifest.dialect,
        compression=None,
        header_lines=1,
        header_checksum=0,
        chunks=manifest.chunks,
    )
    (place / plan_name(JOB)).write_bytes(plan.to_bytes())
    (place / manifest_name(JOB)).unlink()
    stored = Chunks().open_chunk(str(first(place)))
    assert stored.metadata is not None
    assert (stored.metadata.run_id, stored.metadata.generation, stored.metadata.rows) == (manifest.run_id, 3, 500)
    assert read(stored) == first(place).read_bytes()


def test_without_either_name_and_validator_are_all_that_is_known(place: Path) -> None:
    """As for chunks that others made."""
    (place / manifest_name(JOB)).unlink()
    stored = Chunks().open_chunk(str(first(place)))
    assert (stored.metadata, stored.beside) == (None, None)
    assert stored.validator.startswith(f"{stored.size}:")


def test_bytes_that_the_manifest_does_not_list_are_not_loaded(place: Path) -> None:
    """The pass raises at its end, before a loader can commit."""
    data = first(place).read_bytes()
    first(place).write_bytes(data.replace(b"x", b"y"))
    with pytest.raises(CorruptObjectError) as caught:
        read(Chunks().open_chunk(str(first(place))))
    assert caught.value.message == f"{first(place)} does not hold the bytes that its manifest or plan lists"


def test_a_file_of_another_size_is_not_the_manifests(place: Path) -> None:
    """It is not guessed whose it is."""
    first(place).write_bytes(b"id,name\n1,a\n")
    with pytest.raises(MixupError) as caught:
        Chunks().open_chunk(str(first(place)))
    assert caught.value.message == f"{first(place)} is not the chunk that {place / manifest_name(JOB)} lists"


def test_a_file_that_changes_between_passes_is_noticed(place: Path) -> None:
    """Same size, other content, other time."""
    stored = Chunks().open_chunk(str(first(place)))
    data = first(place).read_bytes()
    first(place).write_bytes(data[::-1])
    os.utime(first(place), ns=(1, 1))
    with pytest.raises(SourceChangedError) as caught:
        stored.open()
    assert caught.value.message == f"{first(place)} changed while it was read"
    assert stored.etag_now() not in {None, stored.validator}


def test_a_file_that_is_cut_while_it_is_read_is_noticed(place: Path) -> None:
    """It does not just end early."""
    (place / manifest_name(JOB)).unlink()
    stored = Chunks().open_chunk(str(first(place)))
    stream = stored.open()
    stream.readinto(memoryview(bytearray(10)))
    os.truncate(first(place), 100)
    with pytest.raises(SourceChangedError):
        stream.readinto(memoryview(bytearray(stored.size)))
    stream.close()


def test_what_is_not_there_or_not_ours_is_said(place: Path, tmp_path: Path) -> None:
    """Missing, no chunk's name, in no directory, unreadable."""
    chunks = Chunks()
    gone = chunks.open_chunk(str(first(place)))
    first(place).unlink()
    assert gone.etag_now() is None
    with pytest.raises(NotFoundError, match=r"is not there$"):
        chunks.open_chunk(str(first(place)))
    with pytest.raises(NotFoundError, match=r"is not the name of a chunk$"):
        chunks.open_chunk(str(tmp_path / "source.csv"))
    (place / manifest_name(JOB)).write_text("{")
    with pytest.raises(StoreError, match="holds no manifest that splitjoin can read"):
        chunks.open_chunk(str(place / f"{JOB}-2-2.csv"))
    chunks.close()


def test_a_file_that_may_not_be_read_is_an_access_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a word on what to look at."""
    stored = Chunks().open_chunk(str(first(place)))

    def refuse(*_args: object, **_options: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("splitjoin_cli.stores.chunks.directory.open_ordinary", refuse)
    with pytest.raises(AccessError) as caught:
        stored.open()
    assert (caught.value.message, caught.value.hint) == (f"not allowed to read {first(place)}", "check its permissions")
