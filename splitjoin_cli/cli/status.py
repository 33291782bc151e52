"""``splitjoin status``: its options, looks at the tracker, its report."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.lines import Line, Piece
from splitjoin_cli.cli.params import Duration, Text
from splitjoin_cli.cli.status_table import table
from splitjoin_cli.cli.status_text import dead_letters_note, headline, report
from splitjoin_cli.cli.terminal import stdout_columns
from splitjoin_cli.cli.text import count_text, duration_text
from splitjoin_cli.core.errors import CheckFoundError, NotFoundError, StoppedError, UsageError
from splitjoin_cli.join.base import STUCK_AFTER_SECONDS
from splitjoin_cli.join.operate.status import ALARMING, alarming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.api.status_view import View
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.join.operate.status import JobStatus

WATCH = "--watch"
WATCH_SECONDS = 2.0
ALARMS_SHOWN = 20
SCREEN_MARGIN = 5
"""Lines of a screen that are no job's: the head, an empty line, what is not shown (it may take two), the cursor."""
STOPPED = 128
"""Exit codes above are a signal's."""
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

EPILOG = """\
\b
States, the first that fits:
  joined    the continuation has run
  joining   an owner holds the join
  failed    the last try of some chunk, or of the join, failed permanently
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
  splitjoin status acme_20240131 --tracker dynamodb:jobs --reconcile --values --into mysql://me@db/sales --key id
  splitjoin status acme_20240131 --tracker dynamodb:jobs --queue "$QUEUE_URL"
  splitjoin status acme_20240131 --tracker sqlite:jobs.db --dest chunks/ --into sqlite:load.db --html page.html
  splitjoin status --tracker dynamodb:jobs --check --json

Exit codes: 0 done, 1 failed (with --check also where there is no such tracker), 2 usage, 10 no such job,
12 --check found a stuck or failed job, or with --reconcile one with other chunks or rows loaded than were counted;
--values found a difference; --watch saw a failed job, or its --timeout passed. 130 interrupted.
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
    help="Look again every SECONDS until the job is joined or failed; without FILE_NAME, until all jobs are."
    f"  [default: {WATCH_SECONDS:.0f}]",
)
@options.option("--timeout", type=Duration(), help="With --watch: stop after this time and exit 12.")
@options.option(
    "--stuck-after",
    type=Duration(),
    default=STUCK_AFTER_SECONDS,
    help="A job without progress for this long is stuck.  [default: 15m]",
)
@options.option(
    "--dest", metavar="PREFIX_OR_DIR", help="Compare with the stored chunks: which ones were never uploaded."
)
@options.option("--queue", metavar="URL", help="Show which chunks are in its dead-letter queue (URL of either queue).")
@options.option(
    "--reconcile", is_flag=True, help="Compare with the ledger of the database --into: which chunks are loaded."
)
@options.option(
    "--values",
    is_flag=True,
    help="With --reconcile: compare the table's values with the chunks, row by row. Exits with 12 if any differs.",
)
@options.option("--into", metavar="URL", help="The database, as for simulate; it is only read.")
@options.option(
    "--source", type=Text(), metavar="SOURCE", help="With --values: compare with the export instead of the chunks."
)
@options.option("--encoding", type=Text(), metavar="NAME", help="Encoding of SOURCE, as it was given to split.")
@options.option(
    "--key",
    type=Text(),
    multiple=True,
    metavar="COLUMN",
    help="With --values: a column that identifies a row; repeat it for several.  [default: the primary key]",
)
@options.option(
    "--run-column",
    type=Text(),
    metavar="NAME",
    help="With --values: compare only the rows that have this run in the column NAME.",
)
@options.secret_option
@options.option("--html", type=Text(), metavar="FILE", help="Write the report of FILE_NAME to FILE as one HTML page.")
@options.option("--check", is_flag=True, help="Exit with 12 if a job is stuck or failed, or differs from the ledger.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, file_name: str | None, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Show the job FILE_NAME (CLIENT_DATE), or all jobs, newest first."""
    from splitjoin_cli.api import arguments
    from splitjoin_cli.api.status import status_request
    from splitjoin_cli.api.status_view import open_view

    terminal = parsed.terminal(ctx, values)
    parsed.needed(values, "tracker", "tracker")
    if file_name is None and not parsed.typed(ctx, "html"):
        values["html"] = None
    if not values["reconcile"] and values["html"] is None and not parsed.typed(ctx, "into"):
        values["into"] = None
        values["secret"] = values["secret"] if parsed.typed(ctx, "secret") else None
    _without_values(ctx, values)
    asked = parsed.passed(ctx, values)
    watch, check = _watched(ctx, asked.pop("watch"), asked.pop("timeout")), asked.pop("check")
    aws = arguments.aws(asked.pop("profile"), asked.pop("region"), asked.pop("endpoint_url"))
    with open_view(status_request(file_name, aws=aws, **asked)) as view:
        shown = _Shown(view, one=file_name is not None, full=terminal.verbose, watched=watch is not None)
        if check:
            view.reach()
        end = End()
        if watch is None:
            view.look()
        else:
            end = _watch(view, shown, terminal, watch, check=check)
        written = None if end.code > STOPPED else view.write_page()
        if not view.jobs:
            terminal.note(_nothing(view))
    if terminal.as_json:
        documents = (job.document() for job in view.jobs)
        terminal.document(next(documents) if file_name is not None else documents)
    elif view.jobs:
        terminal.report(shown.lines(stdout_columns()))
    if written is not None:
        terminal.note(f"the page: {written}")
    return _exit_code(view, terminal, end, check=check)


