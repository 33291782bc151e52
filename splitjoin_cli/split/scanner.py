"""Finds the records of a block of CSV bytes, for every state the block may start in, by bit masks over numpy.

A block becomes a ``BlockIndex``: for each state its first byte may find the parser in, an ``Outcome`` (the state after
it, record ends, delimiters, the first place that breaks the rules). Indexes of neighbouring blocks ``combine`` into one of the
same shape, associatively, with ``IDENTITY``: they form a monoid, so blocks are scanned in any order on any number of
threads, processes or machines and put together from the left.

The masks (one bit a byte: quotes, line feeds, delimiters) are made by compare + packbits; a prefix-xor over the quote
bits marks every byte between quotes. The method is that of Langdale & Lemire, "Parsing Gigabytes of JSON per Second" (VLDB
Journal 2019); both start states at once, of Ge et al., "Speculative Distributed CSV Data Parsing for Big Data Analytics" (SIGMOD 2019).
Numpy releases the GIL in each step. What a record is, is the csv module's answer (``csv.reader`` over utf-8-sig, ``strict`` off),
except that a CR outside quotes must stand before an LF.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from splitjoin_cli.model import CR, LF
from splitjoin_cli.split import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from splitjoin_cli.model import Dialect

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.uint64]
    Offsets = NDArray[np.int64]

WORD_BITS = 64
NO_OFFSET = -1
_NEAR_WORDS = 16  # a record end is seldom further from a block's edge than 1 KiB: look there first
_ONE = np.uint64(1)
_TOP = np.uint64(63)
_ZERO = np.uint64(0)
_SHIFTS = tuple(np.uint64(1 << k) for k in range(6))


class State(IntEnum):
    """What the parser is in when a byte comes. The comment says what a quote would be there."""

    FIELD = 0  # at the start of a field: an opening quote
    DATA = 1  # inside a field without quotes: a stray quote
    CLOSED = 2  # right after a closing quote: the second of a doubled quote
    RETURNED = 3  # right after a CR outside quotes: only LF may come
    QUOTED = 4  # inside quotes: a closing quote
    ESCAPED = 5  # after the escape character, outside quotes: data
    ESCAPED_QUOTED = 6  # after the escape character, inside quotes: data


PLAIN_STATES = (State.FIELD, State.DATA, State.CLOSED, State.RETURNED, State.QUOTED)
ALL_STATES = tuple(State)


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
    ``crlf`` of the ``records`` ends are CR LF; ``delimiters`` are those outside quotes, ``tail`` those of them after the last end.
    """

    end: State
    records: int
    first_end: int
    last_end: int
    crlf: int
    delimiters: int
    tail: int
    defect: Defect | None


@dataclass(frozen=True, slots=True)
class BlockIndex:
    """One block's (or run of blocks') outcomes by start state; None: ask ``BlockScanner.outcome`` with the bytes."""

    size: int
    outcomes: tuple[Outcome | None, ...]


def _nothing(state: State) -> Outcome:
    return Outcome(state, 0, NO_OFFSET, NO_OFFSET, 0, 0, 0, None)


IDENTITY = BlockIndex(0, tuple(_nothing(state) for state in ALL_STATES))


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
    """Two neighbouring blocks as one. Associative; IDENTITY is neutral. An outcome not known on either side stays unknown."""
    joined: list[Outcome | None] = []
    for outcome in left.outcomes:
        follow = None if outcome is None else right.outcomes[outcome.end]
        joined.append(None if outcome is None or follow is None else join(outcome, left.size, follow))
    return BlockIndex(left.size + right.size, tuple(joined))


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


