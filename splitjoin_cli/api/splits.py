"""Splits many sources in one call: names settled first, then several at once, each as if it were alone."""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from splitjoin_cli.api.engines import open_engine
from splitjoin_cli.api.one_split import Surroundings, check_named, open_inquiry, perform, tracker_of, utc_now
from splitjoin_cli.api.sources import ALONE, Sources, listed_names
from splitjoin_cli.core import trace
from splitjoin_cli.core.bandwidth import shared
from splitjoin_cli.core.errors import NotFoundError, SourceError, SplitjoinError, StoppedError, UsageError
from splitjoin_cli.core.places import S3Place, is_s3
from splitjoin_cli.core.source_name import Naming
from splitjoin_cli.splitting.free_names import FreeNames
from splitjoin_cli.splitting.request import DEFAULT_CHUNK_BYTES, ChunkSize
from splitjoin_cli.splitting.resume import resume_all_command, shown_source
from splitjoin_cli.splitting.splits import FailedSource, SplitsResult
from splitjoin_cli.splitting.together import Together

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from splitjoin_cli.api.sources import Expansion, NamedSource
    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.abilities import Inquiry
    from splitjoin_cli.splitting.engines.base import Engine
    from splitjoin_cli.splitting.request import SplitRequest
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.splitting.run import SplitRun
    from splitjoin_cli.splitting.together import Member
    from splitjoin_cli.stores.sinks.base import Sink
    from splitjoin_cli.stores.sources.base import Source
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["run_splits"]


def run_splits(
    request: SplitRequest,
    words: Sequence[str],
    files_from: str | None,
    observer: Observer,
    *,
    now: Callable[[], dt.datetime] = utc_now,
) -> SplitsResult:
    """Split all that ``words`` and the list name, with the options of ``request``, whose ``source`` is not looked at.

    ``files_from``: a file with a name a line, or ``-``. ``now``: the clock (UTC), asked once for all. A signal
    (StoppedError) ends all, and the result says so. Raises UsageError, before anything is stored, for what no command
    of several sources can be; SourceError and StoreError where the sources cannot be listed.
    """
    began = time.monotonic()
    if request.client is not None:
        raise UsageError("--client names one split, and several sources were given", hint="leave --client out")
    ended = _Ended(began, resume_all_command(request, words, files_from))
    with ExitStack() as stack:
        try:
            _check_destination(request.destination)
            listed = [] if files_from is None else listed_names(files_from)
            client = _client(request, [*words, *listed], stack)
            sources = Sources(request.aws, request.objects.payer, client)
            try:
                expansion = sources.expand(words, listed, request.destination)
            except NotFoundError as exc:
                return ended.result([], nothing=exc)
            ended.left_out = expansion.left_out
            parts = _settled(request, expansion, now().date())
            tracker = tracker_of(request, stack)
            engine = open_engine(request, stack, observer)
        except StoppedError as exc:
            return ended.result([], stopped=exc)
        inquiry = open_inquiry(request, observer, engine, stack)
        running = _Running(request, parts, observer, client, tracker, engine, inquiry)
        stopped = running.run()
    return ended.result(parts, stopped=stopped)


@dataclass(slots=True)
class _Ended:
    """What all results of one call have in common."""

    began: float
    again: str
    left_out: int = 0

    def result(
        self, parts: list[_Part], *, stopped: StoppedError | None = None, nothing: SplitjoinError | None = None
    ) -> SplitsResult:
        begun = [outcome for part in parts if (outcome := part.outcome) is not None]
        return SplitsResult(
            splits=tuple(begun),
            not_begun=len(parts) - len(begun),
            left_out=self.left_out,
            seconds=time.monotonic() - self.began,
            again=self.again,
            stopped=stopped,
            nothing=nothing,
        )


@dataclass(slots=True)
class _Part:
    """One of the splits: what it is of, its name, and what came of it."""

    source: NamedSource
    naming: Naming | None = None
    result: SplitResult | None = None
    error: SplitjoinError | None = None
    stored_bytes: int | None = None
    fingerprint: str | None = None

    @property
    def outcome(self) -> SplitResult | FailedSource | None:
        """For the result of all; None where it was not begun."""
        if self.error is None:
            return self.result
        return FailedSource(
            uri=shown_source(self.source.uri),
            error=self.error,
            stored_bytes=self.source.size if self.stored_bytes is None else self.stored_bytes,
            fingerprint=self.fingerprint,
        )


