"""Chunks into a table of a DuckDB file, through DuckDB's own CSV reader; one process opens a file at a time."""

from __future__ import annotations

import csv
import os
import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import duckdb

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.core.files import is_missing
from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, numbered, wrong_fields
from splitjoin_cli.stores.loaders.body import gathered
from splitjoin_cli.stores.loaders.header import chunk_records
from splitjoin_cli.stores.loaders.judges import Rules
from splitjoin_cli.stores.loaders.ledger import LedgerLoader
from splitjoin_cli.stores.loaders.plain import plain_pieces
from splitjoin_cli.stores.loaders.session import FETCHED_ROWS, AgainError, Columns, Session, TableColumn
from splitjoin_cli.stores.loaders.widths import checked_rows
from splitjoin_cli.stores.loaders.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, LoadTarget
    from splitjoin_cli.stores.loaders.exact.base import ExactValues
    from splitjoin_cli.stores.loaders.windows import Window

__all__ = ["DuckdbLoader"]

USUAL_LINE_BYTES = 2_000_000
"""DuckDB's own limit for a record. To name one, even this, doubles the CPU time: it then takes other buffers."""
LINE_END_BYTES = 2
_TEXT = ("VARCHAR", "BLOB", "ENUM")
_BAD_DATA = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.ConstraintException, duckdb.DataError)
_LINE = re.compile(r"CSV Error on Line: (\d+)\n")
"""What begins a message about the file: with ``new_line`` set, DuckDB counts records, not lines."""
_REASON = re.compile(
    r"\n(Error when converting column|Expected Number of Columns|Invalid unicode|Value with unterminated quote"
    r"|Maximum line size)"
)
"""What follows the whole line, which is the customer's; the last one is DuckDB's own."""
_ADVICE = re.compile(r"\n\n(?:Column |Possible )|\nPossible |\n\n  file = ")
_FILE = re.compile(r"\n  file = (\S+)")
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_HOLDER = re.compile(r"Conflicting lock is held in (.+?)\. (?:See also|However)")
_HINTS = {
    "Could not set lock": "try again when that process is done with it",
    "not a valid DuckDB": "name a DuckDB file, or a path where there is none yet",
    "in-memory database": "name a DuckDB file, or a path where there is none yet",
    "Is a directory": "name a file in it",
    "Cannot open file": "check that its directory is there, and that you may read and write it",
}
_LOCKS: dict[str, threading.RLock] = {}
_LOCKS_LOCK = threading.Lock()


