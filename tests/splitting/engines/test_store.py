"""Chunks stored on an engine: on conditions alone, and with the name kept while a worker may still store one."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from concurrent.futures import Future
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws.options import AwsOptions, ObjectOptions
from splitjoin_cli.core.errors import AccessError, CopyRefusedError, EngineError, StoreError
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.engines import store as store_units
from splitjoin_cli.splitting.engines.base import Failed, StoreUnit
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.specs import Reach, SinkSpec, SourceSpec
from splitjoin_cli.splitting.engines.wire import answer_text, unit_of, unit_text
from splitjoin_cli.splitting.request import ChunkSize, RowCount
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore, MemoryWriter
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.splitting.engines.rigs import in_process, remote_of, split_on, split_on_threads
from tests.splitting.runs import MANIFEST, PLAN, TwoPass, objects, request, split
from tests.splitting.test_every_path import Copies, copyable

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.errors import SplitjoinError
    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.stores.sinks.base import Condition

EXPORT = b"id,name\n" + b"".join(b'%d,"na\nme %d"\n' % (number, number) for number in range(100))
SIZE, EIGHT = {"size": ChunkSize(300)}, {"size": RowCount(13)}


class Meets:
    """An engine of which each store unit meets what the test says; None: it is run."""

    def __init__(self, inner: InProcess, meets: Callable[[StoreUnit, str], Future[str] | None]) -> None:
        self.inner, self.meets, self.name, self.words, self.in_flight = inner, meets, "meets", inner.words, 4
        self.units: list[str] = []
        self.lost_work = False

    def submit(self, unit: str) -> Future[str]:
        self.units.append(unit)
        if '"unit":"store"' not in unit:
            return self.inner.submit(unit)
        found = unit_of(unit)
        return self.meets(found, unit) or self.inner.submit(unit)  # type: ignore[arg-type]  # a StoreUnit

    def cancel(self, future: Future[str]) -> None:
        self.inner.cancel(future)

    def close(self) -> None:
        self.inner.close()


def numbers_of(unit: StoreUnit) -> list[int]:
    """Of its chunks."""
    return [chunk.number for chunk in unit.chunks]


def answered(answer: Failed, unit: str) -> Future[str]:
    """A future that has its answer."""
    future: Future[str] = Future()
    future.set_result(answer_text(answer, unit))
    return future


def split_that_meets(
    store: MemoryStore,
    meets: Callable[[StoreUnit, str], Future[str] | None],
    **options: Any,  # noqa: ANN401
) -> tuple[object, list[str]]:
    """What comes of it, and the units."""
    with in_process(EXPORT, store) as inner:
        engine = Meets(inner, meets)
        return split_on(EXPORT, store, request(**SIZE, **options), engine=engine), engine.units


def test_no_unit_has_a_key_a_password_or_a_profile() -> None:
    """What names a place to a worker is made of the region and the endpoint alone."""
    aws = AwsOptions(profile="secret-profile", region="eu-west-1", endpoint_url="https://s3.example")
    reach = Reach(aws.region, aws.endpoint_url)
    objects = ObjectOptions(tags=(("team", "data"),), sse="AES256")
    _, units = split_that_meets(MemoryStore(), lambda _, __: None)
    scan = unit_of(units[0])
    for unit in map(unit_of, units):
        assert unit_of(unit_text(unit)) == unit
    source, sink = SourceSpec("s3://b/k", '"1"', 9, reach, "requester"), SinkSpec("s3://b/p/", reach, objects)
    store = unit_of(units[-1])
    for one in (scan, store):
        fields = json.loads(unit_text(one))
        assert not {"profile", "session", "secret", "password", "key"} & set(fields["source"])
    assert "secret-profile" not in repr((source, sink))


def test_every_store_unit_has_a_condition() -> None:
    """The name must be free; with --force, what was seen must still be there."""
    store = MemoryStore()
    seen: list[Condition] = []

    def looks(unit: StoreUnit, _: str) -> None:
        seen.extend(chunk.when for chunk in unit.chunks)

    split_that_meets(store, looks)
    assert {when.validator for when in seen} == {None}
    validators = {held.stored.validator for name, held in store.objects.items() if name.endswith(".csv")}
    seen.clear()
    split_that_meets(store, looks, force=True, run_label="again")
    assert {when.validator for when in seen} == validators


def test_a_chunk_that_another_stored_meanwhile_is_looked_at() -> None:
    """A late worker's own is this run's, and done; nothing is stored twice."""
    store, twice = MemoryStore(), []

    def late(unit: StoreUnit, text: str) -> Future[str] | None:
        numbers = numbers_of(unit)
        twice.extend(numbers)
        if 2 in numbers and twice.count(2) == 1:
            inner.submit(text).result()  # it arrives, and its answer does not
        return None

    with in_process(EXPORT, store) as inner:
        found = split_on(EXPORT, store, request(**SIZE), engine=Meets(inner, late))
    assert found == split_on_threads(EXPORT, **SIZE)
    assert twice.count(2) == 1


def test_a_failed_chunk_fails_alone_and_the_split_is_resumed_anywhere() -> None:
    """Exit 3: the others are stored; threads do the rest."""
    store = MemoryStore()
    denied = Failed("AccessError", "denied", "ask", fatal=False, again=False)
    found, _ = split_that_meets(store, lambda unit, text: answered(denied, text) if numbers_of(unit) == [3] else None)
    assert isinstance(found, dict)
    assert PLAN in found
    assert MANIFEST not in found
    assert split_on(EXPORT, store, request(**SIZE)) == split_on_threads(EXPORT, **SIZE)


def test_denied_chunks_leave_nothing() -> None:
    """As on threads: the name is free again, and the error is the workers'."""
    store = MemoryStore()
    denied = Failed("AccessError", "denied", "ask", fatal=False, again=False)
    found, _ = split_that_meets(store, lambda _, text: answered(denied, text))
    assert found == ("AccessError", "no chunk was stored: denied")
    assert store.objects == {}


