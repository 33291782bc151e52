"""``splitjoin split``: its options, one call, its result."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options
from splitjoin_cli.cli.params import Tag, Text
from splitjoin_cli.cli.terminal import error_document
from splitjoin_cli.cli.text import byte_text, count_text, duration_text
from splitjoin_cli.core.errors import PartialError, StoppedError, UsageError
from splitjoin_cli.core.names import manifest_name
from splitjoin_cli.core.places import S3Place, is_s3, parse_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from splitjoin_cli.cli.terminal import Terminal

FAILURES_SHOWN = 10
_S3_ONLY: dict[str, Any] = {
    "sse": None,
    "sse_kms_key_id": None,
    "storage_class": None,
    "tag": (),
    "request_payer": False,
    "expected_bucket_owner": None,
}

EPILOG = """\
\b
Examples:
  splitjoin split export.csv chunks/
  splitjoin split export.csv.gz s3://bucket/in/ --client acme --date 20240131
  pg_dump_csv | splitjoin split - s3://bucket/in/ --client acme --compress gzip

SOURCE is a path, s3://bucket/key, an http(s) URL, or - for standard input, compressed or not. DEST is a directory
or s3://bucket/prefix/. The same command again resumes: what is stored already is skipped.

A login for an http(s) URL comes from ~/.netrc, or the file that NETRC names; never from the URL, which process lists
show. A token in the URL's query is used and never shown.

Exit codes: 0 done, 1 failed, 2 usage, 3 some chunks failed, 4 bad input, 11 the name is taken by other content.
"""


@click.command(epilog=EPILOG, short_help="Split a CSV file into chunks in a directory or on S3.")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="SOURCE DEST")
@options.option("--client", metavar="NAME", help="First part of the chunks' names.  [default: from SOURCE's name]")
@options.option(
    "--date",
    metavar="TEXT",
    help="Second part of the chunks' names.  [default: from a SOURCE named CLIENT_DATE; else today, UTC, YYYYMMDD]",
)
@options.option(
    "--name-pattern",
    type=Text(),
    metavar="REGEX",
    help="Take client and date from the groups (?P<client>...) and (?P<date>...) in SOURCE's name.",
)
@options.size_options
@options.dialect_options
@options.option("--strict", is_flag=True, help="Refuse a record that has more or fewer fields than the first one.")
@options.option(
    "--compress",
    type=click.Choice(["none", "gzip", "zstd"]),
    default="none",
    show_default=True,
    help="How chunks are stored.",
)
@options.jobs_option
@options.option("--fsync", is_flag=True, help="Wait until each chunk is on the disk.")
@options.option(
    "--dry-run", is_flag=True, help="Compare the plan with what is at DEST, and show it as a table; store nothing."
)
@options.option("--force", is_flag=True, help="Replace other content that is stored under the same name.")
@options.option("--run-label", metavar="TEXT", help="Make the same content a new run, to load it again on purpose.")
@options.tracker_option
@options.tmp_dir_option
@options.option("--sse", type=click.Choice(["AES256", "aws:kms"]), help="Encryption of the objects on S3.")
@options.option("--sse-kms-key-id", metavar="ID", help="The key for --sse aws:kms.")
@options.option("--storage-class", metavar="NAME", help="Storage class of the objects on S3.")
@options.option("--tag", type=Tag(), multiple=True, help="A tag for each object on S3; may be repeated.")
@options.option("--request-payer", is_flag=True, help="The requester pays.")
@options.option("--expected-bucket-owner", metavar="ACCOUNT", help="Fail unless this account owns the bucket.")
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[str, ...], **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Split SOURCE into chunks of whole records, each with the header, and a manifest.

    Chunks are named CLIENT_DATE-NUMBER-TOTAL.csv. All of them together are SOURCE, byte for byte.
    """
    for path in paths:
        options.refuse_password(path)
    terminal = options.terminal(ctx, values)
    source, destination = _source_and_destination(paths)
    _check_s3_options(ctx, source, destination, values)
    _settle_names(ctx, source, values)
    from splitjoin_cli.api.split import split

    try:
        with terminal.observer() as observer:
            result = split(source, destination, observer=observer, **options.passed(ctx, values))
    except StoppedError as exc:
        return _stopped(exc, source, terminal)
    return _show(result.to_json(), terminal, source, dry_run=values["dry_run"])


