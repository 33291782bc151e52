"""The progress of several splits as one: bytes of all of them, whatever phases each has."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.progress import phase_of, skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.core.progress import Moved, Observer

__all__ = ["Member", "Together"]


class Together:
    """One phase for all splits, of all their sources' bytes. Thread-safe."""

    def __init__(self, observer: Observer, name: str, thing: str, sizes: Sequence[int | None], passes: int) -> None:
        """``name``: the phase's. ``thing``: what each is. ``sizes``: of each, in bytes; None where it is not known.

        ``passes``: how often each goes over its bytes, which count once: a part of them in each pass.
        """
        self._observer, self.passes = observer, passes
        known = [size for size in sizes if size is not None]
        total = sum(known) if len(known) == len(sizes) else None
        self._counts = phase_of(observer, name, total, len(sizes), thing)
        self._begun = 0

    def member(self, name: str, size: int | None) -> Member:
        """The observer of one split. ``name``: how its warnings begin."""
        self._begun += 1
        return Member(self._observer, name, size, self.passes, number=self._begun if self._counts else None)


class Member:
    """What one of several splits is heard by. See Observer."""

    def __init__(self, observer: Observer, name: str, size: int | None, passes: int, *, number: int | None) -> None:
        """See Together. ``number``: among all; None where the observer does not count them."""
        self._number = number
        self._observer, self._name, self._size, self._passes = observer, name, size, passes
        self._lock = threading.Lock()
        self._silent = False
        self._share = 0.0  # of the source's bytes for each byte of the phase
        self._phase_bytes = self._before = self._counted = 0

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- see Observer
        """See Observer: the last phase that sends bytes ends where the source's bytes end."""
        with self._lock:
            self._before, self._phase_bytes = self._counted, 0
            if self._size is None:
                self._share = 1 / self._passes
                return
            left = self._size - self._counted
            room = left if name != "scanning" else min(left, self._size // self._passes)
            self._share = room / total_bytes if total_bytes else 1 / self._passes

    def advance(self, size: int) -> None:
        """See Observer."""
        self._move(size, self._observer.advance)

    def skip(self, size: int) -> None:
        """See core/progress.py."""
        self._move(size, partial(skip, self._observer))

    def chunk_done(self, number: int, state: ChunkState) -> None:
        """See Observer: it counts the splits, not their chunks."""
        self.detail(f"chunk {number} {state}")

    def warn(self, message: str) -> None:
        """See Observer: which source it is about is said, unless the message says so."""
        if not self._silent:
            self._observer.warn(self._named(message))

    def detail(self, message: str) -> None:
        """See Observer."""
        if not self._silent:
            self._observer.detail(self._named(message))

    def hush(self) -> None:
        """Say no more: all ends, and what fails because of that is no news."""
        self._silent = True

    def end(self, *, failed: bool) -> None:
        """The split has ended, whatever came of it: its source is behind."""
        if self._silent:
            return
        with self._lock:
            if self._size is not None:
                self._count(self._size, partial(skip, self._observer))
        if self._number is not None:
            self._observer.chunk_done(self._number, ChunkState.FAILED if failed else ChunkState.UPLOADED)

    def _move(self, size: int, tell: Moved) -> None:
        with self._lock:
            self._phase_bytes += size
            self._count(self._before + int(self._phase_bytes * self._share), tell)

    def _count(self, counted: int, tell: Moved) -> None:
        """So many of its bytes are behind; the caller has the lock."""
        if self._size is not None:
            counted = min(max(counted, 0), self._size)
        if counted != self._counted:
            tell(counted - self._counted)
            self._counted = counted

    def _named(self, message: str) -> str:
        return message if self._name in message else f"{self._name}: {message}"
