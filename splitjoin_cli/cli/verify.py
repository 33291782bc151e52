"""``splitjoin verify``: its options, one call, its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH
from splitjoin_cli.cli.text import count_text

if TYPE_CHECKING:
    from splitjoin_cli.cli.terminal import Terminal
    from splitjoin_cli.splitting.stored.verify import Problem, VerifyReport

EPILOG = """\
\b
Kinds of problems (--json), stable words for scripts:
  manifest    the manifest is missing or damaged
  plan        the split is under way, or was interrupted
  missing     a chunk is not there; of several in a row, number is the first
  extra       there is a chunk of the same name that is not part of this split; of several in a row, the first
  unreadable  a chunk cannot be read or decompressed
  size        a stored object has another size than the manifest says
  checksum    a stored object has other bytes than the manifest says
  coverage    the ranges leave a gap or overlap, or a chunk holds more or less than its range
  header      a chunk does not begin with the header, or the header is more than one record
  torn        a chunk, or the header, ends inside a record
  lone-cr     a chunk holds a carriage return without a line feed, outside quotes
  rows        a chunk holds another number of records than the manifest says
  metadata    a chunk says of itself that it is another one
  bytes       a chunk differs from the source's bytes, or the source is longer or shorter

\b
Examples:
  splitjoin verify chunks/
  splitjoin verify s3://bucket/in/ --name acme_20240131 --source export.csv
  splitjoin verify s3://bucket/in/ --all

Exit codes: 0 all is right, 1 it is not (or could not be read), 2 usage.
"""


@click.command(epilog=EPILOG, short_help="Check a stored split, and compare it with its source.")
@click.argument("place", type=NAMED_PATH, metavar="PREFIX_OR_DIR")
@options.option(
    "--all", is_flag=True, help="Check every split of PREFIX_OR_DIR; one that is under way is not a problem."
)
@options.option("--finished", is_flag=True, help="With --all: a split that is under way is a problem.")
@options.option("--source", metavar="SOURCE", help="Compare with this export, byte for byte.")
@options.option("--encoding", metavar="NAME", help="Encoding of SOURCE, as it was given to split.")
@options.option("--name", metavar="FILE_NAME", help="The job, CLIENT_DATE; needed where there are several.")
@options.engine_options
@options.bwlimit_option
@options.tmp_dir_option
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, place: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Compare the split in PREFIX_OR_DIR with its manifest. Every chunk is read once.

    Compared are presence, sizes, checksums, ranges, headers, the end of each chunk (where a record ends), the number of
    its records and, with --source, the bytes.
    """
    from splitjoin_cli.api.verify import verify

    for url in (place, values["source"] or ""):
        parsed.refuse_password(url)
    _settle_all(ctx, values)
    if values["source"] is None and not parsed.typed(ctx, "encoding"):
        values["encoding"] = None
    terminal = parsed.terminal(ctx, values)
    with terminal.observer() as observer:
        report = verify(place, observer=observer, **parsed.passed(ctx, values))
    if isinstance(report, list):
        return _show_all(report, terminal)
    if terminal.as_json:
        terminal.document(report.to_json())
    else:
        terminal.data("\n".join([*map(_line, report.problems), _summary(report)]))
    return 0 if report.ok else 1


def _settle_all(ctx: click.Context, values: dict[str, Any]) -> None:
    """Of --all and what is for one split, the typed one counts against one from the environment."""
    if not values["all"]:
        values["finished"] = values["finished"] and parsed.typed(ctx, "finished")
        return
    one = [name for name in ("source", "name") if values[name] is not None]
    if parsed.typed(ctx, "all"):
        values |= {name: None for name in one if not parsed.typed(ctx, name)}
    elif any(parsed.typed(ctx, name) for name in one):
        values |= {"all": False, "finished": False}


def _show_all(reports: list[VerifyReport], terminal: Terminal) -> int:
    """A line for each split, or an array; the exit code."""
    if terminal.as_json:
        terminal.document([report.to_json() for report in reports])
    else:
        terminal.lines(map(_short, reports))
    wrong = sum(not report.ok for report in reports)
    if wrong:
        terminal.note(f"{wrong:,} of {count_text(len(reports), 'split')} {'has' if wrong == 1 else 'have'} problems")
    elif not reports:
        terminal.note("there are no splits")
    return 1 if wrong else 0


def _short(report: VerifyReport) -> str:
    """All of a report in one line: of several problems the first."""
    if report.under_way:
        return f"{report.file_name}: under way, not checked"
    return _summary(report) if report.ok else f"{_summary(report)}: {_line(report.problems[0])}"


def _line(problem: Problem) -> str:
    return f"{problem.kind}: {problem.message}"


def _summary(report: VerifyReport) -> str:
    if not report.ok:
        return f"{report.file_name}: {count_text(len(report.problems), 'problem')}"
    rows = "" if report.rows is None else f", {count_text(report.rows, 'row')}"
    return f"{report.file_name}: ok, {count_text(report.total_parts or 0, 'chunk')}{rows}"
