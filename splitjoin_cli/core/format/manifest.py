"""What describes a split as a whole: its manifest, and its plan while it is under way.

Both are documents of ``documents``, the long list last; the standard library reads them: the worker does, too.
"""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.chunk_table import UNKNOWN_ROWS, ChunkTable
from splitjoin_cli.core.format.dialects import dialect_of, stored_dialect
from splitjoin_cli.core.format.document import BytesDocument
from splitjoin_cli.core.format.documents import (
    DAMAGE,
    SECOND_VERSION,
    VERSION,
    checksum_of,
    checksum_text,
    damaged,
    decode_document,
    encode_blocks,
    encode_document,
    quoted,
    take_compression,
    take_file_name,
)
from splitjoin_cli.core.format.fields import (
    LARGEST,
    MAX_HEADER_BYTES,
    FieldError,
    as_object,
    bad_field,
    take,
    take_code,
    take_or_none,
    take_text,
    take_texts,
)
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.format.manifest_lines import lines_of_chunks, manifest_lines
from splitjoin_cli.core.format.plan_lines import plan_lines
from splitjoin_cli.core.format.removal import Removal, removed
from splitjoin_cli.core.names import MAX_TOTAL, SUFFIX_OF, around_number, chunk_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from splitjoin_cli.core.format.document import Document
    from splitjoin_cli.core.format.documents import Items
    from splitjoin_cli.core.model import Compression, Dialect

__all__ = [
    "CoverageError",
    "Manifest",
    "PlanFile",
    "SourceIdentity",
]

_MENDED_MARK = ', "mended": true'
_HEX_64 = re.compile(r"[0-9a-f]{16}")


class CoverageError(StoreError):
    """A manifest's chunks do not follow one another from the header to the end."""