class Masks:
    """The bit masks of one block: bit i of word w is byte 64 w + i. ``None``: no such byte in the block.

    ``inside``: the bytes between quotes, the opening quote included, if the block starts outside quotes.
    ``escape_pending``: the block's last byte is an escape character that escapes the byte after the block.
    """

    __slots__ = ("delimiters", "escape_pending", "feeds", "inside", "quotes", "returns", "size")

    def __init__(self, size: int, quotes: Words | None, feeds: Words, delimiters: Words, returns: Words | None) -> None:
        """``size``: bytes in the block; bits past it are 0 (in ``inside``: anything)."""
        self.size = size
        self.quotes = quotes
        self.feeds = feeds
        self.delimiters = delimiters
        self.returns = returns
        self.inside = None if quotes is None else prefix_xor(quotes)
        self.escape_pending = False

    def holds(self, mask: Words | None, offset: int) -> bool:
        """Whether the byte at ``offset`` is in ``mask``."""
        return mask is not None and bool(int(mask[offset >> 6]) >> (offset & 63) & 1)

    def outside(self, mask: Words, *, quoted: bool) -> Words:
        """Those of ``mask`` outside quotes, when the block starts inside (``quoted``) or outside of them."""
        if self.inside is None:
            return np.zeros_like(mask) if quoted else mask
        kept = mask & self.inside
        return kept if quoted else np.bitwise_xor(mask, kept, out=kept)

    def end(self, *, quoted: bool) -> State:
        """The state after the block's last byte."""
        last = self.size - 1
        within = self.holds(self.inside, last) != quoted
        if self.escape_pending:
            return State.ESCAPED_QUOTED if within else State.ESCAPED
        if within:
            return State.QUOTED
        if self.holds(self.quotes, last):
            return State.CLOSED
        if self.holds(self.feeds, last) or self.holds(self.delimiters, last):
            return State.FIELD
        return State.RETURNED if self.holds(self.returns, last) else State.DATA


_memchr = ctypes.CDLL(None).memchr
_memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
_memchr.restype = ctypes.c_void_p


def _occurs(block: Bytes, byte: int) -> bool:
    """Whether a byte occurs: the C library's memchr, at tens of GB/s, so that masks nobody needs are not made."""
    return _memchr(block.ctypes.data, byte, block.size) is not None


def _count(mask: Words) -> int:
    return int(np.bitwise_count(mask).sum(dtype=np.int64))


def _first_bit(mask: Words) -> int:
    """The offset of the first set bit, NO_OFFSET if there is none."""
    for word in range(min(_NEAR_WORDS, len(mask))):
        bits = int(mask[word])
        if bits:
            return word * WORD_BITS + (bits & -bits).bit_length() - 1
    words = np.flatnonzero(mask)
    if not len(words):
        return NO_OFFSET
    bits = int(mask[words[0]])
    return int(words[0]) * WORD_BITS + (bits & -bits).bit_length() - 1


def _last_bit(mask: Words) -> int:
    """The offset of the last set bit, NO_OFFSET if there is none."""
    for word in range(len(mask) - 1, max(-1, len(mask) - 1 - _NEAR_WORDS), -1):
        bits = int(mask[word])
        if bits:
            return word * WORD_BITS + bits.bit_length() - 1
    words = np.flatnonzero(mask)
    return NO_OFFSET if not len(words) else int(words[-1]) * WORD_BITS + int(mask[words[-1]]).bit_length() - 1


def _after(mask: Words, offset: int) -> int:
    """How many bits are set at ``offset`` and after."""
    word, bit = divmod(offset, WORD_BITS)
    if word >= len(mask):
        return 0
    return (int(mask[word]) >> bit).bit_count() + _count(mask[word + 1 :])


def _bits(mask: Words) -> Offsets:
    """The offsets of all set bits, ascending."""
    return np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))


def _later(mask: Words) -> Words:
    """Each bit moved to the byte after it (a mask of "the byte before me is in ``mask``"), 0 coming in."""
    moved = mask << _ONE
    moved[1:] |= mask[:-1] >> _TOP
    return moved


def _earlier(mask: Words) -> Words:
    """Each bit moved to the byte before it (a mask of "the byte after me is in ``mask``"), 0 coming in."""
    moved = mask >> _ONE
    moved[:-1] |= mask[1:] << _TOP
    return moved