def _settled(request: SplitRequest, expansion: Expansion, today: dt.date) -> list[_Part]:
    """Each source with its name, or why it has none. Raises UsageError where two have one name."""
    parts: list[_Part] = []
    taken: dict[JobName, str] = {}
    for source in expansion.sources:
        part = _Part(source)
        parts.append(part)
        asked = replace(request, source=source.uri)
        try:
            check_named(asked)
            part.naming = asked.naming(today)
        except UsageError as exc:
            hint = exc.hint if exc.hint is None or "--client" not in exc.hint else f"split it alone: {exc.hint}"
            part.error = UsageError(f"{shown_source(source.uri)}: {exc.message}", hint=hint)
            continue
        except SourceError as exc:
            part.error = exc
            continue
        job = part.naming.job
        if job in taken:
            raise UsageError(
                f"{shown_source(taken[job])} and {shown_source(source.uri)} have the same name, {job.file_name}",
                hint=f"leave one of them out, and {ALONE}",
            )
        taken[job] = source.uri
    return parts


def _check_destination(place: Place) -> None:
    """Raise UsageError where DEST is a file: the last source, where DEST was forgotten."""
    if not isinstance(place, S3Place) and os.path.isfile(place.path):  # noqa: PTH113 -- paths are text here
        raise UsageError(f"DEST, {place}, is a file", hint="name a directory or s3://bucket/prefix/ after the sources")


def _client(request: SplitRequest, words: Sequence[str], stack: ExitStack) -> Any:  # noqa: ANN401 -- botocore makes its clients' classes at run time
    """One client of S3 for all sources and the destination, closed with ``stack``; None where S3 is not named."""
    if not isinstance(request.destination, S3Place) and not any(map(is_s3, words)):
        return None
    from splitjoin_cli.core.aws import client as aws

    bandwidth = shared(request.bwlimit)
    client = aws.client("s3", request.aws, connections=6 * request.at_once, attempts=1, bandwidth=bandwidth)
    stack.callback(client.close)
    return client


class _Shared(NamedTuple):
    """What all of them have in common. See Surroundings."""

    client: Any
    engine: Engine | None
    inquiry: Inquiry | None
    swept: set[str]
    free: FreeNames


class _One(Surroundings):
    """One of several splits, as it runs."""

    resumes = True

    def __init__(self, part: _Part, share: int, heard: Member, check: Callable[[], None], shared: _Shared) -> None:
        """``share``: of the jobs. ``check`` raises what ends all splits."""
        self.client, self.engine, self.inquiry, self.swept, self.free = shared
        self.part, self.share, self.heard, self._check = part, share, heard, check
        self.run: SplitRun | None = None
        self.sink: Sink | None = None

    def source(self, source: Source) -> Source:
        """See Surroundings: no signal reaches the split, so its reads ask."""
        from splitjoin_cli.stores.sources.stoppable import StoppableSource

        self.part.stored_bytes = source.properties.stored_bytes
        return StoppableSource(source, self._check)

    def check(self) -> None:
        """See Surroundings."""
        self._check()

    def begun(self, run: SplitRun, sink: Sink) -> None:
        """See Surroundings."""
        self.run, self.sink = run, sink


