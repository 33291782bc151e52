"""The group ``tracker``: counts a second of our tracker, against the published unguarded counter on the same server."""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks import peers, servers
from benchmarks.rates import RateTable, Way, in_turns
from benchmarks.report import filesystem
from benchmarks.surroundings import environment, say
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers.base import SHARD_PARTS
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.rates import Group
    from splitjoin_cli.stores.trackers.base import Tracker
    from tests.servers.dynamodb import DynamoDbServer

THREADS = 8
JOB_TABLE = "bench"
PUBLISHED = "SET total_parts = if_not_exists(total_parts, :total_parts) ADD processed_parts :processed_parts"
PUBLISHED_SQL = """INSERT INTO jobs VALUES (?, ?, 1)
    ON CONFLICT DO UPDATE SET processed_parts = processed_parts + 1 RETURNING processed_parts = total_parts"""
OURS = "counts each chunk once"
UNGUARDED = "counts a duplicate twice"


class _Job:
    """A job that no run before had."""

    def __init__(self, total_parts: int) -> None:
        self.total_parts = total_parts
        self.renew()

    def renew(self) -> None:
        """Another name, and another run."""
        token = uuid.uuid4().hex
        self.run = Run(f"bench-{token[:12]}_20240131", token)


def compare(total_parts: int, rounds: int) -> RateTable:
    """Both DynamoDB servers and SQLite; a server that is not installed is left out, and said."""
    groups: list[Group] = []
    left_out: list[str] = []
    for name, started in (("dynalite", servers.dynalite_server), ("MiniStack", servers.ministack_server)):
        try:
            with started() as server:
                groups += _on_dynamodb(server, total_parts, rounds)
        except LookupError as exc:
            say(f"{name} is left out: {exc}")
            left_out.append(f"{name}: {str(exc).splitlines()[-1]}")
    groups.append(_on_sqlite(total_parts, rounds))
    notes = (
        f"Each chunk of a job is counted once, and the count read back. Medians of {rounds} interleaved rounds.",
        f"DynamoDB's stand-ins: {THREADS} threads share a client, the same for both ways, on the server's own machine.",
        f"SQLite: one thread, which waits for the disk ({_temporary()}) at each count.",
        f"Jobs above {SHARD_PARTS} chunks have an item for each {SHARD_PARTS}; the published counter has one item.",
    )
    title = "Tracker against the published unguarded counter"
    return RateTable(title, "store", "count", notes, tuple(groups), tuple(left_out))


def _temporary() -> str:
    return filesystem(Path(tempfile.gettempdir()))


def _on_dynamodb(server: DynamoDbServer, total_parts: int, rounds: int) -> Iterator[Group]:
    """One group for a job that is one item, and one for a job of shards, where there are so many chunks."""
    with environment(server.env), ExitStack() as stack:
        client = stack.enter_context(closing(server.client()))
        executor = stack.enter_context(ThreadPoolExecutor(THREADS))
        tracker = DynamoDbTracker(JOB_TABLE, client=client)
        tracker.init()
        for parts in sorted({min(total_parts, SHARD_PARTS), total_parts}):
            ways = _both_ways(tracker, client, executor, parts)
            yield in_turns(f"{server.name}, {parts:,} chunks", parts, rounds, ways)


def _both_ways(
    tracker: Tracker,
    client: Any,  # noqa: ANN401 -- boto3 makes its clients' classes at run time
    executor: ThreadPoolExecutor,
    total_parts: int,
) -> tuple[Way, Way]:
    job = _Job(total_parts)

    def all_at_once(mark: Callable[[int], object], job: _Job) -> None:
        for _ in executor.map(mark, range(1, job.total_parts + 1)):
            pass

    def add_all() -> None:
        all_at_once(lambda _: _add(client, job), job)

    theirs = Way(
        "published counter", UNGUARDED, f"boto3 {boto3.__version__}", job.renew, add_all, partial(_added, client, job)
    )
    return _ours(tracker, job, all_at_once), theirs


def _on_sqlite(total_parts: int, rounds: int) -> Group:
    """The same counter in SQL: SQLite has no published one."""
    version = f"SQLite {sqlite3.sqlite_version}"
    with tempfile.TemporaryDirectory(prefix="splitjoin-bench-") as place, ExitStack() as stack:
        tracker = stack.enter_context(closing(SqliteTracker(Path(place, "ours.db"))))
        job = _Job(total_parts)
        db = stack.enter_context(closing(sqlite3.connect(Path(place, "theirs.db"), isolation_level=None)))
        db.execute("PRAGMA journal_mode = WAL")  # as ours; both keep synchronous=FULL
        db.execute("CREATE TABLE jobs (file_name TEXT PRIMARY KEY, total_parts INTEGER, processed_parts INTEGER)")

        def add() -> None:
            for _ in range(total_parts):
                db.execute(PUBLISHED_SQL, (job.run.file_name, total_parts)).fetchall()

        def added() -> int:
            found = db.execute("SELECT processed_parts FROM jobs WHERE file_name = ?", (job.run.file_name,))
            return int(found.fetchone()[0])

        ours = _ours(tracker, job, _one_by_one)
        theirs = Way("the same counter in SQL", UNGUARDED, version, job.renew, add, added)
        return in_turns(f"SQLite, {total_parts:,} chunks", total_parts, rounds, (ours, theirs))


def _ours(tracker: Tracker, job: _Job, each: Callable[[Callable[[int], object], _Job], None]) -> Way:
    def prepare() -> None:
        job.renew()
        tracker.open_job(JobSpec(job.run, job.total_parts))

    def mark(number: int) -> object:
        return tracker.mark_done(job.run, number, total_parts=job.total_parts, rows=1000)

    def count() -> int:
        progress = tracker.progress(job.run.file_name)
        return progress.processed_parts if progress.complete else -1

    return Way("splitjoin", OURS, peers.OURS.version(), prepare, lambda: each(mark, job), count)


def _one_by_one(mark: Callable[[int], object], job: _Job) -> None:
    for number in range(1, job.total_parts + 1):
        mark(number)


def _add(client: Any, job: _Job) -> object:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
    """One count of the published expression; its answer tells whether the job is complete."""
    answer = client.update_item(
        TableName=JOB_TABLE,
        Key=items.key_of_job(job.run.file_name),
        UpdateExpression=PUBLISHED,
        ExpressionAttributeValues={
            ":total_parts": items.number(job.total_parts),
            ":processed_parts": items.number(1),
        },
        ReturnValues="ALL_NEW",
    )
    return items.job_of(answer["Attributes"]).complete


def _added(client: Any, job: _Job) -> int:  # noqa: ANN401 -- as above
    answer = client.get_item(TableName=JOB_TABLE, Key=items.key_of_job(job.run.file_name), ConsistentRead=True)
    return items.job_of(answer["Item"]).processed_parts
