"""MySQL's and MariaDB's rules: what LOAD DATA makes of a text in a column of each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, cast

import pymysql

from splitjoin_cli.stores.loaders.exact.base import BATCH, ColumnRule, Doubt, ExactValues, TypeRule, pairs
from splitjoin_cli.stores.loaders.exact.equality import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from splitjoin_cli.stores.loaders.session import Columns, TableColumn

__all__ = ["TYPES", "MysqlValues"]

_MANUAL = "https://dev.mysql.com/doc/refman/8.4/en/"
_MARIADB = "https://mariadb.com/kb/en/"
_NUMERIC, _TIMES = f"{_MANUAL}numeric-types.html", f"{_MANUAL}date-and-time-types.html"
_TYPED = "splitjoin_typed"
_KEY = "splitjoin_n"
_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
_TEXTS = ("varchar", "tinytext", "text", "mediumtext", "longtext")
_BYTES = ("varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_NO_EXPONENT = "LOCATE('e', {text}) = 0 AND LOCATE('E', {text}) = 0"
_SCALED = "(" + _NO_EXPONENT + " AND (LOCATE('.', {text}) = 0 OR LENGTH({text}) - LOCATE('.', {text}) <= {scale}))"
_FLOAT = "CAST({value} + 0e0 AS CHAR)"
_TOLD = "CAST({value} AS CHAR)"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}{fraction}"
TYPES: Mapping[str, TypeRule] = {
    **dict.fromkeys(_INTEGERS, TypeRule(Kind.NUMBER, _NUMERIC, "{text} NOT REGEXP '[.eE]'", _TOLD)),
    "decimal": TypeRule(Kind.NUMBER, _NUMERIC, _SCALED, _TOLD),
    # 6 and 15 digits and no exponent: FLT_DIG and DBL_DIG of them are kept, where the type itself has no scale
    "float": TypeRule(Kind.SINGLE, _NUMERIC, "(LENGTH({text}) <= 6 AND " + _NO_EXPONENT + ")", _FLOAT),
    "double": TypeRule(Kind.DOUBLE, _NUMERIC, "(LENGTH({text}) <= 15 AND " + _NO_EXPONENT + ")", _FLOAT),
    "bit": TypeRule(Kind.NUMBER, f"{_MANUAL}bit-type.html", "{text} NOT REGEXP '[^0-9]'", "CAST({value} + 0 AS CHAR)"),
    "year": TypeRule(Kind.NUMBER, f"{_MANUAL}year.html", "{text} REGEXP '^[12][0-9]{3}$'", _TOLD),
    "date": TypeRule(Kind.DATE, _TIMES, "{text} REGEXP '^" + _DAY + "$'", _TOLD),
    "datetime": TypeRule(Kind.DATETIME, _TIMES, "{text} REGEXP '^" + _DAY + "([ T]" + _CLOCK + ")?$'", _TOLD),
    "timestamp": TypeRule(Kind.DATETIME, _TIMES, "{text} REGEXP '^" + _DAY + "([ T]" + _CLOCK + ")?$'", _TOLD),
    "time": TypeRule(Kind.TIME, _TIMES, "{text} REGEXP '^" + _CLOCK + "$'", _TOLD),
    "char": TypeRule(
        # what is too long for it may be cut without a word where that is white space alone, a tab among it
        Kind.TEXT,
        f"{_MANUAL}char.html",
        "(CHAR_LENGTH({text}) <= {characters} AND {text} NOT LIKE '% ')",
        _TOLD,
    ),
    "binary": TypeRule(
        Kind.TEXT, f"{_MANUAL}binary-varbinary.html", "LENGTH({text}) = {length}", "CONVERT({value} USING utf8mb4)"
    ),
    "enum": TypeRule(Kind.MEMBER, f"{_MANUAL}enum.html", "{text} IN {members}", _TOLD),
    "set": TypeRule(Kind.MEMBERS, f"{_MANUAL}set.html", "{text} IN {members}", _TOLD),
    "json": TypeRule(Kind.DOCUMENT, f"{_MANUAL}json.html", "1 = 0", _TOLD),
    **{name: TypeRule(None, f"{_MANUAL}char.html") for name in _TEXTS},
    **{name: TypeRule(None, f"{_MANUAL}binary-varbinary.html") for name in _BYTES},
    "uuid": TypeRule(None, f"{_MARIADB}uuid-data-type/", shown=_TOLD, spelled=Kind.HEXADECIMAL),
    "inet4": TypeRule(None, f"{_MARIADB}inet4/", shown=_TOLD, spelled=Kind.ADDRESS),
    "inet6": TypeRule(None, f"{_MARIADB}inet6/", shown=_TOLD, spelled=Kind.ADDRESS),
}
"""By information_schema's data_type; what is in other braces is the column's own."""
_CASED = {Kind.MEMBER: Kind.CASED_MEMBER, Kind.MEMBERS: Kind.CASED_MEMBERS}
_COLUMNS = (
    "SELECT column_name, LOWER(data_type), column_type, character_set_name, collation_name, numeric_scale,"
    " datetime_precision, character_octet_length, character_maximum_length FROM information_schema.columns"
    " WHERE table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND table_name = ?"
)


class _Warning(Protocol):
    def warnings(self) -> tuple[list[str], int]:
        """What the last statement warned of."""


class MysqlValues(ExactValues):
    """See ExactValues. The tables are temporary: others end the transaction where they are made.

    MySQL's manual, "Statements That Cause an Implicit Commit". What a value becomes is seen in a column of its type.
    """

    staging: ClassVar[str] = "`splitjoin_values`"
    key: ClassVar[str] = _KEY

    def rules(self, columns: Columns) -> tuple[ColumnRule, ...]:
        """See ExactValues."""
        *schema, name = [part.replace("``", "`") for part in self._table[1:-1].split("`.`")]
        found = {row[0]: row[1:] for row in self._session.rows(_COLUMNS, (schema[0] if schema else "", name))}
        return tuple(_rule(column, *found[column.name]) for column in columns)

    def make(self, rules: Sequence[ColumnRule]) -> None:
        """See ExactValues."""
        key = f"{_KEY} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"
        texts = ", ".join(
            f"{self._quoted(rule.column.name)} {'LONGTEXT' if rule.kind else rule.typed}" for rule in rules
        )
        self._session.run(f"DROP TEMPORARY TABLE IF EXISTS {self.staging}")
        self._session.run(
            f"CREATE TEMPORARY TABLE {self.staging} ({key}, {texts})"
            " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )

    def batch(self, rules: Sequence[ColumnRule], last: str) -> list[Doubt]:
        """See ExactValues."""
        unsure = f"s.{_KEY} > {last} AND {self.unsure(rules)} ORDER BY s.{_KEY} LIMIT {BATCH}"
        values = ", ".join(map(self.value_of, rules))
        if not self._session.rows(f"SELECT 1 FROM {self.staging} s WHERE {unsure.replace(str(BATCH), '1')}"):
            return []
        typed = ", ".join(f"c{place} {rule.typed}" for place, rule in enumerate(rules))
        self._session.run(f"DROP TEMPORARY TABLE IF EXISTS {_TYPED}")
        self._session.run(f"CREATE TEMPORARY TABLE {_TYPED} (n BIGINT UNSIGNED PRIMARY KEY, {typed}) ENGINE=InnoDB")
        self._session.run(f"INSERT INTO {_TYPED} SELECT s.{_KEY}, {values} FROM {self.staging} s WHERE {unsure}")
        told = []
        for place, rule in enumerate(rules):
            told += [self.text_of(rule), self.shown_of(rule, f"t.c{place}")]
        found = self._session.rows(
            f"SELECT t.n, {', '.join(told)} FROM {_TYPED} t JOIN {self.staging} s ON s.{_KEY} = t.n ORDER BY t.n"
        )
        self._session.run(f"DROP TEMPORARY TABLE {_TYPED}")
        return [Doubt(str(row[0]), pairs(row[1:])) for row in found]

    def _converted(self, rule: ColumnRule, texts: Sequence[str]) -> list[str | None]:
        """See ExactValues: of the types whose values are spelled in many ways, which casts know but TIMESTAMP."""
        return self._told(f"CAST(CAST(? AS {rule.declared.replace('timestamp', 'datetime')}) AS CHAR)", texts)

    def number(self, key: str) -> int:
        """See ExactValues: servers may count in larger steps."""
        return int(self._session.rows(f"SELECT COUNT(*) FROM {self.staging} s WHERE s.{_KEY} <= {key}")[0][0])

    def save(self) -> None:
        """See ExactValues."""
        self._session.run("SAVEPOINT splitjoin_values")

    def undo(self) -> None:
        """See ExactValues."""
        self._session.run("ROLLBACK TO SAVEPOINT splitjoin_values")

    def insert(self, rules: Sequence[ColumnRule], run_column: str | None, run_id: str) -> int:
        """See ExactValues. A warning is a failure, as it is of LOAD DATA."""
        loaded = super().insert(rules, run_column, run_id)
        warnings, _ = cast("_Warning", self._session).warnings()
        if warnings:
            raise pymysql.DataError(0, warnings[0])
        return loaded

    def drop(self) -> None:
        """See ExactValues."""
        self._session.run(f"DROP TEMPORARY TABLE {self.staging}")

    def run_value(self, run_id: str) -> str:
        """See ExactValues."""
        self._session.run("SET @splitjoin_run_id = ?", (run_id,))
        return "@splitjoin_run_id"


def _rule(  # noqa: PLR0913, PLR0917 -- a row of _COLUMNS
    column: TableColumn,
    name: str,
    declared: str,
    characters: str | None,
    collation: str | None,
    scale: int | None,
    precision: int | None,
    octets: int | None,
    most: int | None,
) -> ColumnRule:
    rule = TYPES.get(name)
    value = "{text}"
    if name == "bit":
        value = "CAST({text} AS UNSIGNED)"  # as the loader does it: text would be taken for its bytes
    elif name == "timestamp" and column.not_null:
        value = "COALESCE({text}, '')"  # NULL would be the time of the load
    text = f" CHARACTER SET {characters} COLLATE {collation}" if characters else ""
    typed = f"{declared}{text} NULL"
    if rule is None or rule.kind is None:
        told, spelled = ("{value}", None) if rule is None else (rule.shown, rule.spelled)
        is_checked = rule is not None
        return ColumnRule(column, declared, None, shown=told, is_checked=is_checked, typed=typed, spelled=spelled)
    sure = rule.sure if name not in ("float", "double") or scale is None else "1 = 0"
    kind = _CASED.get(rule.kind, rule.kind) if collation and collation.endswith(("_bin", "_cs")) else rule.kind
    fraction = f"([.][0-9]{{1,{precision}}})?" if precision else ""
    members = declared[declared.find("(") :] if name in ("enum", "set") else ""
    parts = {"scale": scale, "fraction": fraction, "length": octets, "characters": most, "members": members}
    for mark, part in parts.items():
        sure = sure.replace(f"{{{mark}}}", str(part))
    return ColumnRule(column, declared, kind, value, sure, rule.shown, typed=typed)
