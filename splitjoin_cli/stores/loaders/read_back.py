"""Reads a table's values back as texts, with what the ledger says is in it: one moment of both. Writes nothing."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar, Protocol

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.stores.loaders.base import LEDGER
from splitjoin_cli.stores.loaders.exact.loading import ExactEngine
from splitjoin_cli.stores.loaders.header import chunk_records, column_names, header_names
from splitjoin_cli.stores.loaders.widths import checked_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.exact.base import ColumnRule, ExactValues
    from splitjoin_cli.stores.loaders.grammar import NullRule
    from splitjoin_cli.stores.loaders.session import Columns, Session

__all__ = ["ReadBackEngine", "TableValues", "ValueReader"]


class ValueReader(Protocol):
    """Reads a table back, and changes nothing there; see TableValues for what it gives."""

    def read_values(self, file_name: str, run_id: str) -> AbstractContextManager[TableValues]:
        """The table and the ledger's numbers of a run as they are at one moment, until the block is left.

        MUST NOT write: no table is made, temporary or not. Raises LoadError where the database cannot be reached, has
        no such table, or the table no such run column.
        """


class ReadBackEngine(ExactEngine):
    """What engines share that read a table back."""

    field_rule: ClassVar[NullRule] = "never"
    """Which unquoted fields the engine takes for NULL where the dialect names none."""

    @abstractmethod
    def _primary_key(self, session: Session) -> list[str]:
        """The columns of the table's primary key, in its order; none without one."""

    def _tell_plainly(self, session: Session) -> None:
        """Set, for this session alone, how values are told as text."""

    @contextmanager
    def read_values(self, file_name: str, run_id: str) -> Iterator[TableValues]:
        """See ValueReader. A connection of its own: one that may not write where the engine knows such."""
        session: Session | None = None
        try:
            session = self._connect_to_read()
            if session is None:
                raise LoadError(f"{self._properties.uri} is not there", hint="name the database that was loaded")
            self._tell_plainly(session)
            session.begin_reading()
            yield TableValues(self, session, file_name, run_id)
        except self.driver_errors as exc:
            raise self._translated(exc) from exc
        finally:
            if session is not None:
                with suppress(*self.driver_errors):
                    session.close()


class TableValues:
    """One run's rows of a table, at one moment, and the records that they came from. Not thread-safe."""

    def __init__(self, engine: ReadBackEngine, session: Session, file_name: str, run_id: str) -> None:
        """``session``: in a transaction that only reads, and sees one moment."""
        self._engine, self._session, self._run_id = engine, session, run_id
        sql = f"SELECT number FROM {LEDGER} WHERE file_name = ? AND run_id = ? ORDER BY number"
        self.numbers = [int(row[0]) for row in session.rows(sql, (file_name, run_id))]
        """The chunks that the ledger says are loaded, ascending."""
        target = engine._target  # noqa: SLF001 -- the engine's own reader
        self._most_bytes, self._run_column = target.max_record_bytes, target.run_column
        table = engine._table_columns(session)  # noqa: SLF001 -- the same
        if not table:
            raise LoadError(f"the table {target.table} does not exist in {engine.properties.uri}")
        self._fillable = tuple(column for column in table if column.name != self._run_column)
        if self._run_column and len(self._fillable) == len(table):
            raise engine._no_run_column()  # noqa: SLF001 -- the same
        self._columns: Columns = ()
        self._exact: ExactValues | None = None
        self.rules: tuple[ColumnRule, ...] = ()
        """The rule for each of the chunks' columns, in their order; see ``begin``."""

    def begin(self, chunk: ChunkToLoad) -> None:
        """Take the columns that the first chunk names. Raises BadRowError for one that the table has not."""
        engine = self._engine
        with engine._naming(chunk):  # noqa: SLF001 -- the engine's own reader
            header = header_names(chunk, self._most_bytes)
            self._columns = (
                self._fillable if header is None else engine._mapped(column_names(header), self._fillable)  # noqa: SLF001 -- the same
            )
        self._exact = engine._exact_values(self._session)  # noqa: SLF001 -- the same
        self.rules = self._exact.rules(self._columns)

    def primary_key(self) -> list[str]:
        """The columns of the table's primary key; none without one."""
        return self._engine._primary_key(self._session)  # noqa: SLF001 -- the engine's own reader

    def records(self, chunk: ChunkToLoad) -> Iterator[Sequence[str | None]]:
        """The chunk's records as the loader takes them: what is NULL is None. Raises BadRowError."""
        width = len(self._columns)
        bare = [place for place, column in enumerate(self._columns) if not column.text]
        if chunk.dialect.nulls is not None:
            bare = []
        with self._engine._naming(chunk):  # noqa: SLF001 -- the engine's own reader
            found = chunk_records(chunk, self._engine.field_rule, most_bytes=self._most_bytes)
            for row in checked_rows(found, width):
                for place in bare:
                    if not row[place]:
                        row[place] = None
                yield row

    def rows(self) -> Iterator[Sequence[str | None]]:
        """The table's rows as texts, of the run where a run column is named, else all; never held together."""
        engine, exact = self._engine, self._exact
        if exact is None:
            return
        told = ", ".join(
            exact.told_of(rule, engine._quoted(rule.column.name))  # noqa: SLF001 -- the same
            for rule in self.rules
        )
        sql = f"SELECT {told} FROM {engine._table}"  # noqa: SLF001 -- the same
        if self._run_column is None:
            yield from self._session.texts(sql)
            return
        sql = engine._as_parameterised(f"{sql} WHERE {engine._quoted(self._run_column)} = ") + "?"  # noqa: SLF001 -- the same
        yield from self._session.texts(sql, (self._run_id,))
