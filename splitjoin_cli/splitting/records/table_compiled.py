"""Walks by a table in the compiled kernel."""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING, Final

from splitjoin_cli.core.native import DIALECT, OUTCOME, Bytes, Errands
from splitjoin_cli.core.native import Table as NativeTable
from splitjoin_cli.splitting.records.base import FieldCount
from splitjoin_cli.splitting.records.outcome import Defect, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.splitting.records.table import Step, Table

__all__ = ["CompiledTableWalk", "native_table"]

_NOT_FOUND: Final = -(1 << 63)
_WALK, _ENDS, _BEFORE, _RAGGED, _OPENING = range(5)  # enum errand in kernel.c
_RECORD, _CRLF, _DELIMITER, _DEFECT, _OPENS, _CLOSE = (1 << bit for bit in range(8, 14))
_BACK_BIT, _KIND_BIT = 16, 24
_CLASSES = 16


class CompiledTableWalk:
    """See TableWalk."""

    def __init__(self, table: Table, kernel: Kernel) -> None:
        """``table`` as the kernel reads it."""
        self._functions, self._level = kernel.functions, kernel.level
        self._table = native_table(table)
        self._out = OUTCOME()
        self._errands = Errands(out=ctypes.pointer(self._out))

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """See TableWalk."""
        asked = self._errands
        asked.defect = _NOT_FOUND
        self._run(_WALK, block, state)
        if asked.defect != _NOT_FOUND:
            return Outcome(state, 0, -1, -1, 0, 0, 0, Defect(asked.defect, Kind(asked.kind)))
        end, records, first_end, last_end, crlf, delimiters, tail, *_ = self._out
        return Outcome(end, records, first_end, last_end, crlf, delimiters, tail, None)

    def ends(self, block: memoryview, state: int, base: int) -> array[int]:
        """See TableWalk."""
        room = len(block) // 16 + 16  # as in CompiledScanner.ends
        while True:
            found = array("q", bytes(8 * room))
            self._errands.base, self._errands.room = base, room
            self._errands.found = found.buffer_info()[0]
            count = self._run(_ENDS, block, state)
            if count <= room:
                del found[count:]
                return found
            room = count

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> array[int]:
        """See TableWalk."""
        wanted, found = array("q", places), array("q", bytes(8 * len(places)))
        self._errands.places, self._errands.found = wanted.buffer_info()[0], found.buffer_info()[0]
        self._errands.room = len(wanted)
        self._run(_BEFORE, block, state)
        return found

    def first_ragged(self, block: memoryview, state: int, before: int, expected: int | None) -> FieldCount | None:
        """See TableWalk."""
        found = array("q", (0, 0))
        self._errands.before, self._errands.expected = before, -1 if expected is None else expected
        self._errands.found = found.buffer_info()[0]
        return FieldCount(found[0], found[1]) if self._run(_RAGGED, block, state) else None

    def last_opening(self, block: memoryview, state: int) -> int:
        """See TableWalk."""
        return self._run(_OPENING, block, state)

    def _run(self, errand: int, block: memoryview, state: int) -> int:
        with Bytes(block) as place:
            answer: int = self._functions.sj_table(
                self._level, place.address, place.size, self._table, state, errand, self._errands
            )
        return answer


def native_table(table: Table) -> NativeTable:
    """A table as the kernel takes it."""
    alphabet = table.alphabet
    native = NativeTable(spaces=alphabet.skip_spaces, delimiter_size=len(alphabet.delimiter))
    native.delimiter = alphabet.delimiter
    native.delimiter_bits = b"\xff" * len(alphabet.delimiter)
    meant = (alphabet.delimiter[0], alphabet.quote, alphabet.escape, alphabet.ret)
    native.dialect = DIALECT(*(-1 if byte is None else byte for byte in meant))
    native.classes[:] = table.classes
    for state, steps in enumerate(table.steps):
        native.close[state] = table.close[state]
        for number, step in enumerate(steps):
            native.steps[state * _CLASSES + number] = _packed(step, close=table.close[step.state])
    return native


def _packed(step: Step, *, close: bool) -> int:
    flags = _RECORD * step.record | _CRLF * step.crlf | _DELIMITER * step.delimiter | _OPENS * step.opens
    if step.defect is not None:
        flags |= _DEFECT | step.back << _BACK_BIT | step.defect << _KIND_BIT
    return step.state | flags | _CLOSE * close
