"""Reads what a source had when it was opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import SourceChangedError

if TYPE_CHECKING:
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["read_planned"]


def read_planned(source: Source, offset: int, buffer: memoryview, came: Moved) -> int:
    """Fill ``buffer`` from a source that seeks, and had the bytes when it was opened; their number.

    ``came`` may hear of them as they come. Raises SourceChangedError where it has not all of them any more, and what
    ``read_at`` raises.
    """
    filled = source.read_at(offset, buffer, came)
    if filled < len(buffer):
        raise SourceChangedError(
            f"{source.properties.uri} ended at byte {offset + filled}, "
            f"it had {source.properties.size} bytes when it was opened",
            hint="split it when nothing writes to it any more",
        )
    return filled
