"""DuckDB's rules: what a cast makes of a text in a column of each type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from splitjoin_cli.stores.loaders.exact.base import BATCH, ColumnRule, Doubt, ExactValues, TypeRule, pairs
from splitjoin_cli.stores.loaders.exact.equality import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.stores.loaders.session import Columns, TableColumn

__all__ = ["TYPES", "DuckdbValues"]

_MANUAL = "https://duckdb.org/docs/stable/sql/data_types/"
_NUMERIC, _TIMES = f"{_MANUAL}numeric", f"{_MANUAL}timestamp"
_INTEGER = TypeRule(Kind.NUMBER, _NUMERIC, "regexp_full_match({text}, '[+-]?[0-9]+')")
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = _DAY + "([ T][0-9]{2}:[0-9]{2}:[0-9]{2}{fraction})?"
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_UUID = f"{_NUMERIC}#universally-unique-identifiers-uuids"


def _matching(kind: Kind, source: str, pattern: str) -> TypeRule:
    return TypeRule(kind, source, f"regexp_full_match({{text}}, '{pattern}')")


TYPES: Mapping[str, TypeRule] = {
    "VARCHAR": TypeRule(None, f"{_MANUAL}text"),
    "BLOB": TypeRule(None, f"{_MANUAL}blob", spelled=Kind.BLOB),
    "BIT": TypeRule(None, f"{_MANUAL}bitstring", spelled=Kind.BITS),
    "UUID": TypeRule(None, _UUID, spelled=Kind.HEXADECIMAL),
    "JSON": TypeRule(None, "https://duckdb.org/docs/stable/data/json/json_type"),
    "ENUM": TypeRule(None, f"{_MANUAL}enum"),
    **dict.fromkeys(_INTEGERS, _INTEGER),
    **{f"U{name}": _INTEGER for name in _INTEGERS},
    "BIGNUM": _INTEGER,
    "DECIMAL": _matching(Kind.NUMBER, _NUMERIC, "[+-]?[0-9]+([.][0-9]{0,{scale}})?"),
    # 6 and 15 digits and no exponent: FLT_DIG and DBL_DIG of them are kept
    "FLOAT": TypeRule(
        Kind.SINGLE, _NUMERIC, "(length({text}) <= 6 AND NOT contains(lower({text}), 'e'))", "CAST({value} AS DOUBLE)"
    ),
    "DOUBLE": TypeRule(Kind.DOUBLE, _NUMERIC, "(length({text}) <= 15 AND NOT contains(lower({text}), 'e'))"),
    "BOOLEAN": TypeRule(Kind.BOOLEAN, f"{_MANUAL}boolean", "lower({text}) IN ('true', 'false')"),
    "DATE": _matching(Kind.DATE, f"{_MANUAL}date", _DAY),
    "TIME": _matching(Kind.TIME, f"{_MANUAL}time", "[0-9]{2}:[0-9]{2}:[0-9]{2}{fraction}"),
    "TIME_NS": _matching(Kind.TIME, f"{_MANUAL}time", "[0-9]{2}:[0-9]{2}:[0-9]{2}{fraction}"),
    "TIME WITH TIME ZONE": TypeRule(Kind.TIME_WITH_OFFSET, f"{_MANUAL}time", "1 = 0"),
    "TIMESTAMP": _matching(Kind.DATETIME, _TIMES, _MOMENT),
    "TIMESTAMP_S": _matching(Kind.DATETIME, _TIMES, _MOMENT),
    "TIMESTAMP_MS": _matching(Kind.DATETIME, _TIMES, _MOMENT),
    "TIMESTAMP_NS": _matching(Kind.DATETIME, _TIMES, _MOMENT),
    # a time without an offset is compared with what the session's zone makes of it: summer time leaves an hour out
    "TIMESTAMP WITH TIME ZONE": TypeRule(
        Kind.INSTANT,
        _TIMES,
        f"CASE WHEN regexp_full_match({{text}}, '{_MOMENT}')"
        " THEN CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP) = TRY_CAST({text} AS TIMESTAMP)"
        f" ELSE regexp_full_match({{text}}, '{_MOMENT}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)') END",
    ),
    "INTERVAL": TypeRule(Kind.SPAN, f"{_MANUAL}interval", "NOT contains({text}, '.')"),
}
"""By the type's name without what is in parentheses; ``{scale}`` and ``{fraction}`` are the column's own."""
_FRACTIONS = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9, "TIME_NS": 9}
_LIST = re.compile(r"(?:\[\d*\])+$")
_PLAIN_LIST = "NOT regexp_matches({text}, '[''\"]')"
"""Of texts: quotes that are doubled, or stand within (``['it''s', a "b" c]``), are left out of them without a word."""
_SCALE = re.compile(r"\(\d+,(\d+)\)$")


class DuckdbValues(ExactValues):
    """See ExactValues. What a value becomes is told by a cast; where none is possible, the load itself says so."""

    staging: ClassVar[str] = "temp.splitjoin_values"
    first_key: ClassVar[str] = "-1"

    def rules(self, columns: Columns) -> tuple[ColumnRule, ...]:
        """See ExactValues."""
        return tuple(map(_rule, columns))

    def make(self, rules: Sequence[ColumnRule]) -> None:
        """See ExactValues."""
        texts = ", ".join(f"{self._quoted(rule.column.name)} VARCHAR" for rule in rules)
        self._session.run(f"CREATE OR REPLACE TEMPORARY TABLE splitjoin_values ({texts})")

    def batch(self, rules: Sequence[ColumnRule], last: str) -> list[Doubt]:
        """See ExactValues."""
        told = []
        for rule in rules:
            text = self.text_of(rule)
            told += [text, self.shown_of(rule, f"TRY_CAST({text} AS {rule.column.type})")]
        found = self._session.rows(
            f"SELECT s.rowid, {', '.join(told)} FROM {self.staging} s"
            f" WHERE s.rowid > {last} AND {self.unsure(rules)} ORDER BY s.rowid LIMIT {BATCH}"
        )
        return [Doubt(str(row[0]), pairs(row[1:])) for row in found]

    def number(self, key: str) -> int:
        """See ExactValues: rows of a transaction that is not over count from a large number."""
        return int(self._session.rows(f"SELECT COUNT(*) FROM {self.staging} s WHERE s.rowid <= {key}")[0][0])

    def _converted(self, rule: ColumnRule, texts: Sequence[str]) -> list[str | None]:
        """See ExactValues."""
        return self._told(self.shown_of(rule, f"TRY_CAST(? AS {rule.column.type})"), texts)

    def undo(self) -> None:
        """See ExactValues: after an error nothing but the whole transaction can be undone."""
        self._session.rollback()
        self._session.begin()


def _rule(column: TableColumn) -> ColumnRule:
    element = _LIST.sub("", column.type)
    name = element.partition("(")[0]
    rule = TYPES.get(name)
    value = f"CAST({{text}} AS {column.type})"
    if rule is None:
        return ColumnRule(column, column.type, None, value, is_checked=False)
    scale = _SCALE.search(element)
    most = _FRACTIONS.get(name, 6)
    fraction = f"([.][0-9]{{1,{most}}})?" if most else ""
    sure = rule.sure.replace("{fraction}", fraction).replace("{scale}", scale[1] if scale else "0")
    is_list = element != column.type
    kind = rule.kind
    if is_list:
        sure = "1 = 0"
        if name == "VARCHAR":
            kind, sure = Kind.TEXT, _PLAIN_LIST
    shown = f"CAST({'{value}' if is_list else rule.shown} AS VARCHAR)"
    return ColumnRule(column, column.type, kind, value, sure, shown, is_list=is_list, spelled=rule.spelled)
