"""``rm`` beside splits: killed anywhere, two at once; in no order is a damaged split left without a word."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from splitjoin_cli.core.errors import NameTakenError, NotFoundError, SplitjoinError, StoreError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.removal import Removal
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.request import RowCount
from splitjoin_cli.splitting.stored.remove import RemoveReport, Removing
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.testing.bodies import Bytes
from tests.splitting.runs import JOB, MANIFEST, PLAN, Fate, Killed, MortalSink, TwoPass, objects, request, split
from tests.splitting.test_killed import FORKS, SYSTEM_CALLS, content

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.sinks.base import Sink

T = TypeVar("T")

EXPORT = b"id,name\n" + b"".join(b"%d,a\n" % number for number in range(5))
OTHER = EXPORT.replace(b",a", b",A")
TOKENS = iter(range(1 << 40))


def remove(sink: Sink, **options: Any) -> RemoveReport:  # noqa: ANN401 -- any of Removing's
    """One removal, of the usual name, with a token of its own; the sink is closed after it, as api/rm.py does."""
    with ThreadPoolExecutor(2) as executor:
        try:
            return Removing(sink, JOB.file_name, f"{next(TOKENS):032x}", executor, 1, Silent(), **options).run()
        finally:
            sink.close()


def neighbours(store: MemoryStore) -> dict[str, Any]:
    """Splits and files whose names are nearly the same."""
    for job in (JobName("acme", "20240131-1"), JobName("acme", "2024013"), JobName("acme_20240131", "1")):
        split(OTHER, MemorySink(store), job=job)
    for name in ("acme_20240131", "acme_20240131.csv", "acme_20240131-1-2.csv.bak", "acme_20240131-x-2.csv"):
        MemorySink(store).put(name, Bytes(b"id\n"), checksum=None)
    return objects(store)


def test_every_object_of_the_name_goes_and_no_other() -> None:
    """Chunks of any total and compression, with unpadded numbers, manifest and plan; uploads of killed splits, too."""
    store = MemoryStore()
    others = neighbours(store)
    split(EXPORT, MemorySink(store))
    for name in ("acme_20240131-1-9.csv", "acme_20240131-7-10.csv.gz", "acme_20240131-3-3.csv.zst", PLAN):
        MemorySink(store).put(name, Bytes(b"id\n"), checksum=None)
    for name in ("acme_20240131-1-3.csv", "acme_20240131-1-1-3.csv", MANIFEST):
        killed = MemorySink(store)
        killed.writer(name).write(b"half")
        killed.kill()
    report = remove(MemorySink(store))
    assert objects(store) == others
    assert [staged.name_prefix for staged in store.unfinished.values()] == ["acme_20240131-1-1-3.csv"]
    manifest = 3 + 1 + 4
    assert (report.removed, report.uploads, report.dry_run) == (manifest, 2, False)
    assert report.to_json() == {
        "file_name": "acme_20240131",
        "removed": 8,
        "bytes": report.size_bytes,
        "uploads": 2,
        "dry_run": False,
    }


def test_a_dry_run_removes_nothing_and_counts_the_same() -> None:
    """Objects, bytes and uploads as the command then says."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    killed = MemorySink(store)
    killed.writer("acme_20240131-1-3.csv").write(b"half")
    killed.kill()
    left = objects(store)
    with ThreadPoolExecutor(1) as executor:
        would = Removing(MemorySink(store), JOB.file_name, "0" * 32, executor, 1, Silent()).rehearse()
    assert objects(store) == left
    assert len(store.unfinished) == 1
    did = remove(MemorySink(store))
    assert would.to_json() == did.to_json() | {"dry_run": True}
    assert (did.removed, did.uploads, did.size_bytes) == (4, 1, sum(len(data) for data, _ in left.values()))


