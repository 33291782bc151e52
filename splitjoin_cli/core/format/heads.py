"""The head of a manifest or plan, read without its chunks: whose it is, and of which content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.format.documents import DAMAGE, MAX_HEAD_BYTES, damaged, decode_head, take_compression
from splitjoin_cli.core.format.fields import take, take_code, take_or_none, take_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.model import Compression

__all__ = ["FIRST_BYTES", "MAX_HEAD_BYTES", "Head", "read_head"]

FIRST_BYTES = 16 * 1024
"""What holds the head of nearly every document."""


@dataclass(frozen=True, slots=True)
class Head:
    """``options_digest``: None in a manifest, which has none. ``rows``: None where they were not counted.

    ``size_bytes``: of all chunks before compression, each with its header.
    """

    run_id: str
    generation: int
    fingerprint: str
    total_parts: int
    options_digest: str | None
    rows: int | None
    size_bytes: int
    compression: Compression | None


def read_head(data: bytes, name: str, *, kind: str) -> Head:
    """The head of a document of any version that begins with ``data``; ``name`` and ``kind`` are for the error.

    Raises StoreError where it cannot be read.
    """
    try:
        fields = decode_head(data)
        return Head(
            take_code(fields, "run_id"),
            take(fields, "generation", int, least=1),
            take_text(take(fields, "source", dict), "fingerprint", within="source."),
            take(fields, "total_parts", int, least=1),
            take_code(fields, "options_digest") if kind == "plan" else None,
            take_or_none(fields, "rows", int),
            _size(fields) if kind == "plan" else take(fields, "bytes", int),
            take_compression(fields),
        )
    except DAMAGE as exc:
        raise damaged(name, kind, exc) from exc


def _size(fields: Mapping[str, Any]) -> int:
    """What the chunks of a plan have in all."""
    header, total = take(fields, "header_bytes", int), take(fields, "total_parts", int, least=1)
    return take(fields, "end", int, least=header) - header + header * total
