"""Writes the lines of manifests and plans in the compiled kernel: a million of them in a fraction of a second.

Each is to the letter what ``manifest`` makes of a chunk by itself; the tests hold one against the other.
"""

from __future__ import annotations

import ctypes
import json
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import TAG
from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.native.staged import WrittenLines
from splitjoin_cli.core.switches import SCANNER, switched

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from splitjoin_cli.core.format.chunk_table import ChunkTable
    from splitjoin_cli.core.native import Kernel

__all__ = ["hex_texts", "lines_of_chunks", "plan_lines"]

_AT_ONCE = 1000
_PLAN_RUN = 1000  # chunks on one line of a plan
_LINE_BYTES = 320  # of all but its texts: seven numbers of at most 20 digits and their keys
_HEX_BYTES = 20


def _compiled() -> Kernel | None:
    return None if switched(SCANNER) else kernel()


def lines_of_chunks(
    around: tuple[str, str], chunks: ChunkTable, stored_bytes: array[int], header_bytes: int
) -> Iterator[bytes] | None:
    """The lines of all chunks with what is between them, in blocks; None where they are to be made one by one.

    ``around``: what stands before and behind the number in each name. No chunk is one that ``replace`` stored.
    """
    compiled = _compiled()
    return None if compiled is None else _blocks(compiled, around, chunks, stored_bytes, header_bytes)


def _blocks(
    compiled: Kernel, around: tuple[str, str], chunks: ChunkTable, stored_bytes: array[int], header_bytes: int
) -> Iterator[bytes]:
    total = len(chunks)
    name, suffix = (json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "backslashreplace") for text in around)
    columns = (column.buffer_info()[0] for column in (chunks.starts, chunks.rows, stored_bytes, chunks.checksums))
    lines = WrittenLines(name, suffix, TAG.encode(), *columns, len(str(total)), header_bytes)
    out = ctypes.create_string_buffer(_AT_ONCE * (len(name) + len(suffix) + _LINE_BYTES))
    for first in range(0, total, _AT_ONCE):
        size = compiled.functions.sj_lines_of(lines, first, min(_AT_ONCE, total - first), out)
        yield ctypes.string_at(out, size)


def plan_lines(chunks: ChunkTable) -> Iterator[str]:
    """A plan's lines, a run of chunks each: their ends, records (-1: not counted) and checksums (0: not known)."""
    for first in range(0, len(chunks), _PLAN_RUN):
        ends = json.dumps(chunks.starts[first + 1 : first + 1 + _PLAN_RUN].tolist())
        rows = json.dumps(chunks.rows[first : first + _PLAN_RUN].tolist())
        checksums = hex_texts(chunks.checksums[first : first + _PLAN_RUN])
        yield f'{{"first": {first + 1}, "ends": {ends}, "rows": {rows}, "checksums": [{checksums}]}}'


def hex_texts(numbers: array[int]) -> str:
    """64-bit numbers as JSON lists them, each a text of 16 hexadecimal digits."""
    compiled = _compiled()
    if compiled is None or not numbers:
        return ", ".join(f'"{number:016x}"' for number in numbers)
    out = ctypes.create_string_buffer(len(numbers) * _HEX_BYTES)
    size = compiled.functions.sj_hex_sums(numbers.buffer_info()[0], len(numbers), out)
    return ctypes.string_at(out, size).decode("ascii")
