"""Counts the lines of a source that a split left out: they are in no chunk, and only their number is compared."""

from __future__ import annotations

from typing import Protocol

from splitjoin_cli.core.model import LF
from splitjoin_cli.splitting.stored.chunks import BLOCK_BYTES

__all__ = ["Placed", "lines_between"]


class Placed(Protocol):
    """The source's bytes by place."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """See Source."""


def lines_between(source: Placed, start: int, end: int | None = None) -> int:
    """Physical lines from ``start`` to ``end`` (None: the source's end), the last one with or without its end."""
    block, lines, last = memoryview(bytearray(BLOCK_BYTES)), 0, LF
    while end is None or start < end:
        got = source.read_at(start, block if end is None else block[: end - start])
        if not got:
            break
        data = bytes(block[:got])
        lines, last, start = lines + data.count(b"\n"), data[-1], start + got
    return lines + (last != LF)
