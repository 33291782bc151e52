"""Chunks into a table of an SQLite file: the embedded default, safe across processes."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import sys
from contextlib import closing, contextmanager
from itertools import chain, compress, repeat
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.core.files import is_directory, is_missing
from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, numbered
from splitjoin_cli.stores.loaders.body import NotPlainError, body_blocks
from splitjoin_cli.stores.loaders.fields import decoded
from splitjoin_cli.stores.loaders.header import chunk_records
from splitjoin_cli.stores.loaders.ledger import LedgerLoader
from splitjoin_cli.stores.loaders.session import FETCHED_ROWS, AgainError, Columns, Session, TableColumn, told
from splitjoin_cli.stores.loaders.widths import check_width

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LoadTarget
    from splitjoin_cli.stores.loaders.exact.base import ExactValues

__all__ = ["SqliteLoader"]

PLAIN_RECORD_BYTES = 8 * 1024 * 1024
"""The csv module takes 4 bytes and more for each character of a field: a longer record is read otherwise."""
BLOCK_BYTES = 64 * 1024
"""Small enough to stay in a core's own cache from the file to the table."""
UNCOUNTED_BYTES = 4 * 1024 * 1024
"""More than the buffers hold that are read ahead of it."""
SUPPLIED = re.compile(r"there are (\d+) supplied")
"""How Python's driver says that a row has another number of values than the statement."""
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
        return _SqliteSession(self._path, read_only=True) if not is_missing(self._path) else None

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

    def _schema(self, session: Session) -> object | None:
        return None if "." in self._target.table else session.rows("PRAGMA schema_version")

    def _primary_key(self, session: Session) -> list[str]:
        schema, _, name = self._target.table.rpartition(".")
        sql = "SELECT name FROM pragma_table_xinfo(?, ?) WHERE pk > 0 ORDER BY pk"
        return [str(row[0]) for row in session.rows(sql, (name, schema or "main"))]

    def _most_columns(self, session: Session) -> int | None:
        return session.most_columns if isinstance(session, _SqliteSession) else None

    def _refuses_table(self, error: Exception) -> bool:
        return str(error).startswith(("duplicate column name", "too many columns"))

    def _knows_nulls(self, nulls: tuple[str, ...] | None) -> bool:
        return not nulls  # the csv module does not tell which fields were in quotes

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        if not isinstance(session, _SqliteSession):
            raise TypeError(session)
        names = [self._quoted(column.name) for column in columns]
        as_they_are = chunk.dialect.nulls is not None
        values = ["?" if column.text or as_they_are else "NULLIF(?, '')" for column in columns]
        if self._target.run_column:
            names.append(self._quoted(self._target.run_column))
            values.append("'" + chunk.run_id.replace("'", "''") + "'")
        sql = f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({', '.join(values)})"
        most = self._target.max_record_bytes
        held = min(PLAIN_RECORD_BYTES, most - UNCOUNTED_BYTES)
        if plain and held > 0:
            return _load_plain(session, sql, chunk, len(columns), held)
        rows = _Counted(chunk_records(chunk, most_bytes=most), len(columns))
        with _naming(rows):
            return session.run_many(sql, rows)

    def _exact_values(self, session: Session) -> ExactValues:
        from splitjoin_cli.stores.loaders.exact.sqlite import SqliteValues  # noqa: PLC0415 -- where it is asked for

        return SqliteValues(session, self._table, self._quoted)

    def _says_bad_data(self, error: Exception) -> bool:
        return not _is_busy(error) and _code(error) not in PLACE_CODES

    def _translated(self, error: Exception) -> LoadError:
        message = f"{self.properties.uri}: {error}"
        if _is_busy(error):
            return AgainError(message)
        if is_directory(self._path):  # "disk I/O error", where it is opened to be read
            return LoadError(f"{self.properties.uri} is a directory", hint="name a file in it")
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
                check_width(self.number, len(row), width)
            yield row


