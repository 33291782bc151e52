"""Who gets a name: other content, strangers' chunks and unfinished plans are exit 11; of two at once, one wins."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import AccessError, NameTakenError, SplitjoinError, StoreError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.model import ChunkState, Dialect
from splitjoin_cli.core.names import JobName
from splitjoin_cli.splitting.existing import look
from splitjoin_cli.splitting.request import RowCount
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.testing.bodies import Bytes
from tests.splitting.runs import (
    JOB,
    MANIFEST,
    PLAN,
    Fate,
    Killed,
    MortalSink,
    TwoPass,
    chunks,
    objects,
    request,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.stores.sinks.base import Condition

EXPORT = b"id,name\n1,a\n2,b\n3,c\n"
OTHER = b"id,name\n1,A\n2,B\n3,C\n"
HINT = "--force replaces it; or choose another --client, --date or destination"
ALIKE = (
    "the options of its first split go on with it; --force replaces it by another run, which is loaded anew;"
    " or choose another --client, --date or destination"
)


def run_of(data: bytes) -> str:
    """The run's id of a split of ``data`` by the usual request."""
    return split(data, MemorySink()).plan.run_id


def abandoned(store: MemoryStore, data: bytes, *, job: JobName = JOB) -> None:
    """A split that was killed right after its first chunk."""
    with pytest.raises(Killed):
        split(data, MortalSink(TwoPass(store), Fate(5, after=True)), request(jobs=1), job=job)
    assert f"{job.file_name}.plan.json" in store.objects


def test_a_finished_split_of_other_content_has_the_name() -> None:
    """Both are named, and nothing is touched."""
    store = MemoryStore()
    split(OTHER, MemorySink(store))
    left = objects(store)
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store))
    assert error.value.message == (
        f"memory:///acme_20240131 holds a finished split of memory:source.csv (run {run_of(OTHER)}, 2 chunks); "
        f"this is a split of memory:source.csv (run {run_of(EXPORT)}); what differs: content (20 bytes, other ones); "
        "its other options are not recorded"
    )
    assert (error.value.hint, error.value.exit_code) == (HINT, 11)
    assert objects(store) == left


def test_an_unfinished_split_of_other_content_has_the_name() -> None:
    """The same, for a plan."""
    store = MemoryStore()
    abandoned(store, OTHER)
    left = objects(store)
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store))
    assert error.value.message == (
        f"memory:///acme_20240131 holds an unfinished split of memory:source.csv (run {run_of(OTHER)}, 2 chunks); "
        f"this is a split of memory:source.csv (run {run_of(EXPORT)}); what differs: content (20 bytes, other ones)"
    )
    assert objects(store) == left


@pytest.mark.parametrize(
    ("theirs", "data", "differs"),
    [
        ({}, EXPORT + b"4,d\n", "content (24 bytes there, 20 here)"),
        ({"size": RowCount(1)}, EXPORT, "chunk size (3 chunks there, 2 chunks here)"),
        ({"run_label": "again"}, EXPORT, "run label, or --encoding"),
        ({"compress": "gzip"}, EXPORT, "compression ('gzip' there, none here)"),
        ({"dialect": Dialect(delimiter=";")}, EXPORT, "dialect: delimiter (';' there, ',' here)"),
        (
            {"dialect": Dialect(quotechar=None, header=False), "size": RowCount(1)},
            OTHER,
            (
                "content (20 bytes, other ones), dialect: quotechar (none there, '\"' here), "
                "dialect: header (no there, yes here)"
            ),
        ),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_what_differs_is_said(theirs: dict[str, Any], data: bytes, differs: str, *, finished: bool) -> None:
    """Content, chunk size, dialect, compression or label; a manifest has no options, a plan's are compared."""
    store = MemoryStore()
    if finished:
        split(data, MemorySink(store), request(**theirs))
    else:
        counted = Fate(10_000, after=False)
        split(data, MortalSink(TwoPass(), counted), request(jobs=1, **theirs))
        with pytest.raises(Killed):
            split(data, MortalSink(TwoPass(store), Fate(counted.calls - 5, after=False)), request(jobs=1, **theirs))
        assert PLAN in store.objects
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store))
    more = "; its other options are not recorded" if finished else "; its options are others" if theirs else ""
    assert error.value.message.partition("what differs: ")[2] == differs + more
    assert error.value.hint == (HINT if differs.startswith("content") else ALIKE)


