"""Chunks into a table of PostgreSQL: COPY FROM STDIN, in blocks."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.core.shown import SHOWN_BYTES, shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, CopyLines, numbered
from splitjoin_cli.stores.loaders.body import gathered
from splitjoin_cli.stores.loaders.fields import text_lines
from splitjoin_cli.stores.loaders.header import chunk_records
from splitjoin_cli.stores.loaders.plain import plain_blocks
from splitjoin_cli.stores.loaders.server import CONNECT_SECONDS, ServerLoader
from splitjoin_cli.stores.loaders.session import FETCHED_ROWS, AgainError, Columns, Session, TableColumn, pyformat
from splitjoin_cli.stores.loaders.widths import checked_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from splitjoin_cli.stores.loaders.bad_rows import Record
    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.exact.base import ExactValues
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["RUN_SETTING", "PostgresqlLoader", "PostgresqlSession"]

NAME_BYTES = 63
COPIED_BYTES = 256 * 1024
"""Longer names are cut by PostgreSQL (NAMEDATALEN), and would meet each other."""
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
RUN_SETTING = "splitjoin.run_id"
_PLACE = re.compile(r"^COPY .*?, \S+ (\d+)(?:, \S+ (.+?): )?", re.MULTILINE)
"""Line and column, whatever the language of the words for them."""
_MAKE_TABLES_LOCK = 7_318_225_064  # one process at a time makes tables: CREATE TABLE IF NOT EXISTS races with itself
_BAD_DATA = (
    *(psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException),
    *(psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex, psycopg.errors.TooManyColumns),
)
_NO_SUCH_TABLE = (
    *(psycopg.errors.DuplicateColumn, psycopg.errors.InvalidColumnDefinition, psycopg.errors.InvalidName),
    *(psycopg.errors.NameTooLong, psycopg.errors.ProgramLimitExceeded, psycopg.errors.TooManyColumns),
)
_NOT_TEXT = (psycopg.errors.CharacterNotInRepertoire, psycopg.errors.UntranslatableCharacter)
_SHOWS_ROW = (psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation)
LEAST_DETAIL_BYTES = 20
_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class PostgresqlLoader(ServerLoader):
    """See Loader. The run column needs the default ``current_setting('splitjoin.run_id', true)``: COPY sets none."""

    product = "PostgreSQL"
    null_rule = "the unquoted empty field; a quoted empty field is the empty text, and NULL a word like any other"
    field_rule = "empty"
    share_lock = " FOR SHARE"
    name_type = "TEXT"
    driver_errors = (psycopg.Error,)

    def _open(self, url: DatabaseUrl, password: str | None) -> Session:
        return PostgresqlSession(url, password)

    def _is_refusal(self, error: Exception) -> bool:
        """See ServerLoader. libpq tells no SQLSTATE of it, only the text.

        The words after FATAL are in the server's language: some of them mean other refusals, which cost one look more.
        """
        return isinstance(error, psycopg.OperationalError) and error.sqlstate is None and "FATAL" in str(error)

    def _run_column_type(self) -> str:
        return f"TEXT DEFAULT current_setting('{RUN_SETTING}', true)"

    def _check_run_column(self, column: TableColumn) -> None:
        if RUN_SETTING not in (column.default or ""):
            raise LoadError(
                f"column {column.name} of table {self._target.table} has not the default that fills it",
                hint=f"ALTER TABLE {self._table} ALTER COLUMN {self._quoted(column.name)}"
                f" SET DEFAULT current_setting('{RUN_SETTING}', true)",
            )

    def _sees(self, session: Session, name: str) -> bool:
        return session.rows("SELECT to_regclass(?)", (name,))[0][0] is not None

    def _run_ddl(self, session: Session, sql: str) -> None:
        session.begin()
        session.rows("SELECT pg_advisory_xact_lock(?)", (_MAKE_TABLES_LOCK,))
        session.run(sql)
        session.commit()

    def _most_columns(self, session: Session) -> int | None:
        """PostgreSQL's documentation, "PostgreSQL Limits"."""
        del session
        return 1600

    def _name_problem(self, name: str) -> str | None:
        if len(name.encode()) > NAME_BYTES:
            return f"it is longer than {NAME_BYTES} bytes, and would be cut"
        if name in SYSTEM_COLUMNS:
            return "a column of the system has this name"
        return super()._name_problem(name)

    def _refuses_table(self, error: Exception) -> bool:
        return isinstance(error, _NO_SUCH_TABLE)

    def _table_columns(self, session: Session) -> Columns:
        found = session.rows(
            "SELECT a.attname, format_type(a.atttypid, NULL), t.typcategory = 'S',"
            " pg_get_expr(d.adbin, d.adrelid), c.relkind::text, c.relnamespace::regnamespace::text"
            " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid"
            " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
            " WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
            " ORDER BY a.attnum",
            (self._table,),
        )
        if found and found[0][4] not in ("r", "p"):
            raise self._not_a_table("foreign table" if found[0][4] == "f" else "view")
        if found and found[0][5].startswith("pg_"):  # a bare name is looked for in pg_catalog first
            raise BadRowError(
                f"table {self._target.table}: it is a table of the database itself, in the schema {found[0][5]}",
                hint="use another table: --table NAME",
            )
        return tuple(TableColumn(name, kind, text, default) for name, kind, text, default, _, _ in found)

    def _primary_key(self, session: Session) -> list[str]:
        sql = (
            "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number"
            " WHERE i.indrelid = to_regclass(?) AND i.indisprimary ORDER BY k.place"
        )
        return [str(row[0]) for row in session.rows(sql, (self._table,))]

    def _tell_plainly(self, session: Session) -> None:
        for setting in (
            "datestyle TO ISO",
            "intervalstyle TO postgres",
            "bytea_output TO hex",
            "extra_float_digits TO 1",
        ):
            session.run(f"SET {setting}")

    def _knows_nulls(self, nulls: tuple[str, ...] | None) -> bool:
        return nulls is None or len(nulls) <= 1

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        session.rows("SELECT set_config(?, ?, true)", (RUN_SETTING, chunk.run_id))
        if plain:
            most = self._target.max_record_bytes
            blocks = plain_blocks(chunk, len(columns), refuse_end_of_data=True, most_bytes=most)
            options = self._csv_options(chunk, columns)
        else:
            blocks, options = gathered(_text(chunk, columns, self._target.max_record_bytes)), "FORMAT text"
        names = ", ".join(self._quoted(column.name) for column in columns)
        where = f" WHERE {self._only_where}" if self._only_where else ""
        sql = f"COPY {self._table} ({names}) FROM STDIN ({options}, ENCODING 'UTF8'){where}"
        with closing(blocks), self._telling_rows(chunk, CopyLines if plain else numbered):
            return cast("PostgresqlSession", session).copy(sql, blocks)

    def _csv_options(self, chunk: ChunkToLoad, columns: Columns) -> str:
        """COPY's options for the body's dialect.

        By PostgreSQL's own rule what is not text takes NULL for a quoted empty field too.
        """
        options = (
            f"FORMAT csv, DELIMITER {_literal(chunk.dialect.delimiter)}, QUOTE {_literal(chunk.dialect.quotechar)}"
        )
        nulls = chunk.dialect.nulls
        if nulls:
            return f"{options}, NULL {_literal(nulls[0])}"
        forced = [self._quoted(column.name) for column in columns if nulls is not None or not column.text]
        how = "FORCE_NULL" if nulls is None else "FORCE_NOT_NULL"
        return f"{options}, {how} ({', '.join(forced)})" if forced else options

    def _exact_values(self, session: Session) -> ExactValues:
        from splitjoin_cli.stores.loaders.exact.postgresql import PostgresqlValues  # noqa: PLC0415 -- where it is asked for

        return PostgresqlValues(session, self._table, self._quoted)

    def _screens(self) -> bool:
        return not self.reads_s3

    def _says_bad_data(self, error: Exception) -> bool:
        return isinstance(error, _BAD_DATA)

    def _means_absent(self, error: Exception) -> bool:
        return isinstance(error, psycopg.errors.UndefinedTable)

    @contextmanager
    def _telling_rows(self, chunk: ChunkToLoad, find: Callable[[int], Callable[[Record], bool]]) -> Iterator[None]:
        """Data errors come out as BadRecordError; ``find``: what finds the record that COPY calls by a line."""
        try:
            yield
        except _BAD_DATA as exc:
            has_nul = "0x00" in (exc.diag.message_primary or "")
            if isinstance(exc, _NOT_TEXT) and not has_nul:
                raise BadTextError(chunk.dialect.encoding) from exc
            place = _PLACE.search(exc.diag.context or "")
            column = f" (column {shown(place[2])})" if place and place[2] else ""
            nul = "the record holds a NUL byte, which PostgreSQL does not store in text"
            reason = nul if has_nul and isinstance(exc, _NOT_TEXT) else _reason(exc) + column
            raise BadRecordError(reason, find(int(place[1])) if place else None) from exc

    def _translated(self, error: Exception) -> LoadError:
        said = self._logins.hide(str(error).strip().partition("\n")[0] or type(error).__name__)
        message = f"{self.properties.uri}: {said}"
        if isinstance(error, _AGAIN):
            return AgainError(message)
        hint = None
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            hint = "check the account's privileges"
        elif isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            hint = f"check user, {self._logins.origin}, host, port, database and network"
        return LoadError(message, hint=hint)