class SourceIdentity(NamedTuple):
    """What was split. ``uri`` holds no user, password or query; ``stored_bytes`` is ``None`` where nobody says."""

    uri: str
    stored_bytes: int | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole split. ``chunks.checksums`` are of the objects as stored, and ``stored_bytes`` has their sizes.

    ``header_start`` is where the header begins in the source, behind the lines that were left out; ``header_lines``
    are its physical lines. ``ruler_bytes``: of the line under it that was left out.
    ``left_out``: what is in no chunk, or no record; None where nothing was to be left out.
    ``mended``: the chunks that ``replace`` stored, each with its bytes before compression, header included: their rows
    and checksums are the mended chunk's, their ranges those of the source still.
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
    mended: Mapping[int, int] = field(default_factory=dict)
    header_start: int = 0
    ruler_bytes: int = 0
    left_out: LeftOut | None = None

    def __post_init__(self) -> None:
        if len(self.stored_bytes) != len(self.chunks):
            msg = f"{len(self.stored_bytes)} stored sizes for {len(self.chunks)} chunks"
            raise ValueError(msg)
        if self.compression not in SUFFIX_OF:
            msg = f"chunks are not stored as {self.compression}"
            raise ValueError(msg)

    @property
    def header_bytes(self) -> int:
        """The header's size, byte order mark and line end included."""
        return self.chunks.start - self.header_start - self.ruler_bytes

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
        planned = self.chunks.end - self.chunks.start + self.header_bytes * len(self.chunks)
        return planned + sum(size - self._planned_bytes(number) for number, size in self.mended.items())

    def _planned_bytes(self, number: int) -> int:
        return self.header_bytes + self.chunks[number].range.size

    def chunk_bytes(self, number: int) -> int:
        """A chunk's bytes before compression, header included."""
        mended = self.mended.get(number)
        return self._planned_bytes(number) if mended is None else mended

    def with_mended(self, number: int, *, rows: int, size: int, stored: int, checksum: int) -> Manifest:
        """The manifest after chunk ``number`` was replaced: ``size`` bytes before compression, ``stored`` as stored."""
        table = ChunkTable(self.chunks.start)
        table.starts, table.rows, table.checksums = self.chunks.starts, self.chunks.rows[:], self.chunks.checksums[:]
        table.rows[number - 1], table.checksums[number - 1] = rows, checksum
        sizes = self.stored_bytes[:]
        sizes[number - 1] = stored
        return replace(self, chunks=table, stored_bytes=sizes, mended={**self.mended, number: size})

    def name(self, number: int) -> str:
        """The object's name of a chunk."""
        return chunk_names(self.file_name, len(self.chunks), self.compression)(number)

    def blocks(self) -> Iterator[bytes]:
        """The manifest's file in pieces of some kilobytes, so that it can be written without being held."""
        head = {
            **_identity(self, version := _version(self)),
            "source": _source(self.source),
            **_form(self, version),
            "total_parts": self.total_parts,
            "rows": self.rows,
            "bytes": self.total_bytes,
            "warnings": list(self.warnings),
        }
        around = around_number(self.file_name, self.total_parts, self.compression)
        blocks = None if self.mended else lines_of_chunks(around, self.chunks, self.stored_bytes, self.header_bytes)
        if blocks is not None:
            return encode_blocks(head, blocks)
        return encode_document(head, (self._line(number) for number in range(1, self.total_parts + 1)))

    def _line(self, number: int) -> str:
        index = number - 1
        start, end, rows = self.chunks.starts[index], self.chunks.starts[number], self.chunks.rows[index]
        checksum = checksum_text(self.chunks.checksums[index])
        return (
            f'{{"number": {number}, "name": {quoted(self.name(number))}, "start": {start}, "end": {end}, '
            f'"bytes": {self.mended.get(number, self.header_bytes + end - start)}, '
            f'"stored_bytes": {self.stored_bytes[index]}, "rows": {"null" if rows == UNKNOWN_ROWS else rows}, '
            f'"checksum": {"null" if checksum is None else quoted(checksum)}'
            f"{_MENDED_MARK if number in self.mended else ''}}}"
        )

    def to_bytes(self) -> bytes:
        """The manifest's file: the same bytes for the same split, on any machine."""
        return b"".join(self.blocks())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the manifest", *, file_name: str | None = None) -> Manifest:
        """``read`` of a manifest in memory."""
        return cls.read(BytesDocument(data), name, file_name=file_name)

    @classmethod
    def read(cls, document: Document, name: str = "the manifest", *, file_name: str | None = None) -> Manifest:
        """Read a manifest; ``name`` is what an error calls it, ``file_name`` the job that it must be of, if known.

        Raises CoverageError where the chunks' ranges leave a gap or overlap, StoreError where it is no manifest.
        """
        try:
            head, items = decode_document(document)
            return cls._decode(head, items, file_name)
        except CoverageError as exc:
            raise CoverageError(f"{name}: {exc.message}") from exc
        except DAMAGE as exc:
            raise damaged(name, "manifest", exc) from exc

    @classmethod
    def _decode(cls, head: dict[str, Any], items: Items, file_name: str | None) -> Manifest:
        mended: dict[int, int] = {}
        total = take(head, "total_parts", int, least=1, most=MAX_TOTAL)
        manifest = cls(
            **_common(head, file_name),
            chunks=ChunkTable(_body_start(head)),
            stored_bytes=array("q"),
            mended=mended,
        )
        names = chunk_names(manifest.file_name, total, manifest.compression)
        second = head["version"] == SECOND_VERSION
        for item in items(manifest_lines(manifest, total)):
            number = len(manifest.chunks) + 1
            fields = as_object(item, f"chunk {number}")
            if second and "mended" in fields and take(fields, "mended", bool, within=f"chunk {number}: "):
                mended[number] = take(fields, "bytes", int, within=f"chunk {number}: ", least=manifest.header_bytes)
            _append_chunk(manifest, fields, names, mended=number in mended)
        manifest._check_totals(head)
        return manifest

    def _check_totals(self, head: dict[str, Any]) -> None:
        found = {"total_parts": self.total_parts, "rows": self.rows, "bytes": self.total_bytes}
        for key, value in found.items():
            said = take_or_none(head, key, int)
            if said != value:
                raise bad_field(key, f"is {_null(said)}, but its chunks sum up to {_null(value)}")


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What stands while a split is under way: enough to resume it without a scan while the source is the same.

    ``validator``: as in SourceProperties. ``options_digest``: of the options that shape the plan (runs.py).
    ``header_start``, ``ruler_bytes``, ``left_out``: as in Manifest.
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
    header_start: int = 0
    ruler_bytes: int = 0
    left_out: LeftOut | None = None

    @property
    def header_bytes(self) -> int:
        """The header's size, byte order mark and line end included."""
        return self.chunks.start - self.header_start - self.ruler_bytes

    def blocks(self) -> Iterator[bytes]:
        """The plan's file in pieces."""
        head = {
            **_identity(self, version := _version(self)),
            "source": {**_source(self.source), "validator": self.validator},
            "options_digest": self.options_digest,
            **_form(self, version),
            "header_checksum": f"{self.header_checksum:016x}",
            "total_parts": len(self.chunks),
            "rows": self.chunks.total_rows,
            "end": self.chunks.end,
            "warnings": list(self.warnings),
        }
        return encode_document(head, plan_lines(self.chunks))

    def to_bytes(self) -> bytes:
        """The plan's file, deterministic."""
        return b"".join(self.blocks())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the plan", *, file_name: str | None = None) -> PlanFile:
        """``read`` of a plan in memory."""
        return cls.read(BytesDocument(data), name, file_name=file_name)

    @classmethod
    def read(cls, document: Document, name: str = "the plan", *, file_name: str | None = None) -> PlanFile:
        """Read a plan; ``name`` and ``file_name`` as for a manifest. Raises StoreError where it is no plan of ours.

        The claim of ``rm`` that may be in a plan's place (core/format/removal.py) is none: the error says so.
        """
        if Removal.in_document(document) is not None:
            raise removed(name)
        try:
            head, items = decode_document(document)
            total = take(head, "total_parts", int, least=1, most=MAX_TOTAL)
            end, rows = take(head, "end", int), take_or_none(head, "rows", int)
            plan = cls(
                **_common(head, file_name),
                validator=_validator(take(head, "source", dict)),
                options_digest=take_code(head, "options_digest"),
                header_checksum=int(take_code(head, "header_checksum", _HEX_64), 16),
                chunks=_plan_chunks(_body_start(head), items()),
            )
            if (len(plan.chunks), plan.chunks.end) != (total, end):
                found = f"it has {len(plan.chunks)} chunks up to {plan.chunks.end}"
                raise FieldError(f"{found}, but total_parts is {total} and end is {end}")
            if plan.chunks.total_rows != rows:
                raise bad_field("rows", f"is {_null(rows)}, but its chunks sum up to {_null(plan.chunks.total_rows)}")
        except DAMAGE as exc:
            raise damaged(name, "plan", exc) from exc
        return plan