def test_other_options_are_another_run() -> None:
    """Another chunk size cuts elsewhere: the name is taken."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    with pytest.raises(NameTakenError):
        split(EXPORT, MemorySink(store), request(size=RowCount(1)))


def test_the_same_split_again_is_the_same_run() -> None:
    """All is skipped, and the manifest is left alone: not even written again."""
    store = MemoryStore()
    split(EXPORT, TwoPass(store))
    left = dict(store.objects)
    result = split(EXPORT, TwoPass(store), request(jobs=5))
    assert [result.progress.count(state) for state in (ChunkState.UPLOADED, ChunkState.SKIPPED, ChunkState.FAILED)] == [
        0,
        2,
        0,
    ]
    assert all(store.objects[name] is held for name, held in left.items())
    assert store.objects.keys() == left.keys()


def test_a_run_that_was_forced_stays_what_it_is() -> None:
    """Run again, even with --force: nothing is sent; a chunk that is missing comes with the run's generation."""
    store = MemoryStore()
    split(OTHER, TwoPass(store))
    split(EXPORT, TwoPass(store), request(force=True))
    left = objects(store)
    result = split(EXPORT, TwoPass(store), request(force=True))
    assert (result.progress.count(ChunkState.SKIPPED), result.plan.generation) == (2, 2)
    assert objects(store) == left
    del store.objects["acme_20240131-1-2.csv"]
    assert split(EXPORT, TwoPass(store)).progress.count(ChunkState.UPLOADED) == 1
    assert objects(store) == left


@pytest.mark.parametrize("compress", [None, "gzip"])
def test_a_forced_run_in_a_directory_is_skipped_by_its_checksums(compress: str | None, tmp_path: Path) -> None:
    """A directory keeps no metadata: the manifest says what is right, and what is not is written again."""
    split(OTHER, DirectorySink(tmp_path), request(compress=compress))
    split(EXPORT, DirectorySink(tmp_path), request(compress=compress, force=True))
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert split(EXPORT, DirectorySink(tmp_path), request(compress=compress)).progress.count(ChunkState.SKIPPED) == 2
    damaged = min(path for path in tmp_path.iterdir() if "-1-2" in path.name)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"X")
    again = split(EXPORT, DirectorySink(tmp_path), request(compress=compress))
    assert (again.progress.count(ChunkState.SKIPPED), again.progress.count(ChunkState.UPLOADED)) == (1, 1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == left


def test_the_old_runs_chunks_go_last() -> None:
    """The other run's manifest is gone before its first chunk is, and its chunks after the new manifest is there."""
    store, moments = MemoryStore(), []

    class Watches(TwoPass):
        def delete(self, name: str, *, when: Condition | None = None) -> bool:
            moments.append((name, Manifest.from_bytes(store.objects[MANIFEST].data).run_id))
            return super().delete(name, when=when)

    split(OTHER, MemorySink(store), request(size=RowCount(1)))
    old, new = split(OTHER, MemorySink(), request(size=RowCount(1))).plan.run_id, run_of(EXPORT)
    split(EXPORT, Watches(store), request(force=True))
    assert moments == [
        (MANIFEST, old),
        *((f"acme_20240131-{number}-3.csv", new) for number in (1, 2, 3)),
        (PLAN, new),
    ]
    assert Manifest.from_bytes(store.objects[MANIFEST].data).generation == 2


def test_strangers_chunks_without_a_manifest_have_the_name() -> None:
    """Chunks that say nothing of themselves; other names beside them are of no matter."""
    store = MemoryStore()
    for name in ("acme_20240131-1-9.csv", "acme_20240131-02-9.csv", "acme_20240131.csv"):
        MemorySink(store).put(name, Bytes(b"id\n"), checksum=None)
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store))
    assert error.value.message == (
        "memory:///acme_20240131 holds 2 chunks without a manifest, the first acme_20240131-02-9.csv; "
        f"this is a split of memory:source.csv (run {run_of(EXPORT)})"
    )
    split(EXPORT, MemorySink(store), request(force=True))
    assert sorted(store.objects) == ["acme_20240131-1-2.csv", "acme_20240131-2-2.csv", "acme_20240131.csv", MANIFEST]


