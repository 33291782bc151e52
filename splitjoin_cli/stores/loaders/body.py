"""A chunk's body: its bytes and its text after the header, and whether its dialect is one that databases read alike."""

from __future__ import annotations

import codecs
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.codecs import DecompressedStream
from splitjoin_cli.core.errors import SourceError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.fields import decoded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from splitjoin_cli.core.bytes.base import ByteStream
    from splitjoin_cli.stores.loaders.base import ChunkToLoad

__all__ = ["BLOCK_BYTES", "NotPlainError", "body_blocks", "body_texts", "gathered", "is_plain_dialect"]

BLOCK_BYTES = 256 * 1024


class NotPlainError(Exception):
    """The chunk holds what database readers take otherwise than the csv module: read it field by field instead."""


def opened(chunk: ChunkToLoad) -> ByteStream:
    """A pass over the chunk's bytes, decompressed, header included."""
    stream = chunk.open()
    return DecompressedStream(stream, chunk.compression, chunk.name) if chunk.compression else stream


def body_blocks(chunk: ChunkToLoad, block_bytes: int | None = None) -> Generator[memoryview, None, None]:
    """The chunk's bytes after its header (and without a byte order mark), in blocks of BLOCK_BYTES or ``block_bytes``.

    A block may be smaller. It is there until the next one is asked for, which takes its place.
    """
    size = block_bytes or BLOCK_BYTES
    buffer = memoryview(bytearray(size))
    with closing(opened(chunk)) as stream:
        left = chunk.header_bytes
        while left:
            filled = stream.readinto(buffer[: min(left, size)])
            if not filled:
                raise SourceError(f"{chunk.name} ends within its header")
            left -= filled
        at_start = not chunk.header_bytes
        while filled := stream.readinto(buffer):
            marked = at_start and bytes(buffer[: min(filled, len(codecs.BOM_UTF8))]) == codecs.BOM_UTF8
            at_start = False
            with buffer[len(codecs.BOM_UTF8) if marked else 0 : filled] as block:
                yield block


def body_texts(chunk: ChunkToLoad, errors: str = "strict") -> Generator[str, None, None]:
    """The same as text; ``errors``: as codecs take it."""
    return decoded(body_blocks(chunk), chunk.dialect.encoding, errors)


@lru_cache(maxsize=8)
def is_plain_dialect(dialect: Dialect) -> bool:
    """Whether RFC 4180's rules, with any delimiter and quote, are the dialect's: databases read no others alike.

    What means NULL is another question, which each database answers itself.
    """
    rfc = Dialect(dialect.delimiter, dialect.quotechar, None, dialect.header, dialect.line_end, dialect.encoding)
    same = dialect == replace(rfc, nulls=dialect.nulls, stray_quote=dialect.stray_quote)
    one_byte = len(dialect.delimiter) == 1 and dialect.delimiter.isascii()
    return same and one_byte and dialect.quotechar is not None and dialect.stray_quote != "mysql"


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
