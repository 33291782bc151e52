"""What all loaders share: the ledger and the one transaction around it."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError, LoadError, OlderRunError, RunConflictError
from splitjoin_cli.core.ranges import NumberRanges
from splitjoin_cli.stores.loaders.base import (
    JOBS,
    LEDGER,
    Ledger,
    LedgerJob,
    LedgerTotal,
    LoadResult,
    LoadTime,
    TableRows,
)
from splitjoin_cli.stores.loaders.body import NotPlainError, is_plain_dialect
from splitjoin_cli.stores.loaders.header import header_names
from splitjoin_cli.stores.loaders.ledger_repairs import LedgerRepairs, content_of
from splitjoin_cli.stores.loaders.ledger_tables import OF_A_CHUNK
from splitjoin_cli.stores.loaders.session import AgainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.session import Columns, Session

__all__ = ["LedgerLoader"]

ATTEMPTS = 8
BACKOFF_SECONDS = 0.05
PAGE = 5_000
"""Rows of the ledger that are read at a time."""


class LedgerLoader(LedgerRepairs):
    """See Loader for the contract, and Engine for what an engine adds."""

    _last_job: LedgerJob | None = None

    def table_of(self, file_name: str) -> str:
        """See Loader."""
        del file_name
        return self._target.table

    def load(self, chunk: ChunkToLoad) -> LoadResult:
        """See Loader."""
        began = time.time()
        with self._naming(chunk):
            self._check_chunk(chunk)
            header = header_names(chunk, self._target.max_record_bytes)
        self.prepare()
        plain = is_plain_dialect(chunk.dialect) and self._knows_nulls(chunk.dialect.nulls)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._load_once(chunk, header, began, plain=plain)
            except NotPlainError:
                plain = False
            except AgainError:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(BACKOFF_SECONDS * attempt)
        raise LoadError(f"{self._where(chunk)}: the job's row changed too often while it was loaded")

    def ledger_numbers(self, file_name: str, run_id: str) -> NumberRanges:
        """See Loader. Of a million no more than a page is held, and what they are as ranges."""
        self.prepare()
        with self._session() as session:
            session.begin_reading()
            numbers = NumberRanges.of(self._numbers(session, file_name, run_id))
            session.rollback()
        return numbers

    def _numbers(self, session: Session, file_name: str, run_id: str) -> Iterator[int]:
        of_run, last, full = f"SELECT number FROM {LEDGER} WHERE file_name = ? AND run_id = ? AND number > ?", 0, True
        while full:
            page = session.rows(f"{of_run} ORDER BY number LIMIT {PAGE}", (file_name, run_id, last))
            for (number,) in page:
                last = int(number)
                yield last
            full = len(page) == PAGE

    def ledger_rows(self, file_name: str, run_id: str) -> LedgerTotal:
        """See Loader."""
        sql = f"SELECT COUNT(*), COALESCE(SUM(row_count), 0) FROM {LEDGER} WHERE file_name = ? AND run_id = ?"
        chunks, rows = self._query(sql, (file_name, run_id))[0]
        return LedgerTotal(int(chunks), int(rows))

    def read_ledger(self, file_name: str) -> Ledger:
        """See LedgerReader. A connection of its own: one that may not write where the engine knows such."""
        try:
            session = self._connect_to_read()
            if session is None:
                return Ledger(self._properties.uri, found=False)
            with closing(session):
                return self._read_history(session, self._read_tables(session, file_name), file_name)
        except self.driver_errors as exc:
            raise self._translated(exc) from exc

    def _read_tables(self, session: Session, file_name: str) -> Ledger:
        try:
            session.rows(f"SELECT 1 FROM {JOBS}, {LEDGER} WHERE 1 = 0")
        except self.driver_errors as exc:
            if not self._means_absent(exc):
                raise
            return Ledger(self._properties.uri, found=False)
        session.begin_reading()
        job = self._job(session, file_name, "")
        sql = f"SELECT run_id, number, row_count FROM {LEDGER} WHERE file_name = ? ORDER BY run_id, number"
        runs: dict[str, dict[int, int]] = {}
        for run_id, number, rows in session.rows(sql, (file_name,)):
            runs.setdefault(str(run_id), {})[int(number)] = int(rows)
        session.rollback()
        return Ledger(self._properties.uri, found=True, job=job, runs=runs)

    def read_times(self, file_name: str, run_id: str) -> list[LoadTime]:
        """See LedgerReader. A connection of its own, as ``read_ledger`` has."""
        try:
            session = self._connect_to_read()
            if session is None:
                return []
            with closing(session):
                if not self._has_tables(session, JOBS, LEDGER):
                    return []
                loaded = self.time_seconds.format(column="loaded_at")
                began = self.time_seconds.format(column="began_at") if self._notes_begin(session) else "NULL"
                sql = (
                    f"SELECT number, row_count, {began}, {loaded} FROM {LEDGER} WHERE file_name = ? AND run_id = ?"
                    " ORDER BY number"
                )
                found = session.rows(sql, (file_name, run_id))
        except self.driver_errors as exc:
            raise self._translated(exc) from exc
        return [
            LoadTime(int(number), int(rows), _seconds(began), _seconds(loaded)) for number, rows, began, loaded in found
        ]

    def table_rows(self, file_name: str = "", run_id: str = "") -> TableRows:
        """See Loader."""
        self.prepare()
        with self._session() as session:
            # A table that is made between the two looks is there the next time.
            for _ in range(2):
                columns = self._table_columns(session)
                session.begin_reading()
                found = self._rows_now(session, file_name, run_id, columns)
                session.rollback()
                if columns or not (found.of_run or found.of_others):
                    break
        return found

    def _rows_now(self, session: Session, file_name: str, run_id: str, columns: Columns) -> TableRows:
        by_run = self._target.run_column if run_id else None
        sql = f"SELECT COALESCE(SUM(row_count), 0) FROM {LEDGER} WHERE file_name = ? AND run_id = ?"
        of_run = int(session.rows(sql, (file_name, run_id))[0][0])
        sql = (
            f"SELECT COALESCE(SUM(l.row_count), 0) FROM {LEDGER} l JOIN {JOBS} j ON j.file_name = l.file_name"
            " WHERE j.table_name = ? AND j.file_name <> ?"
        )
        of_others = 0 if by_run else int(session.rows(sql, (self._target.table, file_name))[0][0])
        if not columns:
            return TableRows(0, of_run, of_others)
        sql = f"SELECT COUNT(*) FROM {self._table}"
        if by_run is None:
            return TableRows(int(session.rows(sql)[0][0]), of_run, of_others)
        if by_run not in {column.name for column in columns}:
            raise self._no_run_column()
        sql = self._as_parameterised(f"{sql} WHERE {self._quoted(by_run)} = ") + "?"
        return TableRows(int(session.rows(sql, (run_id,))[0][0]), of_run, of_others)

    def job(self, file_name: str) -> LedgerJob | None:
        """See Loader."""
        self.prepare()
        with self._session() as session:
            return self._job(session, file_name, "")

    # The one transaction.

    def _load_once(self, chunk: ChunkToLoad, header: Sequence[str] | None, began: float, *, plain: bool) -> LoadResult:
        with self._session() as session, self._naming(chunk):
            columns = self._columns_once(session, chunk, header)
            job = self._ensure_job(session, chunk)
            # Most loads share the row; one that must take it over locks it alone from the start, since two that
            # hold the shared lock and both want more would block each other.
            alone = job.run_id != chunk.run_id or job.generation < chunk.generation or not job.table
            session.begin()
            try:
                job = self._fence(session, chunk, alone=alone)
                self._check_expected(session, chunk)
                result = self._load_in_transaction(session, chunk, columns, began, plain=plain)
                session.commit()
                self._last_job = job
            except BaseException:
                self._last_job = None
                with suppress(Exception):  # the connection may be gone: then the database has undone it
                    session.rollback()
                raise
            return result

    def _load_in_transaction(
        self, session: Session, chunk: ChunkToLoad, columns: Columns, began: float, *, plain: bool
    ) -> LoadResult:
        key = (chunk.file_name, chunk.run_id, chunk.number)
        validator = content_of(chunk) if chunk.mended else chunk.validator
        if not self._insert_row(session, key, validator, began):
            return self._skipped(session, chunk, validator)
        loaded = self._load_rows(session, chunk, columns, plain=plain)
        if chunk.rows is not None and loaded != chunk.rows:
            raise BadRowError(f"its metadata says {chunk.rows} rows, and the table took {loaded}")
        changed = f"row_count = ?, loaded_at = {self.time_value}"
        session.run(f"UPDATE {LEDGER} SET {changed} WHERE {OF_A_CHUNK}", (loaded, time.time(), *key))
        return LoadResult(loaded, already_loaded=False, rows_checked=chunk.rows is not None)

    def _skipped(self, session: Session, chunk: ChunkToLoad, validator: str | None) -> LoadResult:
        sql = f"SELECT row_count, validator FROM {LEDGER} WHERE {OF_A_CHUNK}"
        found = session.rows(f"{sql}{self.share_lock}", (chunk.file_name, chunk.run_id, chunk.number))
        if not found:
            raise AgainError("its ledger row went away")
        rows, held = int(found[0][0]), found[0][1]
        if held != validator:
            raise _other_content(chunk, held, validator)
        return LoadResult(rows, already_loaded=True, rows_checked=chunk.rows is not None)

    # The job's row.

    def _ensure_job(self, session: Session, chunk: ChunkToLoad) -> LedgerJob:
        """The job's row, made in a transaction of its own: else the first load would block all others to its end.

        It may be as it was when the chunk before was loaded: the transaction looks at it again.
        """
        known = self._last_job
        if known is not None and known.file_name == chunk.file_name and known.run_id == chunk.run_id:
            return known
        found = self._job(session, chunk.file_name, "")
        if found is not None:
            return found
        sql = f"INSERT INTO {JOBS} (file_name, run_id, generation, table_name) VALUES (?, ?, ?, ?)"
        session.insert_absent(sql, (chunk.file_name, chunk.run_id, chunk.generation, self._target.table))
        found = self._job(session, chunk.file_name, "")
        if found is None:
            raise AgainError("the job's row went away")
        return found

    def _fence(self, session: Session, chunk: ChunkToLoad, *, alone: bool) -> LedgerJob:
        """Hold the job's row to the transaction's end, and let the chunk's run have it, or raise. The row, then."""
        job = self._job(session, chunk.file_name, self.own_lock if alone else self.share_lock)
        if job is None:
            raise AgainError("the job's row went away")
        if job.run_id != chunk.run_id or job.generation < chunk.generation or not job.table:
            if not alone:
                raise AgainError("another run took the job over")
            job = self._settle(session, chunk, job)
        if job.table != self._target.table:
            raise RunConflictError(
                f"the ledger says that this job is loaded into table {job.table}, not {self._target.table}",
                hint=f"use --table {job.table}, or clear that job: {self._way_out(job)}",
            )
        return job

    def _settle(self, session: Session, chunk: ChunkToLoad, job: LedgerJob) -> LedgerJob:
        """Of two runs (or two generations of one): which stands. Returns the row as it is then."""
        if chunk.run_id == job.run_id:
            return self._take_over(session, chunk, replace(job, generation=max(chunk.generation, job.generation)))
        if chunk.generation < job.generation:
            raise OlderRunError(
                f"run {job.run_id} (generation {job.generation}) has replaced it (generation {chunk.generation})"
            )
        held = self._total(session, job)
        if held.chunks == 0:
            self._forget_expected(session, job.file_name, job.run_id)
            return self._take_over(session, chunk, LedgerJob(job.file_name, chunk.run_id, chunk.generation, "", None))
        if chunk.generation > job.generation and self._target.run_column and not self._target.beside_other_run:
            self._delete_run(session, job, held)
        elif not self._target.beside_other_run:
            raise self._conflict(chunk, job, held)
        if chunk.generation == job.generation:
            return job  # side by side: the row stays with the run that came first
        return self._take_over(
            session, chunk, replace(job, run_id=chunk.run_id, generation=chunk.generation, joined_at=None)
        )

    def _conflict(self, chunk: ChunkToLoad, job: LedgerJob, held: LedgerTotal) -> RunConflictError:
        newer = chunk.generation > job.generation
        ways = [f"clear the other one: {self._way_out(job)}", "or use --beside-other-run"]
        if newer:
            ways.insert(0, "use --run-column, with a column that the other run's rows carry, to replace it, or")
        return RunConflictError(
            f"the ledger holds {held.rows} rows in {held.chunks} chunks of run {job.run_id}"
            f" (generation {job.generation}), and the chunk is of run {chunk.run_id} (generation {chunk.generation})",
            hint=" ".join(ways),
        )

    def _way_out(self, job: LedgerJob) -> str:
        name, run = (text.replace("'", "''") for text in (job.file_name, job.run_id))
        return (
            f"delete its rows from {job.table}, then DELETE FROM {LEDGER} WHERE file_name = '{name}'"
            f" AND run_id = '{run}'"
        )

    def _delete_run(self, session: Session, job: LedgerJob, held: LedgerTotal) -> None:
        deleted = self._delete_rows(session, job.run_id)
        if deleted < held.rows:
            raise RunConflictError(
                f"the ledger holds {held.rows} rows of run {job.run_id}, and only {deleted} rows carry it in column"
                f" {self._target.run_column}; nothing was deleted",
                hint=f"clear the old run yourself: {self._way_out(job)}",
            )
        session.run(f"DELETE FROM {LEDGER} WHERE file_name = ? AND run_id = ?", (job.file_name, job.run_id))
        self._forget_expected(session, job.file_name, job.run_id)

    def _take_over(self, session: Session, chunk: ChunkToLoad, job: LedgerJob) -> LedgerJob:
        job = replace(job, table=self._target.table if not job.table else job.table)
        sql = f"UPDATE {JOBS} SET run_id = ?, generation = ?, table_name = ?, joined_at = ? WHERE file_name = ?"
        session.run(sql, (job.run_id, job.generation, job.table, job.joined_at, chunk.file_name))
        return job


def _other_content(chunk: ChunkToLoad, held: str | None, validator: str | None) -> RunConflictError:
    """The ledger's row is of another object than the chunk is."""
    if validator is not None and not chunk.mended:
        return RunConflictError(
            f"the ledger holds this number with ETag {held}, and the chunk's is {validator}",
            hint="split again with --force, so that the new chunks carry a run of their own",
        )
    texts = [text or "the split's own" for text in (held, validator)]
    return RunConflictError(
        f"the ledger holds this number with other bytes: the checksum that was loaded is {texts[0]}, and the chunk's is"
        f" {texts[1]}",
        hint=f"to load the chunk as it is stored now, take the run out of the database first: splitjoin clear"
        f" {chunk.file_name}",
    )


def _seconds(value: object) -> float | None:
    """What ``Engine.time_seconds`` gave: a float, a decimal, or nothing."""
    return None if value is None else float(str(value))
