"""One form for all spellings of a value, so that rows of a file and of a table can be compared by their hashes.

Two values of one form are the same by ``checking.is_same``. Two of different forms may still be: dates told in words,
which the database has to convert first.
"""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from splitjoin_cli.core.native.rows import As
from splitjoin_cli.stores.loaders.exact import amounts, moments, numbers, spans, words
from splitjoin_cli.stores.loaders.exact.checking import is_same
from splitjoin_cli.stores.loaders.exact.equality import Kind
from splitjoin_cli.stores.loaders.exact.forms import json_form, number_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.stores.loaders.exact.base import ColumnRule

__all__ = ["ColumnForms", "is_precise"]

_PLAIN = re.compile(r"(?:-?[1-9][0-9]{0,30}|0|-?(?:[1-9][0-9]{0,30}|0)\.[0-9]{0,30}[1-9])", re.ASCII)
"""Numbers whose text is their form already."""
_OTHER = "?"
"""Begins the form of a text that no rule reads: none that one reads begins with it."""
_KEPT_FORMS, _KEPT_CHARACTERS = 4096, 200
_DAY_SECONDS = 86400
_CLOCK = r"\d{1,3}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?"
_USUAL = re.compile(
    rf"(?:(?:\d{{4,6}}([-/.])\d{{1,2}}\1\d{{1,2}}|\d{{8}})(?:[T ]+{_CLOCK})?|\d{{8}}[T ]?\d{{6}}(?:\.\d+)?|-?{_CLOCK})"
    r" *(?:Z|UTC|[+-]\d{1,2}(?::?\d\d(?::?\d\d)?)?)?"
)
_LOOSE = frozenset({Kind.MONEY, Kind.DATE, Kind.DATETIME, Kind.INSTANT, Kind.TIME, Kind.TIME_WITH_OFFSET, Kind.SPAN})


def is_precise(rule: ColumnRule) -> bool:
    """Whether two values of the column that are the same always have one form, without the database's help."""
    return rule.is_checked and not rule.is_list and _kind(rule) not in _LOOSE


class ColumnForms:
    """How a column's texts, of the file and as the table tells them, come to the form that both are compared by.

    It may learn from the file's first text how the column's are written: ask it of a file before the table.
    """

    def __init__(self, rule: ColumnRule) -> None:
        """``rule``: of a column that is compared."""
        self.rule = rule
        self._kind = kind = _kind(rule)
        self._instants = _Instants()
        said: Callable[[str], str]
        kept: Callable[[str], str]
        if kind == Kind.INSTANT:
            said, kept = self._instants.said, self._instants.kept
        elif kind in _FLOATS:
            said, kept = (partial(_float, shortest) for shortest in _FLOATS[kind])
        elif kind in _MOMENTS:
            said, kept = partial(_MOMENTS[kind], is_kept=False), partial(_MOMENTS[kind], is_kept=True)
        else:
            said = kept = _FORMS.get(kind, str)
        if rule.is_list:
            said, kept = partial(_list, said), partial(_list, kept)
        self.said, self.kept = _remembering(said), _remembering(kept)

    def asks(self, text: str, form: str) -> bool:
        """Whether the database has to say what a text of the file is, which has this form."""
        if self.rule.is_list:
            return self._kind in _LOOSE and _OTHER in form
        return self._kind in _LOOSE and form == _OTHER + text

    def answered(self, text: str, form: str, kept: str | None) -> str:
        """The form of a text which the database converts to ``kept``, as it tells it; None: it cannot."""
        return self.kept(kept) if kept is not None and is_same(self.rule, text, kept) else form

    @property
    def of_file(self) -> As:
        """How the kernel comes to the form of the file's texts."""
        return self._natively(As.LOCAL_SAID)

    @property
    def of_table(self) -> As:
        """How the kernel comes to the form of what the table tells."""
        return self._natively(As.LOCAL_KEPT)

    def _natively(self, local: As) -> As:
        if self.rule.is_list:
            return As.ODD
        if self._kind == Kind.INSTANT:
            is_local = self._instants.is_local
            return As.ODD if is_local is None else local if is_local else As.INSTANT
        return _NATIVE.get(self._kind, As.ODD)


def _remembering(form: Callable[[str], str]) -> Callable[[str], str]:
    """The same, of short texts kept: of a few thousand, and so of bounded size."""
    short = lru_cache(_KEPT_FORMS)(form)
    return lambda text: short(text) if len(text) <= _KEPT_CHARACTERS else form(text)


def _kind(rule: ColumnRule) -> Kind:
    return rule.kind or rule.spelled or Kind.TEXT


