"""Chunks into a table of MySQL or MariaDB: LOAD DATA LOCAL INFILE, streamed from here through a pipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pymysql
from pymysql.constants import CR, ER

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, numbered
from splitjoin_cli.stores.loaders.body import gathered
from splitjoin_cli.stores.loaders.fields import text_lines
from splitjoin_cli.stores.loaders.header import chunk_records
from splitjoin_cli.stores.loaders.pipe import Pipe
from splitjoin_cli.stores.loaders.plain import plain_blocks
from splitjoin_cli.stores.loaders.server import CONNECT_SECONDS, ServerLoader
from splitjoin_cli.stores.loaders.session import FETCHED_ROWS, AgainError, Columns, Session, TableColumn, pyformat
from splitjoin_cli.stores.loaders.widths import checked_rows

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.exact.base import ExactValues
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl

__all__ = ["MysqlLoader", "MysqlSession"]

WRITE_SECONDS = 120
"""A server that takes nothing for so long is gone (a killed one need not say so); it waits 50 s for a lock at most."""
WARNINGS = 10
NAME_CHARACTERS = 64
_NO_SUCH_TABLE = frozenset(
    {ER.TOO_LONG_IDENT, ER.DUP_FIELDNAME, ER.WRONG_COLUMN_NAME, ER.WRONG_TABLE_NAME}
    | {ER.TOO_MANY_FIELDS, ER.TOO_BIG_ROWSIZE, ER.INVALID_CHARACTER_STRING}
)
_TEXT = frozenset(
    {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"}
    | {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
)
_AGAIN = {ER.LOCK_DEADLOCK}
_DENIED = {
    ER.ACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
}
_REFUSALS = {ER.ACCESS_DENIED_ERROR, 1698}  # the second is MariaDB's, of an account without a password
_LOCAL_DISABLED = {ER.NOT_ALLOWED_COMMAND, 3948, 4166}  # MySQL 5.7, MySQL 8, MariaDB
# What a statement says of the data, beside the warnings that LOCAL makes of most of it.
_BAD_DATA = (pymysql.DataError, pymysql.IntegrityError)
_BAD_VALUES = {ER.TRUNCATED_WRONG_VALUE, 1416, 1525, 3140, 3819, 4025}
"""What INSERT says of geometry, time, JSON, a CHECK (MySQL's and MariaDB's), which PyMySQL takes for other errors."""
SETTINGS = {
    # Strict: what does not fit is said. 0 stays 0 in an AUTO_INCREMENT column. Nothing that changes what a statement
    # means (ANSI_QUOTES, EMPTY_STRING_IS_NULL, ALLOW_INVALID_DATES, ...); whether a zero date is one is the server's.
    "sql_mode": "CONCAT_WS(',', 'STRICT_ALL_TABLES', 'ERROR_FOR_DIVISION_BY_ZERO', 'NO_AUTO_VALUE_ON_ZERO',"
    " 'NO_ENGINE_SUBSTITUTION', IF(FIND_IN_SET('NO_ZERO_DATE', @@sql_mode), 'NO_ZERO_DATE', NULL),"
    " IF(FIND_IN_SET('NO_ZERO_IN_DATE', @@sql_mode), 'NO_ZERO_IN_DATE', NULL))",
    "sql_notes": "1",  # a truncation may be a note, and only with this a warning that is counted
    "max_error_count": "64",  # so many are kept
    "sql_select_limit": "18446744073709551615",  # the ledger is read whole
    "completion_type": "'NO_CHAIN'",  # a transaction ends, and nothing else, where it ends
}
"""The session variables that are set, whatever the server's are. The character set is utf8mb4; the time zone, and which
constraints are checked, are left to the server and the account."""
_ROW = re.compile(r"\b[Rr]ow (\d+)\b")
_AT_ROW = re.compile(r" at row \d+$")
_NOT_TEXT = re.compile(r"Incorrect string value|Invalid utf8mb[34] character string")


class MysqlLoader(ServerLoader):
    """See Loader. The server needs ``local_infile``, the account SELECT, INSERT, UPDATE and DELETE, and CREATE once.

    LOCAL turns bad values, short rows and duplicate keys into warnings, strict mode or not
    (https://dev.mysql.com/doc/refman/8.4/en/load-data.html): any warning undoes the load here. While LOCAL is allowed,
    a server may ask this client for any file that it can read: use servers that you trust, over TLS.
    """

    product = "MySQL"
    null_rule = "the unquoted word NULL; an empty field is the empty text, quoted or not"
    field_rule = "word"
    share_lock = " LOCK IN SHARE MODE"
    # Names differ in case and accents, which no other collation would tell apart.
    name_type = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    time_type = "TIMESTAMP(3)"
    time_now = "CURRENT_TIMESTAMP(3)"
    time_value = "FROM_UNIXTIME(?)"
    time_seconds = "UNIX_TIMESTAMP({column})"
    text_type = "LONGTEXT"
    table_suffix = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    driver_errors = (pymysql.Error,)

    def _open(self, url: DatabaseUrl, password: str | None) -> Session:
        return MysqlSession(url, password)

    def _is_refusal(self, error: Exception) -> bool:
        return isinstance(error, pymysql.Error) and bool(error.args) and error.args[0] in _REFUSALS

    def _quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def _table_columns(self, session: Session) -> Columns:
        schema, _, name = self._target.table.rpartition(".")
        named = "table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ?"
        engines = session.rows(
            "SELECT t.table_type, t.engine, e.transactions FROM information_schema.tables t"
            f" LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE {named}",
            (schema, name),
        )
        for kind, engine, transactions in engines:
            if "VIEW" in kind:
                raise self._not_a_table("view")
            if transactions != "YES":
                raise LoadError(
                    f"table {self._target.table} is of engine {engine}, which has no transactions: a failed load"
                    " would leave rows",
                    hint=f"ALTER TABLE {self._table} ENGINE=InnoDB",
                )
        found = session.rows(
            "SELECT column_name, LOWER(data_type), column_default, is_nullable = 'NO' FROM information_schema.columns"
            # MySQL 8 says DEFAULT_GENERATED of a column whose default is an expression
            f" WHERE {named} AND extra NOT REGEXP '(VIRTUAL|STORED|PERSISTENT) GENERATED' ORDER BY ordinal_position",
            (schema, name),
        )
        return tuple(
            TableColumn(name, kind, kind in _TEXT, default, bool(not_null)) for name, kind, default, not_null in found
        )

    def _primary_key(self, session: Session) -> list[str]:
        schema, _, name = self._target.table.rpartition(".")
        sql = (
            "SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY'"
            " AND table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ? ORDER BY seq_in_index"
        )
        return [str(row[0]) for row in session.rows(sql, (schema, name))]

    def _most_columns(self, session: Session) -> int | None:
        """InnoDB's (MySQL's manual, "Limits on Table Column Count and Row Size")."""
        del session
        return 1017

    def _name_problem(self, name: str) -> str | None:
        """The manual's "Schema Object Names" and "Identifier Length Limits"."""
        if len(name) > NAME_CHARACTERS:
            return f"it is longer than {NAME_CHARACTERS} characters"
        if name.endswith(tuple(" \t\n\v\f\r")):
            return "it ends with white space"
        if any(ord(char) > 0xFFFF for char in name):  # noqa: PLR2004 -- the last character of three bytes in UTF-8
            return "it holds a character beyond U+FFFF"
        return super()._name_problem(name)

    def _refuses_table(self, error: Exception) -> bool:
        code = error.args[0] if error.args else None
        return code in _NO_SUCH_TABLE or (code == ER.CANT_CREATE_TABLE and "Too many columns" in str(error.args[-1]))

    def _knows_nulls(self, nulls: tuple[str, ...] | None) -> bool:
        return nulls in {None, ("NULL",)}  # the word that LOAD DATA always takes for it

    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        if plain:
            blocks = plain_blocks(chunk, len(columns), most_bytes=self._target.max_record_bytes)
            quote = self._literal(chunk.dialect.quotechar or "")
            how = f"TERMINATED BY {self._literal(chunk.dialect.delimiter)} OPTIONALLY ENCLOSED BY {quote} ESCAPED BY ''"
        else:
            most = self._target.max_record_bytes
            rows = checked_rows(chunk_records(chunk, "word", most_bytes=most), len(columns))
            blocks = gathered(text_lines(rows))
            how = f"TERMINATED BY {self._literal(chr(9))} ESCAPED BY {self._literal(chr(92))}"
        with Pipe(blocks) as pipe:
            sql = (
                f"LOAD DATA LOCAL INFILE '{pipe.path}' INTO TABLE {self._table} CHARACTER SET utf8mb4"
                f" FIELDS {how} LINES TERMINATED BY {self._literal(chr(10))}"
            )
            return self._load_data(session, sql, chunk, columns)

    def _load_data(self, session: Session, sql: str, chunk: ChunkToLoad, columns: Columns) -> int:
        """Run LOAD DATA, columns and SET clause added to ``sql``; a warning is a failure."""
        if self._target.run_column:
            session.run("SET @splitjoin_run_id = ?", (chunk.run_id,))
        try:
            loaded = session.run(f"{sql} {self._fields(columns, chunk.dialect)}")
        except _BAD_DATA as exc:
            raise _bad_row([str(exc.args[-1])], 1, chunk) from exc
        warnings, count = cast("MysqlSession", session).warnings()
        if warnings:
            raise _bad_row(warnings, count, chunk)
        return loaded

    def _fields(self, columns: Columns, dialect: Dialect) -> str:
        """The column list and what SET says: a column that is not text takes NULL where the field is empty.

        Where the dialect names its NULLs, an empty field is none of them unless it says so.
        """
        empty_is_null = dialect.nulls is None
        fields, settings = [], []
        for place, column in enumerate(columns):
            if column.text:
                fields.append(self._quoted(column.name))
            else:
                fields.append(f"@splitjoin_{place}")
                value = _value(column, f"@splitjoin_{place}", empty_is_null=empty_is_null)
                settings.append(f"{self._quoted(column.name)} = {value}")
        if self._target.run_column:
            settings.append(f"{self._quoted(self._target.run_column)} = @splitjoin_run_id")
        return f"({', '.join(fields)})" + (f" SET {', '.join(settings)}" if settings else "")

    def _exact_values(self, session: Session) -> ExactValues:
        from splitjoin_cli.stores.loaders.exact.mysql import MysqlValues  # noqa: PLC0415 -- where it is asked for

        return MysqlValues(session, self._table, self._quoted)

    def _says_bad_data(self, error: Exception) -> bool:
        return isinstance(error, _BAD_DATA) or (bool(error.args) and error.args[0] in _BAD_VALUES)

    def _means_absent(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] == ER.NO_SUCH_TABLE

    def _literal(self, char: str) -> str:
        """A character in SQL, whatever NO_BACKSLASH_ESCAPES says: as a number unless it is harmless."""
        return f"'{char}'" if char.isprintable() and char not in "\\'%?" else f"0x{ord(char):02X}"

    def _translated(self, error: Exception) -> LoadError:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = self._logins.hide(str(error.args[-1]) if error.args else type(error).__name__)
        message = f"{self.properties.uri}: {said} ({code})"
        if code in _AGAIN:
            return AgainError(message)
        hint = None
        if code in _LOCAL_DISABLED:
            hint = "set local_infile=1 on the server, or use aurora-mysql:// where the database reads S3 itself"
        elif code in _DENIED:
            hint = f"check the user, {self._logins.origin} and the account's privileges"
        elif code == ER.BAD_DB_ERROR:
            hint = "check the database's name in the URL, or create it"
        elif code in {CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR}:
            hint = "check host, port and network"
        return LoadError(message, hint=hint)


