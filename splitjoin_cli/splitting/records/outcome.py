"""What a run of bytes means to the parser, for each state it may start in; such answers combine, associatively.

Neighbouring blocks' indexes combine into one of the same shape, with ``IDENTITY``: they form a monoid, so blocks are
scanned in any order on any number of threads, processes or machines, and put together from the left.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

NO_OFFSET = -1


class State(IntEnum):
    """What the parser is in when a byte comes. The comment says what a quote would be there.

    Some dialects have more states (``table``): numbers above these, for what came of a delimiter of several bytes.
    """

    FIELD = 0  # at the start of a field: an opening quote
    DATA = 1  # inside a field without quotes: a stray quote
    CLOSED = 2  # right after a closing quote: the second of a doubled quote
    RETURNED = 3  # right after a CR outside quotes: only LF may come
    QUOTED = 4  # inside quotes: a closing quote
    ESCAPED = 5  # after the escape character, outside quotes: data
    ESCAPED_QUOTED = 6  # after the escape character, inside quotes: data


PLAIN_STATES = (State.FIELD, State.DATA, State.CLOSED, State.RETURNED, State.QUOTED)
ALL_STATES = tuple(State)
WITHIN = (State.QUOTED, State.ESCAPED_QUOTED)
"""The states inside quotes."""


class Kind(IntEnum):
    """How a byte can break the rules."""

    OPENING = 0  # a quote opens inside a field
    CLOSING = 1  # data follows a closing quote
    LONE_CR = 2  # a CR outside quotes without its LF


class Defect(NamedTuple):
    """The first byte that breaks the rules: its offset, from the block's first byte (-1: the byte before it)."""

    offset: int
    kind: Kind


class Outcome(NamedTuple):
    """What a block holds when it starts in one state. Offsets count from the block's first byte.

    ``first_end`` and ``last_end`` are the offsets just after the first and last record end (NO_OFFSET: none);
    ``crlf`` of the ``records`` ends are CR LF; ``delimiters`` are those outside quotes, ``tail`` those of them after
    the last end. With a ``defect`` only that is meant: what comes after it has no right reading.
    """

    end: int
    records: int
    first_end: int
    last_end: int
    crlf: int
    delimiters: int
    tail: int
    defect: Defect | None


class BlockIndex(NamedTuple):
    """One block's (or run of blocks') outcomes by start state; None: ask ``BlockScanner.outcome`` with the bytes."""

    size: int
    outcomes: tuple[Outcome | None, ...]


def nothing(state: int) -> Outcome:
    """The outcome of no bytes."""
    return Outcome(state, 0, NO_OFFSET, NO_OFFSET, 0, 0, 0, None)


def identity(states: int) -> BlockIndex:
    """The index of no bytes, for a parser of so many states."""
    return BlockIndex(0, tuple(nothing(state) for state in range(states)))


IDENTITY = identity(len(ALL_STATES))


def join(left: Outcome, size: int, right: Outcome) -> Outcome:
    """The outcome of two neighbouring runs of bytes; ``size`` is the left one's, ``right`` starts in ``left.end``."""
    defect = left.defect
    if defect is None and right.defect is not None:
        defect = Defect(right.defect.offset + size, right.defect.kind)
    return Outcome(
        end=right.end,
        records=left.records + right.records,
        first_end=left.first_end if left.records or not right.records else right.first_end + size,
        last_end=right.last_end + size if right.records else left.last_end,
        crlf=left.crlf + right.crlf,
        delimiters=left.delimiters + right.delimiters,
        tail=right.tail if right.records else left.tail + right.tail,
        defect=defect,
    )


def combine(left: BlockIndex, right: BlockIndex) -> BlockIndex:
    """Two neighbouring blocks as one. Associative; IDENTITY (``identity`` of as many states) is neutral.

    An outcome that is not known on either side stays unknown.
    """
    joined: list[Outcome | None] = []
    for outcome in left.outcomes:
        follow = None if outcome is None else right.outcomes[outcome.end]
        joined.append(None if outcome is None or follow is None else join(outcome, left.size, follow))
    return BlockIndex(left.size + right.size, tuple(joined))