def test_nothing_there_is_an_error() -> None:
    """Named, with the place; what only looks like it is not counted."""
    store = MemoryStore()
    others = neighbours(store)
    with pytest.raises(NotFoundError, match=r"^there is nothing of acme_20240131 in memory:///$"):
        remove(MemorySink(store))
    assert objects(store) == others


def test_unfinished_leaves_a_finished_split_alone() -> None:
    """Also where the manifest comes only after the look: the claim is taken back."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    left = objects(store)
    message = r"^memory:///acme_20240131 is finished: its manifest is there$"
    with pytest.raises(StoreError, match=message):
        remove(MemorySink(store), unfinished=True)
    assert objects(store) == left
    manifest = store.objects.pop(MANIFEST)

    class Late(MemorySink):
        def sweep(self, name_prefix: str, **options: Any) -> int:  # noqa: ANN401 -- MemorySink's
            store.objects[MANIFEST] = manifest
            return super().sweep(name_prefix, **options)

    with pytest.raises(StoreError, match=message):
        remove(Late(store), unfinished=True)
    assert objects(store) == left


@pytest.mark.parametrize("before", ["whole", "killed split", "killed rm"])
def test_a_killed_removal_goes_on(before: str) -> None:
    """Before and after each I/O: no split has the name until the same command has ended, and then it is free."""
    at = survived = 0
    while survived < 2:
        survived = 0
        for after in (False, True):
            store = MemoryStore()
            others = neighbours(store)
            if before == "killed split":
                with suppress(Killed):
                    split(EXPORT, MortalSink(TwoPass(store), Fate(9, after=True)), request(jobs=1))
            else:
                split(EXPORT, MemorySink(store))
            if before == "killed rm":
                MemorySink(store).put_small(PLAN, Removal(JOB.file_name, "f" * 32).to_bytes())
            left = objects(store)
            try:
                remove(MortalSink(MemorySink(store), Fate(at, after)))
                survived += 1
            except Killed:
                now = objects(store)
                if now not in (left, others):
                    for force in (False, True):
                        with pytest.raises(NameTakenError, match="is being removed"):
                            split(OTHER, MemorySink(store), request(force=force))
                    assert objects(store) == now
                if now != others:
                    remove(MemorySink(store))
            assert objects(store) == others, (at, after)
            assert store.unfinished == {}
            split(OTHER, MemorySink(store))
        at += 1
    assert at > 10


class Meanwhile(MortalSink):
    """A process that is held up before one of its I/Os while something else happens."""

    def __init__(self, inner: MemorySink, at: int, act: Callable[[], object]) -> None:
        super().__init__(inner, Fate(1 << 60, after=False))
        self.at, self.act = at, act
        self.met = False

    def io(self, effect: Callable[[], T]) -> T:
        number = self.fate.calls
        self.fate.calls += 1
        if number == self.at:
            self.met = True
            self.act()
        return effect()


def tried(act: Callable[[], object]) -> SplitjoinError | None:
    """Whatever a process may end with that is no bug, a kill included: its error."""
    try:
        act()
    except SplitjoinError as exc:
        return exc
    except Killed:
        pass
    return None


def held_up(inner: MemorySink, at: int, act: Callable[[MemoryStore], object]) -> Meanwhile:
    """A process before whose I/O ``at`` something else happens in its store, as far as it can."""
    return Meanwhile(inner, at, lambda: tried(lambda: act(inner.store)))


def ended(inner: Meanwhile, run: Callable[[Meanwhile], object]) -> SplitjoinError | None:
    """What the process that is held up ends with."""
    return tried(lambda: run(inner))


def check_no_silent_damage(store: MemoryStore, moment: object) -> None:
    """Where no plan says that something is under way, a manifest has all its chunks, and they are its run's."""
    if PLAN in store.objects or MANIFEST not in store.objects:
        return
    manifest = Manifest.from_bytes(store.objects[MANIFEST].data)
    for number in range(1, manifest.total_parts + 1):
        held = store.objects.get(manifest.name(number))
        assert held is not None, moment
        assert held.stored.checksum == manifest.chunks[number].checksum, moment


