"""A chunk's records as bytes that databases' CSV readers read exactly: no header, UTF-8, records ending with LF."""

from __future__ import annotations

import codecs
import re
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, is_open, too_large
from splitjoin_cli.stores.loaders.fields import decoded
from splitjoin_cli.stores.loaders.widths import FieldCounter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.loaders.base import ChunkToLoad

__all__ = ["BLOCK_BYTES", "NotPlainError", "body_blocks", "body_texts", "gathered", "is_plain_dialect", "plain_blocks"]

BLOCK_BYTES = 1024 * 1024
_UTF8 = frozenset({"utf-8", "ascii"})
_END_OF_DATA = re.compile(rb"^\\\.\r?$", re.MULTILINE)


class NotPlainError(Exception):
    """The chunk holds what database readers take otherwise than the csv module: read it field by field instead."""


def opened(chunk: ChunkToLoad) -> ByteStream:
    """A pass over the chunk's bytes, decompressed, header included."""
    stream = chunk.open()
    return DecompressedStream(stream, chunk.compression, chunk.name) if chunk.compression else stream


def body_blocks(chunk: ChunkToLoad) -> Iterator[bytes]:
    """The chunk's bytes after its header (and without a byte order mark), in blocks of BLOCK_BYTES or fewer."""
    buffer = memoryview(bytearray(BLOCK_BYTES))
    with closing(opened(chunk)) as stream:
        left = chunk.header_bytes
        while left:
            filled = stream.readinto(buffer[: min(left, BLOCK_BYTES)])
            if not filled:
                raise SourceError(f"{chunk.name} ends within its header")
            left -= filled
        at_start = not chunk.header_bytes
        while filled := stream.readinto(buffer):
            yield bytes(buffer[:filled]).removeprefix(codecs.BOM_UTF8) if at_start else bytes(buffer[:filled])
            at_start = False


def body_texts(chunk: ChunkToLoad, errors: str = "strict") -> Generator[str, None, None]:
    """The same as text; ``errors``: as codecs take it."""
    return decoded(body_blocks(chunk), chunk.dialect.encoding, errors)


def is_plain_dialect(dialect: Dialect) -> bool:
    """Whether RFC 4180's rules, with any delimiter and quote, are the dialect's: databases read no others alike.

    What means NULL is another question, which each database answers itself.
    """
    rfc = Dialect(dialect.delimiter, dialect.quotechar, None, dialect.header, dialect.line_end, dialect.encoding)
    same = dialect == replace(rfc, nulls=dialect.nulls, stray_quote=dialect.stray_quote)
    one_byte = len(dialect.delimiter) == 1 and dialect.delimiter.isascii()
    return same and one_byte and dialect.quotechar is not None and dialect.stray_quote != "mysql"


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
    blocks = body_blocks(chunk)
    if codecs.lookup(chunk.dialect.encoding).name not in _UTF8:
        blocks = (text.encode() for text in decoded(blocks, chunk.dialect.encoding))
    quote = (chunk.dialect.quotechar or "").encode()
    delimiter = chunk.dialect.delimiter.encode()
    line_end = (chunk.dialect.line_end or "\n").encode() if refuse_other_line_ends else None
    counter = None if width is None else FieldCounter(delimiter, width)
    inside = False
    lines = b"\n"
    under_way = 0  # bytes of a record whose end has not come
    for lines in _whole_lines(blocks, most_bytes):
        if refuse_end_of_data and b"\\." in lines and _END_OF_DATA.search(lines):
            raise NotPlainError
        parts = lines.split(quote) if quote else [lines]
        _check_quotes(parts, delimiter[0], inside=inside)
        under_way = _record_under_way(parts, under_way, len(lines), inside=inside, most_bytes=most_bytes)
        outside = _with_lf(parts, lines, inside=inside, line_end=line_end)
        if counter is not None:
            counter.count(outside)
        if refuse_blank_lines and _has_blank_line(parts, inside=inside):
            raise NotPlainError
        yield quote.join(parts) if b"\r" in lines else lines
        inside ^= len(parts) % 2 == 0
    if inside:
        raise BadRecordError("a quote is never closed", is_open)
    ended = lines.endswith(b"\n")
    if counter is not None:
        counter.finish(ended=ended)
    if line_end and lines.endswith(delimiter):
        raise NotPlainError
    if not ended:
        yield b"\n"  # MySQL misses the last field of the last line where that is empty and nothing ends the line


