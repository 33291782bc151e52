"""Bit masks over a block of bytes, one bit a byte: made by compare + packbits, then shifted, counted and searched.

Bit i of word w is byte 64 w + i. Numpy releases the GIL in each step. The method is that of Langdale & Lemire, "Parsing
Gigabytes of JSON per Second" (VLDB Journal 2019).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from splitjoin_cli.splitting.records.outcome import NO_OFFSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.uint64]
    Offsets = NDArray[np.int64]

WORD_BITS = 64
ONE = np.uint64(1)
_ALL_BITS = (1 << WORD_BITS) - 1
_TOP = np.uint64(63)
_SHIFTS = tuple(np.uint64(1 << k) for k in range(6))
SLICE_BYTES = 512 * 1024  # with its flags, it stays in the cache of a core
_NEAR_WORDS = 16  # a record end is seldom further from a block's edge than 1 KiB: look there first


class Scratch:
    """Word buffers for what lies between two steps: memory allocated anew faults page by page, slower than a step."""

    __slots__ = ("_bytes", "_flags", "_words")

    def __init__(self, words: int) -> None:
        """``words``: of the largest mask."""
        self._words = np.zeros((3, words), np.uint64)
        self._bytes = np.empty(words, np.uint8)
        self._flags = np.empty(words, np.bool_)

    def words(self, number: int, mask: Words) -> Words:
        """One of the three buffers, as long as ``mask``."""
        return self._words[number, : len(mask)]

    def count(self, mask: Words) -> int:
        """How many bits are set."""
        counts = np.bitwise_count(mask, out=self._bytes[: len(mask)])
        return int(np.add.reduce(counts, dtype=np.uint32))

    def differ(self, left: Words, right: Words) -> bool:
        """Whether two masks differ."""
        return bool(np.not_equal(left, right, out=self._flags[: len(left)]).any())

    def odd(self, mask: Words) -> NDArray[np.bool_]:
        """bool[words]: whether the top bit of each word is set."""
        return np.less(mask.view(np.int64), 0, out=self._flags[: len(mask)])


@dataclass(slots=True)
class Masks:
    """The masks of one block of ``size`` bytes; bits past it are 0 (in ``outside``: anything). None: no such byte.

    ``outside``: the bytes not between quotes, if the block starts outside quotes: an opening quote is not in it, its
    closing quote is. ``escape_pending``: the block's last byte is an escape character that escapes the byte after it.
    """

    size: int
    quotes: Words | None
    feeds: Words
    delimiters: Words
    returns: Words | None
    outside: Words | None
    escape_pending: bool = False

    def keep_outside(self, mask: Words, *, quoted: bool, out: Words | None = None) -> Words:
        """Those of ``mask`` outside quotes, when the block starts inside (``quoted``) or outside of them."""
        if self.outside is None:
            return np.zeros_like(mask) if quoted else mask
        kept = np.bitwise_and(mask, self.outside, out=out)
        return np.bitwise_xor(mask, kept, out=kept) if quoted else kept

    def is_outside(self, offset: int, *, quoted: bool) -> bool:
        """Whether the byte at ``offset`` is outside quotes, an opening quote being inside and a closing one outside."""
        return (self.outside is None or holds(self.outside, offset)) != quoted


_memchr = ctypes.CDLL(None).memchr
_memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
_memchr.restype = ctypes.c_void_p


def occurs(block: Bytes, byte: int) -> bool:
    """Whether a byte occurs: the C library's memchr, at tens of GB/s, so that masks nobody needs are not made."""
    return _memchr(block.ctypes.data, byte, block.size) is not None


