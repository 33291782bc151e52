"""The contract of a continuation: what runs when all chunks of a run are processed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

STUCK_AFTER_SECONDS = 900.0
"""A job of which nothing was newly counted, or no join finished, for so long is stuck: 15 minutes."""


@dataclass(frozen=True, slots=True)
class JoinPayload:
    """What a continuation is told. ``run_id`` is the idempotency key; ``joined_at``: ISO 8601, UTC, milliseconds, Z.

    Every try of one join has the same payload: ``joined_at`` is when the run was first claimed, ``rows`` are the
    ledger's.
    """

    file_name: str
    run_id: str
    total_parts: int
    rows: int
    joined_at: str

    def to_json(self) -> dict[str, str | int]:
        """By name, in the order of the contract."""
        return {
            "file_name": self.file_name,
            "run_id": self.run_id,
            "total_parts": self.total_parts,
            "rows": self.rows,
            "joined_at": self.joined_at,
        }

    def encoded(self) -> str:
        """The same bytes for the same payload, in ASCII."""
        return json.dumps(self.to_json())


class Continuation(Protocol):
    """Runs, or hands over, what follows the join. Thread-safe.

    It runs at least once for a join: a crash, a lost answer or a lapsed lease repeats it with the same payload. Where
    the receiver has an idempotency key of its own (a deduplication id, an execution's name), it MUST be the run_id.
    """

    @property
    def uri(self) -> str:
        """As the user wrote it, less anything secret; for messages."""

    def run(self, payload: JoinPayload) -> None:
        """Return once it is done, or the receiver has it for good. Raises ContinuationError."""

    def close(self) -> None:
        """Free connections. Safe to repeat."""
