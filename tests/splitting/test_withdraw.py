"""A split that ends before its first chunk is stored gives the name back; one that stored a chunk keeps it."""

# ruff: noqa: ANN401 -- what MemorySink takes is handed on

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import SourceChangedError, StoppedError, StoreError
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.testing.bodies import Bytes
from tests.splitting.runs import JOB, PLAN, Fate, Killed, MortalSink, TwoPass, objects, request, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.splitting.standing import Repairs
    from splitjoin_cli.stores.sinks.base import Condition, StagedObject

EXPORT = b"id,name\n1,a\n2,b\n3,c\n"
FIRST = f"{JOB.file_name}-1-2.csv"


class After(TwoPass):
    """Something happens right after the plan was stored."""

    def __init__(self, store: MemoryStore, act: Callable[[], object]) -> None:
        super().__init__(store)
        self.act = act

    def put_small(self, name: str, data: bytes, *, when: Condition | None = None) -> bool:
        claimed = super().put_small(name, data, when=when)
        self.act()
        return claimed


class PublishesUpTo(MemorySink):
    """A sink that takes so many chunks and then no more."""

    def __init__(self, store: MemoryStore, count: int) -> None:
        super().__init__(store)
        self.count = count

    def publish(
        self, staged: StagedObject, name: str, *, metadata: str | None = None, when: Condition | None = None
    ) -> StoredObject:
        self.count -= 1
        if self.count < 0:
            raise StoreError("no space left")
        return super().publish(staged, name, metadata=metadata, when=when)


class Unsweepable(TwoPass):
    """A store that does not list uploads."""

    def sweep(self, name_prefix: str, *_: Any, **__: Any) -> int:
        raise StoreError(f"s3:ListMultipartUploads {name_prefix}: access denied", hint="the key lacks it")


class Listens(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_a_source_that_changes_before_the_first_chunk_leaves_no_plan() -> None:
    """The changed export can be split at once."""
    store, source = MemoryStore(), MemorySource(EXPORT)
    with pytest.raises(SourceChangedError):
        split(source, After(store, lambda: source.replace(EXPORT * 2)))
    assert objects(store) == {}
    split(EXPORT + b"4,d\n", TwoPass(store))


def test_a_signal_while_the_name_is_claimed_leaves_no_plan() -> None:
    """The store has the plan, and the process has not heard it."""
    store = MemoryStore()

    def stop() -> None:
        raise StoppedError(signal.SIGTERM)

    with pytest.raises(StoppedError):
        split(EXPORT, After(store, stop))
    assert objects(store) == {}


@pytest.mark.parametrize("at", range(1, 40))
def test_a_signal_at_any_call_leaves_a_plan_only_with_a_chunk(at: int) -> None:
    """Whatever the process waits for when the signal comes: the answer has come, or is on its way."""
    store = MemoryStore()

    class Stops(MortalSink):
        """The signal comes right after one call took effect; the process goes on, and cleans up."""

        def _die(self) -> None:
            self.fate.dead, self.fate.at = False, -1
            raise StoppedError(signal.SIGTERM)

    fate = Fate(at, after=True)
    try:
        split(EXPORT, Stops(TwoPass(store), fate), request(jobs=1))
    except StoppedError:
        assert FIRST in objects(store) or objects(store) == {}
    else:
        assert fate.calls <= at
    split(EXPORT, TwoPass(store))


def test_a_signal_while_the_tracker_is_asked_leaves_no_plan() -> None:
    """Right after the claim: what ``replace`` wrote down is looked up."""
    store = MemoryStore()

    def repairs(_: PlanFile) -> Repairs:
        assert PLAN in objects(store)
        raise StoppedError(signal.SIGTERM)

    with pytest.raises(StoppedError):
        SplitRun(request(), JOB, MemorySource(EXPORT), TwoPass(store), Silent(), repairs=repairs).run()
    assert objects(store) == {}


@pytest.mark.parametrize(("count", "left"), [(0, []), (1, [FIRST, PLAN])])
def test_a_full_disk_leaves_a_plan_only_with_a_chunk(count: int, left: list[str]) -> None:
    """Where chunks are written before they are named."""
    store = MemoryStore()
    with pytest.raises(StoreError, match=r"^no space left$"):
        split(EXPORT, PublishesUpTo(store, count))
    assert sorted(objects(store)) == left
    assert store.unfinished == {}


def test_the_chunk_of_another_process_keeps_the_plan() -> None:
    """Two of one split at once: the one that ends early must not take the other's claim."""
    store, source = MemoryStore(), MemorySource(EXPORT)

    def meanwhile() -> None:
        MemorySink(store).put(FIRST, Bytes(b"id,name\n1,a\n2,b\n"), checksum=None)
        source.replace(EXPORT * 2)

    with pytest.raises(SourceChangedError):
        split(source, After(store, meanwhile))
    assert sorted(objects(store)) == [FIRST, PLAN]


def test_a_plan_that_was_there_before_stays() -> None:
    """It is another process's claim, which may live."""
    store, source = MemoryStore(), MemorySource(EXPORT)
    with pytest.raises(Killed):
        split(EXPORT, MortalSink(TwoPass(store), Fate(3, after=True)), request(jobs=1))
    assert sorted(objects(store)) == [PLAN]

    class Changes(TwoPass):
        """The export changes when a chunk is put."""

        def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
            source.replace(EXPORT * 2)
            return super().sweep(name_prefix, only=only, count=count)

    with pytest.raises(SourceChangedError):
        split(source, Changes(store))
    assert sorted(objects(store)) == [PLAN]


def test_a_sweep_that_is_refused_is_one_warning() -> None:
    """A courtesy: the split is as good without it."""
    store, alone, listens = MemoryStore(), MemoryStore(), Listens()
    split(EXPORT, Unsweepable(store), observer=listens)
    split(EXPORT, TwoPass(alone))
    assert objects(store) == objects(alone)
    assert listens.warnings == [
        "cannot remove what killed splits left: s3:ListMultipartUploads acme_20240131-: access denied; the key lacks it"
    ]


def test_what_a_killed_look_left_on_another_day_is_swept() -> None:
    """Whether it may write a split asks under its plan's name; the next day's split has another name."""
    swept: list[tuple[str, list[str]]] = []
    uploads = ["acme_20240130.plan.json", "acme_20240131.plan.json", "acme_20240131.manifest.json",
               "acme_20240130.manifest.json", "acme_b_20240131.plan.json", "acme_20240130-1-2.csv"]  # fmt: skip

    class Sweeps(TwoPass):
        def sweep(self, name_prefix: str, *, only: Callable[[str], bool] | None = None, count: bool = False) -> int:
            swept.append((name_prefix, [name for name in uploads if only is None or only(name)]))
            return super().sweep(name_prefix, only=only, count=count)

    split(EXPORT, Sweeps())
    assert swept[-1] == ("acme_", uploads[:3])
