"""Splits exports: from plain values to a request, of one split or of several."""

# Each implementation is imported only when it is asked for: botocore is slow to import.

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, get_args, overload

from splitjoin_cli.api import arguments
from splitjoin_cli.api.engines import THREADS, checked_engine
from splitjoin_cli.api.one_split import run_split
from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.places import S3Place, is_s3, parse_place
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.source_name import name_pattern as compiled
from splitjoin_cli.core.units import MAX_JOBS
from splitjoin_cli.splitting.request import ChunkCompression, SplitRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.api.split_options import SplitOptions
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import ServerSideEncryption
    from splitjoin_cli.splitting.result import SplitResult
    from splitjoin_cli.splitting.splits import SplitsResult

__all__ = ["split"]


@overload
def split(source: arguments.Path, destination: arguments.Path, **options: Unpack[SplitOptions]) -> SplitResult: ...
@overload
def split(
    source: list[str] | list[Path] | tuple[arguments.Path, ...],
    destination: arguments.Path,
    *,
    files_from: arguments.Path | None = None,
    **options: Unpack[SplitOptions],
) -> SplitsResult: ...
def split(
    source: arguments.Path | Sequence[arguments.Path],
    destination: arguments.Path,
    *,
    files_from: arguments.Path | None = None,
    client: str | None = None,
    date: arguments.Date | None = None,
    name_pattern: str | None = None,
    chunk_size: arguments.Bytes | None = None,
    chunks: int | None = None,
    rows: int | None = None,
    encoding: str | None = None,
    strict: bool = False,
    compress: arguments.Compress | None = None,
    jobs: int | None = None,
    engine: str = THREADS,
    allow_plain_dask: bool = False,
    bwlimit: arguments.Bytes | None = None,
    fsync: bool = False,
    dry_run: bool = False,
    force: bool = False,
    run_label: str | None = None,
    tracker: str | None = None,
    notify: str | None = None,
    tmp_dir: arguments.Path | None = None,
    sse: ServerSideEncryption | None = None,
    sse_kms_key_id: str | None = None,
    storage_class: str | None = None,
    tag: arguments.Tags = (),
    request_payer: bool = False,
    expected_bucket_owner: str | None = None,
    content_encoding: arguments.Compress | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
    observer: Observer | None = None,
    **keywords: Unpack[arguments.DialectKeywords],
) -> SplitResult | SplitsResult:
    """Split ``source`` into chunks of whole records, each with the header, and a manifest; or resume that split.

        result = splitjoin_cli.split("export.csv", "s3://bucket/in/", client="acme", chunk_size="64MiB")

    The options are those of the command (``splitjoin split --help``). ``session``: a boto3 session that makes the
    clients. ``keywords``: the dialect (DialectKeywords). ``observer``: hears phases,
    bytes, chunks and warnings as they come (core/progress.py has the protocol).

    A list of sources, patterns, prefixes and directories is split in one call, several at once, into a result with
    ``done``, ``failed`` and ``splits``; ``files_from`` is a file with more names, one a line:

        result = splitjoin_cli.split(["exports/*.csv", "s3://bucket/more/"], "s3://bucket/in/")

    A chunk that failed is in the result (``failed`` in ``result.to_json()``), with the command that resumes. Raises
    UsageError, BadInputError, NameTakenError, SourceError, StoreError.
    """
    written, skip = arguments.dialect(keywords)
    place = parse_place(os.fspath(destination))
    encoded = _content_encoding(content_encoding, compress)
    objects = arguments.objects(sse, sse_kms_key_id, storage_class, tag, request_payer, expected_bucket_owner, encoded)
    words = [os.fspath(source)] if isinstance(source, str | os.PathLike) else [os.fspath(one) for one in source]
    _check_objects(objects, place, on_s3=files_from is not None or any(map(is_s3, words)))
    request = SplitRequest(
        source=next(iter(words), ""),
        destination=place,
        client=client,
        date=arguments.date(date),
        name_pattern=None if name_pattern is None else compiled(name_pattern),
        size=arguments.size(chunk_size, chunks, rows),
        dialect=written,
        dialect_typed=keywords.get("dialect_typed", False),
        delimiter_typed=keywords.get("delimiter_typed", "delimiter" in keywords),
        encoding=encoding,
        skip=skip,
        strict=strict,
        compress=None if compress == "none" else compress,
        jobs=None if jobs is None else arguments.at_once("jobs", jobs, MAX_JOBS),
        engine=checked_engine(engine, limited=bwlimit is not None),
        allow_plain_dask=allow_plain_dask,
        bwlimit=arguments.bandwidth(bwlimit),
        fsync=fsync,
        dry_run=dry_run,
        force=force,
        run_label=run_label,
        tracker=None if tracker is None else arguments.tracker(tracker),
        notify=None if notify is None else _notify(notify, place),
        tmp_dir=None if tmp_dir is None else Path(tmp_dir),
        objects=objects,
        aws=arguments.aws(profile, region, endpoint_url, session),
    )
    if files_from is None and isinstance(source, str | os.PathLike):
        return run_split(request, observer or Silent())
    from splitjoin_cli.api.splits import run_splits

    listed = None if files_from is None else os.fspath(files_from)
    return run_splits(request, words, listed, observer or Silent())


def _check_objects(objects: ObjectOptions, place: Place, *, on_s3: bool) -> None:
    """Raise UsageError for options of objects where none is on S3; ``on_s3``: a source may be."""
    unused = ObjectOptions(request_payer=objects.request_payer and on_s3)
    if objects != unused and not isinstance(place, S3Place):
        raise UsageError(f"{place} is a directory, and options of objects on S3 were given", hint="leave them out")


def _content_encoding(said: str | None, compress: str | None) -> str | None:
    """What the header of chunks says, None for nothing. Raises UsageError for what they are not, or cannot be."""
    for name, value in (("compress", compress), ("content_encoding", said)):
        arguments.choice(name, value, (*get_args(ChunkCompression), "none"))
    if said in {None, "none"}:
        return None
    if said != compress:
        raise UsageError(
            f"--content-encoding {said} is for chunks that are stored as {said}", hint=f"give --compress {said} too"
        )
    return said


def _notify(text: str, place: Place) -> str:
    """Where events go. Raises UsageError."""
    from splitjoin_cli.join.operate.senders import check_target

    check_target(text, "--notify")
    if not isinstance(place, S3Place):
        raise UsageError(
            "--notify is for s3:// destinations: queues and functions read no directory", hint="leave it out"
        )
    return text
