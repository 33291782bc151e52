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
from splitjoin_cli.splitting.cuts import BySize, Mark
from splitjoin_cli.splitting.engines.base import CutUnit, Failed, Pieces
from splitjoin_cli.splitting.engines.dispatch import Work, error_of
from splitjoin_cli.splitting.engines.wire import release
from splitjoin_cli.splitting.plan import PlanBuilder
from splitjoin_cli.splitting.ranged import CutRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from splitjoin_cli.splitting.engines.base import Answer, Scanned
    from splitjoin_cli.splitting.engines.courses import Course, Open
    from splitjoin_cli.splitting.engines.dispatch import Dispatcher
    from splitjoin_cli.splitting.engines.specs import HeaderSpec, SourceSpec
    from splitjoin_cli.splitting.guesses import Guess
    from splitjoin_cli.splitting.records.base import Alphabet
    from splitjoin_cli.splitting.records.lines import Skipped

__all__ = ["Spans", "span_bytes"]

SPAN_BLOCKS = 16
"""A span has so many blocks: 64 MiB of a source on S3."""


def span_bytes(block_bytes: int) -> int:
    """Of a span, where so much is read and scanned at once."""
    return SPAN_BLOCKS * block_bytes


class _Span(NamedTuple):
    """A range that is proved. ``open``: the chunk at its start."""

    start: int
    end: int
    open: Open
    crlf: int
    crc: int
    skipped: Skipped | None


@final
class Spans:
    """Of one source. ``builder`` takes the chunks; ``shadow`` is fed with spans meanwhile."""

    def __init__(self, builder: PlanBuilder, course: Course, header: HeaderSpec, span_bytes: int) -> None:
        """``builder`` knows the header, and the fields of a record; ``course`` is that of its chunks."""
        self._builder, self._header, start = builder, header, builder.position
        self.shadow = PlanBuilder(
            BySize(start + span_bytes),
            header=False,
            start=Mark(start, builder.records, builder.delimiters, builder.crc),
            watch=None if builder.watch is None else builder.watch.again(),
        )
        self.shadow.records, self.shadow.delimiters = builder.records, builder.delimiters
        self.shadow.expected_delimiters, self.shadow.skips = builder.expected_delimiters, builder.skips
        self.course = course
        self._spans: list[_Span] = []
        self._waiting: dict[int, Pieces] = {}
        self._done = 0

    def proved(self, guess: Guess, answer: Scanned) -> None:
        """The next span is proved. Raises TooManyError where it has more chunks, or records, than can be told."""
        outcome = answer.outcome
        assert outcome is not None  # noqa: S101 -- it is proved
        here = self.course.enter(guess.start, guess.end - guess.start, answer)
        self._spans.append(_Span(guess.start, guess.end, here, outcome.crlf, answer.crc, answer.skipped))

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
        course, skips = self.course, self._builder.skips
        for index, span in enumerate(self._spans):
            start = place_of(span.start)
            unit = CutUnit(
                version=release(),
                source=source,
                number=index + 1,
                range=ByteRange(start, start + span.end - span.start),
                alphabet=alphabet,
                expected=self._builder.expected_delimiters or 0,
                rows=course.rows,
                capacity=course.capacity,
                before=span.open.before,
                targets=None if course.targets is None else course.targets.seen_from(span.start),
                done=span.open.done,
                room=span.open.room,
                skips=skips,
                header=self._header if skips is not None and skips.repeats else None,
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
        marks = _marks(begin, pieces, builder.expected_delimiters or 0)
        builder.take_cuts(CutRange(marks, end, span.crlf, span.skipped))
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
