"""What a coordinator waits by: time, answers that come in, and small reads; a simulation gives its own."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

__all__ = ["Inbox", "Pace"]


class Inbox(Protocol):
    """Where answers come in, from any thread: a SimpleQueue."""

    def put(self, item: Any, /) -> None:  # noqa: ANN401 -- whatever the coordinator keeps of an answer
        """Add an answer."""

    def get(self, *, timeout: float) -> Any:  # noqa: ANN401 -- the same
        """The next one. Raises queue.Empty where none comes within so many seconds."""


def _readers(threads: int) -> Executor:
    return ThreadPoolExecutor(threads, "look")


class Pace(NamedTuple):
    """What the coordinator waits by: the clock and threads of this machine, or those of a simulation.

    ``now``: seconds. ``inbox``: makes an empty one. ``readers``: makes what runs so many small reads at once.
    ``lot``: a number below 1, so that units which were refused do not come back together.
    """

    now: Callable[[], float] = time.monotonic
    inbox: Callable[[], Inbox] = SimpleQueue
    readers: Callable[[int], Executor] = _readers
    lot: Callable[[], float] = random.random
