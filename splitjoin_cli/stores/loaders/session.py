"""What loaders need of a connection, in the ledger's terms: bound values, one transaction at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from splitjoin_cli.core.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["FETCHED_ROWS", "QUESTION_MARK", "AgainError", "Columns", "Session", "TableColumn", "pyformat", "told"]

FETCHED_ROWS = 1000
"""Rows of a query that are held at once where they are given as they come."""
QUESTION_MARK = "\x00"
"""Stands for ``?`` in identifiers until ``pyformat``; no identifier holds it."""


class AgainError(LoadError):
    """The engine undid the transaction to resolve a deadlock or a conflict: the same may succeed at once."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the table: its ``type`` as the engine spells it, whether it holds ``text``, its ``default``.

    ``not_null``: where the engine needs to know that the column takes no NULL.
    """

    name: str
    type: str
    text: bool
    default: str | None = None
    not_null: bool = False


Columns = tuple[TableColumn, ...]
"""The table's columns in the order of the chunk's fields."""


class Session(ABC):
    """One connection. ``?`` in SQL stands for a value; a literal one is never written."""

    @abstractmethod
    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement; return the rows it touched."""

    @abstractmethod
    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query."""

    @abstractmethod
    def batches(self, sql: str, values: Sequence[object] = ()) -> Generator[list[tuple[Any, ...]], None, None]:
        """Run a query, and give its rows as they come, some at a time: few are held at once.

        Nothing else MUST be run until the last one came. One that is left before that may end the connection.
        """

    def copied(self, sql: str, values: Sequence[object] = ()) -> Generator[bytes, None, None] | None:
        """The rows of a query as PostgreSQL's COPY writes them, whole ones in each block; None: nothing does that here.

        As for ``batches``.
        """
        del sql, values
        return None

    bytes_are_text: ClassVar[bool] = True
    """Whether bytes in a query's row are told as the text that they are in UTF-8."""

    @staticmethod
    def told(value: object) -> str | None:
        """A value of a query's row as text."""
        return told(value)

    def insert_absent(self, sql: str, values: Sequence[object]) -> bool:
        """Insert one row. False where its key is there; waits for a transaction that is about to put it there."""
        return self.run(f"{sql} ON CONFLICT DO NOTHING", values) == 1

    def is_alive(self) -> bool:
        """Whether a connection that lay idle can still be used."""
        return True

    def begin(self) -> None:
        """Begin the transaction."""
        self.run("BEGIN")

    def begin_reading(self) -> None:
        """Begin a transaction that only reads, and sees one moment."""
        self.begin()

    def commit(self) -> None:
        """Make it stand."""
        self.run("COMMIT")

    def rollback(self) -> None:
        """Undo it."""
        self.run("ROLLBACK")

    @abstractmethod
    def close(self) -> None:
        """End the connection, and what was not committed with it."""


def pyformat(sql: str) -> str:
    """``sql`` for drivers whose values are ``%s``."""
    return sql.replace("?", "%s").replace(QUESTION_MARK, "?")


def told(value: object) -> str | None:
    """A value of a driver as text; bytes as the text that they are in UTF-8."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
