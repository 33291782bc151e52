"""A database as loaders see it: what each engine adds, its connections, its table and columns, its errors as ours."""

from __future__ import annotations

import copy
import math
import threading
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from splitjoin_cli.core.errors import BadRowError, LoadError, NoRunColumnError
from splitjoin_cli.core.shown import shown
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError
from splitjoin_cli.stores.loaders.base import LoaderProperties
from splitjoin_cli.stores.loaders.header import column_names, field_count
from splitjoin_cli.stores.loaders.place import placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.stores.loaders.base import ChunkToLoad, Ledger, LoadTarget
    from splitjoin_cli.stores.loaders.session import Columns, Session, TableColumn

__all__ = ["Engine"]

HINT_BYTES = 1000
MAKE_TABLE = "make the table yourself, with types that fit its columns, or export fewer columns"


class Engine(ABC):
    """Engines differ in the hooks below, and in nothing else."""

    product: ClassVar[str]
    """How messages call the database's kind."""
    null_rule: ClassVar[str]
    reads_s3: ClassVar[bool] = False
    always_creates: ClassVar[bool] = False
    share_lock: ClassVar[str] = ""
    own_lock: ClassVar[str] = ""
    name_type: ClassVar[str] = "VARCHAR(255)"
    text_type: ClassVar[str] = "TEXT"
    table_suffix: ClassVar[str] = ""
    time_type: ClassVar[str] = "TIMESTAMP"
    time_now: ClassVar[str] = "CURRENT_TIMESTAMP"
    time_value: ClassVar[str] = "to_timestamp(?)"
    """A moment for a column of ``time_type``, from seconds since 1970: as ``time_now`` would have been then."""
    time_seconds: ClassVar[str] = "EXTRACT(EPOCH FROM CAST({column} AS TIMESTAMP WITH TIME ZONE))"
    """The same back from a column; on PostgreSQL and DuckDB in a session of the same time zone."""
    driver_errors: ClassVar[tuple[type[Exception], ...]] = ()
    idle_seconds: ClassVar[float] = math.inf
    """How long a connection may lie unused and be asked whether it is alive; an older one is replaced unasked."""

    def __init__(self, uri: str, target: LoadTarget) -> None:
        """``uri``: how messages call the database, without password."""
        self._target = target
        self._properties = LoaderProperties(uri, target.table, self.reads_s3, self.null_rule)
        self._idle: list[tuple[Session, float]] = []
        self._lock = threading.Lock()
        self._keeps = True
        self._prepared = False
        self._known_columns: tuple[object, Sequence[str] | None, Columns] | None = None
        self._begins = False
        self._other_table: str | None = None
        self._only_where: str | None = None

    # What an engine adds.

    @abstractmethod
    def _connect(self) -> Session:
        """A new connection."""

    @abstractmethod
    def _table_columns(self, session: Session) -> Columns:
        """The table's columns that can be filled, in its own order; empty where there is no table.

        Raises LoadError for a table whose engine has no transactions.
        """

    @abstractmethod
    def _copy(self, session: Session, chunk: ChunkToLoad, columns: Columns, *, plain: bool) -> int:
        """Load the rows within the transaction; return their number. Raises BadRowError.

        ``plain``: the engine's own CSV reader may read it; else it goes through ``fields.records``.
        """

    def _knows_nulls(self, nulls: tuple[str, ...] | None) -> bool:
        """Whether the engine's own CSV reader can take these unquoted fields for NULL, and no others (None: its rule).

        Engines that can say so in ``_copy``, where ``plain``.
        """
        return nulls is None

    @abstractmethod
    def _translated(self, error: Exception) -> LoadError:
        """Our error for one of ``driver_errors``."""

    @abstractmethod
    def _means_absent(self, error: Exception) -> bool:
        """Whether one of ``driver_errors`` says that a table is not there."""

    def _connect_to_read(self) -> Session | None:
        """A new connection that makes nothing, not even a file; None where there is none to read."""
        return self._connect()

    def _read_history(self, session: Session, ledger: Ledger, file_name: str) -> Ledger:
        """``ledger`` with what the engine itself notes of loads; most note nothing."""
        del session, file_name
        return ledger

    def _most_columns(self, session: Session) -> int | None:
        """How many columns a table can have; None: more than a header is likely to have."""
        del session
        return None

    def _name_problem(self, name: str) -> str | None:
        """Why no table and no column can have this name; None: they can."""
        return "it holds a NUL byte" if "\0" in name else None

    def _refuses_table(self, error: Exception) -> bool:
        """Whether one of ``driver_errors`` says that no such table can be made, however often it is tried."""
        del error
        return False

    def _create_table(self, session: Session, names: Sequence[str]) -> None:
        """Make the table with text columns, and the run column. Raises BadRowError for columns that it cannot have."""
        self._check_names(session, names)
        columns = [f"{self._quoted(name)} {self.text_type}" for name in names]
        if self._target.run_column:
            columns.append(f"{self._quoted(self._target.run_column)} {self._run_column_type()}")
        sql = f"CREATE TABLE IF NOT EXISTS {self._table} ({', '.join(columns)}){self.table_suffix}"
        try:
            self._run_ddl(session, sql)
        except self.driver_errors as exc:
            if self._refuses_table(exc):
                said = shown(self._translated(exc).reason)
                raise BadRowError(f"its header makes no table: {said}", hint=MAKE_TABLE) from exc
            raise

    def _check_names(self, session: Session, names: Sequence[str]) -> None:
        for part in self._target.table.split("."):
            if problem := self._name_problem(part):
                raise BadRowError(
                    f"{self.product} has no table named '{shown(part)}': {problem}", hint="name another with --table"
                )
        for place, name in enumerate(names, start=1):
            if problem := self._name_problem(name):
                raise BadRowError(
                    f"column {place} of the header, '{shown(name)}', cannot be a column in {self.product}: {problem}",
                    hint="rename the column in the source, and split it again",
                )
        most, count = self._most_columns(session), len(names) + bool(self._target.run_column)
        if most is not None and count > most:
            raise BadRowError(
                f"the header makes a table of {count:,} columns, and {self.product} has at most {most:,}",
                hint="export fewer columns, or load the chunks into another kind of database",
            )

    def _run_column_type(self) -> str:
        return self.name_type

    def _run_ddl(self, session: Session, sql: str) -> None:
        session.run(sql)

    def _quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def _as_parameterised(self, sql: str) -> str:
        """``sql`` with identifiers in it, for a statement that has values too."""
        return sql

    def _check_chunk(self, chunk: ChunkToLoad) -> None:  # noqa: B027 -- most have nothing to check
        """Raise BadRowError for a chunk that this engine can never load."""

    @property
    def properties(self) -> LoaderProperties:
        """See Loader."""
        return self._properties

    def close(self) -> None:
        """See Loader. A load under way ends as it would; its connection is then closed, too."""
        with self._lock:
            idle, self._idle, self._keeps = self._idle, [], False
        for session, _ in idle:
            with suppress(*self.driver_errors):
                session.close()

    # Tables and columns.

    def _schema(self, session: Session) -> object | None:
        """What is another as soon as any table is; None where the engine says nothing of the kind cheaply."""
        del session
        return None

    def _columns_once(self, session: Session, chunk: ChunkToLoad, header: Sequence[str] | None) -> Columns:
        """``_columns``, as it was for the chunk before where nothing has changed since."""
        schema, known = self._schema(session), self._known_columns
        if schema is not None and known is not None and known[:2] == (schema, header):
            return known[2]
        columns = self._columns(session, chunk, header)
        self._known_columns = (schema, header, columns)
        return columns

    @property
    def _table(self) -> str:
        return self._other_table or ".".join(self._quoted(part) for part in self._target.table.split("."))

    def _into(self, table: str, only_where: str | None = None) -> Self:
        """This loader, to copy rows into another table, which has no run column; ``table``: as SQL.

        ``only_where``: the condition of those that are to be kept, for engines that can be told one.
        """
        other = copy.copy(self)
        other._target = replace(self._target, run_column=None)  # noqa: SLF001 -- its own
        other._other_table, other._only_where = table, only_where  # noqa: SLF001 -- the same
        return other

    def _columns(self, session: Session, chunk: ChunkToLoad, header: Sequence[str] | None) -> Columns:
        """The table's columns for the chunk's fields; makes the table where that is asked for."""
        table = self._table_columns(session)
        if not table:
            if not (self._target.create_table or self.always_creates):
                raise LoadError(
                    f"the table {self._target.table} does not exist in {self._properties.uri}",
                    hint="create it, or add --create-table, which creates it with text columns",
                )
            fields = header if header is not None else [""] * (field_count(chunk, self._target.max_record_bytes) or 1)
            self._create_table(session, column_names(fields))
            table = self._table_columns(session)
        run_column = self._target.run_column
        fillable = tuple(column for column in table if column.name != run_column)
        if run_column and len(fillable) == len(table):
            raise self._no_run_column()
        if run_column:
            self._check_run_column(next(column for column in table if column.name == run_column))
        if header is None:
            return fillable
        return self._mapped(column_names(header), fillable)

    def _not_a_table(self, kind: str) -> LoadError:
        return LoadError(
            f"{self._target.table} is a {kind}, and chunks are loaded into tables alone: a failed load might leave rows"
            " there",
            hint="name a table of the database itself with --table",
        )

    def _no_run_column(self) -> LoadError:
        return NoRunColumnError(
            f"table {self._target.table} has no column {self._target.run_column}", hint=self._run_column_hint()
        )

    def _run_column_hint(self) -> str:
        column = f"{self._quoted(self._target.run_column or '')} {self._run_column_type()}"
        return f"ALTER TABLE {self._table} ADD COLUMN {column}"

    def _check_run_column(self, column: TableColumn) -> None:  # noqa: B027 -- the same
        """Raise LoadError where the run column would not be filled."""

    def _mapped(self, names: Sequence[str], table: Columns) -> Columns:
        exact = {column.name: column for column in table}
        folded: dict[str, list[TableColumn]] = {}
        for column in table:
            folded.setdefault(column.name.lower(), []).append(column)
        found, missing = [], []
        for name in names:
            alike = folded.get(name.lower(), [])
            if name in exact:
                found.append(exact[name])
            elif len(alike) == 1:
                found.append(alike[0])
            else:
                missing.append(name)
        if missing:
            listed = shown(", ".join(map(repr, missing)))
            more = f" ({len(missing):,} columns in all)" if listed.count("...") else ""
            there = shown(", ".join(repr(column.name) for column in table), HINT_BYTES)
            raise BadRowError(
                f"table {self._target.table} has no column {listed}{more}, which the header names",
                hint=f"its columns, less those that the database generates, are {there}",
            )
        return tuple(found)

    # Sessions and errors.

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """A connection, kept for the next one after success alone. Driver errors come out as ours."""
        session: Session | None = None
        try:
            session = self._idle_session() or self._connect()
            yield session
        except BaseException as exc:
            if session is not None:
                with suppress(*self.driver_errors):
                    session.close()
            if isinstance(exc, self.driver_errors):
                raise self._translated(exc) from exc
            raise
        with self._lock:
            kept = self._keeps
            if kept:
                self._idle.append((session, time.time()))
        if not kept:
            with suppress(*self.driver_errors):
                session.close()

    def _idle_session(self) -> Session | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                session, since = self._idle.pop()
            # By the wall clock: the monotonic one may stand still while a function's process is frozen. The other end
            # may be gone for long then without a word, and asking would wait for as long as the kernel does.
            if time.time() - since < self.idle_seconds and session.is_alive():
                return session
            with suppress(*self.driver_errors):
                session.close()

    def _where(self, chunk: ChunkToLoad) -> str:
        return f"{chunk.name} into {self._target.table}"

    @contextmanager
    def _naming(self, chunk: ChunkToLoad) -> Iterator[None]:
        """Errors name the chunk and the table."""
        try:
            yield
        except BadRecordError as exc:
            ours: LoadError = placed(chunk, exc, self._target.max_record_bytes)
            raise BadRowError(ours.reason, hint=ours.hint, where=self._where(chunk)) from exc
        except LoadError as exc:
            raise type(exc)(exc.reason, hint=exc.hint, where=self._where(chunk)) from exc
        except self.driver_errors as exc:
            ours = self._translated(exc)
            raise type(ours)(ours.reason, hint=ours.hint, where=self._where(chunk)) from exc
