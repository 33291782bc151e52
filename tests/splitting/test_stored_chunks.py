"""The chunks that a listing shows, in columns: by name they are what the listing said."""

from __future__ import annotations

import threading
from array import array
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from splitjoin_cli.core.model import StoredObject
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.splitting.stored_chunks import StoredChunks
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.sinks.base import Sink

NAMES = [f"acme_1-{number:03}-120.csv" for number in (7, 1, 120, 55)]
OTHER_NAMES = ["acme_1-1-3.csv", "acme_1-5-120.csv", "acme_1-007-120.csv.gz", "acme_1-007-0120.csv"]
NOT_ITS = ["acme_1.plan.json", "acme_2-1-3.csv", "acme_12-007-120.csv", "acme_1-2-1-3.csv"]


@pytest.mark.parametrize("kind", ["directory", "directory without the kernel", "memory"])
def test_chunks_are_found_by_name(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its size and validator, whatever its name; the rest is handed out, but for other jobs' chunks."""
    if kind == "directory without the kernel":
        monkeypatch.setenv("SPLITJOIN_SCANNER", "numpy")
    sink: Sink = MemorySink() if kind == "memory" else DirectorySink(tmp_path)
    for size, name in enumerate([*NAMES, *OTHER_NAMES, *NOT_ITS]):
        sink.put_small(name, b"x" * size)
    for about in (0, 3, 100):
        chunks = StoredChunks("acme_1")
        assert [one.name for one in chunks.fill(sink, "acme_", about=about)] == ["acme_1.plan.json"]
        assert sorted(chunks) == sorted(NAMES + OTHER_NAMES)
        assert len(chunks) == len(NAMES) + len(OTHER_NAMES)
        for name in NAMES + OTHER_NAMES:
            found, there = chunks[name], sink.head(name)
            assert there is not None
            assert (found.name, found.size, found.validator) == (name, there.size, there.validator)
        for name in [*NOT_ITS, "acme_1-002-120.csv", "acme_1-999-120.csv", "nothing"]:
            assert name not in chunks
    assert not StoredChunks("acme_1")
    sink.close()


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 8_999_999)])
def test_objects_of_s3_are_columns_too(numbers: tuple[int, ...]) -> None:
    """An ETag that is an MD5 is kept as a number, any other as it is; a name may say any number."""
    chunks = StoredChunks("acme_1")
    etags = ['"00ff0000000000000000000000000001"', '"ff000000000000000000000000000000"', '"0-2"']
    stored = [
        StoredObject(f"acme_1-{number:07}-9000000.csv", number, validator=etag)
        for number, etag in zip(numbers, etags, strict=False)
    ]
    assert [chunks.add(one) for one in stored] == [True] * len(stored)
    assert [chunks[one.name] for one in stored] == stored
    assert len(chunks.numbers) == 2


def test_what_is_forgotten_is_counted_still(tmp_path: Path) -> None:
    """The others are found where they are now."""
    sink = DirectorySink(tmp_path)
    for number in range(1, 121):
        sink.put_small(f"acme_1-{number:03}-120.csv", b"x" * number)
    chunks = StoredChunks("acme_1")
    assert list(chunks.fill(sink, "acme_")) == []
    there = {name: chunks[name] for name in chunks}
    chunks.forget(NumberRanges([(1, 6), (9, 119)]))
    left = [f"acme_1-{number:03}-120.csv" for number in (7, 8, 120)]
    assert sorted(chunks) == left
    assert [chunks[name] for name in left] == [there[name] for name in left]
    assert (len(chunks), len(chunks.numbers), "acme_1-009-120.csv" in chunks) == (120, 3, False)
    chunks.forget(NumberRanges([(7, 8), (120, 120)]))
    assert (len(chunks), bool(chunks), list(chunks)) == (120, True, [])
    sink.close()


def test_threads_that_ask_at_once_put_the_places_together_once(tmp_path: Path) -> None:
    """Each of them would take four bytes a chunk."""
    sink = DirectorySink(tmp_path)
    for name in NAMES:
        sink.put_small(name, b"")
    chunks = StoredChunks("acme_1")
    assert list(chunks.fill(sink, "acme_")) == []
    made, barrier = [], threading.Barrier(4)

    def slow() -> array[int]:
        made.append(1)
        barrier.reset()  # nobody waits there any more
        return array("i", [0]) * 121

    def ask(name: str) -> bool:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(1)
        return name in chunks

    with mock.patch.object(chunks, "_all_places", slow), ThreadPoolExecutor(4) as executor:
        assert list(executor.map(ask, NAMES)) == [False] * 4
    assert made == [1]
    sink.close()
