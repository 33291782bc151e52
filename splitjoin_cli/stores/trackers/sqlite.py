"""The embedded tracker: one SQLite file, safe for any number of threads and processes on one machine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from splitjoin_cli.core.errors import NotFoundError, StoreError
from splitjoin_cli.core.files import is_directory, is_missing
from splitjoin_cli.stores.trackers import repairs, rules
from splitjoin_cli.stores.trackers.answers import (
    Claim,
    ClearClaim,
    Counted,
    Duplicate,
    InitReport,
    Mending,
    Refused,
    Superseded,
)
from splitjoin_cli.stores.trackers.sqlite_file import (
    ALL_TABLES,
    HINTS,
    LATER_TABLES,
    STATEMENTS,
    TABLES,
    TrackerConnection,
    tables,
    transaction,
    use_wal,
)
from splitjoin_cli.stores.trackers.sqlite_rows import (
    FINAL,
    OF_A_CHUNK,
    RETRIED,
    SELECT,
    all_jobs,
    expected_of,
    load_job,
    report_of,
    round_of,
    save_job,
    unfinished_jobs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from splitjoin_cli.stores.trackers.answers import Marked
    from splitjoin_cli.stores.trackers.base import Checksum, Clock
    from splitjoin_cli.stores.trackers.jobs import Failure, Job, JobProgress, JobSpec, Run, Unfinished

__all__ = ["SqliteTracker"]

T = TypeVar("T")

BUSY_SECONDS = 60.0
FAILED = """INSERT INTO splitjoin_failures VALUES (?, ?, ?, ?, 1, ?, ?)
    ON CONFLICT DO UPDATE
    SET error = excluded.error, attempts = attempts + 1, at = excluded.at, final = excluded.final"""

SENT_AGAIN = f"""UPDATE splitjoin_failures SET final = {RETRIED}
    WHERE file_name = ? AND generation = ? AND number = ? AND attempts = ? AND final = {FINAL}"""  # noqa: S608 -- our own


@dataclass(slots=True)
class Opened:
    """One process's connection: SQLite's must not be carried across a fork, and its threads take turns."""

    pid: int
    lock: threading.Lock
    connection: sqlite3.Connection | None = None
    made: bool = False
    """Whether it is known that the tables are there."""


class SqliteTracker:
    """A Tracker in an SQLite file, which is made when it is first written to.

    Each write is one transaction that takes the write lock at its beginning (BEGIN IMMEDIATE), so that what it reads
    cannot change before it writes; readers see the last committed state (WAL) and wait for nobody. A committed count
    is on the disk: the file keeps SQLite's ``synchronous=FULL``. Not for network file systems, whose locks lie.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock = time.time,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        """``busy_seconds``: how long a write waits for others before it is a StoreError."""
        self._path = path
        self._clock = clock
        self._new_token = new_token
        self._busy_seconds = busy_seconds
        self._opened = Opened(os.getpid(), threading.Lock())

    @property
    def uri(self) -> str:
        """``sqlite:PATH``."""
        return f"sqlite:{self._path}"

    def init(self) -> InitReport:
        """See Tracker."""
        created = is_missing(self._path)
        with self._writing():
            return InitReport(created=created)

    def reach(self) -> None:
        """See Tracker."""
        there = not is_missing(self._path)
        with self._reading() as db:
            if db is None:
                what = "the file has no tracker's tables" if there else "no such file"
                raise NotFoundError(
                    f"{self.uri}: {what}", hint=f"check the path; splitjoin init --tracker {self.uri} makes a tracker"
                )

    def open_job(self, spec: JobSpec) -> Job:
        """See Tracker."""
        with self._writing() as db:
            return save_job(db, rules.opened(load_job(db, spec.run.file_name), spec, self._clock()))

    def replace_job(self, spec: JobSpec) -> Job:
        """See Tracker."""
        name = spec.run.file_name
        with self._writing() as db:
            job = save_job(db, rules.replaced(load_job(db, name), spec, self._clock()))
            for table in ("splitjoin_chunks", "splitjoin_failures", "splitjoin_rounds", "splitjoin_expected"):
                db.execute(f"DELETE FROM {table} WHERE file_name = ? AND generation < ?", (name, job.generation))  # noqa: S608 -- our own names
            return job

    def job(self, file_name: str) -> Job | None:
        """See Tracker."""
        with self._reading() as db:
            return None if db is None else load_job(db, file_name)

    def mark_done(
        self, run: Run, number: int, *, total_parts: int, rows: int, checksum: Checksum | None = None
    ) -> Marked:
        """See Tracker."""
        rules.check_number(number, total_parts)
        with self._writing() as db:
            head = load_job(db, run.file_name)
            if head is not None:
                if rules.superseded(head, run):
                    return Superseded(head)
                rules.check_total(head, total_parts)
                rules.check_round(head, run)
            key = (run.file_name, run.generation, number)
            repairs.check_expected(expected_of(db, key), checksum, run.file_name, number)
            if db.execute("INSERT OR IGNORE INTO splitjoin_chunks VALUES (?, ?, ?)", key).rowcount:
                job = save_job(db, rules.counted(head, run, total_parts, parts=1, rows=rows, now=self._clock()))
                return Counted(job, completed=job.complete)
            db.execute("UPDATE splitjoin_jobs SET duplicates = duplicates + 1 WHERE file_name = ?", (run.file_name,))
            return Duplicate(load_job(db, run.file_name))

    def mark_failed(self, run: Run, number: int, *, error: str, final: bool) -> None:
        """See Tracker."""
        with self._writing() as db:
            if round_of(db, run.file_name, run.generation) != run.round:
                return  # of a round that is over
            at = rules.stamp(self._clock())
            db.execute(FAILED, (run.file_name, run.generation, number, rules.cut(error), at, final))

    def mark_retried(self, run: Run, failure: Failure) -> None:
        """See Tracker."""
        with self._writing() as db:
            db.execute(SENT_AGAIN, (run.file_name, run.generation, failure.number, failure.attempts))

    def claim_join(self, run: Run, *, owner: str, lease_seconds: float) -> Claim | Refused:
        """See Tracker."""
        token = self._new_token()
        with self._writing() as db:
            job, answer = rules.claimed(
                self._known(db, run), run, owner=owner, token=token, lease_seconds=lease_seconds, now=self._clock()
            )
            save_job(db, job)
            return answer

    def renew_join(self, claim: Claim, *, lease_seconds: float) -> Claim | None:
        """See Tracker."""
        with self._writing() as db:
            job = load_job(db, claim.run.file_name)
            if job is None or not rules.owns(job, claim):
                return None
            return rules.claim_of(save_job(db, rules.renewed(job, lease_seconds, self._clock())), claim.run)

    def release_join(self, claim: Claim) -> bool:
        """See Tracker."""
        return self._give_up(claim, lambda job: rules.released(job, self._clock()))

    def fail_join(self, claim: Claim, *, error: str, backoff_seconds: float, final: bool = False) -> bool:
        """See Tracker."""

        def change(job: Job) -> Job:
            return rules.failed(job, error=error, backoff_seconds=backoff_seconds, final=final, now=self._clock())

        return self._give_up(claim, change)

    def _give_up(self, claim: Claim, change: Callable[[Job], Job]) -> bool:
        with self._writing() as db:
            job = load_job(db, claim.run.file_name)
            if job is None or not rules.owns(job, claim):
                return rules.given_up(job, claim)
            save_job(db, change(job))
            return True

    def finish_join(self, run: Run) -> bool:
        """See Tracker."""
        with self._writing() as db:
            job = rules.finished(self._known(db, run), run, self._clock())
            if isinstance(job, Superseded):
                return False
            save_job(db, job)
            return True

    def reopen_join(self, run: Run) -> Job:
        """See Tracker."""
        with self._writing() as db:
            return save_job(db, rules.reopened(self._known(db, run), run, self._clock()))

    def expect(self, run: Run, number: int, checksum: str | None, *, total_parts: int, asked: bool) -> Mending:
        """See Tracker."""
        rules.check_number(number, total_parts)
        key = (run.file_name, run.generation, number)
        with self._writing() as db:
            job = self._known(db, run)
            counted = db.execute(f"SELECT 1 FROM splitjoin_chunks WHERE {OF_A_CHUNK}", key).fetchone() is not None  # noqa: S608 -- our own
            answer = repairs.expecting(
                job, run, checksum, total_parts=total_parts, asked=asked, counted=counted, standing=expected_of(db, key)
            )
            if answer is Mending.NOTED:
                db.execute(f"DELETE FROM splitjoin_expected WHERE {OF_A_CHUNK}", key)  # noqa: S608 -- our own
                if checksum is not None:
                    db.execute("INSERT INTO splitjoin_expected VALUES (?, ?, ?, ?)", (*key, checksum))
            return answer

    def all_expected(self, run: Run) -> dict[int, str]:
        """See Tracker."""
        with self._reading() as db:
            if db is None or not tables(db) >= LATER_TABLES:
                return {}
            job = load_job(db, run.file_name)
            if job is None or job.run != run:
                return {}
            query = "SELECT number, checksum FROM splitjoin_expected WHERE file_name = ? AND generation = ?"
            return dict(db.execute(query, (run.file_name, run.generation)).fetchall())

    def claim_clear(self, run: Run) -> ClearClaim | Refused:
        """See Tracker."""
        token = self._new_token()
        with self._writing() as db:
            job, answer = repairs.clearing(self._known(db, run), run, token=token, now=self._clock())
            save_job(db, job)
            return answer

    def finish_clear(self, claim: ClearClaim) -> Job | None:
        """See Tracker. One transaction: what was counted, and what failed, is not kept."""
        name = claim.run.file_name
        with self._writing() as db:
            job = load_job(db, name)
            if job is None or not repairs.clears(job, claim):
                return job if repairs.is_cleared(job, claim) else None
            after = save_job(db, repairs.cleared(job))
            for table in ("splitjoin_chunks", "splitjoin_failures"):
                db.execute(f"DELETE FROM {table} WHERE file_name = ?", (name,))  # noqa: S608 -- our own names
            db.execute("REPLACE INTO splitjoin_rounds VALUES (?, ?, ?)", (name, after.generation, after.round))
            return after

    def count_full_shards(self, run: Run) -> Job:
        """See Tracker. Here each count is in the head at once."""
        return rules.known(self.job(run.file_name), run.file_name, self.uri)

    def unfinished(self, *, after: str, most: int, failures: bool) -> Iterator[Unfinished]:
        """See Tracker."""
        with self._reading() as db:
            found = [] if db is None else unfinished_jobs(db, after, most, failures=failures)
        yield from found

    def progress(self, file_name: str) -> JobProgress:
        """See Tracker."""
        with self._reading() as db:
            job = rules.known(None if db is None else load_job(db, file_name), file_name, self.uri)
            assert db is not None  # noqa: S101 -- a job was read from it
            return report_of(db, job)

    def list(self) -> Iterator[JobProgress]:
        """See Tracker."""
        with self._reading() as db:
            reports = [] if db is None else [report_of(db, job) for job in all_jobs(db, SELECT)]
        yield from reports

    def close(self) -> None:
        """See Tracker."""
        opened = self._opened
        if opened.pid == os.getpid():
            with opened.lock:
                if opened.connection is not None:
                    opened.connection.close()
                    opened.connection, opened.made = None, False

    def _known(self, db: sqlite3.Connection, run: Run) -> Job:
        return rules.known(load_job(db, run.file_name), run.file_name, self.uri)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its beginning; an error undoes it."""
        with self._connected(make=True) as db, transaction(db, "BEGIN IMMEDIATE"):
            yield db

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """One snapshot; None where there is no file, or no table in it, which a look does not make."""
        if is_missing(self._path):
            if not is_directory(self._path.parent):  # a write would fail, and only after the source was read
                raise StoreError(f"{self.uri}: the directory {self._path.parent} does not exist", hint="make it first")
            yield None
            return
        with self._connected(make=False) as db:
            if tables(db) >= TABLES:
                with transaction(db, "BEGIN"):
                    yield db
            else:
                yield None

    @contextlib.contextmanager
    def _connected(self, *, make: bool) -> Iterator[sqlite3.Connection]:
        """This process's connection, for one thread at a time; SQLite's errors become ours. ``make``: the tables."""
        if self._opened.pid != os.getpid():
            # kept: to close it here would drop the parent's locks (SQLite's how-to-corrupt)
            self._forked = self._opened
            self._opened = Opened(os.getpid(), threading.Lock())
        opened = self._opened
        with opened.lock:
            try:
                if opened.connection is None:
                    opened.connection = self._connect()
                if make and not opened.made:
                    self._make(opened.connection)
                    opened.made = True
                yield opened.connection
            except sqlite3.Error as exc:
                if is_directory(self._path):
                    raise StoreError(f"{self.uri} is a directory", hint="name a file in it") from exc
                hint = next((hint for said, hint in HINTS.items() if said in str(exc)), None)
                raise StoreError(f"{self.uri}: {exc}", hint=hint) from exc

    def _connect(self) -> sqlite3.Connection:
        """Open the file; a database's, into which chunks were loaded, is not written to."""
        db = sqlite3.connect(
            self._path,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
            factory=TrackerConnection,
        )
        try:
            self._check(db)
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        columns = {name for (name,) in db.execute("SELECT name FROM pragma_table_info('splitjoin_jobs')")}
        if columns and "total_parts" not in columns:
            raise StoreError(
                f"{self.uri} is a database that chunks were loaded into, and no tracker",
                hint="name the tracker's file with --tracker, and this one with --into",
            )

    def _make(self, db: sqlite3.Connection) -> None:
        use_wal(db, time.monotonic() + self._busy_seconds)
        if not tables(db) >= ALL_TABLES:
            with transaction(db, "BEGIN IMMEDIATE"):
                for statement in STATEMENTS:
                    db.execute(statement)
