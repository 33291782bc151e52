"""``--engine``: whether it can be, and the engine with what names source and sink to its workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import S3Place, is_http, is_s3

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from splitjoin_cli.splitting.engines.base import Engine, Remote
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["THREADS", "check_source", "checked_engine", "open_engine", "remote"]

THREADS = "threads"
DASK = "dask:"
AWAY = "use --engine threads"


def checked_engine(engine: str, *, limited: bool) -> str:
    """``engine``, if there is one of this name. Raises UsageError. ``limited``: --bwlimit was given."""
    if engine == THREADS:
        return engine
    if not engine.startswith(DASK):
        hint = "write dask:tls://HOST:8786, dask:FILE.json, or dask: alone for what Dask's own configuration names"
        raise UsageError(f"--engine: {engine!r} is neither threads nor dask:ADDRESS", hint=hint)
    if limited:
        raise UsageError(
            "--bwlimit limits what this process sends and receives, and with --engine dask: its workers do that",
            hint=f"leave --bwlimit out, or {AWAY}",
        )
    return engine


def check_source(request: SplitRequest) -> None:
    """Raise UsageError for a source that the workers of an engine cannot read by ranges, as far as its name tells."""
    source = request.source
    if request.engine == THREADS or is_s3(source) or source.lower().startswith("file:"):
        return
    from splitjoin_cli.stores.sources.local import is_pipe

    if source == "-" or is_pipe(source):
        raise UsageError(
            f"--engine {request.engine}: workers cannot read this process's standard input or pipes",
            hint=f"store it first, in a file that all workers see or on S3; or {AWAY}",
        )
    if is_http(source):
        _check_travels(request)
    elif "://" in source:
        scheme = source.partition("://")[0].lower()
        raise UsageError(
            f"--engine {request.engine}: workers read s3://, http(s):// and shared paths, and no {scheme}:// URL",
            hint=f"copy it to S3 first, or {AWAY}",
        )


def _check_travels(request: SplitRequest) -> None:
    """Raise UsageError for a URL that holds a secret, where it would go to workers in plain text, or into their logs.

    A query may be a token: it goes to the workers of a scheduler that is spoken to over TLS, and to no others.
    """
    from urllib.parse import urlsplit

    parts = urlsplit(request.source)
    login = parts.username is not None or parts.password is not None
    if not login and (not parts.query or _is_encrypted(request.engine)):
        return
    raise UsageError(
        f"--engine {request.engine}: the URL holds {'a login' if login else 'a query'}, which is not sent to workers"
        + ("" if login else " without TLS"),
        hint=(
            "leave it out, and put the login into ~/.netrc on each worker"
            if login
            else "use a tls:// scheduler, or store the file on S3 first"
        )
        + f"; or {AWAY}",
    )


def _is_encrypted(engine: str) -> bool:
    if not engine.startswith(DASK):
        return False
    from splitjoin_cli.splitting.engines.dask import address_of, is_encrypted

    return is_encrypted(address_of(engine.removeprefix(DASK)))


def open_engine(request: SplitRequest, stack: ExitStack) -> Engine | None:
    """The engine that was asked for, closed with ``stack``; None for threads here. Raises UsageError, EngineError."""
    if request.engine == THREADS:
        return None
    from splitjoin_cli.splitting.engines.dask import DaskEngine, address_of, check_address

    address = address_of(request.engine.removeprefix(DASK))
    check_address(address, allow_plain=request.allow_plain_dask)
    engine = DaskEngine(address, in_flight=request.jobs)
    stack.callback(engine.close)
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
    from splitjoin_cli.splitting.engines.base import Reach, Remote, SinkSpec, SourceSpec

    found, aws = source.properties, request.aws
    if not found.seekable or found.size is None:
        what = "is transcoded" if found.compression is None else f"is compressed ({found.compression})"
        raise UsageError(
            f"--engine {request.engine}: {found.uri} {what}, and workers read a source by ranges",
            hint=f"store it plain first, or {AWAY}",
        )
    reach = Reach(aws.region, aws.endpoint_url)
    if is_http(request.source):
        uri = request.source  # with its query; ``found.uri`` is what may be shown
    elif found.s3 is not None:
        uri = found.uri
    else:
        uri = os.path.abspath(found.uri)  # noqa: PTH100 -- paths are text here
    place = request.destination
    target = sink.properties.uri if isinstance(place, S3Place) else os.path.abspath(place.path)  # noqa: PTH100 -- the same
    return Remote(
        engine,
        SourceSpec(uri, found.validator, found.size, reach, request.objects.payer),
        SinkSpec(target, reach, request.objects, request.fsync),
        check,
        opens_sink,
    )