def test_while_a_worker_may_store_a_chunk_the_name_is_kept() -> None:
    """The engine was lost with units under way: what they store later belongs to a plan that is still there."""
    store = MemoryStore()

    def lost(unit: StoreUnit, _: str) -> Future[str] | None:
        if numbers_of(unit) == [3]:
            raise EngineError("the scheduler is gone")
        return Future()

    found, _ = split_that_meets(store, lost)
    assert found == ("EngineError", "the scheduler is gone")
    assert list(store.objects) == [PLAN]
    assert split_on(EXPORT, store, request(**SIZE)) == split_on_threads(EXPORT, **SIZE)


@pytest.mark.parametrize("sure", [True, False])
def test_what_a_lost_worker_left_half_done_is_removed(*, sure: bool) -> None:
    """Also where its unit was answered by another one, so that nothing but the engine's word tells of it."""
    store, engines = MemoryStore(), list[Meets]()

    def dies(unit: StoreUnit, _: str) -> None:
        if numbers_of(unit) == [2]:
            left = MemorySink(store)
            left.stage(unit.chunks[0].name, 2)
            left.kill()
            engines[0].lost_work = not sure

    with in_process(EXPORT, store) as inner:
        engines.append(Meets(inner, dies))
        found = split_on(EXPORT, store, request(**SIZE), engine=engines[0])
    assert found == split_on_threads(EXPORT, **SIZE)
    assert len(store.unfinished) == sure


def test_a_worker_that_stored_another_object_fails_the_chunk() -> None:
    """Its word is compared with what was planned."""
    store = MemoryStore()

    def lies(unit: StoreUnit, text: str) -> Future[str] | None:
        if numbers_of(unit) != [2]:
            return None
        answer = json.loads(inner.submit(text).result())
        answer["chunks"][0]["size"] += 1
        future: Future[str] = Future()
        future.set_result(json.dumps(answer))
        return future

    with in_process(EXPORT, store) as inner:
        found = split_on(EXPORT, store, request(**SIZE), engine=Meets(inner, lies))
    assert isinstance(found, dict)
    assert MANIFEST not in found


class Refuses(TwoPass):
    """A store that takes a name only when it was tried so often; ``error``: what it says until then."""

    def __init__(self, store: MemoryStore, tries: Counter[str], needs: dict[str, int], error: SplitjoinError) -> None:
        super().__init__(store)
        self.tries, self.needs, self.error = tries, needs, error

    def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:  # noqa: ANN401 -- MemorySink's
        self.tries[name] += 1
        if self.tries[name] < self.needs.get(name, 0):
            raise self.error
        return super().put(name, *arguments, **options)


def split_in_large_units(
    store: MemoryStore,
    tries: Counter[str],
    needs: dict[str, int],
    error: SplitjoinError,
    meets: Callable[[StoreUnit, str], Future[str] | None] = lambda _, __: None,
) -> tuple[object, list[list[int]]]:
    """What comes of it, and the numbers of each unit's chunks: one unit at a time, so that it has several."""
    place = Place(lambda _: MemorySource(EXPORT), lambda _: Refuses(store, tries, needs, error))
    engine = Meets(InProcess(place), meets)
    engine.in_flight = 1
    try:
        found = split_on(EXPORT, store, request(**EIGHT), engine=engine)
    finally:
        engine.close()
    units = map(unit_of, engine.units)
    return found, [numbers_of(unit) for unit in units if isinstance(unit, StoreUnit)]


def test_neighbours_are_one_unit_and_fail_one_by_one() -> None:
    """What may pass is tried again, that chunk alone, as often as a unit; a resume sends what is missing."""
    store, tries = MemoryStore(), Counter[str]()
    needs = {"acme_20240131-1-8.csv": 3, "acme_20240131-3-8.csv": 99, "acme_20240131-4-8.csv": 99}
    found, units = split_in_large_units(store, tries, needs, StoreError("503 SlowDown"))
    assert units == [[1, 2, 3, 4], [1, 3, 4], [1, 3, 4], [3, 4], [5, 6], [7], [8]]
    assert isinstance(found, dict)
    assert sorted(name for name in found if name.endswith(".csv")) == [
        f"acme_20240131-{number}-8.csv" for number in (1, 2, 5, 6, 7, 8)
    ]
    again, units = split_in_large_units(store, tries, {}, StoreError("503 SlowDown"))
    assert units == [[3], [4]]
    assert again == split_on_threads(EXPORT, **EIGHT)


