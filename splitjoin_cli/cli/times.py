"""Times for people: how long ago, or in full."""

from __future__ import annotations

from dataclasses import dataclass

from splitjoin_cli.core.times import iso_time

__all__ = ["Times", "relative_text"]

_UNITS = (("d", 86_400, 2), ("h", 3600, 1), ("min", 60, 1), ("s", 1, 1))
"""Each from so many of it on: a day and a half is 36 h."""


@dataclass(frozen=True, slots=True)
class Times:
    """``now``: of the look (seconds since 1970, UTC). ``full``: ISO 8601 in UTC, rather than how long ago."""

    now: float
    full: bool = False

    def text(self, at: float | None) -> str:
        """``3 min ago``, ``in 40 s``, ``2024-01-31T10:00:00.000Z``, ``unknown``."""
        if at is None:
            return "unknown"
        return (iso_time(at) or "") if self.full else relative_text(self.now - at)


def relative_text(seconds: float) -> str:
    """``3 min ago``; ``in 3 min`` where it is below 0, as the clocks of two machines or a lease have it."""
    for unit, size, least in _UNITS:
        if abs(seconds) >= size * least:
            count = f"{int(abs(seconds) // size):,} {unit}"
            return f"{count} ago" if seconds > 0 else f"in {count}"
    return "just now"
