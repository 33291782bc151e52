"""Tells the lines of a file that are no records: blank ones, and the header once more."""

from __future__ import annotations

from array import array
from itertools import compress, pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

from splitjoin_cli.core.model import BYTE_ORDER_MARK, CR
from splitjoin_cli.core.native import Bytes
from splitjoin_cli.splitting.records.open import own_kernel
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.native import Kernel
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner, FieldCount

__all__ = ["BLANK", "RECORD", "REPEATED", "LineCount", "LineSorter", "Skipped", "Skips", "Sorted", "header_text"]

RECORD, BLANK, REPEATED = range(3)
_ARE = tuple(bytes(number == kind for number in range(256)) for kind in (RECORD, BLANK, REPEATED))
_ARE_NOT_BLANK = bytes(number != BLANK for number in range(256))
_SPACE, _TAB = 1, 2


class Sorted(NamedTuple):
    """The ends of a block's lines, by what they are, ascending. ``solid``: of those that are not blank."""

    records: array[int]
    solid: array[int]
    blanks: array[int]
    repeated: array[int]


class Skips(NamedTuple):
    """Which lines are no records: ``blanks``, ``repeats`` of the header. ``solid``: a chunk may end with the latter."""

    blanks: bool
    repeats: bool
    solid: bool


class Skipped(NamedTuple):
    """Lines of a range that are no records. ``last``: the last end that a chunk may have, from the range's start."""

    blanks: int = 0
    repeated: int = 0
    last: int = NO_OFFSET


