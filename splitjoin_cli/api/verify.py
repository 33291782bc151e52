"""Checks a stored split against its manifest, and against its source where that is named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from splitjoin_cli.api import arguments
from splitjoin_cli.api.engines import (
    THREADS,
    EngineRequest,
    asked_jobs,
    asked_of_stored,
    check_source,
    open_engine,
    source_spec,
    stored_spec,
)
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.bandwidth import shared
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import is_http
from splitjoin_cli.core.progress import Silent

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.judge import Elsewhere
    from splitjoin_cli.splitting.stored.verify import VerifyReport
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["verify"]


@overload
def verify(
    place: arguments.Path,
    *,
    all: Literal[True],
    finished: bool = False,
    jobs: int | None = None,
    engine: str = THREADS,
    allow_plain_dask: bool = False,
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
    jobs: int | None = None,
    engine: str = THREADS,
    allow_plain_dask: bool = False,
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
    jobs: int | None = None,
    engine: str = THREADS,
    allow_plain_dask: bool = False,
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

    option = "--source" if source is not None else "--name" if name is not None else None
    _check_options(option, encoded=encoding is not None, every=all, finished=finished)
    aws = arguments.aws(profile, region, endpoint_url, session)
    bandwidth = shared(arguments.bandwidth(bwlimit))
    asked = asked_of_stored(
        place, engine, allow_plain_dask=allow_plain_dask, jobs=jobs, aws=aws, limited=bwlimit is not None, source=source
    )
    jobs = asked_jobs(asked.jobs)
    request = StoredRequest(place=asked.destination, file_name=name, jobs=jobs, aws=aws, bandwidth=bandwidth)
    if all:
        return _all(request, asked, observer or Silent(), finished=finished)
    with ExitStack() as stack:
        opened = stack.enter_context(open_place(request))
        export = _source(request, asked, stack, encoding, None if tmp_dir is None else Path(tmp_dir))
        elsewhere = _elsewhere(asked, stack, observer or Silent(), export)
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
            elsewhere=elsewhere,
        )


def _check_options(one: str | None, *, encoded: bool, every: bool, finished: bool) -> None:
    """Raise UsageError for options that are for other calls. ``one``: that which is for one split, --source first."""
    if every and one is not None:
        raise UsageError(f"--all checks every split, and {one} is for one", hint="give one of them")
    if encoded and one != "--source":
        raise UsageError("--encoding is for --source", hint="give --source too, or leave it out")
    if finished and not every:
        raise UsageError(
            "--finished is for --all: a split that is checked by itself must be finished", hint="add --all"
        )


def _source(
    request: StoredRequest, asked: EngineRequest, stack: ExitStack, encoding: str | None, tmp_dir: Path | None
) -> Source | None:
    """The export, closed with ``stack``; None where there is none. Raises SourceError, UsageError."""
    if not asked.source:
        return None
    check_source(asked)
    from splitjoin_cli.stores.sources.open import open_source, understood

    if asked.engine != THREADS and is_http(asked.source):
        from splitjoin_cli.stores.sources.web_ranges import HttpRanges

        export = understood(HttpRanges(asked.source), encoding=encoding)
    else:
        export = open_source(
            asked.source, tmp_dir=tmp_dir, encoding=encoding, aws=request.aws, bandwidth=request.bandwidth
        )
    stack.callback(export.close)
    return export


def _elsewhere(
    asked: EngineRequest, stack: ExitStack, observer: Observer, export: Source | None = None
) -> Elsewhere | None:
    """Who reads the chunks, closed with ``stack``; None for threads here. Raises UsageError, EngineError."""
    if asked.engine == THREADS:
        return None
    source = None if export is None else source_spec(asked, export)
    engine = open_engine(asked, stack, observer)
    assert engine is not None  # noqa: S101 -- it is not threads
    from splitjoin_cli.splitting.engines.check import EngineCheck

    return EngineCheck(engine, stored_spec(asked), source)


def _all(request: StoredRequest, asked: EngineRequest, observer: Observer, *, finished: bool) -> list[VerifyReport]:
    from splitjoin_cli.splitting.stored.verify_all import verify_all

    with ExitStack() as stack:
        place = stack.enter_context(open_place(request))
        return verify_all(
            place.sink,
            place.open_chunk,
            jobs=request.jobs,
            finished=finished,
            observer=observer,
            files=place.files,
            objects=place.objects,
            elsewhere=_elsewhere(asked, stack, observer),
        )