def test_chunks_of_another_run_without_a_manifest_say_whose_they_are() -> None:
    """Their metadata names the run; those of the same run are taken up."""
    store = MemoryStore()
    split(OTHER, MemorySink(store))
    del store.objects[MANIFEST]
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store))
    assert f" holds 2 chunks of run {run_of(OTHER)} without a manifest; " in error.value.message
    assert split(OTHER, MemorySink(store)).progress.count(ChunkState.SKIPPED) == 2
    assert MANIFEST in store.objects


def test_strangers_chunks_in_a_directory_have_the_name(tmp_path: Path) -> None:
    """A directory keeps no metadata: a chunk without a manifest that has other bytes is a stranger's, and stays."""
    (tmp_path / "acme_20240131-1-2.csv").write_bytes(b"id,name\n1,A\n2,b\n")
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, DirectorySink(tmp_path))
    assert error.value.message == (
        f"{tmp_path}/acme_20240131 holds 1 chunk without a manifest, the first acme_20240131-1-2.csv; "
        f"this is a split of memory:source.csv (run {run_of(EXPORT)})"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["acme_20240131-1-2.csv"]


@pytest.mark.parametrize("compress", [None, "gzip", "zstd"])
@pytest.mark.parametrize("lost", [(), ("-1-2",)])
def test_a_directory_whose_manifest_is_gone_gets_it_back(
    compress: str | None, lost: tuple[str, ...], tmp_path: Path
) -> None:
    """Names, sizes and checksums are the plan's: the chunks are this run's, and what is missing is sent."""
    split(EXPORT, DirectorySink(tmp_path), request(compress=compress))
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / MANIFEST).unlink()
    for path in [path for path in tmp_path.iterdir() if any(part in path.name for part in lost)]:
        path.unlink()
    again = split(EXPORT, DirectorySink(tmp_path), request(compress=compress))
    assert (again.progress.count(ChunkState.SKIPPED), again.progress.count(ChunkState.UPLOADED)) == (
        2 - len(lost),
        len(lost),
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == left


@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("spoil", ["content", "name", "damage"])
def test_chunks_that_are_not_all_the_plans_are_strangers(compress: str | None, spoil: str, tmp_path: Path) -> None:
    """One chunk of the same size with other bytes, one more of the same name, one that cannot be read."""
    split(EXPORT, DirectorySink(tmp_path), request(compress=compress))
    (tmp_path / MANIFEST).unlink()
    second = next(path for path in tmp_path.iterdir() if "-2-2" in path.name)
    if spoil == "content":
        split(OTHER, DirectorySink(tmp_path / "other"), request(compress=compress))
        second.write_bytes((tmp_path / "other" / second.name).read_bytes())
    elif spoil == "name":
        second.with_name(second.name.replace("-2-2", "-3-3")).write_bytes(second.read_bytes())
    else:
        second.write_bytes(b"\x1f" * second.stat().st_size)
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(NameTakenError, match=r" chunks without a manifest, the first acme_20240131-1-2\.csv"):
        split(EXPORT, DirectorySink(tmp_path), request(compress=compress))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == left


def replaced(store: MemoryStore) -> tuple[str, str]:
    """A split of OTHER that EXPORT has replaced, and over whose chunk 1 OTHER's lies again: the runs, old and new."""
    old = split(OTHER, TwoPass(store)).plan.run_id
    chunk = store.objects["acme_20240131-1-2.csv"]
    new = split(EXPORT, TwoPass(store), request(force=True)).plan.run_id
    store.objects["acme_20240131-1-2.csv"] = chunk
    return old, new


def test_an_older_runs_chunk_is_replaced_with_force_alone() -> None:
    """Another run's object lies over a finished split's chunk: named, exit 11, and untouched; --force sends it."""
    store = MemoryStore()
    old, new = replaced(store)
    left = objects(store)
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, TwoPass(store))
    assert error.value.message == (
        f"memory:///acme_20240131-1-2.csv is a chunk of run {old}; this is a split of memory:source.csv (run {new})"
    )
    assert error.value.hint == HINT
    assert objects(store) == left
    result = split(EXPORT, TwoPass(store), request(force=True))
    assert (result.progress.count(ChunkState.UPLOADED), result.progress.count(ChunkState.SKIPPED)) == (1, 1)
    assert chunks(store) == chunks_of(EXPORT)
    assert PLAN not in store.objects


