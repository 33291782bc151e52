"""``splitjoin ls``: its options, one call, a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH
from splitjoin_cli.cli.status_table import Column, rows_of
from splitjoin_cli.cli.terminal import stdout_columns
from splitjoin_cli.cli.text import byte_text
from splitjoin_cli.cli.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.cli.lines import Line, Tone
    from splitjoin_cli.splitting.stored.listing import ListedSplit

TONES: dict[str, Tone] = {"whole": "good", "under way": "busy", "damaged": "bad", "without manifest": "warning"}

EPILOG = """\
\b
States:
  whole             the manifest and every chunk are there, by name and size
  under way         a split or splitjoin rm has the name, and runs or was killed
  damaged           there is a manifest, and not all of its chunks
  without manifest  there are chunks alone

\b
Examples:
  splitjoin ls
  splitjoin ls s3://bucket/in/ --json

Only the listing and the first kilobytes of manifests and plans are read; splitjoin verify reads the chunks.

Exit codes: 0 done, 1 failed, 2 usage.
"""


@click.command(epilog=EPILOG, short_help="List the splits of a directory or S3 prefix.")
@click.argument("place", type=NAMED_PATH, metavar="[PREFIX_OR_DIR]", default=".", required=False)
@options.jobs_option
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, place: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """List the splits of PREFIX_OR_DIR, or of the current directory, and say whether each is whole."""
    from splitjoin_cli.api.ls import ls

    parsed.refuse_password(place)
    terminal = parsed.terminal(ctx, values)
    with terminal.observer() as observer:
        splits = ls(place, observer=observer, **parsed.passed(ctx, values))
    if terminal.as_json:
        terminal.document([split.to_json() for split in splits])
    elif splits:
        terminal.report(table(splits, time.time(), None if terminal.verbose else stdout_columns()))
    else:
        terminal.note(f"there are no splits in {place}")
    return 0


def table(splits: Sequence[ListedSplit], now: float, width: int | None) -> Iterator[Line]:
    """A line for each split. ``width``: None for any, with whole times."""
    times = Times(now, full=width is None)

    def number(value: int | None) -> str:
        return "?" if value is None else f"{value:,}"

    columns = [
        Column("state", tuple(split.state for split in splits)),
        Column("chunks", tuple(f"{split.stored_parts:,}/{number(split.total_parts)}" for split in splits), right=True),
        Column("rows", tuple(number(split.rows) for split in splits), right=True, spared=1),
        Column(
            "size",
            tuple("?" if split.size_bytes is None else byte_text(split.size_bytes) for split in splits),
            right=True,
            spared=2,
        ),
        Column("stored", tuple(times.text(split.at) for split in splits), spared=3),
    ]
    return rows_of(
        "split", [split.file_name for split in splits], columns, [TONES[split.state] for split in splits], width
    )
