"""SIGINT and SIGTERM become an error in the main thread, so that what was begun is undone on the way out."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

ECHO_SECONDS = 1.0
"""``timeout`` and shells signal a process and its group at once: what follows this closely is the same wish."""

AGAIN_SECONDS = 0.01
"""How long a signal waits that came at a moment at which raising does harm."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopped_by_signals(clock: Callable[[], float] = time.monotonic, *, mask: Iterable[int] = ()) -> Iterator[None]:
    """Raise StoppedError in the main thread at the first signal; the next one, a second later or more, kills.

    A signal that the parent process set to be ignored (``nohup``, a shell's background job) stays ignored. What the
    caller has blocked is let through from here on, ``mask`` excepted.
    """
    first: float | None = None

    wanted: int | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal first, wanted
        if first is None:
            if _starts_thread(frame):
                wanted = number
                signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
                return
            first = clock()
            raise StoppedError(number)
        if clock() - first >= ECHO_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def again(_: int, frame: FrameType | None) -> None:
        if wanted is not None:
            stop(wanted, frame)

    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, stop)
    alarm = signal.signal(signal.SIGALRM, again)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, set(_STOP_SIGNALS) - set(mask))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        for number in ours:
            signal.signal(number, before[number])


@contextlib.contextmanager
def too_late() -> Iterator[None]:
    """Let a signal stop nothing in the block, which says what came of it all; a second one, later, kills.

    Half a document, with the error of the signal behind it, would be no document.
    """
    first: float | None = None

    def heard(number: int, _: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = now
        elif now - first >= ECHO_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    ours = [number for number, handler in before.items() if callable(handler)]
    for number in ours:
        signal.signal(number, heard)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let no signal stop the block in its middle, as a drawing that would then stand twice; it does so at its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _starts_thread(frame: FrameType | None) -> bool:
    """Whether a thread is just being started: an error there leaves it half known, and it complains on stderr."""
    while frame is not None:
        if frame.f_code is threading.Thread.start.__code__:
            return True
        frame = frame.f_back
    return False
