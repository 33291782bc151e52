"""The group ``status``: what the command takes for many chunks, and for many jobs, against a job of one chunk."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import peers, servers
from benchmarks.measure import Usage, middle, run, run_apart
from benchmarks.rates import WrongCountError, ratio
from benchmarks.surroundings import environment, say
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers.base import SHARD_PARTS
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

ONE = Run("one_20240131", "1a2b3c4d" * 4)
MANY = Run("many_20240131", "5e6f7a8b" * 4)
JOB_TABLE = "bench"
CROWD_TABLE = "crowd"
CROWD_PARTS, CROWD_COUNTED = 20, 10
"""Of each of the many jobs."""
LISTED = 0.999
"""dynalite's indexes keep one item of those whose keys have the same hash of 24 bits: of 10,000 it lists 9,997."""
WRITES_AT_ONCE = 25  # what BatchWriteItem takes


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's runs."""

    what: str
    runs: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class StatusTable:
    """For each tracker its questions; the first is about a job of one chunk, which the ratios are against."""

    title: str
    notes: tuple[str, ...]
    trackers: Mapping[str, tuple[Asked, ...]]
    version: str
    left_out: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Medians; ``x`` columns are the figure divided by that of the job of one chunk, see ``rates.ratio``."""
        lines = [
            f"### {self.title}",
            "",
            *(f"- {note}" for note in self.notes),
            "",
            "| tracker | asked | seconds | x one chunk | CPU s | x one chunk | peak MiB |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        for tracker, questions in self.trackers.items():
            first = questions[0].runs
            for asked in questions:
                took = middle(asked.runs)
                cells = [
                    tracker,
                    asked.what,
                    f"{took.seconds:.2f}",
                    ratio([usage.seconds for usage in first], [usage.seconds for usage in asked.runs]),
                    f"{took.cpu_seconds:.2f}",
                    ratio([usage.cpu_seconds for usage in first], [usage.cpu_seconds for usage in asked.runs]),
                    f"{took.peak_bytes / 2**20:.0f}",
                ]
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", *(f"Left out: {reason}" for reason in self.left_out)]).rstrip()

    def document(self) -> dict[str, object]:
        """Every run, for ``--json``."""
        return {
            "title": self.title,
            "notes": list(self.notes),
            "trackers": {name: [asdict(asked) for asked in questions] for name, questions in self.trackers.items()},
            "left_out": list(self.left_out),
        }

    def versions(self) -> list[str]:
        """What was asked."""
        return [self.version]


@dataclass(frozen=True, slots=True)
class Filled:
    """A tracker with both jobs in it, one with many small jobs, and the environment in which the command finds them."""

    url: str
    crowd_url: str
    env: dict[str, str]


def measure(total_parts: int, jobs: int, rounds: int) -> StatusTable:
    """SQLite and DynamoDB; a server that is not installed is left out, and said."""
    trackers: dict[str, tuple[Asked, ...]] = {}
    left_out: list[str] = []
    kinds: dict[str, Callable[[int, int], AbstractContextManager[Filled]]] = {
        "SQLite": _sqlite,
        "dynalite": _dynamodb,
    }
    for name, filled in kinds.items():
        try:
            with filled(total_parts, jobs) as tracker, tempfile.TemporaryDirectory() as scratch:
                trackers[name] = _ask(name, tracker, total_parts, jobs, rounds, Path(scratch, "log"))
        except LookupError as exc:
            say(f"{name} is left out: {exc}")
            left_out.append(f"{name}: {str(exc).splitlines()[-1]}")
    notes = (
        "`splitjoin status`, the whole command. Every second chunk is counted: no job has more missing ranges.",
        f"Each of the {jobs:,} jobs has {CROWD_PARTS} chunks, of which {CROWD_COUNTED} are counted.",
        f"Medians of {rounds} interleaved rounds; CPU: user + system, of the command, not of the server.",
    )
    title = f"status of a job of {total_parts:,} chunks, and of {jobs:,} jobs"
    return StatusTable(title, notes, trackers, peers.OURS.version(), tuple(left_out))


def _ask(name: str, tracker: Filled, total_parts: int, jobs: int, rounds: int, log: Path) -> tuple[Asked, ...]:
    def command(*words: str, url: str = tracker.url) -> list[str]:
        return [peers.splitjoin(), "status", *words, "--tracker", url]

    many = f"{total_parts:,} chunks"
    questions = {
        "one chunk": command(ONE.file_name),
        many: command(MANY.file_name),
        f"{many}, --json": command(MANY.file_name, "--json"),
        f"{jobs:,} jobs": command(url=tracker.crowd_url),
        f"{jobs:,} jobs, --json": command("--json", url=tracker.crowd_url),
    }
    run(questions[f"{many}, --json"], env=tracker.env, log=log)
    missing = json.loads(log.read_bytes())["missing"]
    if missing != list(range(1, total_parts + 1, 2)):
        raise WrongCountError(f"{name}: {len(missing):,} of {total_parts:,} chunks are missing")
    run(questions[f"{jobs:,} jobs, --json"], env=tracker.env, log=log)
    counts = [job["processed_parts"] for job in json.loads(log.read_bytes())]
    if set(counts) != {CROWD_COUNTED} or not LISTED * jobs <= len(counts) <= jobs:
        raise WrongCountError(f"{name}: {len(counts):,} jobs instead of {jobs:,}, or other counts")
    runs: dict[str, list[Usage]] = {what: [] for what in questions}
    for number in range(1, rounds + 1):
        say(f"status, {name}, round {number} of {rounds}")
        for what, words in questions.items():
            os.sync()
            runs[what].append(run_apart(words, env=tracker.env, log=log))
    return tuple(Asked(what, tuple(usages)) for what, usages in runs.items())


@contextmanager
def _sqlite(total_parts: int, jobs: int) -> Iterator[Filled]:
    """Chunks are written to the tracker's table as it writes them, all at once."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-bench-") as place, environment({}) as env:
        path, crowd = Path(place, "jobs.db"), Path(place, "crowd.db")
        with closing(SqliteTracker(path)) as tracker:
            tracker.open_job(JobSpec(ONE, 1))
            tracker.open_job(JobSpec(MANY, total_parts))
        with closing(sqlite3.connect(path)) as db, db:
            counted = ((MANY.file_name, MANY.generation, number) for number in range(2, total_parts + 1, 2))
            db.executemany("INSERT INTO splitjoin_chunks VALUES (?, ?, ?)", counted)
            sql = "UPDATE splitjoin_jobs SET processed_parts = ? WHERE file_name = ?"
            db.execute(sql, (total_parts // 2, MANY.file_name))
        with closing(SqliteTracker(crowd)) as tracker:
            tracker.open_job(JobSpec(ONE, CROWD_PARTS))
            for number in range(1, CROWD_COUNTED + 1):
                tracker.mark_done(ONE, number, total_parts=CROWD_PARTS, rows=1)
        with closing(sqlite3.connect(crowd)) as db, db:
            for table in ("splitjoin_jobs", "splitjoin_chunks"):
                _repeat(db, table, jobs)
        yield Filled(f"sqlite:{path}", f"sqlite:{crowd}", env)


def _repeat(db: sqlite3.Connection, table: str, jobs: int) -> None:
    """Write the rows of the one job again, under other names, until there are ``jobs`` jobs."""
    rows = db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 -- our own names; file_name is the first column
    places = ", ".join("?" * len(rows[0]))
    copies = ((f"{number}-{row[0]}", *row[1:]) for number in range(1, jobs) for row in rows)
    db.executemany(f"INSERT INTO {table} VALUES ({places})", copies)  # noqa: S608 -- the same


@contextmanager
def _dynamodb(total_parts: int, jobs: int) -> Iterator[Filled]:
    """Shards are written as items, whole: counting one by one would take minutes."""
    with servers.dynalite_server() as server, environment(server.env) as env, ExitStack() as stack:
        client = stack.enter_context(closing(server.client()))
        tracker = DynamoDbTracker(JOB_TABLE, client=client)
        tracker.init()
        tracker.open_job(JobSpec(ONE, 1))
        tracker.open_job(JobSpec(MANY, total_parts))
        if total_parts <= SHARD_PARTS:
            for number in range(2, total_parts + 1, 2):
                tracker.mark_done(MANY, number, total_parts=total_parts, rows=1)
        else:
            _write(client, JOB_TABLE, [_shard(index, total_parts) for index in range(-(-total_parts // SHARD_PARTS))])
        crowd = DynamoDbTracker(CROWD_TABLE, client=client)
        crowd.init()
        crowd.open_job(JobSpec(ONE, CROWD_PARTS))
        for number in range(1, CROWD_COUNTED + 1):
            crowd.mark_done(ONE, number, total_parts=CROWD_PARTS, rows=1)
        one = client.get_item(TableName=CROWD_TABLE, Key=items.key_of_job(ONE.file_name))["Item"]
        copies = [{**one, **items.key_of_job(f"{number}-{ONE.file_name}")} for number in range(1, jobs)]
        _write(client, CROWD_TABLE, copies)
        yield Filled(f"dynamodb:{JOB_TABLE}", f"dynamodb:{CROWD_TABLE}", env)


def _shard(index: int, total_parts: int) -> dict[str, Any]:
    """A shard of whose chunks every second one is counted. Numbers in it are relative to it, from 0."""
    first = index * SHARD_PARTS + 1
    counted = [number - first for number in range(first, min(first + SHARD_PARTS, total_parts + 1)) if number % 2 == 0]
    more = {"done": items.number_set(counted)} if counted else {}
    return {**items.key_of_shard(MANY, index), **more, "loaded_rows": items.number(len(counted))}


def _write(client: Any, table: str, written: list[dict[str, Any]]) -> None:  # noqa: ANN401 -- boto3 makes its classes
    for at in range(0, len(written), WRITES_AT_ONCE):
        writes = [{"PutRequest": {"Item": item}} for item in written[at : at + WRITES_AT_ONCE]]
        answer = client.batch_write_item(RequestItems={table: writes})
        if answer.get("UnprocessedItems"):
            raise WrongCountError("the server did not take all items")
