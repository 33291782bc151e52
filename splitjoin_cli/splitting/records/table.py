"""The parser as a table of steps, for dialects that bit masks cannot read: several bytes a delimiter, and other rules.

Beside the states of ``State`` there are those in which the first bytes of a delimiter have come, each for what came
before them, and (MySQL's rules) the one behind a closing quote and its CR. A delimiter is looked for from the left, as
readers do, and where it breaks off, what came of it is data, and may begin another (Knuth, Morris & Pratt, "Fast
Pattern Matching in Strings", 1977).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.model import LF
from splitjoin_cli.splitting.records.outcome import ALL_STATES, Kind, State

if TYPE_CHECKING:
    from splitjoin_cli.splitting.records.base import Alphabet

__all__ = ["RETURNED_CLOSED", "Ending", "Step", "Table", "ending_of", "table_of"]

RETURNED_CLOSED = len(ALL_STATES)
"""MySQL's rules: behind a quote that may close, and a CR. Only an LF shows that it did."""
_FIRST = RETURNED_CLOSED + 1
_PLAIN = -1  # a byte that means nothing by itself
_SPACE = 0x20
_BEFORE_DELIMITERS = (State.FIELD, State.DATA, State.CLOSED)
DATA_CLASS = 0


class Step(NamedTuple):
    """What a byte does: the state after it, and what ended with it.

    ``back``: with a ``defect``, how many bytes before this one the defect is.
    """

    state: int
    record: bool = False
    crlf: bool = False
    delimiter: bool = False
    opens: bool = False
    defect: Kind | None = None
    back: int = 0


class Ending(NamedTuple):
    """What is wrong if a source ends in a state: ``open``: a quote is; ``defect``: a rule is broken.

    ``back``: that many bytes before the end.
    """

    open: bool = False
    defect: Kind | None = None
    back: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """``steps[state][class]``; ``classes``: of each byte. ``close``: states in which the next byte matters, always."""

    alphabet: Alphabet
    steps: tuple[tuple[Step, ...], ...]
    classes: bytes
    close: tuple[bool, ...]
    endings: tuple[Ending, ...]

    @property
    def states(self) -> int:
        """How many there are."""
        return len(self.steps)


@lru_cache(maxsize=64)
def table_of(alphabet: Alphabet) -> Table:
    """The table of an alphabet."""
    return _Maker(alphabet).table()


def ending_of(alphabet: Alphabet, state: int) -> Ending:
    """What is wrong if a source ends in ``state``, by whatever scanner."""
    if state == State.RETURNED:
        return Ending(defect=Kind.LONE_CR, back=1)
    if state in (State.QUOTED, State.ESCAPED_QUOTED):
        return Ending(open=True)
    return Ending() if state in ALL_STATES else table_of(alphabet).endings[state]