def _value(column: TableColumn, field: str, *, empty_is_null: bool) -> str:
    """What a column that is not text takes of ``field``: NULL where that is empty, and means it."""
    if column.type == "timestamp" and column.not_null:
        return f"COALESCE({field}, '')"  # NULL would be the time of the load; the empty text is refused
    value = f"NULLIF({field}, '')" if empty_is_null else field
    # text would be taken for its bytes: '5' for 53
    return f"CAST({value} AS UNSIGNED)" if column.type == "bit" else value


class MysqlSession(Session):
    """One connection through PyMySQL, with the session variables that loads rely on: see SETTINGS."""

    def __init__(self, url: DatabaseUrl, password: str | None) -> None:
        """Connect. Raises pymysql.Error."""
        self._connection: Any = pymysql.connect(
            host=url.host or None,
            port=url.port or 0,
            user=url.user,
            password=(password or "").encode(),  # PyMySQL would take Latin-1, and MySQL takes UTF-8
            database=url.database,
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            write_timeout=WRITE_SECONDS,
            autocommit=True,
            local_infile=True,
            **_tls(url),
        )
        self._cursor: Any = self._connection.cursor()
        self.run(f"SET SESSION {', '.join(f'{name} = {value}' for name, value in SETTINGS.items())}")

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """See Session."""
        try:
            return int(self._cursor.execute(pyformat(sql) if values else sql, tuple(values) or None))
        except AttributeError as exc:
            if self._connection.open:
                raise
            # what PyMySQL meets when it goes on with LOAD LOCAL on a connection that it has just found lost
            raise pymysql.OperationalError(CR.CR_SERVER_LOST, "the connection was lost during the query") from exc

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """See Session."""
        self.run(sql, values)
        return list(self._cursor.fetchall())

    def batches(self, sql: str, values: Sequence[object] = ()) -> Generator[list[tuple[Any, ...]], None, None]:
        """See Session. The server waits while nothing is fetched; where it is left, its rest is not read."""
        cursor: Any = self._connection.cursor(pymysql.cursors.SSCursor)
        ended = False
        try:
            cursor.execute(pyformat(sql) if values else sql, tuple(values) or None)
            while rows := cursor.fetchmany(FETCHED_ROWS):
                yield list(rows)
            ended = True
        finally:
            if ended:
                cursor.close()
            elif self._connection.open:
                cursor._result.unbuffered_active = False  # noqa: SLF001 -- else PyMySQL reads the rest, whatever it is
                cursor.connection = None
                self._connection.close()

    def warnings(self) -> tuple[list[str], int]:
        """What the last statement warned of, the first few of so many; the text is ours where the server keeps none."""
        count = int(self._cursor.warning_count)
        if not count:
            return [], 0
        found = [str(row[2]) for row in self.rows(f"SHOW WARNINGS LIMIT {WARNINGS}")]
        return found or ["the database warns, and does not say of what"], count

    def insert_absent(self, sql: str, values: Sequence[object]) -> bool:
        """See Session. INSERT IGNORE would hide other errors than the key's."""
        try:
            return self.run(sql, values) == 1
        except pymysql.IntegrityError as exc:
            if exc.args[0] != ER.DUP_ENTRY:
                raise
            return False

    def is_alive(self) -> bool:
        """See Session."""
        try:
            self._connection.ping(reconnect=False)
        except pymysql.Error:
            return False
        return True

    def begin(self) -> None:
        """See Session."""
        self.run("START TRANSACTION")

    def begin_reading(self) -> None:
        """See Session."""
        self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # what makes the snapshot one
        self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def close(self) -> None:
        """See Session."""
        self._connection.close()