def test_what_another_try_does_not_mend_is_tried_once() -> None:
    """Its neighbours are stored."""
    store, tries = MemoryStore(), Counter[str]()
    found, units = split_in_large_units(store, tries, {"acme_20240131-2-8.csv": 9}, AccessError("denied"))
    assert units == [[1, 2, 3, 4], [5, 6], [7], [8]]
    assert isinstance(found, dict)
    assert sum(name.endswith(".csv") for name in found) == 7


def test_a_unit_that_no_worker_survives_is_sent_chunk_by_chunk() -> None:
    """So that the others are stored."""
    store, tries = MemoryStore(), Counter[str]()
    died = Failed("EngineError", "4 Dask workers died", None, fatal=False, again=False)
    found, units = split_in_large_units(
        store, tries, {}, StoreError(""), lambda unit, text: answered(died, text) if 3 in numbers_of(unit) else None
    )
    assert units == [[1, 2, 3, 4], [1], [2], [3], [4], [5, 6], [7], [8]]
    assert isinstance(found, dict)
    assert sum(name.endswith(".csv") for name in found) == 7


def test_a_store_that_refuses_copies_is_asked_until_it_is_known_and_told_of_once() -> None:
    """Each chunk would begin an upload and read its first bytes for nothing; what follows is stored by neighbours."""
    store, threads, heard, asked = MemoryStore(), MemoryStore(), list[str](), list[str]()

    class NeverCopies(Copies):
        def copy(self, name: str, *_: object, **__: object) -> StoredObject:
            asked.append(name)
            raise CopyRefusedError(f"no copy of {name}")

    class Listens(Silent):
        def warn(self, message: str) -> None:
            heard.append(message)

    place = Place(lambda _: copyable(EXPORT, store), lambda _: NeverCopies(store))
    with closing(Meets(InProcess(place), lambda _, __: None)) as engine:
        engine.in_flight = 1
        remote = remote_of(engine, EXPORT, lambda: NeverCopies(store))
        source = copyable(EXPORT, store)
        split(source, NeverCopies(store), request(**EIGHT), observer=Listens(), remote=remote)
    split(copyable(EXPORT, threads), TwoPass(threads), request(**EIGHT))
    assert objects(store) == objects(threads)
    units = [numbers_of(unit) for unit in map(unit_of, engine.units) if isinstance(unit, StoreUnit)]
    assert units == [[1], [2, 3, 4], [5, 6], [7], [8]]
    assert asked == ["acme_20240131-1-8.csv"]
    assert heard == [f"no copy of {asked[0]}"]


@pytest.mark.parametrize("piece", [store_units.PIECE_BYTES, 100])
def test_a_store_that_ignores_conditions_is_refused(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """Before the first chunk, with nothing left; a plan that is large is tried in pieces, with the same bytes."""
    put, writer, kept = MemorySink.put_small, MemorySink.writer, list[bytes | None]()

    def ignores(self: MemorySink, name: str, data: bytes, *, when: Condition | None = None) -> bool:  # noqa: ARG001
        return put(self, name, data)

    def pieces(self: MemorySink, name: str, **options: Any) -> MemoryWriter:  # noqa: ANN401 -- those of the contract
        kept.append(self.get_small(name))
        return writer(self, name, **options | {"when": None})

    monkeypatch.setattr(store_units, "PIECE_BYTES", piece)
    monkeypatch.setattr(MemorySink, "put_small", ignores)
    monkeypatch.setattr(MemorySink, "writer", pieces)
    store = MemoryStore()
    found = split_on(EXPORT, store, request(**SIZE))
    assert found == (
        "UsageError",
        f"memory:///{PLAN}: the store ignores the conditions of writes, which workers need",
    )
    assert store.objects == {}
    assert len(kept) == (piece == 100)


@pytest.mark.parametrize("piece", [store_units.PIECE_BYTES, 100])
def test_a_store_that_keeps_conditions_is_taken(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """And the plan is what it was."""
    monkeypatch.setattr(store_units, "PIECE_BYTES", piece)
    assert split_on(EXPORT, MemoryStore(), request(**SIZE)) == split_on_threads(EXPORT, **SIZE)


def test_compressed_chunks_are_the_threads_own() -> None:
    """Byte for byte, wherever they are compressed."""
    store = MemoryStore()
    found = split_on(EXPORT, store, request(**SIZE, compress="gzip"))
    assert found == split_on_threads(EXPORT, **SIZE, compress="gzip")
    assert isinstance(found, dict)
    chunks = [data for name, (data, _) in sorted(found.items()) if name.endswith(".gz")]
    assert b"".join(gzip.decompress(chunk).removeprefix(b"id,name\n") for chunk in chunks) == EXPORT[8:]
