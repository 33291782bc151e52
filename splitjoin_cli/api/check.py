"""From what a user names, a directory or an S3 prefix with a split in it, to verify and merge."""

# Each implementation is imported only when it is asked for: botocore is slow to import, and directories do not need it.
# ruff: noqa: PLC0415

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import NotFoundError, StoreError, UsageError
from splitjoin_cli.core.names import parse_file_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.stored.chunks import OpenChunk
    from splitjoin_cli.splitting.stored.merge import MergeResult, Target
    from splitjoin_cli.splitting.stored.verify import VerifyReport
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["STDOUT", "Place", "StoredRequest", "open_place", "run_merge", "run_verify"]

STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """Which stored split is meant, and how it is reached.

    ``place``: a directory or an ``s3://`` prefix. ``file_name``: None where only one job lies there. ``profile``,
    ``region``, ``endpoint_url``: None for what the environment says.
    """

    place: str
    file_name: str | None
    jobs: int
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        if self.file_name is not None and parse_file_name(self.file_name) is None:
            raise UsageError(f"{self.file_name!r} is no job's name", hint="it is CLIENT_DATE, as in the chunks' names")

    def aws(self) -> AwsOptions:
        """The same, as the makers of clients take it."""
        from splitjoin_cli.core.aws.options import AwsOptions

        return AwsOptions(self.profile, self.region, self.endpoint_url)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a split lies: what lists it, and what opens its objects as they are stored."""

    sink: Sink
    open_chunk: OpenChunk


@contextmanager
def open_place(request: StoredRequest) -> Iterator[Place]:
    """The place of a request, until the block is left. Raises NotFoundError where there is no such directory."""
    if request.place.startswith("s3://"):
        with _bucket(request) as place:
            yield place
    else:
        place = _directory(Path(request.place))
        try:
            yield place
        finally:
            place.sink.close()


@contextmanager
def _bucket(request: StoredRequest) -> Iterator[Place]:
    """One client for the listing and for all chunks: making one takes longer than reading a small chunk."""
    from splitjoin_cli.core.aws import client as aws
    from splitjoin_cli.stores.sinks.s3 import S3Sink
    from splitjoin_cli.stores.sources.s3 import S3Source

    client = aws.client("s3", request.aws(), connections=4 * request.jobs, attempts=1)
    sink = S3Sink(request.place, client=client, jobs=request.jobs)
    uri = sink.properties.uri
    try:
        yield Place(sink, lambda name: S3Source(uri + name, client=client, jobs=request.jobs))
    finally:
        sink.close()
        client.close()


def _directory(path: Path) -> Place:
    from splitjoin_cli.stores.sinks.directory import DirectorySink
    from splitjoin_cli.stores.sources.local import LocalSource

    if not path.exists():
        raise NotFoundError(f"no such directory: {path}")
    if not path.is_dir():
        raise UsageError(
            f"{path} is not a directory", hint="name the directory, or s3:// prefix, that holds the chunks"
        )
    return Place(DirectorySink(path), lambda name: LocalSource(str(path / name)))


def run_verify(
    request: StoredRequest, observer: Observer, *, source: str | None, encoding: str | None, tmp_dir: Path | None
) -> VerifyReport:
    """Verify a stored split; ``source``, ``encoding`` and ``tmp_dir`` as split takes them, None for no source."""
    from splitjoin_cli.splitting.stored.verify import verify
    from splitjoin_cli.stores.sources.open import open_source

    with ExitStack() as stack:
        place = stack.enter_context(open_place(request))
        opened: Source | None = None
        if source is not None:
            opened = open_source(source, tmp_dir=tmp_dir, encoding=encoding, aws=request.aws())
            stack.callback(opened.close)
        executor = stack.enter_context(ThreadPoolExecutor(request.jobs, "verify"))
        return verify(
            place.sink,
            place.open_chunk,
            executor=executor,
            jobs=request.jobs,
            file_name=request.file_name,
            source=opened,
            observer=observer,
        )


def run_merge(request: StoredRequest, observer: Observer, *, out: str, force: bool, dialect: Dialect) -> MergeResult:
    """Merge a stored split to ``out``: a path, an ``s3://`` object, or STDOUT."""
    from splitjoin_cli.splitting.stored.merge import merge

    with ExitStack() as stack:
        place = stack.enter_context(open_place(request))
        target = _target(stack, request, out, force=force)
        executor = stack.enter_context(ThreadPoolExecutor(request.jobs, "merge"))
        return merge(
            place.sink,
            place.open_chunk,
            target,
            executor=executor,
            jobs=request.jobs,
            file_name=request.file_name,
            dialect=dialect,
            observer=observer,
        )


def _target(stack: ExitStack, request: StoredRequest, out: str, *, force: bool) -> Target:
    from splitjoin_cli.splitting.stored.merge import FileTarget, ObjectTarget, StreamTarget

    if out == STDOUT:
        try:
            return StreamTarget(stack.enter_context(open(1, "wb", buffering=0, closefd=False)))
        except OSError as exc:
            raise StoreError(f"cannot write to the output: {exc.strerror}") from exc
    if not out.startswith("s3://"):
        return FileTarget(Path(out), force=force)
    prefix, _, name = out.rpartition("/")
    if not name or prefix == "s3:/":
        raise UsageError(f"{out} names no object", hint="write s3://bucket/key")
    from splitjoin_cli.stores.sinks.s3 import S3Sink

    sink = S3Sink(f"{prefix}/", request.aws(), jobs=request.jobs)
    stack.callback(sink.close)
    return ObjectTarget(sink, name, force=force)