def _bad_row(warnings: Sequence[str], count: int, chunk: ChunkToLoad) -> BadRecordError:
    """The first thing that MySQL says of a row, or the first one at all; ``count``: how many there are."""
    said = next((text for text in warnings if _ROW.search(text)), warnings[0])
    if _NOT_TEXT.match(said):
        return BadTextError(chunk.dialect.encoding)
    at_row = _AT_ROW.search(said)
    row = _ROW.search(said if at_row is None else at_row[0])
    reason = shown(_ROW.sub("the row", _AT_ROW.sub("", said), count=1) if row else said)
    more = f"; {count} warnings in all" if count > 1 else ""
    return BadRecordError(reason + more, numbered(int(row[1])) if row else None)


def _tls(url: DatabaseUrl) -> dict[str, Any]:
    """PyMySQL's arguments for ``ssl-mode`` (the mysql client's words), ``ssl-ca`` and ``unix-socket``."""
    arguments: dict[str, Any] = {}
    if socket := url.options.get("unix-socket"):
        arguments["unix_socket"] = socket
    ca, mode = url.options.get("ssl-ca"), url.options.get("ssl-mode", "").upper()
    if mode == "DISABLED":
        arguments["ssl_disabled"] = True
    elif mode == "REQUIRED" and not ca:
        arguments["ssl"] = {"verify_mode": "none", "check_hostname": False}
    elif ca or mode.startswith("VERIFY"):
        arguments |= {"ssl_ca": ca, "ssl_verify_cert": True, "ssl_verify_identity": mode == "VERIFY_IDENTITY"}
    return arguments
