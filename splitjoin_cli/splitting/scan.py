"""Runs the scanner over a whole source: blocks read and scanned on several threads, put together in order.

Each thread takes the next block, reads and scans it, waits for its turn, and lets the planner take the block while it
is still in the core's cache; what follows (writing it, in a split to a directory) again runs beside the other threads.
Memory is threads x block, whatever the source's size.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.model import BYTE_ORDER_MARK, LF, ByteRange
from splitjoin_cli.core.parallel import run_workers
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting import limits
from splitjoin_cli.splitting.ahead import Ahead
from splitjoin_cli.splitting.defects import defect_error, ragged_error, unclosed_error
from splitjoin_cli.splitting.reading import read_planned
from splitjoin_cli.splitting.records.open import best_block_bytes, new_scanner, scans_side_by_side
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State
from splitjoin_cli.splitting.records.table import ending_of
from splitjoin_cli.splitting.records.watch import ANYWHERE
from splitjoin_cli.splitting.survey import Survey, SurveyForm
from splitjoin_cli.stores.sources.base import announce
from splitjoin_cli.stores.sources.window import WindowSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.core.errors import BadInputError
    from splitjoin_cli.core.model import LineEnd
    from splitjoin_cli.core.progress import Moved, Observer
    from splitjoin_cli.splitting.plan import PlanBuilder
    from splitjoin_cli.splitting.records.base import Alphabet, BlockScanner
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.survey import Seen
    from splitjoin_cli.stores.sources.base import Source

    Write = Callable[[], None]


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
class ScanOptions:
    """What bytes mean, and how hard to look. ``threads`` at once; ``strict``: every record's fields are counted.

    ``has_trailer``: lines follow the source's end, which no record may reach into. ``stripe``: so many blocks are read
    by one request, and ``rooms`` are in memory for each thread; 0: each block is read by itself. Not with a consumer.
    """

    alphabet: Alphabet
    threads: int
    strict: bool = False
    has_trailer: bool = False
    block_bytes: int = field(default_factory=best_block_bytes)
    stripe: int = 0
    rooms: int = 1


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found, beside the chunks in its PlanBuilder. ``size``: bytes of the source; ``header``: its bytes."""

    size: int
    crc: int
    header: bytes
    line_end: LineEnd | None
    rows: int
    survey: Survey

    @property
    def header_lines(self) -> int:
        """Physical lines of the header: what LOAD DATA must ignore."""
        return self.header.count(LF) + (not self.header.endswith(b"\n")) if self.header else 0


class _Block(NamedTuple):
    """A block that was scanned. ``text``: ``piece`` less a byte order mark; ``form``: what it was surveyed by."""

    piece: memoryview
    text: memoryview
    outcomes: tuple[Outcome | None, ...] | None
    form: SurveyForm
    seen: Seen | None
    tally: Tally