def _reason(error: psycopg.Error) -> str:
    """What PostgreSQL says first, and of keys which; the details of other constraints are the whole row."""
    said = shown(error.diag.message_primary or str(error))
    detail = None if isinstance(error, _SHOWS_ROW) else error.diag.message_detail
    room = SHOWN_BYTES - len(said.encode())
    return f"{said}; {shown(detail, room)}" if detail and room > LEAST_DETAIL_BYTES else said


class PostgresqlSession(Session):
    """One connection through psycopg."""

    def __init__(self, url: DatabaseUrl, password: str | None) -> None:
        """Connect. Raises psycopg.Error."""
        options: dict[str, Any] = dict(url.options)
        options.setdefault("host", url.host)
        self._connection = psycopg.connect(
            port=url.port,
            user=url.user,
            password=password,
            dbname=url.database,
            connect_timeout=CONNECT_SECONDS,
            client_encoding="UTF8",
            autocommit=True,
            **options,
        )
        self._cursor = self._connection.cursor()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """See Session."""
        self._cursor.execute(cast("Any", pyformat(sql) if values else sql), tuple(values) or None)
        return self._cursor.rowcount

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """See Session."""
        self.run(sql, values)
        return self._cursor.fetchall()

    def batches(self, sql: str, values: Sequence[object] = ()) -> Generator[list[tuple[Any, ...]], None, None]:
        """See Session. By a cursor on the server, which lives as long as the transaction."""
        self.run(f"DECLARE splitjoin_rows NO SCROLL CURSOR FOR {sql}", values)
        while rows := self.rows(f"FETCH {FETCHED_ROWS} FROM splitjoin_rows"):
            yield rows
        self.run("CLOSE splitjoin_rows")

    def copied(self, sql: str, values: Sequence[object] = ()) -> Generator[bytes, None, None]:
        """See Session. A row is a message of its own: they are gathered."""
        statement = cast("Any", f"COPY ({pyformat(sql) if values else sql}) TO STDOUT")
        with self._cursor.copy(statement, tuple(values) or None) as copy:
            block = bytearray()
            for row in copy:
                block += row  # at once: rows that are kept take several times as long
                if len(block) >= COPIED_BYTES:
                    yield bytes(block)
                    block.clear()
            yield bytes(block)

    def copy(self, sql: str, blocks: Iterable[bytes | memoryview]) -> int:
        """Feed a COPY; return the rows that it took."""
        with self._cursor.copy(cast("Any", sql)) as copy:
            for block in blocks:
                copy.write(block)
        return self._cursor.rowcount

    def is_alive(self) -> bool:
        """See Session."""
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def begin_reading(self) -> None:
        """See Session."""
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def close(self) -> None:
        """See Session."""
        self._connection.close()


def _text(chunk: ChunkToLoad, columns: Columns, most_bytes: int) -> Generator[bytes, None, None]:
    """Records read field by field, in COPY's text format."""
    by_rule = chunk.dialect.nulls is None
    others = [place for place, column in enumerate(columns) if by_rule and not column.text]

    def rows() -> Iterable[list[str | None]]:
        found = chunk_records(chunk, "empty", most_bytes=most_bytes)
        for row in checked_rows(found, len(columns)):
            for place in others:
                if not row[place]:
                    row[place] = None
            yield row

    yield from text_lines(rows())


def _literal(char: str | None) -> str:
    return "E'\\t'" if char == "\t" else "'" + (char or "").replace("'", "''") + "'"
