"""One split from end to end: opens source, sink and tracker of a request, and closes them."""

# Each implementation is imported only when it is asked for: botocore is slow to import.

from __future__ import annotations

import datetime as dt
import json
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from splitjoin_cli.api.engines import THREADS, check_source, open_engine, remote
from splitjoin_cli.core import trace
from splitjoin_cli.core.bandwidth import shared
from splitjoin_cli.core.errors import BadInputError, SourceError, StoppedError, UsageError
from splitjoin_cli.core.files import is_directory
from splitjoin_cli.core.gc_pause import uncollected
from splitjoin_cli.core.places import S3Place, is_http, is_s3
from splitjoin_cli.core.shown import in_quotes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.core.format.plan_file import PlanFile
    from splitjoin_cli.core.model import Dialect, SourceProperties
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.core.source_name import Naming
    from splitjoin_cli.join.operate.senders import Sender
    from splitjoin_cli.splitting.abilities import Inquiry
    from splitjoin_cli.splitting.engines.base import Engine, Remote
    from splitjoin_cli.splitting.first_block import FirstBlock
    from splitjoin_cli.splitting.free_names import FreeNames
    from splitjoin_cli.splitting.notify import Events
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.splitting.run import OpenJob, SplitRun
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["ALONE", "Surroundings", "check_named", "open_inquiry", "perform", "run_split", "tracker_of", "utc_now"]


def utc_now() -> dt.datetime:
    """The time."""
    return dt.datetime.now(tz=dt.UTC)


def run_split(
    request: SplitRequest,
    observer: Observer,
    *,
    tracker: Tracker | None = None,
    passing: bool = False,
    now: Callable[[], dt.datetime] = utc_now,
) -> SplitResult:
    """Do what was asked. Raises what SplitRun.run raises, SourceError and UsageError.

    ``now``: the clock (UTC). ``tracker``: instead of the one that ``request`` names. ``passing``: the destination soon
    goes, so that the tracker is not to lead anybody there. What stops it (StoppedError) knows the command that resumes.
    """
    check_named(request)
    naming = request.naming(now().date())  # once: a split that goes on past midnight keeps its date
    request = replace(request, client=naming.job.client, date=naming.job.date)
    try:
        return perform(request, naming, observer, tracker, passing=passing)
    except StoppedError as exc:
        from splitjoin_cli.splitting.resume import resume_command

        exc.resume = resume_command(request, naming.job)
        raise


def check_named(request: SplitRequest) -> None:
    """Raise UsageError for a source that is not named, and for one without a name where no client was typed.

    SourceError for a directory that is not there.
    """
    if not request.source:
        raise UsageError("SOURCE is empty", hint="name a file, a URL, or - for standard input")
    if "://" not in request.source and is_directory(request.source):
        raise UsageError(f"{request.source} is a directory", hint="name one file in it")
    if "://" not in request.source and request.source.endswith("/"):
        hint = "check the path; it is relative to the working directory"
        raise SourceError(f"cannot read {request.source}: no such directory", hint=hint)
    if request.client is not None:
        return
    if request.source == "-":
        raise UsageError("standard input has no name: --client is needed", hint="add --client NAME")
    from splitjoin_cli.stores.sources.local import is_pipe

    if is_pipe(request.source):
        raise UsageError(f"{request.source} is a pipe: --client is needed", hint="add --client NAME")


class Surroundings:
    """What a split shares with others of the same call: here nothing, since it is alone.

    ``client``: of S3. ``engine``: where its work runs. ``inquiry``: of the destination's store. ``resumes``: an
    unfinished split of a day before is resumed.
    ``swept``: places where nothing is left of killed runs. ``free``: what was free in the place at the call's start.
    """

    client: Any = None
    engine: Engine | None = None
    inquiry: Inquiry | None = None
    resumes: bool = False
    swept: set[str] | None = None
    free: FreeNames | None = None

    def check(self) -> None:
        """Raise what ends the split: here a signal does that by itself."""

    def source(self, source: Source) -> Source:
        """The source as the split is to read it."""
        return source

    def begun(self, run: SplitRun, sink: Sink) -> None:
        """The split begins."""


ALONE = Surroundings()


