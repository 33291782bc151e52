"""Takes the blocks of a source: each is looked at on any thread, then planned, surveyed and handed on in its turn."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.core.model import BYTE_ORDER_MARK, LF
from splitjoin_cli.splitting import limits
from splitjoin_cli.splitting.defects import defect_error, ragged_error, unclosed_error
from splitjoin_cli.splitting.records.open import scans_side_by_side
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State
from splitjoin_cli.splitting.records.table import ending_of
from splitjoin_cli.splitting.records.watch import ANYWHERE
from splitjoin_cli.stores.sources.window import WindowSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from splitjoin_cli.core.errors import BadInputError
    from splitjoin_cli.core.model import LineEnd
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.survey import Seen, Survey, SurveyForm
    from splitjoin_cli.stores.sources.base import Source

    Write = Callable[[], None]

__all__ = ["Block", "BlockConsumer", "Intake", "Scanned"]


class BlockConsumer(Protocol):
    """Hears of each block in order, in its turn."""

    def take(self, block: memoryview, base: int, cuts: Sequence[int], *, header: bytearray | None) -> list[Write]:
        """``block`` begins at ``base``; the returned writes are done after the turn, on the same thread.

        Then the block's memory is used again.
        ``cuts`` are where chunks end, absolute; the first may lie before the block. ``header``: the header's bytes,
        which the body follows; None while its end has not come.
        """

    def end(self, cuts: Sequence[int], *, header: bytes) -> None:
        """The source has ended; the last cut is its end (where it has a body)."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found, beside the chunks in its PlanBuilder. ``size``: bytes of the source; ``header``: its bytes.

    ``open_record``: where the record begins that the source ends in, inside quotes; None where all are closed.
    """

    size: int
    crc: int
    header: bytes
    line_end: LineEnd | None
    rows: int
    survey: Survey
    open_record: int | None = None

    @property
    def header_lines(self) -> int:
        """Physical lines of the header: what LOAD DATA must ignore."""
        return self.header.count(LF) + (not self.header.endswith(b"\n")) if self.header else 0


class Block(NamedTuple):
    """A block that was looked at. ``text``: ``piece`` less a byte order mark; ``form``: what it was surveyed by."""

    piece: memoryview
    text: memoryview
    outcomes: tuple[Outcome | None, ...] | None
    form: SurveyForm
    seen: Seen | None


class Intake:
    """Of one source. ``look`` may be called on any thread; ``take`` on one at a time, in the order of the blocks."""

    def __init__(
        self,
        source: Source,
        builder: PlanBuilder,
        alphabet: Alphabet,
        survey: Survey,
        *,
        strict: bool,
        has_trailer: bool,
        consumer: BlockConsumer | None,
        header: bytes,
    ) -> None:
        """See Scan and ScanOptions."""
        self._source, self._builder, self._alphabet, self._survey = source, builder, alphabet, survey
        self._strict, self._has_trailer, self._consumer = strict, has_trailer, consumer
        # Over numpy, one thread scans while the others read and write.
        self._scanning = nullcontext() if scans_side_by_side() else threading.Lock()
        self._state: int = State.FIELD
        self._header = bytearray(header)

    def look(self, piece: memoryview, offset: int, scanner: BlockScanner) -> Block:
        """Scan and survey a block of the source's, which begins at ``offset``."""
        # A byte order mark belongs to the header's bytes, not to its first field: a quote after it opens a field.
        skip = len(BYTE_ORDER_MARK) if not offset and piece[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK else 0
        text = piece[skip:]
        with self._scanning:
            outcomes = scanner.scan(text).outcomes if text else None
        form = self._survey.form
        seen = form.look(text) if text else None
        return Block(piece, text, outcomes, form, seen)

    def take(self, block: Block, scanner: BlockScanner) -> list[Write]:
        """In its turn: let planner, consumer and survey have a block."""
        writes = self._plan(block, scanner)
        self._survey_block(block)
        return writes

    def _plan(self, block: Block, scanner: BlockScanner) -> list[Write]:
        builder, state = self._builder, self._state
        piece, text, outcomes = block.piece, block.text, block.outcomes
        base, pending = builder.position, builder.header_pending
        if len(text) < len(piece):
            builder.skip(piece[: len(piece) - len(text)])
        cuts: Sequence[int] = ()
        if outcomes is not None:
            outcome = outcomes[state] or scanner.outcome(text, state)
            self._check(text, state, outcome, scanner)
            blanks = ANYWHERE if block.seen is None else block.seen.blanks
            cuts = builder.feed(text, state, outcome, scanner, blanks=blanks)
            self._state = outcome.end
        if pending:
            self._keep_header(piece, base)
        if self._consumer is None:
            return []
        return self._consumer.take(piece, base, cuts, header=None if builder.header_pending else self._header)

    def _survey_block(self, block: Block) -> None:
        """In its turn: add what was seen in a block; once the header is known, lines like it are looked for."""
        survey, text = self._survey, block.text
        survey.at += len(block.piece) - len(text)
        survey.keep(text)
        if survey.form.headers and not self._builder.header_pending:
            end = self._builder.header.offset - survey.at
            survey.see(text[:end])
            survey.begin_body(bytes(self._header))
            survey.see(text[end:])
        elif block.seen is not None:
            survey.add(text, block.seen if block.form is survey.form else survey.form.look(text))

    def _keep_header(self, piece: memoryview, base: int) -> None:
        end = len(piece) if self._builder.header_pending else self._builder.header.offset - base
        self._header += piece[:end]
        if len(self._header) > limits.MAX_HEADER_BYTES:
            raise limits.endless_header(self._source.properties.uri, quoted=self._alphabet.quote is not None)

    def _check(self, text: memoryview, state: int, outcome: Outcome, scanner: BlockScanner) -> None:
        """Raise what is wrong in a block: the first by its place, wherever blocks begin.

        The planner takes what comes before it, since that may be refused, too.
        """
        defect, sound = outcome.defect, len(text)
        if defect is not None:
            sound = max(defect.offset, 0)
        found = self._ragged_in(text[:sound], state, scanner) if self._strict and sound else None
        if found is not None:
            sound, error = found
        elif defect is not None:
            error = defect_error(self._source, self._alphabet, self._builder.position + defect.offset, defect.kind)
        else:
            return
        if sound:
            before, pending, base = text[:sound], self._builder.header_pending, self._builder.position
            self._builder.feed(before, state, scanner.outcome(before, state), scanner)
            if pending:
                self._keep_header(before, base)
        raise error

    def _ragged_in(self, piece: memoryview, state: int, scanner: BlockScanner) -> tuple[int, BadInputError] | None:
        """``--strict``: the first record of the piece whose fields are not as many as the first record's.

        The bytes before it in the piece, and the error; None: there is none.
        """
        builder = self._builder
        expected = builder.expected_delimiters
        begun = builder.delimiters - builder.last_mark.delimiters
        sorter = builder.sorter
        find = scanner.first_ragged if sorter is None else partial(sorter.first_ragged, scanner)
        ragged = find(piece, state, before=begun, expected=expected)
        if ragged is None:
            return None
        start = builder.line_start if ragged.start == NO_OFFSET else builder.position + ragged.start
        if expected is None:
            first = scanner.ends(piece, state)[0]
            expected = begun + scanner.delimiters_before(piece, state, [first])[0]
        return max(ragged.start, 0), ragged_error(self._source, start, ragged.delimiters + 1, expected + 1)

    def finish(self) -> Scanned:
        """No more blocks. Raises BadInputError where the source may not end here."""
        builder, alphabet = self._builder, self._alphabet
        if builder.position == builder.skipped:
            missing = limits.no_header_left if isinstance(self._source, WindowSource) else limits.empty_source
            raise missing(self._source.properties.uri)
        ending = ending_of(alphabet, self._state)
        if ending.defect is not None:
            raise defect_error(self._source, alphabet, builder.position - ending.back, ending.defect)
        if self._has_trailer and builder.position > builder.line_start:
            raise limits.torn_trailer(self._source, builder.position)
        if ending.open and not alphabet.literal:
            raise unclosed_error(self._source, alphabet, builder.line_start)
        if self._strict:
            self._check_last()
        open_record = builder.line_start if ending.open else None
        ends, crlf = builder.line_ends, builder.crlf
        line_end: LineEnd | None = None if not ends else "\n" if not crlf else "\r\n" if crlf == ends else "mixed"
        cuts = builder.finish()
        header = bytes(self._header)
        if self._consumer is not None:
            self._consumer.end(cuts, header=header)
        rows = builder.records - builder.header.records
        self._survey.end()
        return Scanned(builder.position, builder.crc, header, line_end, rows, self._survey, open_record)

    def _check_last(self) -> None:
        """The last record, when it has no line end."""
        builder = self._builder
        last, expected = builder.last_mark, builder.expected_delimiters
        fields = builder.delimiters - last.delimiters
        if expected is not None and builder.is_unended and fields != expected:
            raise ragged_error(self._source, builder.line_start, fields + 1, expected + 1)
