"""``splitjoin split``: its options, one call, its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from splitjoin_cli.cli import options, parsed
from splitjoin_cli.cli.params import NAMED_PATH, Tag, Text
from splitjoin_cli.cli.signals import too_late
from splitjoin_cli.cli.split_text import failed_chunks, left_out, manifest_of, plan_lines, resume_hint, summary
from splitjoin_cli.cli.terminal import error_document
from splitjoin_cli.cli.text import count_text
from splitjoin_cli.core.errors import PartialError, StoppedError, UsageError
from splitjoin_cli.core.files import is_file
from splitjoin_cli.core.gc_pause import uncollected
from splitjoin_cli.core.places import S3Place, is_s3, parse_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.cli.terminal import Terminal

_S3_ONLY: dict[str, Any] = {
    "notify": None,
    "sse": None,
    "sse_kms_key_id": None,
    "storage_class": None,
    "tag": (),
    "request_payer": False,
    "expected_bucket_owner": None,
    "content_encoding": None,
}

EPILOG = """\
\b
Examples:
  splitjoin split export.csv chunks/
  splitjoin split export.csv.gz s3://bucket/in/ --client acme --date 20240131
  psql -c 'COPY sales TO STDOUT CSV HEADER' | splitjoin split - s3://bucket/in/ --client acme
  splitjoin split 'exports/*.csv' s3://bucket/more/ s3://bucket/in/

SOURCE is a path, s3://bucket/key, an http(s) URL, or - for standard input, compressed or not. DEST is a directory
or s3://bucket/prefix/. The same command again resumes: what is stored already is skipped.

Several sources are split at the same time, each under its own name; one that fails does not stop the others. A
directory, or s3://bucket/prefix/, is all files right in it; a pattern matches with *, ? and [...] within one part of
a path or key. Patterns, prefixes and directories leave out chunks, plans and manifests.

A login for an http(s) URL comes from ~/.netrc, or the file that NETRC names; never from the URL, which process lists
show. A token in the URL's query is used and never shown.

