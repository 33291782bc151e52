"""The ledger's tables: how they are made, what an earlier release's lack, and the rows of jobs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.stores.loaders.base import JOBS, LEDGER, MENDED, LedgerJob, LedgerTotal
from splitjoin_cli.stores.loaders.read_back import ReadBackEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.stores.loaders.session import Session

__all__ = ["OF_A_CHUNK", "OF_A_RUN", "LedgerTables"]

OF_A_RUN = "file_name = ? AND run_id = ?"
OF_A_CHUNK = f"{OF_A_RUN} AND number = ?"


class LedgerTables(ReadBackEngine):
    """What the ledger is kept in. See Loader for the contract."""

    _has_mended: bool = False
    _begins: bool = False

    def prepare(self) -> None:
        """See Loader."""
        with self._lock:
            if self._prepared:
                return
        with self._session() as session:
            if not self._has_tables(session, JOBS, LEDGER):
                self._make_ledger(session)
            notes_begin = self._notes_begin(session)
            mended = self._has_tables(session, MENDED)
        if not mended:
            mended = self._made_mended()
        with self._lock:
            self._begins, self._has_mended, self._prepared = notes_begin, mended, True

    def _made_mended(self) -> bool:
        """Make the table that an earlier release's ledger lacks; an account that may not make one goes on without."""
        with suppress(LoadError), self._session() as session:
            self._make_mended(session)
            return True
        return False

    def _knows_mended(self, session: Session) -> bool:
        """Whether what ``replace`` wrote down can be there: another account may have made the table meanwhile."""
        if not self._has_mended:
            self._has_mended = self._sees(session, MENDED)
        return self._has_mended

    def _sees(self, session: Session, name: str) -> bool:
        """The same as ``_has_tables`` inside a transaction, which MUST NOT end by it."""
        return self._has_tables(session, name)

    def _has_tables(self, session: Session, *names: str) -> bool:
        """Whether they are there: an account that may not make tables can use those that were made for it."""
        return self._answers(session, f"SELECT 1 FROM {', '.join(names)} WHERE 1 = 0")

    def _notes_begin(self, session: Session) -> bool:
        """Whether the ledger notes when a load began: one that an earlier release made does not."""
        return self._answers(session, f"SELECT began_at FROM {LEDGER} WHERE 1 = 0")

    def _answers(self, session: Session, sql: str) -> bool:
        try:
            session.rows(sql)
        except self.driver_errors:
            return False
        return True

    def _make_ledger(self, session: Session) -> None:
        """``validator`` and ``joined_at`` are text of splitjoin's own: an ETag or checksum, and ISO 8601 with Z."""
        name, suffix = self.name_type, self.table_suffix
        self._run_ddl(
            session,
            f"CREATE TABLE IF NOT EXISTS {LEDGER} (file_name {name} NOT NULL, run_id {name} NOT NULL,"
            f" number BIGINT NOT NULL, row_count BIGINT NOT NULL, validator {name},"
            f" loaded_at {self.time_type} DEFAULT {self.time_now}, began_at {self.time_type} NULL,"
            f" PRIMARY KEY (file_name, run_id, number)){suffix}",
        )
        self._run_ddl(
            session,
            f"CREATE TABLE IF NOT EXISTS {JOBS} (file_name {name} NOT NULL PRIMARY KEY, run_id {name} NOT NULL,"
            f" generation BIGINT NOT NULL, table_name {name} NOT NULL, joined_at {name}){suffix}",
        )
        self._make_mended(session)

    def _make_mended(self, session: Session) -> None:
        name = self.name_type
        self._run_ddl(
            session,
            f"CREATE TABLE IF NOT EXISTS {MENDED} (file_name {name} NOT NULL, run_id {name} NOT NULL,"
            f" number BIGINT NOT NULL, checksum {name} NOT NULL, PRIMARY KEY (file_name, run_id, number))"
            f"{self.table_suffix}",
        )

    def _insert_row(self, session: Session, key: tuple[str, str, int], validator: str | None, began: float) -> bool:
        """The ledger's row of a chunk, whose load began at ``began``; False where it is there."""
        column, value, values = (", began_at", f", {self.time_value}", (began,)) if self._begins else ("", "", ())
        sql = (
            f"INSERT INTO {LEDGER} (file_name, run_id, number, row_count, validator{column})"
            f" VALUES (?, ?, ?, 0, ?{value})"
        )
        return session.insert_absent(sql, (*key, validator, *values))

    def _job(self, session: Session, file_name: str, lock: str) -> LedgerJob | None:
        sql = f"SELECT run_id, generation, table_name, joined_at FROM {JOBS} WHERE file_name = ?{lock}"
        found = session.rows(sql, (file_name,))
        if not found:
            return None
        run_id, generation, table, joined_at = found[0]
        return LedgerJob(file_name, str(run_id), int(generation), str(table), joined_at)

    def _total(self, session: Session, job: LedgerJob) -> LedgerTotal:
        sql = f"SELECT row_count FROM {LEDGER} WHERE {OF_A_RUN}{self.share_lock}"
        found = session.rows(sql, (job.file_name, job.run_id))
        return LedgerTotal(len(found), sum(int(row[0]) for row in found))

    def _delete_rows(self, session: Session, run_id: str) -> int:
        """Delete a run's rows from the table, by its run column; how many there were."""
        column = self._quoted(self._target.run_column or "")
        sql = self._as_parameterised(f"DELETE FROM {self._table} WHERE {column} = ") + "?"
        return session.run(sql, (run_id,))

    def _query(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        self.prepare()
        with self._session() as session:
            return session.rows(sql, values)