def chunks_of(data: bytes) -> dict[str, bytes]:
    """The chunks of a split by the usual request."""
    store = MemoryStore()
    split(data, TwoPass(store))
    return chunks(store)


def test_a_chunk_in_a_directory_that_is_not_the_plans_is_left_alone(tmp_path: Path) -> None:
    """A plan stands, no manifest, and a chunk has another size: nothing says whose it is."""
    split(EXPORT, DirectorySink(tmp_path / "whole"))
    plan = abandoned_plan()
    (tmp_path / PLAN).write_bytes(plan)
    (tmp_path / "acme_20240131-1-2.csv").write_bytes(b"id,name\n")
    with pytest.raises(NameTakenError, match=r"acme_20240131-1-2\.csv is not a chunk of this run; "):
        split(EXPORT, DirectorySink(tmp_path))
    assert (tmp_path / "acme_20240131-1-2.csv").read_bytes() == b"id,name\n"
    split(EXPORT, DirectorySink(tmp_path), request(force=True))
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def abandoned_plan() -> bytes:
    """The plan of a split that was killed."""
    store = MemoryStore()
    abandoned(store, EXPORT)
    return store.objects[PLAN].data


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_name_that_rm_has_is_nobodys(force: bool, whole: bool) -> None:  # noqa: FBT001 -- parameters
    """Running or killed: every split is exit 11, --force too, with the command that ends it."""
    store = MemoryStore()
    if whole:
        split(EXPORT, TwoPass(store))
    MemorySink(store).put_small(PLAN, Removal("acme_20240131", "0" * 32).to_bytes())
    left = objects(store)
    for dry_run in (False, True):
        with pytest.raises(NameTakenError) as error:
            split(EXPORT, TwoPass(store), request(force=force, dry_run=dry_run))
        assert error.value.message == (
            "memory:///acme_20240131 is being removed: splitjoin rm has the name, and runs or was killed"
        )
        assert error.value.hint == (
            "wait for it; if it was killed, type the same command again "
            "(splitjoin rm memory:/// --name acme_20240131, with its other options), then split"
        )
    assert objects(store) == left


def test_a_resume_after_the_manifest_claims_the_name_again() -> None:
    """A chunk of a finished split is gone: the plan stands while it is sent, so that nobody else takes the name."""
    store, plans = MemoryStore(), []

    class Watches(TwoPass):
        def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:  # noqa: ANN401 -- MemorySink's
            plans.append(PLAN in store.objects)
            return super().put(name, *arguments, **options)

    split(EXPORT, TwoPass(store))
    left = objects(store)
    del store.objects["acme_20240131-1-2.csv"]
    split(EXPORT, Watches(store))
    assert plans == [True]
    assert objects(store) == left


@pytest.mark.parametrize(("ours", "theirs"), [("1", "1-2"), ("1-2", "1"), ("1", "12"), ("1", "1-1-2.csv")])
def test_a_name_is_not_its_prefix(ours: str, theirs: str) -> None:
    """``a_1`` and ``a_1-2`` live side by side: neither sees, replaces nor deletes what is the other's."""
    store = MemoryStore()
    split(OTHER, MemorySink(store), job=JobName("a", theirs))
    their_objects = objects(store)
    split(EXPORT, MemorySink(store), job=JobName("a", ours))
    split(OTHER, MemorySink(store), request(force=True, size=RowCount(1)), job=JobName("a", ours))
    assert their_objects.items() <= objects(store).items()
    assert len(chunks(store)) == 5
    existing = look(MemorySink(store), JobName("a", ours))
    assert sorted(existing.chunks) == [f"a_{ours}-{number}-3.csv" for number in (1, 2, 3)]