def perform(
    request: SplitRequest,
    naming: Naming,
    observer: Observer,
    tracker: Tracker | None,
    *,
    passing: bool,
    within: Surroundings = ALONE,
) -> SplitResult:
    """The split itself, once its name is known."""
    with uncollected():
        from splitjoin_cli.splitting.first_block import look
        from splitjoin_cli.splitting.run import SplitRun
    if request.encoding is not None:
        request = replace(request, dialect=_of_chunks(request.dialect, request.encoding))
    check_source(request)
    with ExitStack() as stack:
        engine = within.engine or open_engine(request, stack, observer)
        tracker = _reached(tracker or tracker_of(request, stack), request, naming.job)
        source, start = _open_text(request, within.client)
        stack.callback(source.close)
        source = within.source(source)
        request = _declared(request, start)
        seen = look(start, _named(request, source), request.dialect, typed=request.dialect_typed)
        sink = _sink(request, within.client)
        stack.callback(sink.close)
        run = SplitRun(
            request,
            naming.job,
            source,
            sink,
            observer,
            open_job=None if tracker is None else _job_opener(tracker, passing=passing),
            repairs=None if tracker is None else partial(_TrackedRepairs, tracker),
            events=_events(request, naming.job, sink, stack),
            naming=naming,
            warnings=seen.warnings,
            start=start,
            resumes=within.resumes,
            swept=within.swept,
            free=within.free,
            remote=_remote(request, engine, source, sink, within),
            inquiry=within.inquiry or open_inquiry(request, observer, engine, stack),
        )
        within.begun(run, sink)
        return _explained(run, seen)


def _explained(run: SplitRun, seen: FirstBlock) -> SplitResult:
    """What comes of it; an error of its bytes says what they look like, where their start was no table."""
    try:
        return run.run()
    except BadInputError as exc:
        if seen.markup is None:
            raise
        raise seen.explained(exc) from exc


def open_inquiry(request: SplitRequest, observer: Observer, engine: Engine | None, stack: ExitStack) -> Inquiry | None:
    """What asks the destination's store what it lacks, closed with ``stack``; None where nothing is to be stored."""
    if request.dry_run or not isinstance(request.destination, S3Place):
        return None
    from splitjoin_cli.splitting.abilities import HERE, Inquiry

    through = HERE if engine is None else f"the {engine.words.all}"
    return stack.enter_context(Inquiry(observer, through))


def _remote(
    request: SplitRequest, engine: Engine | None, source: Source, sink: Sink, within: Surroundings
) -> Remote | None:
    """Where the split's work runs; None for threads here."""
    if engine is None:
        return None
    return remote(request, engine, source, sink, within.check, partial(_sink, request, within.client))


def _open_text(request: SplitRequest, client: Any) -> tuple[Source, bytes]:  # noqa: ANN401 -- see _sink
    """The source, and its first block."""
    on_s3 = is_s3(request.source) or isinstance(request.destination, S3Place)
    with uncollected():
        from splitjoin_cli.stores.sources.open import open_text, understood_text

        if on_s3:
            import splitjoin_cli.core.aws.client  # noqa: F401 -- the slowest of all
    if request.engine != THREADS and is_http(request.source):
        from splitjoin_cli.stores.sources.web_ranges import HttpRanges

        source, start = understood_text(HttpRanges(request.source), request.encoding)
    else:
        source, start = open_text(
            request.source,
            tmp_dir=request.tmp_dir,
            encoding=request.encoding,
            aws=request.aws if on_s3 else None,
            request_payer=request.objects.payer,
            jobs=_readers(request),
            client=client,
            bandwidth=shared(request.bwlimit),
        )
    note_source(source.properties)
    return source, start


