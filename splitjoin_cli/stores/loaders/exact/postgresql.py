"""PostgreSQL's rules: what COPY makes of a text in a column of each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from splitjoin_cli.stores.loaders.exact.base import BATCH, ColumnRule, Doubt, ExactValues, TypeRule, pairs
from splitjoin_cli.stores.loaders.exact.equality import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.stores.loaders.session import Columns, TableColumn

__all__ = ["TYPES", "PostgresqlValues"]

_MANUAL = "https://www.postgresql.org/docs/current/datatype-"
_TIMES = f"{_MANUAL}datetime.html"
_LONG = 16000
"""A numeric has at most 16383 digits behind its point."""
_KEPT = (
    *("int2", "int4", "int8", "bool", "uuid", "text", "citext", "json", "bytea", "inet", "cidr", "macaddr"),
    *("macaddr8", "bit", "varbit", "refcursor"),
)
_NUMERIC = "(length({text}) < " + str(_LONG) + " AND CAST({text} AS numeric) = CAST({text} AS {declared}))"
_DIGITS = "{text} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}"
TYPES: Mapping[str, TypeRule] = {
    **{name: TypeRule(None, _MANUAL.removesuffix("-") + ".html") for name in _KEPT},
    "numeric": TypeRule(Kind.NUMBER, f"{_MANUAL}numeric.html", _NUMERIC),
    "oid": TypeRule(Kind.NUMBER, f"{_MANUAL}oid.html", "{text} ~ '^[0-9]+$'"),
    # 15 digits and no exponent: FLT_DIG and DBL_DIG of them are kept
    "float8": TypeRule(Kind.NUMBER, f"{_MANUAL}numeric.html", "(length({text}) <= 15 AND {text} !~ '[eExX]')"),
    "float4": TypeRule(Kind.NUMBER, f"{_MANUAL}numeric.html", "(length({text}) <= 6 AND {text} !~ '[eExX]')"),
    "money": TypeRule(
        Kind.MONEY, f"{_MANUAL}money.html", "{text} ~ '^-?[0-9]+([.][0-9]{1,2})?$'", "CAST({value} AS numeric)::text"
    ),
    "varchar": TypeRule(
        Kind.TEXT,
        f"{_MANUAL}character.html",
        "(char_length({text}) <= {length} OR char_length(rtrim({text}, ' ')) > {length})",
    ),
    "bpchar": TypeRule(
        Kind.PADDED,
        f"{_MANUAL}character.html",
        "(char_length({text}) <= {length} OR char_length(rtrim({text}, ' ')) > {length})",
        "rpad(CAST({value} AS text), {length})",
    ),
    "name": TypeRule(Kind.TEXT, f"{_MANUAL}character.html", "octet_length({text}) < 64"),
    "char": TypeRule(Kind.TEXT, f"{_MANUAL}character.html", "octet_length({text}) < 2"),
    "date": TypeRule(Kind.DATE, _TIMES, _DIGITS + "$'"),
    "time": TypeRule(Kind.TIME, _TIMES, "{text} ~ '^[0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?$'"),
    "timetz": TypeRule(
        Kind.TIME_WITH_OFFSET,
        _TIMES,
        "{text} ~ '^[0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?([+-][0-9]{2}(:?[0-9]{2})?)?$'",
    ),
    "timestamp": TypeRule(Kind.DATETIME, _TIMES, _DIGITS + "([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?)?$'"),
    "timestamptz": TypeRule(
        Kind.INSTANT, _TIMES, _DIGITS + "([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$'"
    ),
    "interval": TypeRule(Kind.SPAN, _TIMES, "{text} !~ '[.,]'"),
    "jsonb": TypeRule(Kind.DOCUMENT, f"{_MANUAL}json.html"),
}
"""By the name in pg_type; ``{length}``, ``{fraction}`` and ``{declared}`` are the column's own."""
_FRACTIONS = 6
_ANY_MODIFIER = -1
_LENGTH_OVERHEAD = 4
_COLUMNS = """
WITH RECURSIVE of AS (
    SELECT a.attname AS name, a.atttypid AS type, a.atttypmod AS modifier,
        format_type(a.atttypid, a.atttypmod) AS declared
    FROM pg_attribute a WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT o.name, t.typbasetype, t.typtypmod, o.declared
    FROM of o JOIN pg_type t ON t.oid = o.type WHERE t.typtype = 'd'
)
SELECT o.name, o.declared, t.typname::text, t.typtype::text, e.typname::text, e.typtype::text, o.modifier,
    format_type(o.type, -1), format_type(o.type, o.modifier),
    (COALESCE(e.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace), t.typinput::regproc::text
FROM of o JOIN pg_type t ON t.oid = o.type LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE t.typtype <> 'd'
"""


