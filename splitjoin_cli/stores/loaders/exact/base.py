"""What an engine adds so that values are loaded exactly: rules for its types, and the SQL around texts on their way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.stores.loaders.exact.equality import Kind
    from splitjoin_cli.stores.loaders.session import Columns, Session, TableColumn

__all__ = ["BATCH", "ColumnRule", "Doubt", "ExactValues", "TypeRule", "pairs"]

BATCH = 500
"""So many records are compared here at once: of those alone that the database itself does not know to be the same."""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """The rule of some declared types.

    ``kind``: what must be the same; None where the database keeps each value that it takes, or refuses it. ``source``:
    where its manual says what the type does. ``sure``: SQL that is true of ``{text}`` where nothing can be lost; it
    MUST NOT be true of any other, and may be false of many that are kept. ``shown``: SQL that tells ``{value}``, of
    the type, as text. ``spelled``: where ``kind`` is None, what two spellings of one value have in common; None: each
    character.
    """

    kind: Kind | None
    source: str
    sure: str = ""
    shown: str = "{value}"
    spelled: Kind | None = None


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """The rule of a column. ``declared``: its type as messages call it. ``is_checked``: False where no rule is known.

    ``value``: SQL that makes a value of the column of ``{text}``. ``sure``, ``shown``, ``spelled``: as TypeRule has
    them, with what the column declares. ``is_list``: its values are lists of what the rule is for.
    """

    column: TableColumn
    declared: str
    kind: Kind | None
    value: str = "{text}"
    sure: str = "1 = 0"
    shown: str = "{value}"
    is_list: bool = False
    is_checked: bool = True
    spelled: Kind | None = None
    typed: str = ""
    """How a temporary table declares a column of the same type, where values are told by one; and the type in which the
    values themselves are staged, where nothing of them is compared (MySQL, PostgreSQL)."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record with a value that may have been changed. ``key``: of the record among the staged ones, as SQL.

    ``values``: for each rule that has a kind the text, and what the column makes of it; None is NULL.
    """

    key: str
    values: tuple[tuple[str | None, str | None], ...]


class ExactValues(ABC):
    """Texts of one chunk on their way into typed columns, in the session's transaction.

    ``staging``: the table of texts, as SQL; its columns are called as those of the table.
    """

    staging: ClassVar[str]
    key: ClassVar[str] = ""
    """Its column that orders them, where a scan does not."""
    first_key: ClassVar[str] = "0"
    """Less than the first record's."""
    overriding: ClassVar[str] = ""

    def __init__(self, session: Session, table: str, quoted: Callable[[str], str]) -> None:
        """``table``: the target, as SQL. ``quoted``: how the database writes an identifier."""
        self._session = session
        self._table = table
        self._quoted = quoted

    @abstractmethod
    def rules(self, columns: Columns) -> tuple[ColumnRule, ...]:
        """The rule for each of the target's columns."""

    @abstractmethod
    def make(self, rules: Sequence[ColumnRule]) -> None:
        """Make the table of texts, empty."""

    @abstractmethod
    def batch(self, rules: Sequence[ColumnRule], last: str) -> list[Doubt]:
        """The first BATCH records behind ``last`` that no rule's ``sure`` clears, in order."""

    def doubts(self, rules: Sequence[ColumnRule]) -> Iterator[Doubt]:
        """All such records, in order."""
        last = self.first_key
        while True:
            found = self.batch(rules, last)
            yield from found
            if len(found) < BATCH:
                return
            last = found[-1].key

    def number(self, key: str) -> int:
        """The number of the record, from 1."""
        return int(key)

    def save(self) -> None:  # noqa: B027 -- two engines undo a failed statement by themselves
        """Mark the place that ``undo`` goes back to."""

    def undo(self) -> None:  # noqa: B027 -- the same
        """Undo a statement that failed, so that the transaction can be used."""

    def insert(self, rules: Sequence[ColumnRule], run_column: str | None, run_id: str) -> int:
        """Put the texts into the target, in their order; return the number of rows."""
        names = [self._quoted(rule.column.name) for rule in rules]
        values = [self.value_of(rule) for rule in rules]
        if run_column is not None:
            names.append(self._quoted(run_column))
            values.append(self.run_value(run_id))
        order = f" ORDER BY s.{self.key}" if self.key else ""
        into = f"INSERT INTO {self._table} ({', '.join(names)}) {self.overriding}"
        return self._session.run(f"{into}SELECT {', '.join(values)} FROM {self.staging} s{order}")

    def converted(self, rule: ColumnRule, texts: Sequence[str]) -> list[str | None]:
        """What a column would make of texts, as a query tells it, and writes nothing; None: nothing, or not known."""
        found: list[str | None] = []
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            found += self._converted(rule, some)
        return found

    def _converted(self, rule: ColumnRule, texts: Sequence[str]) -> list[str | None]:
        """The same of BATCH texts at most."""
        del rule
        return [None] * len(texts)

    def _told(self, value: str, texts: Sequence[str]) -> list[str | None]:
        """Ask for ``value`` of each text: SQL with one ``?``."""
        asked = " UNION ALL ".join(f"SELECT {place}, {value}" for place in range(len(texts)))
        told = {int(row[0]): row[1] for row in self._session.rows(asked, texts)}
        return [None if told[place] is None else str(told[place]) for place in range(len(texts))]

    def drop(self) -> None:
        """Remove the table of texts."""
        self._session.run(f"DROP TABLE {self.staging}")

    def run_value(self, run_id: str) -> str:
        """The run, as SQL."""
        return "'" + run_id.replace("'", "''") + "'"

    def text_of(self, rule: ColumnRule) -> str:
        """A column of the table of texts, as SQL."""
        return f"s.{self._quoted(rule.column.name)}"

    def value_of(self, rule: ColumnRule) -> str:
        """What becomes of it, as SQL."""
        return _filled(rule.value, "{text}", self.text_of(rule))

    def shown_of(self, rule: ColumnRule, value: str) -> str:
        """How that is told, as SQL."""
        return _filled(rule.shown, "{value}", value)

    def told_of(self, rule: ColumnRule, value: str) -> str:
        """The same, as a text for whoever reads it, as SQL."""
        return self.shown_of(rule, value)

    def copied_of(self, rule: ColumnRule, value: str) -> str:
        """How a column's values are asked for where a database tells them as texts by itself, as SQL."""
        return self.told_of(rule, value)

    def unsure(self, rules: Sequence[ColumnRule], alias: str = "s.") -> str:
        """The condition that a record has a value that may be changed, as SQL."""
        parts = []
        for rule in rules:
            text = alias + self._quoted(rule.column.name)
            # not NOT: in the WHERE of COPY, PostgreSQL 16 turns operators round, and then does not find them
            parts.append(f"({text} IS NOT NULL AND ({_filled(rule.sure, '{text}', text)}) IS NOT TRUE)")
        return "(" + " OR ".join(parts) + ")"


def _filled(sql: str, mark: str, part: str) -> str:
    """``sql`` with ``part`` for ``mark``: types and names may hold braces."""
    return sql.replace(mark, part)


def pairs(values: Sequence[Any]) -> tuple[tuple[str | None, str | None], ...]:
    """Texts and what they become, one after the other in a row; a float in the fewest digits that mean it."""
    told = [None if value is None else str(value) for value in values]
    return tuple(zip(told[::2], told[1::2], strict=True))
