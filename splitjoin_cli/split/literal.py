"""Which quotes of a dirty file open, close or double, and which are data: the csv module's answer, without a loop over bytes.

``csv.reader`` (``strict`` off) takes a quote as opening only at the start of a field; after a closing quote that
is followed by data, the rest of the field is data, its quotes too (CPython, Modules/_csv.c, ``parse_process_char``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Offsets = NDArray[np.int64]
    Words = NDArray[np.uint64]

# What the automaton is in when it comes to the next quote.
QUOTED = 0  # inside quotes
CLOSED = 1  # the last quote closed a field (or none came yet in this field)
DATA = 2  # inside a field without quotes, where a quote is data

# A quote's class, by what lies between it and the quote before.
_ADJACENT = 0  # nothing
_AT_FIELD = 1  # something, and the byte before it ends a field or a record
_IN_FIELD = 2  # something, and the byte before it is data
_PADDING = 3  # not a quote

# _STEP[class][state before] -> state after
_STEP = np.array(
    [
        [CLOSED, QUOTED, DATA],  # adjacent: a quote right after a closing one doubles it; after a literal one it is literal
        [CLOSED, QUOTED, QUOTED],  # at a field's start it opens
        [CLOSED, DATA, DATA],  # in a field it is data
        [QUOTED, CLOSED, DATA],  # padding changes nothing
    ],
    np.uint8,
)


def true_quotes(quotes: Offsets, field_ends: Words, start: int) -> Offsets:
    """Those of ``quotes`` that open, close or double a field's quotes; the others are data.

    ``quotes``: ascending offsets, int64; ``field_ends``: the mask of delimiters and line feeds; ``start``: QUOTED, CLOSED or DATA.
    Every quote is a function from state to state; functions compose associatively, so the quotes are cut into
    about sqrt(n) segments, all segments walked at once for all three states, and then chained (data-parallel
    finite-state machines: Mytkowicz, Musuvathi & Schulte, ASPLOS 2014).
    """
    count = len(quotes)
    if not count:
        return quotes
    classes = np.full(count, _IN_FIELD, np.uint8)
    before = np.maximum(quotes - 1, 0)
    ends_field = field_ends[before >> 6] >> (before & 63).astype(np.uint64) & np.uint64(1)
    classes[ends_field != 0] = _AT_FIELD
    classes[1:][np.diff(quotes) == 1] = _ADJACENT
    if quotes[0] == 0:
        classes[0] = _ADJACENT
    width = int(np.ceil(np.sqrt(count)))
    rows = -(-count // width)
    table = np.full(rows * width, _PADDING, np.uint8)
    table[:count] = classes
    table = table.reshape(rows, width)
    states = np.tile(np.arange(3, dtype=np.uint8), (rows, 1))
    after = np.empty((width, rows, 3), np.uint8)
    for column in range(width):
        states = _STEP[table[:, column, None], states]
        after[column] = states
    entered = np.empty(rows, np.intp)
    state = start
    for row in range(rows):
        entered[row] = state
        state = int(states[row, state])
    result = after[:, np.arange(rows), entered].T.reshape(-1)[:count]
    return quotes[result != DATA]


class Found(NamedTuple):
    """The offsets of the bytes that mean something, and whether the last byte escapes the one after the block."""

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

    _FIELD, _DATA, _CLOSED, _RETURNED, _QUOTED, _ESCAPED, _ESCAPED_QUOTED = range(7)  # as scanner.State

    def __init__(self, delimiter: int, quote: int, escape: int) -> None:
        """The dialect's bytes."""
        self._delimiter, self._quote, self._escape = delimiter, quote, escape
        self._events = re.compile(b"[" + re.escape(bytes((delimiter, quote, escape, 0x0A, 0x0D))) + b"]")

    def run(self, block: bytes, state: int) -> Found:
        """Walk ``block`` from ``state`` (a scanner.State)."""
        found = Found([], [], [], [], escape_pending=False)
        position = 0
        if state in (self._ESCAPED, self._ESCAPED_QUOTED):
            position, state = 1, self._QUOTED if state == self._ESCAPED_QUOTED else self._DATA
        while (event := self._events.search(block, position)) is not None:
            at, byte = event.start(), block[event.start()]
            if at > position and state != self._QUOTED:
                state = self._DATA
            position = at + 1
            if byte == self._escape and state != self._CLOSED:
                position += 1
                if position > len(block):
                    return found._replace(escape_pending=True)
                state = self._QUOTED if state == self._QUOTED else self._DATA
            else:
                state = self._step(found, at, byte, state)
        return found

    def _step(self, found: Found, at: int, byte: int, state: int) -> int:
        if state == self._QUOTED:
            if byte == self._quote:
                found.quotes.append(at)
                return self._CLOSED
            for_inside = found.delimiters if byte == self._delimiter else found.feeds if byte == 0x0A else None
            if for_inside is not None:  # masked out by being inside quotes
                for_inside.append(at)
            return self._QUOTED
        if byte == self._quote:
            if state in (self._FIELD, self._CLOSED):
                found.quotes.append(at)
                return self._QUOTED
            return self._DATA
        if byte == self._delimiter:
            found.delimiters.append(at)
            return self._FIELD
        if byte == 0x0A:
            found.feeds.append(at)
            return self._FIELD
        if byte == 0x0D:
            found.returns.append(at)
            return self._RETURNED
        return self._DATA
