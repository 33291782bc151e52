"""``splitjoin inspect``: its options, one call, its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH
from splitjoin_cli.cli.text import byte_text, count_text, fact
from splitjoin_cli.core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.splitting.inspect.result import InspectResult

NAMES = {"\n": "LF", "\r\n": "CR LF", "\r": "CR alone", "mixed": "LF and CR LF", "\t": "tab", " ": "space"}
MOST_SHOWN = 8

EPILOG = """\
The table is found by the width of its records: by the one delimiter under which most of them, to the end of the file,
have the same number of fields, and no quote is in a wrong place. What is unknown is shown as unknown, with what would
decide it.

At most 16 MiB are read: the beginning, the end and places between; of a pipe or a compressed file the first 16 MiB. The
number of records is then an estimate, and what the end would show is unknown; --full reads everything.

\b
Examples:
  splitjoin inspect export.csv
  splitjoin inspect s3://exports/2024/january.csv.gz --json
  unzip -p export.zip | splitjoin inspect -

Exit codes: 0 done, 1 failed, 2 usage, 4 the file is not a text table.
"""


@click.command(epilog=EPILOG, short_help="Say what a file is, and which options of split fit it.")
@click.argument("source", type=NAMED_PATH, metavar="SOURCE")
@options.option("--full", is_flag=True, help="Read all of the file, and count its records.")
@options.tmp_dir_option
@options.option("--request-payer", is_flag=True, help="Pay for the requests to a bucket whose requester pays.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, source: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Say what SOURCE is before it is split: encoding, delimiter, quotes, header, lines around the table, its columns.

    SOURCE is a path, s3://bucket/key, a URL, or - for standard input. The last line is the split command that fits.
    """
    from splitjoin_cli.api.inspect import inspect

    parsed.refuse_password(source)
    terminal = parsed.terminal(ctx, values)
    with terminal.observer() as observer:
        found = inspect(source, observer=observer, **parsed.passed(ctx, values))
    if terminal.as_json:
        terminal.document(found.to_json())
    else:
        terminal.lines(report(found))
    if source == "-":
        terminal.note("standard input is read and gone: save it in a file, or pipe it into split again")
    return 0


def report(found: InspectResult) -> Iterator[str]:
    """The lines of the report."""
    yield fact("source", found.source)
    size = "unknown" if found.bytes is None else f"{byte_text(found.bytes)} ({found.bytes:,} bytes)"
    yield fact("size", size + (f", {found.compression}" if found.compression else ""))
    yield fact(
        "encoding", (found.encoding or "unknown") + (", with a byte order mark" if found.byte_order_mark else "")
    )
    yield fact("line ends", NAMES.get(found.line_end or "", found.line_end or "none"))
    yield fact("delimiter", "unknown" if found.delimiter is None else _character(found.delimiter))
    if found.delimiter is not None:
        yield from _table(found)
    for one in found.problems:
        place = f"byte {one.byte:,}" if one.line is None else f"line {one.line:,} (byte {one.byte:,})"
        yield fact("problem", f"{place}: {one.message}")
    if found.command is not None:
        yield found.command


def _table(found: InspectResult) -> Iterator[str]:
    yield fact("quote", "none" if found.quotechar is None else _character(found.quotechar))
    yield fact("escape", "none" if found.escapechar is None else _character(found.escapechar))
    if found.nulls:
        yield fact("NULL", ", ".join("the empty field" if text == "" else text for text in found.nulls))
    if found.skip_lines:
        what = ", a sep= line first" if found.sep_line else ""
        yield fact("before it", count_text(found.skip_lines, "line") + what)
    if found.skip_trailer is None:
        yield fact("after it", "unknown: the end was not read (--full reads it)")
    elif found.skip_trailer:
        yield fact("after it", f"{count_text(found.skip_trailer, 'line')}: {shown(found.trailer[0], 60)}")
    yield fact("header", {True: "yes", False: "no", None: "unknown"}[found.header])
    widths = [f"{width} in {count_text(times, 'record')}" for width, times in list(found.fields.items())[:MOST_SHOWN]]
    yield fact("fields", ", ".join(widths) or "none")
    if found.columns:
        names = [shown(name, 40) for name in found.columns[: 4 * MOST_SHOWN]]
        more = len(found.columns) - len(names)
        yield fact("columns", ", ".join(names) + (f", and {more} more" if more > 0 else ""))
    if found.records is None:
        yield fact("records", "unknown (--full counts them)")
    else:
        yield fact(
            "records", f"{found.records:,}" if found.records_exact else f"about {found.records:,} (--full counts)"
        )


def _character(text: str) -> str:
    return NAMES.get(text) or shown(text)
