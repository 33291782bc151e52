"""Looks at jobs, once or again and again: the tracker, and what is compared with it. Read only."""

# Each of what a look may be compared with is imported only when it is asked for: botocore and drivers are slow.

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.api.open import open_ledger, open_tracker
from splitjoin_cli.api.places import StoredRequest
from splitjoin_cli.api.status_stored import planned_rows, stored_chunks
from splitjoin_cli.core.errors import NoSuchJobError, NotFoundError
from splitjoin_cli.join.operate import status as found
from splitjoin_cli.join.operate.advice import advise
from splitjoin_cli.stores.trackers.rules import no_such_job

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path as FilePath

    from splitjoin_cli.api.open import LoadRequest
    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.join.operate.dead_letters import DeadLetters
    from splitjoin_cli.join.operate.reconcile import Reconciliation
    from splitjoin_cli.join.operate.status import JobStatus, OtherObject
    from splitjoin_cli.join.operate.values import Values
    from splitjoin_cli.stores.loaders.base import Ledger
    from splitjoin_cli.stores.trackers.base import Tracker
    from splitjoin_cli.stores.trackers.jobs import JobProgress
    from splitjoin_cli.stores.trackers.urls import TrackerUrl

__all__ = ["Letters", "StatusRequest", "View", "open_view"]

LETTERS_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """What is to be looked at. ``file_name``: None for all jobs.

    ``load``: the database whose ledger is read; ``reconcile``: it is compared with the tracker, too; ``values``: and
    its table with the chunks, or with ``source``, in ``encoding``; ``key``: the columns that tell rows apart.
    ``html``: the file that the page is written to.
    """

    file_name: str | None
    tracker: TrackerUrl
    stuck_seconds: float
    dest: Place | None
    queue: str | None
    load: LoadRequest | None
    reconcile: bool
    values: bool
    source: str | None
    encoding: str | None
    key: tuple[str, ...]
    html: FilePath | None
    aws: AwsOptions


class View(Protocol):
    """What is looked at, once or again and again."""

    jobs: list[JobStatus]
    """As the last look showed them."""
    tracker_uri: str

    def reach(self) -> None:
        """Raise NotFoundError where the tracker is not there."""

    def look(self) -> None:
        """Ask the tracker. Raises NoSuchJobError, StoreError."""

    def write_page(self) -> FilePath | None:
        """Write the last look as a page, where one was asked for; returns its path. Raises StoreError."""


@contextmanager
def open_view(request: StatusRequest) -> Iterator[View]:
    """What looks, until the block is left."""
    letters = None if request.queue is None else Letters(request.queue, request.aws)
    with closing(open_tracker(request.tracker, request.aws)) as tracker:
        if request.file_name is None:
            yield AllJobs(tracker, request.stuck_seconds, letters)
        else:
            yield OneJob(tracker, request.file_name, request, letters)


class Letters:
    """The dead letters of a queue; looked at seldom, since each look is a delivery."""

    def __init__(self, url: str, aws: AwsOptions) -> None:
        """Nothing is reached yet. Raises UsageError."""
        from splitjoin_cli.core.aws.sqs import SqsQueue

        self._queue = SqsQueue(url, aws)
        self._seen: DeadLetters | None = None
        self._at = 0.0

    def look(self) -> DeadLetters:
        """As they are, or were less than LETTERS_SECONDS ago."""
        from splitjoin_cli.join.operate.dead_letters import look_at_dead_letters

        if self._seen is None or time.monotonic() - self._at >= LETTERS_SECONDS:
            self._seen = look_at_dead_letters(self._queue)
            self._at = time.monotonic()
        return self._seen


