"""Whether a date or a time that a database keeps is the one that its text says, with its fraction and its offset."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

__all__ = ["Moment", "dates_alike", "datetimes_alike", "instants_alike", "parse_moment", "times_alike"]

_DAY_SECONDS = 86400
_DATE = re.compile(r"(?<![\d.:])(\d{4,6})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_COMPACT = re.compile(r"(?<![\d.:])(\d{4})(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(?:(\d\d)(?:\.(\d+))?)?)?(?![\d:])")
_CLOCK = re.compile(r"(?<![\d.:])(-?\d{1,3}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?\s*([ap]m)?(?![\d:])", re.IGNORECASE)
_BEHIND = re.compile(r"\s*(?P<word>[A-Za-z]+)?(?P<sign>[+-])(\d{1,2})(?::?(\d\d))?(?::?(\d\d))?")
_ZERO = re.compile(r"\s*(?:Z|UTC|GMT|ZULU)(?![\w+-])", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_NAMES = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november"),
    *("december", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),
)
_NO_ZONES = frozenset({
    *_NAMES, *(name[:3] for name in _NAMES), "sept", "tues", "weds", "thur", "thurs", "am", "pm", "bc", "ad", "t",
    *("at", "on", "infinity", "epoch", "allballs"),
})  # fmt: skip
"""Words of a moment that name no zone: PostgreSQL's documentation, "Date/Time Configuration Files" and "Key Words"."""
_OF_THE_LOAD = re.compile(r"\b(?:now|today|tomorrow|yesterday)\b", re.IGNORECASE)
_DAYS_BEFORE = re.compile(r"\s*(-?)(\d{1,2}) +(\d.*)", re.DOTALL)
_CLOCK_DIGITS = re.compile(r"(-?)(\d{1,7})(?:\.(\d*))?")
_DIGITS_FRACTION = re.compile(r"(?<!\d)\d{6}\.(\d+)")
_HALF = re.compile(r"[ap]m\b", re.IGNORECASE)
_ISO_DIGITS = (4, 6)
_PARTED = re.compile(r"\d+")
_PARTED_TEXT = re.compile(r"\d{4,6}[-/.]\d{1,2}[-/.]\d{1,2}[ T:.-]\d{1,2}(?:[:.]\d{1,2}(?:[:.]\d{1,2}(?:\.\d+)?)?)?")
_SHORT_YEAR = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
_FRACTION_PLACE = 6
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """What a text says of a moment. ``date``: year (negative BC), month, day. ``seconds``: of the day, exactly.

    ``offset``: seconds east of UTC; None without one. ``GMT+3`` is east, as ``+03`` is: PostgreSQL reads a signed
    number behind a word as POSIX does, to the west. ``zone``: it names a zone or an offset, known here or not.
    ``left``: the text less all that.
    """

    date: tuple[int, int, int] | None
    seconds: Fraction | None
    offset: int | None
    zone: bool
    left: str = ""

    @property
    def ordinal_seconds(self) -> Fraction | None:
        """Seconds since the first day that Python knows; None where there is no such date."""
        if self.date is None:
            return None
        try:
            days = dt.date(*self.date).toordinal()
        except ValueError:
            return None
        return days * _DAY_SECONDS + (self.seconds or Fraction(0))