@final
class DuckdbLoader(LedgerLoader):
    """See Loader. Loads of one process into one file take turns: DuckDB itself uses all cores for each."""

    product = "DuckDB"
    null_rule = "none: an empty field is the empty text, quoted or not, and NULL is a word like any other"
    always_creates = True
    name_type = "VARCHAR"
    text_type = "VARCHAR"
    driver_errors = (duckdb.Error,)

    def __init__(self, path: str, target: LoadTarget) -> None:
        """``path``: of the file, made if missing."""
        super().__init__(f"duckdb:{path}", target)
        self._path = path
        with _LOCKS_LOCK:
            self._turn = _LOCKS.setdefault(os.path.realpath(path), threading.RLock())

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._turn, super()._session() as session:
            yield session

    def _connect(self) -> Session:
        return _DuckdbSession(self._path)

    def _connect_to_read(self) -> Session | None:
        return _DuckdbSession(self._path, read_only=True) if not is_missing(self._path) else None

    def _means_absent(self, error: Exception) -> bool:
        return isinstance(error, duckdb.CatalogException)

    def _table_columns(self, session: Session) -> Columns:
        schema, _, name = self._target.table.rpartition(".")
        sql = "SELECT 1 FROM duckdb_views() WHERE lower(view_name) = lower(?) AND lower(schema_name) = lower(?)"
        if session.rows(f"{sql} AND database_name = current_database()", (name, schema or "main")):
            raise self._not_a_table("view")
        sql = (
            "SELECT column_name, data_type, column_default FROM information_schema.columns"
            " WHERE lower(table_name) = lower(?) AND lower(table_schema) = lower(?)"
            " AND table_catalog = current_database() AND is_generated IS DISTINCT FROM 'ALWAYS'"
            " ORDER BY ordinal_position"
        )
        found = session.rows(sql, (name, schema or "main"))
        return tuple(TableColumn(str(name), str(kind), str(kind).startswith(_TEXT), text) for name, kind, text in found)

    def _schema(self, session: Session) -> object | None:
        """The table's columns and types as a query has them: the catalogue takes ten times as long to be asked.

        No other process opens the file meanwhile. What stands in the place of a table with the same columns, such as a
        view, takes no rows.
        """
        if not isinstance(session, _DuckdbSession):
            raise TypeError(session)
        try:
            return session.columns(f"SELECT * FROM {self._table}")
        except (duckdb.CatalogException, duckdb.BinderException):  # there is no such table; or a view that is broken
            return None

    def _primary_key(self, session: Session) -> list[str]:
        schema, _, name = self._target.table.rpartition(".")
        sql = (
            "SELECT unnest(constraint_column_names) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
            " AND lower(table_name) = lower(?) AND lower(schema_name) = lower(?)"
            " AND database_name = current_database()"
        )
        return [str(row[0]) for row in session.rows(sql, (name, schema or "main"))]

    def _refuses_table(self, error: Exception) -> bool:
        return isinstance(error, (duckdb.CatalogException, duckdb.BinderException, duckdb.ParserException))

    def _knows_nulls(self, nulls: tuple[str, ...] | None) -> bool:
        return nulls is None or bool(nulls)  # read_csv always takes something for NULL

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        names = [self._quoted(column.name) for column in columns]
        values: tuple[str, ...] = ()
        if self._target.run_column:
            names.append(self._quoted(self._target.run_column))
            values = (chunk.run_id,)
        into = f"INSERT INTO {self._table} ({', '.join(names)}) SELECT *{', ?' if values else ''} FROM"
        loaded = 0
        with Windows(_pieces(chunk, columns, self._target.max_record_bytes, plain=plain)) as windows:
            for window in windows:
                try:
                    loaded += session.run(f"{into} {_reader(window, chunk, columns, plain=plain)}", values)
                except _BAD_DATA as exc:
                    raise _bad_row(str(exc), chunk, loaded, window, plain=plain) from exc
        return loaded

    def _exact_values(self, session: Session) -> ExactValues:
        from splitjoin_cli.stores.loaders.exact.duckdb import DuckdbValues  # noqa: PLC0415 -- where it is asked for

        return DuckdbValues(session, self._table, self._quoted)

    def _says_bad_data(self, error: Exception) -> bool:
        return isinstance(error, _BAD_DATA)

    def _translated(self, error: Exception) -> LoadError:
        if isinstance(error, duckdb.TransactionException):
            return AgainError(f"{self.properties.uri}: {error}")
        said = str(error).partition("\n")[0]
        hint = next((hint for part, hint in _HINTS.items() if part in said), None)
        if "Could not set lock" in said:
            holder = _HOLDER.search(said)
            who = f", {holder[1]}," if holder else ""
            said = f"another process{who} has the file open, and DuckDB lets only one process open it"
        return LoadError(f"{self.properties.uri}: {said}", hint=hint)


class _DuckdbSession(Session):
    def __init__(self, path: str, *, read_only: bool = False) -> None:
        try:
            path.encode()
        except UnicodeEncodeError as exc:  # DuckDB's own error is std::bad_cast
            raise LoadError(f"duckdb:{path}: DuckDB opens no path that is not valid UTF-8", hint="rename it") from exc
        self._connection = duckdb.connect(path, read_only=read_only)
        self._connection.execute("SET enable_progress_bar_print = false")  # after 2 s, on stdout
        # A file of another kind that DuckDB can read (a CSV file) is shown in a database in memory.
        sql = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
        if self.rows(sql) == [(None,)]:
            self.close()
            raise LoadError(f"duckdb:{path} is not a DuckDB database file", hint=_HINTS["in-memory database"])

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        found = self._connection.execute(sql, list(values)).fetchone()
        return int(found[0]) if found and isinstance(found[0], int) else 0

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, list(values)).fetchall()

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """What ``sql`` would give, without a row: names and types."""
        described = self._connection.execute(f"{sql} LIMIT 0").description or []
        return [(str(name), str(kind)) for name, kind, *_ in described]

    def batches(self, sql: str, values: Sequence[object] = ()) -> Generator[list[tuple[Any, ...]], None, None]:
        found = self._connection.execute(sql, list(values))
        while rows := found.fetchmany(FETCHED_ROWS):
            yield rows

    def close(self) -> None:
        self._connection.close()