class LineSorter:
    """Takes blocks in order, with the record ends that a scanner found in them, and sorts their lines.

    Blank: nothing before the line end but spaces and tabs that are not the delimiter's. Repeated: the bytes of the
    header, but for the line end. What is in quotes is no line of its own: the scanner finds no end there.
    """

    def __init__(self, alphabet: Alphabet, *, blanks: bool, header: bytes | None = None) -> None:
        """``blanks``: whether to look for blank lines. ``header``: a line's bytes (``header_text``), None for none."""
        self._alphabet, self.blanks, self.header = alphabet, blanks, header
        meant = {alphabet.quote, alphabet.escape}
        if not alphabet.delimiter.strip(b" \t"):
            meant |= {*alphabet.delimiter}
        self._white = bytes(byte for byte in b" \t" if byte not in meant)
        self._returns = not alphabet.lf
        self._kernel: Kernel | None = own_kernel()
        self._begun: bytes | None = b""  # of the line under way, while it may yet be no record

    def begin(self) -> None:
        """A line begins here."""
        self._begun = b""

    def kind(self, line: bytes) -> int:
        """What a line is, its line end included where it has one."""
        text = line.removesuffix(b"\n")
        if self._returns:
            text = text.removesuffix(b"\r")
        if self.header is not None and text == self.header:
            return REPEATED
        return BLANK if self.blanks and not text.strip(self._white) else RECORD

    def sort(self, block: memoryview, ends: Sequence[int] | memoryview, base: int) -> Sorted | None:
        """The block's ``ends`` (int64, absolute; the block begins at ``base``). None: all of them are of records."""
        if not len(ends):
            self._go_on(block)
            return None
        first, begun = ends[0] - base, self._begun
        kind = RECORD if begun is None else self.kind(begun + bytes(block[:first]))
        others, kinds = self._rest(block, ends, base)
        self._begun = b""
        self._go_on(block[ends[-1] - base :])
        if kind == RECORD and not others:
            return None
        kinds[0] = kind
        by_kind = [array("q", compress(ends, kinds.translate(are))) for are in _ARE]
        solid = array("q", compress(ends, kinds.translate(_ARE_NOT_BLANK)))
        return Sorted(by_kind[RECORD], solid, by_kind[BLANK], by_kind[REPEATED])

    def may_be_blank(self, block: memoryview) -> bool:
        """Whether the line under way, which goes on with the block, may be a blank one."""
        return self._begun is not None and block[0] <= ord(" ")

    def pass_over(self, block: memoryview, last_end: int) -> None:
        """Take a block without sorting its lines; ``last_end``: the offset after its last record end, -1: none."""
        if last_end >= 0:
            self._begun = b""
        self._go_on(block[max(last_end, 0) :])

    def first_ragged(
        self, scanner: BlockScanner, block: memoryview, state: int, *, before: int, expected: int | None
    ) -> FieldCount | None:
        """As the scanner's, blank lines passed over; the block comes to this sorter only after it."""
        at, begun = 0, self._begun
        while True:
            if expected is None:
                end = self._blank_end(block, at, begun)
                if end is None:
                    ends = scanner.ends(block[at:], state)
                    expected = before + scanner.delimiters_before(block[at:], state, ends[:1])[0] if len(ends) else None
                    if expected is None:
                        return None
            else:
                found = scanner.first_ragged(block[at:], state, before=before, expected=expected)
                if found is None:
                    return None
                if found.start != NO_OFFSET:
                    at, begun = at + found.start, b""
                end = self._blank_end(block, at, begun)
                if end is None:
                    return found._replace(start=at if at or found.start != NO_OFFSET else NO_OFFSET)
            if end is not None:
                at, begun, state, before = end, b"", State.FIELD, 0
                if at == len(block):
                    return None

    def _blank_end(self, block: memoryview, at: int, begun: bytes | None) -> int | None:
        """The end of the line at ``at``, of which ``begun`` came before, where it is blank and ends in the block."""
        if begun is None or not self.blanks:
            return None
        size = 64
        while True:
            text = bytes(block[at : at + size])
            line, feed, _ = text.partition(b"\n")
            if self.kind(begun + line) != BLANK:
                return None
            if feed:
                return at + len(line) + 1
            if at + size >= len(block):
                return None
            size *= 8

    def last(self) -> int:
        """What the line under way is, if the source ends here; a RECORD where nothing is under way."""
        return RECORD if not self._begun else self.kind(self._begun)

    def _go_on(self, text: memoryview) -> None:
        """More of the line under way, without its end: kept while it may be no record."""
        if self._begun is None or not text:
            return
        most = max(1, 0 if self.header is None else len(self.header) + 1)
        begun = self._begun + bytes(text[: most + 1])
        if len(begun) <= most and self._may_be_header(begun):
            self._begun = begun
            return
        blank = self.blanks and self.kind(self._begun + bytes(text)) == BLANK
        # However many blanks: one is as good. A CR may be the line end's.
        self._begun = self._white[:1] + b"\r" * (text[-1] == CR) if blank else None

    def _may_be_header(self, begun: bytes) -> bool:
        return self.header is not None and (self.header + b"\r").startswith(begun)

    def _rest(self, block: memoryview, ends: Sequence[int] | memoryview, base: int) -> tuple[int, bytearray]:
        """How many of the lines behind the first one are no records, and the kinds of all."""
        kinds = bytearray(len(ends))
        if self._kernel is None:
            for number, (start, end) in enumerate(pairwise(ends), start=1):
                if block[start - base] <= ord(" ") or self.header is not None:
                    kinds[number] = self.kind(bytes(block[start - base : end - base]))
            return len(kinds) - kinds.count(RECORD), kinds
        if len(ends) == 1:
            return 0, kinds
        header, size = self.header or b"", -1 if self.header is None else len(self.header)
        white = _SPACE * (b" " in self._white) | _TAB * (b"\t" in self._white)
        with (
            Bytes(block) as place,
            Bytes(cast("memoryview", ends)) as offsets,
            Bytes(kinds) as found,
            Bytes(header) as text,
        ):
            others: int = self._kernel.functions.sj_lines(
                *(place.address, base, ends[0], offsets.address + 8, len(ends) - 1),
                *(self.blanks, white, self._returns, text.address, size, found.address + 1),
            )
        return others, kinds


class LineCount:
    """Counts the lines of a range that are no records, block by block. ``skipped``: what there were so far."""

    def __init__(self, alphabet: Alphabet, skips: Skips, header: bytes) -> None:
        """``header``: as it stands in the source, byte order mark and line end included."""
        text = header_text(header, alphabet) if skips.repeats else None
        self.sorter, self._solid = LineSorter(alphabet, blanks=skips.blanks, header=text), skips.solid
        self.skipped = Skipped()

    def take(self, block: memoryview, ends: memoryview, base: int) -> memoryview:
        """The next block, which begins at ``base``, and its ``ends``: those that a chunk may have."""
        found, skipped = self.sorter.sort(block, ends, base), self.skipped
        if found is None:
            if len(ends):
                self.skipped = skipped._replace(last=ends[-1])
            return ends
        kept = found.solid if self._solid else found.records
        self.skipped = Skipped(
            skipped.blanks + len(found.blanks),
            skipped.repeated + len(found.repeated),
            kept[-1] if kept else skipped.last,
        )
        return memoryview(kept)


def header_text(header: bytes, alphabet: Alphabet) -> bytes:
    """A header's bytes without byte order mark and line end."""
    text = header.removeprefix(BYTE_ORDER_MARK).removesuffix(b"\n")
    return text if alphabet.lf else text.removesuffix(b"\r")
