"""What the user names as SOURCE, opened: where it lies, then its compression, then its encoding."""

# ruff: noqa: PLC0415 -- each kind of place is imported when it is named: some of what they need is slow to import

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.codecs import START_BYTES, DecompressedStream, compression_of
from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.stores.sources.local import LocalSource
from splitjoin_cli.stores.sources.stream import GuardedStream, StreamSource
from splitjoin_cli.stores.sources.transcode import (
    TranscodedStream,
    chunk_encoding,
    needs_transcoding,
    reject_wide_encoding,
)

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["open_source", "understood"]


def open_source(
    spec: str,
    *,
    tmp_dir: Path | None = None,
    encoding: str | None = None,
    aws: AwsOptions | None = None,
    request_payer: str | None = None,
    jobs: int = 8,
) -> Source:
    """Open what ``spec`` names: a path, ``-``, ``file://``, ``s3://``, or a URL that smart-open reads.

    ``tmp_dir`` takes what comes through a pipe (None: the system's temporary directory). ``encoding``: that of the
    content, None for any that keeps ASCII. ``aws``, ``request_payer`` and ``jobs`` (GETs at once) are for S3.
    Raises SourceError where it cannot be opened, BadInputError where it is an archive or of an encoding that was not
    declared, UsageError for an encoding that Python does not know.
    """
    if encoding is not None:
        needs_transcoding(encoding)  # an unknown one is refused before anything is read
    if spec.startswith("s3://"):
        from splitjoin_cli.stores.sources.s3 import S3Source

        base: Source = S3Source(spec, aws, jobs=jobs, request_payer=request_payer)
    else:
        base = _open_place(spec, tmp_dir)
    return understood(base, encoding=encoding)


def understood(base: Source, *, encoding: str | None = None) -> Source:
    """``base`` with its compression and its wide encoding undone; ``base`` itself where there is neither.

    Closing the result closes ``base``; so does failing.
    """
    try:
        start = _start_of(base)
        return _layered(base, start, encoding)
    except BaseException:
        base.close()
        raise


def _layered(base: Source, start: bytes, encoding: str | None) -> Source:
    name = "standard input" if base.properties.uri == "-" else base.properties.uri
    compression = compression_of(start, name)
    source = base
    if compression is not None:
        unpack = partial(DecompressedStream, compression=compression, name=name)
        source = StreamSource(source, unpack, compression=compression)
    if encoding is not None and needs_transcoding(encoding):
        return StreamSource(source, partial(TranscodedStream, encoding=encoding, name=name))
    if encoding is not None and chunk_encoding(encoding) != "utf-8":
        return source  # whoever says cp1252 may have bytes that look like UTF-16
    check = partial(reject_wide_encoding, name=name)
    if compression is None:
        check(start)
        return source
    return StreamSource(source, partial(GuardedStream, check=check, check_bytes=START_BYTES))


def _start_of(source: Source) -> bytes:
    buffer = memoryview(bytearray(START_BYTES))
    if source.properties.seekable:
        return bytes(buffer[: source.read_at(0, buffer)])
    stream: ByteStream = source.stream()
    try:
        return bytes(buffer[: stream.readinto(buffer)])
    finally:
        stream.close()


def _open_place(spec: str, tmp_dir: Path | None) -> Source:
    """What does not lie on S3, as it is stored."""
    if spec == "-":
        from splitjoin_cli.stores.sources.spool import spool_standard_input

        return spool_standard_input(tmp_dir)
    scheme, separator, _ = spec.partition("://")
    if not separator:
        return _open_path(spec, tmp_dir)
    if scheme == "file":
        return _open_path(_path_of(spec), tmp_dir)
    if scheme.lower() in ("http", "https"):
        from splitjoin_cli.stores.sources.web import HttpSource

        return HttpSource(spec)
    from splitjoin_cli.stores.sources.url import UrlSource

    return UrlSource(spec)


def _path_of(url: str) -> str:
    """RFC 8089: an absolute path, percent-encoded, on this host."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url.replace("?", "%3F").replace("#", "%23"))  # both are ordinary in file names
    if parts.netloc not in ("", "localhost"):
        raise SourceError(
            f"cannot read {url}: a file:// URL of another host",
            hint="write file:///ABSOLUTE/PATH, or the path alone",
        )
    return unquote(parts.path)


def _open_path(path: str, tmp_dir: Path | None) -> Source:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return LocalSource(path)  # which says what is wrong with it
    if stat.S_ISREG(status.st_mode):
        return LocalSource(path)
    from splitjoin_cli.stores.sources.spool import spool_pipe, spool_standard_input

    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return spool_pipe(path, tmp_dir)
    if stat.S_ISSOCK(status.st_mode) and _is_standard_input(status):
        return spool_standard_input(tmp_dir)  # a socket cannot be opened by its path, /dev/stdin or other
    return LocalSource(path)


def _is_standard_input(status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, os.fstat(0))
    except OSError:
        return False
