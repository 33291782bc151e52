"""A limit on the bytes that this process moves over the network, shared by all that move them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bandwidth", "shared"]

PIECE_SECONDS = 0.05
"""What passes at once takes so long at the rate: connections then take turns, and none stands still for long."""
MOST_PIECE_BYTES = 256 * 1024
CREDIT_SECONDS = 0.5
"""What was not used for so long may be made up for: a thread that the system woke late, not an idle hour."""


class Bandwidth:
    """A token bucket: ``bytes_per_second`` pass, whoever takes them. Thread-safe.

    Who takes reserves the next free time and waits for it, so that those who wait get their turns in order.
    """

    def __init__(
        self,
        bytes_per_second: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``clock`` and ``sleep`` are in seconds."""
        self.bytes_per_second = bytes_per_second
        self.piece_bytes = min(max(int(bytes_per_second * PIECE_SECONDS), 1), MOST_PIECE_BYTES)
        self._clock, self._sleep, self._lock = clock, sleep, threading.Lock()
        self._free_at = clock()

    def take(self, size: int) -> None:
        """Wait until ``size`` more bytes may pass: ``piece_bytes`` at most, so that others get their turn."""
        with self._lock:
            now = self._clock()
            turn = max(self._free_at, now - CREDIT_SECONDS)
            self._free_at = turn + size / self.bytes_per_second
        if turn > now:
            self._sleep(turn - now)


_shared: WeakValueDictionary[int, Bandwidth] = WeakValueDictionary()
_sharing = threading.Lock()


def shared(bytes_per_second: int | None) -> Bandwidth | None:
    """The limit of this process at that rate: all transfers under way at the same time have one. None for None."""
    if bytes_per_second is None:
        return None
    with _sharing:
        found = _shared.get(bytes_per_second)
        if found is None:
            found = _shared[bytes_per_second] = Bandwidth(bytes_per_second)
        return found
