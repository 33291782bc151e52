"""What the user names as SOURCE, opened: where it lies, then its compression, then its encoding."""

# ruff: noqa: PLC0415 -- each kind of place is imported when it is named: some of what they need is slow to import

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.bytes.codecs import DecompressedStream, compression_of
from splitjoin_cli.core.bytes.kinds import BLOCK_BYTES, binary_kind
from splitjoin_cli.core.errors import BadInputError, SourceError
from splitjoin_cli.core.places import is_http
from splitjoin_cli.stores.sources.local import LocalSource, is_pipe
from splitjoin_cli.stores.sources.stream import StreamSource
from splitjoin_cli.stores.sources.transcode import (
    TranscodedStream,
    needs_transcoding,
    reject_wide_encoding,
)

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.core.bandwidth import Bandwidth
    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["open_bytes", "open_source", "open_text", "understood", "understood_text"]


def open_bytes(
    spec: str,
    *,
    tmp_dir: Path | None = None,
    aws: AwsOptions | None = None,
    request_payer: str | None = None,
    pipe_bytes: int | None = None,
) -> tuple[Source, bytes, bool]:
    """Open what ``spec`` names, decompressed and not transcoded: the source, its first block, and whether it is all.

    ``pipe_bytes``: so many bytes of standard input or a pipe are read at most (None: all), and the source may then be
    cut. Raises as ``open_text``, but for an encoding that was not declared.
    """
    base = _opened(spec, tmp_dir, aws, request_payer, pipe_bytes=pipe_bytes)
    cut = pipe_bytes is not None and (spec == "-" or is_pipe(spec)) and base.properties.size == pipe_bytes
    try:
        source, start = _unpacked(base)
    except BaseException:
        base.close()
        raise
    return source, start, not cut


def open_source(
    spec: str,
    *,
    tmp_dir: Path | None = None,
    encoding: str | None = None,
    aws: AwsOptions | None = None,
    request_payer: str | None = None,
    jobs: int = 8,
    bandwidth: Bandwidth | None = None,
) -> Source:
    """The source alone of ``open_text``."""
    source, _ = open_text(
        spec,
        tmp_dir=tmp_dir,
        encoding=encoding,
        aws=aws,
        request_payer=request_payer,
        jobs=jobs,
        bandwidth=bandwidth,
    )
    return source


def open_text(
    spec: str,
    *,
    tmp_dir: Path | None = None,
    encoding: str | None = None,
    aws: AwsOptions | None = None,
    request_payer: str | None = None,
    jobs: int = 8,
    client: Any = None,  # noqa: ANN401 -- botocore makes its clients' classes at run time
    bandwidth: Bandwidth | None = None,
) -> tuple[Source, bytes]:
    """Open what ``spec`` names, and read its first block, decompressed and transcoded.

    ``spec``: a path, ``-``, ``file://``, ``s3://``, or a URL that smart-open reads.

    ``tmp_dir`` takes what comes through a pipe (None: the system's temporary directory). ``encoding``: that of the
    content, None for any that keeps ASCII. ``aws`` (or ``client``, made with ``attempts=1``), ``request_payer`` and
    ``jobs`` (GETs at once) are for S3. ``bandwidth``: what limits all that comes over the network, here and elsewhere,
    together.
    The block is BLOCK_BYTES, or all of it; empty where it cannot be read to there: each pass tells why. Raises
    SourceError where it cannot be opened, BadInputError where it can be no text (an archive, a workbook) or is of an
    encoding that was not declared, UsageError for an encoding that Python does not know.
    """
    if encoding is not None:
        needs_transcoding(encoding)  # an unknown one is refused before anything is read
    base = _opened(spec, tmp_dir, aws, request_payer, jobs=jobs, client=client, bandwidth=bandwidth)
    return understood_text(base, encoding)


def _opened(
    spec: str,
    tmp_dir: Path | None,
    aws: AwsOptions | None,
    request_payer: str | None,
    *,
    jobs: int = 8,
    client: Any = None,  # noqa: ANN401 -- as open_text
    bandwidth: Bandwidth | None = None,
    pipe_bytes: int | None = None,
) -> Source:
    """What lies at ``spec``, as it is stored."""
    if spec.startswith("s3://"):
        from splitjoin_cli.stores.sources.s3 import S3Source

        return S3Source(spec, aws, jobs=jobs, request_payer=request_payer, bandwidth=bandwidth, client=client)
    return _open_place(spec, tmp_dir, pipe_bytes, bandwidth)