def _number(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    value = numbers.number(text)
    return _OTHER + text if value is None else number_form(value)


def _float(shortest: Callable[[str], str], kept: str) -> str:
    try:
        return _number(shortest(kept))
    except ValueError:
        return _OTHER + kept


def _money(text: str) -> str:
    found = amounts.amounts(text)
    return number_form(found[0]) if len(found) == 1 else _OTHER + text


def _boolean(text: str) -> str:
    value = words.truth(text)
    return _OTHER + text if value is None else str(value)


def _bytes(text: str) -> str:
    try:
        return words.bytes_of(text).hex()
    except ValueError:
        return _OTHER + text


def _document(text: str) -> str:
    try:
        return json_form(words.document(text))
    except (ValueError, RecursionError):
        return _OTHER + text


def _span(text: str) -> str:
    seconds = spans.span_seconds(text)
    return _OTHER + text if seconds is None else str(seconds)


def _is_usual(text: str) -> bool:
    """Whether every character of a moment is one that is read here; another spelling is the database's to read."""
    return _USUAL.fullmatch(text.strip()) is not None


def _date(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.date is None or (not is_kept and (moment.zone or moment.seconds or not _is_usual(text))):
        return _OTHER + text
    return _day(*moment.date)


def _datetime(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.date is None or (not is_kept and (moment.zone or not _is_usual(text))):
        return _OTHER + text
    return _local(moment)


def _local(moment: moments.Moment) -> str:
    ordinal = moment.ordinal_seconds
    if ordinal is not None:
        return _of_ordinal(ordinal)
    return "" if moment.date is None else f"{_day(*moment.date)} {_clock(moment.seconds or Fraction(0))}"


def _of_ordinal(seconds: Fraction) -> str:
    """The day and the time of day, so many seconds behind the start of the first day that Python knows."""
    days, rest = divmod(seconds, _DAY_SECONDS)
    try:
        day = dt.date.fromordinal(int(days))
    except (ValueError, OverflowError):
        return f"{days} {_clock(rest)}"
    return f"{_day(day.year, day.month, day.day)} {_clock(rest)}"


def _day(year: int, month: int, day: int) -> str:
    return f"{year:04}-{month:02}-{day:02}"


def _clock(seconds: Fraction) -> str:
    """Hours, minutes and seconds with all digits of their fraction: of a text, they are as many as it has."""
    whole, part = divmod(abs(seconds), 1)
    fraction = ""
    while part:
        digit, part = divmod(part * 10, 1)
        fraction += str(digit)
    sign, point = "-" if seconds < 0 else "", "." if fraction else ""
    return f"{sign}{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{fraction}"


def _time(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.seconds is None or (not is_kept and (moment.date is not None or moment.zone or not _is_usual(text))):
        return _OTHER + text
    return _clock(moment.seconds)


def _time_with_offset(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    is_other = not is_kept and (moment.date is not None or not _is_usual(text))
    if moment.seconds is None or moment.offset is None or is_other:
        return _OTHER + text
    return f"{_clock(moment.seconds)} {moment.offset}"


class _Instants:
    """Instants by UTC; where the file's first text has no offset, as the session's zone tells them."""

    def __init__(self) -> None:
        self.is_local: bool | None = None
        """None before the first text."""

    def said(self, text: str) -> str:
        """The form of a file's text."""
        moment = moments.parse_moment(text)
        if moment.date is not None and self.is_local is None:
            self.is_local = not moment.zone
        is_other = moment.zone == self.is_local or (moment.zone and moment.offset is None)
        if moment.date is None or is_other or not _is_usual(text):
            return _OTHER + text
        return _local(moment) if self.is_local else self._utc(moment, text)

    def kept(self, text: str) -> str:
        """The form of what the table tells."""
        moment = moments.parse_moment(text)
        if moment.date is None:
            return _OTHER + text
        return _local(moment) if self.is_local else self._utc(moment, text)

    @staticmethod
    def _utc(moment: moments.Moment, text: str) -> str:
        ordinal = moment.ordinal_seconds
        return _OTHER + text if ordinal is None else _of_ordinal(ordinal - (moment.offset or 0))


def _list(form: Callable[[str], str], text: str) -> str:
    elements = words.elements(text)
    if elements is None:
        return _OTHER + text
    return "".join(
        repr(form(each)) if isinstance(each, str) else "," if each is None else "[" if each is words.OPENED else "]"
        for each in elements
    )


_FORMS: Mapping[Kind, Callable[[str], str]] = {
    Kind.PADDED: lambda text: text.rstrip(" "),
    Kind.NUMBER: _number,
    Kind.MONEY: _money,
    Kind.BOOLEAN: _boolean,
    Kind.MEMBER: lambda text: words.member(text).casefold(),
    Kind.MEMBERS: lambda text: words.members(text.casefold()),
    Kind.CASED_MEMBER: words.member,
    Kind.CASED_MEMBERS: words.members,
    Kind.HEXADECIMAL: words.hexadecimal,
    Kind.BITS: words.bits,
    Kind.ADDRESS: lambda text: str(words.address(text)),
    Kind.BYTES: _bytes,
    Kind.BLOB: lambda text: words.blob(text).hex(),
    Kind.DOCUMENT: _document,
    Kind.SPAN: _span,
}
_FLOATS: Mapping[Kind, tuple[Callable[[str], str], Callable[[str], str]]] = {
    Kind.SINGLE: (numbers.said_single, numbers.shortest_single),
    Kind.DOUBLE: (numbers.said_double, numbers.shortest_double),
}
_MOMENTS: Mapping[Kind, Callable[..., str]] = {
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.TIME: _time,
    Kind.TIME_WITH_OFFSET: _time_with_offset,
}
_NATIVE: Mapping[Kind, As] = {
    Kind.TEXT: As.TEXT,
    Kind.PADDED: As.PADDED,
    Kind.CASED_MEMBER: As.PADDED,
    Kind.NUMBER: As.NUMBER,
    Kind.SINGLE: As.SINGLE,
    Kind.DOUBLE: As.DOUBLE,
    Kind.BOOLEAN: As.BOOLEAN,
    Kind.DATE: As.DATE,
    Kind.DATETIME: As.DATETIME,
    Kind.TIME: As.TIME,
    Kind.HEXADECIMAL: As.HEX,
    Kind.MEMBER: As.MEMBER,
}
