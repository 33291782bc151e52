"""The contract of an engine, held by every one; and that no engine, however bad, changes what a split stores."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import EngineError
from splitjoin_cli.core.model import Skip
from splitjoin_cli.deploy.split_handler import SplitFunction
from splitjoin_cli.splitting.engines import dispatch, spans
from splitjoin_cli.splitting.engines.aws_lambda import LambdaEngine
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.not_now import NotNowError
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sinks.memory import MemoryStore
from splitjoin_cli.testing.engines import EngineContract
from tests.laws import examples
from tests.servers.lambda_service import LambdaService, Reply
from tests.splitting.csvs import BOM, dialects
from tests.splitting.engines.rigs import in_process, split_on, split_on_threads
from tests.splitting.exports import exports
from tests.splitting.runs import request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.model import StrayQuote
    from splitjoin_cli.splitting.engines.base import Engine
    from splitjoin_cli.splitting.request import Size
    from tests.servers.dask import DaskCluster
    from tests.splitting.exports import Export


class TestInProcess(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[InProcess]:
        engine = InProcess(Place())
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def connected(dask_cluster: DaskCluster) -> Iterator[Callable[[], Engine]]:
    """To a cluster, once for all tests, since that takes a second; anew after the test that closes it."""
    from splitjoin_cli.splitting.engines.dask import DaskEngine  # noqa: PLC0415 -- an extra

    opened: list[Engine] = []

    def connect() -> Engine:
        try:
            assert opened[-1].in_flight
        except (IndexError, EngineError):
            opened.append(DaskEngine(dask_cluster.address))
        return opened[-1]

    yield connect
    for engine in opened:
        engine.close()


class TestDask(EngineContract):
    @pytest.fixture
    def engine(self, connected: Callable[[], Engine]) -> Engine:
        return connected()

    def test_a_worker_of_another_build_is_told(
        self, dask_cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At once, and not by a unit that it cannot read, when much is done."""
        from splitjoin_cli.splitting.engines import dask  # noqa: PLC0415 -- an extra

        monkeypatch.setattr(dask, "protocol", lambda: "0" * 16)
        with pytest.raises(EngineError, match="is another build of splitjoin") as error:
            dask.DaskEngine(dask_cluster.address)
        assert error.value.hint == "install the same splitjoin on all workers, and start them anew"


@pytest.fixture(scope="module")
def service() -> Iterator[LambdaService]:
    """The split function's own code, without what keeps it from paths."""
    function = SplitFunction(Place())
    with LambdaService(lambda event: Reply(function(event))).serving() as service:
        yield service


class TestLambda(EngineContract):
    @pytest.fixture
    def engine(self, service: LambdaService, monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaEngine]:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        engine = LambdaEngine("splits", service.options)
        yield engine
        engine.close()


class Bad:
    """An engine that treats one unit in three as ``spoil`` says, drawn from a seed, and never one more than thrice."""

    def __init__(self, inner: Engine, seed: int, spoil: Callable[[Bad, str], Future[str]]) -> None:
        self.inner, self.spoil, self.random = inner, spoil, random.Random(seed)
        self.name, self.words, self.in_flight = "bad", inner.words, inner.in_flight
        self.lost_work = False
        self.spoiled: dict[str, int] = {}
        self.lock = threading.Lock()
        self.held: list[tuple[str, Future[str]]] = []

    def submit(self, unit: str) -> Future[str]:
        with self.lock:
            times = self.spoiled.get(unit, 0)
            if times < 3 and self.random.random() < 1 / 3:
                self.spoiled[unit] = times + 1
                return self.spoil(self, unit)
        return self.inner.submit(unit)

    def cancel(self, future: Future[str]) -> None:
        self.inner.cancel(future)

    def close(self) -> None:
        self.inner.close()


def lost(_: Bad, __: str) -> Future[str]:
    """The worker died, and the engine knows."""
    future: Future[str] = Future()
    future.set_exception(RuntimeError("the worker died"))
    return future


def done_and_lost(engine: Bad, unit: str) -> Future[str]:
    """It was done, and the answer was lost."""
    engine.inner.submit(unit).result()
    return lost(engine, unit)


def cancelled(_: Bad, __: str) -> Future[str]:
    """The engine dropped it."""
    future: Future[str] = Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    return future


def twice(engine: Bad, unit: str) -> Future[str]:
    """It runs two times, at once."""
    engine.inner.submit(unit)
    return engine.inner.submit(unit)


def anothers(engine: Bad, unit: str) -> Future[str]:
    """The answer is another unit's."""
    answer = json.loads(engine.inner.submit(unit).result())
    future: Future[str] = Future()
    future.set_result(json.dumps(answer | {"unit": "0" * 16}))
    return future


def late(engine: Bad, unit: str) -> Future[str]:
    """The answer comes after those of units that were sent later."""
    future: Future[str] = Future()
    engine.held.append((unit, future))
    if len(engine.held) > 1:
        engine.random.shuffle(engine.held)
        held, first = engine.held.pop()
        engine.inner.submit(held).add_done_callback(lambda done: first.set_result(done.result()))
    if engine.held == [(unit, future)]:
        threading.Timer(0.005, _let_go, (engine, future)).start()
    return future


