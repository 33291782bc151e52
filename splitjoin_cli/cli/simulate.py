"""``splitjoin simulate``: its options, one call, its report."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH, Count
from splitjoin_cli.cli.text import count_text, duration_text
from splitjoin_cli.core.units import MAX_WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.api.simulate.report import ChunkStory, SimulateReport

DEFAULT_WORKERS = 4
EVENTS_SHOWN = 10
PROBLEMS_SHOWN = 20

EPILOG = """\
\b
Examples:
  splitjoin simulate export.csv --rows 1000
  splitjoin simulate chunks/ --duplicates 0.3 --failures 0.1 --crashes 0.1 --shuffle --seed 7
  splitjoin simulate s3://bucket/in/ --name acme_20240131 --into mysql://me@db/sales --tracker dynamodb:jobs

Probabilities are from 0 to 1, drawn from seed, chunk and attempt: the same seed makes the same faults. Which worker
joins, and with which chunk, depends on the threads unless there is only one (--workers 1). A delivery with an injected
fault is repeated without limit, as a queue does it; a real failure (a bad row) stops after 3 tries. The same command
again on the same tracker and database finds everything done, and is ok.

A database's password is read from SPLITJOIN_DB_PASSWORD, or with --secret from Secrets Manager; never from the URL.

Exit codes: 0 every row is loaded once and there is exactly one join, 1 not, 2 usage, 4 bad input, 11 the tracker has
another run of this name.
"""

fault_options = options.together(
    options.option("--shuffle", is_flag=True, help="Deliver the events in random order."),
    options.option(
        "--duplicates",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="P",
        help="Probability that an event is delivered twice.",
    ),
    options.option(
        "--failures",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="P",
        help="Probability that a delivery fails.",
    ),
    options.option(
        "--crashes",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="P",
        help="Probability that the worker dies during a delivery.",
    ),
    options.option("--seed", type=int, default=0, metavar="N", show_default=True, help="Seed of the random faults."),
)


@click.command(epilog=EPILOG, short_help="Load and join chunks here, with faults thrown in.")
@click.argument("source", type=NAMED_PATH, metavar="SOURCE")
@options.load_options
@options.tracker_option
@options.option(
    "--workers",
    type=Count(MAX_WORKERS),
    default=DEFAULT_WORKERS,
    show_default=True,
    help="How many events to handle at the same time.",
)
@options.option("--name", metavar="FILE_NAME", help="The job, CLIENT_DATE; for a file, the name of its chunks.")
@fault_options
@options.size_options
@options.dialect_options
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, source: str, **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Load the chunks in SOURCE, count and join them: the worker's own code, in this process.

    SOURCE is a directory or s3:// prefix of chunks, or one CSV file, which is split first.
    """
    from splitjoin_cli.api.simulate.request import holds_chunks, simulate

    parsed.refuse_password(source)
    terminal = parsed.terminal(ctx, values)
    with _quiet_logs(), terminal.observer() as observer:
        asked = parsed.passed(ctx, values)
        if holds_chunks(source):  # a variable that describes files is for other commands
            for name in parsed.FOR_FILES:
                if name in asked and not parsed.typed(ctx, name):
                    del asked[name]
        report = simulate(source, observer=observer, **asked)
    if terminal.as_json:
        terminal.document(report.document())
        for line in _reasons(report):
            terminal.note(line)
    else:
        terminal.lines(_lines(report))
    return 0 if report.ok else 1


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    """The worker's log stays silent: what it would say is in the report, and much of it is about injected faults."""
    logger, handler = logging.getLogger("splitjoin_cli"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _lines(report: SimulateReport) -> Iterator[str]:
    yield from (_chunk_line(chunk, len(str(report.total_parts))) for chunk in report.chunks)
    yield ""
    faults = ", ".join(
        [
            _plural(report.deliveries, "delivery", "deliveries"),
            f"{count_text(report.duplicates, 'duplicate')} sent",
            count_text(report.failures, "failure"),
            _plural(report.crashes, "crash", "crashes"),
        ]
    )
    yield f"{count_text(report.total_parts, 'chunk')}: {faults}"
    expected = "an unknown number" if report.rows_expected is None else f"{report.rows_expected:,}"
    yield f"rows:  {report.rows_loaded:,} of {expected} in {report.table} of {report.into}"
    yield f"join:  {_join(report)}"
    yield f"count: {report.processed_parts:,} of {report.total_parts:,} in {report.tracker}"
    took = f"in {duration_text(report.seconds)}"
    if report.ok:
        yield f"{report.file_name}: ok, every row is there once, and there is exactly one join, {took}"
        return
    yield f"{report.file_name}: not ok, {took}"
    yield from _reasons(report)


def _reasons(report: SimulateReport) -> Iterator[str]:
    """Why it is not ok, and what to do."""
    yield from _shortened(report.problems, PROBLEMS_SHOWN)
    yield from (f"Hint: {hint}" for hint in _shortened(report.hints, PROBLEMS_SHOWN))


def _chunk_line(chunk: ChunkStory, width: int) -> str:
    events = list(_shortened(_named_once(chunk.events), EVENTS_SHOWN))
    told = "; ".join(events) or "not delivered"
    return f"chunk {chunk.number:>{width}}  {count_text(chunk.rows, 'row'):>12}  {told}"


def _named_once(events: Sequence[str]) -> list[str]:
    """The events; an error that comes again at once is not told again."""
    told: list[str] = []
    last = ""
    for event in events:
        who, _, what = event.partition(": ")
        told.append(f"{who}: the same" if what == last and what.startswith("failed: ") else event)
        last = what
    return told


def _shortened(texts: Sequence[str], most: int) -> Iterator[str]:
    yield from texts[:most]
    if len(texts) > most:
        yield f"and {len(texts) - most:,} more"


def _plural(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _join(report: SimulateReport) -> str:
    runs = f"the continuation ran {count_text(report.continuation_runs, 'time')} here"
    if report.joins != 1:
        return f"{count_text(report.joins, 'effect')}, {runs}"
    by = "" if report.joined_worker is None else f" by {report.joined_worker}"
    of = "" if report.joined_chunk is None else f" with chunk {report.joined_chunk}"
    return f"once{by}{of}, {runs}"