class Scan:
    """One pass over a source. ``run`` it once."""

    def __init__(
        self,
        source: Source,
        builder: PlanBuilder,
        options: ScanOptions,
        *,
        observer: Observer,
        consumer: BlockConsumer | None = None,
        header: bytes = b"",
        survey: Survey | None = None,
    ) -> None:
        """``builder`` takes the blocks and holds the chunks; ``consumer`` hears of them after it, in the same turn.

        The scan begins where ``builder`` stands: at the source's start, or (where it can seek) at that of a record;
        ``header``: the header's bytes, where it is behind that place. ``survey``: what was seen up to there.
        """
        self._source, self._builder, self._options = source, builder, options
        self._observer, self._consumer = observer, consumer
        self._block_bytes = options.block_bytes
        self._stream: ByteStream | None = None if source.properties.seekable else source.stream(observer.advance)
        self._tickets = threading.Lock()
        # Over numpy, one thread scans while the others read and write.
        self._scanning = nullcontext() if scans_side_by_side() else threading.Lock()
        self._next = 0
        self._stream_ended = False
        self._turn = threading.Condition()
        self._current = 0
        self._error: BaseException | None = None
        self._state: int = State.FIELD
        self._header = bytearray(header)
        self._start = builder.position
        self._survey = survey or Survey(SurveyForm(None))
        self._ahead: Ahead[_Block] | None = None
        if options.stripe and consumer is None and self._stream is None:
            self._ahead = Ahead(self._block_bytes, stripe=options.stripe, most=options.rooms * options.threads)

    def run(self, executor: Executor) -> Scanned:
        """Scan to the end. Raises BadInputError, at the first byte that breaks the rules, and what the source raises.

        ``executor`` must run ``options.threads`` calls at once, on threads.
        """
        try:
            run_workers(executor, self._options.threads, self._work, self._fail)
        finally:
            if self._stream is not None:
                self._stream.close()
        if self._error is not None:
            raise self._error
        return self._finish()

    def _fail(self, exc: BaseException) -> None:
        with self._turn:
            self._error = self._error or exc
            self._turn.notify_all()
        if self._ahead is not None:
            self._ahead.stop()

    def _work(self) -> None:
        scanner = new_scanner(self._options.alphabet, self._options.block_bytes)
        try:
            if self._ahead is not None:
                while self._error is None and self._one_stripe(self._ahead, scanner):
                    pass
                return
            buffer = new_buffer(self._block_bytes)
            while self._error is None and self._one_block(buffer, scanner):
                pass
        except BaseException as exc:  # noqa: BLE001 -- raised again by run(), on the caller's thread
            self._fail(exc)

    def _one_block(self, buffer: memoryview, scanner: BlockScanner) -> bool:
        """Read, scan and hand on one block; False when there is none left."""
        tally = Tally(self._observer.advance)
        number, filled = self._read(buffer, tally.add)
        if not filled:
            return False
        block = self._scanned(number, buffer[:filled], scanner, tally)
        with self._turn:
            self._turn.wait_for(lambda: self._current == number or self._error is not None)
            if self._error is not None:
                return False
        # Only the thread whose turn it is gets here: the planner needs no lock of its own.
        writes = self._take(block, scanner)
        with self._turn:
            self._current += 1
            self._turn.notify_all()
        for write in writes:
            write()
        if self._stream is None:
            tally.settle(filled)
        return True

    def _one_stripe(self, ahead: Ahead[_Block], scanner: BlockScanner) -> bool:
        """Read the blocks of a stripe by one request, and scan each; False when there is none left."""
        numbers, size = ahead.stripe(), self._source.properties.size or 0
        places = range(self._start + numbers.start * self._block_bytes, size, self._block_bytes)[: len(numbers)]
        if not places:
            return False
        end = min(places[-1] + self._block_bytes, size)
        announce(self._source, ByteRange(places[0], end))
        for number, place in zip(numbers, places, strict=False):
            room = ahead.room(number)
            if room is None:
                return False
            tally = Tally(self._observer.advance)
            piece = room[: min(self._block_bytes, end - place)]
            read_planned(self._source, place, piece, tally.add)
            ahead.put(number, room, self._scanned(number, piece, scanner, tally), partial(self._taken, scanner))
        return True

    def _taken(self, scanner: BlockScanner, block: _Block) -> None:
        self._take(block, scanner)
        block.tally.settle(len(block.piece))

    def _scanned(self, number: int, piece: memoryview, scanner: BlockScanner, tally: Tally) -> _Block:
        # A byte order mark belongs to the header's bytes, not to its first field: a quote after it opens a field.
        first = number == 0 and self._start == 0
        skip = len(BYTE_ORDER_MARK) if first and piece[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK else 0
        text = piece[skip:]
        with self._scanning:
            outcomes = scanner.scan(text).outcomes if text else None
        form = self._survey.form
        seen = form.look(text) if text else None
        return _Block(piece, text, outcomes, form, seen, tally)

    def _read(self, buffer: memoryview, came: Moved) -> tuple[int, int]:
        """The next block's number and size; 0 bytes at the end. A stream tells by itself what comes."""
        if self._stream is not None:
            with self._tickets:
                number, self._next = self._next, self._next + 1
                if self._stream_ended:
                    return number, 0
                filled = self._stream.readinto(buffer)
                self._stream_ended = filled < len(buffer)
                return number, filled
        with self._tickets:
            number, self._next = self._next, self._next + 1
        offset = self._start + number * self._block_bytes
        wanted = min(self._block_bytes, (self._source.properties.size or 0) - offset)
        return number, 0 if wanted <= 0 else read_planned(self._source, offset, buffer[:wanted], came)

    def _take(self, block: _Block, scanner: BlockScanner) -> list[Write]:
        """In its turn: let planner, consumer and survey have a block."""
        writes = self._plan(block, scanner)
        self._survey_block(block)
        return writes

    def _plan(self, block: _Block, scanner: BlockScanner) -> list[Write]:
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

    def _survey_block(self, block: _Block) -> None:
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
            raise limits.endless_header(self._source.properties.uri, quoted=self._options.alphabet.quote is not None)

    def _check(self, text: memoryview, state: int, outcome: Outcome, scanner: BlockScanner) -> None:
        """Raise what is wrong in a block: the first by its place, wherever blocks begin.

        The planner takes what comes before it, since that may be refused, too.
        """
        defect, sound = outcome.defect, len(text)
        if defect is not None:
            sound = max(defect.offset, 0)
        found = self._ragged_in(text[:sound], state, scanner) if self._options.strict and sound else None
        if found is not None:
            sound, error = found
        elif defect is not None:
            error = defect_error(
                self._source, self._options.alphabet, self._builder.position + defect.offset, defect.kind
            )
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

    def _finish(self) -> Scanned:
        builder, alphabet = self._builder, self._options.alphabet
        if builder.position == builder.skipped:
            missing = limits.no_header_left if isinstance(self._source, WindowSource) else limits.empty_source
            raise missing(self._source.properties.uri)
        ending = ending_of(alphabet, self._state)
        if ending.defect is not None:
            raise defect_error(self._source, alphabet, builder.position - ending.back, ending.defect)
        if self._options.has_trailer and builder.position > builder.line_start:
            raise limits.torn_trailer(self._source, builder.position)
        if ending.open and not alphabet.literal:
            raise unclosed_error(self._source, alphabet, builder.line_start)
        if self._options.strict:
            self._check_last()
        ends, crlf = builder.line_ends, builder.crlf
        line_end: LineEnd | None = None if not ends else "\n" if not crlf else "\r\n" if crlf == ends else "mixed"
        cuts = builder.finish()
        header = bytes(self._header)
        if self._consumer is not None:
            self._consumer.end(cuts, header=header)
        rows = builder.records - builder.header.records
        self._survey.end()
        return Scanned(builder.position, builder.crc, header, line_end, rows, self._survey)

    def _check_last(self) -> None:
        """The last record, when it has no line end."""
        builder = self._builder
        last, expected = builder.last_mark, builder.expected_delimiters
        fields = builder.delimiters - last.delimiters
        if expected is not None and builder.is_unended and fields != expected:
            raise ragged_error(self._source, builder.line_start, fields + 1, expected + 1)
