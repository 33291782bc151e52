"""A table on a server of DynamoDB's kind, for the tests of its tracker."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.testing.jobs import SMALL_SHARD, Clock

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.jobs import Job, Run
    from tests.servers.dynamodb import DynamoDbServer

AT_ONCE = Retry(attempts=6, first_delay_seconds=0.0)
LEASE = 60.0
MENDED = "crc64nvme:AAAAAAAAAAE="
PUBLISHED = "SET total_parts = if_not_exists(total_parts, :total_parts) ADD processed_parts :processed_parts"


class Table:
    """A table on a server, and a client of its own for each tracker, so that faults stay with it."""

    def __init__(self, server: DynamoDbServer) -> None:
        self.server = server
        self.name = f"jobs-{uuid.uuid4().hex[:12]}"
        self.clock = Clock()
        self.plain: Any = server.client()
        self.report = self.tracker(self.plain).init()

    def client(self) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        return self.server.client()

    def tracker(self, client: Any, *, shard_parts: int = SMALL_SHARD) -> DynamoDbTracker:  # noqa: ANN401
        return DynamoDbTracker(self.name, client=client, clock=self.clock, shard_parts=shard_parts, retry=AT_ONCE)

    def published(self, file_name: str, total_parts: int, table: str | None = None) -> Job:
        """One count of the published, unguarded expression."""
        values = {":total_parts": items.number(total_parts), ":processed_parts": items.number(1)}
        answer = self.plain.update_item(
            TableName=table or self.name,
            Key=items.key_of_job(file_name),
            UpdateExpression=PUBLISHED,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
        return items.job_of(answer["Attributes"])

    def item(self, key: str) -> dict[str, Any]:
        """An item as it lies in the table."""
        found: dict[str, Any] = self.plain.get_item(TableName=self.name, Key=items.key_of_job(key)).get("Item", {})
        return found


def mark_all(tracker: DynamoDbTracker, run: Run, total_parts: int) -> None:
    """Count every chunk, 10 rows each."""
    for number in range(1, total_parts + 1):
        tracker.mark_done(run, number, total_parts=total_parts, rows=10)
