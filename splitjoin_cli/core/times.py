"""Times as documents write them."""

from __future__ import annotations

import datetime as dt

__all__ = ["iso_time"]


def iso_time(at: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond, with Z."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, tz=dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
