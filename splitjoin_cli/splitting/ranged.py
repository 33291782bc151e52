"""What a range of a source holds that was scanned, or cut, by itself: values that a plan takes whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from splitjoin_cli.core.units import LARGE_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from splitjoin_cli.splitting.cuts import Mark
    from splitjoin_cli.splitting.records.lines import Skipped
    from splitjoin_cli.splitting.records.outcome import Outcome
    from splitjoin_cli.splitting.records.watch import Watch
    from splitjoin_cli.splitting.survey import Survey

__all__ = ["CutRange", "Large", "Ranged"]


@dataclass(slots=True)
class Large:
    """Records above LARGE_RECORD_BYTES, which no block is: one ends in a block at most. ``first``: where it begins."""

    records: int = 0
    first: int = 0

    def measure(self, start: int, end: int) -> None:
        """Look at the record from ``start`` to ``end``; of those in a block, at the first alone."""
        if end - start > LARGE_RECORD_BYTES:
            self.first = self.first if self.records else start
            self.records += 1


class Ranged(NamedTuple):
    """What a range held. ``outcome``: of all of it, from a record's start; ``crc``: its CRC-64/NVME.

    ``large``: its large records; ``watch`` and ``survey``: saw its blocks. ``skipped``: its lines that are no records,
    where some may be.
    """

    outcome: Outcome
    crc: int
    large: Large
    watch: Watch | None
    survey: Survey
    skipped: Skipped | None = None


class CutRange(NamedTuple):
    """A range that was cut: where its chunks end, and its ``end``, a record's.

    ``crlf``: of its line ends. ``skipped``: its lines that are no records, where some may be.
    """

    cuts: Iterable[Mark]
    end: Mark
    crlf: int
    skipped: Skipped | None