def _identity(split: Manifest | PlanFile, version: int) -> dict[str, object]:
    return {
        "version": version,
        "file_name": split.file_name,
        "run_id": split.run_id,
        "generation": split.generation,
    }


def _source(source: SourceIdentity) -> dict[str, object]:
    return {"uri": source.uri, "bytes": source.stored_bytes, "fingerprint": source.fingerprint}


def _version(split: Manifest | PlanFile) -> int:
    """2 where a reader of version 1 alone would get something wrong."""
    mended = isinstance(split, Manifest) and bool(split.mended)
    later = mended or split.left_out is not None or split.dialect.needs_second_version
    return SECOND_VERSION if later else VERSION


def _form(split: Manifest | PlanFile, version: int) -> dict[str, object]:
    return {
        "dialect": stored_dialect(split.dialect, version),
        "compression": split.compression,
        **({"header_start": split.header_start} if split.header_start else {}),
        "header_bytes": split.header_bytes,
        "header_lines": split.header_lines,
        **({"ruler_bytes": split.ruler_bytes} if split.ruler_bytes else {}),
        **({} if split.left_out is None else {"left_out": split.left_out.to_json()}),
    }


class _Common(TypedDict):
    """What a manifest and a plan both have, beside their chunks."""

    file_name: str
    run_id: str
    generation: int
    source: SourceIdentity
    dialect: Dialect
    compression: Compression | None
    header_lines: int
    header_start: int
    ruler_bytes: int
    left_out: LeftOut | None
    warnings: tuple[str, ...]


