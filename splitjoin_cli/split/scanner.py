"""Finds the records of a block of CSV bytes, for every state the block may start in, by bit masks over numpy.

A block becomes a ``BlockIndex``: for each state its first byte may find the parser in, an ``Outcome`` (the state after
it, record ends, delimiters, the first place that breaks the rules); see ``outcome`` for how indexes combine.

A prefix-xor over the quotes' bits marks every byte between quotes (Langdale & Lemire, "Parsing Gigabytes of JSON per
Second", VLDB Journal 2019); both start states at once are of Ge et al., "Speculative Distributed CSV Data Parsing for
Big Data Analytics" (SIGMOD 2019). What a record is, is the csv module's answer (``csv.reader`` over utf-8-sig,
``strict`` off), except that a CR outside quotes must stand before an LF.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from splitjoin_cli.model import CR, LF
from splitjoin_cli.split import literal
from splitjoin_cli.split.masks import (
    ONE,
    MaskReader,
    Masks,
    count_from,
    earlier,
    first_bit,
    holds,
    last_bit,
    later,
    nothing,
    occurs,
    offsets,
    outside_of,
    stray_quotes,
)
from splitjoin_cli.split.outcome import (
    ALL_STATES,
    IDENTITY,
    NO_OFFSET,
    PLAIN_STATES,
    WITHIN,
    BlockIndex,
    Defect,
    Kind,
    Outcome,
    State,
    combine,
    join,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.model import Dialect
    from splitjoin_cli.split.masks import Bytes, Offsets, Words

__all__ = [
    "IDENTITY",
    "NO_OFFSET",
    "Alphabet",
    "BlockIndex",
    "BlockScanner",
    "Defect",
    "Kind",
    "Outcome",
    "State",
    "combine",
    "join",
]


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The dialect as bytes; ``literal``: a stray quote is data, as the csv module has it, instead of a defect."""

    delimiter: int
    quote: int | None
    escape: int | None
    literal: bool = False

    @classmethod
    def of(cls, dialect: Dialect, *, literal: bool = False) -> Alphabet:
        """The bytes of a dialect's characters."""
        quote, escape = dialect.quotechar, dialect.escapechar
        return cls(
            ord(dialect.delimiter),
            None if quote is None else ord(quote),
            None if escape is None else ord(escape),
            literal,
        )