def prefix_xor(mask: Words) -> Words:
    """Bit i of the answer is the xor of bits 0 to i of ``mask``: 1 from an opening quote up to before its closing one.

    Within words by six shifts (Langdale & Lemire 2019, section 3.1.1 does it by a carry-less multiplication), then the same
    over the words' parities, packed to words themselves, so that only 1/4096 of the bytes is walked one by one.
    """
    inside = mask.copy()
    scratch = np.empty_like(mask)
    for shift in _SHIFTS:
        np.left_shift(inside, shift, out=scratch)
        np.bitwise_xor(inside, scratch, out=inside)
    words = len(mask)
    parities = np.zeros(-(-words // WORD_BITS) * WORD_BITS, np.bool_)
    np.greater(inside.view(np.int64)[:-1], -1, out=parities[1:words])  # the top bit is the word's parity
    np.logical_not(parities[1:words], out=parities[1:words])
    packed = np.packbits(parities, bitorder="little").view(np.uint64)
    for shift in _SHIFTS:
        packed = packed ^ (packed << shift)
    carry = np.bitwise_xor.accumulate(packed >> _TOP)
    packed[1:] ^= _ZERO - carry[:-1]
    flips = np.unpackbits(packed.view(np.uint8), count=words, bitorder="little").astype(np.uint64)
    np.negative(flips, out=flips)
    np.bitwise_xor(inside, flips, out=inside)
    return inside


class BlockScanner:
    """Scans blocks of up to ``block_bytes`` bytes with buffers that it uses again. One scanner belongs to one thread."""

    def __init__(self, alphabet: Alphabet, block_bytes: int) -> None:
        """``block_bytes``: the largest block, in bytes; 256 KiB to 1 MiB stay in the cache of a core."""
        self._alphabet = alphabet
        self._mends = alphabet.literal and alphabet.quote is not None
        self._flags = np.zeros(-(-block_bytes // WORD_BITS) * WORD_BITS, np.bool_)
        self._block: Bytes | None = None
        self._plain: Masks | None = None  # of self._block, unless it starts behind an escape character
        self._located: dict[State, Masks] = {}  # of self._block, by the state it starts in, stray quotes mended

    def scan(self, block: Bytes, *, every_state: bool = False) -> BlockIndex:
        """Index one block (uint8[n], n >= 1): one pass over its bytes, whatever it starts in.

        Without ``every_state`` only the likely outcomes, those of a start outside quotes, are read off the masks, and
        the others are None: ``outcome`` reads them off the same masks, while ``block`` is the last one scanned.
        """
        masks = self._read(block)
        self._block, self._plain, self._located = block, masks, {}
        outcomes: list[Outcome | None] = [None] * len(ALL_STATES)
        outside = _one(masks, quoted=False)
        if self._mends and _breaks_quoting(outside):
            outside = self.outcome(block, State.FIELD)
        for state in PLAIN_STATES[:-1]:
            outcomes[state] = _entered(outside, masks, state)
            if self._mends and _breaks_quoting(outcomes[state]):
                outcomes[state] = self._mended_edge(outside, block, masks, state)
        if every_state:
            states = PLAIN_STATES if self._alphabet.escape is None else ALL_STATES
            for state in states:
                outcomes[state] = self.outcome(block, state)
        return BlockIndex(len(block), tuple(outcomes))

    def outcome(self, block: Bytes, state: State) -> Outcome:
        """The outcome of one block (uint8[n], n >= 1) that starts in ``state``."""
        if self._block is not block:
            self._block, self._plain, self._located = block, None, {}
        if state in (State.ESCAPED, State.ESCAPED_QUOTED):
            masks = self._read(block, first_is_data=True)
        else:
            masks = self._plain = self._plain or self._read(block)
        outcome = _alone(masks, state)
        if self._mends and _breaks_quoting(outcome):
            masks = self._mended(block, masks, state)
            outcome = _alone(masks, state, quotes_are_true=True)
        self._located[state] = masks
        return outcome

    def _mended_edge(self, outside: Outcome, block: Bytes, masks: Masks, state: State) -> Outcome:
        """``outside`` (mended) for a block whose first byte alone breaks quoting when it starts in ``state``.

        Data right behind a closing quote changes nothing else in the block; a quote in a field, or an escape
        character behind a closing quote, changes what follows it.
        """
        if state == State.CLOSED and self._alphabet.escape is None and not masks.holds(masks.quotes, 0):
            return outside
        return self.outcome(block, state)

    def ends(self, block: Bytes, state: State) -> Offsets:
        """int64[records]: the offset just after each record end of the block, which starts in ``state``."""
        masks = self._masks_from(block, state)
        return _bits(masks.outside(masks.feeds, quoted=state in _WITHIN)) + 1

    def delimiters_before(self, block: Bytes, state: State, offsets: Sequence[int] | Offsets) -> Offsets:
        """int64[len(offsets)]: for each offset, the delimiters outside quotes before it; the block starts in ``state``."""
        masks = self._masks_from(block, state)
        mask = masks.outside(masks.delimiters, quoted=state in _WITHIN)
        sums = np.zeros(len(mask) + 1, np.int64)
        np.cumsum(np.bitwise_count(mask), out=sums[1:])
        padded = np.append(mask, _ZERO)
        at = np.asarray(offsets, np.int64)
        words, bits = at >> 6, (at & 63).astype(np.uint64)
        return sums[words] + np.bitwise_count(padded[words] & ((_ONE << bits) - _ONE))

    def last_opening(self, block: Bytes, state: State) -> int:
        """The offset of the last quote that opens a field in the block, which starts in ``state``; NO_OFFSET: none."""
        masks = self._masks_from(block, state)
        if masks.quotes is None or masks.inside is None:
            return NO_OFFSET
        inside = ~masks.inside if state in _WITHIN else masks.inside
        return _last_bit(masks.quotes & inside & ~_later(masks.quotes & ~inside))

    def _masks_from(self, block: Bytes, state: State) -> Masks:
        if self._block is not block or state not in self._located:
            self.outcome(block, state)
        return self._located[state]

    def _mended(self, block: Bytes, masks: Masks, state: State) -> Masks:
        """The masks with only those quotes left that open, close or double: the csv module's reading of a stray one."""
        if self._alphabet.escape is not None:
            return self._mended_one_by_one(block, state)
        quotes = masks.quotes
        if quotes is None:  # only a start behind a closing quote can break quoting without a quote in the block
            return masks
        true = literal.true_quotes(_bits(quotes), masks.feeds | masks.delimiters, _LITERAL_START[state])
        mended = Masks(masks.size, self._pack_offsets(true, masks.size), masks.feeds, masks.delimiters, masks.returns)
        mended.escape_pending = masks.escape_pending
        return mended

    def _mended_one_by_one(self, block: Bytes, state: State) -> Masks:
        alphabet = self._alphabet
        assert alphabet.quote is not None
        assert alphabet.escape is not None
        machine = literal.Machine(alphabet.delimiter, alphabet.quote, alphabet.escape)
        found = machine.run(block.tobytes(), int(state))
        size = len(block)
        masks = Masks(
            size,
            self._pack_offsets(np.asarray(found.quotes, np.int64), size),
            self._pack_offsets(np.asarray(found.feeds, np.int64), size),
            self._pack_offsets(np.asarray(found.delimiters, np.int64), size),
            self._pack_offsets(np.asarray(found.returns, np.int64), size),
        )
        masks.escape_pending = found.escape_pending
        return masks

    def _read(self, block: Bytes, *, first_is_data: bool = False) -> Masks:
        """The masks of a block; with ``first_is_data`` its first byte counts as data, whatever it is."""
        alphabet = self._alphabet
        quotes = self._pack_if_any(block, alphabet.quote)
        returns = self._pack_if_any(block, CR)
        feeds = self._pack(block, LF)
        delimiters = self._pack(block, alphabet.delimiter)
        pending = False
        if first_is_data or (alphabet.escape is not None and _occurs(block, alphabet.escape)):
            data, pending = self._escaped(block, first_is_data=first_is_data)
            for mask in (quotes, returns, feeds, delimiters):
                if mask is not None:
                    mask &= ~data
        masks = Masks(len(block), quotes, feeds, delimiters, returns)
        masks.escape_pending = pending
        return masks

    def _escaped(self, block: Bytes, *, first_is_data: bool) -> tuple[Words, bool]:
        """The bytes behind an active escape character, and whether the byte after the block is one.

        In a run of escape characters every other one is active, counted from the run's first.
        """
        size, escape = len(block), self._alphabet.escape
        found = np.flatnonzero(block == escape) if escape is not None else np.empty(0, np.int64)
        if first_is_data and len(found) and found[0] == 0:
            found = found[1:]
        starts = np.ones(len(found), np.bool_)
        starts[1:] = np.diff(found) != 1
        order = np.arange(len(found))
        run_start = np.maximum.accumulate(np.where(starts, order, 0))
        behind = found[(order - run_start) % 2 == 0] + 1
        pending = bool(len(behind)) and int(behind[-1]) == size
        data = behind[:-1] if pending else behind
        if first_is_data:
            data = np.concatenate((np.zeros(1, np.int64), data))
        return self._pack_offsets(data, size), pending

    def _pack_if_any(self, block: Bytes, byte: int | None) -> Words | None:
        return self._pack(block, byte) if byte is not None and _occurs(block, byte) else None

    def _pack(self, block: Bytes, byte: int) -> Words:
        size = len(block)
        padded = -(-size // WORD_BITS) * WORD_BITS
        flags = self._flags[:padded]
        np.equal(block, np.uint8(byte), out=flags[:size])
        flags[size:] = False
        return np.packbits(flags, bitorder="little").view(np.uint64)

    def _pack_offsets(self, offsets: Offsets, size: int) -> Words:
        flags = self._flags[: -(-size // WORD_BITS) * WORD_BITS]
        flags[:] = False
        flags[offsets] = True
        return np.packbits(flags, bitorder="little").view(np.uint64)


_WITHIN = (State.QUOTED, State.ESCAPED_QUOTED)
_LITERAL_START = {
    State.FIELD: literal.CLOSED,  # a quote on the first byte opens, as after a closing quote it would reopen
    State.CLOSED: literal.CLOSED,
    State.DATA: literal.DATA,
    State.RETURNED: literal.DATA,
    State.ESCAPED: literal.DATA,
    State.QUOTED: literal.QUOTED,
    State.ESCAPED_QUOTED: literal.QUOTED,
}


def _breaks_quoting(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.defect is not None and outcome.defect.kind != Kind.LONE_CR


def _alone(masks: Masks, state: State, *, quotes_are_true: bool = False) -> Outcome:
    """The outcome of one start state; ``quotes_are_true``: stray quotes were taken out of the masks."""
    quoted = state in _WITHIN
    outcome = _one(masks, quoted=quoted, quotes_are_true=quotes_are_true)
    return outcome if quoted or (quotes_are_true and state != State.RETURNED) else _entered(outcome, masks, state)


def _strays(masks: Masks, *, quoted: bool) -> Words | None:
    """The quotes in illegal places, None if there are none.

    An opening quote must follow a delimiter, a record end or a quote (its pair); a closing one must stand before a
    delimiter, a line end or a quote. The block's edges are left to the state before and after it.
    """
    quotes, inside = masks.quotes, masks.inside
    if quotes is None or inside is None:
        return None
    around = masks.feeds | masks.delimiters
    around |= quotes
    after = _later(around)
    after[0] |= _ONE
    if masks.returns is not None:
        around |= masks.returns
    before = _earlier(around)
    last = masks.size - 1
    before[last >> 6] |= np.uint64(1 << (last & 63))
    # An opening quote is inside its own quotes: look at the byte before it; at the one after a closing quote.
    opening, closing = (before, after) if quoted else (after, before)
    opening ^= closing
    opening &= inside
    closing ^= opening
    strays = np.bitwise_and(quotes, np.invert(closing, out=closing), out=closing)
    return strays if strays.any() else None


def _one(masks: Masks, *, quoted: bool, quotes_are_true: bool = False) -> Outcome:
    strays = None if quotes_are_true else _strays(masks, quoted=quoted)
    feeds = masks.outside(masks.feeds, quoted=quoted)
    delimiters = masks.outside(masks.delimiters, quoted=quoted)
    first, last = _first_bit(feeds), _last_bit(feeds)
    count = _count(delimiters)
    crlf = 0 if masks.returns is None else _count(_later(masks.returns) & feeds)
    return Outcome(
        end=masks.end(quoted=quoted),
        records=_count(feeds),
        first_end=first + 1 if first != NO_OFFSET else NO_OFFSET,
        last_end=last + 1 if last != NO_OFFSET else NO_OFFSET,
        crlf=crlf,
        delimiters=count,
        tail=_after(delimiters, last + 1) if last != NO_OFFSET else count,
        defect=_defect(masks, strays, quoted=quoted),
    )


def _defect(masks: Masks, strays: Words | None, *, quoted: bool) -> Defect | None:
    defects = []
    if strays is not None:
        offset = _first_bit(strays)
        opening = masks.holds(masks.inside, offset) != quoted
        defects.append(Defect(offset, Kind.OPENING if opening else Kind.CLOSING))
    if masks.returns is not None:
        lone = masks.outside(masks.returns & ~_earlier(masks.feeds), quoted=quoted)
        offset = _first_bit(lone)
        if offset not in (NO_OFFSET, masks.size - 1):  # behind the last byte an LF may still come
            defects.append(Defect(offset, Kind.LONE_CR))
    return min(defects, default=None)


def _entered(outside: Outcome, masks: Masks, state: State) -> Outcome:
    """``outside`` (a start in a FIELD) as it is when the block starts in another state outside quotes."""
    quote, feed = masks.holds(masks.quotes, 0), masks.holds(masks.feeds, 0)
    if state == State.DATA and quote:
        return outside._replace(defect=Defect(0, Kind.OPENING))
    if state == State.RETURNED:
        return outside._replace(crlf=outside.crlf + 1) if feed else outside._replace(defect=Defect(-1, Kind.LONE_CR))
    follows = quote or feed or masks.holds(masks.delimiters, 0) or masks.holds(masks.returns, 0)
    if state == State.CLOSED and not follows:
        return outside._replace(defect=Defect(-1, Kind.CLOSING))
    return outside
