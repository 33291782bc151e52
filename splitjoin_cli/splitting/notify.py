"""Sends the event of each stored chunk, for stores that send none: ``split --notify``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from splitjoin_cli.core.errors import SplitjoinError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Events", "SendsEvents"]


class SendsEvents(Protocol):
    """Sends events of objects of one destination. Thread-safe."""

    @property
    def batch(self) -> int:
        """How many go in one request."""

    def send(self, names: Sequence[str]) -> list[str | None]:
        """Send the events of up to ``batch`` objects, by name: for each None, or why it was not taken.

        Raises SplitjoinError where none could be sent.
        """


class Events:
    """The events of a split's chunks, in batches. Thread-safe.

    An event may be sent more than once, and never before its chunk is stored: a split that is killed between the two
    sends it when it is resumed. The manifest is stored only after all of them, so that a split that has one has sent
    all.
    """

    def __init__(self, sender: SendsEvents) -> None:
        """Nothing is sent yet."""
        self._sender = sender
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, str]] = []
        self.errors: dict[int, str] = {}
        """By the chunk's number: why its event was not taken."""

    def stored(self, number: int, name: str) -> None:
        """A chunk is stored under ``name``. Sends a batch where this fills one."""
        with self._lock:
            self._waiting.append((number, name))
            batch = self._taken() if len(self._waiting) == self._sender.batch else []
        self._send(batch)

    def flush(self) -> None:
        """Send what waits."""
        with self._lock:
            batch = self._taken()
        self._send(batch)

    def _taken(self) -> list[tuple[int, str]]:
        batch, self._waiting = self._waiting, []
        return batch

    def _send(self, batch: Sequence[tuple[int, str]]) -> None:
        if not batch:
            return
        results: Sequence[str | None]
        try:
            results = self._sender.send([name for _, name in batch])
        except SplitjoinError as exc:
            results = [exc.message] * len(batch)
        refused = {number: error for (number, _), error in zip(batch, results, strict=True) if error is not None}
        with self._lock:
            self.errors |= refused
