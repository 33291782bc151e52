"""Numbers and JSON values in the one spelling that all their spellings come to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

__all__ = ["json_form", "number_form"]

LONGEST_PLAIN = 31
"""Digits of a number that is written without an exponent."""


def number_form(value: Decimal) -> str:
    """The one spelling that all of a number come to."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return "nan" if value.is_nan() else str(value)
    whole = "".join(map(str, digits)).lstrip("0")
    stripped = whole.rstrip("0")
    if not stripped:
        return "0"
    exponent += len(whole) - len(stripped)
    minus = "-" if sign else ""
    if exponent >= 0 and len(stripped) + exponent <= LONGEST_PLAIN:
        return f"{minus}{stripped}{'0' * exponent}"
    if 0 < -exponent <= LONGEST_PLAIN and len(stripped) + exponent <= LONGEST_PLAIN:
        padded = stripped.zfill(1 - exponent)
        return f"{minus}{padded[:exponent]}.{padded[exponent:]}"
    return f"{minus}{stripped}e{exponent}"


def json_form(value: Any) -> str:  # noqa: ANN401 -- a JSON value
    """The one spelling that all of a JSON value come to; true is not 1, as it is in Python."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{json_form(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_form, value)) + "]"
    return number_form(value) if isinstance(value, Decimal) else repr(value)
