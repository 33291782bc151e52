"""The chunks that a listing shows, in columns: by name they are what the listing said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.model import StoredObject
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