class _Taken:
    """Rows of the csv module on their way to SQLite, without a step of Python's for each; they are counted as well."""

    def __init__(self) -> None:
        self._left = repeat(1, sys.maxsize)

    @property
    def number(self) -> int:
        """How many were taken."""
        return sys.maxsize - length_hint(self._left)

    def of(self, rows: Iterable[list[str]]) -> Iterator[list[str]]:
        """The same rows."""
        return compress(rows, self._left)


@contextmanager
def _naming(rows: _Counted | _Taken) -> Iterator[None]:
    """What SQLite says of a row names it."""
    try:
        yield
    except sqlite3.Error as exc:
        if _is_busy(exc) or _code(exc) in PLACE_CODES:
            raise
        raise BadRecordError(shown(str(exc)), numbered(rows.number)) from exc


class _SqliteSession(Session):
    bytes_are_text = False

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

    def run_many(self, sql: str, rows: Iterable[Sequence[str | None]]) -> int:
        """Insert rows as they come; how many the table took, which a trigger or a constraint may have kept from it."""
        return self._connection.executemany(sql, rows).rowcount

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, tuple(values)).fetchall()

    def batches(self, sql: str, values: Sequence[object] = ()) -> Generator[list[tuple[Any, ...]], None, None]:
        with closing(self._connection.execute(sql, tuple(values))) as cursor:
            while rows := cursor.fetchmany(FETCHED_ROWS):
                yield rows

    @staticmethod
    def told(value: object) -> str | None:
        """See Session; a BLOB, which no load makes, as its literal."""
        return f"x'{value.hex()}'" if isinstance(value, bytes) else told(value)

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE")  # a read lock that wants to write could only fail

    def begin_reading(self) -> None:
        self.run("BEGIN")

    def close(self) -> None:
        self._connection.close()


def _load_plain(session: _SqliteSession, sql: str, chunk: ChunkToLoad, width: int, most_bytes: int) -> int:
    """Insert the records as the csv module reads them, the fastest exact reader that Python has.

    ``width``: how many values ``sql`` has, which each record is held to have fields. Raises NotPlainError for stray
    quotes, and for a record of about ``most_bytes`` or more: they are read otherwise then.
    """
    csv.field_size_limit(sys.maxsize)  # the module's own limit is 128 KiB
    taken = _Taken()
    with closing(body_blocks(chunk, BLOCK_BYTES)) as blocks:
        texts = decoded(_watched(blocks, taken, most_bytes), chunk.dialect.encoding)
        lines = chain.from_iterable(_lines(texts))
        rows: Iterable[list[str]] = csv.reader(lines, strict=True, **_csv_options(chunk.dialect))
        if width == 1:
            rows = (row or [""] for row in rows)  # the csv module's way to say that a line is blank
        try:
            with _naming(taken):
                return session.run_many(sql, taken.of(rows))
        except csv.Error as exc:
            raise NotPlainError from exc
        except BadRecordError as exc:
            found = SUPPLIED.search(exc.reason)
            if found and isinstance(exc.__cause__, sqlite3.ProgrammingError):
                check_width(taken.number, int(found[1]) or 1, width)
            raise


def _watched(blocks: Iterator[memoryview], taken: _Taken, most_bytes: int) -> Iterator[memoryview]:
    """The same blocks. Raises NotPlainError where more than ``most_bytes`` came, and no more rows were taken."""
    number = since = 0
    for block in blocks:
        if taken.number != number:
            number, since = taken.number, 0
        if since > most_bytes:
            raise NotPlainError
        since += len(block)
        yield block


def _lines(texts: Iterable[str]) -> Iterator[list[str]]:
    """Each text's lines, as a file opened with ``newline=""`` gives them; what is no whole line comes with the next."""
    pending = ""
    for text in texts:
        whole = pending + text
        if not whole:
            continue
        lines, is_open = whole.splitlines(keepends=True), whole[-1] != "\n"
        if len(lines) != whole.count("\n") + is_open:  # it also cuts at a vertical tab, and the like
            lines = list(io.StringIO(whole, newline=""))
        pending = lines.pop() if is_open else ""
        yield lines
    if pending:
        yield [pending]


def _csv_options(dialect: Dialect) -> dict[str, Any]:
    return {"delimiter": dialect.delimiter, "quotechar": dialect.quotechar}


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