ACTS: dict[str, Callable[[MemoryStore], object]] = {
    "rm": lambda store: remove(MemorySink(store)),
    "rm, killed early": lambda store: remove(MortalSink(MemorySink(store), Fate(4, after=True))),
    "rm, killed among the chunks": lambda store: remove(MortalSink(MemorySink(store), Fate(7, after=True))),
    "rm, killed late": lambda store: remove(MortalSink(MemorySink(store), Fate(11, after=False))),
    "the same split": lambda store: split(EXPORT, TwoPass(store), request(jobs=1)),
    "the same split, killed": lambda store: split(
        EXPORT, MortalSink(TwoPass(store), Fate(12, after=True)), request(jobs=1)
    ),
    "another split, forced": lambda store: split(OTHER, TwoPass(store), request(jobs=1, force=True)),
    "another split, forced, of more chunks": lambda store: split(
        OTHER, MemorySink(store), request(jobs=1, force=True, size=RowCount(1))
    ),
    "another split, forced, killed": lambda store: split(
        OTHER, MortalSink(TwoPass(store), Fate(14, after=True)), request(jobs=1, force=True)
    ),
    "rm, then another split": lambda store: (remove(MemorySink(store)), split(OTHER, MemorySink(store))),
    "rm, then another split, and rm again": lambda store: (
        remove(MemorySink(store)),
        split(OTHER, MemorySink(store)),
        remove(MemorySink(store)),
    ),
}


TWO_FORCED = [act for name, act in ACTS.items() if name.startswith("another split, forced")]
"""Of two with --force at once the one that lost the name may store a last chunk: its exit 11 says so."""


