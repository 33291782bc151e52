"""The block scanner over the compiled kernel: one pass over a block's bytes, without the GIL.

A block whose quotes break the rules is mended, under ``literal``, by another scanner (the one over numpy).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from splitjoin_cli.core.model import LF
from splitjoin_cli.core.native import DIALECT, OUTCOME, RAGGED, Bytes
from splitjoin_cli.splitting.records.base import FieldCount
from splitjoin_cli.splitting.records.every_state import every_outcome
from splitjoin_cli.splitting.records.outcome import ALL_STATES, BlockIndex, Defect, Kind, Outcome, State

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Sequence

    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner

_NOT_FOUND: Final = -(1 << 63)


def native_dialect(alphabet: Alphabet) -> ctypes.Array[ctypes.c_int32]:
    """What bytes mean, as the kernel takes it; only for alphabets that need no table."""
    meant = (alphabet.delimiter[0], alphabet.quote, alphabet.escape, alphabet.ret)
    return DIALECT(*(-1 if byte is None else byte for byte in meant))


class CompiledScanner:
    """See BlockScanner."""

    def __init__(self, alphabet: Alphabet, kernel: Kernel, make_mender: Callable[[], BlockScanner]) -> None:
        """``make_mender``: makes what reads a block that breaks the rules; called when the first one comes."""
        self._alphabet, self._make_mender = alphabet, make_mender
        self._functions, self._level = kernel.functions, kernel.level
        self._dialect = native_dialect(alphabet)
        self._result = OUTCOME()
        self._mends = alphabet.literal and alphabet.quote is not None
        self._mender: BlockScanner | None = None
        self._block: memoryview | None = None
        self._mended: dict[int, bool] = {}  # of self._block: whether it breaks quoting when it starts in a state

    def scan(self, block: memoryview, *, every_state: bool = False) -> BlockIndex:
        """See BlockScanner."""
        if every_state:
            return every_outcome(self, self._alphabet, block)
        outcomes: list[Outcome | None] = [None] * len(ALL_STATES)
        field = outcomes[State.FIELD] = self.outcome(block, State.FIELD)
        if field.defect is not None:  # found at once, where the block begins inside quotes
            outcomes[State.QUOTED] = self.outcome(block, State.QUOTED)
        first = block[0]
        alphabet = self._alphabet
        quote, feed = first == alphabet.quote, first == LF
        follows = quote or feed or first in (alphabet.delimiter[0], alphabet.ret)
        # Another start outside quotes reads the block the same way, or trips over its first byte.
        if not quote:
            outcomes[State.DATA] = field
        if follows:
            outcomes[State.CLOSED] = field
        if feed:
            outcomes[State.RETURNED] = field._replace(crlf=field.crlf + 1)
        return BlockIndex(len(block), tuple(outcomes))

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """See BlockScanner."""
        if self._block is not block:
            self._block, self._mended = block, {}
        outcome = self._outcome(block, state)
        mends = self._mends and outcome.defect is not None and outcome.defect.kind != Kind.LONE_CR
        if self._mends:
            self._mended[state] = mends
        return self._other().outcome(block, state) if mends else outcome

    def ends(self, block: memoryview, state: int, base: int = 0) -> memoryview:
        """See BlockScanner."""
        if self._is_mended(block, state):
            return self._other().ends(block, state, base)
        # A guess that holds for records of 16 bytes and more; a second walk is cheaper than a pass that counts.
        room = len(block) // 16 + 16
        while True:
            found = array("q", bytes(8 * room))
            with Bytes(block) as place:
                address, _ = found.buffer_info()
                count: int = self._functions.sj_ends(
                    self._level, place.address, place.size, self._dialect, state, base, address, room
                )
            if count <= room:
                return memoryview(found)[:count]
            room = count

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> memoryview:
        """See BlockScanner."""
        if self._is_mended(block, state):
            return self._other().delimiters_before(block, state, places)
        wanted, found = array("q", places), array("q", bytes(8 * len(places)))
        with Bytes(block) as place:
            self._functions.sj_before(
                self._level,
                place.address,
                place.size,
                self._dialect,
                state,
                wanted.buffer_info()[0],
                len(wanted),
                found.buffer_info()[0],
            )
        return memoryview(found)

    def first_ragged(self, block: memoryview, state: int, *, before: int, expected: int | None) -> FieldCount | None:
        """See BlockScanner."""
        if self._is_mended(block, state):
            return self._other().first_ragged(block, state, before=before, expected=expected)
        found = RAGGED()
        with Bytes(block) as place:
            ragged = self._functions.sj_ragged(
                self._level,
                place.address,
                place.size,
                self._dialect,
                state,
                before,
                -1 if expected is None else expected,
                found,
            )
        return FieldCount(found[0], found[1]) if ragged else None

    def last_opening(self, block: memoryview, state: int) -> int:
        """See BlockScanner."""
        return self._other().last_opening(block, state)

    def _outcome(self, block: memoryview, state: int) -> Outcome:
        result = self._result
        with Bytes(block) as place:
            self._functions.sj_scan(self._level, place.address, place.size, self._dialect, state, result)
        end, records, first_end, last_end, crlf, delimiters, tail, stray, stray_closes, lone = result
        defect: Defect | None = None
        if stray != _NOT_FOUND:
            defect = Defect(stray, Kind.CLOSING if stray_closes else Kind.OPENING)
        if lone != _NOT_FOUND:
            alone = Defect(lone, Kind.LONE_CR)
            defect = alone if defect is None else min(defect, alone)
        return Outcome(ALL_STATES[end], records, first_end, last_end, crlf, delimiters, tail, defect)

    def _is_mended(self, block: memoryview, state: int) -> bool:
        if not self._mends:
            return False
        if self._block is not block or state not in self._mended:
            self.outcome(block, state)
        return self._mended[state]

    def _other(self) -> BlockScanner:
        """What reads blocks that break the rules."""
        if self._mender is None:
            self._mender = self._make_mender()
        return self._mender
