"""Reads a source stripe by stripe, where each read is a request: some neighbouring blocks by one of them.

The blocks of the stripe whose turn it is are taken as they come; those of the others wait, as far as there is memory
for them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.core.progress import Tally
from splitjoin_cli.splitting.ahead import Ahead
from splitjoin_cli.splitting.reading import read_planned
from splitjoin_cli.stores.sources.base import announce

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.splitting.intake import Block, Intake
    from splitjoin_cli.splitting.records.base import BlockScanner
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["Stripes"]


class Stripes:
    """Of a source that seeks, from ``start`` on."""

    def __init__(
        self, source: Source, intake: Intake, start: int, block_bytes: int, stripe: int, most: int, moved: Moved
    ) -> None:
        """``stripe``: blocks of one. ``most``: that memory is taken for. ``moved`` hears of the bytes as they come."""
        self._source, self._intake, self._start, self._block_bytes = source, intake, start, block_bytes
        self._moved = moved
        self._ahead: Ahead[tuple[Block, Tally]] = Ahead(block_bytes, stripe=stripe, most=most)
        self._stopped = False

    def work(self, scanner: BlockScanner) -> None:
        """On one of the threads: read and scan stripes until there is none left, or ``stop``."""
        while not self._stopped and self._one(scanner):
            pass

    def stop(self) -> None:
        """Nothing more is taken."""
        self._stopped = True
        self._ahead.stop()

    def close(self) -> None:
        """All threads are done."""

    def _one(self, scanner: BlockScanner) -> bool:
        """One stripe; False when there is none left, or after ``stop``."""
        numbers, size = self._ahead.stripe(), self._source.properties.size or 0
        places = range(self._start + numbers.start * self._block_bytes, size, self._block_bytes)[: len(numbers)]
        if not places:
            return False
        end = min(places[-1] + self._block_bytes, size)
        announce(self._source, ByteRange(places[0], end))
        for number, place in zip(numbers, places, strict=False):
            room = self._ahead.room(number)
            if room is None:
                return False
            tally = Tally(self._moved)
            piece = room[: min(self._block_bytes, end - place)]
            read_planned(self._source, place, piece, tally.add)
            block = self._intake.look(piece, place, scanner)
            self._ahead.put(number, room, (block, tally), partial(self._take, scanner))
        return True

    def _take(self, scanner: BlockScanner, held: tuple[Block, Tally]) -> None:
        block, tally = held
        self._intake.take(block, scanner)
        tally.settle(len(block.piece))
