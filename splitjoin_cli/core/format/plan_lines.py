"""Writes the lines of a plan: a thousand chunks on each."""

from __future__ import annotations

import ctypes
import json
from typing import TYPE_CHECKING

from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.switches import SCANNER, switched

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from splitjoin_cli.core.format.chunk_table import ChunkTable

__all__ = ["hex_texts", "plan_lines"]

_PLAN_RUN = 1000  # chunks on one line of a plan
_HEX_BYTES = 20


def plan_lines(chunks: ChunkTable) -> Iterator[str]:
    """A plan's lines, a run of chunks each: their ends, records (-1: not counted) and checksums (0: not known)."""
    for first in range(0, len(chunks), _PLAN_RUN):
        ends = json.dumps(chunks.starts[first + 1 : first + 1 + _PLAN_RUN].tolist())
        rows = json.dumps(chunks.rows[first : first + _PLAN_RUN].tolist())
        checksums = hex_texts(chunks.checksums[first : first + _PLAN_RUN])
        yield f'{{"first": {first + 1}, "ends": {ends}, "rows": {rows}, "checksums": [{checksums}]}}'


def hex_texts(numbers: array[int]) -> str:
    """64-bit numbers as JSON lists them, each a text of 16 hexadecimal digits."""
    compiled = None if switched(SCANNER) else kernel()
    if compiled is None or not numbers:
        return ", ".join(f'"{number:016x}"' for number in numbers)
    out = ctypes.create_string_buffer(len(numbers) * _HEX_BYTES)
    size = compiled.functions.sj_hex_sums(numbers.buffer_info()[0], len(numbers), out)
    return ctypes.string_at(out, size).decode("ascii")
