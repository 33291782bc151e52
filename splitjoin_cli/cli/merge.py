"""``splitjoin merge``: its options, one call, its result."""

from __future__ import annotations

from typing import Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH
from splitjoin_cli.cli.text import byte_text, count_text, duration_text
from splitjoin_cli.core.errors import UsageError

EPILOG = """\
\b
Examples:
  splitjoin merge chunks/ export.csv
  splitjoin merge s3://bucket/in/ - --name acme_20240131 | wc -l

OUT is a file, s3://bucket/key, or - for standard output. A file appears when it is whole. Chunks that another tool
made need no manifest if they are named CLIENT_DATE-NUMBER-TOTAL.csv; the dialect options are for them.

Exit codes: 0 done, 1 the set is not whole or a chunk is damaged, 2 usage, 11 OUT is there already.
"""


@click.command(epilog=EPILOG, short_help="Put the chunks of a split back together.")
@click.argument("place", type=NAMED_PATH, metavar="PREFIX_OR_DIR")
@click.argument("out", type=NAMED_PATH, metavar="OUT")
@options.option("--name", metavar="FILE_NAME", help="The job, CLIENT_DATE; needed where there are several.")
@options.option("--force", is_flag=True, help="Replace OUT if it is there.")
@options.record_options
@options.engine_options
@options.bwlimit_option
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, place: str, out: str, **values: Any) -> int:  # noqa: ANN401 -- one an option
    """Write all chunks in PREFIX_OR_DIR to OUT, decompressed, with the header once: the bytes that were split."""
    from splitjoin_cli.api.merge import STDOUT, merge

    for url in (place, out):
        parsed.refuse_password(url)
    terminal = parsed.terminal(ctx, values)
    if terminal.as_json and out == STDOUT:
        raise UsageError(
            "the file and the JSON document cannot both go to stdout", hint="leave --json out, or name OUT"
        )
    with terminal.observer() as observer:
        result = merge(place, out, observer=observer, **parsed.passed(ctx, values))
    done = f"{count_text(result.total_parts, 'chunk')} of {result.file_name}, {byte_text(result.size_bytes)}"
    terminal.note(f"{done}, merged in {duration_text(result.seconds)}")
    if terminal.as_json:
        terminal.document(result.to_json())
    elif out != STDOUT:
        terminal.data(out)
    return 0
