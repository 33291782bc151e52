"""``splitjoin init``: makes the tracker's table."""

from __future__ import annotations

from typing import Any

import click

from splitjoin_cli.cli import options, parsed

EPILOG = """\
\b
Examples:
  splitjoin init --tracker dynamodb:jobs
  splitjoin init --tracker sqlite:jobs.db

A DynamoDB table is made on demand (pay per request), encrypted, with point-in-time recovery and time to live; one that
is there gets what it lacks. An SQLite file needs no init: it is made when it is first written to.

Exit codes: 0 done, 1 failed, 2 usage.
"""


@click.command(epilog=EPILOG, short_help="Make the tracker's table.")
@options.tracker_option
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, **values: Any) -> None:  # noqa: ANN401 -- one for each option
    """Make the table that --tracker names, or what it lacks; what is right stays as it is."""
    from splitjoin_cli.api.init import init

    terminal = parsed.terminal(ctx, values)
    parsed.needed(values, "tracker", "tracker")
    made = init(**parsed.passed(ctx, values))
    if made.unsupported:
        terminal.note(f"Warning: the server does not know {' and '.join(made.unsupported)}")
    if terminal.as_json:
        terminal.document(made.to_json())
    elif made.created:
        terminal.data(f"{made.tracker} was made")
    elif made.changed:
        terminal.data(f"{made.tracker} was there; set: {', '.join(made.changed)}")
    else:
        terminal.data(f"{made.tracker} is as it should be")
