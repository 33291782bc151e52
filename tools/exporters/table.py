"""One awkward table: what exporters write differently, a row each."""

from __future__ import annotations

__all__ = ["COLUMNS", "ROWS", "VALUES"]

COLUMNS = ("id", "t", "u")
VALUES: tuple[str | None, ...] = (
    *("plain", None, "", "NULL", "\\N", "a,b", 'a"b', '"', "a\rb", "a\nb", "a\r\nb", "a\\b", "\\", 'a\\"b', "a'b"),
    *("a\tb", " a ", "  ", "a;b", "a|b", "a||b", "äöü Zoë", "日本語", "\\n", "\\.", "a\\", "#a", "=1+1", "1.50", "a\r"),
    *("\v\f\b\x1a", "true", "2024-01-31T12:34:56.789+02:00", "\n", "null", "NA", "\ufeffx", "a\u2028b", "id"),
)
"""Row 2 is NULL, 3 the empty text, 4 the text NULL. No NUL: PostgreSQL does not store it."""
ROWS: tuple[tuple[int, str | None, str | None], ...] = tuple(
    (place + 1, value, VALUES[-place - 1]) for place, value in enumerate(VALUES)
)
"""An id from 1, a text, and another one in the last column: there a line's end is near."""