def _common(head: Mapping[str, Any], file_name: str | None) -> _Common:
    source = take(head, "source", dict)
    version = head["version"]
    return _Common(
        file_name=take_file_name(head, file_name),
        run_id=take_code(head, "run_id"),
        generation=take(head, "generation", int, least=1),
        source=SourceIdentity(
            take_text(source, "uri", within="source.", path=True),
            take_or_none(source, "bytes", int, within="source."),
            take_text(source, "fingerprint", within="source."),
        ),
        dialect=dialect_of(take(head, "dialect", dict), version),
        compression=take_compression(head),
        header_lines=take(head, "header_lines", int, most=MAX_HEADER_BYTES),
        header_start=_later_bytes(head, "header_start"),
        ruler_bytes=_later_bytes(head, "ruler_bytes"),
        left_out=LeftOut.of(head["left_out"])
        if version == SECOND_VERSION and head.get("left_out") is not None
        else None,
        warnings=take_texts(head, "warnings"),
    )


def _later_bytes(head: Mapping[str, Any], key: str) -> int:
    """A position or size that version 2 knows; 0 where it is not there."""
    if head["version"] != SECOND_VERSION or key not in head:
        return 0
    return take(head, key, int)


def _body_start(head: Mapping[str, Any]) -> int:
    left = _later_bytes(head, "header_start") + _later_bytes(head, "ruler_bytes")
    return left + take(head, "header_bytes", int, most=MAX_HEADER_BYTES)


def _validator(source: Mapping[str, Any]) -> str | None:
    if "validator" in source and source["validator"] is None:
        return None
    return take_text(source, "validator", within="source.")


def _null(value: int | None) -> int | str:
    return "null" if value is None else value


def _append_chunk(manifest: Manifest, fields: Mapping[str, Any], name: Callable[[int], str], *, mended: bool) -> None:
    table, header = manifest.chunks, manifest.header_bytes
    wanted, start = len(table) + 1, table.end
    if wanted > MAX_TOTAL:
        raise bad_field("chunks", f"expected at most {MAX_TOTAL:,}")
    if (number := take(fields, "number", int)) != wanted:
        raise bad_field("number", f"expected chunk {wanted}, found chunk {number}")
    try:
        begin, end = take(fields, "start", int), take(fields, "end", int)
        rows = take_or_none(fields, "rows", int)
        checksum = checksum_of(take_or_none(fields, "checksum", str))
        stored = take(fields, "stored_bytes", int)
        said, size = take(fields, "name", str), take(fields, "bytes", int)
    except FieldError as exc:
        raise FieldError(f"chunk {number}: {exc}") from exc
    if begin != start or end < begin:
        msg = f"chunk {number} covers bytes {begin} to {end}, but the one before it ends at {start}"
        raise CoverageError(msg)
    if said != name(number):
        raise bad_field(f"chunk {number}: name", f"expected {name(number)}, found {json.dumps(said[:80])}")
    if size != header + end - begin and not mended:
        raise bad_field(f"chunk {number}: bytes", f"is {size}, but header and range are {header + end - begin}")
    table.append(end, rows, checksum)
    manifest.stored_bytes.append(stored)


def _plan_chunks(start: int, items: Iterable[object]) -> ChunkTable:
    table = ChunkTable(start)
    for item in items:
        run = as_object(item, f"the run of chunk {len(table) + 1}")
        within = f"the run of chunk {len(table) + 1}: "
        if (first := take(run, "first", int, within=within)) != len(table) + 1:
            raise bad_field(f"{within}first", f"expected {len(table) + 1}, found {first}")
        ends, rows, checksums = (take(run, key, list, within=within) for key in ("ends", "rows", "checksums"))
        if not len(ends) == len(rows) == len(checksums) <= MAX_TOTAL - len(table):
            raise bad_field(f"{within}ends", f"{len(ends)} ends, {len(rows)} rows and {len(checksums)} checksums")
        for end, count, checksum in zip(ends, rows, checksums, strict=True):
            _append_planned(table, end, count, checksum)
    return table


def _append_planned(table: ChunkTable, end: object, rows: object, checksum: object) -> None:
    """One chunk of a plan's run; -1 rows are not counted."""
    where = f"chunk {len(table) + 1}: "
    if type(end) is not int or not table.end <= end <= LARGEST:
        take({"ends": end}, "ends", int, within=where, least=table.end)
    if type(rows) is not int or not UNKNOWN_ROWS <= rows <= LARGEST:
        take({"rows": rows}, "rows", int, within=where, least=UNKNOWN_ROWS)
    if not isinstance(checksum, str) or not _HEX_64.fullmatch(checksum):
        raise bad_field(f"{where}checksums", "expected 16 hexadecimal digits")
    table.append(cast("int", end), cast("int", rows), int(checksum, 16))
