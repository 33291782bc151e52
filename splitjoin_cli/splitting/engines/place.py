"""What a worker's units have in common: sources and sinks, opened once each by what names them, and their headers."""

from __future__ import annotations

import platform
import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import AccessError, SourceChangedError
from splitjoin_cli.core.places import is_http
from splitjoin_cli.core.unpicklable import StaysHere
from splitjoin_cli.splitting.stored.judge import StoredPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from splitjoin_cli.splitting.engines.specs import HeaderSpec, SinkSpec, SourceSpec, StoredSpec
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Place", "open_sink", "open_source"]

READERS = 16
"""Connections to a store, for as many units as a worker runs at once."""
KEPT = 4
"""Sources, and sinks, that stay open while no unit uses them: a worker may serve several splits at once."""


class _Closes(Protocol):
    def close(self) -> None: ...


S = TypeVar("S")
T = TypeVar("T", bound=_Closes)


class _Entry(Generic[T]):
    """Something open. ``users`` have it now; ``stale``: the last one closes it."""

    def __init__(self, opened: T) -> None:
        self.opened, self.users, self.stale = opened, 0, False


class _Shelf(Generic[S, T]):
    """Things that are open, by what names them. Thread-safe."""

    def __init__(self, opens: Callable[[S], T], keeps: Callable[[S], bool] = lambda _: True) -> None:
        """``keeps``: whether it may stay open while nobody uses it."""
        self._opens, self._keeps, self._lock = opens, keeps, threading.Lock()
        self._entries: OrderedDict[S, _Entry[T]] = OrderedDict()

    @contextmanager
    def use(self, spec: S) -> Iterator[T]:
        """Open it, unless it is; what failed is opened anew by the next one."""
        with self._lock:  # several units of one split begin at once: one of them opens
            entry = self._entries.get(spec)
            if entry is None:
                entry = self._entries[spec] = _Entry(self._opens(spec))
                entry.stale = not self._keeps(spec)
            self._entries.move_to_end(spec)
            entry.users += 1
        try:
            yield entry.opened
        except BaseException:
            entry.stale = True
            raise
        finally:
            self._give_back(spec, entry)

    def close(self) -> None:
        """Close what nobody uses; the others when they are given back."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
            for entry in entries:
                entry.stale = True
            idle = [entry for entry in entries if not entry.users]
        for entry in idle:
            entry.opened.close()

    def _give_back(self, spec: S, entry: _Entry[T]) -> None:
        closing: list[_Entry[T]] = []
        with self._lock:
            entry.users -= 1
            if entry.stale and self._entries.get(spec) is entry:
                del self._entries[spec]
            if entry.stale and not entry.users:
                closing.append(entry)
            idle = [one for one, held in self._entries.items() if not held.users]
            closing += [self._entries.pop(one) for one in idle[: max(len(idle) - KEPT, 0)]]
        for old in closing:
            old.opened.close()


class OpenStored(StaysHere):
    """A place of stored chunks that is open."""

    def __init__(self, place: StoredPlace, close: Callable[[], None]) -> None:
        """``close`` frees what it holds."""
        self.place, self.close = place, close


class Place(StaysHere):
    """Where units run: one for each process. Thread-safe."""

    def __init__(
        self,
        opens_source: Callable[[SourceSpec], Source] | None = None,
        opens_sink: Callable[[SinkSpec], Sink] | None = None,
        opens_stored: Callable[[StoredSpec], OpenStored] | None = None,
        *,
        worker: str | None = None,
        room: str = "free some, or set TMPDIR to a larger disk; or use smaller chunks, or --engine threads",
        takes_paths: bool = True,
    ) -> None:
        """``opens_source`` and so on: instead of what this process reaches by itself.

        ``worker``: how messages call it, this machine's name by default. ``room``: what to do where its disk is full.
        ``takes_paths``: whether units may read and write this machine's files.
        """
        self.worker, self.room, self._takes_paths = worker or f"worker {platform.node()}", room, takes_paths
        self._sources: _Shelf[SourceSpec, Source] = _Shelf(opens_source or open_source)
        self._sinks: _Shelf[SinkSpec, Sink] = _Shelf(opens_sink or open_sink, _leaves_nothing)
        self._stored: _Shelf[StoredSpec, OpenStored] = _Shelf(opens_stored or open_stored, _leaves_nothing)
        self._headers: OrderedDict[tuple[SourceSpec, HeaderSpec], bytes] = OrderedDict()

    @contextmanager
    def source(self, spec: SourceSpec) -> Iterator[Source]:
        """The source that ``spec`` names, as it was planned. Raises SourceChangedError where it is another one."""
        if not is_http(spec.uri):
            self.check_path(spec.uri)
        with self._sources.use(spec) as source:
            found = source.properties
            if (found.size, found.validator) != (spec.size, spec.validator):
                raise SourceChangedError(
                    f"{found.uri} is another file here than the one that is being split: it has {found.size} bytes "
                    f"({found.validator}), and {spec.size} ({spec.validator}) were planned",
                    hint=_way_out(spec, found.size),
                )
            yield source

    def sink(self, spec: SinkSpec) -> AbstractContextManager[Sink]:
        """The sink that ``spec`` names."""
        self.check_path(spec.uri)
        return self._sinks.use(spec)

    def stored(self, spec: StoredSpec) -> AbstractContextManager[OpenStored]:
        """The place of stored chunks that ``spec`` names."""
        self.check_path(spec.uri)
        return self._stored.use(spec)

    def check_path(self, uri: str) -> None:
        """Raise AccessError for what is no S3 URI, where this place takes no paths.

        Only the schemes that are known are let through: ``/tmp/x://../etc`` is a path, too.
        """
        if not self._takes_paths and not uri.startswith("s3://"):
            what = "reads s3:// and http(s)://, writes s3://, and takes no path"
            raise AccessError(f"the split function {what}: {uri}")

    def header(self, source: Source, spec: SourceSpec, header: HeaderSpec) -> bytes:
        """The header's bytes. Raises SourceChangedError where they are others."""
        known = self._headers.get((spec, header))
        if known is not None:
            return known
        buffer = bytearray(header.size)
        data = bytes(buffer[: source.read_at(header.start, memoryview(buffer))]) if header.size else b""
        if crc64(data) != header.checksum:
            raise SourceChangedError(
                f"{source.properties.uri} changed while it was split: its header is another one", hint="run again"
            )
        self._headers[spec, header] = data
        while len(self._headers) > KEPT:
            self._headers.popitem(last=False)
        return data

    def close(self) -> None:
        """Close what is open."""
        self._sources.close()
        self._sinks.close()
        self._stored.close()


