"""The trackers under test: each kind of store, and the clock that they all share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.memory import MemoryTable, MemoryTracker
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from splitjoin_cli.testing.jobs import SMALL_SHARD, Clock

if TYPE_CHECKING:
    from pathlib import Path


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
