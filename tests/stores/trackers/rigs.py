"""The trackers under test: each kind of store, and the clock that they all share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.memory import MemoryTable, MemoryTracker
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.trackers.base import Tracker

START = 1_700_000_000.0
SMALL_SHARD = 4
"""Chunks of a shard where tests want many shards."""


class Clock:
    """Stands still until it is moved. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = START

    def __call__(self) -> float:
        with self._lock:
            return self._now

    def move(self, seconds: float) -> None:
        with self._lock:
            self._now = round(self._now + seconds, 3)


class Rig(Protocol):
    """A store that trackers of one kind share."""

    sharded: bool
    """Whether large jobs are counted in shards."""
    clock: Clock

    def tracker(self, *, shard_parts: int = SMALL_SHARD) -> Tracker:
        """One more process on the same store."""


class MemoryRig:
    sharded = True

    def __init__(self) -> None:
        self.clock = Clock()
        self.table = MemoryTable()

    def tracker(self, *, shard_parts: int = SMALL_SHARD) -> MemoryTracker:
        return MemoryTracker(self.table, clock=self.clock, shard_parts=shard_parts)


class SqliteRig:
    sharded = False

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.path = directory / "jobs.sqlite"

    def tracker(self, *, shard_parts: int = SMALL_SHARD) -> SqliteTracker:
        del shard_parts
        return SqliteTracker(self.path, clock=self.clock)


class DynamoDbRig:
    sharded = True

    def __init__(self, client: Any, table: str) -> None:  # noqa: ANN401 -- boto3 makes its clients' classes
        self.clock = Clock()
        self.table = table
        self.client = client

    def tracker(self, *, shard_parts: int = SMALL_SHARD) -> DynamoDbTracker:
        return DynamoDbTracker(self.table, client=self.client, clock=self.clock, shard_parts=shard_parts)
