"""The id of a run, and the digest of the options that shape a plan: what makes two splits the same one."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import Skip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.format.chunk_table import ChunkTable
    from splitjoin_cli.core.model import Compression, Dialect

__all__ = ["digest_options", "later_options", "run_id"]

NOTHING = Skip()
FIRST_VERSION = 1
"""A constant of the hash, which does not follow the documents' version: the same split stays the same run."""


def later_options(dialect: Dialect, skip: Skip = NOTHING) -> dict[str, object]:
    """The options that releases after 0.2 know, by name: only those that are not at their default.

    A run id and a digest made without any of them are those of the releases before.
    """
    given: dict[str, object] = {
        "null": None if dialect.nulls is None else list(dialect.nulls),
        "c_escapes": dialect.c_escapes or None,
        "escape_in": None if dialect.escape_in == "any" else dialect.escape_in,
        "line_end": None if dialect.line_end_rule == "auto" else dialect.line_end_rule,
        "on_stray_quote": dialect.stray_quote if dialect.stray_quote == "mysql" else None,
        "skip_initial_space": dialect.skip_initial_space or None,
        "skip_blank_lines": dialect.skip_blank_lines or None,
        "skip_repeated_headers": dialect.skip_repeated_headers or None,
        "skip_lines": skip.lines or None,
        "skip_trailer": skip.trailer or None,
        "skip_ruler": skip.ruler or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def run_id(
    *,
    file_name: str,
    fingerprint: str,
    dialect: Dialect,
    encoding: str | None,
    compression: Compression | None,
    chunks: ChunkTable,
    run_label: str | None,
    skip: Skip = NOTHING,
) -> str:
    """The id of a run: 32 hex digits, the same for the same content split the same way under the same name.

    SHA-256 over a JSON list in ASCII, which holds no NUL, a NUL, and the boundaries: no two inputs have the same form.
    ``dialect.line_end`` is left out, as it follows from the content and is not always known. Options that were not
    there from the beginning (``later_options``) come last, as an object, and only where there is one.
    """
    fields: list[object] = [
        *("splitjoin run", FIRST_VERSION, file_name, fingerprint),
        *(dialect.delimiter, dialect.quotechar, dialect.escapechar, dialect.header, dialect.encoding),
        *(encoding, compression, run_label),
    ]
    if later := later_options(dialect, skip):
        fields.append(dict(sorted(later.items())))
    digest = hashlib.sha256(json.dumps(fields).encode("ascii"))
    digest.update(b"\0")
    digest.update(chunks.boundaries())
    return digest.hexdigest()[:32]


def digest_options(options: Mapping[str, object]) -> str:
    """The options that shape a plan, as 32 hex digits; their order is of no matter."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode("ascii")).hexdigest()[:32]
