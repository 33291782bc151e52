"""From the place that a user names, a directory or an S3 prefix, to the split that lies there."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.api.open import check_file_name
from splitjoin_cli.core.aws.options import AwsOptions
from splitjoin_cli.core.errors import NotFoundError, UsageError
from splitjoin_cli.core.files import is_missing
from splitjoin_cli.core.places import S3Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.sources.s3_objects import S3Objects
    from splitjoin_cli.stores.sources.small_files import SmallFiles

__all__ = ["OpenPlace", "StoredRequest", "open_place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """Which stored split is meant, and how it is reached. ``file_name``: None where only one job lies there.

    ``bandwidth``: what limits all that moves over the network together.
    """

    place: Place
    file_name: str | None
    jobs: int
    aws: AwsOptions = field(default_factory=AwsOptions)
    bandwidth: Bandwidth | None = None

    def __post_init__(self) -> None:
        if self.file_name is not None:
            check_file_name(self.file_name)


@dataclass(frozen=True, slots=True)
class OpenPlace:
    """A place that is open: what lists it, and what opens its objects as they are stored.

    ``files``: what reads many of them at a call, where it is a directory and the kernel is to be had. ``objects``: what
    reads a small one by one request, where it is on S3.
    """

    sink: Sink
    open_chunk: Callable[[str], Source]
    files: SmallFiles | None = None
    objects: S3Objects | None = None


@contextmanager
def open_place(request: StoredRequest) -> Iterator[OpenPlace]:
    """The place of a request, until the block is left. Raises NotFoundError where there is no such directory."""
    if isinstance(request.place, S3Place):
        with _bucket(request.place, request) as place:
            yield place
    else:
        from splitjoin_cli.stores.sources.small_files import open_small_files

        path = Path(request.place.path)
        place = _directory(path)
        try:
            with open_small_files(path) as files:
                yield replace(place, files=files)
        finally:
            place.sink.close()


@contextmanager
def _bucket(place: S3Place, request: StoredRequest) -> Iterator[OpenPlace]:
    """One client for the listing and for all chunks: making one takes longer than reading a small chunk."""
    from splitjoin_cli.core.aws import client as aws
    from splitjoin_cli.stores.sinks.s3 import S3Sink
    from splitjoin_cli.stores.sources.s3 import S3Source
    from splitjoin_cli.stores.sources.s3_objects import S3Objects

    client = aws.client("s3", request.aws, connections=4 * request.jobs, attempts=1, bandwidth=request.bandwidth)
    sink = S3Sink(str(place), client=client, jobs=request.jobs)
    uri = sink.properties.uri
    try:
        objects = S3Objects(uri, client)
        yield OpenPlace(sink, lambda name: S3Source(uri + name, client=client, jobs=request.jobs), objects=objects)
    finally:
        sink.close()
        client.close()


def _directory(path: Path) -> OpenPlace:
    from splitjoin_cli.stores.sinks.directory import DirectorySink
    from splitjoin_cli.stores.sinks.staged_file import explained
    from splitjoin_cli.stores.sources.local import LocalSource

    if is_missing(path):
        raise NotFoundError(
            f"no such directory: {path}", hint="check the path; it is relative to the working directory"
        )
    with explained("looking at", path):
        mode = path.stat().st_mode
    if not stat.S_ISDIR(mode):
        raise UsageError(
            f"{path} is not a directory", hint="name the directory, or s3:// prefix, that holds the chunks"
        )
    return OpenPlace(DirectorySink(path), lambda name: LocalSource(str(path / name)))
