"""Walks by a table in plain Python, where nothing is compiled: slowly, for dialects that numpy's masks cannot read."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import LF
from splitjoin_cli.splitting.records.base import FieldCount
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, Defect, Outcome, State
from splitjoin_cli.splitting.records.table import DATA_CLASS, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.splitting.records.table import Table

__all__ = ["PythonTableWalk"]


class PythonTableWalk:
    """See TableWalk."""

    def __init__(self, table: Table) -> None:
        """``table``: what to walk by."""
        self._table, alphabet = table, table.alphabet
        meant = (alphabet.delimiter[0], alphabet.quote, LF, alphabet.ret, alphabet.escape)
        found = b"".join(re.escape(bytes((byte,))) for byte in meant if byte is not None)
        self._meant = re.compile(b"[" + found + b"]")
        self._text = re.compile(b"[^ ]")
        self._spaces = alphabet.skip_spaces
        self._end: int = State.FIELD

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """See TableWalk."""
        records = crlf = delimiters = tail = 0
        first = last = NO_OFFSET
        for at, step in self._events(block, state):
            if step.defect is not None:
                return Outcome(state, 0, NO_OFFSET, NO_OFFSET, 0, 0, 0, Defect(at - step.back, step.defect))
            if step.record:
                records, crlf, tail = records + 1, crlf + step.crlf, 0
                first, last = (at + 1 if first == NO_OFFSET else first), at + 1
            elif step.delimiter:
                delimiters, tail = delimiters + 1, tail + 1
        return Outcome(self._end, records, first, last, crlf, delimiters, tail, None)

    def ends(self, block: memoryview, state: int, base: int) -> array[int]:
        """See TableWalk."""
        return array("q", (base + at + 1 for at, step in self._events(block, state) if step.record))

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> array[int]:
        """See TableWalk."""
        found, delimiters = array("q"), 0
        for at, step in self._events(block, state):
            if step.delimiter:
                while len(found) < len(places) and places[len(found)] <= at:
                    found.append(delimiters)
                delimiters += 1
        found.extend([delimiters] * (len(places) - len(found)))
        return found

    def first_ragged(self, block: memoryview, state: int, before: int, expected: int | None) -> FieldCount | None:
        """See TableWalk."""
        start, delimiters = NO_OFFSET, before
        for at, step in self._events(block, state):
            if step.record:
                expected = delimiters if expected is None else expected
                if delimiters != expected:
                    return FieldCount(start, delimiters)
                start, delimiters = at + 1, 0
            delimiters += step.delimiter
        return None

    def last_opening(self, block: memoryview, state: int) -> int:
        """See TableWalk."""
        return max((at for at, step in self._events(block, state) if step.opens), default=NO_OFFSET)

    def _events(self, block: memoryview, state: int) -> Iterator[tuple[int, Step]]:
        """Each step that something ends or opens with, and its place, up to a defect; then ``_end`` is the state."""
        table, text = self._table, bytes(block)
        position = 0
        while position < len(text):
            found = None if table.close[state] else self._meant.search(text, position)
            at = position if table.close[state] else len(text) if found is None else found.start()
            if self._spaces and state == State.FIELD and position < at:
                solid = self._text.search(text, position, at)
                position = at if solid is None else solid.start()
            if position < at:
                step = table.steps[state][DATA_CLASS]
                if step.defect is not None:
                    yield position, step
                    return
                state = step.state
            if at < len(text):
                step = table.steps[state][table.classes[text[at]]]
                if step.record or step.delimiter or step.opens or step.defect is not None:
                    yield at, step
                if step.defect is not None:
                    return
                state = step.state
            position = at + 1
        self._end = state
