"""Counts the objects of a job that were seen, each once, however often it is listed: a bit for each of a million."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core import names

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Compression, StoredObject

__all__ = ["SeenObjects"]

MOST_SETS = 4
"""Sets of chunks that have bits. A name claims how many: a thousand sets of one chunk each would take a gigabyte."""


class SeenObjects:
    """``count`` objects of ``size_bytes`` in all. Not thread-safe."""

    def __init__(self) -> None:
        """None was seen."""
        self.count = self.size_bytes = 0
        self._bits: dict[tuple[int, Compression | None], bytearray] = {}
        self._others: set[str] = set()

    def add(self, stored: StoredObject) -> None:
        """One that is there. Seen before, it counts as it was then."""
        if self._is_new(stored.name):
            self.count += 1
            self.size_bytes += stored.size

    def _is_new(self, name: str) -> bool:
        chunk = names.parse(name)
        if chunk is not None and chunk.total <= names.MAX_TOTAL and names.format(chunk) == name:
            bits = self._bits_of(chunk.total, chunk.compression)
            if bits is not None:
                place, mask = chunk.number // 8, 1 << chunk.number % 8
                new = not bits[place] & mask
                bits[place] |= mask
                return new
        new = name not in self._others
        self._others.add(name)
        return new

    def _bits_of(self, total: int, compression: Compression | None) -> bytearray | None:
        """Those of a set; None where there are too many sets."""
        key = (total, compression)
        if key not in self._bits and len(self._bits) < MOST_SETS:
            self._bits[key] = bytearray(total // 8 + 1)
        return self._bits.get(key)
