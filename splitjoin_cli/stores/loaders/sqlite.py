"""Chunks into a table of an SQLite file: the embedded default, safe across processes."""

from __future__ import annotations

import csv
import io
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, numbered
from splitjoin_cli.stores.loaders.body import BLOCK_BYTES, NotPlainError, body_blocks
from splitjoin_cli.stores.loaders.header import chunk_records
from splitjoin_cli.stores.loaders.ledger import LedgerLoader
from splitjoin_cli.stores.loaders.session import AgainError, Columns, Session, TableColumn
from splitjoin_cli.stores.loaders.widths import check_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from splitjoin_cli.core.bytes.base import Buffer
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LoadTarget
    from splitjoin_cli.stores.loaders.exact.base import ExactValues

__all__ = ["SqliteLoader"]

PLAIN_RECORD_BYTES = 8 * 1024 * 1024
"""The csv module takes 4 bytes and more for each character of a field: a longer record is read otherwise."""
UNCOUNTED_BYTES = 4 * 1024 * 1024
"""More than the buffers hold that are read ahead of it."""
BUSY_SECONDS = 600
"""How long a load waits for another process's; one file has one writer at a time."""

HINTS = {
    "unable to open": "check that its directory is there, and that you may write to it",
    "not a database": "name an SQLite file, or a path where there is none yet",
    "readonly": "check that you may write to the file and its directory",
    "disk is full": "free space there, then run the same command again",
    "disk I/O error": "look at the disk, its space and its quota, then run the same command again",
}
"""By what SQLite says."""
PLACE_CODES = frozenset(
    {
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM),
    }
)
"""What is wrong is the place, whichever row it meets: the same row may load once that is mended."""


@final
class SqliteLoader(LedgerLoader):
    """See Loader. Fields become text; what a column's affinity makes of them is SQLite's own rule."""

    product = "SQLite"
    null_rule = "none: an empty field is the empty text, quoted or not, and NULL is a word like any other"
    always_creates = True
    name_type = "TEXT"
    time_value = "strftime('%Y-%m-%d %H:%M:%f', ?, 'unixepoch')"
    time_seconds = "(julianday({column}) - 2440587.5) * 86400.0"
    driver_errors = (sqlite3.Error,)

    def __init__(self, path: str, target: LoadTarget) -> None:
        """``path``: of the file, made if missing."""
        super().__init__(f"sqlite:{path}", target)
        self._path = path

    def _connect(self) -> Session:
        return _SqliteSession(self._path)

    def _connect_to_read(self) -> Session | None:
        return _SqliteSession(self._path, read_only=True) if Path(self._path).exists() else None

    def _means_absent(self, error: Exception) -> bool:
        return "no such table" in str(error)

    def _table_columns(self, session: Session) -> Columns:
        schema, _, name = self._target.table.rpartition(".")
        if schema and (schema.lower(),) not in session.rows("SELECT lower(name) FROM pragma_database_list", ()):
            raise LoadError(
                f"{self.properties.uri} has no schema {schema}", hint="name the table without a schema: --table NAME"
            )
        found = session.rows(
            f"SELECT type FROM {self._quoted(schema or 'main')}.sqlite_master WHERE name = ? COLLATE NOCASE", (name,)
        )
        if ("view",) in found:
            raise self._not_a_table("view")
        sql = "SELECT name, type, dflt_value FROM pragma_table_xinfo(?, ?) WHERE hidden = 0 ORDER BY cid"
        return tuple(
            TableColumn(str(name), str(kind), _keeps_text(str(kind)), default)
            for name, kind, default in session.rows(sql, (name, schema or "main"))
        )

    def _most_columns(self, session: Session) -> int | None:
        return session.most_columns if isinstance(session, _SqliteSession) else None

    def _refuses_table(self, error: Exception) -> bool:
        return str(error).startswith(("duplicate column name", "too many columns"))

    def _knows_nulls(self, nulls: tuple[str, ...] | None) -> bool:
        return not nulls  # the csv module does not tell which fields were in quotes

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        if not isinstance(session, _SqliteSession):
            raise TypeError(session)
        most = self._target.max_record_bytes
        held = min(PLAIN_RECORD_BYTES, most - UNCOUNTED_BYTES)
        if plain and held > 0:
            rows: Iterable[Sequence[str | None]] = _plain_rows(chunk, lambda: counted.number, held)
        else:
            rows = chunk_records(chunk, most_bytes=most)
        names = [self._quoted(column.name) for column in columns]
        as_they_are = chunk.dialect.nulls is not None
        values = ["?" if column.text or as_they_are else "NULLIF(?, '')" for column in columns]
        if self._target.run_column:
            names.append(self._quoted(self._target.run_column))
            values.append("'" + chunk.run_id.replace("'", "''") + "'")
        sql = f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({', '.join(values)})"
        counted = _Counted(rows, len(columns))
        try:
            session.run_many(sql, counted)
        except sqlite3.Error as exc:
            if _is_busy(exc) or _code(exc) in PLACE_CODES:
                raise
            raise BadRecordError(shown(str(exc)), numbered(counted.number)) from exc
        return counted.number

    def _exact_values(self, session: Session) -> ExactValues:
        from splitjoin_cli.stores.loaders.exact.sqlite import SqliteValues  # noqa: PLC0415 -- where it is asked for

        return SqliteValues(session, self._table, self._quoted)

    def _says_bad_data(self, error: Exception) -> bool:
        return not _is_busy(error) and _code(error) not in PLACE_CODES

    def _translated(self, error: Exception) -> LoadError:
        message = f"{self.properties.uri}: {error}"
        if _is_busy(error):
            return AgainError(message)
        return LoadError(message, hint=next((hint for said, hint in HINTS.items() if said in str(error)), None))