class BlockScanner:
    """Scans blocks of up to ``block_bytes`` bytes with buffers that it uses again. It belongs to one thread."""

    def __init__(self, alphabet: Alphabet, block_bytes: int) -> None:
        """``block_bytes``: the largest block, in bytes; some MiB, so that threads seldom wait for the GIL."""
        self._alphabet = alphabet
        self._mends = alphabet.literal and alphabet.quote is not None
        self._reader = MaskReader(block_bytes)
        self._block: Bytes | None = None
        self._plain: Masks | None = None  # of self._block, unless it starts behind an escape character
        self._located: dict[State, Masks] = {}  # of self._block, by the state it starts in, stray quotes mended

    def scan(self, block: Bytes, *, every_state: bool = False) -> BlockIndex:
        """Index one block (uint8[n], n >= 1): one pass over its bytes, whatever it starts in.

        Without ``every_state`` only the likely outcomes, those of a start outside quotes, are read off the masks, and
        the others are None: ``outcome`` reads them off the same masks, while ``block`` is the last one scanned.
        """
        self._block, self._plain, self._located = block, None, {}
        if every_state:
            states = PLAIN_STATES if self._alphabet.escape is None else ALL_STATES
            known = {state: self.outcome(block, state) for state in states}
            return BlockIndex(len(block), tuple(known.get(state) for state in ALL_STATES))
        masks = self._plain = self._read(block)
        outside = self._one(masks, quoted=False)
        if self._mends and _breaks_quoting(outside):
            outside = self.outcome(block, State.FIELD)
        outcomes: list[Outcome | None] = [None] * len(ALL_STATES)
        for state, outcome in zip(PLAIN_STATES, _entered(outside, masks), strict=False):
            mends = self._mends and _breaks_quoting(outcome)
            outcomes[state] = self._mended_edge(outside, block, masks, state) if mends else outcome
        return BlockIndex(len(block), tuple(outcomes))

    def outcome(self, block: Bytes, state: State) -> Outcome:
        """The outcome of one block (uint8[n], n >= 1) that starts in ``state``."""
        if self._block is not block:
            self._block, self._plain, self._located = block, None, {}
        if state in (State.ESCAPED, State.ESCAPED_QUOTED):
            masks = self._read(block, first_is_data=True)
        else:
            masks = self._plain = self._plain or self._read(block)
        outcome = self._alone(masks, state)
        if self._mends and _breaks_quoting(outcome):
            masks = self._mended(block, masks, state)
            outcome = self._alone(masks, state, quotes_are_true=True)
        self._located[state] = masks
        return outcome

    def ends(self, block: Bytes, state: State) -> Offsets:
        """int64[records]: the offset just after each record end of the block, which starts in ``state``."""
        masks = self._masks_from(block, state)
        return offsets(masks.keep_outside(masks.feeds, quoted=state in WITHIN)) + 1

    def delimiters_before(self, block: Bytes, state: State, places: Sequence[int] | Offsets) -> Offsets:
        """int64[len(places)]: the delimiters outside quotes before each offset of a block that starts in ``state``."""
        masks = self._masks_from(block, state)
        mask = masks.keep_outside(masks.delimiters, quoted=state in WITHIN)
        sums = np.zeros(len(mask) + 1, np.int64)
        np.cumsum(np.bitwise_count(mask), out=sums[1:])
        padded = np.append(mask, np.uint64(0))
        at = np.asarray(places, np.int64)
        words, bits = at >> 6, (at & 63).astype(np.uint64)
        before: Offsets = sums[words] + np.bitwise_count(padded[words] & ((ONE << bits) - ONE))
        return before

    def last_opening(self, block: Bytes, state: State) -> int:
        """The offset of the last quote that opens a field in the block, which starts in ``state``; NO_OFFSET: none."""
        masks = self._masks_from(block, state)
        if masks.quotes is None or masks.outside is None:
            return NO_OFFSET
        outside = ~masks.outside if state in WITHIN else masks.outside
        openings = masks.quotes & ~outside & ~later(masks.quotes & outside)
        if state == State.CLOSED:  # a quote on the first byte doubles the one before the block
            openings[0] &= ~ONE
        return last_bit(openings)

    def _masks_from(self, block: Bytes, state: State) -> Masks:
        if self._block is not block or state not in self._located:
            self.outcome(block, state)
        return self._located[state]

    def _read(self, block: Bytes, *, first_is_data: bool = False) -> Masks:
        """The masks of a block; with ``first_is_data`` its first byte counts as data, whatever it is."""
        alphabet, reader = self._alphabet, self._reader
        wanted = (alphabet.quote, CR, LF, alphabet.delimiter)
        quotes, returns, feeds, delimiters = reader.of_bytes(block, wanted, aside=first_is_data)
        feeds = nothing(len(block)) if feeds is None else feeds
        delimiters = nothing(len(block)) if delimiters is None else delimiters
        pending = False
        if first_is_data or (alphabet.escape is not None and occurs(block, alphabet.escape)):
            data, pending = reader.of_escaped(block, alphabet.escape, first_is_data=first_is_data)
            np.invert(data, out=data)
            for mask in (quotes, returns, feeds, delimiters):
                if mask is not None:
                    np.bitwise_and(mask, data, out=mask)
        out = reader.keep(len(wanted), len(block), aside=first_is_data)
        outside = None if quotes is None else outside_of(quotes, reader.scratch, out)
        return Masks(len(block), quotes, feeds, delimiters, returns, outside, pending)

    def _masks(
        self,
        size: int,
        quotes: Words | None,
        feeds: Words,
        delimiters: Words,
        returns: Words | None,
        *,
        escape_pending: bool,
    ) -> Masks:
        outside = None if quotes is None else outside_of(quotes, self._reader.scratch)
        return Masks(size, quotes, feeds, delimiters, returns, outside, escape_pending)

    def _mended_edge(self, outside: Outcome, block: Bytes, masks: Masks, state: State) -> Outcome:
        """``outside`` (mended) for a block whose first byte alone breaks quoting when it starts in ``state``.

        Data right behind a closing quote changes nothing else in the block; a quote in a field, or an escape
        character behind a closing quote, changes what follows it.
        """
        if state == State.CLOSED and self._alphabet.escape is None and not holds(masks.quotes, 0):
            return outside
        return self.outcome(block, state)

    def _mended(self, block: Bytes, masks: Masks, state: State) -> Masks:
        """The masks with only those quotes left that open, close or double: the csv module's reading of a stray one."""
        alphabet, reader = self._alphabet, self._reader
        if alphabet.quote is not None and alphabet.escape is not None:
            machine = literal.Machine(alphabet.delimiter, alphabet.quote, alphabet.escape)
            found = machine.run(block.tobytes(), state)
            quotes, feeds, delimiters, returns = (
                reader.of_offsets(np.asarray(places, np.int64), len(block)) for places in found[:4]
            )
            return self._masks(len(block), quotes, feeds, delimiters, returns, escape_pending=found.escape_pending)
        if masks.quotes is None:  # only a start behind a closing quote can break quoting without a quote in the block
            return masks
        true = literal.true_quotes(offsets(masks.quotes), masks.feeds | masks.delimiters, state)
        quotes = reader.of_offsets(true, masks.size)
        return self._masks(masks.size, quotes, masks.feeds, masks.delimiters, masks.returns, escape_pending=False)

    def _alone(self, masks: Masks, state: State, *, quotes_are_true: bool = False) -> Outcome:
        """The outcome of one start state; ``quotes_are_true``: stray quotes were taken out of the masks."""
        quoted = state in WITHIN
        outcome = self._one(masks, quoted=quoted, quotes_are_true=quotes_are_true)
        if quoted or state in (State.ESCAPED, State.FIELD) or (quotes_are_true and state != State.RETURNED):
            return outcome
        return _entered(outcome, masks)[state]

    def _one(self, masks: Masks, *, quoted: bool, quotes_are_true: bool = False) -> Outcome:
        """The outcome of a start inside (``quoted``) or outside quotes, whatever comes before."""
        scratch = self._reader.scratch
        if quoted and masks.outside is None:
            return Outcome(_end(masks, quoted=True), 0, NO_OFFSET, NO_OFFSET, 0, 0, 0, None)
        strays = None if quotes_are_true else stray_quotes(masks, scratch, quoted=quoted)
        crlf, lone = self._returns(masks, quoted=quoted)
        feeds = masks.keep_outside(masks.feeds, quoted=quoted, out=scratch.words(0, masks.feeds))
        delimiters = masks.keep_outside(masks.delimiters, quoted=quoted, out=scratch.words(1, masks.feeds))
        first, last = first_bit(feeds), last_bit(feeds)
        count = scratch.count(delimiters)
        stray: Defect | None = None
        if strays is not None:
            offset = first_bit(strays)
            stray = Defect(offset, Kind.CLOSING if masks.is_outside(offset, quoted=quoted) else Kind.OPENING)
        return Outcome(
            end=_end(masks, quoted=quoted),
            records=scratch.count(feeds),
            first_end=first + 1 if first != NO_OFFSET else NO_OFFSET,
            last_end=last + 1 if last != NO_OFFSET else NO_OFFSET,
            crlf=crlf,
            delimiters=count,
            tail=count_from(delimiters, last + 1) if last != NO_OFFSET else count,
            defect=min((defect for defect in (stray, lone) if defect is not None), default=None),
        )

    def _returns(self, masks: Masks, *, quoted: bool) -> tuple[int, Defect | None]:
        """How many CRs outside quotes have their LF in the block, and the first one that has none."""
        if masks.returns is None:
            return 0, None
        scratch = self._reader.scratch
        carry, pairs = scratch.words(0, masks.feeds), scratch.words(1, masks.feeds)
        outside = masks.keep_outside(masks.returns, quoted=quoted, out=scratch.words(2, masks.feeds))
        earlier(masks.feeds, pairs, carry)
        pairs &= outside
        crlf = scratch.count(pairs)
        if not scratch.differ(pairs, outside):
            return crlf, None
        pairs ^= outside
        offset = first_bit(pairs)
        # Behind the last byte an LF may still come.
        return crlf, None if offset == masks.size - 1 else Defect(offset, Kind.LONE_CR)