def _bad_row(said: str, chunk: ChunkToLoad, before: int, window: Window, *, plain: bool) -> BadRecordError:
    """What DuckDB says of the data, its reason first: it shows the whole record before that.

    ``before``: the records that were loaded from earlier windows.
    """
    line = _LINE.search(said)
    if line is None:
        return BadRecordError(shown(said.partition("\n")[0]), None)
    reasons = list(_REASON.finditer(said, line.end() - 1))
    text = said[reasons[-1].start() + 1 :] if reasons else said[: line.start()]
    if text.startswith("Invalid unicode"):
        return BadTextError(chunk.dialect.encoding)
    number = before + _records_before(said, window, chunk, plain=plain) + int(line[1])
    fields = _FIELDS.match(text)
    if fields is not None:
        return BadRecordError(wrong_fields(int(fields[2]), int(fields[1])), numbered(number))
    advice = _ADVICE.search(text)
    return BadRecordError(shown(text[: advice.start()] if advice else text.strip()), numbered(number))


def _records_before(said: str, window: Window, chunk: ChunkToLoad, *, plain: bool) -> int:
    """The records of a window that are in the files before the one that DuckDB speaks of: it counts in each anew."""
    named = _FILE.findall(said)
    if not named or named[-1] not in window.paths:
        return 0
    csv.field_size_limit(sys.maxsize)
    quote = (chunk.dialect.quotechar or '"') if plain else '"'
    delimiter, count = chunk.dialect.delimiter if plain else ",", 0
    for path in window.paths[: window.paths.index(named[-1])]:
        with Path(path).open(newline="", encoding="utf-8", errors="replace") as file:
            count += sum(1 for _ in csv.reader(file, delimiter=delimiter, quotechar=quote))
    return count


def _reader(window: Window, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> str:
    """The call of read_csv with nothing left to be guessed.

    ``parallel`` is within a file: there DuckDB cuts where it takes a line for a record's start, also inside quotes, and
    refuses good records, or reads others. Several files are read on all cores nevertheless.
    """
    types = ", ".join(f"{_text(column.name)}: {_text(column.type)}" for column in columns)
    options = {
        "auto_detect": "false",
        "header": "false",
        "strict_mode": "true",
        "new_line": r"'\n'",
        "parallel": "false",
        "columns": "{" + types + "}",
    }
    line_bytes = window.longest_bytes + LINE_END_BYTES
    if line_bytes > USUAL_LINE_BYTES:
        options |= dict.fromkeys(("max_line_size", "buffer_size"), str(line_bytes))
    if plain:
        texts = ", ".join(_text(column.name) for column in columns if column.text)
        quote = _text(chunk.dialect.quotechar or '"')
        options |= {"delim": _text(chunk.dialect.delimiter), "quote": quote, "escape": quote}
        if nulls := chunk.dialect.nulls:
            options |= {"nullstr": f"[{', '.join(map(_text, nulls))}]", "allow_quoted_nulls": "false"}
        else:
            options |= {"nullstr": "''", **({"force_not_null": f"[{texts}]"} if texts else {})}
    else:
        options |= {
            "delim": "','",
            "quote": "'\"'",
            "escape": "'\"'",
            "nullstr": r"'\N'",
            "allow_quoted_nulls": "false",
        }
    paths = ", ".join(map(_text, window.paths))
    return f"read_csv([{paths}], {', '.join(f'{key} = {value}' for key, value in options.items())})"


def _pieces(
    chunk: ChunkToLoad, columns: Columns, most_bytes: int, *, plain: bool
) -> Generator[tuple[bytes | memoryview, int], None, None]:
    """What read_csv reads, each piece with the bytes at its end that are of a record which goes on in the next."""
    if not plain:
        for lines in gathered(_requoted(chunk, columns, most_bytes)):
            yield lines, 0
        return
    rules = Rules.of(chunk.dialect, len(columns), refuse_blank_lines=True, most_bytes=most_bytes)
    yield from plain_pieces(chunk, rules)


def _requoted(chunk: ChunkToLoad, columns: Columns, most_bytes: int) -> Generator[bytes, None, None]:
    r"""Records read field by field, as CSV that leaves nothing open: every field in quotes, NULL as a bare ``\N``."""
    bare = [chunk.dialect.nulls is None and not column.text for column in columns]
    rows = chunk_records(chunk, most_bytes=most_bytes)
    for row in checked_rows(rows, len(columns)):
        fields = [
            "\\N" if field is None or (empty_is_null and not field) else '"' + field.replace('"', '""') + '"'
            for field, empty_is_null in zip(row, bare, strict=True)
        ]
        yield (",".join(fields) + "\n").encode()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
