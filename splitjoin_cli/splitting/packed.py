"""Counts a chunk's own bytes as what is stored of them leaves, in parts and perhaps compressed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sized

    from splitjoin_cli.core.progress import Tally

__all__ = ["Packed"]

S = TypeVar("S", bound="Sized")


class Packed:
    """Between a chunk's bytes and those that are stored of it. Thread-safe.

    A writer sends when a part of its is full: what it has taken has not left yet. The chunk's bytes count in the
    proportion in which the stored ones have left: of 100 MiB that became 10, 20 are done when 2 are sent.
    """

    def __init__(self, tally: Tally) -> None:
        """``tally``: of the chunk's bytes; right when all has left."""
        self._tally, self._lock = tally, threading.Lock()
        self._plain = self._stored = self._sent = 0

    def noted(self, data: S, plain: int) -> S:
        """``data``, which is about to be written, is what ``plain`` more bytes of the chunk became."""
        with self._lock:
            self._plain += plain
            self._stored += len(data)
        return data

    def sent(self, size: int) -> None:
        """``size`` more stored bytes have left; or fewer. See ``Sink.put``."""
        with self._lock:
            self._sent += size
            self._tally.settle(self._plain * self._sent // max(self._stored, 1))
