"""The embedded tracker's rows, and their way to and from our values."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from splitjoin_cli.stores.trackers import rules
from splitjoin_cli.stores.trackers.jobs import Failure, Job, Join, Unfinished
from splitjoin_cli.stores.trackers.sqlite_file import LATER_TABLES, tables

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from splitjoin_cli.stores.trackers.jobs import JobProgress

__all__ = [
    "FINAL",
    "OF_A_CHUNK",
    "RETRIED",
    "SELECT",
    "all_jobs",
    "expected_of",
    "load_job",
    "report_of",
    "round_of",
    "save_job",
    "unfinished_jobs",
]

JOB_COLUMNS = tuple(column.name for column in fields(Job) if column.name not in {"join", "round"})
JOIN_COLUMNS = tuple(column.name for column in fields(Join))
COLUMNS = (*JOB_COLUMNS, *(f"join_{name}" for name in JOIN_COLUMNS))
OF_A_CHUNK = "file_name = ? AND generation = ? AND number = ?"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM splitjoin_jobs"  # noqa: S608 -- our own names
UPSERT = f"REPLACE INTO splitjoin_jobs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
FINAL, RETRIED = 1, 2
"""What ``final`` may be but 0. It is one column, so that a file of before there were retries is as good."""

UNFINISHED = (
    f"{SELECT} WHERE run_id IS NOT NULL AND join_state <> 'joined' AND file_name > ? ORDER BY file_name LIMIT ?"
)
FAILED_FOR_GOOD = f"""SELECT file_name, generation, number, error, attempts, at FROM splitjoin_failures AS failed
    WHERE file_name > ? AND final = {FINAL} AND NOT EXISTS (SELECT 1 FROM splitjoin_chunks AS counted
        WHERE counted.file_name = failed.file_name AND counted.generation = failed.generation
        AND counted.number = failed.number)
    ORDER BY file_name, generation, number"""  # noqa: S608 -- our own


def _job(row: tuple[Any, ...], times_cleared: int) -> Job:
    head: Mapping[str, Any] = dict(zip(JOB_COLUMNS, row, strict=False))
    join = dict(zip(JOIN_COLUMNS, row[len(JOB_COLUMNS) :], strict=True))
    join["state"] = rules.state_of(join["state"], head["file_name"])
    return Job(**head, round=times_cleared, join=Join(**join))


def all_jobs(db: sqlite3.Connection, query: str, values: tuple[str | int, ...] = ()) -> list[Job]:
    """The jobs of a query; few were ever cleared, so that their rounds are read at once."""
    cleared: dict[tuple[str, int], int] = {}
    if tables(db) >= LATER_TABLES:
        found = db.execute("SELECT file_name, generation, round FROM splitjoin_rounds")
        cleared = {(file_name, generation): times for file_name, generation, times in found}
    name, generation = JOB_COLUMNS.index("file_name"), JOB_COLUMNS.index("generation")
    return [_job(row, cleared.get((row[name], row[generation]), 0)) for row in db.execute(query, values)]


def round_of(db: sqlite3.Connection, file_name: str, generation: int) -> int:
    """How often a run was cleared; a file that only an earlier release wrote to has no such table."""
    if not tables(db) >= LATER_TABLES:
        return 0
    query = "SELECT round FROM splitjoin_rounds WHERE file_name = ? AND generation = ?"
    found = db.execute(query, (file_name, generation)).fetchone()
    return 0 if found is None else int(found[0])


def expected_of(db: sqlite3.Connection, key: tuple[str, int, int]) -> str | None:
    """The checksum that a chunk (file name, generation, number) must be counted with; None where none was noted."""
    found = db.execute(f"SELECT checksum FROM splitjoin_expected WHERE {OF_A_CHUNK}", key).fetchone()  # noqa: S608 -- our own
    return None if found is None else str(found[0])


def load_job(db: sqlite3.Connection, file_name: str) -> Job | None:
    """A job; None where there is none of that name."""
    row = db.execute(f"{SELECT} WHERE file_name = ?", (file_name,)).fetchone()
    if row is None:
        return None
    return _job(row, round_of(db, file_name, row[JOB_COLUMNS.index("generation")]))


def save_job(db: sqlite3.Connection, job: Job) -> Job:
    """Write a job, and give it back."""
    head = [getattr(job, name) for name in JOB_COLUMNS]
    db.execute(UPSERT, (*head, *(getattr(job.join, name) for name in JOIN_COLUMNS)))
    return job


def unfinished_jobs(db: sqlite3.Connection, after: str, most: int, *, failures: bool) -> list[Unfinished]:
    """The first ``most`` jobs after ``after`` that are not joined; each count is in the head at once."""
    found: dict[tuple[str, int], Failure] = {}
    for name, generation, number, error, tries, at in db.execute(FAILED_FOR_GOOD, (after,)) if failures else ():
        found.setdefault((name, generation), Failure(number, error, tries, at, final=True))
    jobs = all_jobs(db, UNFINISHED, (after, most))
    return [
        Unfinished(job, counted_at=job.counted_at, failure=found.get((job.file_name, job.generation))) for job in jobs
    ]


def report_of(db: sqlite3.Connection, job: Job) -> JobProgress:
    """A job's report."""
    key = (job.file_name, job.generation)
    numbers = None
    if not job.complete:
        query = "SELECT number FROM splitjoin_chunks WHERE file_name = ? AND generation = ?"
        numbers = (number for (number,) in db.execute(query, key))  # a million are never held
    query = "SELECT number, error, attempts, at, final FROM splitjoin_failures WHERE file_name = ? AND generation = ?"
    failures = [
        Failure(number, error, tries, at, final == FINAL, retried=final == RETRIED)
        for number, error, tries, at, final in db.execute(query, key)
    ]
    return rules.report(job, numbers=numbers, failures=failures)