def _readers(request: SplitRequest) -> int:
    """How many read here at the same time; beside an engine the coordinator's looks, four of which count as one."""
    if request.engine == THREADS:
        return request.at_once
    from splitjoin_cli.splitting.engines.ahead import MOST_LOOKS

    return max(request.at_once, MOST_LOOKS // 4)


def _declared(request: SplitRequest, start: bytes) -> SplitRequest:
    """``request`` with the delimiter that a first line ``sep=;`` names, unless one was typed."""
    from splitjoin_cli.splitting.around import declared_delimiter, with_delimiter

    delimiter = None if request.delimiter_typed else declared_delimiter(start)
    if delimiter is None:
        return request
    dialect = with_delimiter(request.dialect, delimiter)
    if request.encoding is not None:
        dialect = _of_chunks(dialect, request.encoding)
    return replace(request, dialect=dialect)


def _reached(tracker: Tracker | None, request: SplitRequest, job: JobName) -> Tracker | None:
    """``tracker``, asked for the job: one that cannot be reached is an error before the source is read."""
    if tracker is not None and not request.dry_run:
        tracker.job(job.file_name)
    return tracker


def _named(request: SplitRequest, source: Source) -> str:
    """How messages call the source."""
    return "standard input" if request.source == "-" else source.properties.uri


def tracker_of(request: SplitRequest, stack: ExitStack) -> Tracker | None:
    """The tracker that was named, closed with ``stack``."""
    if request.tracker is None:
        return None
    from splitjoin_cli.api.open import open_tracker

    tracker = open_tracker(request.tracker, request.aws)
    stack.callback(tracker.close)
    return tracker


def note_source(properties: SourceProperties) -> None:
    """Tell what the source is."""
    trace.note(
        "source opened",
        uri=properties.uri,
        bytes=properties.stored_bytes,
        seekable=properties.seekable,
        compression=properties.compression,
        validator=properties.validator,
    )


def _of_chunks(dialect: Dialect, encoding: str) -> Dialect:
    """The dialect of the chunks of a source in ``encoding``. Raises UsageError where its characters are not in it."""
    from splitjoin_cli.stores.sources.transcode import check_characters, chunk_encoding

    check_characters(encoding, [c for c in (dialect.delimiter, dialect.quotechar, dialect.escapechar) if c])
    for text in dialect.nulls or ():
        try:
            text.encode(chunk_encoding(encoding))
        except UnicodeEncodeError as exc:
            raise UsageError(f"--null: {in_quotes(text)} is not in {encoding}", hint="check --encoding") from exc
    return replace(dialect, encoding=chunk_encoding(encoding))


def _job_opener(tracker: Tracker, *, passing: bool) -> OpenJob:
    """What tells ``tracker`` of a run before it is stored."""
    from splitjoin_cli.stores.trackers.jobs import JobSpec, Run

    def open_job(plan: PlanFile, destination: str, *, replace: bool) -> int:
        run = Run(plan.file_name, plan.run_id, plan.generation)
        place = None if passing else destination
        spec = JobSpec(run, len(plan.chunks), rows_expected=plan.chunks.total_rows, destination=place)
        return (tracker.replace_job(spec) if replace else tracker.open_job(spec)).generation

    return open_job


def _sink(request: SplitRequest, client: Any) -> Sink:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    place = request.destination
    if not isinstance(place, S3Place):
        from splitjoin_cli.stores.sinks.directory import DirectorySink

        return DirectorySink(Path(place.path), fsync=request.fsync)
    from splitjoin_cli.stores.sinks.s3 import S3Sink

    bandwidth = shared(request.bwlimit)
    return S3Sink(
        str(place),
        request.aws,
        jobs=request.at_once,
        objects=request.objects,
        bandwidth=bandwidth,
        client=client,
        must_be_conditional=request.engine != THREADS,
    )


def _events(request: SplitRequest, job: JobName, sink: Sink, stack: ExitStack) -> Events | None:
    """What sends the events of stored chunks, closed with ``stack``; one that cannot be reached is an error before."""
    if request.notify is None or request.dry_run:
        return None
    from splitjoin_cli.api.open import open_sender
    from splitjoin_cli.splitting.notify import Events

    sender = open_sender(request.notify, job.file_name, request.aws, option="--notify")
    stack.callback(sender.close)
    sender.reach()
    return Events(_SendsNotifications(sender, sink.properties.uri))


class _SendsNotifications:
    """S3's notifications of the objects of one destination. See SendsEvents."""

    def __init__(self, sender: Sender, destination: str) -> None:
        from splitjoin_cli.core.aws.s3 import parse_uri

        self._sender, self._place = sender, parse_uri(destination)
        self.batch = sender.batch

    def send(self, names: Sequence[str]) -> list[str | None]:
        """See SendsEvents."""
        from splitjoin_cli.join.events import notification

        place = self._place
        return self._sender.send([json.dumps(notification(place.bucket, place.key + name)) for name in names])


class _TrackedRepairs:
    """What ``replace`` wrote down in a tracker for a run. See Repairs."""

    def __init__(self, tracker: Tracker, plan: PlanFile) -> None:
        from splitjoin_cli.stores.trackers.jobs import Run

        self._tracker, self._total = tracker, len(plan.chunks)
        self._run = Run(plan.file_name, plan.run_id, plan.generation)
        self.expected = tracker.all_expected(self._run)

    def take_back(self, number: int, checksum: str | None) -> bool:
        """See Repairs."""
        from splitjoin_cli.stores.trackers.answers import Mending

        answer = self._tracker.expect(self._run, number, checksum, total_parts=self._total, asked=True)
        return answer not in {Mending.COUNTED, Mending.JOINED}
