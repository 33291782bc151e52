"""What loaders need of a connection, in the ledger's terms: bound values, one transaction at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["QUESTION_MARK", "AgainError", "Columns", "Session", "TableColumn", "pyformat"]

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
