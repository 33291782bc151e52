"""What describes a split: its manifest, its plan while it is under way, the metadata of each chunk, its run's id.

Manifest and plan are JSON with the long list last and one line for each of its items, so that a million chunks are
written and read line by line, ``grep`` finds one, and the same split is the same bytes. Standard library only: the
worker reads these too.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from splitjoin_cli.chunk_table import UNKNOWN_CHECKSUM, UNKNOWN_ROWS, ChunkTable
from splitjoin_cli.errors import StoreError
from splitjoin_cli.model import ByteRange, ChunkMetadata, Compression, Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "METADATA_BYTES",
    "CoverageError",
    "Manifest",
    "PlanFile",
    "SourceIdentity",
    "decode_metadata",
    "dialect_fields",
    "digest_options",
    "encode_metadata",
    "run_id",
]

VERSION = 1
METADATA_BYTES = 2000  # S3 allows 2 KB for keys and values together; the key is ``splitjoin``
_CHECKSUM_TAG = "crc64nvme:"
_SUFFIXES: dict[str | None, str] = {None: ".csv", "gzip": ".csv.gz", "zstd": ".csv.zst"}
_LIST_KEY = b',\n"chunks": [\n'  # a line break is no part of any JSON string, so this stands nowhere else
_LIST_END = b"]}\n"
_PLAN_RUN = 1000  # chunks on one line of a plan

T = TypeVar("T")


class CoverageError(StoreError):
    """A manifest's chunks do not follow one another from the header to the end."""


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What was split. ``uri`` holds no user, password or query; ``stored_bytes`` is ``None`` where nobody says."""

    uri: str
    stored_bytes: int | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole split. ``chunks.checksums`` are of the objects as stored, and ``stored_bytes`` has their sizes.

    ``header_bytes`` is where chunk 1 starts in the source; ``header_lines`` are the header's physical lines.
    """

    file_name: str
    run_id: str
    generation: int
    source: SourceIdentity
    dialect: Dialect
    compression: Compression | None
    header_lines: int
    chunks: ChunkTable
    stored_bytes: array[int]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.stored_bytes) != len(self.chunks):
            msg = f"{len(self.stored_bytes)} stored sizes for {len(self.chunks)} chunks"
            raise ValueError(msg)
        if self.compression not in _SUFFIXES:
            msg = f"chunks are not stored as {self.compression}"
            raise ValueError(msg)

    @property
    def header_bytes(self) -> int:
        """The header's size, byte order mark and line end included."""
        return self.chunks.start

    @property
    def total_parts(self) -> int:
        """How many chunks."""
        return len(self.chunks)

    @property
    def rows(self) -> int | None:
        """Records in all, the header not counted; ``None`` where they were not counted."""
        return self.chunks.total_rows

    @property
    def total_bytes(self) -> int:
        """The chunks' bytes before compression, each with its header."""
        return self.chunks.end - self.chunks.start + self.header_bytes * len(self.chunks)

    def name(self, number: int) -> str:
        """The object's name of a chunk."""
        total = len(self.chunks)
        return f"{self.file_name}-{number:0{len(str(total))}d}-{total}{_SUFFIXES[self.compression]}"

    def blocks(self) -> Iterator[bytes]:
        """The manifest's file in pieces of some kilobytes, so that it can be written without being held."""
        head = {
            "version": VERSION,
            "file_name": self.file_name,
            "run_id": self.run_id,
            "generation": self.generation,
            "source": {
                "uri": self.source.uri,
                "bytes": self.source.stored_bytes,
                "fingerprint": self.source.fingerprint,
            },
            "dialect": dialect_fields(self.dialect),
            "compression": self.compression,
            "header_bytes": self.header_bytes,
            "header_lines": self.header_lines,
            "total_parts": self.total_parts,
            "rows": self.rows,
            "bytes": self.total_bytes,
            "warnings": list(self.warnings),
        }
        return _encode_document(head, (self._line(number) for number in range(1, self.total_parts + 1)))

    def _line(self, number: int) -> str:
        index = number - 1
        start, end, rows = self.chunks.starts[index], self.chunks.starts[number], self.chunks.rows[index]
        checksum = _checksum_text(self.chunks.checksums[index])
        return (
            f'{{"number": {number}, "name": {_text(self.name(number))}, "start": {start}, "end": {end}, '
            f'"bytes": {self.header_bytes + end - start}, "stored_bytes": {self.stored_bytes[index]}, '
            f'"rows": {"null" if rows == UNKNOWN_ROWS else rows}, '
            f'"checksum": {"null" if checksum is None else _text(checksum)}}}'
        )

    def to_bytes(self) -> bytes:
        """The manifest's file: the same bytes for the same split, on any machine."""
        return b"".join(self.blocks())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the manifest") -> Manifest:
        """Read a manifest; ``name`` is what an error calls it.

        Raises CoverageError where the chunks' ranges leave a gap or overlap, StoreError where it is no manifest.
        """
        try:
            head, items = _decode_document(data)
            return cls._decode(head, items)
        except CoverageError as exc:
            raise CoverageError(f"{name}: {exc.message}") from exc
        except _DAMAGE as exc:
            raise _damaged(name, "manifest", exc) from exc

    @classmethod
    def _decode(cls, head: dict[str, Any], items: Iterable[object]) -> Manifest:
        source = _take(head, "source", dict)
        table, stored_bytes = ChunkTable(_take(head, "header_bytes", int)), array("q")
        manifest = cls(
            file_name=_take(head, "file_name", str),
            run_id=_take(head, "run_id", str),
            generation=_take(head, "generation", int),
            source=SourceIdentity(
                _take(source, "uri", str), _take_or_none(source, "bytes", int), _take(source, "fingerprint", str)
            ),
            dialect=_dialect(_take(head, "dialect", dict)),
            compression=cast("Compression | None", _take_or_none(head, "compression", str)),
            header_lines=_take(head, "header_lines", int),
            chunks=table,
            stored_bytes=stored_bytes,
            warnings=_texts(head, "warnings"),
        )
        for item in items:
            _append_chunk(table, stored_bytes, item)
        manifest._check_totals(head)
        return manifest

    def _check_totals(self, head: dict[str, Any]) -> None:
        found = {"total_parts": self.total_parts, "rows": self.rows, "bytes": self.total_bytes}
        for key, value in found.items():
            said = _take_or_none(head, key, int)
            if said != value:
                msg = f"{key} is {said}, but its chunks sum up to {value}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What stands while a split is under way: enough to resume it without a scan while the source is the same.

    ``validator``: as in SourceProperties. ``options_digest``: of all options that shape the plan (``digest_options``).
    ``chunks.checksums`` are of the uncompressed bytes, header included. ``header_checksum``: CRC-64/NVME of the header.
    """

    file_name: str
    run_id: str
    generation: int
    source: SourceIdentity
    validator: str | None
    options_digest: str
    dialect: Dialect
    compression: Compression | None
    header_lines: int
    header_checksum: int
    chunks: ChunkTable
    warnings: tuple[str, ...] = field(default=())

    @property
    def header_bytes(self) -> int:
        """The header's size, byte order mark and line end included."""
        return self.chunks.start

    def blocks(self) -> Iterator[bytes]:
        """The plan's file in pieces."""
        head = {
            "version": VERSION,
            "file_name": self.file_name,
            "run_id": self.run_id,
            "generation": self.generation,
            "source": {
                "uri": self.source.uri,
                "bytes": self.source.stored_bytes,
                "fingerprint": self.source.fingerprint,
                "validator": self.validator,
            },
            "options_digest": self.options_digest,
            "dialect": dialect_fields(self.dialect),
            "compression": self.compression,
            "header_bytes": self.header_bytes,
            "header_lines": self.header_lines,
            "header_checksum": f"{self.header_checksum:016x}",
            "total_parts": len(self.chunks),
            "rows": self.chunks.total_rows,
            "end": self.chunks.end,
            "warnings": list(self.warnings),
        }
        return _encode_document(head, (self._line(first) for first in range(0, len(self.chunks), _PLAN_RUN)))

    def _line(self, first: int) -> str:
        """A run of chunks: where each ends, its records (-1: not counted), its checksum (all zeros: not known)."""
        run = slice(first, first + _PLAN_RUN)
        columns = {
            "first": first + 1,
            "ends": self.chunks.starts[first + 1 : first + 1 + _PLAN_RUN].tolist(),
            "rows": self.chunks.rows[run].tolist(),
            "checksums": [f"{checksum:016x}" for checksum in self.chunks.checksums[run]],
        }
        return json.dumps(columns)

    def to_bytes(self) -> bytes:
        """The plan's file, deterministic."""
        return b"".join(self.blocks())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the plan") -> PlanFile:
        """Read a plan; ``name`` is what an error calls it. Raises StoreError where it is no plan of ours."""
        try:
            head, items = _decode_document(data)
            source = _take(head, "source", dict)
            plan = cls(
                file_name=_take(head, "file_name", str),
                run_id=_take(head, "run_id", str),
                generation=_take(head, "generation", int),
                source=SourceIdentity(
                    _take(source, "uri", str), _take_or_none(source, "bytes", int), _take(source, "fingerprint", str)
                ),
                validator=_take_or_none(source, "validator", str),
                options_digest=_take(head, "options_digest", str),
                dialect=_dialect(_take(head, "dialect", dict)),
                compression=cast("Compression | None", _take_or_none(head, "compression", str)),
                header_lines=_take(head, "header_lines", int),
                header_checksum=int(_take(head, "header_checksum", str), 16),
                chunks=_plan_chunks(_take(head, "header_bytes", int), items),
                warnings=_texts(head, "warnings"),
            )
            if len(plan.chunks) != _take(head, "total_parts", int) or plan.chunks.end != _take(head, "end", int):
                msg = f"it has {len(plan.chunks)} chunks up to {plan.chunks.end}, not the number and end it states"
                raise ValueError(msg)
        except _DAMAGE as exc:
            raise _damaged(name, "plan", exc) from exc
        return plan


