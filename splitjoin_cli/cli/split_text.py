"""What a split's document says as text: a summary, the plan as a table, which chunks failed, how to resume."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from splitjoin_cli.cli.text import byte_text, count_text, duration_text
from splitjoin_cli.core.names import manifest_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FAILURES_SHOWN = 10


def manifest_of(document: Mapping[str, Any]) -> str:
    """Where the manifest is."""
    return f"{document['destination']}{manifest_name(document['file_name'])}"


def resume_hint(command: str, source: str) -> str:
    """The next step after a split that is not whole."""
    from splitjoin_cli.splitting.resume import query_note

    return f"to resume, type: {command}{query_note(source)}"


def summary(document: Mapping[str, Any]) -> str:
    """``3 chunks, 30 rows, 1.5 MiB: 3 uploaded, 0 skipped in 0.2 s``."""
    rows = "" if document["rows"] is None else f"{count_text(document['rows'], 'row')}, "
    return (
        f"{count_text(document['total_parts'], 'chunk')}, {rows}{byte_text(document['bytes'])}: "
        f"{document['uploaded']:,} uploaded, {document['skipped']:,} skipped in {duration_text(document['seconds'])}"
    )


def left_out(document: Mapping[str, Any]) -> str:
    """What is in no chunk, and what is in one and no record; empty where all was as usual."""
    counts = document.get("left_out") or {}

    def told(*kinds: tuple[str, str]) -> str:
        return " and ".join(count_text(counts[key], thing) for key, thing in kinds if counts.get(key))

    gone = told(("lines", "line"), ("trailer_lines", "trailer line"))
    kept = told(("blank_lines", "blank line"), ("repeated_headers", "repeated header"))
    return "; ".join([f"left out: {gone}"] * bool(gone) + [f"not counted as rows: {kept}"] * bool(kept))


def failed_chunks(document: Mapping[str, Any]) -> Iterator[str]:
    """The first chunks that failed, a line each, and how many more."""
    failed = [chunk for chunk in document["chunks"] if chunk["state"] == "failed"]
    yield from (f"chunk {chunk['number']} failed: {chunk['error']}" for chunk in failed[:FAILURES_SHOWN])
    if len(failed) > FAILURES_SHOWN:
        yield f"and {len(failed) - FAILURES_SHOWN:,} more"


def plan_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """A dry run: a line for each chunk, columns aligned, then a count of both states."""
    yield from _table(document["chunks"])
    planned = document["total_parts"] - document["skipped"]
    yield f"{count_text(document['total_parts'], 'chunk')}: {planned:,} planned, {document['skipped']:,} stored"


def _table(chunks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = ("number", "rows", "bytes", "start", "end", "state", "name")

    def cells() -> Iterator[Sequence[str]]:
        return (["?" if chunk[name] is None else str(chunk[name]) for name in names] for chunk in chunks)

    widths = [len(name) for name in names]
    for line in cells():
        widths = [max(width, len(cell)) for width, cell in zip(widths, line, strict=True)]
    for line in chain((names,), cells()):
        yield "  ".join([*(cell.rjust(width) for cell, width in zip(line[:-1], widths, strict=False)), line[-1]])
