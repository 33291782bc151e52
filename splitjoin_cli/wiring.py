"""From options and URLs to the concrete source and sink, and the split itself."""

# Each implementation is imported only when it is asked for: boto3 and numpy are slow to import.

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from splitjoin_cli.aws import AwsOptions
    from splitjoin_cli.sinks.base import Sink
    from splitjoin_cli.split.progress import Observer
    from splitjoin_cli.split.request import SplitRequest
    from splitjoin_cli.split.result import SplitResult

__all__ = ["run_split"]


def run_split(request: SplitRequest, observer: Observer) -> SplitResult:
    """Do what was asked. Raises what SplitRun.run raises, SourceError and UsageError."""
    from splitjoin_cli.sources.open import open_source
    from splitjoin_cli.sources.transcode import check_characters, chunk_encoding
    from splitjoin_cli.split.run import SplitRun

    job = request.job(dt.datetime.now(tz=dt.UTC).date())
    if request.encoding is not None:
        dialect = request.dialect
        check_characters(request.encoding, [c for c in (dialect.delimiter, dialect.quotechar, dialect.escapechar) if c])
        request = replace(request, dialect=replace(dialect, encoding=chunk_encoding(request.encoding)))
    aws = _aws(request)
    with ExitStack() as stack:
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
        return SplitRun(request, job, source, sink, observer).run()


def _aws(request: SplitRequest) -> AwsOptions | None:
    if not (request.source.startswith("s3://") or request.destination.startswith("s3://")):
        return None
    from splitjoin_cli.aws import AwsOptions

    return AwsOptions(request.profile, request.region, request.endpoint_url)


def _sink(request: SplitRequest, aws: AwsOptions | None) -> Sink:
    if not request.destination.startswith("s3://"):
        from splitjoin_cli.sinks.directory import DirectorySink

        return DirectorySink(Path(request.destination), fsync=request.fsync)
    from splitjoin_cli.sinks.s3 import ObjectOptions, S3Sink

    objects = ObjectOptions(
        sse=request.sse,
        sse_kms_key_id=request.sse_kms_key_id,
        storage_class=request.storage_class,
        tags=request.tags,
        request_payer="requester" if request.request_payer else None,
        expected_bucket_owner=request.expected_bucket_owner,
    )
    return S3Sink(request.destination, aws, jobs=request.jobs, objects=objects)