def run_id(
    *,
    file_name: str,
    fingerprint: str,
    dialect: Dialect,
    encoding: str | None,
    compression: Compression | None,
    chunks: ChunkTable,
    run_label: str | None,
) -> str:
    """The id of a run: 32 hex digits, the same for the same content split the same way under the same name.

    SHA-256 over a JSON list in ASCII, which holds no NUL, a NUL, and the boundaries: no two inputs have the same form.
    ``dialect.line_end`` is left out, as it follows from the content and is not always known.
    """
    fields = [
        *("splitjoin run", VERSION, file_name, fingerprint),
        *(dialect.delimiter, dialect.quotechar, dialect.escapechar, dialect.header, dialect.encoding),
        *(encoding, compression, run_label),
    ]
    digest = hashlib.sha256(json.dumps(fields).encode("ascii"))
    digest.update(b"\0")
    digest.update(chunks.boundaries())
    return digest.hexdigest()[:32]


def digest_options(options: Mapping[str, str | int | None]) -> str:
    """The options that shape a plan, as 32 hex digits; their order is of no matter."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode("ascii")).hexdigest()[:32]


def dialect_fields(dialect: Dialect) -> dict[str, str | bool | None]:
    """A dialect as results and manifests write it."""
    return {
        "delimiter": dialect.delimiter,
        "quotechar": dialect.quotechar,
        "escapechar": dialect.escapechar,
        "header": dialect.header,
        "line_end": dialect.line_end,
        "encoding": dialect.encoding,
    }


def encode_metadata(metadata: ChunkMetadata) -> str:
    r"""A chunk's metadata as one ASCII text of at most METADATA_BYTES, for the ``splitjoin`` key.

    A file name of 200 bytes takes at most 1,200 as ``\u`` escapes, and all else under 500. Raises ValueError above.
    """
    fields = {
        "version": VERSION,
        "file_name": metadata.file_name,
        "run_id": metadata.run_id,
        "generation": metadata.generation,
        "number": metadata.number,
        "total": metadata.total,
        "start": metadata.range.start,
        "end": metadata.range.end,
        "rows": metadata.rows,
        "dialect": dialect_fields(metadata.dialect),
        "header_lines": metadata.header_lines,
        "header_bytes": metadata.header_bytes,
        "compression": metadata.compression,
    }
    text = json.dumps(fields, separators=(",", ":"))
    if len(text) > METADATA_BYTES:
        msg = f"metadata of {len(text)} bytes, more than {METADATA_BYTES}: {text[:80]}..."
        raise ValueError(msg)
    return text


def decode_metadata(text: str, name: str = "a chunk") -> ChunkMetadata:
    """The inverse of ``encode_metadata``; an error calls the object ``name``. Raises StoreError for all else."""
    try:
        fields = _object(json.loads(text))
        _check_version(fields)
        return ChunkMetadata(
            file_name=_take(fields, "file_name", str),
            run_id=_take(fields, "run_id", str),
            generation=_take(fields, "generation", int),
            number=_take(fields, "number", int),
            total=_take(fields, "total", int),
            range=ByteRange(_take(fields, "start", int), _take(fields, "end", int)),
            rows=_take_or_none(fields, "rows", int),
            dialect=_dialect(_take(fields, "dialect", dict)),
            header_lines=_take(fields, "header_lines", int),
            header_bytes=_take(fields, "header_bytes", int),
            compression=cast("Compression | None", _take_or_none(fields, "compression", str)),
        )
    except _DAMAGE as exc:
        raise _damaged(name, "metadata", exc) from exc


# What a damaged file raises on the way to our values: no JSON or UTF-8, numbers beyond 64 bits, deep nesting.
_DAMAGE = (ValueError, TypeError, OverflowError, RecursionError)


def _damaged(name: str, kind: str, exc: BaseException) -> StoreError:
    return StoreError(f"{name} holds no {kind} that splitjoin can read: {exc}")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _checksum_text(checksum: int) -> str | None:
    if checksum == UNKNOWN_CHECKSUM:
        return None
    return _CHECKSUM_TAG + base64.b64encode(checksum.to_bytes(8, "big")).decode("ascii")


def _checksum(text: str | None) -> int | None:
    if text is None:
        return None
    raw = base64.b64decode(text.removeprefix(_CHECKSUM_TAG), validate=True)
    if not text.startswith(_CHECKSUM_TAG) or len(raw) != 8:  # noqa: PLR2004 -- 64 bits
        msg = f"expected a checksum like {_CHECKSUM_TAG}BASE64, found {text!r}"
        raise ValueError(msg)
    return int.from_bytes(raw, "big")


def _encode_document(head: Mapping[str, object], items: Iterable[str]) -> Iterator[bytes]:
    """``head`` with ``chunks`` as its last key, an item to a line.

    A path whose name is no UTF-8 holds lone surrogates; what backslashreplace makes of them is their JSON escape.
    """
    lines = [f"{_text(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    yield ("{" + ",\n".join(lines)).encode("utf-8", "backslashreplace") + _LIST_KEY
    batch: list[str] = []
    separator = ""
    for item in items:
        batch.append(separator + item)
        separator = ",\n"
        if len(batch) == _PLAN_RUN:
            yield "".join(batch).encode("utf-8", "backslashreplace")
            batch.clear()
    yield "".join(batch).encode("utf-8", "backslashreplace") + b"\n" + _LIST_END


def _decode_document(data: bytes) -> tuple[dict[str, Any], Iterator[object]]:
    """The head, and the items one by one. A file that another tool laid out anew is read whole."""
    place = data.find(_LIST_KEY)
    if place < 0 or not data.endswith(_LIST_END):
        head = _object(json.loads(data))
        items: Iterator[object] = iter(_take(head, "chunks", list))
    else:
        head = _object(json.loads(data[:place] + b"}"))
        items = _decode_lines(data, place + len(_LIST_KEY))
    _check_version(head)
    return head, items


def _decode_lines(data: bytes, place: int) -> Iterator[object]:
    lines = io.BytesIO(data)  # shares the bytes
    lines.seek(place)
    for line in lines:
        item = line.rstrip(b",\n")
        if item and line != _LIST_END:
            yield json.loads(item)


def _check_version(fields: Mapping[str, Any]) -> None:
    version = _take(fields, "version", int)
    if version != VERSION:
        msg = f"expected version {VERSION}, found {version}; another release of splitjoin wrote it"
        raise ValueError(msg)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"expected a JSON object, found {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 -- damage of a file, not of a call
    return value


def _take(fields: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = fields.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        msg = f"expected {key} to be {kind.__name__}, found {json.dumps(value)[:60]}"
        raise ValueError(msg)
    if isinstance(value, int) and value < 0:
        msg = f"expected {key} not to be negative, found {value}"
        raise ValueError(msg)
    return value


def _take_or_none(fields: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    if key in fields and fields[key] is None:
        return None
    return _take(fields, key, kind)


def _texts(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(text) for text in _take(fields, key, list))


def _dialect(fields: dict[str, Any]) -> Dialect:
    line_end = _take_or_none(fields, "line_end", str)
    if line_end not in ("\n", "\r\n", "mixed", None):
        msg = f"expected line_end to be a line end or mixed, found {line_end!r}"
        raise ValueError(msg)
    return Dialect(
        delimiter=_take(fields, "delimiter", str),
        quotechar=_take_or_none(fields, "quotechar", str),
        escapechar=_take_or_none(fields, "escapechar", str),
        header=_take(fields, "header", bool),
        line_end=cast("Any", line_end),
        encoding=_take(fields, "encoding", str),
    )


def _append_chunk(table: ChunkTable, stored_bytes: array[int], item: object) -> None:
    fields = _object(item)
    number, start, end = (_take(fields, key, int) for key in ("number", "start", "end"))
    if number != len(table) + 1:
        msg = f"expected chunk {len(table) + 1}, found chunk {number}"
        raise ValueError(msg)
    if start != table.end or end < start:
        msg = f"chunk {number} covers bytes {start} to {end}, but the one before it ends at {table.end}"
        raise CoverageError(msg)
    table.append(end, _take_or_none(fields, "rows", int), _checksum(_take_or_none(fields, "checksum", str)))
    stored_bytes.append(_take(fields, "stored_bytes", int))


def _plan_chunks(start: int, items: Iterable[object]) -> ChunkTable:
    table = ChunkTable(start)
    for item in items:
        fields = _object(item)
        ends, rows, checksums = (_take(fields, key, list) for key in ("ends", "rows", "checksums"))
        for end, count, checksum in zip(ends, rows, checksums, strict=True):
            table.append(end, count, int(checksum, 16))
    return table
