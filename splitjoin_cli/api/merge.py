"""Puts a stored split back together: into a file, an object on S3, or standard output."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from splitjoin_cli.api import arguments
from splitjoin_cli.api.engines import (
    AWAY,
    THREADS,
    EngineRequest,
    asked_jobs,
    asked_of_stored,
    open_engine,
    reaches_paths,
    stored_spec,
)
from splitjoin_cli.api.places import StoredRequest, open_place
from splitjoin_cli.core.bandwidth import shared
from splitjoin_cli.core.errors import StoreError, UsageError
from splitjoin_cli.core.places import is_s3
from splitjoin_cli.core.progress import Silent

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.joining import Joins
    from splitjoin_cli.splitting.stored.targets import PartsTarget, Target
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["STDOUT", "MergeResult", "merge"]

STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """What was put together. ``size_bytes``: of the file. ``rows``: None where no manifest says how many."""

    file_name: str
    output: str
    size_bytes: int
    rows: int | None
    total_parts: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            "file_name": self.file_name,
            "output": self.output,
            "bytes": self.size_bytes,
            "rows": self.rows,
            "total_parts": self.total_parts,
            "seconds": round(self.seconds, 3),
        }


def merge(
    place: arguments.Path,
    out: arguments.Path,
    *,
    name: str | None = None,
    force: bool = False,
    jobs: int | None = None,
    engine: str = THREADS,
    allow_plain_dask: bool = False,
    bwlimit: arguments.Bytes | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
    **keywords: Unpack[arguments.HeaderKeywords],
) -> MergeResult:
    """Write all chunks in ``place`` to ``out``, decompressed, with the header once: the bytes that were split.

        splitjoin_cli.merge("s3://bucket/in/", "export.csv", name="acme_20240131")

    The options are those of the command (``splitjoin merge --help``). Raises UsageError, NotFoundError, NameTakenError
    where ``out`` is there, CorruptObjectError, StoreError.
    """
    from splitjoin_cli.splitting.stored.merge import merge as merge_stored

    began = time.monotonic()
    aws = arguments.aws(profile, region, endpoint_url, session)
    bandwidth = shared(arguments.bandwidth(bwlimit))
    asked = asked_of_stored(
        place, engine, allow_plain_dask=allow_plain_dask, jobs=jobs, aws=aws, limited=bwlimit is not None
    )
    jobs = asked_jobs(asked.jobs)
    request = StoredRequest(place=asked.destination, file_name=name, jobs=jobs, aws=aws, bandwidth=bandwidth)
    dialect = arguments.dialect(keywords)[0] if keywords else None
    with ExitStack() as stack:
        opened = stack.enter_context(open_place(request))
        target = _target(stack, request, asked, os.fspath(out), force=force)
        executor = stack.enter_context(ThreadPoolExecutor(jobs, "merge"))
        merged = merge_stored(
            opened.sink,
            opened.open_chunk,
            _elsewhere(stack, asked, opened.sink, target, os.fspath(out), observer or Silent()),
            executor=executor,
            jobs=jobs,
            file_name=name,
            dialect=dialect,
            observer=observer,
            files=opened.files,
            objects=opened.objects,
        )
    return MergeResult(
        file_name=merged.file_name,
        output=os.fspath(out),
        size_bytes=merged.size_bytes,
        rows=merged.rows,
        total_parts=merged.total_parts,
        seconds=time.monotonic() - began,
    )


def _elsewhere(
    stack: ExitStack, asked: EngineRequest, stored: Sink, target: Target | PartsTarget, out: str, observer: Observer
) -> Target | Joins:
    """What merges into ``target`` on an engine, which is closed with ``stack``. Raises UsageError, EngineError."""
    from splitjoin_cli.splitting.stored.targets import FileTarget, PartsTarget

    if asked.engine == THREADS:
        assert not isinstance(target, PartsTarget)  # noqa: S101 -- see _target
        return target
    from splitjoin_cli.core.aws.options import ObjectOptions
    from splitjoin_cli.splitting.engines.merge import EngineMerge
    from splitjoin_cli.splitting.engines.specs import Reach, SinkSpec

    sink, copies = None, False
    if isinstance(target, PartsTarget):
        copies = stored.copier is not None and stored.copier.copies_from == target.copies_from
        sink = SinkSpec(f"{out.rpartition('/')[0]}/", Reach(asked.aws.region, asked.aws.endpoint_url), ObjectOptions())
    elif not isinstance(target, FileTarget) or not target.at_any_place:
        what = "this process's standard output" if out == STDOUT else f"{out}, which is not a file"
        raise UsageError(f"--engine {asked.engine}: workers cannot write to {what}", hint=f"name a file, or {AWAY}")
    elif not reaches_paths(asked.engine):
        raise UsageError(
            f"--engine {asked.engine}: functions write to s3://, and {out} is a path on this machine",
            hint=f"write s3://bucket/key, or {AWAY}",
        )
    engine = open_engine(asked, stack, observer)
    assert engine is not None  # noqa: S101 -- it is not threads
    return EngineMerge(engine, stored_spec(asked), target, sink, copies=copies)


def _target(
    stack: ExitStack, request: StoredRequest, asked: EngineRequest, out: str, *, force: bool
) -> Target | PartsTarget:
    from splitjoin_cli.splitting.stored.targets import FileTarget, ObjectTarget, PartsTarget, StreamTarget

    if out == STDOUT:
        try:
            return StreamTarget(stack.enter_context(open(1, "wb", buffering=0, closefd=False)))
        except OSError as exc:
            raise StoreError(f"cannot write to the output: {exc.strerror}") from exc
    if not is_s3(out):
        return FileTarget(Path(out), force=force)
    prefix, _, name = out.rpartition("/")
    if not name or prefix == "s3:/":
        raise UsageError(f"{out} names no object", hint="write s3://bucket/key")
    from splitjoin_cli.stores.sinks.s3 import S3Sink

    sink = S3Sink(f"{prefix}/", request.aws, jobs=request.jobs, bandwidth=request.bandwidth)
    stack.callback(sink.close)
    return ObjectTarget(sink, name, force=force) if asked.engine == THREADS else PartsTarget(sink, name, force=force)