class OneJob:
    """One job, with all that it is compared with. A View."""

    def __init__(self, tracker: Tracker, file_name: str, request: StatusRequest, letters: Letters | None) -> None:
        """``letters``: None where no queue was named."""
        self._tracker, self._file_name, self._request, self._letters = tracker, file_name, request, letters
        self.tracker_uri = tracker.uri
        self.jobs: list[JobStatus] = []
        self._listed: Mapping[int, float | None] | None = None

    def reach(self) -> None:
        """See View."""
        self._tracker.reach()

    def write_page(self) -> FilePath | None:
        """See View."""
        request = self._request
        if request.html is None:
            return None
        from splitjoin_cli.api.page.facts import PageFacts
        from splitjoin_cli.api.page.file import write_page

        run, loads, database = self.jobs[0].progress.run, None, None
        if request.load is not None:
            database = str(request.load.into)
            with closing(open_ledger(request.load, request.aws)) as reader:
                loads = [] if run is None else reader.read_times(run.file_name, run.run_id)
        write_page(request.html, PageFacts(self.jobs[0], self._listed, loads, database))
        return request.html

    def look(self) -> None:
        """See View."""
        request = self._request
        progress = self._progress()
        self._listed = stored = self._stored(progress.total_parts)
        job = found.job_status(progress, now=time.time(), stuck_seconds=request.stuck_seconds, stored=stored)
        if request.load is not None and request.reconcile:
            job = replace(job, reconciliation=self._reconciled(request.load, progress))
        if request.load is not None and request.values and job.reconciliation is not None:
            job = replace(job, values=self._values(request.load, progress, job.reconciliation.ledger))
        if self._letters is not None:
            job = replace(job, dead_letters=self._letters.look())
        if stored is not None and request.dest is not None:
            job = replace(job, other_objects=self._other_objects(progress, stored, str(request.dest)))
        dest = None if request.dest is None else str(request.dest)
        self.jobs = [replace(job, advice=advise(job, self.tracker_uri, dest))]

    def _progress(self) -> JobProgress:
        """What the tracker has. The hint of NoSuchJobError brings back a job whose item was deleted."""
        try:
            return self._tracker.progress(self._file_name)
        except NoSuchJobError as exc:
            try:
                self._tracker.reach()
            except NotFoundError as gone:
                exc.message, exc.hint = gone.message, gone.hint
                raise exc from gone
            if self._request.dest is not None:
                exc.hint = no_such_job(self._file_name, self.tracker_uri, dest=str(self._request.dest)).hint
            raise

    def _other_objects(self, progress: JobProgress, stored: Collection[int], dest: str) -> tuple[OtherObject, ...]:
        """Those of the first missing chunks that are stored: whose they are, each says itself."""
        from splitjoin_cli.join.operate.other_objects import MOST, look_at_objects

        numbers = list(islice((number for number in progress.missing or () if number in stored), MOST))
        if progress.run is None or not numbers:
            return ()
        from splitjoin_cli.stores.chunks.any import Chunks

        with closing(Chunks(self._request.aws)) as chunks:
            return look_at_objects(chunks, dest, progress.run, progress.total_parts, numbers)

    def _stored(self, total_parts: int) -> Mapping[int, float | None] | None:
        dest = self._request.dest
        return None if dest is None else stored_chunks(self._stored_request(dest), total_parts=total_parts)

    def _stored_request(self, place: Place) -> StoredRequest:
        return StoredRequest(place=place, file_name=self._file_name, jobs=1, aws=self._request.aws)

    def _reconciled(self, request: LoadRequest, progress: JobProgress) -> Reconciliation:
        """The ledger is looked at after the tracker: see ``reconcile``."""
        from splitjoin_cli.join.operate.reconcile import reconcile

        with closing(open_ledger(request, self._request.aws)) as reader:
            ledger = reader.read_ledger(self._file_name)
        dest = self._request.dest
        planned = {} if dest is None else planned_rows(self._stored_request(dest), progress.run_id)
        return reconcile(progress, ledger, planned)

    def _values(self, load: LoadRequest, progress: JobProgress, ledger: Ledger) -> Values:
        from splitjoin_cli.api.status_values import ValuesRequest, table_values

        request = self._request
        dest = None if request.dest is None else str(request.dest)
        asked = ValuesRequest(
            load=load,
            dest=dest,
            source=request.source,
            encoding=request.encoding,
            key=request.key,
            aws=request.aws,
        )
        return table_values(asked, progress, ledger)


class AllJobs:
    """All jobs. A View."""

    def __init__(self, tracker: Tracker, stuck_seconds: float, letters: Letters | None) -> None:
        """``letters``: None where no queue was named."""
        self._tracker, self._stuck_seconds, self._letters = tracker, stuck_seconds, letters
        self.tracker_uri = tracker.uri
        self.jobs: list[JobStatus] = []

    def reach(self) -> None:
        """See View."""
        self._tracker.reach()

    def write_page(self) -> FilePath | None:
        """See View: a page is of one job."""

    def look(self) -> None:
        """See View."""
        self.jobs = found.list_jobs(self._tracker, now=time.time(), stuck_seconds=self._stuck_seconds)
        if self._letters is not None:
            letters = self._letters.look()
            self.jobs = [replace(job, dead_letters=letters) for job in self.jobs]
        self.jobs = [replace(job, advice=advise(job, self.tracker_uri)) for job in self.jobs]
