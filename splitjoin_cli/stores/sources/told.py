"""A read of which each byte is told once, whether its source tells or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.progress import Tally

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["read_told"]


def read_told(source: Source, offset: int, buffer: memoryview, came: Moved | None) -> int:
    """``source.read_at``; ``came`` hears of its bytes while they come, or of all of them when they are there."""
    if came is None:
        return source.read_at(offset, buffer)
    tally, filled = Tally(came), 0
    try:
        filled = source.read_at(offset, buffer, tally.add)
    finally:
        tally.settle(filled)
    return filled
