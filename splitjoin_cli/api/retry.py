"""Sends chunks through again that are missing or failed, or tries the join alone again."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.

from __future__ import annotations

import os
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import LoadRequest, check_file_name, open_joiner, open_loader, open_sender, open_tracker
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import S3Place, parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.stores.trackers.jobs import JoinState
from splitjoin_cli.stores.trackers.rules import no_such_job

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import AwsOptions, Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.core.ranges import Ranges
    from splitjoin_cli.join.operate.retry import RetryReport
    from splitjoin_cli.stores.trackers.jobs import Job, JobProgress
    from splitjoin_cli.stores.trackers.urls import TrackerUrl

__all__ = ["NOTHING_FOLLOWS", "RejoinReport", "RejoinRequest", "RetryRequest", "rejoin", "retry"]

NOTHING_FOLLOWS = "none"


def retry(
    file_name: str,
    *,
    tracker: str,
    to: str | None = None,
    dest: arguments.Path | None = None,
    chunks: arguments.Numbers | None = None,
    counted: bool = False,
    join: bool = False,
    into: str | None = None,
    secret: str | None = None,
    on_join: str | None = None,
    lease: arguments.Seconds | None = None,
    dry_run: bool = False,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> RetryReport | RejoinReport:
    """Send the chunks of the job ``file_name`` through again that are missing or failed, or with ``join`` its join.

        report = splitjoin_cli.retry("acme_20240131", tracker="dynamodb:jobs", to="lambda:load-chunk")

    The options are those of the command (``splitjoin retry --help``). ``chunks``: numbers, or text as ``3,7-9``.
    Raises NoSuchJobError, UsageError, StoreError; ContinuationError where what follows the join failed again.
    """
    check_file_name(file_name)
    aws = arguments.aws(profile, region, endpoint_url, session)
    url = arguments.tracker(tracker)
    if join:
        _refuse("is for chunks, not for --join", "leave it out", to=to, dest=dest, chunks=chunks, counted=counted)
        database = None if into is None else arguments.database(into)
        seconds = None if lease is None else arguments.seconds("lease", lease)
        load = None if database is None else LoadRequest(into=database, secret=arguments.secret(secret, database))
        return rejoin(RejoinRequest(file_name, url, load, on_join, seconds, dry_run, aws))
    _refuse("is for --join", "give --join too", into=into, on_join=on_join, lease=lease, secret=secret)
    if counted and chunks is None:
        raise UsageError("--counted is for --chunks", hint="say which: --chunks 3,7-9")
    if to is None and not dry_run:
        raise UsageError(
            "who is to load the chunks was not said",
            hint="give --to lambda:NAME or --to sqs:QUEUE_URL; or --join, --dry-run",
        )
    chosen = None if chunks is None else arguments.numbers("chunks", chunks)
    destination = None if dest is None else os.fspath(dest)
    return _resend(RetryRequest(file_name, url, to, destination, chosen, counted, dry_run, aws), observer or Silent())


def _refuse(why: str, remedy: str, **options: object) -> None:
    """Raise UsageError for the first of ``options`` that was given."""
    for name, value in options.items():
        if value not in (None, False):
            raise UsageError(f"--{name.replace('_', '-')} {why}", hint=remedy)


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """Chunks to send through again. ``destination``: None for the one that the tracker knows.

    ``to``: None for a dry run that names none. ``chosen``: None for all that are not counted.
    """

    file_name: str
    tracker: TrackerUrl
    to: str | None
    destination: str | None
    chosen: Ranges | None
    even_counted: bool
    dry_run: bool
    aws: AwsOptions

    def __post_init__(self) -> None:
        from splitjoin_cli.join.operate.senders import check_target

        if self.to is not None:
            check_target(self.to)


def _resend(request: RetryRequest, observer: Observer) -> RetryReport:
    """Send what is missing and stored. ``observer`` is warned where the tracker cannot be told what was sent."""
    from splitjoin_cli.join.operate.retry import note_retried, retry_chunks, wanted
    from splitjoin_cli.join.operate.senders import SENDS_AT_ONCE

    with ExitStack() as stack:
        tracker = stack.enter_context(closing(open_tracker(request.tracker, request.aws)))
        progress = tracker.progress(request.file_name)
        want = wanted(progress, request.chosen, even_counted=request.even_counted)
        destination = _destination(request, progress)
        sender = (
            None
            if request.to is None
            else stack.enter_context(closing(open_sender(request.to, request.file_name, request.aws)))
        )
        stored = StoredRequest(place=destination, file_name=request.file_name, jobs=1, aws=request.aws)
        place = stack.enter_context(open_place(stored))
        listed = (one.name for one in place.sink.list(f"{request.file_name}-")) if any(want.flags) else ()
        executor = stack.enter_context(ThreadPoolExecutor(SENDS_AT_ONCE, "retry"))
        uri = place.sink.properties.uri
        report = retry_chunks(progress, want, listed, uri, sender, executor=executor, dry_run=request.dry_run)
        if (error := note_retried(report, tracker, executor)) is not None:
            observer.warn(f"what was sent counts as failed until it is counted: {error.message}")
        return report


def _destination(request: RetryRequest, progress: JobProgress) -> S3Place:
    """Where the chunks lie: on S3, since a notification names bucket and key."""
    text = request.destination or progress.destination
    if text is None:
        raise UsageError(f"the tracker knows no destination of {request.file_name}", hint="give --dest s3://...")
    place = parse_place(text)
    if isinstance(place, S3Place):
        return place
    again = ["splitjoin", "simulate", text, "--name", request.file_name, "--tracker", str(request.tracker)]
    raise UsageError(
        f"the chunks of {request.file_name} are in a directory, {text}, and queues and functions read S3 alone",
        hint=f"load them here: {shlex.join(again)} --into DATABASE_URL",
    )


@dataclass(frozen=True, slots=True)
class RejoinRequest:
    """A join to be tried again.

    ``load``: the database whose ledger is counted; None to leave the join to a worker or a sweep. ``on_join``: what
    follows it; NOTHING_FOLLOWS where nothing does.
    """

    file_name: str
    tracker: TrackerUrl
    load: LoadRequest | None
    on_join: str | None
    lease_seconds: float | None
    dry_run: bool
    aws: AwsOptions

    def __post_init__(self) -> None:
        if self.load is not None and not self.on_join:
            raise UsageError(
                "what follows the join was not said",
                hint=f"give --on-join as the workers have it, or --on-join {NOTHING_FOLLOWS}",
            )
        if self.on_join and self.load is None:
            raise UsageError("a join that runs here needs the database", hint="give --into URL, or leave --on-join out")


@dataclass(frozen=True, slots=True)
class RejoinReport:
    """How it ended. ``before``: the join's state as it was found. ``joined``: the run is joined, now or before."""

    job: Job
    before: str
    joined: bool
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``, with the fields of one where chunks are sent: a script needs no other case."""
        job = self.job
        return {
            "file_name": job.file_name,
            "run_id": job.run_id,
            "total_parts": job.total_parts,
            "processed_parts": job.processed_parts,
            "dry_run": self.dry_run,
            "join": {"before": self.before, "state": job.join.state, "attempts": job.join.attempts},
            "destination": job.destination,
            "to": None,
            "sent": [],
            "counted": [],
            "never_uploaded": [],
            "failed": [],
        }


def rejoin(request: RejoinRequest) -> RejoinReport:
    """Reopen the join, and with a database and what follows try it here, now.

    A join that is done stays done. Raises NoSuchJobError, UsageError; ContinuationError where it failed again;
    SplitjoinError where it cannot be tried: chunks are missing, somebody holds it, the database is not the job's.
    """
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
            raise no_such_job(request.file_name, tracker.uri)
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
            job = try_again(open_joiner(tracker, loader, continuation, request.lease_seconds), tracker, run)
        return RejoinReport(job, before, joined=job.join.state == JoinState.JOINED, dry_run=False)
