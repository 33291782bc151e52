"""``ls``: the state of each split from one listing and the first kilobytes of manifests and plans."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import RowCount
from splitjoin_cli.splitting.stored.listing import ListedSplit, list_splits
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.testing.bodies import Bytes
from tests.splitting.runs import JOB, MANIFEST, PLAN, Fate, Killed, MortalSink, TwoPass, request, split

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.sinks.base import Sink, SmallObject

EXPORT = b"id,name\n1,a\n2,b\n3,c\n"


class Listens(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def listed(sink: Sink, observer: Silent | None = None) -> list[ListedSplit]:
    """All splits of a place."""
    with ThreadPoolExecutor(2) as executor:
        return list_splits(sink, executor=executor, jobs=2, observer=observer or Silent())


def states(store: MemoryStore) -> list[tuple[str, str]]:
    """Name and state of each."""
    return [(one.file_name, one.state) for one in listed(MemorySink(store))]


@pytest.mark.parametrize("compress", [None, "gzip"])
def test_a_whole_split(compress: Any) -> None:  # noqa: ANN401 -- a compression
    """Its document has the manifest's run, rows and bytes; what only looks like a split is none."""
    store = MemoryStore()
    run = split(EXPORT, MemorySink(store), request(compress=compress)).plan.run_id
    for name in ("acme_20240131.csv", "notes.txt", "a.manifest.json"):
        MemorySink(store).put(name, Bytes(b"id\n"), checksum=None)
    assert [one.to_json() for one in listed(MemorySink(store))] == [
        {
            "file_name": "acme_20240131",
            "run_id": run,
            "state": "whole",
            "total_parts": 2,
            "stored_parts": 2,
            "rows": 3,
            "bytes": 28,
            "at": None,
        }
    ]


@pytest.mark.parametrize("spoil", ["missing", "shorter", "another total"])
def test_a_damaged_split(spoil: str) -> None:
    """A chunk is not there, has another size, or is of another split."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    held = store.objects.pop("acme_20240131-1-2.csv")
    if spoil == "shorter":
        MemorySink(store).put("acme_20240131-1-2.csv", Bytes(b"id\n"), checksum=None)
    elif spoil == "another total":
        store.objects["acme_20240131-1-3.csv"] = held
        MemorySink(store).put("acme_20240131-1-3.csv", Bytes(held.data), checksum=None)
    (one,) = listed(MemorySink(store))
    assert (one.state, one.total_parts, one.stored_parts, one.rows) == ("damaged", 2, 2 if spoil == "shorter" else 1, 3)


def test_a_split_under_way() -> None:
    """Killed: the plan says how many chunks there will be."""
    store = MemoryStore()
    at = 0
    while "acme_20240131-1-2.csv" not in store.objects:
        store, at = MemoryStore(), at + 1
        with suppress(Killed):
            split(EXPORT, MortalSink(TwoPass(store), Fate(at, after=True)), request(jobs=1))
    (one,) = listed(MemorySink(store))
    plan = split(EXPORT, MemorySink()).plan
    assert one.to_json() == {
        "file_name": "acme_20240131",
        "run_id": plan.run_id,
        "state": "under way",
        "total_parts": 2,
        "stored_parts": 1,
        "rows": 3,
        "bytes": 28,
        "at": None,
    }


def test_a_split_that_rm_has() -> None:
    """Under way, and nothing is known of it but the names of its chunks."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    MemorySink(store).put_small(PLAN, Removal(JOB.file_name, "0" * 32).to_bytes())
    (one,) = listed(MemorySink(store))
    assert (one.state, one.run_id, one.total_parts, one.stored_parts) == ("under way", None, 2, 2)


def test_a_split_without_manifest() -> None:
    """The names say how many there should be, where they agree."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    del store.objects[MANIFEST]
    (one,) = listed(MemorySink(store))
    assert (one.state, one.run_id, one.total_parts, one.stored_parts, one.rows) == (
        "without manifest",
        None,
        2,
        2,
        None,
    )
    assert one.size_bytes == 28
    MemorySink(store).put("acme_20240131-1-9.csv", Bytes(b"id\n"), checksum=None)
    (one,) = listed(MemorySink(store))
    assert (one.total_parts, one.stored_parts, one.size_bytes) == (None, 3, None)


def test_a_manifest_that_cannot_be_read_is_a_warning() -> None:
    """Its split is damaged, the others are listed."""
    store, heard = MemoryStore(), Listens()
    split(EXPORT, MemorySink(store))
    split(EXPORT, MemorySink(store), job=JobName("zeta", "1"))
    MemorySink(store).put_small(MANIFEST, b"{}")
    assert [one.state for one in listed(MemorySink(store), heard)] == ["damaged", "whole"]
    assert heard.warnings == [
        (
            "memory:///acme_20240131.manifest.json holds no manifest that splitjoin can read: its chunks do not begin "
            "within 2 bytes"
        )
    ]


def test_names_that_are_nearly_the_same() -> None:
    """Each is a split of its own, in the order of the names."""
    store = MemoryStore()
    for job in (JobName("a", "1-2"), JobName("a", "1"), JobName("a", "12"), JobName("a_1", "2")):
        split(EXPORT, MemorySink(store), job=job)
    assert states(store) == [(name, "whole") for name in ("a_1", "a_1-2", "a_12", "a_1_2")]


def test_only_heads_are_read() -> None:
    """Of a manifest of many chunks the first kilobytes."""
    store, asked = MemoryStore(), []

    class Counts(MemorySink):
        def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
            asked.append((name, most))
            return super().read_small(name, most=most)

    split(EXPORT * 40, MemorySink(store), request(size=RowCount(1)))
    (one,) = listed(Counts(store))
    assert (one.state, one.total_parts) == ("whole", 159)
    assert asked == [(MANIFEST, 16 * 1024)]


def test_a_directory_says_when(tmp_path: Path) -> None:
    """The manifest's time; an empty place has no splits."""
    assert listed(DirectorySink(tmp_path)) == []
    split(EXPORT, DirectorySink(tmp_path))
    (one,) = listed(DirectorySink(tmp_path))
    assert one.at == (tmp_path / MANIFEST).stat().st_mtime
    assert (one.to_json()["at"] or "").endswith("Z")
