"""``splitjoin retry``: its options, one call, what was sent."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.log import log_lines
from splitjoin_cli.cli.params import NumberRanges, Text
from splitjoin_cli.cli.terminal import Warns, error_document
from splitjoin_cli.cli.text import count_text, listed
from splitjoin_cli.core.errors import PartialError, SplitjoinError
from splitjoin_cli.core.names import parse_file_name
from splitjoin_cli.stores.trackers.jobs import JoinState

if TYPE_CHECKING:
    from splitjoin_cli.api.retry import RejoinReport
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.join.operate.retry import RetryReport

FAILURES_SHOWN = 20
_OF_CHUNKS = ("to", "dest", "chunks", "counted")
_OF_JOIN = ("into", "on_join", "lease", "secret")

EPILOG = """\
\b
Examples:
  splitjoin retry acme_20240131 --tracker dynamodb:jobs --to sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/chunks
  splitjoin retry acme_20240131 --tracker dynamodb:jobs --to lambda:load-chunk --chunks 3,7-9
  splitjoin retry acme_20240131 --tracker dynamodb:jobs --dry-run
  splitjoin retry acme_20240131 --tracker dynamodb:jobs --join
  splitjoin retry acme_20240131 --tracker dynamodb:jobs --join --into mysql://me@db/sales --on-join sns:arn:aws:sns:...

Without --chunks, all chunks that are not counted are sent, failed ones included. What is sent is the notification that
S3 sent when the chunk was stored. A chunk that arrives twice is loaded and counted once. Chunks that are not stored are
named, with the command that uploads them.

--join opens a failed join again: the next worker or sweep takes it. With --into and --on-join it runs here, at once:
the database's ledger is counted, and the continuation gets the same payload and key as before. --on-join none: no
continuation.

Exit codes: 0 all was sent (or there is nothing to send), 1 failed, 2 usage, 3 some chunks were not sent,
10 no such job.
"""


@click.command(epilog=EPILOG, short_help="Send missing or failed chunks through again, or the join alone.")
@click.argument("file_name", metavar="FILE_NAME")
@options.tracker_option
@options.option("--to", type=Text(), metavar="URL", help="The worker: lambda:NAME or sqs:QUEUE_URL.")
@options.option("--dest", metavar="PREFIX", help="Location of the chunks.  [default: as the tracker knows it]")
@options.option("--chunks", type=NumberRanges(), help="Send only these chunks: 3,7-9.")
@options.option(
    "--counted", is_flag=True, help="Also send those of --chunks that are counted: for a database that lost them."
)
@options.option("--join", is_flag=True, help="Run the join again; send no chunks.")
@options.needed_into_option
@options.secret_option
@options.on_join_option
@options.lease_option
@options.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, file_name: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Send the chunks of the job FILE_NAME (CLIENT_DATE) through again that are missing or failed, or its join."""
    from splitjoin_cli.api.retry import RejoinReport, retry

    terminal = parsed.terminal(ctx, values)
    parsed.needed(values, "tracker", "tracker")
    _forget_untyped(ctx, values)
    with log_lines(terminal) if values["join"] else contextlib.nullcontext():
        report = retry(file_name, observer=Warns(terminal), **parsed.passed(ctx, values))
    if isinstance(report, RejoinReport):
        if terminal.as_json:
            terminal.document(report.to_json())
        else:
            terminal.data(f"{file_name}: {_rejoined(report, here=values['into'] is not None)}")
        return 0
    return _sent(report, terminal, file_name, values["tracker"])


def _forget_untyped(ctx: click.Context, values: dict[str, Any]) -> None:
    """Variables hold for all commands: what they say of the other half of this one is nothing to it."""
    for name in _OF_CHUNKS if values["join"] else _OF_JOIN:
        if not parsed.typed(ctx, name):
            values[name] = False if name == "counted" else None
    if not (values["into"] and values["on_join"]):
        for name in ("into", "on_join"):  # one of the two, that no one typed, is for the workers
            if not parsed.typed(ctx, name):
                values[name] = None


def _sent(report: RetryReport, terminal: Terminal, file_name: str, tracker: str) -> int:
    """Say what became of the chunks, and return the exit code."""
    if report.sent and report.progress.join.state == JoinState.JOINED:
        ask = shlex.join(["splitjoin", "status", file_name, "--tracker", tracker, "--reconcile", "--into"])
        terminal.note(
            f"Warning: {file_name} is joined: workers let its chunks be, and load none again. Where the database has"
            f" lost rows, {ask} DATABASE_URL says what to type"
        )
    error = _problem(report, tracker)
    if terminal.as_json:
        document = report.document()
        terminal.document(document if error is None else document | {"error": error_document(error)})
    else:
        _say(report, terminal, tracker)
        if error is not None:
            terminal.error(error)
    return 0 if error is None else error.exit_code


def _problem(report: RetryReport, tracker: str) -> SplitjoinError | None:
    """What keeps some chunks from being loaded; None where nothing does. Partial where others were sent."""
    kind = PartialError if report.sent else SplitjoinError
    if report.failed:
        return kind(
            f"{report.to} did not take {count_text(len(report.failed), 'chunk')}", hint="run the same command again"
        )
    if not report.never_uploaded:
        return None
    job = parse_file_name(report.progress.file_name)
    split = ["splitjoin", "split", f"--client={job.client}", f"--date={job.date}"] if job else ["splitjoin", "split"]
    upload = shlex.join([*split, "--tracker", tracker, "SOURCE", report.destination])
    return kind(
        f"{count_text(len(report.never_uploaded), 'chunk')} of {report.progress.file_name} "
        f"{'is' if len(report.never_uploaded) == 1 else 'are'} not stored in {report.destination}",
        hint=f"upload them, with the options of the first time: {upload}",
    )


def _say(report: RetryReport, terminal: Terminal, tracker: str) -> None:
    progress = report.progress
    if report.counted:
        terminal.note(f"counted already, not sent: {listed(report.counted)}")
    for one in report.failed[:FAILURES_SHOWN]:
        terminal.note(f"chunk {one.number} was not sent: {one.error}")
    if len(report.failed) > FAILURES_SHOWN:
        terminal.note(f"and {len(report.failed) - FAILURES_SHOWN:,} more; --json lists all")
    if report.never_uploaded:
        terminal.note(f"not stored: {listed(report.never_uploaded)}")
    if report.sent:
        verb = "would be sent" if report.dry_run else "sent"
        to = f" to {report.to}" if report.to else ""
        terminal.data(
            f"{count_text(len(report.sent), 'chunk')} of {progress.file_name} {verb}{to}: {listed(report.sent)}"
        )
        if not report.dry_run:
            terminal.note(shlex.join(["splitjoin", "status", progress.file_name, "--tracker", tracker, "--watch"]))
    elif not report.failed and not report.never_uploaded:
        counted = f"{progress.processed_parts:,} of {count_text(progress.total_parts, 'chunk')} counted"
        terminal.data(f"{progress.file_name}: nothing to send, {counted}, join: {progress.join.state}")
        if not progress.missing and progress.join.state != JoinState.JOINED:
            terminal.note(shlex.join(["splitjoin", "retry", progress.file_name, "--tracker", tracker, "--join"]))


def _rejoined(report: RejoinReport, *, here: bool) -> str:
    if report.before == "joined":
        return "joined already"
    if report.dry_run:
        return f"the join (state: {report.before}) would be {'tried here' if here else 'reopened'}"
    if report.joined:
        return "joined"
    return "the join is open again: the next worker or sweep takes it"
