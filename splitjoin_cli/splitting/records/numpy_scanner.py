"""The block scanner by bit masks over numpy: where nothing is compiled, and for what the compiled one leaves to it.

A prefix-xor over the quotes' bits marks every byte between quotes (Langdale & Lemire, "Parsing Gigabytes of JSON per
Second", VLDB Journal 2019); both start states at once are of Ge et al., "Speculative Distributed CSV Data Parsing for
Big Data Analytics" (SIGMOD 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from splitjoin_cli.core.model import LF
from splitjoin_cli.splitting.records import literal
from splitjoin_cli.splitting.records.base import Alphabet, FieldCount
from splitjoin_cli.splitting.records.every_state import every_outcome
from splitjoin_cli.splitting.records.masks import (
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
from splitjoin_cli.splitting.records.outcome import (
    ALL_STATES,
    NO_OFFSET,
    PLAIN_STATES,
    WITHIN,
    BlockIndex,
    Defect,
    Kind,
    Outcome,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.records.masks import Bytes, Offsets, Words

__all__ = ["NumpyScanner"]


class NumpyScanner:
    """See BlockScanner."""

    def __init__(self, alphabet: Alphabet, block_bytes: int) -> None:
        """``block_bytes``: the largest block, in bytes; some MiB, so that threads seldom wait for the GIL."""
        self._alphabet = alphabet
        self._mends = alphabet.literal and alphabet.quote is not None
        self._reader = MaskReader(block_bytes)
        self._block: memoryview | None = None
        self._array = np.empty(0, np.uint8)  # of the same bytes
        self._plain: Masks | None = None  # of self._block, unless it starts behind an escape character
        self._located: dict[int, Masks] = {}  # of self._block, by the state it starts in, stray quotes mended

    def scan(self, block: memoryview, *, every_state: bool = False) -> BlockIndex:
        """See BlockScanner. The outcomes that are left out are read off the same masks, by ``outcome``."""
        if every_state:
            return every_outcome(self, self._alphabet, block)
        array = self._take(block)
        masks = self._plain = self._read(array)
        outside = self._one(masks, quoted=False)
        if self._mends and _breaks_quoting(outside):
            outside = self.outcome(block, State.FIELD)
        outcomes: list[Outcome | None] = [None] * len(ALL_STATES)
        for state, outcome in zip(PLAIN_STATES, _entered(outside, masks), strict=False):
            mends = self._mends and _breaks_quoting(outcome)
            outcomes[state] = self._mended_edge(outside, masks, state) if mends else outcome
        return BlockIndex(len(block), tuple(outcomes))

    def outcome(self, block: memoryview, state: int) -> Outcome:
        """See BlockScanner."""
        array = self._array if self._block is block else self._take(block)
        if state in (State.ESCAPED, State.ESCAPED_QUOTED):
            masks = self._read(array, first_is_data=True)
        else:
            masks = self._plain = self._plain or self._read(array)
        outcome = self._alone(masks, state)
        if self._mends and _breaks_quoting(outcome):
            masks = self._mended(array, masks, state)
            outcome = self._alone(masks, state, quotes_are_true=True)
        self._located[state] = masks
        return outcome

    def ends(self, block: memoryview, state: int, base: int = 0) -> memoryview:
        """See BlockScanner."""
        return (self._ends(block, state) + base).data

    def delimiters_before(self, block: memoryview, state: int, places: Sequence[int]) -> memoryview:
        """See BlockScanner."""
        return self._delimiters_before(block, state, np.asarray(places, np.int64)).data

    def first_ragged(self, block: memoryview, state: int, *, before: int, expected: int | None) -> FieldCount | None:
        """See BlockScanner."""
        ends = self._ends(block, state)
        if not len(ends):
            return None
        counts = np.diff(self._delimiters_before(block, state, ends), prepend=-before)
        wrong = np.flatnonzero(counts != (counts[0] if expected is None else expected))
        if not len(wrong):
            return None
        first = int(wrong[0])
        return FieldCount(int(ends[first - 1]) if first else NO_OFFSET, int(counts[first]))

    def last_opening(self, block: memoryview, state: int) -> int:
        """See BlockScanner."""
        masks = self._masks_from(block, state)
        if masks.quotes is None or masks.outside is None:
            return NO_OFFSET
        outside = ~masks.outside if state in WITHIN else masks.outside
        openings = masks.quotes & ~outside & ~later(masks.quotes & outside)
        if state == State.CLOSED:  # a quote on the first byte doubles the one before the block
            openings[0] &= ~ONE
        return last_bit(openings)

    def _take(self, block: memoryview) -> Bytes:
        self._block, self._plain, self._located = block, None, {}
        self._array = np.frombuffer(block, np.uint8)
        return self._array

    def _ends(self, block: memoryview, state: int) -> Offsets:
        """int64[records]: the offset just after each record end."""
        masks = self._masks_from(block, state)
        return offsets(masks.keep_outside(masks.feeds, quoted=state in WITHIN)) + 1

    def _delimiters_before(self, block: memoryview, state: int, places: Offsets) -> Offsets:
        """int64[len(places)]: the delimiters outside quotes before each place."""
        masks = self._masks_from(block, state)
        mask = masks.keep_outside(masks.delimiters, quoted=state in WITHIN)
        sums = np.zeros(len(mask) + 1, np.int64)
        np.cumsum(np.bitwise_count(mask), out=sums[1:])
        padded = np.append(mask, np.uint64(0))
        words, bits = places >> 6, (places & 63).astype(np.uint64)
        before: Offsets = sums[words] + np.bitwise_count(padded[words] & ((ONE << bits) - ONE))
        return before

    def _masks_from(self, block: memoryview, state: int) -> Masks:
        if self._block is not block or state not in self._located:
            self.outcome(block, state)
        return self._located[state]

    def _read(self, block: Bytes, *, first_is_data: bool = False) -> Masks:
        """The masks of a block; with ``first_is_data`` its first byte counts as data, whatever it is."""
        alphabet, reader = self._alphabet, self._reader
        wanted = (alphabet.quote, alphabet.ret, LF, alphabet.delimiter[0])
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

    def _mended_edge(self, outside: Outcome, masks: Masks, state: int) -> Outcome:
        """``outside`` (mended) for the block last taken, which breaks quoting by its first byte alone.

        Data right behind a closing quote changes nothing else in the block; a quote in a field, or an escape
        character behind a closing quote, changes what follows it.
        """
        if state == State.CLOSED and self._alphabet.escape is None and not holds(masks.quotes, 0):
            return outside
        assert self._block is not None  # noqa: S101 -- it is being scanned
        return self.outcome(self._block, state)

    def _mended(self, block: Bytes, masks: Masks, state: int) -> Masks:
        """The masks with only those quotes left that open, close or double: the csv module's reading of a stray one."""
        alphabet, reader = self._alphabet, self._reader
        if alphabet.quote is not None and alphabet.escape is not None:
            machine = literal.Machine(alphabet)
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

    def _alone(self, masks: Masks, state: int, *, quotes_are_true: bool = False) -> Outcome:
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