@pytest.mark.parametrize("kind", [MemorySink, TwoPass])
@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_split_that_is_held_up_anywhere_leaves_no_silent_damage(
    act: Callable[[MemoryStore], object],
    kind: type[MemorySink],
    forced: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Something else happens between any two of its I/Os; after that ``rm`` frees the name, and the split is done."""
    whole = MemoryStore()
    split(EXPORT, kind(whole))
    met, at = True, 0
    while met:
        store = MemoryStore()
        if forced:
            split(OTHER, MemorySink(store))
        sink = held_up(kind(store), at, act)
        error = ended(sink, lambda sink: split(EXPORT, sink, request(jobs=1, force=forced)))
        told = error is not None and "splitjoin verify says so" in (error.hint or "")
        if not (told and act in TWO_FORCED):
            check_no_silent_damage(store, at)
        with suppress(NotFoundError):
            remove(MemorySink(store))
        assert objects(store) == {}, at
        split(EXPORT, kind(store))
        assert objects(store) == objects(whole), at
        met, at = sink.met, at + 1
    assert at > 10


@pytest.mark.parametrize("act", [name for name in ACTS if "another split" in name or name == "rm"])
def test_a_removal_that_is_held_up_anywhere_leaves_no_silent_damage(act: str) -> None:
    """Another ``rm``, or splits, between any two of its I/Os: what is left is whole, or a plan says that it is not."""
    met, at = True, 0
    while met:
        store = MemoryStore()
        split(EXPORT, MemorySink(store))
        sink = held_up(MemorySink(store), at, ACTS[act])
        ended(sink, remove)
        check_no_silent_damage(store, at)
        met, at = sink.met, at + 1
    assert at > 8


def test_what_a_running_split_stores_meanwhile_goes_too() -> None:
    """Its last chunks come after the listing: the look again finds them before the name is free."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    late = ["acme_20240131-1-3.csv", "acme_20240131-2-3.csv"]

    class Late(MemorySink):
        def sweep(self, name_prefix: str, **options: Any) -> int:  # noqa: ANN401 -- MemorySink's
            if late and PLAN in store.objects:
                MemorySink(store).put(late.pop(), Bytes(b"id,name\n"), checksum=None)
            return super().sweep(name_prefix, **options)

    assert remove(Late(store)).removed == 4
    assert late == []
    assert objects(store) == {}


def test_another_removal_that_takes_over_is_told() -> None:
    """Its claim stands in the plan's place; the first one ends with an error, and leaves that claim alone."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store))
    theirs = Removal(JOB.file_name, "e" * 32).to_bytes()
    sink = Meanwhile(MemorySink(store), 6, lambda: MemorySink(store).put_small(PLAN, theirs))
    with pytest.raises(
        StoreError, match=r"^memory:///acme_20240131: another splitjoin rm took over while this one ran$"
    ):
        remove(sink)
    assert store.objects[PLAN].data == theirs


def test_a_split_says_that_rm_took_its_name() -> None:
    """Exit 11, which names rm; the manifest that it had stored is gone again."""
    store = MemoryStore()
    claim = Removal(JOB.file_name, "e" * 32).to_bytes()

    class TakenAfterTheManifest(TwoPass):
        def list(self, name_prefix: str = "") -> Any:  # noqa: ANN401 -- MemorySink's
            if MANIFEST in store.objects:
                MemorySink(store).put_small(PLAN, claim)
            return super().list(name_prefix)

    with pytest.raises(NameTakenError) as error:
        split(EXPORT, TakenAfterTheManifest(store))
    assert error.value.message.startswith("splitjoin rm took memory:///acme_20240131 while this split ran (run ")
    assert MANIFEST not in store.objects
    assert store.objects[PLAN].data == claim


def test_a_split_says_that_its_plan_or_a_chunk_is_gone() -> None:
    """Removed by hand: exit 11 before the manifest, or after it, which goes again; the same command is done then."""
    for name, words in ((PLAN, "was removed while this split ran"), ("acme_20240131-2-3.csv", "^chunk 2 of memory")):
        store = MemoryStore()

        class Loses(TwoPass):
            def writer(self, *arguments: Any, lost: str = name, of: MemoryStore = store, **options: Any) -> Any:  # noqa: ANN401 -- MemorySink's
                if lost == PLAN or arguments[0] == MANIFEST:
                    of.objects.pop(lost, None)
                return super().writer(*arguments, **options)

        with pytest.raises(NameTakenError, match=words) as error:
            split(EXPORT, Loses(store), request(jobs=1))
        assert error.value.hint == "if the split is still wanted, run the same command again"
        assert MANIFEST not in store.objects
        whole = MemoryStore()
        split(EXPORT, TwoPass(whole))
        split(EXPORT, TwoPass(store))
        assert objects(store) == objects(whole)


def remove_and_die(place: Path, at: int) -> None:
    """A removal from a directory, and SIGKILL to itself right before the ``at``-th system call that touches it."""
    lock, calls = threading.Lock(), 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal calls
        if event not in SYSTEM_CALLS:
            return
        target = arguments[0]
        if isinstance(target, str | Path) and Path(target).is_absolute() and not Path(target).is_relative_to(place):
            return
        with lock:
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

    sys.addaudithook(hook)
    remove(DirectorySink(place))


def test_a_removal_from_a_directory_survives_sigkill(tmp_path: Path) -> None:
    """A real process, killed before each of its system calls in turn: the next one ends it, and no folder is left."""
    code: int | None = None
    at = 0
    while code != 0:
        place = tmp_path / f"killed-{at}"
        split(OTHER, DirectorySink(place), job=JobName("acme", "20240131-1"))
        others = content(place)
        split(EXPORT, DirectorySink(place))
        child = FORKS.Process(target=remove_and_die, args=(place, at))
        child.start()
        child.join(60)
        code = child.exitcode
        assert code in (0, -signal.SIGKILL), at
        with suppress(NotFoundError):
            remove(DirectorySink(place))
        assert content(place) == others, at
        assert [path.name for path in place.iterdir() if path.is_dir()] == [], at
        at += 1
    assert at > 20
