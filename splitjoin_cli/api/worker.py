"""From options and URLs to the worker on a queue, and to what sends chunks through again."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import shlex
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from splitjoin_cli.api.check import StoredRequest, open_place
from splitjoin_cli.api.simulate.request import check_apart, check_tracker_url, open_tracker
from splitjoin_cli.core.errors import NoSuchJobError, UsageError
from splitjoin_cli.join.queue_worker import SWEEP_SECONDS, WAIT_SECONDS, Desk, SqsWorkerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.api.load import LoadRequest
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.aws.sqs import QueueFacts
    from splitjoin_cli.join.base import Continuation
    from splitjoin_cli.join.held_messages import WorkerTotals
    from splitjoin_cli.join.joiner import Joiner
    from splitjoin_cli.join.operate.retry import RetryReport, Sender
    from splitjoin_cli.stores.loaders.base import Loader
    from splitjoin_cli.stores.trackers.base import Job, JobProgress, Tracker

__all__ = [
    "NOTHING_FOLLOWS",
    "RejoinReport",
    "RejoinRequest",
    "RetryRequest",
    "WorkerRequest",
    "poll_seconds",
    "run_rejoin",
    "run_retry",
    "run_worker",
    "sweep_seconds",
]

NOTHING_FOLLOWS = "none"


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
        from splitjoin_cli.core.aws.sqs import check_queue_url

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
    from splitjoin_cli.api.load import open_loader
    from splitjoin_cli.core.aws.sqs import SqsQueue
    from splitjoin_cli.join.continuation import parse_continuation
    from splitjoin_cli.join.queue_worker import SqsWorker
    from splitjoin_cli.join.worker import Worker
    from splitjoin_cli.stores.chunks.any import Chunks

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


def poll_seconds(idle_exit_seconds: float | None) -> int:
    """How long a poll waits for messages: not longer than the worker would."""
    return WAIT_SECONDS if idle_exit_seconds is None else max(1, min(WAIT_SECONDS, int(idle_exit_seconds)))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """Chunks to send through again, as it was asked for. ``destination``: None for the one that the tracker knows.

    ``to``: None for a dry run that names none. ``chosen``: None for all that are not counted.
    """

    file_name: str
    tracker: str
    to: str | None
    destination: str | None
    chosen: tuple[tuple[int, int], ...] | None
    even_counted: bool
    dry_run: bool
    aws: AwsOptions

    def __post_init__(self) -> None:
        from splitjoin_cli.core.aws.sqs import check_queue_url
        from splitjoin_cli.join.operate.retry import check_target

        check_tracker_url(self.tracker)
        if self.to is not None:
            scheme, target = check_target(self.to)
            if scheme == "sqs":
                check_queue_url(target)


def run_retry(request: RetryRequest, warn: Callable[[str], None]) -> RetryReport:
    """Send what is missing and stored. Raises NoSuchJobError, UsageError, StoreError.

    ``warn``: hears it where the tracker cannot be told that what had failed was sent.
    """
    from splitjoin_cli.join.operate.retry import SENDS_AT_ONCE, note_retried, retry_chunks, wanted

    with ExitStack() as stack:
        tracker = stack.enter_context(closing(open_tracker(request.tracker, request.aws)))
        progress = tracker.progress(request.file_name)
        want = wanted(progress, request.chosen, even_counted=request.even_counted)
        destination = _destination(request, progress)
        sender = None if request.to is None else stack.enter_context(closing(_sender(request.to, request.aws)))
        aws = request.aws
        stored = StoredRequest(
            place=destination,
            file_name=request.file_name,
            jobs=1,
            profile=aws.profile,
            region=aws.region,
            endpoint_url=aws.endpoint_url,
        )
        place = stack.enter_context(open_place(stored))
        listed = (one.name for one in place.sink.list(f"{request.file_name}-")) if any(want.flags) else ()
        executor = stack.enter_context(ThreadPoolExecutor(SENDS_AT_ONCE, "retry"))
        uri = place.sink.properties.uri
        report = retry_chunks(progress, want, listed, uri, sender, executor=executor, dry_run=request.dry_run)
        if (error := note_retried(report, tracker, executor)) is not None:
            warn(f"what was sent counts as failed until it is counted: {error.message}")
        return report


def _destination(request: RetryRequest, progress: JobProgress) -> str:
    """Where the chunks lie: on S3, since a notification names bucket and key."""
    place = request.destination or progress.destination
    if place is None:
        raise UsageError(f"the tracker knows no destination of {request.file_name}", hint="give --dest s3://...")
    if not place.startswith("s3://"):
        raise UsageError(
            f"the chunks of {request.file_name} lie in a directory, {place}, and queues and functions read S3 alone",
            hint="load them here: "
            + shlex.join(["splitjoin", "simulate", place, "--name", request.file_name, "--tracker", request.tracker])
            + " --into DATABASE_URL",
        )
    return place


def _sender(to: str, aws: AwsOptions) -> Sender:
    from splitjoin_cli.core.aws.sqs import SqsQueue
    from splitjoin_cli.join.operate.retry import LambdaSender, SqsSender, check_target

    scheme, target = check_target(to)
    return SqsSender(SqsQueue(target, aws)) if scheme == "sqs" else LambdaSender(target, aws)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejoinRequest:
    """A join to be tried again, as it was asked for.

    ``load``: the database whose ledger is counted; None to leave the join to a worker or a sweep. ``on_join``: what
    follows it; NOTHING_FOLLOWS where nothing does.
    """

    file_name: str
    tracker: str
    load: LoadRequest | None
    on_join: str | None
    lease_seconds: float | None
    dry_run: bool
    aws: AwsOptions


@dataclass(frozen=True, slots=True)
class RejoinReport:
    """How it ended. ``before``: the join's state as it was found. ``joined``: the run is joined, now or before."""

    job: Job
    before: str
    joined: bool
    dry_run: bool

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        job = self.job
        return {
            "file_name": job.file_name,
            "run_id": job.run_id,
            "total_parts": job.total_parts,
            "processed_parts": job.processed_parts,
            "dry_run": self.dry_run,
            "join": {"before": self.before, "state": job.join.state, "attempts": job.join.attempts},
        }