def parse_moment(text: str) -> Moment:
    """What ISO 8601, SQL and the usual compact forms say; parts that are written otherwise are None."""
    text = text.strip()
    if len(text) > _LONGEST:
        return Moment(None, None, None, zone=True)
    date = seconds = None
    rest = text
    if (found := _DATE.search(text)) is not None:
        date = (int(found[1]), int(found[3]), int(found[4]))
        rest = text[: found.start()] + " " + text[found.end() :]
        rest = re.sub(r"^ [T:](?=\d)", " ", rest)
    elif (found := _COMPACT.search(text)) is not None:
        date = (int(found[1]), int(found[2]), int(found[3]))
        rest = text[: found.start()] + " " + text[found.end() :]
        rest = re.sub(r"^ [T](?=\d)", " ", rest)
        if found[4] is not None:
            seconds = _seconds(found[4], found[5], found[6], found[7], None)
    if date is not None and re.search(r"\bBC\b", text):
        date = (-date[0], *date[1:])
    clock = _CLOCK.search(rest)
    if clock is not None and not (date is not None and clock[1].startswith("-")):  # of a day, a sign begins an offset
        seconds = _seconds(*clock.groups())
        left, rest = rest[: clock.start()], rest[clock.end() :]
    else:
        left = ""
    found = _ZERO.match(rest)
    if found is None and (date is not None or seconds is not None):  # a sign at the very start is no offset's
        found = _BEHIND.match(rest)
        if found is not None and (found["word"] or "").lower() in _NO_ZONES:
            found = None
    offset = None if found is None else _offset(found)
    left += " " + (rest if found is None else rest[found.end() :])
    zone = offset is not None or any(word.lower() not in _NO_ZONES for word in _WORD.findall(left))
    return Moment(date, seconds, offset, zone, left)


def _seconds(hours: str, minutes: str, seconds: str | None, fraction: str | None, half: str | None) -> Fraction:
    hour = abs(int(hours))
    if half is not None:
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    whole = hour * 3600 + int(minutes) * 60 + int(seconds or 0)
    exact = whole + (Fraction(int(fraction), 10 ** len(fraction)) if fraction else Fraction(0))
    return -exact if hours.startswith("-") else exact


def _offset(found: re.Match[str]) -> int:
    if found.re is _ZERO:
        return 0
    seconds = int(found[3]) * 3600 + int(found[4] or 0) * 60 + int(found[5] or 0)
    return -seconds if found["sign"] == "-" else seconds


def dates_alike(text: str, kept: str) -> bool:
    """A date keeps no time of day but midnight, and no offset."""
    said, held = parse_moment(text), parse_moment(kept)
    if _OF_THE_LOAD.search(text) or said.zone or said.seconds:
        return False
    return said.date in (None, held.date) and _left_is_kept(said, held)


def datetimes_alike(text: str, kept: str) -> bool:
    """A date and a time of day keep no offset, and as many digits of a fraction as the column has."""
    if _same_parts(text, kept):
        return True
    said, held = parse_moment(text), parse_moment(kept)
    if said.zone or _OF_THE_LOAD.search(text) or not _left_is_kept(said, held):
        return False
    if said.date is not None and said.seconds is not None:
        return _same_moment(said, held)
    return said.date in (None, held.date) and (said.seconds is None or said.seconds == held.seconds)


def _left_is_kept(said: Moment, held: Moment) -> bool:
    """Whether the numbers that are left of a text, zeros aside, are what is kept and was not read: each of them once.

    Another one may be an hour that a date does not keep, or an offset.
    """
    left = said.left
    parts: list[set[int]] = []
    if said.date is None and held.date is not None:
        year, month, day = abs(held.date[0]), *held.date[1:]
        left = re.sub(rf"(?<!\d){year % 100:02}{month:02}{day:02}", " ", left, count=1)
        if left == said.left:
            parts = [{day}, {year, year % 100}, set() if _WORD.search(left.replace("T", " ")) else {month}]
    if said.seconds is None:
        fraction = (held.seconds or Fraction(0)) % 1
        whole = int(held.seconds or 0)
        hour, minute, second = whole // 3600, whole // 60 % 60, whole % 60
        parts.append({(hour * 100 + minute) * 100 + second, *(() if second else (hour * 100 + minute,))})
        if not (minute or second):
            parts[-1] |= {hour, hour % 12 or 12} if _HALF.search(left) else {hour}
        found = _DIGITS_FRACTION.search(left)
        if fraction != (Fraction(int(found[1]), 10 ** len(found[1])) if found else 0):
            return False
        left = left if found is None else left[: found.start(1)] + left[found.end(1) :]
    for number in sorted(map(int, _PARTED.findall(left)), reverse=True):  # 2012 before 12, which may be a month
        part = next((one for one in parts if number in one), None)
        if part is not None:
            parts.remove(part)
        elif number:
            return False
    return True


