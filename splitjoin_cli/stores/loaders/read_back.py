"""Reads a table's values back, with what the ledger says is in it: one moment of both. Writes nothing."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import closing, contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Protocol

from splitjoin_cli.core.errors import LoadError
from splitjoin_cli.stores.loaders.base import LEDGER
from splitjoin_cli.stores.loaders.body import body_texts, is_plain_dialect
from splitjoin_cli.stores.loaders.exact.loading import ExactEngine
from splitjoin_cli.stores.loaders.fields import records
from splitjoin_cli.stores.loaders.header import chunk_records, column_names, header_names
from splitjoin_cli.stores.loaders.record_text import RecordText
from splitjoin_cli.stores.loaders.widths import check_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from splitjoin_cli.stores.loaders.base import ChunkToLoad
    from splitjoin_cli.stores.loaders.exact.base import ColumnRule, ExactValues
    from splitjoin_cli.stores.loaders.grammar import NullRule
    from splitjoin_cli.stores.loaders.session import Columns, Session

__all__ = ["ReadBackEngine", "RowSink", "TableValues", "ValueReader"]

HELD_ROWS = 1000
"""Records that are given at once where they are read field by field."""


class ValueReader(Protocol):
    """Reads a table back, and changes nothing there; see TableValues for what it gives."""

    def read_values(self, file_name: str, run_id: str) -> AbstractContextManager[TableValues]:
        """The table and the ledger's numbers of a run as they are at one moment, until the block is left.

        MUST NOT write: no table is made, temporary or not. Raises LoadError where the database cannot be reached, has
        no such table, or the table no such run column.
        """


class RowSink(Protocol):
    """Takes the rows of one side, in pieces."""

    @property
    def takes_text(self) -> bool:
        """Whether records may be given as text."""

    def text(self, data: bytes, rules: RecordText, *, is_last: bool) -> tuple[int, int, bool]:
        """Take whole records from the beginning of ``data``: their bytes, their number, and whether to go on.

        If not, the next record MUST be given field by field. ``is_last``: no more text comes.
        """

    def rows(self, rows: Sequence[Sequence[str | None]]) -> None:
        """Take rows of texts; None is NULL."""

    def copied(self, data: bytes) -> None:
        """Take whole rows as PostgreSQL's COPY writes them, where text may be given."""

    def values(self, rows: list[tuple[Any, ...]], session: Session) -> None:
        """Take rows of a driver's values, which ``session`` can tell as texts."""


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

    def read_records(self, chunk: ChunkToLoad, sink: RowSink) -> None:
        """Give the chunk's records as the loader takes them: what is NULL is None. Raises BadRowError."""
        with self._engine._naming(chunk):  # noqa: SLF001 -- the engine's own reader
            if sink.takes_text and is_plain_dialect(chunk.dialect):
                self._read_text(chunk, sink)
                return
            found = chunk_records(chunk, self._engine.field_rule, most_bytes=self._most_bytes)
            self._give(found, 0, self._bare(chunk), sink)

    def _bare(self, chunk: ChunkToLoad) -> tuple[int, ...]:
        """The columns in which an empty field is NULL, in quotes or not."""
        if chunk.dialect.nulls is not None:
            return ()
        return tuple(place for place, column in enumerate(self._columns) if not column.text)

    def _read_text(self, chunk: ChunkToLoad, sink: RowSink) -> None:
        rules = RecordText(chunk.dialect, self._engine.field_rule, self._bare(chunk), self._most_bytes)
        pending, number = b"", 0
        with closing(body_texts(chunk)) as texts:
            more: list[bytes] = []
            coming = 0
            for text in chain(texts, (None,)):
                more.append((text or "").encode())
                coming += len(more[-1])
                if text is not None and coming < len(pending):
                    continue  # at least double what is pending, so that a long record takes linear time
                pending += b"".join(more)
                more, coming = [], 0
                taken, count, goes_on = sink.text(pending, rules, is_last=text is None)
                pending, number = pending[taken:], number + count
                if not goes_on:
                    rest = chain((pending.decode(),), texts)
                    found = records(rest, chunk.dialect, self._engine.field_rule, most_bytes=self._most_bytes)
                    self._give(found, number, rules.empty_nulls, sink)
                    return

    def _give(self, rows: Iterable[list[str | None]], number: int, bare: Iterable[int], sink: RowSink) -> None:
        """Give records behind the first ``number``. Raises BadRecordError at the first that has not all fields."""
        width, held = len(self._columns), []
        for row in rows:
            number += 1
            check_width(number, len(row), width)
            for place in bare:
                if not row[place]:
                    row[place] = None
            held.append(row)
            if len(held) == HELD_ROWS:
                sink.rows(held)
                held = []
        sink.rows(held)

    def read_rows(self, sink: RowSink) -> None:
        """Give the table's rows, of the run where a run column is named, else all; few are held at once."""
        exact = self._exact
        if exact is None:
            return
        copied = self._session.copied(*self._query(exact.copied_of)) if sink.takes_text else None
        if copied is not None:
            with closing(copied):
                for block in copied:
                    sink.copied(block)
            return
        with closing(self._session.batches(*self._query(exact.told_of))) as batches:
            for rows in batches:
                sink.values(rows, self._session)

    def _query(self, told: Callable[[ColumnRule, str], str]) -> tuple[str, tuple[str, ...]]:
        """What gives the rows, and its values."""
        engine = self._engine
        columns = ", ".join(told(rule, engine._quoted(rule.column.name)) for rule in self.rules)  # noqa: SLF001 -- the engine's own reader
        sql = f"SELECT {columns} FROM {engine._table}"  # noqa: SLF001 -- the same
        if self._run_column is None:
            return sql, ()
        return engine._as_parameterised(f"{sql} WHERE {engine._quoted(self._run_column)} = ") + "?", (self._run_id,)  # noqa: SLF001 -- the same

    def converted(self, place: int, texts: Sequence[str]) -> list[str | None]:
        """What a column would make of texts, as it is told; None: nothing. Not while rows are read."""
        if self._exact is None:
            return [None] * len(texts)
        return self._exact.converted(self.rules[place], texts)
