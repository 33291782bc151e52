"""The embedded tracker's file: its tables, its transactions, and what an earlier release's lacks."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ALL_TABLES",
    "HINTS",
    "LATER_TABLES",
    "STATEMENTS",
    "TABLES",
    "TrackerConnection",
    "tables",
    "transaction",
    "use_wal",
]

POLL_SECONDS = 0.02
# The names leave room for a loader's tables in the same file.
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS splitjoin_jobs (
        file_name TEXT PRIMARY KEY, total_parts INTEGER NOT NULL, processed_parts INTEGER NOT NULL, run_id TEXT,
        generation INTEGER NOT NULL, rows INTEGER NOT NULL, rows_expected INTEGER, destination TEXT,
        duplicates INTEGER NOT NULL, created_at REAL, counted_at REAL,
        join_state TEXT NOT NULL, join_owner TEXT, join_token TEXT, join_fence INTEGER NOT NULL, join_lease_until REAL,
        join_attempts INTEGER NOT NULL, join_error TEXT, join_joined_at REAL, join_finished_at REAL,
        join_changed_at REAL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS splitjoin_chunks (
        file_name TEXT, generation INTEGER, number INTEGER,
        PRIMARY KEY (file_name, generation, number)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS splitjoin_failures (
        file_name TEXT, generation INTEGER, number INTEGER, error TEXT NOT NULL, attempts INTEGER NOT NULL,
        at REAL NOT NULL, final INTEGER NOT NULL, PRIMARY KEY (file_name, generation, number)) WITHOUT ROWID""",
)
TABLES = {"splitjoin_jobs", "splitjoin_chunks", "splitjoin_failures"}
# Tables of their own, not columns: a file of an earlier release gets them with the first write, and its readers go on.
LATER = (
    """CREATE TABLE IF NOT EXISTS splitjoin_rounds (
        file_name TEXT PRIMARY KEY, generation INTEGER NOT NULL, round INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS splitjoin_expected (
        file_name TEXT, generation INTEGER, number INTEGER, checksum TEXT NOT NULL,
        PRIMARY KEY (file_name, generation, number)) WITHOUT ROWID""",
)
LATER_TABLES = {"splitjoin_rounds", "splitjoin_expected"}
HINTS = {
    "locked": "another process holds the file's lock",
    "unable to open": "check that its directory is there, and that you may write to it",
    "not a database": "name an SQLite file, or a path where there is none yet",
    "readonly": "check that you may write to the file and its directory",
}
"""By what SQLite says."""
ALL_TABLES = TABLES | LATER_TABLES
STATEMENTS = (*SCHEMA, *LATER)


class TrackerConnection(sqlite3.Connection):
    """One that remembers that all of the tracker's tables are there: none is ever taken away."""

    has_all = False


def tables(db: sqlite3.Connection) -> set[str]:
    """The names of the tables; of the tracker's alone, where all of them were seen."""
    if isinstance(db, TrackerConnection) and db.has_all:
        return ALL_TABLES
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if isinstance(db, TrackerConnection) and found >= ALL_TABLES and not db.in_transaction:
        db.has_all = True
    return found


def use_wal(db: sqlite3.Connection, deadline: float) -> None:
    """Switch to WAL. Two that do it at once can meet a lock for which SQLite does not wait by itself."""
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    """One transaction, begun by ``begin``; an error undoes it."""
    db.execute(begin)
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    try:
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