class _Running:
    """The splits under way. ``run`` it once.

    Each has a share of the jobs: of its scan and transfers as many run at once. A source of one chunk takes one, so
    that small sources run side by side; a large one waits until half of what it can use is free.
    """

    def __init__(
        self,
        request: SplitRequest,
        parts: Sequence[_Part],
        observer: Observer,
        client: Any,  # noqa: ANN401 -- see _client
        tracker: Tracker | None,
        engine: Engine | None,
        inquiry: Inquiry | None,
    ) -> None:
        """``client``, ``tracker``, ``engine`` and ``inquiry``: shared by all."""
        self._engine, self._inquiry = engine, inquiry
        self._request, self._parts, self._observer = request, parts, observer
        self._client, self._tracker = client, tracker
        self._signal: int | None = None
        self._flying: dict[Future[None], _One] = {}

    def run(self) -> StoppedError | None:
        """Split all that have a name. The signal that ended it before the end, if one did."""
        named = [part for part in self._parts if part.naming is not None]
        if not named:
            return None
        with ThreadPoolExecutor(min(self._request.at_once, len(named)), "source") as executor:
            try:
                self._begin_all(named, executor)
                wait(self._flying)
            except BaseException as exc:
                self._stop(exc)
                if not isinstance(exc, StoppedError):
                    raise
                return exc
        return None

    def _begin_all(self, named: Sequence[_Part], executor: Executor) -> None:
        """Begin one after the other, each when there are jobs for it."""
        passes = 1 if not isinstance(self._request.destination, S3Place) and self._request.compress is None else 2
        sizes = [0 if part.source.size is None and "://" not in part.source.uri else part.source.size for part in named]
        together = Together(self._observer, "splitting", "source", sizes, passes)
        free = FreeNames(part.naming.job.file_name for part in named if part.naming is not None)
        shared = _Shared(self._client, self._engine, self._inquiry, set(), free)
        for part in named:
            share = self._wait_for_share(part)
            heard = together.member(shown_source(part.source.uri), part.source.size)
            one = _One(part, share, heard, self._check, shared)
            self._flying[executor.submit(self._split, one)] = one

    def _wait_for_share(self, part: _Part) -> int:
        """Wait until there are jobs for one more split; how many it gets."""
        jobs, size, chunk = self._request.at_once, part.source.size, self._request.size
        chunk_bytes = chunk.size_bytes if isinstance(chunk, ChunkSize) else DEFAULT_CHUNK_BYTES
        chunks = jobs // 2 if size is None and "://" in part.source.uri else -(-(size or 0) // chunk_bytes)
        wanted = min(jobs, max(1, chunks))
        while True:
            free = jobs - sum(one.share for future, one in self._flying.items() if not future.done())
            if free >= (wanted + 1) // 2:
                return min(wanted, free)
            wait([future for future in self._flying if not future.done()], return_when=FIRST_COMPLETED)
            self._flying = {future: one for future, one in self._flying.items() if not future.done()}

    def _split(self, one: _One) -> None:
        """One of them, on a thread of its own; what comes of it is in its part."""
        part = one.part
        try:
            part.result = self._performed(one)
        except SplitjoinError as exc:
            part.error = exc
        except BaseException as exc:  # noqa: BLE001 -- the others go on, and this one's error is in the result
            trace.note("error", type=type(exc).__name__, message=str(exc))
            part.error = SplitjoinError(
                f"{shown_source(part.source.uri)}: unexpected {type(exc).__name__}: {exc}",
                hint="this is a bug in splitjoin; split this source alone, with -v, to see where it is",
            )
        one.heard.end(failed=part.result is None or bool(part.result.failed))
        if one.run is not None:
            part.fingerprint = one.run.fingerprint
        if self._signal is not None and (part.result is None or part.result.failed):
            part.error = StoppedError(self._signal)
            part.error.hint = None if one.run is None or self._request.dry_run else one.run.kept()

    def _performed(self, one: _One) -> SplitResult:
        """The split under its name, or under the date of a day before on which it was begun."""
        from splitjoin_cli.splitting.elsewhere import BegunElsewhereError

        naming = one.part.naming
        assert naming is not None  # noqa: S101 -- only those that have one are begun
        request = replace(self._request, source=one.part.source.uri, share=one.share)
        for _ in range(2):
            job = naming.job
            asked = replace(request, client=job.client, date=job.date)
            try:
                return perform(asked, naming, one.heard, self._tracker, passing=False, within=one)
            except BegunElsewhereError as exc:
                naming = Naming(exc.job)
                one.heard.warn(f"its split of {exc.job.date} is unfinished, and is resumed under that date")
        raise SplitjoinError(
            f"{shown_source(request.source)}: its split of another day comes and goes", hint="run again"
        )

    def _check(self) -> None:
        if self._signal is not None:
            raise StoppedError(self._signal)

    def _stop(self, exc: BaseException) -> None:
        """End all splits: those that read stop at the next read, those that send at the next block."""
        self._signal = exc.signal_number if isinstance(exc, StoppedError) else 2
        under_way = [one for future, one in self._flying.items() if not future.done()]
        for one in under_way:
            one.heard.hush()
        with ThreadPoolExecutor(max(len(under_way), 1), "stop") as executor:
            wait([executor.submit(one.sink.close) for one in under_way if one.sink is not None])
        wait(self._flying)
