"""``splitjoin rm``: its options, one call, what was removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH
from splitjoin_cli.cli.text import byte_text, count_text

if TYPE_CHECKING:
    from splitjoin_cli.splitting.stored.remove import RemoveReport

EPILOG = """\
A split that runs under this name ends with exit 11, with --force too. Killed anywhere, the same command goes on; until
it has ended no split takes the name. Without --tracker, --force is needed: nothing else says whether the chunks are
loaded.

\b
Examples:
  splitjoin rm chunks/ --name acme_20240131 --force
  splitjoin rm s3://bucket/in/ --name acme_20240131 --tracker dynamodb:jobs --dry-run

Exit codes: 0 done, 1 failed, refused, or nothing there, 2 usage.
"""


@click.command(epilog=EPILOG, short_help="Remove a split: its chunks, manifest, plan and open uploads.")
@click.argument("place", type=NAMED_PATH, metavar="PREFIX_OR_DIR")
@click.option("--name", metavar="FILE_NAME", required=True, help="Which split, CLIENT_DATE.")
@click.option("--unfinished", is_flag=True, help="Remove it only if it has no manifest.")
@options.option("--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@click.option("--force", is_flag=True, help="Remove it although it is not joined, or no tracker is given.")
@options.tracker_option
@options.jobs_option
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, place: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Remove the split FILE_NAME from PREFIX_OR_DIR: every object of that name, whatever its total, and no other."""
    from splitjoin_cli.api.rm import rm

    parsed.refuse_password(place)
    terminal = parsed.terminal(ctx, values)
    with terminal.observer() as observer:
        report = rm(place, observer=observer, **parsed.passed(ctx, values))
    if terminal.as_json:
        terminal.document(report.to_json())
    else:
        terminal.data(_summary(report))
    if report.tracker is not None:
        terminal.note(f"{report.tracker} keeps what it knows of {report.file_name}")
    return 0


def _summary(report: RemoveReport) -> str:
    what = f"{count_text(report.removed, 'object')} ({byte_text(report.size_bytes)})"
    uploads = f" and {count_text(report.uploads, 'open upload')}" if report.uploads else ""
    return f"{report.file_name}: {what}{uploads} {'would be removed' if report.dry_run else 'removed'}"