class _Maker:
    """Makes the table of one alphabet."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet, self._delimiter = alphabet, alphabet.delimiter

    def table(self) -> Table:
        alphabet = self._alphabet
        special = [alphabet.quote, LF, alphabet.ret, alphabet.escape, *sorted(set(self._delimiter))]
        if alphabet.skip_spaces and _SPACE not in self._delimiter:
            special.append(_SPACE)
        bytes_of_class = [_PLAIN, *dict.fromkeys(byte for byte in special if byte is not None)]
        classes = bytearray(256)
        for number, byte in enumerate(bytes_of_class):
            if byte != _PLAIN:
                classes[byte] = number
        states = range(_FIRST + len(_BEFORE_DELIMITERS) * (len(self._delimiter) - 1))
        steps = tuple(tuple(self._step(state, byte) for byte in bytes_of_class) for state in states)
        close = tuple(self._begun(state) > 0 or state in (State.ESCAPED, State.ESCAPED_QUOTED) for state in states)
        return Table(alphabet, steps, bytes(classes), close, tuple(map(self._ending, states)))

    def _begun(self, state: int) -> int:
        """How many bytes of a delimiter have come."""
        return 0 if state < _FIRST else (state - _FIRST) // len(_BEFORE_DELIMITERS) + 1

    def _base(self, state: int) -> int:
        """The state before the delimiter's first byte came."""
        return state if state < _FIRST else _BEFORE_DELIMITERS[(state - _FIRST) % len(_BEFORE_DELIMITERS)]

    def _in_delimiter(self, base: int, begun: int) -> int:
        """The state after so many bytes of a delimiter, at least one."""
        return _FIRST + (begun - 1) * len(_BEFORE_DELIMITERS) + _BEFORE_DELIMITERS.index(State(base))

    def _step(self, state: int, byte: int) -> Step:
        base, begun = self._base(state), self._begun(state)
        if base not in _BEFORE_DELIMITERS:
            return self._alone(base, byte)
        if byte == self._delimiter[begun]:
            if begun + 1 == len(self._delimiter):
                return Step(State.FIELD, delimiter=True)
            return Step(self._in_delimiter(base, begun + 1))
        pending = [*self._delimiter[:begun], byte]
        at, step = 0, Step(base)
        while at < len(pending):
            rest = pending[at:]
            if at and step.state in _BEFORE_DELIMITERS and rest == list(self._delimiter[: len(rest)]):
                return Step(self._in_delimiter(step.state, len(rest)))
            step = self._alone(step.state, pending[at])
            if step.defect is not None:
                return step._replace(back=step.back + len(pending) - 1 - at)
            at += 1
        return step

    def _alone(self, state: int, byte: int) -> Step:  # noqa: PLR0911 -- one return for each kind of state
        """A byte that neither begins a delimiter nor goes on with one."""
        alphabet = self._alphabet
        if state == State.ESCAPED:
            return Step(State.DATA)
        if state == State.ESCAPED_QUOTED:
            return Step(State.QUOTED)
        if state == State.QUOTED:
            if byte == alphabet.quote:
                return Step(State.CLOSED)
            return Step(State.ESCAPED_QUOTED if byte == alphabet.escape else State.QUOTED)
        if state == State.RETURNED:
            if byte == LF:
                return Step(State.FIELD, record=True, crlf=True)
            return Step(state, defect=Kind.LONE_CR, back=1)
        if state == RETURNED_CLOSED:
            return Step(State.FIELD, record=True, crlf=True) if byte == LF else self._alone(State.QUOTED, byte)
        return self._outside(state, byte)

    def _outside(self, state: int, byte: int) -> Step:  # noqa: PLR0911 -- one return for each rule
        """In a field without quotes, at its start, or behind a quote that closes."""
        alphabet = self._alphabet
        closed, mysql = state == State.CLOSED, alphabet.stray == "mysql"
        if byte == LF:
            return Step(State.FIELD, record=True)
        if byte == alphabet.ret:
            return Step(RETURNED_CLOSED if closed and mysql else State.RETURNED)
        if byte == alphabet.quote and state != State.DATA:
            return Step(State.QUOTED, opens=not closed)
        if closed and mysql:
            return self._alone(State.QUOTED, byte)
        if closed and alphabet.stray == "error":
            return Step(state, defect=Kind.CLOSING, back=1)
        if byte == alphabet.quote and alphabet.stray == "error":
            return Step(state, defect=Kind.OPENING)
        if byte == alphabet.escape and not closed and not alphabet.escape_in_quotes:
            return Step(State.ESCAPED)
        if byte == _SPACE and alphabet.skip_spaces and state == State.FIELD:
            return Step(state)
        return Step(State.DATA)

    def _ending(self, state: int) -> Ending:
        begun, mysql = self._begun(state), self._alphabet.stray == "mysql"
        if state == RETURNED_CLOSED or (begun and self._base(state) == State.CLOSED and mysql):
            return Ending(open=True)
        if begun and self._base(state) == State.CLOSED and self._alphabet.stray == "error":
            return Ending(defect=Kind.CLOSING, back=begun + 1)
        return Ending() if state > State.ESCAPED_QUOTED else ending_of(self._alphabet, state)