def nothing(size: int) -> Words:
    """The mask over ``size`` bytes with no bit set."""
    return np.zeros(-(-size // WORD_BITS), np.uint64)


def holds(mask: Words | None, offset: int) -> bool:
    """Whether the bit at ``offset`` is set."""
    return mask is not None and bool(int(mask[offset >> 6]) >> (offset & 63) & 1)


def first_bit(mask: Words) -> int:
    """The offset of the first set bit, NO_OFFSET if there is none."""
    for word in range(min(_NEAR_WORDS, len(mask))):
        if bits := int(mask[word]):
            return word * WORD_BITS + (bits & -bits).bit_length() - 1
    words = np.flatnonzero(mask)
    if not len(words):
        return NO_OFFSET
    bits = int(mask[words[0]])
    return int(words[0]) * WORD_BITS + (bits & -bits).bit_length() - 1


def last_bit(mask: Words) -> int:
    """The offset of the last set bit, NO_OFFSET if there is none."""
    for word in range(len(mask) - 1, max(-1, len(mask) - 1 - _NEAR_WORDS), -1):
        if bits := int(mask[word]):
            return word * WORD_BITS + bits.bit_length() - 1
    words = np.flatnonzero(mask)
    return NO_OFFSET if not len(words) else int(words[-1]) * WORD_BITS + int(mask[words[-1]]).bit_length() - 1


def count_from(mask: Words, offset: int) -> int:
    """How many bits are set at ``offset`` and after."""
    word, bit = divmod(offset, WORD_BITS)
    if word >= len(mask):
        return 0
    return (int(mask[word]) >> bit).bit_count() + int(np.bitwise_count(mask[word + 1 :]).sum(dtype=np.int64))


def offsets(mask: Words) -> Offsets:
    """int64[bits set]: their offsets, ascending."""
    words = np.flatnonzero(mask)
    if len(words) * 2 > len(mask):
        return np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little").view(np.bool_))
    found = np.flatnonzero(np.unpackbits(mask[words].view(np.uint8), bitorder="little").view(np.bool_))
    places: Offsets = (words[found >> 6] << 6) + (found & 63)
    return places


def later(mask: Words, out: Words | None = None, carry: Words | None = None) -> Words:
    """Each bit moved to the byte after it (a mask of "the byte before me is in ``mask``"), 0 coming in."""
    moved = np.left_shift(mask, ONE, out=out)
    moved[1:] |= np.right_shift(mask[:-1], _TOP, out=None if carry is None else carry[1:])
    return moved


def earlier(mask: Words, out: Words | None = None, carry: Words | None = None) -> Words:
    """Each bit moved to the byte before it (a mask of "the byte after me is in ``mask``"), 0 coming in."""
    moved = np.right_shift(mask, ONE, out=out)
    moved[:-1] |= np.left_shift(mask[1:], _TOP, out=None if carry is None else carry[1:])
    return moved


def outside_of(quotes: Words, scratch: Scratch, out: Words | None = None) -> Words:
    """The bytes not between quotes, if the first byte is outside of them: the inverted prefix-xor of ``quotes``.

    Within words by six shifts (Langdale & Lemire 2019, section 3.1.1 does it by a carry-less multiplication), then the
    same over the words' parities as one large number, so that no word is walked one by one.
    """
    outside = np.bitwise_or(quotes, np.uint64(0), out=out)
    moved = scratch.words(0, quotes)
    for shift in _SHIFTS:
        np.left_shift(outside, shift, out=moved)
        np.bitwise_xor(outside, moved, out=outside)
    words = len(quotes)
    whole = (1 << words) - 1
    parities = int.from_bytes(np.packbits(scratch.odd(outside), bitorder="little").tobytes(), "little")
    shift_bits = 1
    while shift_bits < words:
        parities ^= (parities << shift_bits) & whole
        shift_bits *= 2
    starts_outside = ~(parities << 1) & whole  # bit w: word w starts outside quotes
    flips = np.frombuffer(starts_outside.to_bytes(-(-words // 8), "little"), np.uint8)
    signs = np.negative(np.unpackbits(flips, count=words, bitorder="little").view(np.int8))
    np.copyto(moved.view(np.int64), signs)  # 0 or all ones, sign extended
    return np.bitwise_xor(outside, moved, out=outside)


def stray_quotes(masks: Masks, scratch: Scratch, *, quoted: bool) -> Words | None:
    """The quotes in illegal places, None if there are none; the block's edges are left to the states around it.

    A quote may not stand beside a byte of data that is outside quotes: what stands before an opening quote must be a
    delimiter, a record end or a quote (its pair), and so must, or a CR, what stands after a closing one. (A CR before
    an opening quote is a lone CR, and that is found first.)
    """
    quotes, outside = masks.quotes, masks.outside
    if quotes is None or outside is None:
        return None
    if quoted:
        outside = ~outside
    beside, other, carry = (scratch.words(number, quotes) for number in range(3))
    later(quotes, beside, carry)
    beside |= earlier(quotes, other, carry)
    beside &= outside
    allowed = np.bitwise_or(masks.feeds, masks.delimiters, out=other)
    allowed |= quotes
    if masks.returns is not None:
        allowed |= masks.returns
    if masks.size % WORD_BITS:
        allowed[-1] |= np.uint64(_ALL_BITS << (masks.size % WORD_BITS) & _ALL_BITS)
    beside |= allowed
    if not scratch.differ(beside, allowed):
        return None
    beside ^= allowed
    return quotes & (later(beside) | earlier(beside))


class MaskReader:
    """Makes masks of blocks of up to ``block_bytes`` bytes, with buffers that it uses again."""

    def __init__(self, block_bytes: int) -> None:
        """``block_bytes``: the largest block."""
        self._max_words = -(-block_bytes // WORD_BITS)
        self._flags = np.zeros(min(self._max_words * WORD_BITS, SLICE_BYTES), np.bool_)
        self._kept: dict[tuple[bool, int], Words] = {}
        self.scratch = Scratch(self._max_words)

    def keep(self, number: int, size: int, *, aside: bool) -> Words:
        """The buffer ``number`` of those that hold a block's masks, for ``size`` bytes; ``aside``: of another set."""
        kept = self._kept.get((aside, number))
        if kept is None:
            kept = self._kept[aside, number] = np.zeros(self._max_words, np.uint64)
        return kept[: -(-size // WORD_BITS)]

    def of_bytes(self, block: Bytes, wanted: Sequence[int | None], *, aside: bool) -> list[Words | None]:
        """For each wanted byte, where it is; None if there is no such byte in the block, or None was asked for.

        The masks lie in this reader's buffers, until the next call with the same ``aside``.
        Slice by slice, so that the bytes come from the core's cache for all masks but the first; the masks are
        whole, since steps over few words would spend their time on taking and giving back the GIL.
        """
        size = len(block)
        masks: list[Words | None] = [None] * len(wanted)
        for start in range(0, size, SLICE_BYTES):
            part = block[start : start + SLICE_BYTES]
            words = -(-len(part) // WORD_BITS)
            flags = self._flags[: words * WORD_BITS]
            flags[len(part) :] = False
            for number, byte in enumerate(wanted):
                if byte is None or not occurs(part, byte):
                    continue
                mask = masks[number]
                if mask is None:
                    mask = masks[number] = self.keep(number, size, aside=aside)
                    mask[:] = 0
                np.equal(part, np.uint8(byte), out=flags[: len(part)])
                first = start // WORD_BITS
                mask[first : first + words] = np.packbits(flags, bitorder="little").view(np.uint64)
        return masks

    def of_offsets(self, places: Offsets, size: int) -> Words:
        """The mask over ``size`` bytes with the bits at ``places`` set."""
        flags = np.zeros(-(-size // WORD_BITS) * WORD_BITS, np.bool_)
        flags[places] = True
        return np.packbits(flags, bitorder="little").view(np.uint64)

    def of_escaped(self, block: Bytes, escape: int | None, *, first_is_data: bool) -> tuple[Words, bool]:
        """The bytes behind an active escape character, and whether the byte after the block is one.

        In a run of escape characters every other one is active, counted from the run's first. With ``first_is_data``
        the block's first byte is behind one.
        """
        size = len(block)
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
        return self.of_offsets(data, size), pending
