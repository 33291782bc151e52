"""Splits on an engine for tests: from bytes to a result in one call, beside the same split on threads."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.engines import unit as units
from splitjoin_cli.splitting.engines.base import Remote
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.specs import Reach, SinkSpec, SourceSpec
from splitjoin_cli.splitting.run import SplitRun
from splitjoin_cli.stores.sinks.memory import MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.splitting.runs import JOB, TwoPass, objects, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.engines.base import Engine
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.stores.sinks.base import Sink


def remote_of(engine: Engine, data: bytes, sink: Callable[[], Sink]) -> Remote:
    """Where a split of ``data`` runs; ``sink`` opens another one of the same store."""
    properties = MemorySource(data).properties
    source = SourceSpec(properties.uri, properties.validator, len(data), Reach())
    return Remote(engine, source, SinkSpec("memory:///", Reach(), ObjectOptions()), lambda: None, sink)


@contextmanager
def in_process(data: bytes, store: MemoryStore, threads: int = 2) -> Iterator[InProcess]:
    """An engine whose units reach ``data`` and ``store``."""
    engine = InProcess(Place(lambda _: MemorySource(data), lambda _: TwoPass(store)), threads)
    try:
        yield engine
    finally:
        engine.close()


def split_on(
    data: bytes,
    store: MemoryStore,
    asked: SplitRequest,
    *,
    engine: Engine | None = None,
    observer: Observer | None = None,
    block_bytes: int = 16,
) -> object:
    """The objects after a split on an engine (in this process, of JSON text), or what it says is wrong."""
    with ExitStack() as stack:
        if engine is None:
            engine = stack.enter_context(in_process(data, store))
        stack.enter_context(mock.patch("splitjoin_cli.splitting.prepare.best_block_bytes", return_value=block_bytes))
        stack.enter_context(mock.patch.object(units, "best_block_bytes", return_value=block_bytes))
        sink = TwoPass(store)
        remote = remote_of(engine, data, lambda: TwoPass(store))
        try:
            run = SplitRun(asked, JOB, MemorySource(data), sink, observer or Silent(), remote=remote)
            run.run()
        except SplitjoinError as exc:
            return type(exc).__name__, exc.message
        finally:
            sink.close()
    return objects(store)


def split_on_threads(data: bytes, **options: Any) -> object:  # noqa: ANN401 -- any of SplitRequest's
    """The same here, in order."""
    store = MemoryStore()
    sink = TwoPass(store)
    try:
        SplitRun(request(**options), JOB, MemorySource(data), sink, Silent()).run()
    except SplitjoinError as exc:
        return type(exc).__name__, exc.message
    finally:
        sink.close()
    return objects(store)
