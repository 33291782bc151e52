"""The command that does a split again: what a user types after some chunks failed, or after a signal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, assert_never

from splitjoin_cli.splitting.request import DEFAULT_CHUNK_BYTES, DEFAULT_JOBS, ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sources.url import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.names import JobName
    from splitjoin_cli.splitting.request import Size, SplitRequest


def resume_command(request: SplitRequest, job: JobName) -> str:
    """The full command to type: client and date spelled out, everything else that is not the default, quoted for sh.

    ``--force`` stays: what it replaces may not all be replaced yet. A URL's user, password and query are left out,
    since the command is printed and logged.
    """
    words = ["splitjoin", "split", f"--client={job.client}", f"--date={job.date}", *_options(request)]
    return shlex.join([*words, "--", _shown(request.source), request.destination])


def query_note(source: str) -> str:
    """What a hint adds to the command where a URL's query was left out of it; nothing elsewhere."""
    return "" if _shown(source) == source else " (and add the query of SOURCE's URL, which is not shown here)"


def _shown(source: str) -> str:
    """A URL without its secrets; paths, and ``s3://`` (keys hold any character), as they are."""
    return redacted(source) if "://" in source and not source.startswith("s3://") else source


def _options(request: SplitRequest) -> Iterator[str]:
    yield from _size(request.size)
    dialect = request.dialect
    yield from _value("delimiter", dialect.delimiter, default=",")
    yield from _value("quotechar", dialect.quotechar or "none", default='"')
    yield from _value("escapechar", dialect.escapechar)
    yield from _flag("no-header", on=not dialect.header)
    yield from _value("on-stray-quote", request.on_stray_quote, default="error")
    yield from _value("encoding", request.encoding)
    yield from _flag("strict", on=request.strict)
    yield from _value("compress", request.compress)
    yield from _value("jobs", request.jobs, default=DEFAULT_JOBS)
    yield from _flag("fsync", on=request.fsync)
    yield from _flag("force", on=request.force)
    yield from _value("run-label", request.run_label)
    yield from _value("tracker", request.tracker)
    yield from _value("tmp-dir", request.tmp_dir)
    yield from _value("sse", request.sse)
    yield from _value("sse-kms-key-id", request.sse_kms_key_id)
    yield from _value("storage-class", request.storage_class)
    for key, value in request.tags:
        yield f"--tag={key}={value}"
    yield from _flag("request-payer", on=request.request_payer)
    yield from _value("expected-bucket-owner", request.expected_bucket_owner)
    yield from _value("profile", request.profile)
    yield from _value("region", request.region)
    yield from _value("endpoint-url", request.endpoint_url)


def _size(size: Size) -> Iterator[str]:
    match size:
        case ChunkSize(size_bytes):
            yield from _value("chunk-size", size_bytes, default=DEFAULT_CHUNK_BYTES)
        case ChunkCount(count):
            yield f"--chunks={count}"
        case RowCount(rows):
            yield f"--rows={rows}"
        case _:
            assert_never(size)


def _value(name: str, value: object, *, default: object = None) -> Iterator[str]:
    if value is not None and value != default:
        yield f"--{name}={value}"


def _flag(name: str, *, on: bool) -> Iterator[str]:
    if on:
        yield f"--{name}"
