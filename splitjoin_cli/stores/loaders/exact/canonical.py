"""One form for all spellings of a value, so that rows of a file and of a table can be compared by their hashes.

Two values of one form are the same by ``checking.is_same``. Two of different forms may still be: dates told in words.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from splitjoin_cli.stores.loaders.exact import amounts, moments, numbers, spans, words
from splitjoin_cli.stores.loaders.exact.equality import Kind
from splitjoin_cli.stores.loaders.exact.forms import json_form, number_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from splitjoin_cli.stores.loaders.exact.base import ColumnRule

__all__ = ["form_of", "is_precise"]

_PLAIN = re.compile(r"(?:-?[1-9][0-9]{0,30}|0|-?(?:[1-9][0-9]{0,30}|0)\.[0-9]{0,30}[1-9])", re.ASCII)
"""Numbers whose text is their form already."""
_OTHER = "?"
"""Begins the form of a text that no rule reads: none that one reads begins with it."""
_KEPT_FORMS, _KEPT_CHARACTERS = 4096, 200
_LOOSE = frozenset({Kind.MONEY, Kind.DATE, Kind.DATETIME, Kind.INSTANT, Kind.TIME, Kind.TIME_WITH_OFFSET, Kind.SPAN})


def is_precise(rule: ColumnRule) -> bool:
    """Whether two values of the column that are the same always have one form."""
    return rule.is_checked and not rule.is_list and _kind(rule) not in _LOOSE


def form_of(rule: ColumnRule) -> tuple[Callable[[str], str] | None, Callable[[str], str] | None]:
    """How a text of the file, and one that the table tells, come to their form; None: each is its own.

    The first may learn from the texts how the column's are written: ask it of a file before the second of a table.
    """
    kind = _kind(rule)
    said: Callable[[str], str]
    kept: Callable[[str], str]
    if kind == Kind.TEXT and not rule.is_list:
        return None, None
    if kind == Kind.INSTANT:
        instants = _Instants()
        said, kept = instants.said, instants.kept
    elif kind in _FLOATS:
        said, kept = _number, partial(_float, _FLOATS[kind])
    elif kind in _MOMENTS:
        said, kept = partial(_MOMENTS[kind], is_kept=False), partial(_MOMENTS[kind], is_kept=True)
    else:
        said = kept = _FORMS.get(kind, str)
    if rule.is_list:
        said, kept = partial(_list, said), partial(_list, kept)
    return _remembering(said), _remembering(kept)


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
    """By the first of what it may say; where that is the other one, both are compared."""
    found = amounts.amounts(text)
    return number_form(found[0]) if found else _OTHER + text


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


def _date(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.date is None or (not is_kept and (moment.zone or moment.seconds)):
        return _OTHER + text
    return str(moment.date)


def _datetime(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.date is None or (not is_kept and moment.zone):
        return _OTHER + text
    return _local(moment)


def _local(moment: moments.Moment) -> str:
    ordinal = moment.ordinal_seconds
    return f"{moment.date} {moment.seconds or 0}" if ordinal is None else str(ordinal)


def _time(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.seconds is None or (not is_kept and (moment.date is not None or moment.zone)):
        return _OTHER + text
    return str(moment.seconds)


def _time_with_offset(text: str, *, is_kept: bool) -> str:
    moment = moments.parse_moment(text)
    if moment.seconds is None or moment.offset is None or (not is_kept and moment.date is not None):
        return _OTHER + text
    return f"{moment.seconds} {moment.offset}"


class _Instants:
    """Instants by UTC; where the file's first text has no offset, as the session's zone tells them."""

    def __init__(self) -> None:
        self._local: bool | None = None

    def said(self, text: str) -> str:
        """The form of a file's text."""
        moment = moments.parse_moment(text)
        if self._local is None:
            self._local = not moment.zone
        if moment.date is None or moment.zone == self._local or (moment.zone and moment.offset is None):
            return _OTHER + text
        return _local(moment) if self._local else self._utc(moment, text)

    def kept(self, text: str) -> str:
        """The form of what the table tells."""
        moment = moments.parse_moment(text)
        if moment.date is None:
            return _OTHER + text
        return _local(moment) if self._local else self._utc(moment, text)

    @staticmethod
    def _utc(moment: moments.Moment, text: str) -> str:
        ordinal = moment.ordinal_seconds
        return _OTHER + text if ordinal is None else str(ordinal - (moment.offset or 0))


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
_FLOATS: Mapping[Kind, Callable[[str], str]] = {
    Kind.SINGLE: numbers.shortest_single,
    Kind.DOUBLE: numbers.shortest_double,
}
_MOMENTS: Mapping[Kind, Callable[..., str]] = {
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.TIME: _time,
    Kind.TIME_WITH_OFFSET: _time_with_offset,
}