def run_rejoin(request: RejoinRequest) -> RejoinReport:
    """Reopen the join, and with a database and what follows try it here, now.

    A join that is done stays done. Raises NoSuchJobError, UsageError; ContinuationError where it failed again;
    SplitjoinError where it cannot be tried: chunks are missing, somebody holds it, the database is not the job's.
    """
    from splitjoin_cli.api.load import open_loader
    from splitjoin_cli.join.continuation import parse_continuation
    from splitjoin_cli.join.operate.rejoin import check_complete, check_ledger, check_rejoin, try_again

    with ExitStack() as stack:
        aws = request.aws
        on_join = None if request.on_join == NOTHING_FOLLOWS else request.on_join
        continuation = stack.enter_context(closing(parse_continuation(on_join, aws)))
        loader = None if request.load is None else stack.enter_context(closing(open_loader(request.load, aws)))
        tracker = stack.enter_context(closing(open_tracker(request.tracker, aws)))
        job = tracker.job(request.file_name)
        if job is None:
            raise NoSuchJobError(f"{tracker.uri}: no job {request.file_name}")
        before = job.join.state
        if before == "joined":
            return RejoinReport(job, before, joined=True, dry_run=request.dry_run)
        run = check_rejoin(job, now=time.time())
        if loader is not None:
            check_ledger(loader, run)
        if request.dry_run:
            return RejoinReport(job, before, joined=False, dry_run=True)
        job = tracker.reopen_join(run)
        check_complete(job)
        if loader is not None:
            job = try_again(_joiner(tracker, loader, continuation, request.lease_seconds), tracker, run)
        return RejoinReport(job, before, joined=job.join.state == "joined", dry_run=False)
