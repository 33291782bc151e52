"""Numbers with units, as people write them in options and variables: sizes and durations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = ["SECONDS_IN", "SIZE_UNITS", "scaled"]

_NUMBER_AND_UNIT = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?) ?([a-z]*)", re.IGNORECASE | re.ASCII)
SIZE_UNITS = {"": 1, "b": 1} | {
    name: base**power
    for power, letter in enumerate("kmgt", start=1)
    for name, base in ((letter, 1024), (f"{letter}ib", 1024), (f"{letter}b", 1000))
}
"""Bytes in a unit: K and KiB are 1024, KB is 1000."""
SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def scaled(text: str, units: Mapping[str, int]) -> Decimal | None:
    """``15m`` in the smallest of ``units``, whatever the case of its letters; None where it is no such number."""
    from decimal import Decimal  # noqa: PLC0415 -- many a run has no such number

    match = _NUMBER_AND_UNIT.fullmatch(text.strip())
    unit = units.get(match[2].lower()) if match else None
    return None if match is None or unit is None else Decimal(match[1]) * unit
