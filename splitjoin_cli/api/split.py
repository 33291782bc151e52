"""From options and URLs to the concrete source and sink, and the split itself."""

# Each implementation is imported only when it is asked for: botocore is slow to import.

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.gc_pause import uncollected

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.core.format.manifest import PlanFile
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.splitting.run import OpenJob
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["run_split"]


def run_split(
    request: SplitRequest, observer: Observer, *, tracker: Tracker | None = None, passing: bool = False
) -> SplitResult:
    """Do what was asked. Raises what SplitRun.run raises, SourceError and UsageError.

    ``tracker``: instead of the one that ``request`` names. ``passing``: the destination soon goes, so that the tracker
    is not to lead anybody there.
    """
    with uncollected():
        from splitjoin_cli.splitting.run import SplitRun
        from splitjoin_cli.stores.sources.open import open_source
        from splitjoin_cli.stores.sources.transcode import check_characters, chunk_encoding

        aws = _aws(request)
        if aws is not None:
            import splitjoin_cli.core.aws.client  # noqa: F401 -- the slowest of all
    job = request.job(dt.datetime.now(tz=dt.UTC).date())
    if request.encoding is not None:
        dialect = request.dialect
        check_characters(request.encoding, [c for c in (dialect.delimiter, dialect.quotechar, dialect.escapechar) if c])
        request = replace(request, dialect=replace(dialect, encoding=chunk_encoding(request.encoding)))
    with ExitStack() as stack:
        if tracker is None and request.tracker is not None:
            from splitjoin_cli.api.simulate.request import open_tracker

            tracker = open_tracker(request.tracker, _aws_options(request))
            stack.callback(tracker.close)
        if tracker is not None and not request.dry_run:
            tracker.job(job.file_name)  # one that cannot be reached is told before the source is read
        source = open_source(
            request.source,
            tmp_dir=request.tmp_dir,
            encoding=request.encoding,
            aws=aws,
            request_payer="requester" if request.request_payer else None,
            jobs=request.jobs,
        )
        stack.callback(source.close)
        sink = _sink(request, aws)
        stack.callback(sink.close)
        opener = None if tracker is None else _job_opener(tracker, passing=passing)
        return SplitRun(request, job, source, sink, observer, open_job=opener).run()


def _job_opener(tracker: Tracker, *, passing: bool) -> OpenJob:
    """What tells ``tracker`` of a run before it is stored."""
    from splitjoin_cli.stores.trackers.base import JobSpec, Run

    def open_job(plan: PlanFile, destination: str, *, replace: bool) -> int:
        run = Run(plan.file_name, plan.run_id, plan.generation)
        place = None if passing else destination
        spec = JobSpec(run, len(plan.chunks), rows_expected=plan.chunks.total_rows, destination=place)
        return (tracker.replace_job(spec) if replace else tracker.open_job(spec)).generation

    return open_job


def _aws(request: SplitRequest) -> AwsOptions | None:
    if not (request.source.startswith("s3://") or request.destination.startswith("s3://")):
        return None
    return _aws_options(request)


def _aws_options(request: SplitRequest) -> AwsOptions:
    from splitjoin_cli.core.aws.options import AwsOptions

    return AwsOptions(request.profile, request.region, request.endpoint_url)


def _sink(request: SplitRequest, aws: AwsOptions | None) -> Sink:
    if not request.destination.startswith("s3://"):
        from splitjoin_cli.stores.sinks.directory import DirectorySink

        return DirectorySink(Path(request.destination), fsync=request.fsync)
    from splitjoin_cli.stores.sinks.s3 import ObjectOptions, S3Sink

    objects = ObjectOptions(
        sse=request.sse,
        sse_kms_key_id=request.sse_kms_key_id,
        storage_class=request.storage_class,
        tags=request.tags,
        request_payer="requester" if request.request_payer else None,
        expected_bucket_owner=request.expected_bucket_owner,
    )
    return S3Sink(request.destination, aws, jobs=request.jobs, objects=objects)
