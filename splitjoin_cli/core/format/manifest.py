"""What describes a split as a whole: its manifest.

It is a document of ``documents``, the chunks last; the standard library reads it: the worker does, too.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.chunk_table import UNKNOWN_ROWS, ChunkTable
from splitjoin_cli.core.format.document import BytesDocument
from splitjoin_cli.core.format.documents import (
    DAMAGE,
    SECOND_VERSION,
    checksum_of,
    checksum_text,
    damaged,
    decode_document,
    encode_blocks,
    encode_document,
    quoted,
)
from splitjoin_cli.core.format.fields import (
    FieldError,
    as_object,
    bad_field,
    take,
    take_or_none,
)
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.format.manifest_lines import lines_of_chunks, manifest_lines
from splitjoin_cli.core.format.shared_fields import (
    form_fields,
    identity_fields,
    or_null,
    source_fields,
    take_body_start,
    take_common,
    version_of,
)
from splitjoin_cli.core.names import MAX_TOTAL, SUFFIX_OF, around_number, chunk_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from splitjoin_cli.core.format.document import Document
    from splitjoin_cli.core.format.documents import Items
    from splitjoin_cli.core.format.left_out import LeftOut
    from splitjoin_cli.core.format.shared_fields import SourceIdentity
    from splitjoin_cli.core.model import Compression, Dialect

__all__ = ["CoverageError", "Manifest"]

_MENDED_MARK = ', "mended": true'


class CoverageError(StoreError):
    """A manifest's chunks do not follow one another from the header to the end."""


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
            **identity_fields(self, version := version_of(self, mended=bool(self.mended))),
            "source": source_fields(self.source),
            **form_fields(self, version),
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
            **take_common(head, file_name),
            chunks=ChunkTable(take_body_start(head)),
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
                raise bad_field(key, f"is {or_null(said)}, but its chunks sum up to {or_null(value)}")


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
