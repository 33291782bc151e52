"""SIGINT and SIGTERM become an error in the main thread, so that what was begun is undone on the way out."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from splitjoin_cli.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ECHO_SECONDS = 1.0
"""``timeout`` and shells signal a process and its group at once: what follows this closely is the same wish."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopped_by_signals(clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Raise StoppedError in the main thread at the first signal; the next one, a second later or more, kills.

    A signal that the parent process set to be ignored (``nohup``, a shell's background job) stays ignored.
    """
    first: float | None = None

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- what signal handlers take
        nonlocal first
        if first is None:
            first = clock()
            raise StoppedError(number)
        if clock() - first >= ECHO_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