@pytest.mark.parametrize("options", [{}, {"compress": "gzip"}])
def test_a_dry_run_makes_nothing(options: dict[str, str], tmp_path: Path) -> None:
    """Not even the directory; all chunks are planned."""
    result = split(EXPORT, DirectorySink(tmp_path / "a" / "b"), request(dry_run=True, **options))
    assert not list(tmp_path.iterdir())
    assert [chunk["state"] for chunk in result.to_json()["chunks"]] == ["planned", "planned"]


class NotWritable(TwoPass):
    """A store that says already that nothing can be stored."""

    def check_writable(self, name: str) -> None:
        raise AccessError(f"nothing can be stored: {name}")


def test_a_right_that_is_missing_is_found_before_the_scan() -> None:
    """Not where nothing is to be stored: a dry run, and a split that is whole, go on."""
    store = MemoryStore()
    with pytest.raises(AccessError, match=r"^nothing can be stored: acme_20240131\.plan\.json$"):
        split(b'"not,a\n"table', NotWritable(store))
    assert split(EXPORT, NotWritable(store), request(dry_run=True)).progress.count(ChunkState.PLANNED) == 2
    split(EXPORT, TwoPass(store))
    assert split(EXPORT, NotWritable(store)).progress.count(ChunkState.SKIPPED) == 2


@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("made", [MemorySink, TwoPass])
def test_a_dry_run_knows_what_is_stored(made: type[MemorySink], compress: str | None) -> None:
    """A chunk is stored where it is this run's, by its own metadata; nothing is written, and of another run none is."""
    store = MemoryStore()
    whole = split(EXPORT, made(store), request(compress=compress))
    suffix = ".csv" if compress is None else ".csv.gz"
    del store.objects[f"acme_20240131-1-2{suffix}"]
    left = objects(store)
    dry = split(EXPORT, made(store), request(compress=compress, dry_run=True)).to_json()
    assert [chunk["state"] for chunk in dry["chunks"]] == ["planned", "stored"]
    assert dry["chunks"][1] == whole.to_json()["chunks"][1] | {"state": "stored"}
    assert (dry["uploaded"], dry["skipped"], dry["failed"], dry["generation"]) == (0, 1, 0, 1)
    replaced = split(OTHER, made(store), request(compress=compress, dry_run=True, force=True)).to_json()
    assert [chunk["state"] for chunk in replaced["chunks"]] == ["planned", "planned"]
    assert replaced["generation"] == 2
    assert objects(store) == left


def test_a_dry_run_says_that_the_name_is_taken() -> None:
    """Exit 11 as the split itself, unless it would replace."""
    store = MemoryStore()
    split(OTHER, MemorySink(store))
    left = objects(store)
    with pytest.raises(NameTakenError):
        split(EXPORT, MemorySink(store), request(dry_run=True))
    assert split(EXPORT, MemorySink(store), request(dry_run=True, force=True)).progress.count(ChunkState.PLANNED) == 2
    assert objects(store) == left


class LooksTogether(TwoPass):
    """A process that goes on only when the other one has looked at the place as well."""

    def __init__(self, store: MemoryStore, barrier: threading.Barrier) -> None:
        super().__init__(store)
        self.barrier: threading.Barrier | None = barrier

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        if when is ABSENT and self.barrier is not None:
            barrier, self.barrier = self.barrier, None
            barrier.wait(20)
        return super().put_small(name, data, when=when)


def outcome(data: bytes, sink: MemorySink | DirectorySink) -> SplitjoinError | int:
    """The number of chunks, or what was raised."""
    try:
        return len(split(data, sink).plan.chunks)
    except SplitjoinError as exc:
        return exc


@pytest.mark.parametrize("second", [EXPORT, OTHER])
def test_of_two_that_claim_at_the_same_moment_one_content_wins(second: bytes) -> None:
    """The same content: both succeed. Other content: exactly one does, and its chunks are what is there."""
    for _ in range(20):
        store, barrier = MemoryStore(), threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(outcome, (EXPORT, second), [LooksTogether(store, barrier) for _ in range(2)]))
        winner = EXPORT if results[0] == 2 else second
        assert [isinstance(result, NameTakenError) for result in results].count(True) == (second != EXPORT)
        alone = MemoryStore()
        split(winner, TwoPass(alone))
        assert objects(store) == objects(alone)
        assert store.unfinished == {}