class PostgresqlValues(ExactValues):
    """See ExactValues. What a value becomes is told by a cast."""

    staging: ClassVar[str] = '"pg_temp"."splitjoin_values"'
    first_key: ClassVar[str] = "(0,0)"
    overriding: ClassVar[str] = "OVERRIDING SYSTEM VALUE "  # as COPY does in identity columns

    def rules(self, columns: Columns) -> tuple[ColumnRule, ...]:
        """See ExactValues."""
        found = {row[0]: row[1:] for row in self._session.rows(_COLUMNS, (self._table,))}
        return tuple(_rule(column, *found[column.name]) for column in columns)

    def make(self, rules: Sequence[ColumnRule]) -> None:
        """See ExactValues."""
        texts = ", ".join(f"{self._quoted(rule.column.name)} text" for rule in rules)
        self._session.run(f"CREATE TEMPORARY TABLE splitjoin_values ({texts}) ON COMMIT DROP")

    def batch(self, rules: Sequence[ColumnRule], last: str) -> list[Doubt]:
        """See ExactValues."""
        told = []
        for rule in rules:
            told += [self.text_of(rule), f"CAST({self.shown_of(rule, self.value_of(rule))} AS text)"]
        found = self._session.rows(
            f"SELECT s.ctid::text, {', '.join(told)} FROM {self.staging} s"
            f" WHERE s.ctid > '{last}'::tid AND {self.unsure(rules)} LIMIT {BATCH}"
        )
        return [Doubt(str(row[0]), pairs(row[1:])) for row in found]

    def number(self, key: str) -> int:
        """See ExactValues."""
        return int(self._session.rows(f"SELECT COUNT(*) FROM {self.staging} s WHERE s.ctid <= '{key}'::tid")[0][0])

    def save(self) -> None:
        """See ExactValues."""
        self._session.run("SAVEPOINT splitjoin_values")

    def undo(self) -> None:
        """See ExactValues."""
        self._session.run("ROLLBACK TO SAVEPOINT splitjoin_values")


def _rule(  # noqa: PLR0913, PLR0917 -- a row of _COLUMNS
    column: TableColumn,
    told: str,
    name: str,
    kind: str,
    element: str | None,
    element_kind: str | None,
    modifier: int,
    bare: str,
    declared: str,
    is_own: bool,  # noqa: FBT001 -- the same
    reads: str,
) -> ColumnRule:
    value = f"CAST({{text}} AS {bare})"
    if "e" in (kind, element_kind):
        return ColumnRule(column, told, None, value)
    rule = TYPES.get(element or name) if is_own or name == "citext" else None
    if rule is None:
        return ColumnRule(column, told, None, value, is_checked=False)
    if (element or name) in ("varchar", "bpchar") and modifier == _ANY_MODIFIER:
        return ColumnRule(column, told, None, value)
    if name == "interval" and modifier != _ANY_MODIFIER:
        value = f"{reads}(CAST({{text}} AS cstring), 0, {modifier})"  # the fields of the type say what a number means
    whole = name == "interval" and modifier == _ANY_MODIFIER
    sure = _of_column(rule.sure, modifier, declared) if element is None and (whole or name != "interval") else ""
    shown = _of_column(rule.shown, modifier, declared).replace("{value}", f"CAST({{value}} AS {declared})")
    return ColumnRule(column, told, rule.kind, value, sure or "1 = 0", shown, is_list=element is not None)


def _of_column(sql: str, modifier: int, declared: str) -> str:
    fractions = modifier if 0 <= modifier <= _FRACTIONS else _FRACTIONS
    fraction = f"([.][0-9]{{1,{fractions}}})?" if fractions else ""
    length = str(modifier - _LENGTH_OVERHEAD)
    for mark, part in (("{length}", length), ("{fraction}", fraction), ("{declared}", declared)):
        sql = sql.replace(mark, part)
    return sql
