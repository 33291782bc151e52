"""Finds, after the fact, where in a source something is: reads again, so that the scan itself need not remember."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.splitting.records.lines import RECORD, LineSorter
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State
from splitjoin_cli.stores.sources.window import WindowSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.splitting.records.base import Alphabet
    from splitjoin_cli.stores.sources.base import Source

BLOCK_BYTES = 1024 * 1024


class RaggedRecord(NamedTuple):
    """A record with another number of fields than the first: its line (from 1), first byte and fields."""

    line: int
    start: int
    fields: int


def read_blocks(source: Source, start: int, end: int | None = None) -> Iterator[memoryview]:
    """The bytes from ``start`` to ``end`` (None: the end), in order, in one buffer that is used again."""
    buffer = memoryview(bytearray(BLOCK_BYTES))
    if source.properties.seekable:
        stop = source.properties.size if end is None else end
        while start < (stop or 0):
            filled = source.read_at(start, buffer[: min(BLOCK_BYTES, (stop or 0) - start)])
            if not filled:
                return
            yield buffer[:filled]
            start += filled
        return
    stream = source.stream()
    try:
        position = 0
        while filled := stream.readinto(buffer):
            first, stop = max(start - position, 0), filled if end is None else min(end - position, filled)
            if first < stop:
                yield buffer[first:stop]
            position += filled
            if end is not None and position >= end:
                return
    finally:
        stream.close()


def _texts(source: Source, start: int) -> Iterator[tuple[int, memoryview]]:
    """Position and bytes of the blocks from ``start`` on, without a byte order mark: a quote after it opens a field."""
    position = start
    for block in read_blocks(source, start):
        mark = len(BYTE_ORDER_MARK) if position == 0 and block[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK else 0
        if len(block) > mark:
            yield position + mark, block[mark:]
        position += len(block)


def byte_of(source: Source, offset: int) -> int:
    """The place of byte ``offset`` in the file, of which ``source`` may be a part."""
    return source.window.place_of(offset) if isinstance(source, WindowSource) else offset


def line_of(source: Source, offset: int) -> int:
    """The physical line that byte ``offset`` lies in, from 1, as an editor counts them; of the file, as ``byte_of``."""
    if isinstance(source, WindowSource):
        return line_of(source.base, source.window.place_of(offset))
    return 1 + sum(bytes(block).count(b"\n") for block in read_blocks(source, 0, max(offset, 0)))


def find_open_quote(source: Source, alphabet: Alphabet, record_start: int) -> int:
    """The byte of the quote that is still open at the source's end; its record begins at ``record_start``."""
    scanner = new_scanner(alphabet, BLOCK_BYTES)
    state: int = State.FIELD
    found = record_start
    for position, text in _texts(source, record_start):
        outcome = scanner.outcome(text, state)
        opening = scanner.last_opening(text, state)
        if opening != NO_OFFSET:
            found = position + opening
        state = outcome.end
    return found


def find_ragged(
    source: Source, alphabet: Alphabet, start: int, expected_delimiters: int, *, blanks: bool = False
) -> RaggedRecord | None:
    """The first record at or after the record start ``start`` with another number of delimiters than expected.

    ``blanks``: blank lines are no records.
    """
    scanner, sorter = new_scanner(alphabet, BLOCK_BYTES), LineSorter(alphabet, blanks=blanks)
    state: int = State.FIELD
    record_start, end, before = start, start, 0
    for position, text in _texts(source, start):
        outcome = scanner.outcome(text, state)
        ragged = sorter.first_ragged(scanner, text, state, before=before, expected=expected_delimiters)
        if ragged is not None:
            at = record_start if ragged.start == NO_OFFSET else position + ragged.start
            return RaggedRecord(line_of(source, at), at, ragged.delimiters + 1)
        if outcome.records:
            record_start, before = position + outcome.last_end, outcome.tail
        else:
            before += outcome.delimiters
        sorter.pass_over(text, outcome.last_end)
        state, end = outcome.end, position + len(text)
    if end > record_start and before != expected_delimiters and sorter.last() == RECORD:
        return RaggedRecord(line_of(source, record_start), record_start, before + 1)
    return None
