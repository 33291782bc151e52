"""Writes and reads the lines of a manifest's chunks in the compiled kernel: a million in a fraction of a second.

Each is to the letter what ``manifest`` makes of a chunk by itself; the tests hold one against the other.
"""

from __future__ import annotations

import ctypes
import json
from array import array
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.crc64 import TAG
from splitjoin_cli.core.native import Bytes, kernel
from splitjoin_cli.core.native.files import Lines, Numbered
from splitjoin_cli.core.switches import SCANNER, switched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.format.chunk_table import ChunkTable
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.native import Kernel

__all__ = ["ManifestLines", "lines_of_chunks", "manifest_lines"]

_TAG = TAG.encode()
_AT_ONCE = 1000
_LINE_BYTES = 320  # of all but its texts: seven numbers of at most 20 digits and their keys
_ROOM = 4096


Columns = tuple["array[int]", "array[int]", "array[int]", "array[int]"]


def _compiled() -> Kernel | None:
    return None if switched(SCANNER) else kernel()


class Growing(Protocol):
    """A manifest whose chunks are being read. See Manifest."""

    @property
    def file_name(self) -> str:
        """The job's."""

    @property
    def compression(self) -> Compression | None:
        """Of its chunks."""

    @property
    def header_bytes(self) -> int:
        """Of each chunk."""

    @property
    def chunks(self) -> ChunkTable:
        """Those that are read."""

    @property
    def stored_bytes(self) -> array[int]:
        """Theirs."""


def _names(around: tuple[str, str], total: int) -> Numbered:
    """As JSON has them, between quotes; ``around``: what stands before and behind the number in each."""
    prefix, suffix = (json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "backslashreplace") for text in around)
    return Numbered.of(prefix, suffix, total)


def lines_of_chunks(
    around: tuple[str, str], chunks: ChunkTable, stored_bytes: array[int], header_bytes: int
) -> Iterator[bytes] | None:
    """The lines of all chunks with what is between them, in blocks; None where they are to be made one by one.

    ``around``: what stands before and behind the number in each name. No chunk is one that ``replace`` stored.
    """
    compiled = _compiled()
    if compiled is None:
        return None
    numbered = _names(around, len(chunks))
    columns = (chunks.starts, chunks.rows, stored_bytes, chunks.checksums)
    return _blocks(compiled, numbered, columns, header_bytes)


def _blocks(compiled: Kernel, numbered: Numbered, columns: Columns, header_bytes: int) -> Iterator[bytes]:
    lines = Lines.of(numbered, _TAG, header_bytes, columns)
    out = ctypes.create_string_buffer(_AT_ONCE * (numbered.prefix_size + numbered.suffix_size + _LINE_BYTES))
    for place in range(0, numbered.total, _AT_ONCE):
        size = compiled.functions.sj_put_lines(lines, place, min(_AT_ONCE, numbered.total - place), out)
        yield ctypes.string_at(out, size)


def manifest_lines(manifest: Growing, total: int) -> ManifestLines | None:
    """What appends the lines of ``manifest``, of which the head is known; None without the kernel."""
    compiled = _compiled()
    if compiled is None:
        return None
    numbered = _names(names.around_number(manifest.file_name, total, manifest.compression), total)
    return ManifestLines(compiled, numbered, manifest.header_bytes, manifest.chunks, manifest.stored_bytes)


class ManifestLines:
    """A FastLines: it takes a line where it is to the letter what the manifest's writer makes of the next chunk.

    Any other is left to the reader of JSON, which knows what else a line may be, and what to say of one that is wrong.
    """

    def __init__(
        self, compiled: Kernel, names_of: Numbered, header_bytes: int, table: ChunkTable, stored: array[int]
    ) -> None:
        """See ``manifest_lines``."""
        self._take = compiled.functions.sj_take_lines
        self._table, self._stored = table, stored
        self._starts = array("q", bytes(8 * (_ROOM + 1)))
        self._rows, self._sizes, self._sums = (array(kind, bytes(8 * _ROOM)) for kind in "qqQ")
        columns = (self._starts, self._rows, self._sizes, self._sums)
        self._lines = Lines.of(names_of, _TAG, header_bytes, columns)
        self._used = ctypes.c_int64()

    def __call__(self, block: bytes, at: int) -> int:
        """See FastLines."""
        lines, table, taken = self._lines, self._table, _ROOM
        with Bytes(block) as place:
            while taken == _ROOM:
                lines.first, self._starts[0] = len(table), table.end
                taken = self._take(lines, _ROOM, place.address + at, place.size - at, self._used)
                at += self._used.value
                table.extend(self._starts[1 : taken + 1], self._rows[:taken], self._sums[:taken])
                self._stored.extend(self._sizes[:taken])
        return at