Exit codes: 0 done, 1 failed, 2 usage, 3 some chunks failed, 4 bad input, 11 the name is taken by other content.
"""


@click.command(epilog=EPILOG, short_help="Split a CSV file into chunks in a directory or on S3.")
@click.argument("paths", nargs=-1, type=NAMED_PATH, metavar="SOURCE... DEST")
@options.option(
    "--files-from",
    type=Text(),
    metavar="FILE",
    help="Read more sources from FILE, or from standard input with -: one name on each line, no patterns.",
)
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
@options.engine_options
@options.bwlimit_option
@options.option("--fsync", is_flag=True, help="Wait until each chunk is on the disk.")
@options.option(
    "--dry-run", is_flag=True, help="Compare the plan with what is at DEST, and show it as a table; store nothing."
)
@options.option("--force", is_flag=True, help="Replace other content that is stored under the same name.")
@options.option("--run-label", metavar="TEXT", help="Make the same content a new run, to load it again on purpose.")
@options.tracker_option
@options.option(
    "--notify",
    type=Text(),
    metavar="TARGET",
    help="Send each chunk's event to sqs:URL or lambda:NAME, for stores that do not send events.",
)
@options.tmp_dir_option
@options.option("--sse", type=click.Choice(["AES256", "aws:kms"]), help="Encryption of the objects on S3.")
@options.option("--sse-kms-key-id", metavar="ID", help="The key for --sse aws:kms.")
@options.option("--storage-class", metavar="NAME", help="Storage class of the objects on S3.")
@options.option("--tag", type=Tag(), multiple=True, help="A tag for each object on S3; may be repeated.")
@options.option("--request-payer", is_flag=True, help="Pay for the requests to a bucket whose requester pays.")
@options.option("--expected-bucket-owner", metavar="ACCOUNT", help="Fail unless this account owns the bucket.")
@options.option(
    "--content-encoding",
    type=click.Choice(["none", "gzip", "zstd"]),
    help="Content-Encoding of compressed chunks on S3, for readers that look at it.  [default: none]",
)
@options.aws_options
@options.talk_options
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[str, ...], **values: Any) -> int:  # noqa: ANN401 -- one for each option
    """Split each SOURCE into chunks of whole records, each with the header, and a manifest.

    Chunks are named CLIENT_DATE-NUMBER-TOTAL.csv. All of them together are SOURCE, byte for byte.
    """
    for path in paths:
        parsed.refuse_password(path)
    terminal = parsed.terminal(ctx, values)
    sources, destination = _sources_and_destination(paths, values["files_from"])
    _check_s3_options(ctx, sources, destination, values)
    _settle_names(ctx, sources, values)
    if values["files_from"] is not None or not _is_one(sources, values):
        from splitjoin_cli.cli.splits import split_several

        return split_several(ctx, sources, destination, values, terminal)
    del values["files_from"]
    with uncollected():
        from splitjoin_cli.api.split import split

    source = sources[0]
    try:
        with terminal.observer() as observer:
            result = split(source, destination, observer=observer, **parsed.passed(ctx, values))
    except StoppedError as exc:
        return _stopped(exc, source, terminal)
    with too_late():
        return _show(result.to_json(), terminal, source, dry_run=values["dry_run"])


def _sources_and_destination(paths: Sequence[str], files_from: str | None) -> tuple[Sequence[str], str]:
    if len(paths) < (2 if files_from is None else 1):
        missing = "DEST" if paths else "SOURCE" if files_from is None else "DEST"
        raise UsageError(f"{missing} is missing", hint="splitjoin split SOURCE DEST; splitjoin split --help says more")
    return paths[:-1], paths[-1]


def _is_one(sources: Sequence[str], values: Mapping[str, Any]) -> bool:
    """Whether it is one source by its name alone."""
    if len(sources) > 1:
        return False
    if is_file(sources[0]):  # what exists as it is typed is no pattern: most sources need no more than this
        return True
    with uncollected():
        from splitjoin_cli.api import arguments
        from splitjoin_cli.api.sources import Sources

    aws = arguments.aws(values["profile"], values["region"], values["endpoint_url"])
    return Sources(aws, "requester" if values["request_payer"] else None).is_one(sources)


def _check_s3_options(ctx: click.Context, sources: Sequence[str], destination: str, values: dict[str, Any]) -> None:
    """What was typed for S3 is a usage error elsewhere; what a variable says of S3 waits until there is some."""
    if not parsed.typed(ctx, "content_encoding") and values["content_encoding"] != values["compress"]:
        values["content_encoding"] = None
    if isinstance(parse_place(destination), S3Place):
        return
    for name, nothing in _S3_ONLY.items():
        if name == "request_payer" and (values["files_from"] is not None or any(map(is_s3, sources))):
            continue
        if parsed.typed(ctx, name):
            raise UsageError(f"--{name.replace('_', '-')} is for s3:// destinations", hint="leave it out")
        values[name] = nothing


def _settle_names(ctx: click.Context, sources: Sequence[str], values: dict[str, Any]) -> None:
    """A pattern that was typed beats a client and a date of the environment; one of the environment is for files."""
    pattern = values["name_pattern"]
    if pattern is None:
        return
    if parsed.typed(ctx, "name_pattern"):
        for name in ("client", "date"):
            if f"(?P<{name}>" in pattern and not parsed.typed(ctx, name):
                values[name] = None
    elif list(sources) == ["-"]:
        values["name_pattern"] = None


def _stopped(error: StoppedError, source: str, terminal: Terminal) -> int:
    """Say how to resume, and return the exit code: by a signal there is no result, and all the same a next step."""
    if error.resume is None:
        raise error
    kept = "" if error.kept is None else f"{error.kept}; "
    error.hint = f"{kept}{resume_hint(error.resume, source)}"
    if terminal.as_json:
        terminal.document({"resume": error.resume, "error": error_document(error)})
    else:
        terminal.error(error)
    return error.exit_code


def _show(document: dict[str, Any], terminal: Terminal, source: str, *, dry_run: bool) -> int:
    """Say the result, and return the exit code: 3 where chunks failed."""
    if said := left_out(document):
        terminal.note(said)
    error = None
    if document["failed"]:
        error = PartialError(
            f"{document['failed']:,} of {count_text(document['total_parts'], 'chunk')} failed",
            hint=resume_hint(document["resume"], source),
        )
    if terminal.as_json:
        terminal.document(document if error is None else document | {"error": error_document(error)})
    elif error is not None:
        for line in failed_chunks(document):
            terminal.say(line)
        terminal.error(error)
    elif dry_run:
        terminal.lines(plan_lines(document))
    else:
        terminal.note(summary(document))
        terminal.data(manifest_of(document))
    return 0 if error is None else error.exit_code
