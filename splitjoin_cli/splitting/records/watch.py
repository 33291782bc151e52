"""Watches the blocks of a scan for what its user should know: blank lines that are rows, letters that are escaped.

What it finds depends on the bytes and the dialect alone, not on where blocks begin. It costs next to nothing where
there is nothing to say: blank lines are counted only in blocks where ``survey`` saw that there may be some, and letters
are looked for until the first one is found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.native import Bytes
from splitjoin_cli.splitting.records.lines import BLANK, LineSorter
from splitjoin_cli.splitting.records.open import own_kernel
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, WITHIN, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner
    from splitjoin_cli.splitting.records.outcome import Outcome

__all__ = ["ANYWHERE", "EVEN", "LETTERS", "ODD", "Watch"]

EVEN, ODD = 1, 2
"""Where in a block blank lines may be: behind an even number of quotes, or an odd one; as in survey.h."""
ANYWHERE = EVEN | ODD

LETTERS = b"0bfnrtvZN"
"""What means a control character, or NULL, after the escape character of MySQL's and PostgreSQL's text exports."""
_BEHIND_ESCAPE = (State.ESCAPED, State.ESCAPED_QUOTED)


class Watch:
    """Takes blocks in order, from a record's start on. Places are absolute; NO_OFFSET: there is none.

    ``blank_lines``: how many there are, where a record has several fields; ``first_blank``: a byte of the first one.
    ``first_letter``: the escape character before the first of ``letters``.
    """

    def __init__(self, alphabet: Alphabet, letters: bytes = LETTERS) -> None:
        """``letters``: those to look for after the escape character."""
        self.alphabet, self.letters = alphabet, letters
        self.blank_lines, self.first_blank, self.first_letter = 0, NO_OFFSET, NO_OFFSET
        self._sorter = LineSorter(alphabet, blanks=True)
        self._looks = alphabet.escape is not None and bool(letters)

    def again(self) -> Watch:
        """Another one, for a part of the same source."""
        return Watch(self.alphabet, self.letters)

    def add(self, later: Watch) -> None:
        """Take what another one saw in the bytes that follow, up to a record's end."""
        self.first_blank = self.first_blank if self.blank_lines else later.first_blank
        self.blank_lines += later.blank_lines
        self.first_letter = later.first_letter if self.first_letter == NO_OFFSET else self.first_letter
        self._sorter.begin()

    def look(
        self,
        block: memoryview,
        base: int,
        state: int,
        outcome: Outcome,
        scanner: BlockScanner,
        *,
        several: bool,
        blanks: int = ANYWHERE,
    ) -> None:
        """``several``: records have several fields. ``blanks``: where a blank line may follow a LF, quoted or not."""
        outside = blanks & (ODD if state in WITHIN else EVEN)
        if several and outcome.records and (outside or self._sorter.may_be_blank(block)):
            ends: Sequence[int] | memoryview = scanner.ends(block, state, base)
            found = self._sorter.sort(block, ends, base)
            if found is not None and found.blanks:
                self._blank(len(found.blanks), found.blanks[0] - 1)
        else:
            self._sorter.pass_over(block, outcome.last_end)
        if self._looks and self.first_letter == NO_OFFSET:
            self._look_for_letter(block, base, state, scanner)

    def end(self, place: int, *, several: bool) -> None:
        """The source ends at ``place``, in the middle of a line; ``several``: records have several fields."""
        if several and self._sorter.last() == BLANK:
            self._blank(1, place - 1)

    def _blank(self, lines: int, first: int) -> None:
        self.first_blank = self.first_blank if self.blank_lines else first
        self.blank_lines += lines

    def _look_for_letter(self, block: memoryview, base: int, state: int, scanner: BlockScanner) -> None:
        at = 0
        if state in _BEHIND_ESCAPE:
            if block[0] in self.letters:
                self.first_letter = base - 1
                return
            at = 1
        known, looked = state, 0
        while (found := self._next(block, at)) != NO_OFFSET:
            if self.alphabet.escape_in_quotes:  # outside quotes it escapes nothing
                known, looked = scanner.outcome(block[looked : found + 1], known).end, found + 1
                if known not in _BEHIND_ESCAPE:
                    at = found + 1
                    continue
            self.first_letter = base + found
            return

    def _next(self, block: memoryview, at: int) -> int:
        """The next escape character, at ``at`` or after, that a letter follows; pairs of them are passed over."""
        escape, kernel = self.alphabet.escape or 0, own_kernel()
        if kernel is not None:
            with Bytes(block) as place, Bytes(self.letters) as letters:
                found: int = kernel.functions.sj_escaped(
                    place.address, place.size, at, escape, letters.address, len(self.letters)
                )
            return found
        one = re.escape(bytes((escape,)))
        for pair in re.compile(one + b"(.)", re.DOTALL).finditer(block, at):
            if pair[1] in self.letters:
                return pair.start()
        return NO_OFFSET