def _with_lf(parts: list[bytes], lines: bytes, *, inside: bool, line_end: bytes | None) -> bytes:
    """What is outside quotes, LF for CR LF there and in ``parts``, which are ``lines`` cut at the quotes.

    Raises NotPlainError for a lone CR, and for a record that ends otherwise than with ``line_end``, if one is said.
    """
    outside = b"".join(parts[inside::2])
    if line_end and outside.count(b"\r\n") != (outside.count(b"\n") if line_end == b"\r\n" else 0):
        raise NotPlainError
    if b"\r" not in lines:
        return outside
    parts[inside::2] = [part.replace(b"\r\n", b"\n") for part in parts[inside::2]]
    outside = b"".join(parts[inside::2])
    if b"\r" in outside:
        raise NotPlainError
    return outside


def _record_under_way(parts: list[bytes], before: int, size: int, *, inside: bool, most_bytes: int) -> int:
    """How many bytes of a record stand at the end of these ``size`` bytes, whose first record had ``before`` already.

    Raises BadRecordError where a record is larger than ``most_bytes``. Each is looked at only where one may be.
    """
    if before + size > most_bytes:
        return _records_measured(parts, before, inside=inside, most_bytes=most_bytes)
    behind = -1  # quotes between the parts
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        behind += len(part) + 1
        if place % 2 == inside and (end := part.rfind(b"\n")) >= 0:
            return behind - end - 1
    return before + size


def _records_measured(parts: list[bytes], under_way: int, *, inside: bool, most_bytes: int) -> int:
    """See _record_under_way: record by record."""
    for place, part in enumerate(parts):
        begin = 0
        if place:
            under_way += 1
        while place % 2 == inside and (end := part.find(b"\n", begin) + 1):
            if under_way + end - begin > most_bytes:
                raise too_large(most_bytes)
            under_way, begin = 0, end
        under_way += len(part) - begin
        if under_way > most_bytes:
            raise too_large(most_bytes)
    return under_way


def _has_blank_line(parts: list[bytes], *, inside: bool) -> bool:
    return (not inside and parts[0].startswith(b"\n")) or any(b"\n\n" in part for part in parts[inside::2])


def _check_quotes(parts: list[bytes], delimiter: int, *, inside: bool) -> None:
    """``parts``: whole lines, cut at the quotes; every other one lies outside. Raises NotPlainError for stray quotes.

    A part outside that is empty is a doubled quote. Any other begins after a closing quote and ends before an opening
    one: there stand delimiters and line ends alone. The first and the last part end at the lines' own edges.
    """
    if len(parts) == 1:
        return
    starts, ends = (delimiter, 10, 13), (delimiter, 10)
    outside = parts[inside::2]
    if not inside:
        first = outside.pop(0)
        if first and first[-1] not in ends:
            raise NotPlainError
    if outside and (len(parts) - inside) % 2 == 1:
        final = outside.pop()
        if final and final[0] not in starts:
            raise NotPlainError
    if any(part and (part[0] not in starts or part[-1] not in ends) for part in outside):
        raise NotPlainError


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


def gathered(lines: Iterable[bytes], size: int = BLOCK_BYTES) -> Generator[bytes, None, None]:
    """The same bytes in blocks of about ``size``: drivers are slow with small ones."""
    pieces: list[bytes] = []
    held = 0
    for line in lines:
        pieces.append(line)
        held += len(line)
        if held >= size:
            yield b"".join(pieces)
            pieces, held = [], 0
    if pieces:
        yield b"".join(pieces)