def _let_go(engine: Bad, future: Future[str]) -> None:
    with engine.lock:
        held = [one for one in engine.held if one[1] is future]
        engine.held = [one for one in engine.held if one[1] is not future]
    for unit, waiting in held:
        waiting.set_result(engine.inner.submit(unit).result())


def unreadable(_: Bad, __: str) -> Future[str]:
    """Something else came back."""
    future: Future[str] = Future()
    future.set_result("<html>502 Bad Gateway</html>")
    return future


def refused(engine: Bad, unit: str) -> Future[str]:
    """It has too much to do, or nobody knows whether it ran."""
    may_have_run = engine.random.random() < 1 / 2
    if may_have_run:
        engine.inner.submit(unit)
    future: Future[str] = Future()
    future.set_exception(NotNowError("too much to do", may_have_run=may_have_run))
    return future


SPOILERS = [lost, done_and_lost, cancelled, twice, anothers, late, unreadable, refused]
SIZES = st.one_of(
    st.builds(ChunkSize, st.integers(40, 200)),
    st.builds(ChunkSize, st.integers(1, 40)),
    st.builds(ChunkCount, st.integers(1, 30)),
    st.builds(RowCount, st.integers(1, 9)),
)


@examples(60)
@given(
    export=exports(dialects()),
    size=SIZES,
    block_bytes=st.sampled_from([4, 9, 16]),
    seed=st.integers(0, 1 << 16),
    spoil=st.sampled_from(SPOILERS),
    span_blocks=st.sampled_from([2, 3, 16]),
    skips=st.sampled_from([(False, False), (False, False), (True, False), (False, True), (True, True)]),
    stray=st.sampled_from(["error", "error", "literal", "mysql"]),
    options=st.fixed_dictionaries(
        {"strict": st.booleans(), "compress": st.sampled_from([None, None, "gzip"])},
        optional={"skip": st.builds(Skip, lines=st.integers(0, 2), trailer=st.integers(0, 1))},
    ),
)
def test_no_engine_changes_what_is_stored(
    *,
    export: Export,
    size: Size,
    block_bytes: int,
    seed: int,
    spoil: Callable[[Bad, str], Future[str]],
    span_blocks: int,
    skips: tuple[bool, bool],
    stray: StrayQuote,
    options: dict[str, Any],
) -> None:
    """Of whatever file and dialect: the objects of the split on threads, manifest included; or its error."""
    dialect = replace(export.dialect, skip_blank_lines=skips[0], skip_repeated_headers=skips[1], stray_quote=stray)
    asked: dict[str, Any] = {"size": size, "dialect": dialect, **options}
    first, *body = export.records
    body = [record for record in body if record.strip()]  # blank lines are found or not by where blocks begin
    lines = body[:-1] * 4 + body[-1:]
    if dialect.skip_blank_lines or dialect.skip_repeated_headers:
        lines = with_others(lines, first, seed, blanks=dialect.skip_blank_lines)
    if stray != "error" and dialect.quotechar is not None:
        lines = [with_quote(line, dialect.quotechar.encode(), seed + number) for number, line in enumerate(lines)]
    data, store = first + b"".join(lines), MemoryStore()
    short, spanning = (
        mock.patch.object(dispatch, "FIRST_PAUSE_SECONDS", 0.001),
        mock.patch.object(spans, "SPAN_BLOCKS", span_blocks),
    )
    with in_process(data, store) as inner, short, spanning:
        found = split_on(data, store, request(**asked), engine=Bad(inner, seed, spoil), block_bytes=block_bytes)
    wanted = split_on_threads(data, **asked)
    if options["strict"] and isinstance(wanted, tuple):  # of two things wrong in one block, either is named
        assert isinstance(found, tuple)
        one_column = "UsageError" if dialect.skip_blank_lines else wanted[0]  # said where the first record is taken
        assert found[0] in {wanted[0], one_column}
    else:
        assert found == wanted
    assert not store.unfinished


def with_quote(line: bytes, quote: bytes, seed: int) -> bytes:
    """One line in eight gets a quote somewhere."""
    at = random.Random(seed).randrange(8 * len(line)) if line else 0
    return line if at >= len(line) else line[:at] + quote + line[at:]


def with_others(lines: list[bytes], header: bytes, seed: int, *, blanks: bool) -> list[bytes]:
    """Lines with some between them, and behind them, that may be no records."""
    others = [header.removeprefix(BOM)] * header.endswith(b"\n") + [b"\n", b" \t\r\n", b"\n\n\n"] * blanks
    draw = random.Random(seed)
    if not others:
        return lines
    places = [draw.randrange(len(lines) + 1) for _ in range(draw.randrange(6))]
    for place in sorted(places, reverse=True):
        lines = [*lines[:place], draw.choice(others), *lines[place:]]
    return lines
