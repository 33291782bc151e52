"""``splitjoin status``: its options, looks at the tracker, its report."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import click

from splitjoin_cli.cli import options
from splitjoin_cli.cli.params import Duration
from splitjoin_cli.cli.status_text import dead_letters_note, headline, report, table
from splitjoin_cli.cli.text import count_text
from splitjoin_cli.core.errors import CheckFoundError, UsageError
from splitjoin_cli.join.operate.status import ALARMING, DEFAULT_STUCK_SECONDS, alarming, job_status, list_jobs

if TYPE_CHECKING:
    from collections.abc import Collection

    from splitjoin_cli.api.check import StoredRequest
    from splitjoin_cli.api.load import LoadRequest
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.join.operate.dead_letters import DeadLetters
    from splitjoin_cli.join.operate.reconcile import Reconciliation
    from splitjoin_cli.join.operate.status import JobStatus
    from splitjoin_cli.stores.trackers.base import JobProgress, Tracker

WATCH = "--watch"
WATCH_SECONDS = 2.0
LETTERS_SECONDS = 60.0
ALARMS_SHOWN = 20
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

EPILOG = """\
\b
States, the first that fits:
  joined    what follows the load has run
  joining   somebody holds the join
  failed    the last try of some chunk, or of the join, failed for good
  stuck     for --stuck-after no chunk was newly counted, or no join was finished
  complete  all chunks are counted, the join is not finished
  waiting   no chunk is counted yet
  running   some are

\b
Examples:
  splitjoin status --tracker dynamodb:jobs
  splitjoin status acme_20240131 --tracker dynamodb:jobs --watch
  splitjoin status acme_20240131 --tracker sqlite:jobs.db --dest chunks/
  splitjoin status acme_20240131 --tracker dynamodb:jobs --reconcile --into mysql://me@db/sales
  splitjoin status acme_20240131 --tracker dynamodb:jobs --queue "$QUEUE_URL"
  splitjoin status --tracker dynamodb:jobs --check --json

Exit codes: 0 done, 1 failed, 2 usage, 10 no such job, 12 --check found a stuck or failed job, or with
--reconcile one with other chunks or rows loaded than were counted.
"""


class WatchCommand(click.Command):
    """A command whose ``--watch`` takes the next word only if it is a number."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give ``--watch`` its default where no number follows."""
        filled: list[str] = []
        for index, word in enumerate(args):
            if word == "--":
                filled += args[index:]
                break
            filled.append(word)
            follower = args[index + 1] if index + 1 < len(args) else ""
            if word == WATCH and not _NUMBER.fullmatch(follower):
                filled.append(str(WATCH_SECONDS))
        return super().parse_args(ctx, filled)


