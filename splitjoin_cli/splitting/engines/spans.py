"""Small chunks, and those of so many rows, on an engine: the source is scanned in spans, then each span is cut.

A span is scanned as a large chunk is: guessed, and proved. That tells where the chunk that is open at its end began, or
how many rows it has, so that each span is then cut by itself. No byte of a span passes here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, final

from splitjoin_cli.core.bytes.crc64 import combine
from splitjoin_cli.core.errors import EngineError, SourceChangedError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.splitting.cuts import ByRows, BySize, Mark
from splitjoin_cli.splitting.engines.base import CutUnit, Failed, Pieces
from splitjoin_cli.splitting.engines.dispatch import Work, error_of
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.plan import PlanBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.splitting.engines.base import Answer, Scanned, SourceSpec
    from splitjoin_cli.splitting.engines.dispatch import Dispatcher
    from splitjoin_cli.splitting.guesses import Guess
    from splitjoin_cli.splitting.records.base import Alphabet

__all__ = ["Spans", "TooManyError", "can_be_cut", "span_bytes"]

SPAN_BLOCKS = 16
"""A span has so many blocks: 64 MiB of a source on S3."""
MOST_CUTS = 20_000
"""Of a span: more are more to be told than is worth it."""


def can_be_cut(builder: PlanBuilder, span_bytes: int) -> bool:
    """Whether a plan's chunks can be had this way, as far as its rule tells."""
    rule = builder.rule
    if isinstance(rule, ByRows):
        return True
    limit = builder.limit(0, 1)
    return isinstance(rule, BySize) and limit is not None and 2 * span_bytes <= MOST_CUTS * limit


class TooManyError(Exception):
    """A span has more chunks, or records, than can be told."""


def span_bytes(block_bytes: int) -> int:
    """Of a span, where so much is read and scanned at once."""
    return SPAN_BLOCKS * block_bytes


class _Span(NamedTuple):
    """A range that is proved. ``before``: bytes of the chunk that is open at its start, or records."""

    start: int
    end: int
    before: int
    crlf: int
    crc: int


@final
class Spans:
    """Of one source. ``builder`` takes the chunks; ``shadow`` is fed with spans meanwhile."""

    def __init__(self, builder: PlanBuilder, span_bytes: int) -> None:
        """``builder`` knows the header, and the fields of a record."""
        self._builder, start = builder, builder.position
        self.shadow = PlanBuilder(
            BySize(start + span_bytes),
            header=False,
            start=Mark(start, builder.records, builder.delimiters, builder.crc),
            watch=None if builder.watch is None else builder.watch.again(),
        )
        self.shadow.records, self.shadow.delimiters = builder.records, builder.delimiters
        self.shadow.expected_delimiters = builder.expected_delimiters
        rule = builder.rule
        self._rows = rule.rows if isinstance(rule, ByRows) else None
        self.capacity = None if self._rows is not None else (builder.limit(start, 1) or 0) - start
        self._cut, self._counted = start, 0  # the last cut, or the records of the chunk that is open
        self._spans: list[_Span] = []
        self._waiting: dict[int, Pieces] = {}
        self._done = 0

    def proved(self, guess: Guess, answer: Scanned) -> None:
        """The next span is proved. Raises TooManyError where it has more chunks, or records, than can be told."""
        outcome = answer.outcome
        assert outcome is not None  # noqa: S101 -- it is proved
        if self._rows is not None:
            before, self._counted = self._counted, (self._counted + outcome.records) % self._rows
            if outcome.records // self._rows > MOST_CUTS:
                raise TooManyError
        elif answer.stairs is None:
            raise TooManyError
        else:
            before = guess.start - self._cut
            reach = self._cut + (self.capacity or 0) - guess.start
            if reach < guess.end - guess.start:  # else the chunk that is open goes on behind the span
                self._cut = guess.start + answer.stairs.last_cut(reach)
        self._spans.append(_Span(guess.start, guess.end, before, outcome.crlf, answer.crc))

    def cut_all(
        self, dispatcher: Dispatcher, source: SourceSpec, alphabet: Alphabet, place_of: Callable[[int], int], uri: str
    ) -> None:
        """Cut what is proved; then ``builder`` stands behind it. Raises SourceChangedError, and what units raise."""
        dispatcher.run(self._works(source, alphabet, place_of, uri))
        builder, shadow = self._builder, self.shadow
        if builder.watch is not None and shadow.watch is not None:
            builder.watch.add(shadow.watch)
        if shadow.large.records:
            builder.large = shadow.large

    def _works(
        self, source: SourceSpec, alphabet: Alphabet, place_of: Callable[[int], int], uri: str
    ) -> Iterator[Work]:
        for index, span in enumerate(self._spans):
            start = place_of(span.start)
            unit = CutUnit(
                version=release(),
                source=source,
                number=index + 1,
                range=ByteRange(start, start + span.end - span.start),
                alphabet=alphabet,
                expected=self._builder.expected_delimiters or 0,
                rows=self._rows,
                capacity=self.capacity,
                before=span.before,
            )
            yield Work(unit, partial(self._answered, index, uri))

    def _answered(self, index: int, uri: str, answer: Answer) -> None:
        if isinstance(answer, Failed):
            raise error_of(answer)
        if not isinstance(answer, Pieces):
            raise EngineError("a worker answered something else than where chunks end", hint="look at its log")
        if answer.crc != self._spans[index].crc:
            raise SourceChangedError(
                f"{uri} changed while it was scanned", hint="run again: the new content is a new run"
            )
        self._waiting[index] = answer
        while (pieces := self._waiting.pop(self._done, None)) is not None:
            self._take(self._spans[self._done], pieces)
            self._done += 1

    def _take(self, span: _Span, pieces: Pieces) -> None:
        builder = self._builder
        begin = Mark(builder.position, builder.records, builder.delimiters, builder.crc)
        end = Mark(
            span.end,
            begin.records + pieces.records,
            begin.delimiters + pieces.delimiters,
            combine(begin.crc, pieces.crc, span.end - span.start),
        )
        builder.take_cuts(_marks(begin, pieces, builder.expected_delimiters or 0), end, span.crlf)
        rule = builder.rule
        if isinstance(rule, BySize):
            rule.oversized += pieces.oversized


def _marks(begin: Mark, pieces: Pieces, expected: int) -> Iterator[Mark]:
    """Where each piece ends, and what came before that."""
    at, excess = begin, dict(pieces.excess)
    columns = zip(pieces.ends, pieces.rows, pieces.checksums, strict=True)
    for number, (end, rows, crc) in enumerate(columns, 1):
        offset = begin.offset + end
        delimiters = at.delimiters + rows * expected + excess.get(number, 0)
        at = Mark(offset, at.records + rows, delimiters, combine(at.crc, crc, offset - at.offset))
        yield at
