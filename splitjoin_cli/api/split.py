"""Splits an export: from plain values to source, sink and tracker, and the split itself."""

# Each implementation is imported only when it is asked for: botocore is slow to import.

from __future__ import annotations

import datetime as dt
import os
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, get_args

from splitjoin_cli.api import arguments
from splitjoin_cli.core import trace
from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.errors import BadInputError, StoppedError, UsageError
from splitjoin_cli.core.gc_pause import uncollected
from splitjoin_cli.core.places import S3Place, is_s3, parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.source_name import name_pattern as compiled
from splitjoin_cli.core.units import MAX_JOBS
from splitjoin_cli.splitting.request import DEFAULT_JOBS, ChunkCompression, SplitRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.model import Dialect, SourceProperties
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.core.source_name import Naming
    from splitjoin_cli.splitting.request import ServerSideEncryption
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.splitting.run import OpenJob
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["run_split", "split"]


def utc_now() -> dt.datetime:
    """The time."""
    return dt.datetime.now(tz=dt.UTC)


def split(
    source: arguments.Path,
    destination: arguments.Path,
    *,
    client: str | None = None,
    date: str | None = None,
    name_pattern: str | None = None,
    chunk_size: arguments.Bytes | None = None,
    chunks: int | None = None,
    rows: int | None = None,
    encoding: str | None = None,
    strict: bool = False,
    compress: ChunkCompression | None = None,
    jobs: int = DEFAULT_JOBS,
    fsync: bool = False,
    dry_run: bool = False,
    force: bool = False,
    run_label: str | None = None,
    tracker: str | None = None,
    tmp_dir: arguments.Path | None = None,
    sse: ServerSideEncryption | None = None,
    sse_kms_key_id: str | None = None,
    storage_class: str | None = None,
    tag: arguments.Tags = (),
    request_payer: bool = False,
    expected_bucket_owner: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
    **keywords: Unpack[arguments.DialectKeywords],
) -> SplitResult:
    """Split ``source`` into chunks of whole records, each with the header, and a manifest; or resume that split.

        result = splitjoin_cli.split("export.csv", "s3://bucket/in/", client="acme", chunk_size="64MiB")

    The options are those of the command (``splitjoin split --help``). ``session``: a boto3 session that makes the
    clients. ``keywords``: the dialect (DialectKeywords). ``observer``: hears phases,
    bytes, chunks and warnings as they come (core/progress.py has the protocol).

    A chunk that failed is in the result (``failed`` in ``result.to_json()``), with the command that resumes. Raises
    UsageError, BadInputError, NameTakenError, SourceError, StoreError.
    """
    arguments.choice("compress", compress, get_args(ChunkCompression))
    written, skip = arguments.dialect(keywords)
    place = parse_place(os.fspath(destination))
    objects = arguments.objects(sse, sse_kms_key_id, storage_class, tag, request_payer, expected_bucket_owner)
    unused = ObjectOptions(request_payer=request_payer and is_s3(os.fspath(source)))
    if objects != unused and not isinstance(place, S3Place):
        raise UsageError(f"{place} is a directory, and options of objects on S3 were given", hint="leave them out")
    request = SplitRequest(
        source=os.fspath(source),
        destination=place,
        client=client,
        date=date,
        name_pattern=None if name_pattern is None else compiled(name_pattern),
        size=arguments.size(chunk_size, chunks, rows),
        dialect=written,
        dialect_typed=keywords.get("dialect_typed", False),
        encoding=encoding,
        skip=skip,
        strict=strict,
        compress=compress,
        jobs=arguments.at_once("jobs", jobs, MAX_JOBS),
        fsync=fsync,
        dry_run=dry_run,
        force=force,
        run_label=run_label,
        tracker=None if tracker is None else arguments.tracker(tracker),
        tmp_dir=None if tmp_dir is None else Path(tmp_dir),
        objects=objects,
        aws=arguments.aws(profile, region, endpoint_url, session),
    )
    return run_split(request, observer or Silent())


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
    """Raise UsageError for a source that is not named, and for one without a name where no client was typed."""
    if not request.source:
        raise UsageError("SOURCE is empty", hint="name a file, a URL, or - for standard input")
    if "://" not in request.source and Path(request.source).is_dir():
        raise UsageError(f"{request.source} is a directory", hint="name one file in it")
    if request.client is not None:
        return
    if request.source == "-":
        raise UsageError("standard input has no name: --client is needed", hint="add --client NAME")
    from splitjoin_cli.stores.sources.local import is_pipe

    if is_pipe(request.source):
        raise UsageError(f"{request.source} is a pipe: --client is needed", hint="add --client NAME")