@click.command(cls=WatchCommand, epilog=EPILOG, short_help="Show jobs: what is counted, missing, failed, joined.")
@click.argument("file_name", required=False, metavar="[FILE_NAME]")
@options.tracker_option
@options.option(
    WATCH,
    type=Duration(),
    metavar="[SECONDS]",
    help=f"Look again every SECONDS until all is joined.  [default: {WATCH_SECONDS:.0f}]",
)
@options.option(
    "--stuck-after",
    type=Duration(),
    default=DEFAULT_STUCK_SECONDS,
    help="A job without progress for so long is stuck.  [default: 15m]",
)
@options.option(
    "--dest", metavar="PREFIX_OR_DIR", help="Compare with the chunks stored there: which were never uploaded."
)
@options.option(
    "--queue", metavar="URL", help="Look at its dead letters (a queue, or a dead-letter queue): which chunks lie there."
)
@options.option(
    "--reconcile", is_flag=True, help="Compare with the ledger of the database --into: which chunks are loaded there."
)
@options.option("--into", metavar="URL", help="That database, as simulate takes it; it is only read.")
@options.secret_option
@options.option("--check", is_flag=True, help="Exit 12 where a job is stuck, failed, or not as the ledger has it.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, file_name: str | None, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Show the job FILE_NAME (CLIENT_DATE), or all jobs, newest first."""
    from splitjoin_cli.api.simulate.request import open_tracker

    terminal = options.terminal(ctx, values)
    url = options.needed_tracker(values)
    if values["dest"] and file_name is None:
        raise UsageError("--dest is for one job", hint="give FILE_NAME")
    aws = options.requested_aws(values)
    values["ledger"] = _ledger(ctx, file_name, values)
    letters = None if values["queue"] is None else Letters(values["queue"], aws)
    with contextlib.closing(open_tracker(url, aws)) as tracker:
        view: View = (
            AllJobs(tracker, values, letters) if file_name is None else OneJob(tracker, file_name, values, aws, letters)
        )
        if values["watch"] is None:
            view.look()
        else:
            _watch(view, terminal, values["watch"], check=values["check"])
    if not view.jobs:
        terminal.note(f"{tracker.uri} has no jobs")
    if terminal.as_json:
        terminal.document(view.document())
    elif view.jobs:
        terminal.data(view.text())
    return _checked(view, terminal) if values["check"] else 0


def _ledger(ctx: click.Context, file_name: str | None, values: dict[str, Any]) -> LoadRequest | None:
    """The database to compare with, None where none is asked for."""
    from splitjoin_cli.api.load import LoadRequest

    if not values["reconcile"]:
        if options.typed(ctx, "into"):
            raise UsageError("--into is for --reconcile", hint="give --reconcile too")
        return None
    if file_name is None:
        raise UsageError("--reconcile is for one job", hint="give FILE_NAME")
    if not values["into"]:
        raise UsageError("--reconcile needs a database", hint="give --into URL")
    return LoadRequest(into=values["into"], secret=options.requested_secret(ctx, values))


class Letters:
    """The dead letters of the queue that ``--queue`` names; looked at seldom, since each look is a delivery."""

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


class View(Protocol):
    """What is looked at, once or again and again."""

    jobs: list[JobStatus]
    """As the last look showed them."""

    def look(self) -> None:
        """Ask the tracker. Raises NoSuchJobError, StoreError."""

    def document(self) -> dict[str, Any] | list[dict[str, Any]]:
        """The last look's JSON form."""

    def text(self) -> str:
        """The last look for people; nothing where there is no job."""


class OneJob:
    """One job, with its map."""

    def __init__(
        self, tracker: Tracker, file_name: str, values: dict[str, Any], aws: AwsOptions, letters: Letters | None
    ) -> None:
        """``values``: the command's options. ``letters``: None where no queue was named."""
        self._letters = letters
        self._tracker, self._file_name, self._aws = tracker, file_name, aws
        self._stuck_seconds: float = values["stuck_after"]
        self._dest: str | None = values["dest"]
        self._ledger: LoadRequest | None = values["ledger"]
        self._first: JobStatus | None = None
        self.jobs: list[JobStatus] = []

    def look(self) -> None:
        """See View."""
        progress = self._tracker.progress(self._file_name)
        stored = self._stored(progress.total_parts)
        job = job_status(progress, now=time.time(), stuck_seconds=self._stuck_seconds, stored=stored)
        if self._ledger is not None:
            job = replace(job, reconciliation=self._reconciled(self._ledger, progress))
        if self._letters is not None:
            job = replace(job, dead_letters=self._letters.look())
        self._first = self._first or job
        self.jobs = [job]

    def _stored(self, total_parts: int) -> Collection[int] | None:
        from splitjoin_cli.api.simulate.request import stored_numbers

        return None if self._dest is None else stored_numbers(self._stored_request(self._dest), total_parts=total_parts)

    def _stored_request(self, place: str) -> StoredRequest:
        from splitjoin_cli.api.check import StoredRequest

        aws = self._aws
        return StoredRequest(
            place=place, file_name=self._file_name, jobs=1, profile=aws.profile, region=aws.region,
            endpoint_url=aws.endpoint_url,
        )  # fmt: skip

    def _reconciled(self, request: LoadRequest, progress: JobProgress) -> Reconciliation:
        """The ledger is looked at after the tracker: see ``reconcile``."""
        from splitjoin_cli.api.load import open_ledger
        from splitjoin_cli.api.simulate.request import planned_rows
        from splitjoin_cli.join.operate.reconcile import reconcile

        with contextlib.closing(open_ledger(request, self._aws)) as reader:
            ledger = reader.read_ledger(self._file_name)
        planned = {} if self._dest is None else planned_rows(self._stored_request(self._dest), progress.run_id)
        return reconcile(progress, ledger, planned)

    def document(self) -> dict[str, Any]:
        """See View."""
        return self.jobs[0].document()

    def text(self) -> str:
        """See View."""
        return report(self.jobs[0], self._tracker.uri, earlier=self._first, dest=self._dest)


class AllJobs:
    """All jobs, a line each."""

    def __init__(self, tracker: Tracker, values: dict[str, Any], letters: Letters | None) -> None:
        """``values``: the command's options. ``letters``: None where no queue was named."""
        self._letters = letters
        self._tracker = tracker
        self._stuck_seconds: float = values["stuck_after"]
        self.jobs: list[JobStatus] = []

    def look(self) -> None:
        """See View."""
        self.jobs = list_jobs(self._tracker, now=time.time(), stuck_seconds=self._stuck_seconds)
        if self._letters is not None:
            letters = self._letters.look()
            self.jobs = [replace(job, dead_letters=letters) for job in self.jobs]

    def document(self) -> list[dict[str, Any]]:
        """See View."""
        return [job.document() for job in self.jobs]

    def text(self) -> str:
        """See View."""
        if not self.jobs:
            return ""
        letters = self.jobs[0].dead_letters
        note = None if letters is None else dead_letters_note(letters)
        return table(self.jobs) if note is None else f"{table(self.jobs)}\n\n{note}"


def _watch(view: View, terminal: Terminal, seconds: float, *, check: bool) -> None:
    """Look until all is joined or, with ``check``, one job is stuck or failed."""
    with terminal.screen() as screen:
        while True:
            view.look()
            screen.show(view.text(), _line(view.jobs))
            if view.jobs and all(job.state == "joined" for job in view.jobs):
                return
            if check and _alarming(view.jobs):
                return
            time.sleep(seconds)


def _line(jobs: list[JobStatus]) -> str:
    """What is seen, in one line: the job's, or how many are in which state."""
    if len(jobs) == 1:
        return headline(jobs[0])
    states = Counter(job.state for job in jobs)
    return ", ".join([count_text(len(jobs), "job"), *(f"{count:,} {state}" for state, count in states.items())])


def _alarming(jobs: list[JobStatus]) -> list[JobStatus]:
    return [job for job in jobs if alarming(job)]


def _alarm(job: JobStatus) -> str:
    return f"is {job.state}" if job.state in ALARMING else f"is {job.state}, and not as the ledger has it"


def _checked(view: View, terminal: Terminal) -> int:
    """The exit code of ``--check``; with ``--json`` the document says it all."""
    found = _alarming(view.jobs)
    if not found:
        return 0
    if not terminal.as_json:
        names = ", ".join(f"{job.progress.file_name} {_alarm(job)}" for job in found[:ALARMS_SHOWN])
        more = f", and {len(found) - ALARMS_SHOWN:,} more" if len(found) > ALARMS_SHOWN else ""
        terminal.note(f"{names}{more}")
    return CheckFoundError.exit_code
