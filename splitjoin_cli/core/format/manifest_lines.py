"""Reads the lines of a manifest's chunks in the compiled kernel: a million of them in a fraction of a second."""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core import names
from splitjoin_cli.core.bytes.crc64 import TAG
from splitjoin_cli.core.native import Bytes, kernel
from splitjoin_cli.core.native.files import Lines, Numbered
from splitjoin_cli.core.switches import SCANNER, switched

if TYPE_CHECKING:
    from splitjoin_cli.core.format.chunk_table import ChunkTable
    from splitjoin_cli.core.model import Compression
    from splitjoin_cli.core.native import Kernel

__all__ = ["ManifestLines", "manifest_lines"]

_ROOM = 4096
_TAG = TAG.encode()


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


def manifest_lines(manifest: Growing, total: int) -> ManifestLines | None:
    """What appends the lines of ``manifest``, of which the head is known; None without the kernel."""
    compiled = None if switched(SCANNER) else kernel()
    if compiled is None:
        return None
    prefix, suffix = names.around_number(manifest.file_name, total, manifest.compression)
    numbered = Numbered.of(prefix.encode(), suffix.encode(), total)
    return ManifestLines(compiled, numbered, manifest.header_bytes, manifest.chunks, manifest.stored_bytes)


class ManifestLines:
    """A FastLines: it takes a line where it is to the letter what the manifest's writer makes of the next chunk.

    Any other is left to the reader of JSON, which knows what else a line may be, and what to say of one that is wrong.
    """

    def __init__(
        self, compiled: Kernel, names_of: Numbered, header_bytes: int, table: ChunkTable, stored: array[int]
    ) -> None:
        """See ``manifest_lines``."""
        self._take = compiled.functions.sj_manifest_lines
        self._names, self._table, self._stored = names_of, table, stored
        self._ends, self._rows, self._sizes = (array("q", bytes(8 * _ROOM)) for _ in range(3))
        self._sums = array("Q", bytes(8 * _ROOM))
        columns = (column.buffer_info()[0] for column in (self._ends, self._rows, self._sizes, self._sums))
        self._lines = Lines(_TAG, *columns, len(_TAG), header_bytes, _ROOM)
        self._used = ctypes.c_int64()

    def __call__(self, block: bytes, at: int) -> int:
        """See FastLines."""
        lines, table = self._lines, self._table
        lines.number, lines.end = len(table) + 1, table.end
        with Bytes(block) as place:
            while taken := self._take(place.address + at, place.size - at, self._names, lines, self._used):
                at += self._used.value
                table.extend(self._ends[:taken], self._rows[:taken], self._sums[:taken])
                self._stored.extend(self._sizes[:taken])
                if taken < _ROOM:
                    break
        return at
