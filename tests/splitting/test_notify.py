"""A split that sends its chunks' events itself: each after its chunk, all before the manifest, again where in doubt."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.notify import Events
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.splitting.runs import JOB, MANIFEST, PLAN, Killed, TwoPass, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.result import SplitResult

EXPORT = b"id,name\n1,a\n2,b\n3,c\n4,d\n5,e\n"
NAMES = [f"{JOB.file_name}-{number}-3.csv" for number in (1, 2, 3)]


class Remembers:
    """Takes events and looks, at each, what is stored. ``refuses``: names; ``dies``: at the first event."""

    def __init__(self, store: MemoryStore, *, batch: int = 1, refuses: Sequence[str] = (), dies: bool = False) -> None:
        self.batch = batch
        self.sent: list[str] = []
        self._store, self._refuses, self._dies = store, refuses, dies
        self._lock = threading.Lock()

    def send(self, names: Sequence[str]) -> list[str | None]:
        if self._dies:
            raise Killed
        with self._lock:
            assert set(names) <= set(self._store.objects), "an event of a chunk that is not stored"
            assert MANIFEST not in self._store.objects, "a manifest before all events"
            self.sent += names
        if set(names) & set(self._refuses) and self.batch > 1:
            raise StoreError("the queue is away")
        return ["Throttled: later" if name in self._refuses else None for name in names]


def split(store: MemoryStore, sender: Remembers) -> SplitResult:
    """One split of the export, whose events ``sender`` gets."""
    sink: MemorySink = TwoPass(store)
    source = MemorySource(EXPORT)
    return SplitRun(request(), JOB, source, sink, Silent(), events=Events(sender)).run()


def test_each_chunk_is_told_once_and_a_finished_split_tells_nothing() -> None:
    """All events are sent before the manifest is there; then the same command has nothing to send."""
    store = MemoryStore()
    sender = Remembers(store)
    assert not split(store, sender).progress.count(ChunkState.FAILED)
    assert sorted(sender.sent) == NAMES
    again = Remembers(store)
    assert split(store, again).progress.count(ChunkState.SKIPPED) == 3
    assert again.sent == []


@pytest.mark.parametrize("batch", [1, 10])
def test_an_event_that_is_not_taken_is_sent_when_the_split_is_resumed(batch: int) -> None:
    """The chunk is stored and counts as failed; there is no manifest yet, and the plan stays, whatever was sent."""
    store = MemoryStore()
    result = split(store, Remembers(store, batch=batch, refuses=NAMES))
    said = "the queue is away" if batch > 1 else "Throttled: later"
    assert result.progress.errors == dict.fromkeys((1, 2, 3), f"it is stored, and its event was not sent: {said}")
    assert set(store.objects) == {*NAMES, PLAN}
    sender = Remembers(store)
    assert split(store, sender).progress.count(ChunkState.SKIPPED) == 3
    assert sorted(sender.sent) == NAMES
    assert MANIFEST in store.objects


def test_a_split_that_was_killed_before_it_sent_sends_all_of_them() -> None:
    """What was stored by then is skipped, and told all the same."""
    store = MemoryStore()
    with pytest.raises(Killed):
        split(store, Remembers(store, dies=True))
    stored = set(store.objects) & set(NAMES)
    assert stored
    sender = Remembers(store)
    result = split(store, sender)
    assert result.progress.count(ChunkState.SKIPPED) == len(stored)
    assert sorted(sender.sent) == NAMES


def test_batches_of_many_threads() -> None:
    """Each event is in one request, none has more than fit, and the last ones go at the end."""

    class Counts:
        batch = 10

        def __init__(self) -> None:
            self.requests: list[list[str]] = []

        def send(self, names: Sequence[str]) -> list[str | None]:
            self.requests.append(list(names))
            return [None] * len(names)

    sender = Counts()
    events = Events(sender)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: events.stored(number, str(number)), range(1005)))
    events.flush()
    events.flush()
    assert sorted(len(names) for names in sender.requests) == [5, *[10] * 100]
    assert len({name for names in sender.requests for name in names}) == 1005
