"""A chunk's body as the CSV that every database's own reader reads alike: checked to be RFC 4180 to the letter."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.bad_rows import too_large
from splitjoin_cli.stores.loaders.body import NotPlainError, body_blocks
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
) -> Generator[bytes, None, None]:
    r"""The body in UTF-8, each record ended by LF (quoted ones stay as they are), checked to be RFC 4180 to the letter.

    For chunks without an escape character. Raises BadRecordError for a record that has not ``width`` fields (None:
    any), for one of more than ``most_bytes``, and for a quote that nothing closes. Raises NotPlainError for stray
    quotes, which PostgreSQL would drop in silence, and for a lone CR, which ends a record for the csv module alone;
    with ``refuse_end_of_data`` for a line ``\.``, which would end PostgreSQL's data; with ``refuse_blank_lines`` for a
    blank line, which DuckDB skips; with ``refuse_other_line_ends`` for a record that ends otherwise than the dialect
    says, which MySQL takes for data, or misses a field of.
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
) -> Generator[tuple[bytes, int], None, None]:
    """As ``plain_blocks``, each piece with the bytes at its end that are of a record which goes on in the next."""
    blocks: Iterable[bytes] = body_blocks(chunk)
    if codecs.lookup(chunk.dialect.encoding).name not in _UTF8:
        blocks = (text.encode() for text in decoded(blocks, chunk.dialect.encoding))
    judge = judge_for(rules)
    lines = b"\n"
    for lines in _whole_lines(blocks, rules.most_bytes):
        if refuse_end_of_data and b"\\." in lines and _END_OF_DATA.search(lines):
            raise NotPlainError
        yield judge.judged(lines), judge.under_way
    ended = lines.endswith(b"\n")
    judge.finish(ended=ended)
    if rules.line_end and lines.endswith(rules.delimiter):
        raise NotPlainError
    if not ended:
        yield b"\n", 0  # MySQL misses the last field of the last line where that is empty and nothing ends the line


def _whole_lines(blocks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """The same bytes, cut behind newlines, quoted or not: there no CR LF and no doubled quote is cut.

    Raises BadRecordError where no newline comes within ``most_bytes``.
    """
    pieces: list[bytes] = []
    held = 0
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if not cut:
            pieces.append(block)
            held += len(block)
            if held > most_bytes:
                pieces.clear()  # an error keeps what its frames hold
                raise too_large(most_bytes)
            continue
        yield b"".join([*pieces, block[:cut]])
        pieces = [block[cut:]] if cut < len(block) else []
        held = len(block) - cut
    if rest := b"".join(pieces):
        yield rest
