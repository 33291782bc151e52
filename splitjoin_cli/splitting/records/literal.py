"""Which quotes of a dirty file open, close or double, and which are data: the csv module's answer, without a byte loop.

``csv.reader`` (``strict`` off) takes a quote as opening only at the start of a field; after a closing quote that
is followed by data, the rest of the field is data, its quotes too (CPython, Modules/_csv.c, ``parse_process_char``).
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from splitjoin_cli.core.model import LF
from splitjoin_cli.splitting.records.outcome import WITHIN, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from splitjoin_cli.splitting.records.base import Alphabet

    Offsets = NDArray[np.int64]
    Words = NDArray[np.uint64]

# What the automaton is in when it comes to the next quote.
_QUOTED = 0  # inside quotes
_CLOSED = 1  # the last quote closed a field (or none came yet in this field)
_DATA = 2  # inside a field without quotes, where a quote is data

_START: dict[int, int] = {
    State.FIELD: _CLOSED,  # a quote on the first byte opens, as after a closing quote it would reopen
    State.CLOSED: _CLOSED,
    State.DATA: _DATA,
    State.RETURNED: _DATA,
    State.ESCAPED: _DATA,
    State.QUOTED: _QUOTED,
    State.ESCAPED_QUOTED: _QUOTED,
}

# A quote's class, by what lies between it and the quote before.
_ADJACENT = 0  # nothing: after a closing quote it doubles that, after a literal one it is literal
_AT_FIELD = 1  # something, and the byte before it ends a field or a record: outside quotes it opens
_IN_FIELD = 2  # something, and the byte before it is data: outside quotes it is data
_PADDING = 3  # not a quote: it changes nothing

# _STEPS[class][state before] -> state after
_STEPS = (
    (_CLOSED, _QUOTED, _DATA),
    (_CLOSED, _QUOTED, _QUOTED),
    (_CLOSED, _DATA, _DATA),
    (_QUOTED, _CLOSED, _DATA),
)

# All 27 functions from state to state, and what each becomes when a quote of each class follows: _FOLLOW[4 f + class].
_FUNCTIONS = tuple(product(range(3), repeat=3))
_NEUTRAL = _FUNCTIONS.index((_QUOTED, _CLOSED, _DATA))
_FOLLOW = np.array([_FUNCTIONS.index((s[a], s[b], s[c])) for a, b, c in _FUNCTIONS for s in _STEPS], np.uint8)
_APPLY = np.array(_FUNCTIONS, np.uint8)
_MAX_WIDTH = 48  # steps taken one after another over all segments; their chain is walked one by one


def true_quotes(quotes: Offsets, field_ends: Words, start: int) -> Offsets:
    """Those of ``quotes`` that open, close or double a field's quotes; the others are data.

    ``quotes``: ascending offsets; ``field_ends``: the mask of delimiters and line feeds; ``start``: the block's first.
    Every quote is a function from state to state; functions compose associatively, so the quotes are cut into
    segments, all segments walked at once for all three states, and then chained (data-parallel finite-state machines:
    Mytkowicz, Musuvathi & Schulte, ASPLOS 2014).
    """
    count = len(quotes)
    if not count:
        return quotes
    width = min(_MAX_WIDTH, int(np.ceil(np.sqrt(count))))
    rows = -(-count // width)
    table = np.full(rows * width, _PADDING, np.uint8)
    table[:count] = _classes(quotes, field_ends)
    columns = np.ascontiguousarray(table.reshape(rows, width).T)
    functions = np.full(rows, _NEUTRAL, np.uint8)
    after = np.empty((width, rows), np.uint8)
    for column, walked in zip(columns, after, strict=True):
        np.take(_FOLLOW, (functions << 2) | column, out=walked, mode="clip")
        functions = walked
    entered, state = np.empty(rows, np.uint8), _START[start]
    for row, function in enumerate(functions.tolist()):
        entered[row] = state
        state = _FUNCTIONS[function][state]
    result = _APPLY[after, entered].T.reshape(-1)[:count]
    true: Offsets = quotes[result != _DATA]
    return true


def _classes(quotes: Offsets, field_ends: Words) -> NDArray[np.uint8]:
    before = np.maximum(quotes - 1, 0)
    ends_field = field_ends[before >> 6] >> (before & 63).astype(np.uint64) & np.uint64(1)
    classes = np.where(ends_field != 0, np.uint8(_AT_FIELD), np.uint8(_IN_FIELD))
    classes[1:][np.diff(quotes) == 1] = _ADJACENT
    if quotes[0] == 0:
        classes[0] = _ADJACENT
    return classes


class Found(NamedTuple):
    """The offsets of the bytes that mean something, and whether the last byte escapes the one after the block.

    ``feeds`` and ``delimiters`` hold those inside quotes too: the quotes mask them out.
    """

    quotes: list[int]
    feeds: list[int]
    delimiters: list[int]
    returns: list[int]
    escape_pending: bool


class Machine:
    """The csv module's state machine, byte by byte: for stray quotes in a dialect with an escape character.

    There an escape character right behind a closing quote is data, so that the masks of escaped bytes, too, depend on
    the quotes before; such files are rare enough to be slow.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        """``alphabet``: with a quote and an escape character, and a delimiter of one byte."""
        self._delimiter, self._quote, self._escape = alphabet.delimiter[0], alphabet.quote, alphabet.escape
        self._return = alphabet.ret
        meant = (self._delimiter, self._quote, self._escape, LF, self._return)
        self._events = re.compile(b"[" + re.escape(bytes(byte for byte in meant if byte is not None)) + b"]")

    def run(self, block: bytes, state: int) -> Found:
        """Walk ``block`` from ``state``."""
        found = Found([], [], [], [], escape_pending=False)
        position = 0
        if state in (State.ESCAPED, State.ESCAPED_QUOTED):
            position, state = 1, State.QUOTED if state in WITHIN else State.DATA
        while (event := self._events.search(block, position)) is not None:
            at, byte = event.start(), block[event.start()]
            if at > position and state != State.QUOTED:
                state = State.DATA
            position = at + 1
            if byte == self._escape and state != State.CLOSED:
                position += 1
                if position > len(block):
                    return found._replace(escape_pending=True)
                state = State.QUOTED if state == State.QUOTED else State.DATA
            elif state == State.QUOTED:
                state = self._inside(found, at, byte)
            else:
                state = self._outside(found, at, byte, state)
        return found

    def _inside(self, found: Found, at: int, byte: int) -> State:
        """The state after the byte at ``at``, inside quotes."""
        if byte == self._quote:
            found.quotes.append(at)
            return State.CLOSED
        if byte == self._delimiter:
            found.delimiters.append(at)
        elif byte == LF:
            found.feeds.append(at)
        return State.QUOTED

    def _outside(self, found: Found, at: int, byte: int, state: int) -> State:
        """The state after the byte at ``at``, outside quotes; an escape character is here behind a closing quote."""
        if byte == self._quote and state in (State.FIELD, State.CLOSED):
            found.quotes.append(at)
            return State.QUOTED
        if byte == self._delimiter:
            found.delimiters.append(at)
            return State.FIELD
        if byte == LF:
            found.feeds.append(at)
            return State.FIELD
        if byte == self._return:
            found.returns.append(at)
            return State.RETURNED
        return State.DATA
