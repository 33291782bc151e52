"""``splitjoin clear``: its options, one call, what was taken out."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import Text
from splitjoin_cli.cli.text import count_text

if TYPE_CHECKING:
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.join.operate.clear import ClearReport

EPILOG = """\
\b
Examples:
  splitjoin clear acme_20240131 --into postgresql://me@db/sales --tracker dynamodb:jobs --run-column run_id
  splitjoin clear acme_20240131 --into mysql://me@db/sales --tracker none --run-column run_id --dry-run

The run's rows, its rows in the ledger and what the tracker counted of it go, so that splitjoin retry can load it again,
or split --force another one. The order makes it safe to kill at any time: type the same command again.

Rows are found by the run column. Where the table has none, the command says the SQL to type instead; when the rows and
the ledger's rows are gone, the same command clears the tracker.

What follows the join runs again when the run is loaded again, with the same run_id: a receiver that drops what it knows
by that key drops it.

Exit codes: 0 done, 1 failed, 2 usage, 10 no such job.
"""


@click.command(epilog=EPILOG, short_help="Take a run out of a database, so that it can be loaded again.")
@click.argument("file_name", metavar="FILE_NAME")
@options.needed_into_option
@options.secret_option
@options.option(
    "--tracker", type=Text(), metavar="URL", help="The job's tracker: dynamodb:TABLE, sqlite:PATH; or none."
)
@options.typed_option("--run", type=Text(), metavar="RUN_ID", help="The run, where the ledger holds several.")
@options.option("--run-column", type=Text(), metavar="NAME", help="The table's column that holds the run of each row.")
@options.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, file_name: str, **values: Any) -> None:  # noqa: ANN401 -- one for each option
    """Delete what is loaded of the job FILE_NAME (CLIENT_DATE) from a database, and let its tracker begin again."""
    from splitjoin_cli.api.clear import clear

    terminal = parsed.terminal(ctx, values)
    parsed.needed(values, "into", "database")
    parsed.needed(values, "tracker", "tracker (or none)")
    report = clear(file_name, **parsed.passed(ctx, values))
    if terminal.as_json:
        terminal.document(report.to_json())
    else:
        _say(report, terminal, values["tracker"])


def _say(report: ClearReport, terminal: Terminal, tracker: str) -> None:
    plan = report.plan
    verb = "would be deleted" if report.dry_run else "deleted"
    where = f" from {plan.table}" if plan.table else ""
    what = f"{count_text(plan.rows, 'row')} in {count_text(plan.chunks, 'chunk')}"
    terminal.data(f"{plan.file_name}: {what} of run {plan.run_id} {verb}{where}")
    if report.dry_run and plan.sql:
        terminal.note(plan.sql)
    if report.tracker is not None and not report.dry_run:
        again = shlex.join(["splitjoin", "retry", plan.file_name, "--tracker", tracker])
        terminal.note(f"nothing is counted in {report.tracker}; to load the run again: {again} --to sqs:QUEUE_URL")
        terminal.note("(splitjoin simulate PLACE loads it where its chunks are in a directory)")
        terminal.note("the continuation then gets the same run_id: receivers that know it may drop it")
    elif tracker != "none" and report.tracker is None:
        terminal.note(f"{tracker} has another run of {plan.file_name}, or does not know it: it was left alone")
