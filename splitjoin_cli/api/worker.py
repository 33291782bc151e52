"""A worker on a queue: from plain values to database, tracker, queue and what follows the join."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import LoadRequest, check_apart, check_server, open_joiner, open_loader, open_tracker, reach
from splitjoin_cli.core.units import LARGE_RECORD_BYTES, MAX_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.aws.sqs import QueueFacts
    from splitjoin_cli.join.held_messages import WorkerTotals
    from splitjoin_cli.join.queue_worker import SqsWorker

__all__ = ["DEFAULT_WORKERS", "Worker"]

_LOG = logging.getLogger(__name__)
DEFAULT_WORKERS = 4


class Worker:
    """Loads, counts and joins the chunks whose arrivals an SQS queue tells, until it is stopped.

        worker = splitjoin_cli.Worker(queue_url, into="mysql://me@db/sales", tracker="dynamodb:jobs", idle_exit="5m")
        totals = worker.run()

    The options are those of the command (``splitjoin worker --help``). ``run`` it once; ``stop`` may be called from
    any thread. Any number of workers can run on one queue.
    """

    def __init__(
        self,
        queue_url: str,
        *,
        into: str,
        tracker: str,
        table: str | None = None,
        create_table: bool = False,
        run_column: str | None = None,
        beside_other_run: bool = False,
        max_record: arguments.Bytes = LARGE_RECORD_BYTES,
        exact_values: bool = False,
        secret: str | None = None,
        on_join: str | None = None,
        lease: arguments.Seconds | None = None,
        workers: int = DEFAULT_WORKERS,
        grace: arguments.Seconds | None = None,
        idle_exit: arguments.Seconds | None = None,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        session: Session | None = None,
    ) -> None:
        """Nothing is reached yet. Raises UsageError."""
        from splitjoin_cli.core.aws.sqs import check_queue_url
        from splitjoin_cli.join.held_messages import WorkerTotals
        from splitjoin_cli.join.queue_worker import GRACE_SECONDS, SqsWorkerOptions, poll_seconds, sweep_seconds

        self._queue_url = check_queue_url(queue_url)
        self._tracker, database = arguments.tracker(tracker), arguments.database(into)
        check_apart(database, self._tracker)
        self._load = LoadRequest(
            into=database,
            table=table,
            create_table=create_table,
            run_column=run_column,
            beside_other_run=beside_other_run,
            max_record_bytes=arguments.record_bytes(max_record),
            exact_values=exact_values,
            secret=arguments.secret(secret, database),
        )
        self._on_join = on_join
        self._lease_seconds = None if lease is None else arguments.seconds("lease", lease)
        idle_seconds = None if idle_exit is None else arguments.seconds("idle-exit", idle_exit)
        self._aws = arguments.aws(profile, region, endpoint_url, session)
        self._options = SqsWorkerOptions(
            workers=arguments.at_once("workers", workers, MAX_WORKERS),
            wait_seconds=poll_seconds(idle_seconds),
            grace_seconds=GRACE_SECONDS if grace is None else arguments.seconds("grace", grace),
            sweep_seconds=sweep_seconds(self._lease_seconds),
            idle_exit_seconds=idle_seconds,
        )
        self._totals = WorkerTotals()
        self._process: SqsWorker | None = None
        self._not_checked: tuple[str, ...] | None = () if exact_values else None
        self._stopped = False

    @property
    def totals(self) -> WorkerTotals:
        """What was done so far; it goes on while the worker works."""
        return self._totals if self._process is None else self._process.totals

    @property
    def not_checked(self) -> tuple[str, ...] | None:
        """With ``exact_values``: the columns of ``table``, with their types, whose values no rule checks; else None."""
        return self._not_checked

    def stop(self) -> None:
        """Receive nothing more; what is held is finished within the grace time, and ``run`` returns."""
        self._stopped = True
        if self._process is not None:
            self._process.stop()

    def run(self, began: Callable[[str, QueueFacts], None] | None = None) -> WorkerTotals:
        """Work until ``idle_exit`` is over, or ``stop`` was called. Raises UsageError, StoreError.

        Database, tracker and queue are reached, in this order, before a message is received. ``began`` is then told
        the queue's URL and what it says of itself.
        """
        from splitjoin_cli.core.aws.sqs import SqsQueue
        from splitjoin_cli.join.continuation import parse_continuation
        from splitjoin_cli.join.queue_worker import Desk, SqsWorker
        from splitjoin_cli.join.worker import ChunkWorker
        from splitjoin_cli.stores.chunks.any import Chunks
        from splitjoin_cli.stores.loaders.exact.naming import not_checked

        aws, workers = self._aws, self._options.workers
        with ExitStack() as stack:
            continuation = stack.enter_context(closing(parse_continuation(self._on_join, aws)))
            tracker = stack.enter_context(closing(open_tracker(self._tracker, aws)))
            loader = stack.enter_context(closing(open_loader(self._load, aws)))
            queue = stack.enter_context(closing(SqsQueue(self._queue_url, aws, connections=workers + 4)))
            loader.prepare()
            if self._load.exact_values:
                self._not_checked = loader.unchecked()
            if self._not_checked:
                _LOG.warning("%s", not_checked(loader.properties.table, self._not_checked))
            reach(tracker, self._tracker)
            check_server(self._tracker, aws)
            facts = queue.facts()
            chunks = stack.enter_context(closing(Chunks(aws, connections=2 * workers)))
            joiner = open_joiner(tracker, loader, continuation, self._lease_seconds)
            handler = ChunkWorker(
                chunks=chunks,
                loader=loader,
                tracker=tracker,
                joiner=joiner,
                sweep_runs=True,
                max_receives=facts.max_receives,
            )
            self._process = SqsWorker(queue, Desk(handler, joiner, loader, tracker), self._options)
            if self._stopped:
                self._process.stop()
            if began is not None:
                began(queue.url, facts)
            return self._process.run(facts)
