"""A chunk's body as the CSV that every database's own reader reads alike: checked to be RFC 4180 to the letter."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.bad_rows import too_large
from splitjoin_cli.stores.loaders.body import BLOCK_BYTES, NotPlainError, body_blocks
from splitjoin_cli.stores.loaders.fields import decoded
from splitjoin_cli.stores.loaders.judges import Rules, judge_for

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from splitjoin_cli.stores.loaders.base import ChunkToLoad

__all__ = ["plain_blocks", "plain_pieces"]

_UTF8 = frozenset({"utf-8", "ascii"})
_END_OF_DATA = re.compile(rb"^\\\.\r?$", re.MULTILINE)


def plain_blocks(
    chunk: ChunkToLoad,
    width: int | None,
    *,
    refuse_end_of_data: bool = False,
    refuse_blank_lines: bool = False,
    refuse_other_line_ends: bool = False,
    most_bytes: int = LARGE_RECORD_BYTES,
) -> Generator[bytes | memoryview, None, None]:
    r"""The body in UTF-8, each record ended by LF (quoted ones stay as they are), checked to be RFC 4180 to the letter.

    A block is there until the next one is asked for. For chunks without an escape character. Raises BadRecordError for
    a record that has not ``width`` fields (None: any), for one of more than ``most_bytes``, and for a quote that
    nothing closes. Raises NotPlainError for stray quotes, which PostgreSQL would drop in silence, and for a lone CR,
    which ends a record for the csv module alone; with ``refuse_end_of_data`` for a line ``\.``, which would end
    PostgreSQL's data; with ``refuse_blank_lines`` for a blank line, which DuckDB skips; with
    ``refuse_other_line_ends`` for a record that ends otherwise than the dialect says, which MySQL takes for data, or
    misses a field of.
    """
    rules = Rules.of(
        chunk.dialect,
        width,
        refuse_blank_lines=refuse_blank_lines,
        refuse_other_line_ends=refuse_other_line_ends,
        most_bytes=most_bytes,
    )
    for piece, _ in plain_pieces(chunk, rules, refuse_end_of_data=refuse_end_of_data):
        yield piece


def plain_pieces(
    chunk: ChunkToLoad, rules: Rules, *, refuse_end_of_data: bool = False
) -> Generator[tuple[bytes | memoryview, int], None, None]:
    """As ``plain_blocks``, each piece with the bytes at its end that are of a record which goes on in the next."""
    blocks: Iterable[bytes | memoryview] = body_blocks(chunk)
    if codecs.lookup(chunk.dialect.encoding).name not in _UTF8:
        blocks = (text.encode() for text in decoded(blocks, chunk.dialect.encoding))
    judge = judge_for(rules)
    last = b"\n"
    for buffer, size in _whole_lines(blocks, rules.most_bytes):
        if refuse_end_of_data and _ends_data(buffer, size):
            raise NotPlainError
        last = bytes(buffer[size - 1 : size])
        with memoryview(buffer)[:size] as lines:
            yield judge.judged(lines), judge.under_way
    ended = last == b"\n"
    judge.finish(ended=ended)
    if rules.line_end and last == rules.delimiter:
        raise NotPlainError
    if not ended:
        yield b"\n", 0  # MySQL misses the last field of the last line where that is empty and nothing ends the line


def _ends_data(buffer: bytearray, size: int) -> bool:
    """Whether one of the lines would end PostgreSQL's data. One byte is found faster than two, and most have none."""
    is_likely = buffer.find(b"\\", 0, size) >= 0 and buffer.find(b"\\.", 0, size) >= 0
    return is_likely and _END_OF_DATA.search(buffer, 0, size) is not None


def _whole_lines(blocks: Iterable[bytes | memoryview], most_bytes: int) -> Iterator[tuple[bytearray, int]]:
    """The same bytes, cut behind newlines, quoted or not: there no CR LF and no doubled quote is cut.

    They are the first bytes of one buffer, so many, until the next are asked for. Raises BadRecordError where no
    newline comes within ``most_bytes``.
    """
    buffer, held = bytearray(2 * BLOCK_BYTES), 0
    for block in blocks:
        end = held + len(block)
        if end > len(buffer):
            buffer += bytes(max(len(buffer), end - len(buffer)))
        buffer[held:end] = block
        cut = buffer.rfind(b"\n", held, end) + 1
        held = end - cut
        if cut:
            yield buffer, cut
            buffer[:held] = buffer[cut:end]
        elif held > most_bytes:
            buffer.clear()  # an error keeps what its frames hold
            raise too_large(most_bytes)
    if held:
        yield buffer, held
