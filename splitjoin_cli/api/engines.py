"""``--engine``: whether it can be, and the engine with what names source and sink to its workers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.api import arguments
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import S3Place, is_http, is_s3, parse_place
from splitjoin_cli.core.units import MAX_JOBS
from splitjoin_cli.splitting.request import DEFAULT_JOBS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.engines.base import Engine, Remote
    from splitjoin_cli.splitting.engines.specs import SourceSpec, StoredSpec
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = [
    "AWAY",
    "THREADS",
    "EngineRequest",
    "asked_jobs",
    "asked_of_stored",
    "check_source",
    "checked_engine",
    "open_engine",
    "reaches_paths",
    "remote",
    "source_spec",
    "stored_spec",
]

THREADS = "threads"
DASK, LAMBDA = "dask:", "lambda:"
AWAY = "use --engine threads"
FUNCTION = re.compile(
    r"(arn:[a-z-]+:lambda:[a-z0-9-]+:)?([0-9]{12}:)?(function:)?[A-Za-z0-9_.-]+(:(\$LATEST(\.PUBLISHED)?|[A-Za-z0-9_-]+))?"
)
"""A name, a part of an ARN or all of it, with a version or an alias (Lambda API Reference, "Invoke", FunctionName)."""


class OnEngine(Protocol):
    """What a request says of where its work runs. ``source``: what is read there, beside what is at ``destination``."""

    @property
    def engine(self) -> str: ...
    @property
    def allow_plain_dask(self) -> bool: ...
    @property
    def jobs(self) -> int | None: ...
    @property
    def aws(self) -> AwsOptions: ...
    @property
    def source(self) -> str: ...
    @property
    def destination(self) -> Place: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """The same for a command that reads a stored split, which lies at ``destination``. ``source``: empty for none."""

    engine: str
    allow_plain_dask: bool
    jobs: int | None
    aws: AwsOptions
    destination: Place
    source: str = ""


def checked_engine(engine: str, *, limited: bool) -> str:
    """``engine``, if there is one of this name. Raises UsageError. ``limited``: --bwlimit was given."""
    if engine == THREADS:
        return engine
    kind = next((one for one in (DASK, LAMBDA) if engine.startswith(one)), None)
    if kind is None:
        hint = "write dask:tls://HOST:8786, dask:FILE.json, dask: for Dask's own configuration, or lambda:FUNCTION"
        raise UsageError(f"--engine: {engine!r} is neither threads nor dask:ADDRESS nor lambda:FUNCTION", hint=hint)
    if kind == LAMBDA and not FUNCTION.fullmatch(engine.removeprefix(LAMBDA)):
        hint = "write lambda:NAME, lambda:NAME:ALIAS or lambda:ARN; the stack's output SplitFunctionName has the name"
        raise UsageError(f"--engine: {engine!r} does not name a function", hint=hint)
    if limited:
        raise UsageError(
            f"--bwlimit limits what this process sends and receives, and with --engine {kind} its workers do that",
            hint=f"leave --bwlimit out, or {AWAY}",
        )
    return engine


def check_source(request: OnEngine) -> None:
    """Raise UsageError for a source that the workers of an engine cannot read by ranges, as far as its name tells."""
    source = request.source
    if request.engine == THREADS or is_s3(source):
        return
    from splitjoin_cli.stores.sources.local import is_pipe

    shared = not request.engine.startswith(LAMBDA)
    if source == "-" or is_pipe(source):
        first = "in a file that all workers see or on S3" if shared else "on S3 (aws s3 cp)"
        raise UsageError(
            f"--engine {request.engine}: workers cannot read this process's standard input or pipes",
            hint=f"store it first, {first}; or {AWAY}",
        )
    if is_http(source):
        _check_travels(request)
        return
    is_path = "://" not in source or source.lower().startswith("file:")
    if is_path and shared:
        return
    if is_path:
        raise UsageError(
            f"--engine {request.engine}: functions read s3:// and http(s)://, and {source} is a path on this machine",
            hint=f"copy it to S3 first (aws s3 cp), or {AWAY}",
        )
    scheme = source.partition("://")[0].lower()
    places = "s3://, http(s):// and shared paths" if shared else "s3:// and http(s)://"
    raise UsageError(
        f"--engine {request.engine}: workers read {places}, and no {scheme}:// URL",
        hint=f"copy it to S3 first, or {AWAY}",
    )


def _check_travels(request: OnEngine) -> None:
    """Raise UsageError for a URL that holds a secret, where it would go to workers in plain text, or into their logs.

    A query may be a token: it goes to the workers of a scheduler that is spoken to over TLS, and to no others.
    """
    from splitjoin_cli.core.urls import parts_of

    parts = parts_of(request.source)
    login = parts.username is not None or parts.password is not None
    if not login and (not parts.query or _is_encrypted(request.engine)):
        return
    kept = "is not sent to workers" + (" without TLS" if request.engine.startswith(DASK) and not login else "")
    if login and request.engine.startswith(DASK):
        hint = "leave it out, and put the login into ~/.netrc on each worker"
    elif login or request.engine.startswith(LAMBDA):
        hint = "store the file on S3 first"
    else:
        hint = "use a tls:// scheduler, or store the file on S3 first"
    raise UsageError(
        f"--engine {request.engine}: the URL holds {'a login' if login else 'a query'}, which {kept}",
        hint=f"{hint}; or {AWAY}",
    )


def _is_encrypted(engine: str) -> bool:
    if not engine.startswith(DASK):
        return False
    from splitjoin_cli.splitting.engines.dask import address_of, is_encrypted

    return is_encrypted(address_of(engine.removeprefix(DASK)))


def open_engine(request: OnEngine, stack: ExitStack, observer: Observer) -> Engine | None:
    """The engine that was asked for, closed with ``stack``; None for threads here. Raises UsageError, EngineError."""
    if request.engine == THREADS:
        return None
    if request.engine.startswith(LAMBDA):
        return _open_function(request, stack, observer)
    from splitjoin_cli.splitting.engines.dask import DaskEngine, address_of, check_address

    address = address_of(request.engine.removeprefix(DASK))
    check_address(address, allow_plain=request.allow_plain_dask)
    engine = DaskEngine(address, in_flight=request.jobs)
    stack.callback(engine.close)
    return engine


def _open_function(request: OnEngine, stack: ExitStack, observer: Observer) -> Engine:
    if not isinstance(request.destination, S3Place):
        raise UsageError(
            f"--engine {request.engine}: functions read and write s3://, and {request.destination} is a path here",
            hint=f"use s3://BUCKET/PREFIX/, or {AWAY}",
        )
    from splitjoin_cli.splitting.engines.aws_lambda import LambdaEngine

    engine = LambdaEngine(request.engine.removeprefix(LAMBDA), request.aws, in_flight=request.jobs)
    stack.callback(engine.close)
    if engine.greeting.kernel is None:
        observer.warn(
            f"the function of --engine {request.engine} was built without the compiled kernel: it scans with numpy, "
            "which takes longer"
        )
    return engine


def remote(
    request: SplitRequest,
    engine: Engine,
    source: Source,
    sink: Sink,
    check: Callable[[], None],
    opens_sink: Callable[[], Sink],
) -> Remote:
    """What names source and sink to the workers: never with a key, a password or a profile.

    Raises UsageError for a source that cannot be read by ranges.
    """
    from splitjoin_cli.splitting.engines.base import Remote
    from splitjoin_cli.splitting.engines.specs import Reach, SinkSpec

    aws = request.aws
    reach = Reach(aws.region, aws.endpoint_url)
    place = request.destination
    target = sink.properties.uri if isinstance(place, S3Place) else os.path.abspath(place.path)  # noqa: PTH100 -- paths are text here
    return Remote(
        engine,
        source_spec(request, source, request.objects.payer),
        SinkSpec(target, reach, request.objects, request.fsync),
        check,
        opens_sink,
    )


def source_spec(request: OnEngine, source: Source, payer: str | None = None) -> SourceSpec:
    """What names ``source``, which is open here, to the workers. Raises UsageError: see ``remote``."""
    from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec

    found, aws = source.properties, request.aws
    if not found.seekable or found.size is None:
        what = "is transcoded" if found.compression is None else f"is compressed ({found.compression})"
        raise UsageError(
            f"--engine {request.engine}: {found.uri} {what}, and workers read a source by ranges",
            hint=f"store it plain first, or {AWAY}",
        )
    if is_http(request.source):
        uri = request.source  # with its query; ``found.uri`` is what may be shown
    elif found.s3 is not None:
        uri = found.uri
    else:
        uri = os.path.abspath(found.uri)  # noqa: PTH100 -- paths are text here
    return SourceSpec(uri, found.validator, found.size, Reach(aws.region, aws.endpoint_url), payer)


def reaches_paths(engine: str) -> bool:
    """Whether its workers may see the paths of this machine."""
    return engine == THREADS or engine.startswith(DASK)


def asked_of_stored(
    place: arguments.Path,
    engine: str,
    *,
    allow_plain_dask: bool,
    jobs: int | None,
    aws: AwsOptions,
    limited: bool,
    source: arguments.Path | None = None,
) -> EngineRequest:
    """What ``verify`` and ``merge`` ask of an engine. Raises UsageError. ``limited``: --bwlimit was given."""
    asked = EngineRequest(
        engine=checked_engine(engine, limited=limited),
        allow_plain_dask=allow_plain_dask,
        jobs=None if jobs is None else arguments.at_once("jobs", jobs, MAX_JOBS),
        aws=aws,
        destination=parse_place(os.fspath(place)),
        source="" if source is None else os.fspath(source),
    )
    _check_stored(asked)
    return asked


def _check_stored(request: EngineRequest) -> None:
    """Raise UsageError for a place of chunks that the workers of an engine cannot reach."""
    place = request.destination
    if reaches_paths(request.engine) or isinstance(place, S3Place):
        return
    raise UsageError(
        f"--engine {request.engine}: functions read s3://, and {place} is a path on this machine", hint=AWAY
    )


def stored_spec(request: EngineRequest) -> StoredSpec:
    """What names the place of chunks to the workers."""
    from splitjoin_cli.splitting.engines.specs import Reach, StoredSpec

    place = request.destination
    uri = str(place) if isinstance(place, S3Place) else os.path.abspath(place.path)  # noqa: PTH100 -- paths are text here
    return StoredSpec(uri, Reach(request.aws.region, request.aws.endpoint_url))


def asked_jobs(jobs: int | None) -> int:
    """How much is done at the same time by threads here."""
    return DEFAULT_JOBS if jobs is None else jobs
