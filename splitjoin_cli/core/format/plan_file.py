"""The plan of a split while it is under way: what a resume needs instead of a scan.

A document of ``documents``, its runs of chunks last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from splitjoin_cli.core.format.chunk_table import UNKNOWN_ROWS, ChunkTable
from splitjoin_cli.core.format.document import BytesDocument
from splitjoin_cli.core.format.documents import DAMAGE, damaged, decode_document, encode_document
from splitjoin_cli.core.format.fields import (
    LARGEST,
    FieldError,
    as_object,
    bad_field,
    take,
    take_code,
    take_or_none,
    take_text,
)
from splitjoin_cli.core.format.plan_lines import plan_lines
from splitjoin_cli.core.format.removal import Removal, removed
from splitjoin_cli.core.format.shared_fields import (
    form_fields,
    identity_fields,
    or_null,
    source_fields,
    take_body_start,
    take_common,
    version_of,
)
from splitjoin_cli.core.names import MAX_TOTAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from splitjoin_cli.core.format.document import Document
    from splitjoin_cli.core.format.left_out import LeftOut
    from splitjoin_cli.core.format.shared_fields import SourceIdentity
    from splitjoin_cli.core.model import Compression, Dialect

__all__ = ["PlanFile"]

_HEX_64 = re.compile(r"[0-9a-f]{16}")


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
            **identity_fields(self, version := version_of(self)),
            "source": {**source_fields(self.source), "validator": self.validator},
            "options_digest": self.options_digest,
            **form_fields(self, version),
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
                **take_common(head, file_name),
                validator=_validator(take(head, "source", dict)),
                options_digest=take_code(head, "options_digest"),
                header_checksum=int(take_code(head, "header_checksum", _HEX_64), 16),
                chunks=_plan_chunks(take_body_start(head), items()),
            )
            if (len(plan.chunks), plan.chunks.end) != (total, end):
                found = f"it has {len(plan.chunks)} chunks up to {plan.chunks.end}"
                raise FieldError(f"{found}, but total_parts is {total} and end is {end}")
            if plan.chunks.total_rows != rows:
                raise bad_field(
                    "rows", f"is {or_null(rows)}, but its chunks sum up to {or_null(plan.chunks.total_rows)}"
                )
        except DAMAGE as exc:
            raise damaged(name, "plan", exc) from exc
        return plan


def _validator(source: Mapping[str, Any]) -> str | None:
    if "validator" in source and source["validator"] is None:
        return None
    return take_text(source, "validator", within="source.")


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
