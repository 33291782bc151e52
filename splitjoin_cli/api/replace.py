"""Stores a mended chunk under its name, and has it loaded."""

# Each implementation is imported only when a URL asks for it: botocore and the databases' drivers are slow to import.

from __future__ import annotations

import os
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import LoadRequest, check_apart, check_file_name, open_loader, open_sender, open_tracker
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.bandwidth import shared
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import manifest_name
from splitjoin_cli.core.places import S3Place, parse_place
from splitjoin_cli.stores.trackers.rules import no_such_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.aws.options import AwsOptions, Session
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.join.operate.replace import ReplaceReport
    from splitjoin_cli.join.operate.senders import Sender
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["replace"]


def replace(
    file_name: str,
    file: arguments.Path,
    *,
    chunk: int,
    dest: arguments.Path | None = None,
    tracker: str | None = None,
    into: str | None = None,
    secret: str | None = None,
    to: str | None = None,
    tmp_dir: arguments.Path | None = None,
    bwlimit: arguments.Bytes | None = None,
    dry_run: bool = False,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
) -> ReplaceReport:
    """Store ``file``, a mended chunk, in the place of chunk number ``chunk`` of the job ``file_name``.

        report = splitjoin_cli.replace("acme_20240131", "mended.csv", chunk=7, into="postgresql://me@db/sales",
                                       tracker="dynamodb:jobs", to="lambda:load-chunk")

    The options are those of the command (``splitjoin replace --help``). Raises NoSuchJobError, UsageError,
    BadInputError where the file does not fit the split, StoreError, LoadError; SplitjoinError where the chunk is
    loaded already.
    """
    from splitjoin_cli.join.operate.replace import Replace, standing
    from splitjoin_cli.splitting.stored.mend import header_of, mended_file
    from splitjoin_cli.stores.sources.open import open_source

    check_file_name(file_name)
    aws = arguments.aws(profile, region, endpoint_url, session)
    bandwidth = shared(arguments.bandwidth(bwlimit))
    if into is None and tracker is None:
        raise UsageError(
            "whether the chunk is loaded already is not known",
            hint="give --into, the database, or --tracker; or both",
        )
    url = None if tracker is None else arguments.tracker(tracker)
    database = None if into is None else arguments.database(into)
    login = arguments.secret(secret, database)
    if database is not None and url is not None:
        check_apart(database, url)
    with ExitStack() as stack:
        jobs = None if url is None else stack.enter_context(closing(open_tracker(url, aws)))
        place = _place(file_name, dest, jobs)
        sender = None if to is None else stack.enter_context(closing(_sender(to, file_name, place, aws)))
        request = StoredRequest(place=place, file_name=file_name, jobs=1, aws=aws, bandwidth=bandwidth)
        stored = stack.enter_context(open_place(request))
        before = standing(stored.sink, file_name, chunk)
        header, width = header_of(before.manifest, chunk, stored.sink, stored.open_chunk)
        source = open_source(os.fspath(file), aws=aws, bandwidth=bandwidth)
        stack.callback(source.close)
        folder = None if tmp_dir is None else Path(tmp_dir)
        mended = stack.enter_context(
            mended_file(source, source.properties.uri, before.manifest, chunk, header, width, tmp_dir=folder)
        )
        name = before.manifest.name(chunk)
        sink, manifest_sink = stack.enter_context(_sinks(request, stored.sink, name, manifest_name(file_name)))
        load = None if database is None else LoadRequest(into=database, secret=login)
        loader = None if load is None else stack.enter_context(closing(open_loader(load, aws)))
        return Replace(
            before, chunk, mended, sink, manifest_sink, loader=loader, tracker=jobs, sender=sender, dry_run=dry_run
        ).run()


def _place(file_name: str, dest: arguments.Path | None, tracker: Tracker | None) -> Place:
    """Where the chunks are: what was typed, else what the tracker knows."""
    if dest is not None:
        return parse_place(os.fspath(dest))
    job = None if tracker is None else tracker.job(file_name)
    if tracker is not None and job is None:
        raise no_such_job(file_name, tracker.uri)
    if job is None or job.destination is None:
        raise UsageError(f"where the chunks of {file_name} are is not known", hint="give --dest DIRECTORY or s3://...")
    return parse_place(job.destination)


def _sender(to: str, file_name: str, place: Place, aws: AwsOptions) -> Sender:
    sender = open_sender(to, file_name, aws)
    if not isinstance(place, S3Place):
        sender.close()
        raise UsageError("--to is for chunks on S3: queues and functions read no directory", hint="leave it out")
    return sender


@contextmanager
def _sinks(request: StoredRequest, sink: Sink, chunk: str, manifest: str) -> Iterator[tuple[Sink, Sink]]:
    """What stores the chunk, and what stores the manifest: on S3 each with the old object's settings."""
    if not isinstance(request.place, S3Place):
        yield sink, sink
        return
    from splitjoin_cli.core.aws import client as clients
    from splitjoin_cli.stores.sinks.s3 import S3Sink
    from splitjoin_cli.stores.sinks.s3_settings import settings_of

    uri = sink.properties.uri
    with ExitStack() as stack:
        client = clients.client("s3", request.aws, connections=8, attempts=1, bandwidth=request.bandwidth)
        stack.callback(client.close)
        sinks = [
            stack.enter_context(closing(S3Sink(uri, client=client, jobs=2, objects=settings_of(uri + name, client))))
            for name in (chunk, manifest)
        ]
        yield sinks[0], sinks[1]
