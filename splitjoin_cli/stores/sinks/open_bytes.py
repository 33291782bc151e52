"""A plan or manifest that is in memory, read as one that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from splitjoin_cli.stores.sinks.base import SmallObject

__all__ = ["OpenBytes"]


class OpenBytes:
    """See OpenSmall."""

    def __init__(self, small: SmallObject) -> None:
        """``small``: all of it."""
        self._data, self.validator = small.data, small.validator
        self.size = len(small.data)

    def read_at(self, offset: int, size: int) -> bytes:
        """See OpenSmall."""
        return self._data[offset : offset + size]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