def _way_out(spec: SourceSpec, size: int | None) -> str:
    """What to do where a worker finds another source, of ``size`` bytes."""
    if not is_http(spec.uri):
        return "a path must lead to the same file on every worker; if it does, the file changed: run again"
    from splitjoin_cli.stores.sources.web_answers import NODES  # noqa: PLC0415 -- only what is used is imported

    return f"run again; {NODES}" if size == spec.size else "run again"


def _leaves_nothing(spec: SinkSpec | StoredSpec) -> bool:
    """Whether an open sink can be seen by others: a directory's has a folder of its own there."""
    return spec.uri.startswith("s3://")


def open_source(spec: SourceSpec) -> Source:
    """The source that ``spec`` names, by this process's own credentials. Raises SourceError."""
    if spec.uri.startswith("s3://"):
        from splitjoin_cli.core.aws.options import AwsOptions  # noqa: PLC0415 -- botocore is slow to import
        from splitjoin_cli.stores.sources.s3 import S3Source  # noqa: PLC0415 -- the same

        aws = AwsOptions(region=spec.reach.region, endpoint_url=spec.reach.endpoint_url)
        return S3Source(spec.uri, aws, request_payer=spec.request_payer)
    if is_http(spec.uri):
        from splitjoin_cli.stores.sources.web_ranges import HttpRanges  # noqa: PLC0415 -- requests is slow to import

        return HttpRanges(spec.uri)
    from splitjoin_cli.stores.sources.local import LocalSource  # noqa: PLC0415 -- only what is used is imported

    return LocalSource(spec.uri)


def open_sink(spec: SinkSpec) -> Sink:
    """The sink that ``spec`` names, by this process's own credentials. It never stores without a condition."""
    if spec.uri.startswith("s3://"):
        from splitjoin_cli.core.aws.options import AwsOptions  # noqa: PLC0415 -- botocore is slow to import
        from splitjoin_cli.stores.sinks.s3 import S3Sink  # noqa: PLC0415 -- the same

        aws = AwsOptions(region=spec.reach.region, endpoint_url=spec.reach.endpoint_url)
        return S3Sink(spec.uri, aws, objects=spec.objects, must_be_conditional=True)
    from pathlib import Path  # noqa: PLC0415 -- only what is used is imported

    from splitjoin_cli.stores.sinks.directory import DirectorySink  # noqa: PLC0415 -- the same

    return DirectorySink(Path(spec.uri), fsync=spec.fsync)


def open_stored(spec: StoredSpec) -> OpenStored:
    """The place of chunks that ``spec`` names, by this process's own credentials."""
    if spec.uri.startswith("s3://"):
        return _open_bucket(spec)
    from pathlib import Path  # noqa: PLC0415 -- only what is used is imported

    from splitjoin_cli.stores.sinks.directory import DirectorySink  # noqa: PLC0415 -- the same
    from splitjoin_cli.stores.sources.local import LocalSource  # noqa: PLC0415 -- the same

    path = Path(spec.uri)
    sink = DirectorySink(path)
    return OpenStored(StoredPlace(sink, lambda name: LocalSource(str(path / name))), sink.close)


def _open_bucket(spec: StoredSpec) -> OpenStored:
    from splitjoin_cli.core.aws import client as aws  # noqa: PLC0415 -- botocore is slow to import
    from splitjoin_cli.core.aws.options import AwsOptions  # noqa: PLC0415 -- the same
    from splitjoin_cli.stores.sinks.s3 import S3Sink  # noqa: PLC0415 -- the same
    from splitjoin_cli.stores.sources.s3 import S3Source  # noqa: PLC0415 -- the same
    from splitjoin_cli.stores.sources.s3_objects import S3Objects  # noqa: PLC0415 -- the same

    options = AwsOptions(region=spec.reach.region, endpoint_url=spec.reach.endpoint_url)
    client = aws.client("s3", options, connections=READERS, attempts=1)
    sink = S3Sink(spec.uri, client=client)

    def close() -> None:
        sink.close()
        client.close()

    objects = S3Objects(sink.properties.uri, client)
    return OpenStored(StoredPlace(sink, lambda name: S3Source(spec.uri + name, client=client, jobs=2), objects), close)