class _Counted:
    """Rows that know how many of them were taken, so that an error can name the one it met."""

    def __init__(self, rows: Iterable[Sequence[str | None]], width: int) -> None:
        self._rows = rows
        self._width = width
        self.number = 0

    def __iter__(self) -> Iterator[Sequence[str | None]]:
        width = self._width
        for row in self._rows:
            self.number += 1
            if len(row) != width:
                check_width(self.number, len(row) or 1, width)
                yield ("",)  # the csv module's way to say that a line is blank
                continue
            yield row


class _SqliteSession(Session):
    def __init__(self, path: str, *, read_only: bool = False) -> None:
        place = f"{Path(path).absolute().as_uri()}?mode=ro" if read_only else path
        self._connection = sqlite3.connect(
            place, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=read_only
        )

    @property
    def most_columns(self) -> int:
        """Of a table whose rows are inserted with a value for each."""
        limits = (sqlite3.SQLITE_LIMIT_COLUMN, sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        return min(map(self._connection.getlimit, limits))

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        return self._connection.execute(sql, tuple(values)).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[str | None]]) -> None:
        """Insert rows as they come."""
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, tuple(values)).fetchall()

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE")  # a read lock that wants to write could only fail

    def begin_reading(self) -> None:
        self.run("BEGIN")

    def close(self) -> None:
        self._connection.close()


def _plain_rows(chunk: ChunkToLoad, taken: Callable[[], int], most_bytes: int) -> Iterator[list[str]]:
    """Records by the csv module, the fastest exact reader that Python has.

    Raises NotPlainError for stray quotes, and for a record of about ``most_bytes`` or more: where so many were read,
    and the number of records that were ``taken`` stayed the same.
    """
    csv.field_size_limit(sys.maxsize)  # the module's own limit is 128 KiB
    raw = io.BufferedReader(_BlockReader(body_blocks(chunk), taken, most_bytes), BLOCK_BYTES)
    with io.TextIOWrapper(raw, encoding=chunk.dialect.encoding, newline="") as text:
        try:
            yield from csv.reader(text, strict=True, **_csv_options(chunk.dialect))
        except csv.Error as exc:
            raise NotPlainError from exc
        except UnicodeDecodeError as exc:
            raise BadTextError(chunk.dialect.encoding, exc.object[exc.start]) from exc


def _csv_options(dialect: Dialect) -> dict[str, Any]:
    return {"delimiter": dialect.delimiter, "quotechar": dialect.quotechar}


class _BlockReader(io.RawIOBase):
    """Blocks as a file; see _plain_rows for the rest."""

    def __init__(self, blocks: Iterator[bytes], taken: Callable[[], int], most_bytes: int) -> None:
        self._blocks = blocks
        self._taken = taken
        self._most_bytes = most_bytes
        self._number = self._since = 0
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]  # the stubs' WriteableBuffer is private
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        number = self._taken()
        if number != self._number:
            self._number, self._since = number, 0
        if self._since > self._most_bytes:
            raise NotPlainError
        view = memoryview(buffer)
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self._since += size
        return size

    def close(self) -> None:
        if hasattr(self._blocks, "close"):
            self._blocks.close()
        super().close()


def _keeps_text(kind: str) -> bool:
    """SQLite's rules of affinity, section 3.1 of datatype3.html: text, or nothing declared."""
    upper = kind.upper()
    if "INT" in upper:
        return False
    return not upper or any(word in upper for word in ("CHAR", "CLOB", "TEXT", "BLOB"))


def _is_busy(error: Exception) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 for an error of the driver's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
