"""The head of a manifest or plan, read without its chunks: whose it is, and of which content."""

from __future__ import annotations

from dataclasses import dataclass

from splitjoin_cli.core.format.documents import DAMAGE, MAX_HEAD_BYTES, damaged, decode_head
from splitjoin_cli.core.format.fields import take, take_code, take_text

__all__ = ["FIRST_BYTES", "MAX_HEAD_BYTES", "Head", "read_head"]

FIRST_BYTES = 16 * 1024
"""What holds the head of nearly every document."""


@dataclass(frozen=True, slots=True)
class Head:
    """``options_digest``: None in a manifest, which has none."""

    run_id: str
    generation: int
    fingerprint: str
    total_parts: int
    options_digest: str | None


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
        )
    except DAMAGE as exc:
        raise damaged(name, kind, exc) from exc
