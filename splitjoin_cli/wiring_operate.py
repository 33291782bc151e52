"""From options and URLs to the worker on a queue, and to what sends chunks through again."""

# Each implementation is imported only when a URL asks for it: boto3 and the databases' drivers are slow to import.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from splitjoin_cli.sqs_worker import SWEEP_SECONDS, Desk, SqsWorkerOptions, WorkerTotals
from splitjoin_cli.wiring_join import check_apart, check_tracker_url, open_tracker

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.aws import AwsOptions
    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.join.joiner import Joiner
    from splitjoin_cli.loaders.base import Loader
    from splitjoin_cli.sqs import QueueFacts
    from splitjoin_cli.trackers.base import Tracker
    from splitjoin_cli.wiring_load import LoadRequest

__all__ = ["WorkerRequest", "run_worker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRequest:
    """A worker on a queue, as it was asked for; checked for what can be known without reaching anything.

    ``on_join``: None where nothing follows. ``lease_seconds``: None for the default.
    """

    queue: str
    load: LoadRequest
    tracker: str
    on_join: str | None
    lease_seconds: float | None
    aws: AwsOptions
    options: SqsWorkerOptions = field(default_factory=SqsWorkerOptions)

    def __post_init__(self) -> None:
        from splitjoin_cli.sqs import check_queue_url

        check_queue_url(self.queue)
        check_tracker_url(self.tracker)
        check_apart(self.load.into, self.tracker)


def run_worker(
    request: WorkerRequest, began: Callable[[str, QueueFacts], None], totals: Callable[[WorkerTotals], None]
) -> WorkerTotals:
    """Work on the queue until it is over. Raises what SqsWorker.run raises, and UsageError.

    Database, tracker and queue are reached, in this order, before a message is received. ``began`` is then told the
    queue's URL and what it says of itself; ``totals`` gets the counters, which go on while it works.
    """
    from splitjoin_cli.join.continuation import parse_continuation
    from splitjoin_cli.join.worker import Worker
    from splitjoin_cli.objects import Chunks
    from splitjoin_cli.sqs import SqsQueue
    from splitjoin_cli.sqs_worker import SqsWorker
    from splitjoin_cli.wiring_load import open_loader

    workers = request.options.workers
    with ExitStack() as stack:
        continuation = stack.enter_context(closing(parse_continuation(request.on_join, request.aws)))
        tracker = stack.enter_context(closing(open_tracker(request.tracker, request.aws)))
        loader = stack.enter_context(closing(open_loader(request.load, request.aws)))
        queue = stack.enter_context(closing(SqsQueue(request.queue, request.aws, connections=workers + 4)))
        loader.prepare()
        _reach(tracker, request.tracker)
        facts = queue.facts()
        chunks = stack.enter_context(closing(Chunks(request.aws, connections=2 * workers)))
        joiner = _joiner(tracker, loader, continuation, request.lease_seconds)
        worker = Worker(
            chunks=chunks,
            loader=loader,
            tracker=tracker,
            joiner=joiner,
            sweep_runs=True,
            max_receives=facts.max_receives,
        )
        desk = Desk(worker, joiner, loader, tracker)
        process = SqsWorker(queue, desk, request.options)
        totals(process.totals)
        began(queue.url, facts)
        return process.run(facts)


def sweep_seconds(lease_seconds: float | None) -> float:
    """How long between two sweeps: a lapsed lease is not to wait much longer than it lasted."""
    return SWEEP_SECONDS if lease_seconds is None else max(1.0, min(SWEEP_SECONDS, lease_seconds / 3))


def _reach(tracker: Tracker, url: str) -> None:
    """Raise StoreError where the tracker cannot be reached: an SQLite file is made, a table must be there."""
    if check_tracker_url(url)[0] == "sqlite":
        tracker.init()
    else:
        tracker.job("any_job")


def _joiner(tracker: Tracker, loader: Loader, continuation: Continuation, lease_seconds: float | None) -> Joiner:
    from splitjoin_cli.join.joiner import LEASE_SECONDS, Joiner

    return Joiner(
        tracker=tracker,
        loader=loader,
        continuation=continuation,
        owner=f"{socket.gethostname()}-{os.getpid()}",
        lease_seconds=lease_seconds or LEASE_SECONDS,
    )
