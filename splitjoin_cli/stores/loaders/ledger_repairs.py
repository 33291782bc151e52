"""What ``replace`` and ``clear`` do in a database: a checksum written down for a chunk, and a run taken out again.

Both lock the job's row alone, so that no load of the job is under way meanwhile: each holds that row to its end.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.crc64 import crc64, tagged
from splitjoin_cli.core.errors import LoadError, RunConflictError
from splitjoin_cli.stores.loaders.base import JOBS, LEDGER, MENDED, Expectation, LedgerJob, LedgerTotal
from splitjoin_cli.stores.loaders.ledger_tables import OF_A_CHUNK, OF_A_RUN, LedgerTables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.session import Session

__all__ = ["LedgerRepairs", "content_of"]

BLOCK_BYTES = 256 * 1024


def content_of(chunk: ChunkToLoad) -> str:
    """The checksum of the chunk's object, ``crc64nvme:BASE64``: told, or from a pass over its bytes."""
    if chunk.checksum is not None:
        return chunk.checksum()
    summed, buffer = 0, memoryview(bytearray(BLOCK_BYTES))
    with closing(chunk.open()) as stream:
        while got := stream.readinto(buffer):
            summed = crc64(buffer[:got], summed)
    return tagged(summed)


class LedgerRepairs(LedgerTables):
    """See Loader for the contract."""

    def expect(
        self, file_name: str, run_id: str, generation: int, number: int, checksum: str, *, own: bool, write: bool = True
    ) -> Expectation:
        """See Loader."""
        self.prepare()
        key = (file_name, run_id, number)
        with self._session() as session:
            if not self._knows_mended(session):
                raise LoadError(
                    f"{self.properties.uri} has no table {MENDED}, and this account may not make it",
                    hint="let an account that may make tables run this command once",
                )
            sql = f"INSERT INTO {JOBS} (file_name, run_id, generation, table_name) VALUES (?, ?, ?, '')"
            if write:
                session.insert_absent(sql, (file_name, run_id, generation))
            with self._alone(session, file_name) as job:
                if job is not None and (job.run_id != run_id and job.generation > generation):
                    return Expectation.OTHER_RUN
                found = session.rows(f"SELECT validator FROM {LEDGER} WHERE {OF_A_CHUNK}", key)
                if found and not (found[0][0] == checksum or (own and found[0][0] is None)):
                    return Expectation.LOADED
                if write:
                    session.run(f"DELETE FROM {MENDED} WHERE {OF_A_CHUNK}", key)
                    columns = "file_name, run_id, number, checksum"
                    session.run(f"INSERT INTO {MENDED} ({columns}) VALUES (?, ?, ?, ?)", (*key, checksum))
                return Expectation.SAME if found else Expectation.NOTED

    def clear_run(self, file_name: str, run_id: str) -> LedgerTotal:
        """See Loader."""
        self.prepare()
        with self._session() as session, self._alone(session, file_name) as job:
            if job is None:
                return LedgerTotal(0, 0)
            held = self._total(session, replace(job, run_id=run_id))
            if held.rows:
                self._delete_all_rows(session, run_id, held)
            session.run(f"DELETE FROM {LEDGER} WHERE {OF_A_RUN}", (file_name, run_id))
            session.run(f"UPDATE {JOBS} SET joined_at = NULL WHERE {OF_A_RUN}", (file_name, run_id))
            return held

    def _delete_all_rows(self, session: Session, run_id: str, held: LedgerTotal) -> None:
        if self._target.run_column is None:
            raise RunConflictError(
                f"which of the rows in {self._target.table} are of run {run_id} is unknown: the table has no run column"
            )
        deleted = self._delete_rows(session, run_id)
        if deleted < held.rows:
            raise RunConflictError(
                f"the ledger holds {held.rows} rows of run {run_id}, and only {deleted} rows carry it in column"
                f" {self._target.run_column} of {self._target.table}; nothing was deleted"
            )

    def mark_joined(self, file_name: str, run_id: str, joined_at: str, *, total_parts: int = 0) -> bool:
        """See Loader. The row is locked first: what is counted then is what stands, whoever clears."""
        self.prepare()
        with self._session() as session, self._alone(session, file_name) as job:
            if job is None or job.run_id != run_id:
                return False
            if session.rows(f"SELECT COUNT(*) FROM {LEDGER} WHERE {OF_A_RUN}", (file_name, run_id))[0][0] < total_parts:
                return False
            sql = f"UPDATE {JOBS} SET joined_at = ? WHERE {OF_A_RUN} AND joined_at IS NULL"
            session.run(sql, (joined_at, file_name, run_id))
            return True

    @contextmanager
    def _alone(self, session: Session, file_name: str) -> Iterator[LedgerJob | None]:
        """One transaction that has the job's row for itself; an error undoes it."""
        session.begin()
        try:
            yield self._job(session, file_name, self.own_lock)
            session.commit()
        except BaseException:
            with suppress(Exception):  # the connection may be gone: then the database has undone it
                session.rollback()
            raise

    def _check_expected(self, session: Session, chunk: ChunkToLoad) -> None:
        """Raise RunConflictError where ``replace`` wrote another checksum down. Within the load's transaction."""
        if not self._knows_mended(session):
            return
        sql = f"SELECT checksum FROM {MENDED} WHERE {OF_A_CHUNK}{self.share_lock}"
        found = session.rows(sql, (chunk.file_name, chunk.run_id, chunk.number))
        if found and (checksum := content_of(chunk)) != found[0][0]:
            raise RunConflictError(
                f"the ledger expects this number with the checksum {found[0][0]}, as splitjoin replace wrote it down,"
                f" and the chunk has {checksum}",
                hint=f"the mended chunk's own event loads it; if none comes, type splitjoin replace {chunk.file_name}"
                f" --chunk {chunk.number} FILE again, with the file that is to be loaded",
            )

    def _forget_expected(self, session: Session, file_name: str, run_id: str) -> None:
        """A run that gives way leaves nothing behind."""
        if self._knows_mended(session):
            session.run(f"DELETE FROM {MENDED} WHERE {OF_A_RUN}", (file_name, run_id))
