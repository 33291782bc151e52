"""``splitjoin split``: its options, one call, its result."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options
from splitjoin_cli.cli.params import Tag
from splitjoin_cli.cli.terminal import error_document
from splitjoin_cli.cli.text import byte_text, count_text, duration_text
from splitjoin_cli.core.errors import PartialError, StoppedError, UsageError
from splitjoin_cli.core.names import manifest_name
from splitjoin_cli.splitting.request import SplitRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from splitjoin_cli.cli.terminal import Terminal

MAX_TAGS = 10
FAILURES_SHOWN = 10
_S3_ONLY = ("sse", "sse_kms_key_id", "storage_class", "tag", "request_payer", "expected_bucket_owner")

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
@options.option("--date", metavar="TEXT", help="Second part of the chunks' names.  [default: today, UTC, YYYYMMDD]")
@options.size_options
@options.dialect_options
@options.stray_quote_option
@options.encoding_option
@options.option("--strict", is_flag=True, help="A record with more or fewer fields than the first is bad input.")
@options.option(
    "--compress",
    type=click.Choice(["none", "gzip", "zstd"]),
    default="none",
    show_default=True,
    help="How chunks are stored.",
)
@options.jobs_option
@options.option("--fsync", is_flag=True, help="Wait until the disk has each chunk.")
@options.option("--dry-run", is_flag=True, help="Show the plan as a table; store nothing.")
@options.option("--force", is_flag=True, help="Replace other content that is stored under the same name.")
@options.option("--run-label", metavar="TEXT", help="Makes the same content another run, to load it again on purpose.")
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
    request = _request(ctx, *_source_and_destination(paths), values)
    job = request.job(dt.datetime.now(tz=dt.UTC).date())  # once: a split that goes on past midnight keeps its date
    request = replace(request, client=job.client, date=job.date)
    from splitjoin_cli.api.split import run_split

    try:
        with terminal.observer() as observer:
            result = run_split(request, observer)
    except StoppedError as exc:
        from splitjoin_cli.splitting.resume import query_note, resume_command

        return _stopped(exc, resume_command(request, job), query_note(request.source), terminal)
    return _show(result.to_json(), terminal, request)


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
    return source, _checked_destination(destination)


def _checked_destination(destination: str) -> str:
    """The destination. Raises UsageError for what is neither a directory nor an S3 prefix."""
    hint = "DEST is a directory or s3://bucket/prefix/"
    if destination in ("", "-"):
        raise UsageError(f"chunks cannot go to {destination!r}", hint=hint)
    scheme, separator, rest = destination.partition(":")
    if separator and scheme.lower() == "s3" and (scheme != "s3" or not rest.startswith("//")):
        raise UsageError(f"{destination!r} looks like S3 and is not s3://bucket/prefix/", hint=hint)
    if rest.startswith("//") and (scheme != "s3" or not rest.removeprefix("//").partition("/")[0]):
        raise UsageError(f"chunks cannot go to {destination!r}", hint=hint)
    return destination


def _request(ctx: click.Context, source: str, destination: str, values: Mapping[str, Any]) -> SplitRequest:
    """What was asked, checked for what can be known without opening anything. Raises UsageError."""
    if source == "-" and values["client"] is None:
        raise UsageError("standard input has no name: --client is needed", hint="add --client NAME")
    _check_s3_options(ctx, destination, values)
    return SplitRequest(
        source=source,
        destination=destination,
        client=values["client"],
        date=values["date"],
        size=options.requested_size(ctx, values),
        dialect=options.requested_dialect(values),
        on_stray_quote=values["on_stray_quote"],
        encoding=values["encoding"],
        strict=values["strict"],
        compress=None if values["compress"] == "none" else values["compress"],
        jobs=values["jobs"],
        fsync=values["fsync"],
        dry_run=values["dry_run"],
        force=values["force"],
        run_label=values["run_label"],
        tracker=values["tracker"],
        tmp_dir=values["tmp_dir"],
        sse=values["sse"],
        sse_kms_key_id=values["sse_kms_key_id"],
        storage_class=values["storage_class"],
        tags=values["tag"],
        request_payer=values["request_payer"],
        expected_bucket_owner=values["expected_bucket_owner"],
        profile=values["profile"],
        region=values["region"],
        endpoint_url=values["endpoint_url"],
    )


def _check_s3_options(ctx: click.Context, destination: str, values: Mapping[str, Any]) -> None:
    if not destination.startswith("s3://"):
        for name in _S3_ONLY:
            if options.typed(ctx, name):
                raise UsageError(f"--{name.replace('_', '-')} is for s3:// destinations", hint="leave it out")
    if values["sse_kms_key_id"] and values["sse"] != "aws:kms":
        raise UsageError("--sse-kms-key-id needs --sse aws:kms", hint="add --sse aws:kms")
    tags = values["tag"]
    if len(tags) > MAX_TAGS:
        raise UsageError(f"{len(tags)} tags were given; S3 takes {MAX_TAGS} for an object")
    keys = [key for key, _ in tags]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise UsageError(f"the tag {twice!r} was given twice")


def _stopped(error: StoppedError, resume: str, note: str, terminal: Terminal) -> int:
    """Say how to resume, and return the exit code: by a signal there is no result, and all the same a next step."""
    error.hint = f"to resume, type: {resume}{note}"
    if terminal.as_json:
        terminal.document({"resume": resume, "error": error_document(error)})
    else:
        terminal.error(error)
    return error.exit_code


def _show(document: dict[str, Any], terminal: Terminal, request: SplitRequest) -> int:
    """Say the result, and return the exit code: 3 where chunks failed."""
    error = None
    if document["failed"]:
        from splitjoin_cli.splitting.resume import query_note

        error = PartialError(
            f"{document['failed']:,} of {count_text(document['total_parts'], 'chunk')} failed",
            hint=f"to resume, type: {document['resume']}{query_note(request.source)}",
        )
    if terminal.as_json:
        terminal.document(document if error is None else document | {"error": error_document(error)})
    elif error is not None:
        _say_failures(document, terminal)
        terminal.error(error)
    elif request.dry_run:
        terminal.lines(_table(document["chunks"]))
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
    """The plan: a line for each chunk, columns aligned, numbers to the right."""
    names = ("number", "rows", "bytes", "start", "end", "name")

    def cells() -> Iterator[Sequence[str]]:
        return (["?" if chunk[name] is None else str(chunk[name]) for name in names] for chunk in chunks)

    widths = [len(name) for name in names]
    for line in cells():
        widths = [max(width, len(cell)) for width, cell in zip(widths, line, strict=True)]
    for line in chain((names,), cells()):
        yield "  ".join([*(cell.rjust(width) for cell, width in zip(line[:-1], widths, strict=False)), line[-1]])
