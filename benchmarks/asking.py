"""The group ``status``: how long the command takes on a job of many chunks, against a job of one."""

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
from benchmarks.measure import Usage, middle, run
from benchmarks.rates import WrongCountError, ratio
from benchmarks.surroundings import environment, say
from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers.base import SHARD_PARTS, JobSpec, Run
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

ONE = Run("one_20240131", "1a2b3c4d" * 4)
MANY = Run("many_20240131", "5e6f7a8b" * 4)
JOB_TABLE = "bench"
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
            "| tracker | asked | seconds | x one chunk | CPU s | x one chunk |",
            "|---|---|---:|---:|---:|---:|",
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
    """A tracker with both jobs in it, and the environment in which the command finds it."""

    url: str
    env: dict[str, str]


def measure(total_parts: int, rounds: int) -> StatusTable:
    """SQLite and DynamoDB; a server that is not installed is left out, and said."""
    trackers: dict[str, tuple[Asked, ...]] = {}
    left_out: list[str] = []
    kinds: dict[str, Callable[[int], AbstractContextManager[Filled]]] = {
        "SQLite": _sqlite,
        "dynalite": _dynamodb,
    }
    for name, filled in kinds.items():
        try:
            with filled(total_parts) as tracker, tempfile.TemporaryDirectory() as scratch:
                trackers[name] = _ask(name, tracker, total_parts, rounds, Path(scratch, "log"))
        except LookupError as exc:
            say(f"{name} is left out: {exc}")
            left_out.append(f"{name}: {str(exc).splitlines()[-1]}")
    notes = (
        "`splitjoin status`, the whole command. Every second chunk is counted: no job has more missing ranges.",
        f"Medians of {rounds} interleaved rounds; CPU: user + system, of the command, not of the server.",
    )
    title = f"status on a job of {total_parts:,} chunks"
    return StatusTable(title, notes, trackers, peers.OURS.version(), tuple(left_out))


def _ask(name: str, tracker: Filled, total_parts: int, rounds: int, log: Path) -> tuple[Asked, ...]:
    def command(*words: str) -> list[str]:
        return [peers.splitjoin(), "status", *words, "--tracker", tracker.url]

    many = f"{total_parts:,} chunks"
    questions = {
        "one chunk": command(ONE.file_name),
        many: command(MANY.file_name),
        f"{many}, --json": command(MANY.file_name, "--json"),
        "all jobs": command(),
    }
    run(questions[f"{many}, --json"], env=tracker.env, log=log)
    missing = json.loads(log.read_bytes())["missing"]
    if missing != list(range(1, total_parts + 1, 2)):
        raise WrongCountError(f"{name}: {len(missing):,} of {total_parts:,} chunks are missing")
    runs: dict[str, list[Usage]] = {what: [] for what in questions}
    for number in range(1, rounds + 1):
        say(f"status, {name}, round {number} of {rounds}")
        for what, words in questions.items():
            os.sync()
            runs[what].append(run(words, env=tracker.env, log=log))
    return tuple(Asked(what, tuple(usages)) for what, usages in runs.items())


@contextmanager
def _sqlite(total_parts: int) -> Iterator[Filled]:
    """Chunks are written to the tracker's table as it writes them, all at once."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-bench-") as place, environment({}) as env:
        path = Path(place, "jobs.db")
        with closing(SqliteTracker(path)) as tracker:
            tracker.open_job(JobSpec(ONE, 1))
            tracker.open_job(JobSpec(MANY, total_parts))
        with closing(sqlite3.connect(path)) as db, db:
            counted = ((MANY.file_name, MANY.generation, number) for number in range(2, total_parts + 1, 2))
            db.executemany("INSERT INTO splitjoin_chunks VALUES (?, ?, ?)", counted)
            sql = "UPDATE splitjoin_jobs SET processed_parts = ? WHERE file_name = ?"
            db.execute(sql, (total_parts // 2, MANY.file_name))
        yield Filled(f"sqlite:{path}", env)


@contextmanager
def _dynamodb(total_parts: int) -> Iterator[Filled]:
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
            _write(client, [_shard(index, total_parts) for index in range(-(-total_parts // SHARD_PARTS))])
        yield Filled(f"dynamodb:{JOB_TABLE}", env)


def _shard(index: int, total_parts: int) -> dict[str, Any]:
    """A shard of whose chunks every second one is counted. Numbers in it are relative to it, from 0."""
    first = index * SHARD_PARTS + 1
    counted = [number - first for number in range(first, min(first + SHARD_PARTS, total_parts + 1)) if number % 2 == 0]
    more = {"done": items.number_set(counted)} if counted else {}
    return {**items.key_of_shard(MANY, index), **more, "loaded_rows": items.number(len(counted))}


def _write(client: Any, shards: list[dict[str, Any]]) -> None:  # noqa: ANN401 -- boto3 makes its clients' classes
    for at in range(0, len(shards), WRITES_AT_ONCE):
        writes = [{"PutRequest": {"Item": item}} for item in shards[at : at + WRITES_AT_ONCE]]
        answer = client.batch_write_item(RequestItems={JOB_TABLE: writes})
        if answer.get("UnprocessedItems"):
            raise WrongCountError("the server did not take all shards")
