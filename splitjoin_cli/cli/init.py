"""``splitjoin init``: makes the tracker's table."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from splitjoin_cli.cli import options

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
    from splitjoin_cli.api.simulate.request import open_tracker

    terminal = options.terminal(ctx, values)
    url = options.needed_tracker(values)
    with contextlib.closing(open_tracker(url, options.requested_aws(values))) as tracker:
        made = tracker.init()
    if made.unsupported:
        terminal.note(f"Warning: the server does not know {' and '.join(made.unsupported)}")
    if terminal.as_json:
        terminal.document(
            {
                "tracker": tracker.uri,
                "created": made.created,
                "changed": list(made.changed),
                "unsupported": list(made.unsupported),
            }
        )
    elif made.created:
        terminal.data(f"{tracker.uri} was made")
    elif made.changed:
        terminal.data(f"{tracker.uri} was there; set: {', '.join(made.changed)}")
    else:
        terminal.data(f"{tracker.uri} is as it should be")