def _nothing(view: View) -> str:
    """Why no job is shown: a mistyped path of a tracker has none either."""
    try:
        view.reach()
    except NotFoundError as exc:
        return f"Warning: {exc.message}; {exc.hint}"
    return f"{view.tracker_uri} has no jobs"


def _without_values(ctx: click.Context, values: dict[str, Any]) -> None:
    """Forget what the environment says for another command. Raises UsageError for a table that is to be watched."""
    if values["values"]:
        if values["watch"] is not None:
            raise UsageError("--values reads the whole table, which --watch would repeat", hint="leave --watch out")
        return
    for name in ("source", "encoding", "key", "run_column"):
        if not parsed.typed(ctx, name):
            values[name] = () if name == "key" else None


@dataclass(frozen=True, slots=True)
class Watch:
    """``seconds``: between two looks. ``timeout``: after so many it ends; None: whenever the jobs do."""

    seconds: float
    timeout: float | None


@dataclass(frozen=True, slots=True)
class End:
    """How watching ended. ``code``: the exit code, whatever ``--check`` says of the jobs. ``note``: why, or None."""

    code: int = 0
    note: str | None = None


def _watched(ctx: click.Context, seconds: float | None, timeout: float | None) -> Watch | None:
    """What is to be watched. Raises UsageError for an end without a beginning, if it was typed."""
    if seconds is not None:
        return Watch(seconds, timeout)
    if timeout is not None and parsed.typed(ctx, "timeout"):
        raise UsageError("--timeout is for --watch", hint="give --watch too")
    return None


class _Shown:
    """A view for people."""

    def __init__(self, view: View, *, one: bool, full: bool, watched: bool) -> None:
        """``one``: a job with its map, rather than a line for each. ``full``: whole times. ``watched``: see report."""
        self._view, self._one, self._full, self._watched = view, one, full, watched
        self._first: JobStatus | None = None

    def lines(self, width: int | None, rows: int | None = None) -> Iterator[Line]:
        """The last look, as wide as that; none where there is no job.

        ``rows``: what is seen at once of the table of all jobs: the newest, and how many are not shown; None: all jobs.
        """
        jobs = self._view.jobs
        if not jobs:
            return
        if self._one:
            self._first = self._first or jobs[0]
            yield from report(jobs[0], earlier=self._first, full=self._full, watched=self._watched)
            return
        letters = jobs[0].dead_letters
        notes = [] if letters is None or (note := dead_letters_note(letters)) is None else [note]
        if rows is not None and len(jobs) > (room := max(1, rows - SCREEN_MARGIN - len(notes))):
            notes = [f"{len(jobs) - room:,} older jobs are not shown; all: {_line(jobs)}", *notes]
            jobs = jobs[:room]
        yield from table(jobs, width, full=self._full)
        if notes:
            yield Line(())
        yield from (Line((Piece(note),)) for note in notes)


def _watch(view: View, shown: _Shown, terminal: Terminal, watch: Watch, *, check: bool) -> End:
    """Look until the jobs end, or the time; stopped by a signal, the last look is left and nothing is to be resumed."""
    deadline = math.inf if watch.timeout is None else time.monotonic() + watch.timeout
    try:
        with terminal.screen() as screen:
            while True:
                view.look()
                screen.show(list(shown.lines(screen.columns, screen.rows)), _line(view.jobs))
                left = deadline - time.monotonic()
                if (end := _end(view.jobs, check=check)) is not None:
                    return end
                if left <= 0:
                    seen = _line(view.jobs) if view.jobs else "there are no jobs"
                    return End(CheckFoundError.exit_code, f"{duration_text(watch.timeout or 0)} are over: {seen}")
                time.sleep(min(watch.seconds, left))
    except StoppedError as exc:
        if not view.jobs:
            exc.hint = None
            raise
        return End(exc.exit_code)


def _end(jobs: list[JobStatus], *, check: bool) -> End | None:
    """How it ends now: all are joined, or some failed and no other goes on; with ``check`` any is stuck or failed."""
    states = {job.state for job in jobs}
    if states and states <= {"joined", "failed"}:
        failed = [job.progress.file_name for job in jobs if job.state == "failed"]
        return End(CheckFoundError.exit_code, f"{_listed(failed)} failed") if failed else End()
    return End() if check and _alarming(jobs) else None


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


def _listed(texts: list[str]) -> str:
    more = f", and {len(texts) - ALARMS_SHOWN:,} more" if len(texts) > ALARMS_SHOWN else ""
    return ", ".join(texts[:ALARMS_SHOWN]) + more


def _exit_code(view: View, terminal: Terminal, end: End, *, check: bool) -> int:
    """What ``--watch`` and ``--check`` make of it; with ``--json`` the document says it all."""
    found = _alarming(view.jobs) if check and end.code in {0, CheckFoundError.exit_code} else []
    differs = [job.progress.file_name for job in view.jobs if job.values is not None and not job.values.agree]
    alarms = [f"{job.progress.file_name} {_alarm(job)}" for job in found]
    note = _listed(alarms) if alarms else end.note
    if differs and not alarms:
        note = f"the table's values differ from what was split: {_listed(differs)}"
    if note is not None and not terminal.as_json:
        terminal.note(note)
    return CheckFoundError.exit_code if alarms or differs else end.code
