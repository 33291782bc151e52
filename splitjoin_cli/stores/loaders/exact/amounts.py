"""Whether an amount of money that a database keeps is the one that its text says, as any locale writes it."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["amounts", "amounts_alike"]

_WRITTEN = re.compile(r"[^\d.,'\u2019]*")
_MARKS = (".", ",")
_GROUPED = r"\d{{1,3}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}"
"""Digits in groups; India's have two digits but for the last one."""


def amounts(text: str) -> tuple[Decimal, ...]:
    """The numbers that an amount may say: with a point before the cents, and with a comma; none for what is none."""
    body = text.strip().replace(" ", "").replace("\u00a0", "")
    negative = "-" in body or body.startswith("(")
    digits = _WRITTEN.sub("", body)
    found = []
    for point in _MARKS:
        group = "[" + "".join({*_MARKS, "'", "\u2019"} - {point}) + "]"
        whole = rf"(?:\d+|{_GROUPED.format(mark=group)})"
        if re.fullmatch(rf"(?:{whole}?{re.escape(point)}\d+|{whole}{re.escape(point)}?)", digits):
            plain = re.sub(group, "", digits).replace(point, ".")
            value = -Decimal(plain) if negative else Decimal(plain)
            if value not in found:
                found.append(value)
    return tuple(found)


def amounts_alike(text: str, kept: str) -> bool:
    """Whether a text says the amount that is kept, of which a plain number is told."""
    return bool(set(amounts(text)) & set(amounts(kept)))
