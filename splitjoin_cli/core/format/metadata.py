"""What a chunk says of itself on S3: one metadata value, so that it survives tabs, spaces and other scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.format.dialects import dialect_of, stored_dialect
from splitjoin_cli.core.format.documents import (
    DAMAGE,
    SECOND_VERSION,
    VERSION,
    check_version,
    damaged,
    take_compression,
    take_file_name,
)
from splitjoin_cli.core.format.fields import (
    LARGEST,
    MAX_HEADER_BYTES,
    as_object,
    bad_field,
    decode_json,
    take,
    take_code,
    take_or_none,
)
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.core.names import MAX_TOTAL

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Compression, Dialect

METADATA_BYTES = 2000  # S3 allows 2 KB for keys and values together; the key is ``splitjoin``


@dataclass(frozen=True, slots=True)
class ChunkMetadata:
    """What a stored chunk says of itself, in one key (see ``encode_metadata``).

    ``range`` as in ``model.Chunk``. ``header_lines``: physical lines of the header (0 without one): more than 1 when a
    quoted newline is in it. ``generation`` numbers the runs of a job, from 1. ``mended``: ``replace`` stored it, and
    these are its bytes before compression, header included; the range is that of its old content. None: it is as
    the split made it. ``left_out``: lines of the source were left out, which makes it one of version 2 and no more.
    """

    file_name: str
    run_id: str
    generation: int
    number: int
    total: int
    range: ByteRange
    rows: int | None
    dialect: Dialect
    header_lines: int
    header_bytes: int
    compression: Compression | None
    mended: int | None = None
    left_out: bool = field(default=False, compare=False)


def encode_metadata(metadata: ChunkMetadata) -> str:
    r"""A chunk's metadata as one ASCII text of at most METADATA_BYTES, for the ``splitjoin`` key.

    A file name of 200 bytes takes at most 1,200 as ``\u`` escapes, and all else under 500. Raises ValueError above.
    """
    second = metadata.left_out or metadata.mended is not None or metadata.dialect.needs_second_version
    version = SECOND_VERSION if second else VERSION
    fields = {
        "version": version,
        "file_name": metadata.file_name,
        "run_id": metadata.run_id,
        "generation": metadata.generation,
        "number": metadata.number,
        "total": metadata.total,
        "start": metadata.range.start,
        "end": metadata.range.end,
        "rows": metadata.rows,
        "dialect": stored_dialect(metadata.dialect, version),
        "header_lines": metadata.header_lines,
        "header_bytes": metadata.header_bytes,
        "compression": metadata.compression,
        **({} if metadata.mended is None else {"mended": True, "bytes": metadata.mended}),
    }
    text = json.dumps(fields, separators=(",", ":"))
    if len(text) > METADATA_BYTES:
        msg = f"metadata of {len(text)} bytes, more than {METADATA_BYTES}: {text[:80]}..."
        raise ValueError(msg)
    return text


def check_room(file_name: str, dialect: Dialect, compression: Compression | None) -> None:
    """Raise UsageError where the metadata of a chunk, with the largest numbers in it, would not fit."""
    worst = ChunkMetadata(
        file_name=file_name,
        run_id="0" * 32,
        generation=MAX_TOTAL,
        number=MAX_TOTAL,
        total=MAX_TOTAL,
        range=ByteRange(LARGEST, LARGEST),
        rows=LARGEST,
        dialect=replace(dialect, line_end="mixed"),
        header_lines=MAX_HEADER_BYTES,
        header_bytes=MAX_HEADER_BYTES,
        compression=compression,
        mended=LARGEST,
    )
    try:
        encode_metadata(worst)
    except ValueError as exc:
        raise UsageError(
            f"the name {file_name} and the dialect take more than the {METADATA_BYTES:,} bytes of a chunk's metadata",
            hint="use a shorter --client, or fewer and shorter --null texts",
        ) from exc


def decode_metadata(text: str, name: str = "a chunk", *, size: int | None = None) -> ChunkMetadata:
    """The inverse of ``encode_metadata``; an error calls the object ``name``. Raises StoreError for all else.

    ``size``: the object's, where it is known: one that is not compressed has no longer header.
    """
    try:
        fields = as_object(decode_json(text.encode()))
        version = check_version(fields)
        total = take(fields, "total", int, least=1, most=MAX_TOTAL)
        start = take(fields, "start", int)
        compression = take_compression(fields)
        header_bytes = take(fields, "header_bytes", int, most=MAX_HEADER_BYTES)
        if size is not None and compression is None and header_bytes > size:
            raise bad_field("header_bytes", f"is {header_bytes}, but the object has {size} bytes")
        return ChunkMetadata(
            file_name=take_file_name(fields, None),
            run_id=take_code(fields, "run_id"),
            generation=take(fields, "generation", int, least=1),
            number=take(fields, "number", int, least=1, most=total),
            total=total,
            range=ByteRange(start, take(fields, "end", int, least=start)),
            rows=take_or_none(fields, "rows", int),
            dialect=dialect_of(take(fields, "dialect", dict), version),
            header_lines=take(fields, "header_lines", int, most=MAX_HEADER_BYTES),
            header_bytes=header_bytes,
            compression=compression,
            mended=_mended(fields, header_bytes) if version == SECOND_VERSION else None,
        )
    except DAMAGE as exc:
        raise damaged(name, "metadata", exc) from exc


def _mended(fields: dict[str, Any], header_bytes: int) -> int | None:
    """The bytes of a mended chunk; None where it is none."""
    if "mended" not in fields or not take(fields, "mended", bool):
        return None
    return take(fields, "bytes", int, least=header_bytes)
