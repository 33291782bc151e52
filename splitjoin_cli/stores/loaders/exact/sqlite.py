"""SQLite's rules: what a column's affinity makes of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from splitjoin_cli.stores.loaders.exact.base import BATCH, ColumnRule, Doubt, ExactValues, TypeRule, pairs
from splitjoin_cli.stores.loaders.exact.equality import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.stores.loaders.session import Columns, TableColumn

__all__ = ["TYPES", "SqliteValues", "affinity"]

_AFFINITY = "https://www.sqlite.org/datatype3.html#type_affinity"
_STRICT = "https://www.sqlite.org/stricttables.html"
_TYPED = "temp.splitjoin_typed"
_NO_EXPONENT = "instr({text}, 'e') = 0 AND instr({text}, 'E') = 0"
_SHORT = f"(length({{text}}) <= 15 AND {_NO_EXPONENT})"
"""No number, which stays text, or at most 15 digits and no exponent: a float holds them (section 3.1 of that page)."""
_WORD = (
    "({text} GLOB '[A-Za-z]*' OR CAST(CAST({text} AS INTEGER) AS TEXT) = {text}"
    f" OR ({{text}} GLOB '[0-9]*[-/:][0-9]*' AND {_NO_EXPONENT}))"
)
"""What begins with a letter, and what is like a date, is no number; what is the same after its conversion is kept."""
TYPES: Mapping[str, TypeRule] = {
    "TEXT": TypeRule(None, _AFFINITY),
    "BLOB": TypeRule(None, _AFFINITY),
    "INTEGER": TypeRule(Kind.NUMBER, _AFFINITY, _SHORT),
    "REAL": TypeRule(Kind.NUMBER, _AFFINITY, _SHORT),
    "NUMERIC": TypeRule(Kind.NUMBER, _AFFINITY, _SHORT),
    "NUMERIC by default": TypeRule(Kind.TEXT, _AFFINITY, _WORD),
    "ANY in a STRICT table": TypeRule(None, _STRICT),
}
"""By affinity; a name such as STRING or DATETIME means none, and what it is given is text to its user."""
_NUMBERS = ("NUMERIC", "DECIMAL", "NUMBER", "MONEY", "BOOL")


def affinity(declared: str) -> str:
    """The key of TYPES for a declared type: section 3.1 of datatype3.html, rule by rule."""
    upper = declared.upper()
    if "INT" in upper:
        return "INTEGER"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not upper or "BLOB" in upper:
        return "BLOB"
    if any(word in upper for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC" if any(word in upper for word in _NUMBERS) else "NUMERIC by default"


class SqliteValues(ExactValues):
    """See ExactValues. What a value becomes is seen in a table whose columns have the same affinities."""

    staging: ClassVar[str] = '"temp"."splitjoin_values"'
    key: ClassVar[str] = "rowid"

    def rules(self, columns: Columns) -> tuple[ColumnRule, ...]:
        """See ExactValues."""
        strict = self._is_strict()
        return tuple(self._rule(column, strict=strict) for column in columns)

    def _rule(self, column: TableColumn, *, strict: bool) -> ColumnRule:
        found = affinity(column.type)
        if strict and column.type.upper() == "ANY":
            found = "ANY in a STRICT table"
        rule = TYPES[found]
        return ColumnRule(column, column.type, rule.kind, sure=rule.sure, typed=found.partition(" ")[0])

    def _is_strict(self) -> bool:
        """Whether the table is STRICT, by its own SQL: the pragma that says it is younger than STRICT may be old."""
        sql = f"SELECT sql FROM {self._schema()}.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
        found = self._session.rows(sql, (self._name(),))
        sql = str(found[0][0] or "") if found else ""
        return "STRICT" in sql.rpartition(")")[2].upper()

    def _schema(self) -> str:
        parts = _parts(self._table)
        return '"' + (parts[0].replace('"', '""') if len(parts) > 1 else "main") + '"'

    def _name(self) -> str:
        return _parts(self._table)[-1]

    def make(self, rules: Sequence[ColumnRule]) -> None:
        """See ExactValues."""
        texts = ", ".join(f"{self._quoted(rule.column.name)} TEXT" for rule in rules)
        checked = [rule for rule in rules if rule.kind]
        typed = ", ".join(f"c{place} {rule.typed}" for place, rule in enumerate(checked))
        for name, columns in ((self.staging, texts), (_TYPED, f"n INTEGER PRIMARY KEY, {typed}")):
            self._session.run(f"DROP TABLE IF EXISTS {name}")
            self._session.run(f"CREATE TABLE {name} ({columns})")

    def batch(self, rules: Sequence[ColumnRule], last: str) -> list[Doubt]:
        """See ExactValues."""
        texts = [self.text_of(rule) for rule in rules]
        self._session.run(f"DELETE FROM {_TYPED}")
        self._session.run(
            f"INSERT INTO {_TYPED} SELECT s.rowid, {', '.join(texts)} FROM {self.staging} s"
            f" WHERE s.rowid > {last} AND {self.unsure(rules)} ORDER BY s.rowid LIMIT {BATCH}"
        )
        told = [f"{text}, t.c{place}" for place, text in enumerate(texts)]
        found = self._session.rows(
            f"SELECT t.n, {', '.join(told)} FROM {_TYPED} t JOIN {self.staging} s ON s.rowid = t.n ORDER BY t.n"
        )
        return [Doubt(str(row[0]), pairs(row[1:])) for row in found]

    def drop(self) -> None:
        """See ExactValues."""
        super().drop()
        self._session.run(f"DROP TABLE {_TYPED}")


def _parts(table: str) -> list[str]:
    """The names in ``"schema"."name"``."""
    return [part.replace('""', '"') for part in table[1:-1].split('"."')]
