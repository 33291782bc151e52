"""Chunks by other tools, and the published counter beside ours: our worker's own code, then what the command says."""

from __future__ import annotations

import random
import sqlite3
import time
import uuid
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.join.continuation import MemoryContinuation
from splitjoin_cli.join.events import read_lambda_event
from splitjoin_cli.join.joiner import Joiner
from splitjoin_cli.join.sweep import sweep
from splitjoin_cli.join.worker import ChunkWorker
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from tests.seldom import seldom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.join.sweep import SweepReport
    from splitjoin_cli.join.worker import Handled
    from tests.e2e.command import Splitjoin
    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.s3 import Bucket

    Status = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.server

TOTAL = 5
PREFIX = "from elsewhere+Übersee/"
FILE_NAME = "Zoë-Söhne_20240131"
PUBLISHED = "SET total_parts = if_not_exists(total_parts, :total_parts) ADD processed_parts :processed_parts"


class Elsewhere:
    """A bucket that other tools fill, a table that a published function counts in, and our worker on both."""

    def __init__(self, bucket: Bucket, place: Path, stack: ExitStack) -> None:
        self.bucket, self.database, self.joins = bucket, place / "sales.db", MemoryContinuation()
        self.table = f"jobs-{uuid.uuid4().hex[:12]}"
        self.client: Any = aws.client("dynamodb", attempts=1)
        tracker = DynamoDbTracker(self.table, client=self.client)
        tracker.init()
        chunks = stack.enter_context(closing(Chunks(aws.AwsOptions())))
        loader = stack.enter_context(closing(SqliteLoader(str(self.database), LoadTarget("sales"))))
        joiner = Joiner(
            tracker=tracker, loader=loader, continuation=self.joins, owner="worker", lease_seconds=60,
        )  # fmt: skip
        self.worker = ChunkWorker(chunks=chunks, loader=loader, tracker=tracker, joiner=joiner, sweep_runs=True)
        self._sweep = partial(sweep, tracker=tracker, loader=loader, joiner=joiner, clock=time.time)

    def put(self, number: int, *, rows: int = 3, first: int | None = None) -> str:
        """A chunk as any tool stores it: no metadata, an unpadded number; returns its key."""
        start = 3 * number if first is None else first
        lines = [f'{start + row},"a ""quoted""\r\nline"' for row in range(rows)]
        key = f"{PREFIX}{FILE_NAME}-{number}-{TOTAL}.csv"
        body = "\r\n".join(["id,note", *lines, ""]).encode()
        self.bucket.client().put_object(Bucket=self.bucket.name, Key=key, Body=body)
        return key

    def event(self, key: str) -> Handled:
        """S3's event of it, its key encoded as S3 does, handled."""
        found = {"bucket": {"name": self.bucket.name}, "object": {"key": quote_plus(key, safe="/"), "eTag": "0"}}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": found}
        (delivery,) = read_lambda_event({"Records": [record]}).deliveries
        (outcome,) = self.worker.handle_delivery(delivery)
        return outcome

    def sweep(self) -> SweepReport:
        """What the schedule does."""
        return self._sweep()

    def published(self) -> int:
        """One count of a function written after the published expression; what it gets back."""
        answer = self.client.update_item(
            TableName=self.table,
            Key={"file_name": {"S": FILE_NAME}},
            UpdateExpression=PUBLISHED,
            ExpressionAttributeValues={":total_parts": {"N": str(TOTAL)}, ":processed_parts": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )
        return int(answer["Attributes"]["processed_parts"]["N"])

    def ids(self) -> list[int]:
        """What is in the table."""
        with closing(sqlite3.connect(self.database)) as connection:
            return [int(row[0]) for row in connection.execute("SELECT id FROM sales ORDER BY CAST(id AS INT)")]


@pytest.fixture
def elsewhere(
    s3_env: Bucket, ministack_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Elsewhere]:
    """All of it, empty."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", ministack_server.endpoint_url)
    with ExitStack() as stack:
        yield Elsewhere(s3_env, tmp_path, stack)


@pytest.fixture
def status(elsewhere: Elsewhere, splitjoin_s3: Splitjoin) -> Status:
    """The installed command on that table."""

    def call(*more: str) -> dict[str, Any]:
        return splitjoin_s3.json("status", FILE_NAME, "--tracker", f"dynamodb:{elsewhere.table}", *more)

    return call


def test_chunks_of_other_tools_are_loaded_counted_and_joined(elsewhere: Elsewhere, status: Status) -> None:
    """Twice each and shuffled; status knows every number, the database has every row once, both agree."""
    keys = [elsewhere.put(number) for number in range(1, TOTAL + 1)]
    deliveries = keys * 2
    random.Random(7).shuffle(deliveries)
    for key in deliveries:
        assert elsewhere.event(key).acknowledge
    assert elsewhere.ids() == list(range(3, 3 * (TOTAL + 1)))
    assert [(told.file_name, told.total_parts, told.rows) for told in elsewhere.joins.runs] == [(FILE_NAME, TOTAL, 15)]
    place = f"s3://{elsewhere.bucket.name}/{PREFIX}"
    found = status("--reconcile", "--into", f"sqlite:{elsewhere.database}", "--dest", place)
    assert (found["state"], found["missing"], found["rows"], found["rows_expected"]) == ("joined", [], 15, None)
    assert (found["reconcile"]["agrees"], found["reconcile"]["loaded_parts"]) == (True, TOTAL)
    assert found["never_uploaded"] == []


def test_a_chunk_that_another_tool_changed_is_told(elsewhere: Elsewhere, status: Status) -> None:
    """The same name with other bytes is no duplicate: nothing is loaded, and status shows the ledger's ETag and its."""
    assert elsewhere.event(elsewhere.put(1)).acknowledge
    changed = elsewhere.event(elsewhere.put(1, first=900))
    assert not changed.acknowledge
    assert elsewhere.ids() == [3, 4, 5]
    assert changed.error is not None
    assert "the ledger holds this number with ETag" in changed.error.message
    assert status()["processed_parts"] == 1


@pytest.mark.parametrize("last", [seldom("ours"), "theirs"])
def test_a_published_function_counts_beside_ours(
    elsewhere: Elsewhere,
    splitjoin_s3: Splitjoin,
    status: Status,
    last: str,
) -> None:
    """Two of five counts are theirs: numbers are unknown then, and said to be; one join, whoever counts last."""
    ours = [elsewhere.put(number) for number in (1, 3, 5)]
    assert elsewhere.event(ours[0]).acknowledge
    assert elsewhere.published() == 2
    found = status("--reconcile", "--into", f"sqlite:{elsewhere.database}")
    assert (found["state"], found["processed_parts"], found["missing"]) == ("running", 2, None)
    assert (found["reconcile"]["agrees"], found["reconcile"]["loaded_parts"]) == (None, 1)
    ran = splitjoin_s3.ok("status", FILE_NAME, "--tracker", f"dynamodb:{elsewhere.table}")
    assert "unnumbered  1 count came without a chunk's number: the published counter's" in ran.stdout.splitlines()
    assert elsewhere.event(ours[1]).acknowledge
    if last == "ours":
        assert elsewhere.published() == 4
        assert elsewhere.event(ours[2]).joined
    else:
        assert elsewhere.event(ours[2]).acknowledge
        assert (elsewhere.published(), elsewhere.joins.runs) == (TOTAL, [])
        assert status()["state"] == "complete"
        assert elsewhere.sweep().joined == (FILE_NAME,)
    assert [(told.total_parts, told.rows) for told in elsewhere.joins.runs] == [(TOTAL, 9)]
    found = status("--reconcile", "--into", f"sqlite:{elsewhere.database}")
    assert (found["state"], found["missing"], found["reconcile"]["agrees"]) == ("joined", None, None)


def test_a_job_that_only_a_published_function_counts(elsewhere: Elsewhere, status: Status) -> None:
    """It is shown for what it is: counts without numbers or run; complete, and never stuck, since nobody joins it."""
    assert [elsewhere.published() for _ in range(TOTAL)] == [1, 2, 3, 4, 5]
    found = status("--stuck-after", "1s")
    assert (found["run_id"], found["state"], found["missing"], found["rows"]) == (None, "complete", None, None)
    assert (found["total_parts"], found["processed_parts"]) == (TOTAL, TOTAL)
    assert elsewhere.sweep().joined == ()