def understood(base: Source, *, encoding: str | None = None) -> Source:
    """``base`` with its compression and its wide encoding undone; ``base`` itself where there is neither.

    Closing the result closes ``base``; so does failing.
    """
    return understood_text(base, encoding)[0]


def understood_text(base: Source, encoding: str | None) -> tuple[Source, bytes]:
    """As ``open_text`` gives it, of a source that is open."""
    try:
        return _layered(base, encoding)
    except BaseException:
        base.close()
        raise


def _layered(base: Source, encoding: str | None) -> tuple[Source, bytes]:
    name = _shown_name(base)
    source, start = _unpacked(base)
    if encoding is None or not needs_transcoding(encoding):
        reject_wide_encoding(start, name, encoding)
        return source, start
    source = StreamSource(source, partial(TranscodedStream, encoding=encoding, name=name))
    return source, _block_of(source)


def _shown_name(base: Source) -> str:
    return "standard input" if base.properties.uri == "-" else base.properties.uri


def _unpacked(base: Source) -> tuple[Source, bytes]:
    """``base`` with its compression undone, and its first block. Raises BadInputError for what can be no text."""
    name = _shown_name(base)
    start = _block_of(base)
    _refuse_binary(start, name)
    compression = compression_of(start, name)
    source = base
    if compression is not None:
        source = StreamSource(
            source, partial(DecompressedStream, compression=compression, name=name), compression=compression
        )
        start = _block_of(source)
        _refuse_binary(start, name, inside=compression)
    return source, start


def _refuse_binary(start: bytes, name: str, *, inside: str | None = None) -> None:
    kind = binary_kind(start, inside=inside)
    if kind is not None:
        what = kind.what if inside is None else f"{inside} data that holds {kind.what}"
        raise BadInputError(f"{name} is {what}, not delimited text", hint=kind.way_out)


def _block_of(source: Source) -> bytes:
    """The first block; empty where damage is in it, which each pass tells."""
    buffer = memoryview(bytearray(BLOCK_BYTES))
    if source.properties.seekable:
        return bytes(buffer[: source.read_at(0, buffer)])
    stream: ByteStream | None = None
    try:
        stream = source.beginning() if isinstance(source, StreamSource) else source.stream()
        return bytes(buffer[: stream.readinto(buffer)])
    except BadInputError:
        return b""
    finally:
        if stream is not None:
            stream.close()


def _open_place(spec: str, tmp_dir: Path | None, pipe_bytes: int | None, bandwidth: Bandwidth | None) -> Source:
    """What does not lie on S3, as it is stored."""
    if spec == "-":
        from splitjoin_cli.stores.sources.spool import spool_standard_input

        return spool_standard_input(tmp_dir, pipe_bytes)
    scheme, separator, _ = spec.partition("://")
    if not separator:
        return _open_path(spec, tmp_dir, pipe_bytes)
    if scheme == "file":
        return _open_path(_path_of(spec), tmp_dir, pipe_bytes)
    if is_http(spec):
        from splitjoin_cli.stores.sources.web import HttpSource

        return HttpSource(spec, bandwidth=bandwidth)
    from splitjoin_cli.stores.sources.url import UrlSource

    return UrlSource(spec, bandwidth=bandwidth)


def _path_of(url: str) -> str:
    """RFC 8089: an absolute path, percent-encoded, on this host."""
    from urllib.parse import unquote

    from splitjoin_cli.core.urls import parts_of

    parts = parts_of(url.replace("?", "%3F").replace("#", "%23"))  # both are ordinary in file names
    if parts.netloc not in ("", "localhost"):
        raise SourceError(
            f"cannot read {url}: a file:// URL of another host",
            hint="write file:///ABSOLUTE/PATH, or the path alone",
        )
    return unquote(parts.path)


def _open_path(path: str, tmp_dir: Path | None, pipe_bytes: int | None) -> Source:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return LocalSource(path)  # which says what is wrong with it
    if stat.S_ISREG(status.st_mode):
        return LocalSource(path)
    from splitjoin_cli.stores.sources.spool import spool_pipe, spool_standard_input

    if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return spool_pipe(path, tmp_dir, pipe_bytes)
    if stat.S_ISSOCK(status.st_mode) and _is_standard_input(status):
        return spool_standard_input(tmp_dir, pipe_bytes)  # a socket cannot be opened by its path, /dev/stdin or other
    return LocalSource(path)


def _is_standard_input(status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, os.fstat(0))
    except OSError:
        return False