def perform(
    request: SplitRequest, naming: Naming, observer: Observer, tracker: Tracker | None, *, passing: bool
) -> SplitResult:
    """The split itself, once its name is known."""
    job = naming.job
    on_s3 = is_s3(request.source) or isinstance(request.destination, S3Place)
    with uncollected():
        from splitjoin_cli.splitting.first_block import look
        from splitjoin_cli.splitting.run import SplitRun
        from splitjoin_cli.stores.sources.open import open_text

        if on_s3:
            import splitjoin_cli.core.aws.client  # noqa: F401 -- the slowest of all
    if request.encoding is not None:
        request = replace(request, dialect=_of_chunks(request.dialect, request.encoding))
    with ExitStack() as stack:
        tracker = _reached(tracker or _tracker(request, stack), request, job)
        source, start = open_text(
            request.source,
            tmp_dir=request.tmp_dir,
            encoding=request.encoding,
            aws=request.aws if on_s3 else None,
            request_payer=request.objects.payer,
            jobs=request.jobs,
        )
        stack.callback(source.close)
        note_source(source.properties)
        seen = look(start, _named(request, source), request.dialect, typed=request.dialect_typed)
        sink = _sink(request)
        stack.callback(sink.close)
        opener = None if tracker is None else _job_opener(tracker, passing=passing)
        repairs = None if tracker is None else partial(_TrackedRepairs, tracker)
        told = seen.warnings
        run = SplitRun(
            request, job, source, sink, observer, open_job=opener, repairs=repairs, naming=naming, warnings=told
        )
        try:
            return run.run()
        except BadInputError as exc:
            if seen.markup is None:
                raise
            raise seen.explained(exc) from exc


def _reached(tracker: Tracker | None, request: SplitRequest, job: JobName) -> Tracker | None:
    """``tracker``, asked for the job: one that cannot be reached is an error before the source is read."""
    if tracker is not None and not request.dry_run:
        tracker.job(job.file_name)
    return tracker


def _named(request: SplitRequest, source: Source) -> str:
    """How messages call the source."""
    return "standard input" if request.source == "-" else source.properties.uri


def _tracker(request: SplitRequest, stack: ExitStack) -> Tracker | None:
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
    return replace(dialect, encoding=chunk_encoding(encoding))


def _job_opener(tracker: Tracker, *, passing: bool) -> OpenJob:
    """What tells ``tracker`` of a run before it is stored."""
    from splitjoin_cli.stores.trackers.base import JobSpec, Run

    def open_job(plan: PlanFile, destination: str, *, replace: bool) -> int:
        run = Run(plan.file_name, plan.run_id, plan.generation)
        place = None if passing else destination
        spec = JobSpec(run, len(plan.chunks), rows_expected=plan.chunks.total_rows, destination=place)
        return (tracker.replace_job(spec) if replace else tracker.open_job(spec)).generation

    return open_job


def _sink(request: SplitRequest) -> Sink:
    place = request.destination
    if not isinstance(place, S3Place):
        from splitjoin_cli.stores.sinks.directory import DirectorySink

        return DirectorySink(Path(place.path), fsync=request.fsync)
    from splitjoin_cli.stores.sinks.s3 import S3Sink

    return S3Sink(str(place), request.aws, jobs=request.jobs, objects=request.objects)


class _TrackedRepairs:
    """What ``replace`` wrote down in a tracker for a run. See Repairs."""

    def __init__(self, tracker: Tracker, plan: PlanFile) -> None:
        from splitjoin_cli.stores.trackers.base import Run

        self._tracker, self._total = tracker, len(plan.chunks)
        self._run = Run(plan.file_name, plan.run_id, plan.generation)
        self.expected = tracker.all_expected(self._run)

    def take_back(self, number: int, checksum: str | None) -> bool:
        """See Repairs."""
        from splitjoin_cli.stores.trackers.base import Mending

        answer = self._tracker.expect(self._run, number, checksum, total_parts=self._total, asked=True)
        return answer not in {Mending.COUNTED, Mending.JOINED}
