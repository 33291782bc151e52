"""PostgreSQL's rules: what COPY makes of a text in a column of each type."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import psycopg

from splitjoin_cli.stores.loaders.exact.base import BATCH, ColumnRule, Doubt, ExactValues, TypeRule, pairs
from splitjoin_cli.stores.loaders.exact.equality import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.stores.loaders.session import Columns, TableColumn

__all__ = ["TYPES", "PostgresqlValues"]

_MANUAL = "https://www.postgresql.org/docs/current/datatype-"
_TIMES = f"{_MANUAL}datetime.html"
_KEPT = {
    **dict.fromkeys(("int2", "int4", "int8"), Kind.NUMBER),
    **dict.fromkeys(("uuid", "macaddr", "macaddr8"), Kind.HEXADECIMAL),
    **dict.fromkeys(("inet", "cidr"), Kind.ADDRESS),
    **dict.fromkeys(("text", "citext", "json", "refcursor"), Kind.TEXT),
    **dict.fromkeys(("bit", "varbit"), Kind.BITS),
    "bool": Kind.BOOLEAN,
    "bytea": Kind.BYTES,
}
_DIGITS = "{text} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}"
# What is usual is cleared by what is cheap: a regular expression costs more than all the rest.
_NO_EXPONENT = "strpos({text}, 'e') = 0 AND strpos({text}, 'E') = 0"
_NUMERIC = (
    "(" + _NO_EXPONENT + " AND (strpos({text}, '.') = 0 OR octet_length({text}) - strpos({text}, '.') <= {scale}))"
)
_USUAL_DATE = "(octet_length({text}) = 10 AND {text} LIKE '____-__-__' AND strpos({text}, ':') = 0)"
_USUAL_TIME = (
    "(octet_length({text}) = 19 AND {text} LIKE '____-__-_____:__:__' AND right({text}, 1) BETWEEN '0' AND '9'"
    " AND substr({text}, 12, 1) BETWEEN '0' AND '2')"
)
"""No sign of an offset has room in it."""
_IS_THERE = "CAST(CAST({text} AS timestamptz) AS timestamp) = CAST({text} AS timestamp)"
"""The session's zone has such a time: it is not in the hour that summer time leaves out."""
TYPES: Mapping[str, TypeRule] = {
    **{name: TypeRule(None, _MANUAL.removesuffix("-") + ".html", spelled=kind) for name, kind in _KEPT.items()},
    "numeric": TypeRule(Kind.NUMBER, f"{_MANUAL}numeric.html", _NUMERIC),
    "oid": TypeRule(Kind.NUMBER, f"{_MANUAL}oid.html", "{text} ~ '^[0-9]+$'"),
    # 15 digits and no exponent: FLT_DIG and DBL_DIG of them are kept
    "float8": TypeRule(Kind.DOUBLE, f"{_MANUAL}numeric.html", "(length({text}) <= 15 AND {text} !~ '[eExX]')"),
    "float4": TypeRule(Kind.SINGLE, f"{_MANUAL}numeric.html", "(length({text}) <= 6 AND {text} !~ '[eExX]')"),
    "money": TypeRule(Kind.MONEY, f"{_MANUAL}money.html", "{text} ~ '^-?[0-9]+$'", "CAST({value} AS numeric)::text"),
    "varchar": TypeRule(
        Kind.TEXT,
        f"{_MANUAL}character.html",
        "(octet_length({text}) <= {length} OR char_length({text}) <= {length}"
        " OR char_length(rtrim({text}, ' ')) > {length})",
    ),
    "bpchar": TypeRule(
        Kind.PADDED,
        f"{_MANUAL}character.html",
        "(octet_length({text}) <= {length} OR char_length({text}) <= {length}"
        " OR char_length(rtrim({text}, ' ')) > {length})",
        "rpad(CAST({value} AS text), {length})",
    ),
    "name": TypeRule(Kind.TEXT, f"{_MANUAL}character.html", "octet_length({text}) < 64"),
    "char": TypeRule(Kind.TEXT, f"{_MANUAL}character.html", "octet_length({text}) < 2"),
    "date": TypeRule(Kind.DATE, _TIMES, f"({_USUAL_DATE} OR {_DIGITS}$')"),
    "time": TypeRule(Kind.TIME, _TIMES, "{text} ~ '^[0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?$'"),
    "timetz": TypeRule(
        Kind.TIME_WITH_OFFSET,
        _TIMES,
        "{text} ~ '^[0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?([+-][0-9]{2}(:?[0-9]{2})?)?$'",
    ),
    "timestamp": TypeRule(
        Kind.DATETIME, _TIMES, f"({_USUAL_TIME} OR {_DIGITS}([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}{{fraction}})?)?$')"
    ),
    "timestamptz": TypeRule(
        Kind.INSTANT,
        _TIMES,
        f"(({_USUAL_TIME} AND {_IS_THERE}) OR {_DIGITS}"
        "[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}{fraction})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')",
    ),
    "interval": TypeRule(Kind.SPAN, _TIMES, "{text} !~ '[.,]'"),
    "jsonb": TypeRule(Kind.DOCUMENT, f"{_MANUAL}json.html"),
}
"""By the name in pg_type; ``{length}``, ``{scale}`` and ``{fraction}`` are the column's own."""
_KEPT_WITHOUT_MODIFIER = frozenset({"varchar", "bpchar", "numeric"})
_FRACTIONS = 6
_ANY_MODIFIER = -1
_LENGTH_OVERHEAD = 4
_SCALE_BITS, _SCALE_SIGN = 0x7FF, 0x400
"""Of a numeric's modifier: numeric.c, numeric_typmod_scale."""
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
        texts = ", ".join(f"{self._quoted(rule.column.name)} {rule.typed}" for rule in rules)
        self._session.run(f"CREATE TEMPORARY TABLE splitjoin_values ({texts}) ON COMMIT DROP")

    def batch(self, rules: Sequence[ColumnRule], last: str) -> list[Doubt]:
        """See ExactValues."""
        told = []
        for rule in rules:
            told += [self.text_of(rule), self.told_of(rule, self.value_of(rule))]
        found = self._session.rows(
            f"SELECT s.ctid::text, {', '.join(told)} FROM {self.staging} s"
            f" WHERE s.ctid > '{last}'::tid AND {self.unsure(rules)} LIMIT {BATCH}"
        )
        return [Doubt(str(row[0]), pairs(row[1:])) for row in found]

    def told_of(self, rule: ColumnRule, value: str) -> str:
        """See ExactValues: the driver would make other values of most types."""
        return f"CAST({self.shown_of(rule, value)} AS text)"

    def _converted(self, rule: ColumnRule, texts: Sequence[str]) -> list[str | None]:
        """See ExactValues: one that cannot be converted is an error, and is asked for alone."""
        value = self.told_of(rule, rule.value.replace("{text}", "CAST(? AS text)"))
        self.save()
        try:
            return self._told(value, texts)
        except psycopg.Error:
            self.undo()
            if len(texts) == 1:
                return [None]
            half = len(texts) // 2
            return self._converted(rule, texts[:half]) + self._converted(rule, texts[half:])

    def copied_of(self, rule: ColumnRule, value: str) -> str:
        """See ExactValues: by its type's own output, as a cast would; no locale is in an amount that is cast."""
        return self.told_of(rule, value) if rule.kind == Kind.MONEY else value

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
    declared: str,
    name: str,
    kind: str,
    element: str | None,
    element_kind: str | None,
    modifier: int,
    bare: str,
    whole: str,
    is_own: bool,  # noqa: FBT001 -- the same
    reads: str,
) -> ColumnRule:
    rule = TYPES.get(element or name) if is_own or name == "citext" else None
    spelled = (rule.kind or rule.spelled) if rule is not None else None
    told, is_list = "CAST({value} AS text)", element is not None
    kept = ColumnRule(column, declared, None, shown=told, typed=whole, is_list=is_list, spelled=spelled)
    if "e" in (kind, element_kind):
        return kept
    if rule is None:
        return replace(kept, is_checked=False)
    if rule.kind is None or (modifier == _ANY_MODIFIER and (element or name) in _KEPT_WITHOUT_MODIFIER):
        return kept
    value = f"CAST({{text}} AS {bare})"
    if name == "interval" and modifier != _ANY_MODIFIER:
        value = f"{reads}(CAST({{text}} AS cstring), 0, {modifier})"  # the fields of the type say what a number means
    odd = modifier != _ANY_MODIFIER if name == "interval" else name == "numeric" and _scale(modifier) < 0
    cleared = element is None and not odd
    sure = _of_column(rule.sure, modifier) if cleared else ""
    shown = _of_column(rule.shown, modifier) if element is None else "CAST({value} AS text)"
    shown = shown.replace("{value}", f"CAST({{value}} AS {whole})")
    return ColumnRule(
        column, declared, rule.kind, value, sure or "1 = 0", shown, is_list=element is not None, typed="text"
    )


def _of_column(sql: str, modifier: int) -> str:
    fractions = modifier if 0 <= modifier <= _FRACTIONS else _FRACTIONS
    fraction = f"([.][0-9]{{1,{fractions}}})?" if fractions else ""
    length = str(modifier - _LENGTH_OVERHEAD)
    for mark, part in (("{length}", length), ("{scale}", str(_scale(modifier))), ("{fraction}", fraction)):
        sql = sql.replace(mark, part)
    return sql


def _scale(modifier: int) -> int:
    bits = (modifier - _LENGTH_OVERHEAD) & _SCALE_BITS
    return bits - 2 * (bits & _SCALE_SIGN)