def _source_and_destination(paths: Sequence[str]) -> tuple[str, str]:
    if len(paths) > 2:  # noqa: PLR2004 -- one source, one destination
        import shlex

        *sources, destination = paths
        shown = " ".join(map(shlex.quote, sources[:3])) + (" ..." if len(sources) > 3 else "")  # noqa: PLR2004 -- enough
        raise UsageError(
            f"split takes one SOURCE, and {len(sources)} were given",
            hint=f'for f in {shown}; do splitjoin split "$f" {shlex.quote(destination)} || break; done',
        )
    if len(paths) < 2:  # noqa: PLR2004 -- the same
        missing = "DEST" if paths else "SOURCE"
        raise UsageError(f"{missing} is missing", hint="splitjoin split SOURCE DEST; splitjoin split --help says more")
    source, destination = paths
    return source, destination


def _check_s3_options(ctx: click.Context, source: str, destination: str, values: dict[str, Any]) -> None:
    """What was typed for S3 is a usage error elsewhere; what a variable says of S3 waits until there is some."""
    if isinstance(parse_place(destination), S3Place):
        return
    for name, nothing in _S3_ONLY.items():
        if name == "request_payer" and is_s3(source):
            continue
        if options.typed(ctx, name):
            raise UsageError(f"--{name.replace('_', '-')} is for s3:// destinations", hint="leave it out")
        values[name] = nothing


def _settle_names(ctx: click.Context, source: str, values: dict[str, Any]) -> None:
    """A pattern that was typed beats a client and a date of the environment; one of the environment is for files."""
    pattern = values["name_pattern"]
    if pattern is None:
        return
    if options.typed(ctx, "name_pattern"):
        for name in ("client", "date"):
            if f"(?P<{name}>" in pattern and not options.typed(ctx, name):
                values[name] = None
    elif source == "-":
        values["name_pattern"] = None


def _stopped(error: StoppedError, source: str, terminal: Terminal) -> int:
    """Say how to resume, and return the exit code: by a signal there is no result, and all the same a next step."""
    if error.resume is None:
        raise error
    kept = "" if error.kept is None else f"{error.kept}; "
    error.hint = f"{kept}{_resume_hint(error.resume, source)}"
    if terminal.as_json:
        terminal.document({"resume": error.resume, "error": error_document(error)})
    else:
        terminal.error(error)
    return error.exit_code


def _resume_hint(command: str, source: str) -> str:
    from splitjoin_cli.splitting.resume import query_note

    return f"to resume, type: {command}{query_note(source)}"


def _show(document: dict[str, Any], terminal: Terminal, source: str, *, dry_run: bool) -> int:
    """Say the result, and return the exit code: 3 where chunks failed."""
    error = None
    if document["failed"]:
        error = PartialError(
            f"{document['failed']:,} of {count_text(document['total_parts'], 'chunk')} failed",
            hint=_resume_hint(document["resume"], source),
        )
    if terminal.as_json:
        terminal.document(document if error is None else document | {"error": error_document(error)})
    elif error is not None:
        _say_failures(document, terminal)
        terminal.error(error)
    elif dry_run:
        terminal.lines(_table(document["chunks"]))
        planned = document["total_parts"] - document["skipped"]
        terminal.data(
            f"{count_text(document['total_parts'], 'chunk')}: {planned:,} planned, {document['skipped']:,} stored"
        )
    else:
        terminal.note(_summary(document))
        terminal.data(f"{document['destination']}{manifest_name(document['file_name'])}")
    return 0 if error is None else error.exit_code


def _summary(document: Mapping[str, Any]) -> str:
    rows = "" if document["rows"] is None else f"{count_text(document['rows'], 'row')}, "
    return (
        f"{count_text(document['total_parts'], 'chunk')}, {rows}{byte_text(document['bytes'])}: "
        f"{document['uploaded']:,} uploaded, {document['skipped']:,} skipped in {duration_text(document['seconds'])}"
    )


def _say_failures(document: Mapping[str, Any], terminal: Terminal) -> None:
    failed = [chunk for chunk in document["chunks"] if chunk["state"] == "failed"]
    for chunk in failed[:FAILURES_SHOWN]:
        terminal.note(f"chunk {chunk['number']} failed: {chunk['error']}")
    if len(failed) > FAILURES_SHOWN:
        terminal.note(f"and {len(failed) - FAILURES_SHOWN:,} more")


def _table(chunks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The plan: a line for each chunk, columns aligned."""
    names = ("number", "rows", "bytes", "start", "end", "state", "name")

    def cells() -> Iterator[Sequence[str]]:
        return (["?" if chunk[name] is None else str(chunk[name]) for name in names] for chunk in chunks)

    widths = [len(name) for name in names]
    for line in cells():
        widths = [max(width, len(cell)) for width, cell in zip(widths, line, strict=True)]
    for line in chain((names,), cells()):
        yield "  ".join([*(cell.rjust(width) for cell, width in zip(line[:-1], widths, strict=False)), line[-1]])
