"""Whether a number that a database keeps is the number that its text says."""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "doubles_alike",
    "number",
    "numbers_alike",
    "said_double",
    "said_single",
    "shortest_double",
    "shortest_single",
    "singles_alike",
]

_BASES = {"0x": 16, "0o": 8, "0b": 2}
_DIGITS_OF_SINGLE = range(1, 10)
_HEX_FLOAT = re.compile(r"[+-]?0x[0-9a-f]*\.?[0-9a-f]*(p[+-]?\d+)?", re.IGNORECASE)


def number(text: str) -> Decimal | None:
    """The exact number that a text says; None for what is none. Other bases and ``1_000`` are PostgreSQL's."""
    plain = text.strip().replace("_", "")
    try:
        return Decimal(plain)
    except InvalidOperation:
        pass
    unsigned = plain.lstrip("+-")
    sign = -1 if plain.startswith("-") else 1
    try:
        if unsigned[:2].lower() in _BASES and not {".", "p", "P"} & set(unsigned):
            return Decimal(sign * int(unsigned[2:], _BASES[unsigned[:2].lower()]))
        return Decimal(float.fromhex(plain)) if _HEX_FLOAT.fullmatch(plain) else None
    except (ValueError, OverflowError):
        return None


def numbers_alike(text: str, kept: str) -> bool:
    """Whether both say one number, in whatever spelling; what is no number says none."""
    first, second = number(text), number(kept)
    if first is None or second is None:
        return False
    return first == second or (first.is_nan() and second.is_nan())


def shortest_single(kept: str) -> str:
    """The shortest decimal that is the same 32-bit float, in however many digits it is told."""
    try:
        value = _single(float(kept))
    except OverflowError:
        return kept
    for digits in _DIGITS_OF_SINGLE:
        told = f"{value:.{digits}g}"
        with suppress(OverflowError):
            if _single(float(told)) == value:
                return told
    return kept


def _single(value: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return found


def shortest_double(kept: str) -> str:
    """The shortest decimal that is the same 64-bit float: PostgreSQL tells 1e23 by a longer one."""
    return repr(float(kept))


def said_double(text: str) -> str:
    """The shortest decimal of the float that a text is the decimal of, too, in 16 digits; else the text itself."""
    return _said(text, 16, lambda value: value, shortest_double)


def said_single(text: str) -> str:
    """The same of a 32-bit float, in 8 digits."""
    return _said(text, 8, _single, shortest_single)


def _said(text: str, digits: int, rounded: Callable[[float], float], shortest: Callable[[str], str]) -> str:
    said = number(text)
    if said is None or not said.is_finite():
        return text
    try:
        value = rounded(float(said))
    except OverflowError:
        return text
    return shortest(repr(value)) if said == Decimal(f"{value:.{digits}g}") else text


def doubles_alike(text: str, kept: str) -> bool:
    """Whether a text says the float that is kept: in its shortest decimal, or in that of 16 digits."""
    return numbers_alike(said_double(text), shortest_double(kept))


def singles_alike(text: str, kept: str) -> bool:
    """The same of a 32-bit float, in 8 digits, where a database may tell it as a 64-bit one."""
    return numbers_alike(said_single(text), shortest_single(kept))
