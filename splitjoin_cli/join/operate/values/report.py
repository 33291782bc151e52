"""What a comparison of a table's rows with the records that they came from found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ChangedRow", "ChangedValue", "FoundRow", "Values"]


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of one side alone. ``number``: its chunk's; None where it is of none. ``row``: its texts by column."""

    number: int | None
    row: dict[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {"number": self.number, "row": self.row}


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """A column's text in the file, and in the table; None is NULL."""

    column: str
    file: str | None
    table: str | None


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row of both sides that has other values in the table. ``key``: its key's texts by column."""

    number: int
    key: dict[str, str | None]
    values: tuple[ChangedValue, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        values = [{"column": one.column, "file": one.file, "table": one.table} for one in self.values]
        return {"number": self.number, "key": self.key, "values": values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a comparison found. Texts are shortened, and control characters escaped.

    ``compared_parts``: chunks; ``rows``, ``table_rows``: records in them, and rows in the table. ``chunks``: the
    numbers of those that differ. ``missing``, ``extra``, ``changed``: the first few, and how many there are.
    ``complete``: False where more differs than was looked at, and the numbers are the least. ``not_compared``: columns
    of types without a rule.
    """

    compared_parts: int = 0
    rows: int
    table_rows: int
    key: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    chunks: tuple[int, ...] = ()
    missing: tuple[FoundRow, ...] = ()
    extra: tuple[FoundRow, ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    missing_rows: int = 0
    extra_rows: int = 0
    changed_rows: int = 0
    complete: bool = True

    @property
    def agree(self) -> bool:
        """Whether the table holds the chunks' rows, and no others."""
        return self.complete and not (self.missing_rows or self.extra_rows or self.changed_rows)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "agree": self.agree,
            "complete": self.complete,
            "compared_parts": self.compared_parts,
            "rows": self.rows,
            "table_rows": self.table_rows,
            "key": list(self.key),
            "not_compared": list(self.not_compared),
            "chunks": list(self.chunks),
            "missing_rows": self.missing_rows,
            "missing": [one.to_json() for one in self.missing],
            "extra_rows": self.extra_rows,
            "extra": [one.to_json() for one in self.extra],
            "changed_rows": self.changed_rows,
            "changed": [one.to_json() for one in self.changed],
        }
