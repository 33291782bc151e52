"""Options that commands share, and what holds for every option: an environment variable each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from splitjoin_cli.cli.environment import environment_variable
from splitjoin_cli.cli.params import Count, Delimiter, Duration, EndpointUrl, NullText, OneByteOrNone, Rate, Size, Text
from splitjoin_cli.core.model import EscapeIn, LineEndRule, StrayQuote
from splitjoin_cli.core.presets import PRESETS
from splitjoin_cli.core.units import LARGE_RECORD_BYTES, MAX_JOBS
from splitjoin_cli.splitting.request import DEFAULT_CHUNK_BYTES, DEFAULT_JOBS

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")


def option(*declarations: str, **settings: Any) -> Callable[[Command], Command]:  # noqa: ANN401 -- click's own settings
    """``click.option`` with its environment variable: ``--chunk-size`` is ``SPLITJOIN_CHUNK_SIZE``.

    A value that has no type of its own is a text that is not empty.
    """
    if not settings.get("is_flag"):
        settings.setdefault("type", Text())
    long = next(text for text in declarations if text.startswith("--"))
    return click.option(*declarations, envvar=environment_variable(long), **settings)


def typed_option(*declarations: str, **settings: Any) -> Callable[[Command], Command]:  # noqa: ANN401 -- the same
    """``click.option`` for what is of one command line: a variable that holds for all of them would do harm."""
    return click.option(*declarations, **settings)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """One decorator of several, which stand in the help in this order."""

    def decorate(command: Command) -> Command:
        for one in reversed(options):
            command = one(command)
        return command

    return decorate


talk_options = together(
    option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, errors included."),
    option("-q", "--quiet", is_flag=True, help="Print nothing but results and errors."),
    option("-v", "--verbose", is_flag=True, help="Print details as they happen, and tracebacks of bugs."),
    option("--no-progress", is_flag=True, help="Show no progress; warnings and the result are still printed."),
    option(
        "--debug",
        metavar="[FILE]",
        help="Write timings and decisions as JSON lines to stderr, or to the end of FILE.",
    ),
)

aws_options = together(
    option("--profile", metavar="NAME", help="AWS profile.  [default: as for the AWS CLI]"),
    option("--region", metavar="NAME", help="AWS region.  [default: as for the AWS CLI]"),
    option(
        "--endpoint-url", type=EndpointUrl(), help="Endpoint of a store that is compatible with S3, and of DynamoDB."
    ),
)

size_options = together(
    option(
        "--chunk-size",
        type=Size(),
        default=DEFAULT_CHUNK_BYTES,
        help="Maximum chunk size, header included. A larger record gets a chunk of its own.  [default: 128MiB]",
    ),
    option("--chunks", type=Count(), help="Make N chunks, whatever their size."),
    option("--rows", type=Count(), help="Put N records into each chunk."),
)

record_options = together(
    option(
        "--delimiter",
        type=Delimiter(),
        help=r"The text between fields, 1 to 8 bytes of UTF-8; \t or tab for a tab.  [default: ,]",
    ),
    option(
        "--quotechar",
        type=OneByteOrNone(),
        help='The character around fields; none: every newline ends a record.  [default: "]',
    ),
    option(
        "--escapechar",
        type=OneByteOrNone(),
        help="The character that escapes the next one.  [default: none]",
    ),
    option("--no-header", is_flag=True, default=None, help="The file has no header: its first record is data."),
)

dialect_options = together(
    option(
        "--dialect",
        type=click.Choice(list(PRESETS)),
        metavar="NAME",
        help=f"Set what an exporter writes; an option that is typed beside it wins. NAME: {', '.join(PRESETS)}.",
    ),
    record_options,
    option(
        "--on-stray-quote",
        type=click.Choice(get_args(StrayQuote)),
        help='How a quote in a wrong place is read, such as those of "5" disk": error: bad input; literal: as '
        "Python's csv module does, 5 disk\"; mysql: a quote closes only before a delimiter or the end of a line, "
        '5" disk.  [default: error]',
    ),
    option(
        "--encoding",
        metavar="NAME",
        help="Encoding of SOURCE, such as cp1252. UTF-16 and UTF-32 become UTF-8 in the chunks; all others stay as "
        "they are. UTF-7, HZ, ISO-2022 and EBCDIC cannot be split.  [default: utf-8]",
    ),
    option(
        "--null",
        type=NullText(),
        multiple=True,
        help="What means NULL, as an unquoted field; '' for the empty one; up to 8 times. none: nothing is NULL.  "
        "[default: the database's rule]",
    ),
    option(
        "--c-escapes",
        is_flag=True,
        default=None,
        help=r"Read \n, \t, \r, \0, \b, \f, \v, \Z and \N as MySQL and PostgreSQL write them, by the escape character.",
    ),
    option(
        "--escape-in",
        type=click.Choice(get_args(EscapeIn)),
        help="Where the escape character works: anywhere, or inside quotes alone.  [default: any]",
    ),
    option(
        "--skip-initial-space",
        is_flag=True,
        default=None,
        help="Spaces at the start of a field are not part of it.",
    ),
    option(
        "--line-end",
        type=click.Choice(get_args(LineEndRule)),
        help="Which line ends end a record: LF and CR LF; or, with lf, LF alone, and CR is data.  [default: auto]",
    ),
    option(
        "--skip-lines",
        type=Count(least=0),
        metavar="N",
        help="Leave out the first N lines, which come before the header.",
    ),
    option(
        "--skip-trailer",
        type=Count(least=0),
        metavar="N",
        help="Leave out the last N lines that are not blank, and compare a count in them with the rows.",
    ),
    option("--skip-blank-lines", is_flag=True, default=None, help="Blank lines are not rows."),
    option("--skip-repeated-headers", is_flag=True, default=None, help="Lines that repeat the header are not rows."),
)

secret_option = option(
    "--secret",
    metavar="ARN",
    help="Secrets Manager's secret with the database's user and password, as RDS writes it, instead of "
    "SPLITJOIN_DB_PASSWORD.",
)

DATABASES = (
    "The database: sqlite:PATH, duckdb:PATH, mysql://USER@HOST/DB, postgresql://..., aurora-mysql://..., "
    "aurora-postgresql://..."
)

needed_into_option = option("--into", type=Text(), metavar="URL", help=DATABASES)

on_join_option = option(
    "--on-join",
    type=Text(),
    metavar="URL",
    help="The continuation, which runs after the join: exec:COMMAND, sns:ARN, sqs:URL, lambda:NAME, states:ARN, "
    "events:BUS.",
)

table_options = together(
    option("--table", type=Text(), metavar="NAME", help="Its table, or SCHEMA.NAME.  [default: the client's name]"),
    option(
        "--create-table",
        is_flag=True,
        help="Create a missing table, with text columns (always on for SQLite and DuckDB).",
    ),
    option(
        "--run-column",
        type=Text(),
        metavar="NAME",
        help="The table's column for the run id; with it a newer run replaces the rows of an older one.",
    ),
    option("--beside-other-run", is_flag=True, help="Load even if the ledger holds another run of this file."),
    option(
        "--max-record",
        type=Size(),
        default=LARGE_RECORD_BYTES,
        help="Maximum size of one record. Loading one takes several times its size of memory; a larger one is a bad "
        "row.  [default: 256MiB]",
    ),
    option(
        "--exact-values",
        is_flag=True,
        help="A value that its column's type would change is a bad row. Another spelling of it is not.",
    ),
    secret_option,
    on_join_option,
)

load_options = together(
    option("--into", type=Text(), metavar="URL", help=f"{DATABASES}  [default: an SQLite file in a temporary place]"),
    table_options,
)

lease_option = option(
    "--lease",
    type=Duration(),
    help="Time after which the join of a silent owner can be taken over.  [default: 5m]",
)

jobs_option = option(
    "--jobs",
    type=Count(MAX_JOBS),
    default=DEFAULT_JOBS,
    show_default=True,
    help="How many chunks to send or read at the same time.",
)

engine_options = together(
    option(
        "--jobs",
        type=Count(MAX_JOBS),
        help="How many chunks to send or read at the same time.  [default: 8; with --engine dask:, twice what its "
        "workers run; with lambda:, its reserved concurrency, or 100]",
    ),
    option(
        "--engine",
        default="threads",
        metavar="NAME",
        help="Where the work runs: threads of this process, dask:ADDRESS, the workers of a Dask scheduler "
        "(dask:tls://HOST:8786, dask:FILE.json for a scheduler file, dask: for Dask's configuration), or "
        "lambda:FUNCTION, the split function of the template on AWS.  [default: threads]",
    ),
    option(
        "--allow-plain-dask",
        is_flag=True,
        help="Use a Dask scheduler on another machine without TLS: anyone who reaches it can run code there.",
    ),
)

bwlimit_option = option(
    "--bwlimit",
    type=Rate(),
    help="Maximum rate over the network, sending and receiving together, such as 8MB/s.  [default: no limit]",
)

tmp_dir_option = option(
    "--tmp-dir",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    metavar="DIR",
    help="Directory for temporary copies of standard input and pipes.",
)


tracker_option = option(
    "--tracker", type=Text(), metavar="URL", help="The tracker of jobs: dynamodb:TABLE, or sqlite:PATH for one machine."
)
