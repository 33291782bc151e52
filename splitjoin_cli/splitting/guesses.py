"""Guesses where chunks begin, from a look at the bytes before each limit: so many of them can be scanned at once.

Such a look tells nearly always where a chunk's last record ends: read as if they began outside quotes, or inside, the
bytes break the rules of quoting one way or the other (Ge et al., "Speculative Distributed CSV Data Parsing", SIGMOD
2019). A guess is no more than that: ``ranges`` proves it.
"""

from __future__ import annotations

from array import array
from itertools import repeat
from operator import eq, sub
from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner
    from splitjoin_cli.splitting.records.outcome import Outcome

__all__ = ["Guess", "Guesses", "guessable", "look_bytes"]

FIRST_LOOK = 64 * 1024
"""Bytes before a limit that are read for a guess; when no record ends in them, or both readings are lawful, more."""
LOOKS = 3
"""Each look is at eight times the bytes of the one before; then there is no guess."""


def look_bytes() -> int:
    """What a scanner for looks must take at once."""
    return FIRST_LOOK << 3 * (LOOKS - 1)


class Guess(NamedTuple):
    """Chunk ``number``, from ``start`` to ``end``: a record's, unless the guess is wrong."""

    number: int
    start: int
    end: int


class KeptEnds(Protocol):
    """Tells which ends of lines a chunk may have."""

    def __call__(self, text: memoryview, ends: memoryview) -> int:
        """The last of them in a text that begins where a line does; NO_OFFSET: there is none."""


class Readable(Protocol):
    """What a look needs of a source."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As in Source."""


def guessable(alphabet: Alphabet) -> bool:
    """Whether a look can tell the only lawful reading: not where a stray quote is data."""
    return alphabet.stray == "error" or alphabet.quote is None


class Guesses:
    """Of one source. It belongs to one thread at a time."""

    def __init__(
        self,
        source: Readable,
        alphabet: Alphabet,
        scanner: BlockScanner,
        *,
        expected: int | None = None,
        kept: KeptEnds | None = None,
    ) -> None:
        """``scanner``: one of ``alphabet``. ``expected``: delimiters of a record, where no quote is out of place.

        ``kept``: tells the ends that a chunk may have; None: it may have any.
        """
        self._source, self._alphabet, self._scanner, self._kept = source, alphabet, scanner, kept
        self._expected = expected
        self._from_line = len(alphabet.delimiter) > 1 or kept is not None or not guessable(alphabet)

    def each(self, start: int, number: int, limit: Callable[[int, int], int | None], size: int) -> Iterator[Guess]:
        """Chunk ``number``, from ``start`` on, and those after it, as long as there is a guess.

        ``limit``: see CutRule; the chunk whose limit is ``size`` or more is the last, and is not guessed.
        """
        while (reach := limit(start, number)) is not None and start < reach < size:
            end = self.last_end(start, reach)
            if end is None:
                return
            yield Guess(number, start, end)
            start, number = end, number + 1

    def last_end(self, low: int, limit: int) -> int | None:
        """The last end of a chunk in (low, limit], by the only lawful way to read the bytes before, or the likelier."""
        look = FIRST_LOOK
        for _ in range(LOOKS):
            begin = max(low, limit - look)
            text = memoryview(bytearray(limit - begin))
            text = text[: self._source.read_at(begin, text)]
            if begin > low and self._from_line:
                # Not from the middle of a delimiter, nor where a quote, or a line, may look like what it is not.
                first = bytes(text).find(b"\n") + 1
                begin, text = begin + first, text[first:]
            if not text:
                look *= 8
                continue
            found = self._likely(text, is_start=begin == low)
            end = NO_OFFSET if found is None else self._last_of(text, *found)
            if end != NO_OFFSET:
                return begin + end
            if begin == low:
                return None
            look *= 8
        return None

    def _last_of(self, text: memoryview, state: int, outcome: Outcome) -> int:
        """The last end that a chunk may have in a look that is read from ``state``; NO_OFFSET: there is none."""
        if self._kept is None or not outcome.records:
            return outcome.last_end
        ends = self._scanner.ends(text, state)
        if state == State.QUOTED:  # what the first line begins with is not known
            first: int = ends[0]
            found = self._kept(text[first:], memoryview(array("q", (end - first for end in ends[1:]))))
            return found if found == NO_OFFSET else found + first
        return self._kept(text, ends)

    def _likely(self, text: memoryview, *, is_start: bool) -> tuple[State, Outcome] | None:
        """How the bytes of a look are likely to be read, from which state; None where they say nothing."""
        outside, inside = (self._scanner.outcome(text, state) for state in (State.FIELD, State.QUOTED))
        if is_start:
            return (State.FIELD, outside) if outside.defect is None else None
        if outside.defect is None:
            sure = inside.defect is not None or self._alphabet.quote is None
            if sure or not inside.records:
                return State.FIELD, outside
            return None if guessable(self._alphabet) else self._more_even(text, outside, inside)
        return (State.QUOTED, inside) if inside.defect is None else None

    def _more_even(self, text: memoryview, outside: Outcome, inside: Outcome) -> tuple[State, Outcome] | None:
        """The reading in which more records have the expected fields; nearly always both are the same at their end."""
        if (outside.last_end, outside.end) == (inside.last_end, inside.end):
            return State.FIELD, outside
        even = [self._evenness(text, state) for state in (State.FIELD, State.QUOTED)]
        if even[0] == even[1]:
            return None
        return (State.FIELD, outside) if even[0] > even[1] else (State.QUOTED, inside)

    def _evenness(self, text: memoryview, state: State) -> int:
        """How many more of the records that begin and end in a look have the expected fields than have others."""
        before = self._scanner.delimiters_before(text, state, self._scanner.ends(text, state))
        even: int = sum(map(eq, map(sub, before[1:], before), repeat(self._expected)))
        return 2 * even - len(before)