def instants_alike(text: str, kept: str) -> bool:
    """The same instant, told in any zone; a text without an offset is in the session's, as ``kept`` is."""
    said, held = parse_moment(text), parse_moment(kept)
    if _OF_THE_LOAD.search(text):
        return False
    if said.offset is None:
        return _same_fraction(said, held) if said.zone else _same_moment(said, held)
    first, second = said.ordinal_seconds, held.ordinal_seconds
    if first is None or second is None:
        if said.seconds is None or held.seconds is None:
            return _same_fraction(said, held)
        return (said.seconds - said.offset - held.seconds + (held.offset or 0)) % _DAY_SECONDS == 0
    return first - said.offset == second - (held.offset or 0)


def times_alike(text: str, kept: str, *, keeps_offset: bool = False) -> bool:
    """A time of day keeps no date, and no offset unless its type has one; MySQL's may be days."""
    held = parse_moment(kept)
    if (found := _CLOCK_DIGITS.fullmatch(text.strip())) is not None:
        return held.seconds in _clocks(*found.groups())
    days = _DAYS_BEFORE.fullmatch(text)
    said = parse_moment(text if days is None else days[3])
    if _OF_THE_LOAD.search(text) or said.date is not None or (said.zone and not keeps_offset):
        return False
    if said.offset is not None and said.offset != held.offset:
        return False
    seconds, left = said.seconds, said.left.strip()
    if days is not None:
        if seconds is None and left.isdecimal():
            seconds, left = Fraction(int(left) * 3600), ""
        span = int(days[2]) * _DAY_SECONDS + (seconds or Fraction(0))
        seconds = -span if days[1] else span
    return not _PARTED.search(left) and (seconds is None or seconds == held.seconds)


def _clocks(sign: str, digits: str, fraction: str | None) -> tuple[Fraction, ...]:
    """What digits alone say: MySQL reads them from the seconds on, PostgreSQL from the hours on."""
    last, first = digits.zfill(6), digits.ljust(6, "0")
    return tuple(
        _seconds(sign + each[:-4], each[-4:-2], each[-2:], fraction, None)
        for each in ((last, first) if len(digits) in _ISO_DIGITS else (last,))
    )


def _same_parts(text: str, kept: str) -> bool:
    """Whether the numbers of a text are those of what is kept, one by one, whatever MySQL takes between them.

    MySQL's manual, "String and Numeric Literals in Date and Time Context".
    """
    if (digits := _SHORT_YEAR.fullmatch(text.strip())) is not None:
        parts, begin = list(digits.groups()), 2  # the century is the database's to know
    else:
        parts, begin = _PARTED.findall(text), 0
        if not _PARTED_TEXT.fullmatch(text.strip()):
            return False
    held = _PARTED.findall(kept)
    if not held:
        return False
    places = zip_longest(parts, [held[0][begin:], *held[1:]], fillvalue="0")
    return all(
        each.rstrip("0") == other.rstrip("0") if place == _FRACTION_PLACE else int(each) == int(other)
        for place, (each, other) in enumerate(places)
    )


def _same_moment(said: Moment, held: Moment) -> bool:
    if said.date is None:
        return _same_fraction(said, held)
    first = said.ordinal_seconds
    if first is not None:
        return first == held.ordinal_seconds  # 24:00 is the next day's midnight
    return said.date == held.date and (said.seconds or 0) == (held.seconds or 0)


def _same_fraction(said: Moment, held: Moment) -> bool:
    """What can be compared where the date, or its zone, is told in words: seconds and their fraction."""
    return said.seconds is None or (said.seconds - (held.seconds or 0)) % 60 == 0
