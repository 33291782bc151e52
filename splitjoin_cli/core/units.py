"""Numbers with units, as people write them in options and variables: sizes and durations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = [
    "LARGE_RECORD_BYTES",
    "MAX_INTEGER",
    "MAX_JOBS",
    "MAX_WORKERS",
    "SECONDS_IN",
    "SIZE_UNITS",
    "parse_rate",
    "parse_seconds",
    "parse_size",
    "scaled",
    "size_text",
]

MAX_JOBS = 1024
MAX_WORKERS = 64
LARGE_RECORD_BYTES = 256 * 1024 * 1024
"""A loader refuses a larger record unless it is asked to take it, and a split warns of it."""
MAX_INTEGER = 2**63 - 1
"""Offsets and counts are kept in 64 bits."""

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


def parse_size(value: int | str) -> int:
    """Bytes from 1 to 2**63 - 1: ``64MiB``, ``100MB``, ``1.5G``, plain bytes. Raises ValueError."""
    number = value if isinstance(value, int) else scaled(value, SIZE_UNITS)
    if number is None:
        raise ValueError(f"{value!r} is not a size: write 64MiB, 100MB, 1GiB, or plain bytes")
    if number != int(number):
        raise ValueError(f"{value!r} is not a whole number of bytes")
    if not 1 <= number <= MAX_INTEGER:
        raise ValueError(f"{value!r} is not between 1 byte and 8 EiB")
    return int(number)


def parse_rate(value: int | str) -> int:
    """Bytes a second: a size, with or without ``/s``. Raises ValueError."""
    if isinstance(value, int):
        return parse_size(value)
    try:
        return parse_size(value.strip().removesuffix("/s"))
    except ValueError as exc:
        raise ValueError(f"{value!r} is not a rate: write 8MB/s, 500KiB/s, or plain bytes per second") from exc


def parse_seconds(value: float | str) -> float:
    """Seconds above 0: ``90s``, ``15m``, ``2h``, ``1d``, plain seconds. Raises ValueError."""
    seconds = scaled(value, SECONDS_IN) if isinstance(value, str) else value
    if seconds is None:
        raise ValueError(f"{value!r} is not a duration: write 90s, 15m, 2h")
    if not 0 < seconds <= MAX_INTEGER:
        raise ValueError(f"{value!r} is not more than 0 seconds")
    return float(seconds)


def size_text(size: int) -> str:
    """A size as it is typed: ``256MiB``, ``1000 bytes``."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return f"{size} byte{'' if size == 1 else 's'}"