class SeesNothingYet(MemorySink):
    """A process that looked before another one claimed, split and finished: its claim comes after all that."""

    def __init__(self, store: MemoryStore, other: bytes) -> None:
        super().__init__(store)
        self.other: bytes | None = other

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        if when is ABSENT and self.other is not None:
            other, self.other = self.other, None
            split(other, MemorySink(self.store))
        return super().put_small(name, data, when=when)


def test_a_claim_after_another_split_came_and_went_is_withdrawn() -> None:
    """The other's plan is gone, so the claim is granted; its manifest is there, so it must not stand."""
    store = MemoryStore()
    with pytest.raises(NameTakenError):
        split(EXPORT, SeesNothingYet(store, OTHER))
    alone = MemoryStore()
    split(OTHER, MemorySink(alone))
    assert objects(store) == objects(alone)
    assert store.unfinished == {}


def test_a_claim_after_the_same_split_came_and_went_is_good() -> None:
    """There is nothing to do but to say so."""
    store = MemoryStore()
    split(EXPORT, SeesNothingYet(store, EXPORT))
    alone = MemoryStore()
    split(EXPORT, MemorySink(alone))
    assert objects(store) == objects(alone)


class FinishesBehindTheListing(MemorySink):
    """Another process ends the same split right after this one has listed what is there."""

    def list(self, name_prefix: str = "") -> Iterator[StoredObject]:
        """As it was before."""
        listed = [*super().list(name_prefix)]
        split(EXPORT, MemorySink(self.store))
        return iter(listed)


def test_a_listing_is_no_snapshot() -> None:
    """Whoever sees a plan or a chunk finds the manifest, though the plan went and it came meanwhile."""
    store = MemoryStore()
    abandoned(store, EXPORT)
    existing = look(FinishesBehindTheListing(store), JOB)
    assert existing.plan is None
    assert existing.manifest is not None
    assert existing.manifest.run_id == run_of(EXPORT)


@pytest.mark.parametrize("second", [EXPORT, OTHER])
def test_two_at_once_into_a_directory(second: bytes, tmp_path: Path) -> None:
    """Real files and locks: neither removes what the other has under way."""
    for number in range(15):
        place = tmp_path / str(number)
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(outcome, (EXPORT, second), [DirectorySink(place) for _ in range(2)]))
        winner = EXPORT if results[0] == 2 else second
        assert [isinstance(result, NameTakenError) for result in results].count(True) == (second != EXPORT), results
        alone = MemoryStore()
        split(winner, MemorySink(alone))
        assert {path.name: path.read_bytes() for path in place.iterdir()} == {
            name: data for name, (data, _) in objects(alone).items()
        }


def test_who_was_replaced_while_running_writes_no_manifest() -> None:
    """A --force of other content took the name: the first one says so, and leaves the other's manifest alone."""
    store = MemoryStore()

    class IsReplaced(TwoPass):
        replaced = False

        def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
            done = super().put_small(name, data, when=when)
            if name == PLAN and not self.replaced:
                self.replaced = True
                abandoned_by_force(store)
            return done

    def abandoned_by_force(store: MemoryStore) -> None:
        with pytest.raises(Killed):
            split(OTHER, MortalSink(TwoPass(store), Fate(5, after=True)), request(force=True, jobs=1))

    with pytest.raises(NameTakenError) as error:
        split(EXPORT, IsReplaced(store))
    assert error.value.message == (
        f"memory:///acme_20240131 was taken over, with --force, by a split of memory:source.csv (run {run_of(OTHER)}) "
        f"while this one ran (run {run_of(EXPORT)})"
    )
    assert MANIFEST not in store.objects
    assert PlanFile.from_bytes(store.objects[PLAN].data).run_id == run_of(OTHER)


def test_a_name_that_comes_and_goes_is_an_error() -> None:
    """Not a loop for ever."""

    class NeverGrants(MemorySink):
        def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
            return when is not ABSENT and super().put_small(name, data)

    with pytest.raises(StoreError) as error:
        split(EXPORT, NeverGrants())
    assert error.value.message == (
        "memory:///acme_20240131.plan.json comes and goes: other processes split under this name"
    )
    assert error.value.hint == "wait for them, then run the same command again"
