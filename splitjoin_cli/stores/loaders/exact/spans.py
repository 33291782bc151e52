"""Whether a span of time that a database keeps is the one that its text says, to the last digit."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["span_seconds", "spans_alike"]

_DAY_SECONDS = 86400
_MONTH_DAYS = 30
_UNITS: dict[str, Fraction] = {}
for _names, _seconds in (
    ("microsecond microseconds usec usecs us useconds usecond", Fraction(1, 1_000_000)),
    ("millisecond milliseconds msec msecs ms mseconds msecond", Fraction(1, 1000)),
    ("second seconds sec secs s", Fraction(1)),
    ("minute minutes min mins m", Fraction(60)),
    ("hour hours hr hrs h", Fraction(3600)),
    ("day days d", Fraction(_DAY_SECONDS)),
    ("week weeks w", Fraction(7 * _DAY_SECONDS)),
    ("month months mon mons", Fraction(_MONTH_DAYS * _DAY_SECONDS)),
    ("quarter quarters", Fraction(3 * _MONTH_DAYS * _DAY_SECONDS)),
    ("year years yr yrs y", Fraction(12 * _MONTH_DAYS * _DAY_SECONDS)),
    ("decade decades dec decs", Fraction(120 * _MONTH_DAYS * _DAY_SECONDS)),
    ("century centuries cent c", Fraction(1200 * _MONTH_DAYS * _DAY_SECONDS)),
    ("millennium millennia mil mils millenium", Fraction(12000 * _MONTH_DAYS * _DAY_SECONDS)),
):
    for _name in _names.split():
        _UNITS[_name] = _seconds
_ISO = {"Y": "year", "W": "week", "D": "day", "H": "hour", "S": "second"}
_PART = re.compile(r"\s*([+-]?\s*\d*\.?\d+|[+-]?\s*\d+\.?)\s*([a-zA-Z]+)\s*,?")
_CLOCK = re.compile(r"\s*([+-]?)(\d+):(\d{1,2})(?::(\d{1,2}(?:\.\d*)?))?")
_ISO_PART = re.compile(r"([+-]?\d+(?:\.\d+)?)([A-Z])")


def span_seconds(text: str) -> Fraction | None:
    """The span in seconds, months of 30 days, as PostgreSQL and DuckDB compare them; None for other spellings."""
    stripped = text.strip()
    ago = stripped.lower().endswith(" ago")
    if ago:
        stripped = stripped[: -len(" ago")]
    stripped = stripped.removeprefix("@").strip()
    total = _iso(stripped) if stripped[:1] in "Pp" else _verbose(stripped)
    return None if total is None else -total if ago else total


def _iso(text: str) -> Fraction | None:
    total, in_time = Fraction(0), False
    place = 1
    while place < len(text):
        if text[place] in "Tt":
            in_time, place = True, place + 1
            continue
        found = _ISO_PART.match(text.upper(), place)
        if found is None:
            return None
        unit = ("minute" if in_time else "month") if found[2] == "M" else _ISO.get(found[2])
        if unit is None:
            return None
        total += Fraction(found[1]) * _UNITS[unit]
        place = found.end()
    return total


def _verbose(text: str) -> Fraction | None:
    total, place = Fraction(0), 0
    while text[place:].strip():
        clock, part = _CLOCK.match(text, place), _PART.match(text, place)
        if clock is not None:
            span = int(clock[2]) * 3600 + int(clock[3]) * 60 + Fraction(clock[4] or 0)
            total += -span if clock[1] == "-" else span
            place = clock.end()
        elif part is not None and part[2].lower() in _UNITS:
            total += Fraction(part[1].replace(" ", "")) * _UNITS[part[2].lower()]
            place = part.end()
        else:
            return None
    return total


def spans_alike(text: str, kept: str) -> bool:
    """Whether both are as long; a spelling that is not known here is the database's to understand."""
    said = span_seconds(text)
    return said is None or said == span_seconds(kept)
