"""Chunks stored on an engine: on conditions alone, and with the name kept while a worker may still store one."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws.options import AwsOptions, ObjectOptions
from splitjoin_cli.core.errors import EngineError
from splitjoin_cli.splitting.engines import store as store_units
from splitjoin_cli.splitting.engines.base import Failed, Reach, SinkSpec, SourceSpec
from splitjoin_cli.splitting.engines.wire import answer_text, unit_of, unit_text
from splitjoin_cli.splitting.request import ChunkSize
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore, MemoryWriter
from tests.splitting.engines.rigs import in_process, split_on, split_on_threads
from tests.splitting.runs import MANIFEST, PLAN, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.splitting.engines.base import StoreUnit
    from splitjoin_cli.splitting.engines.in_process import InProcess
    from splitjoin_cli.stores.sinks.base import Condition

EXPORT = b"id,name\n" + b"".join(b'%d,"na\nme %d"\n' % (number, number) for number in range(100))
SIZE = {"size": ChunkSize(300)}


class Meets:
    """An engine of which each store unit meets what the test says; None: it is run."""

    def __init__(self, inner: InProcess, meets: Callable[[StoreUnit, str], Future[str] | None]) -> None:
        self.inner, self.meets, self.name, self.words, self.in_flight = inner, meets, "meets", inner.words, 4
        self.units: list[str] = []

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
        seen.append(unit.when)

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
        twice.append(unit.number)
        if unit.number == 2 and twice.count(2) == 1:
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
    found, _ = split_that_meets(store, lambda unit, text: answered(denied, text) if unit.number == 3 else None)
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
        if unit.number == 3:
            raise EngineError("the scheduler is gone")
        return Future()

    found, _ = split_that_meets(store, lost)
    assert found == ("EngineError", "the scheduler is gone")
    assert list(store.objects) == [PLAN]
    assert split_on(EXPORT, store, request(**SIZE)) == split_on_threads(EXPORT, **SIZE)


def test_a_worker_that_stored_another_object_fails_the_chunk() -> None:
    """Its word is compared with what was planned."""
    store = MemoryStore()

    def lies(unit: StoreUnit, text: str) -> Future[str] | None:
        if unit.number != 2:
            return None
        answer = json.loads(inner.submit(text).result())
        answer["object"]["size"] += 1
        future: Future[str] = Future()
        future.set_result(json.dumps(answer))
        return future

    with in_process(EXPORT, store) as inner:
        found = split_on(EXPORT, store, request(**SIZE), engine=Meets(inner, lies))
    assert isinstance(found, dict)
    assert MANIFEST not in found


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
