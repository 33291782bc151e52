"""The block scanner that walks by a table of steps, for the dialects of ``table``: compiled, or in plain Python.

The first bytes of a block are walked for themselves. Nearly every state has met another one behind them, so that what
the rest holds is walked once, beside the other threads, and only the first bytes again when the block's turn comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.splitting.records.outcome import BlockIndex, Outcome, State, join

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from splitjoin_cli.splitting.records.base import FieldCount
    from splitjoin_cli.splitting.records.table import Table

__all__ = ["TableScanner", "TableWalk"]

HEAD_BYTES = 512


class TableWalk(Protocol):
    """Walks blocks by a table, from a state."""

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """What the block holds."""

    def ends(self, block: memoryview, state: int, base: int) -> array[int]:
        """See BlockScanner."""

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> array[int]:
        """See BlockScanner."""

    def first_ragged(self, block: memoryview, state: int, before: int, expected: int | None) -> FieldCount | None:
        """See BlockScanner."""

    def last_opening(self, block: memoryview, state: int) -> int:
        """See BlockScanner."""


class TableScanner:
    """See BlockScanner."""

    def __init__(self, table: Table, walk: TableWalk) -> None:
        """``walk``: by ``table``."""
        self._table, self._walk = table, walk
        self._block: memoryview | None = None
        self._rests: dict[int, Outcome] = {}  # of self._block, behind its head, by the state there

    def scan(self, block: memoryview, *, every_state: bool = False) -> BlockIndex:
        """See BlockScanner."""
        outcomes: list[Outcome | None] = [None] * self._table.states
        if every_state:
            return BlockIndex(len(block), tuple(self.outcome(block, state) for state in range(self._table.states)))
        field = outcomes[State.FIELD] = self.outcome(block, State.FIELD)
        if field.defect is not None:  # where the block begins inside quotes, it is found soon
            outcomes[State.QUOTED] = self.outcome(block, State.QUOTED)
        return BlockIndex(len(block), tuple(outcomes))

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """See BlockScanner."""
        if self._block is not block:
            self._block, self._rests = block, {}
        head = self._walk.outcome(block[:HEAD_BYTES], state)
        if head.defect is not None or len(block) <= HEAD_BYTES:
            return head
        rest = self._rests.get(head.end)
        if rest is None:
            rest = self._rests[head.end] = self._walk.outcome(block[HEAD_BYTES:], head.end)
        return join(head, HEAD_BYTES, rest)

    def ends(self, block: memoryview, state: int, base: int = 0) -> memoryview:
        """See BlockScanner."""
        return memoryview(self._walk.ends(block, state, base))

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> memoryview:
        """See BlockScanner."""
        return memoryview(self._walk.delimiters_before(block, state, places))

    def first_ragged(self, block: memoryview, state: int, *, before: int, expected: int | None) -> FieldCount | None:
        """See BlockScanner."""
        return self._walk.first_ragged(block, state, before, expected)

    def last_opening(self, block: memoryview, state: int) -> int:
        """See BlockScanner."""
        return self._walk.last_opening(block, state)
