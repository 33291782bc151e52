"""``splitjoin replace``: its options, one call, what was stored."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import Text
from splitjoin_cli.cli.text import count_text

if TYPE_CHECKING:
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.join.operate.replace import ReplaceReport

EPILOG = """\
\b
Examples:
  splitjoin replace acme_20240131 --chunk 7 mended.csv --tracker dynamodb:jobs --to lambda:load-chunk
  splitjoin replace acme_20240131 --chunk 7 mended.csv --into postgresql://me@db/sales --dest s3://bucket/in/
  splitjoin replace acme_20240131 --chunk 7 mended.csv --tracker sqlite:jobs.db --dry-run

FILE is the whole chunk: the split's header, then its records, any number of them, each with as many fields as the
header; it may be compressed. It is stored as the split is, with the old object's encryption, storage class and tags,
and the manifest lists it as mended. A chunk that is loaded already is not replaced: splitjoin clear takes its run out
of the database first.

The database's ledger (--into), or the tracker, says whether it is loaded, and from then on refuses the old bytes. Give
both where the workers use both. Without --to the store's own notification has it loaded. Killed, the same command goes
on.

Exit codes: 0 done, 1 failed or loaded already, 2 usage, 4 the file does not fit the split, 10 no such job.
"""


@click.command(epilog=EPILOG, short_help="Store a mended chunk in the place of the old one.")
@click.argument("file_name", metavar="FILE_NAME")
@click.argument("file", metavar="FILE")
@options.typed_option("--chunk", type=click.IntRange(min=1), metavar="N", required=True, help="The chunk's number.")
@options.option("--dest", metavar="PLACE", help="Where the chunks are.  [default: as the tracker knows it]")
@options.tracker_option
@options.needed_into_option
@options.secret_option
@options.option("--to", type=Text(), metavar="URL", help="The worker: lambda:NAME or sqs:QUEUE_URL.")
@options.tmp_dir_option
@options.bwlimit_option
@options.option("--dry-run", is_flag=True, help="Check the file, say what would be done, and do nothing.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, file_name: str, file: str, **values: Any) -> None:  # noqa: ANN401 -- one for each option
    """Store FILE, a mended chunk of the job FILE_NAME (CLIENT_DATE), in the place of chunk N."""
    from splitjoin_cli.api.replace import replace

    terminal = parsed.terminal(ctx, values)
    parsed.refuse_password(file)
    report = replace(file_name, file, **parsed.passed(ctx, values))
    if terminal.as_json:
        terminal.document(report.to_json())
    else:
        _say(report, terminal, values)


def _say(report: ReplaceReport, terminal: Terminal, values: dict[str, Any]) -> None:
    before = "an unknown number of" if report.rows_before is None else f"{report.rows_before:,}"
    verb = "would be replaced" if report.dry_run else "replaced" if report.mended else "restored"
    rows = count_text(report.rows, "row")
    terminal.data(f"{report.uri}: {verb}, {rows} instead of {before}")
    if report.dry_run:
        return
    if report.sent_to is not None:
        terminal.note(f"its event was sent to {report.sent_to}")
    elif not report.uri.startswith("s3://"):
        simulate = ["splitjoin", "simulate", report.uri.rpartition("/")[0] or "/", "--name", report.file_name]
        if values["tracker"]:
            simulate += ["--tracker", values["tracker"]]
        if values["into"]:
            simulate += ["--into", values["into"]]
        terminal.note(f"to load it: {shlex.join(simulate)}")
