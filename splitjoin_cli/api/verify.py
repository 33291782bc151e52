"""Checks a stored split against its manifest, and against its source where that is named."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from splitjoin_cli.api import arguments
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.bandwidth import shared
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.units import MAX_JOBS
from splitjoin_cli.splitting.request import DEFAULT_JOBS

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.verify import VerifyReport
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["verify"]


@overload
def verify(
    place: arguments.Path,
    *,
    all: Literal[True],
    finished: bool = False,
    jobs: int = DEFAULT_JOBS,
    bwlimit: arguments.Bytes | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> list[VerifyReport]: ...
@overload
def verify(
    place: arguments.Path,
    *,
    source: arguments.Path | None = None,
    encoding: str | None = None,
    name: str | None = None,
    jobs: int = DEFAULT_JOBS,
    bwlimit: arguments.Bytes | None = None,
    tmp_dir: arguments.Path | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> VerifyReport: ...
def verify(
    place: arguments.Path,
    *,
    all: bool = False,  # noqa: A002 -- as the option is called
    finished: bool = False,
    source: arguments.Path | None = None,
    encoding: str | None = None,
    name: str | None = None,
    jobs: int = DEFAULT_JOBS,
    bwlimit: arguments.Bytes | None = None,
    tmp_dir: arguments.Path | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
) -> VerifyReport | list[VerifyReport]:
    """Check the split that lies in ``place``: every chunk is read once, and with ``source`` compared byte for byte.

        report = splitjoin_cli.verify("chunks/", source="export.csv")
        if not report.ok:
            print(report.problems)

    With ``all`` a report of every split there; one that is under way is not checked, and not ok only with ``finished``.

    The options are those of the command (``splitjoin verify --help``); what is wrong is in the report, not raised.
    Raises UsageError, NotFoundError, SourceError, StoreError.
    """
    from splitjoin_cli.splitting.stored.verify import verify as verify_stored
    from splitjoin_cli.stores.sources.open import open_source

    if all and (source is not None or name is not None):
        option = "--source" if source is not None else "--name"
        raise UsageError(f"--all checks every split, and {option} is for one", hint="give one of them")
    if encoding is not None and source is None:
        raise UsageError("--encoding is for --source", hint="give --source too, or leave it out")
    if finished and not all:
        raise UsageError(
            "--finished is for --all: a split that is checked by itself must be finished", hint="add --all"
        )
    aws = arguments.aws(profile, region, endpoint_url, session)
    jobs = arguments.at_once("jobs", jobs, MAX_JOBS)
    bandwidth = shared(arguments.bandwidth(bwlimit))
    request = StoredRequest(
        place=parse_place(os.fspath(place)), file_name=name, jobs=jobs, aws=aws, bandwidth=bandwidth
    )
    if all:
        return _all(request, observer or Silent(), finished=finished)
    with ExitStack() as stack:
        opened = stack.enter_context(open_place(request))
        export: Source | None = None
        if source is not None:
            spool = None if tmp_dir is None else Path(tmp_dir)
            export = open_source(os.fspath(source), tmp_dir=spool, encoding=encoding, aws=aws, bandwidth=bandwidth)
            stack.callback(export.close)
        executor = stack.enter_context(ThreadPoolExecutor(jobs, "verify"))
        return verify_stored(
            opened.sink,
            opened.open_chunk,
            executor=executor,
            jobs=jobs,
            file_name=name,
            source=export,
            observer=observer,
            files=opened.files,
            objects=opened.objects,
        )


def _all(request: StoredRequest, observer: Observer, *, finished: bool) -> list[VerifyReport]:
    from splitjoin_cli.splitting.stored.verify_all import verify_all

    with open_place(request) as place:
        return verify_all(
            place.sink,
            place.open_chunk,
            jobs=request.jobs,
            finished=finished,
            observer=observer,
            files=place.files,
            objects=place.objects,
        )