def _breaks_quoting(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.defect is not None and outcome.defect.kind != Kind.LONE_CR


def _end(masks: Masks, *, quoted: bool) -> State:
    """The state after the block's last byte."""
    last = masks.size - 1
    outside = masks.is_outside(last, quoted=quoted)
    if masks.escape_pending:
        return State.ESCAPED if outside else State.ESCAPED_QUOTED
    if not outside:
        return State.QUOTED
    if holds(masks.quotes, last):
        return State.CLOSED
    if holds(masks.feeds, last) or holds(masks.delimiters, last):
        return State.FIELD
    return State.RETURNED if holds(masks.returns, last) else State.DATA


def _entered(outside: Outcome, masks: Masks) -> tuple[Outcome, Outcome, Outcome, Outcome]:
    """``outside`` (a start in a FIELD) as it is when the block starts in FIELD, DATA, CLOSED and RETURNED."""
    quote, feed = holds(masks.quotes, 0), holds(masks.feeds, 0)
    data = outside._replace(defect=Defect(0, Kind.OPENING)) if quote else outside
    follows = quote or feed or holds(masks.delimiters, 0) or holds(masks.returns, 0)
    closed = outside if follows else outside._replace(defect=Defect(-1, Kind.CLOSING))
    returned = outside._replace(crlf=outside.crlf + 1) if feed else outside._replace(defect=Defect(-1, Kind.LONE_CR))
    return outside, data, closed, returned
