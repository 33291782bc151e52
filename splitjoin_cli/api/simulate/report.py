"""What a simulation found: chunk by chunk, the join, and whether every row is there once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, overload

__all__ = ["ChunkStory", "SimulateReport"]


@dataclass(slots=True)
class ChunkStory:
    """One chunk. ``rows``: of it in the database. ``events``: what each delivery came to, in order.

    ``hint``: the next step that its last error named.
    """

    number: int
    rows: int = 0
    attempts: int = 0
    events: list[str] = field(default_factory=list)
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateReport:
    """What stands after a simulation.

    ``processed_parts``: the tracker's. ``rows_expected``: None where chunks are missing. ``rows_loaded``: the job's
    rows in the table. ``joins``: effects, by idempotency key; ``continuation_runs``: how often it ran this time.
    ``joined_chunk``, ``joined_worker``: who finished the join; no chunk where the sweep did, or another simulation.
    ``chunks``: those that are stored; each story is made when it is asked for.
    ``not_checked``: with exact values the columns, and their types, that no rule checks; None without.
    ``problems``: why it is not ok, in sentences; none where it is. ``hints``: what to do about them.
    """

    file_name: str
    into: str
    table: str
    tracker: str
    total_parts: int
    processed_parts: int
    rows_expected: int | None
    rows_loaded: int
    deliveries: int
    duplicates: int
    failures: int
    crashes: int
    joins: int
    continuation_runs: int
    joined_chunk: int | None
    joined_worker: str | None
    problems: tuple[str, ...]
    seconds: float
    chunks: Sequence[ChunkStory]
    hints: tuple[str, ...] = ()
    not_checked: tuple[str, ...] | None = None

    @property
    def ok(self) -> bool:
        """Every row loaded once, and exactly one join."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        document = self.document()
        return document | {"chunks": list(document["chunks"])}

    def document(self) -> dict[str, Any]:
        """The JSON form, its chunks as a sequence whose items are made when they are written."""
        return {
            "file_name": self.file_name,
            "into": self.into,
            "table": self.table,
            "tracker": self.tracker,
            "total_parts": self.total_parts,
            "processed_parts": self.processed_parts,
            "rows_expected": self.rows_expected,
            "rows_loaded": self.rows_loaded,
            "deliveries": self.deliveries,
            "duplicates": self.duplicates,
            "failures": self.failures,
            "crashes": self.crashes,
            "joins": self.joins,
            "continuation_runs": self.continuation_runs,
            "joined_by": {"chunk": self.joined_chunk, "worker": self.joined_worker},
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "chunks": ChunkDocuments(self.chunks),
        } | ({} if self.not_checked is None else {"not_checked": list(self.not_checked)})


class ChunkDocuments(Sequence[dict[str, int]]):
    """The JSON forms of chunks."""

    def __init__(self, chunks: Sequence[ChunkStory]) -> None:
        """``chunks``: as they are reported."""
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._chunks)

    @overload
    def __getitem__(self, index: int) -> dict[str, int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, int]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, int] | list[dict[str, int]]:
        if isinstance(index, slice):
            return [_document(chunk) for chunk in self._chunks[index]]
        return _document(self._chunks[index])


def _document(chunk: ChunkStory) -> dict[str, int]:
    return {"number": chunk.number, "rows": chunk.rows, "attempts": chunk.attempts}
