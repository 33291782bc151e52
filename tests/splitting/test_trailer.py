"""What the lines say that are left out at the end of a source."""

from __future__ import annotations

import pytest

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting.trailer import count_in, trailer_warnings


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("T|12345", 12345),
        ("TRAILER|20240131|00000042|x", 42),
        ('"T"|"12"', 12),
        ("(3 rows affected)", 3),
        ("(1 row)", 1),
        ("1,234 rows selected.", 1234),
        ("Number of records = 42", 42),
        ("Total: 7", 7),
        ("EOF", None),
        ("3|c", None),
        ("bob|100", None),
    ],
)
def test_a_number_of_rows_is_found(line: str, count: int | None) -> None:
    """In a field behind a trailer's mark, or beside a word for rows; a record's own number is none."""
    assert count_in(line, Dialect("|"), 2) == count


def test_what_does_not_fit_is_a_warning() -> None:
    """Another number of rows, and a line that looks like a record; not what fits, and not what was not counted."""
    dialect = Dialect("|")
    assert [*trailer_warnings(b"\nT|4\r\n", dialect, 2, 4)] == []
    assert [*trailer_warnings(b"T|4\n", dialect, 2, None)] == []
    assert [*trailer_warnings(b"T|4\n", dialect, 2, 3)] == ["the trailer says 4 rows, and there are 3: T|4"]
    assert [*trailer_warnings(b"3|c\n", dialect, 2, 2)] == [
        "a line that --skip-trailer left out has 2 fields, as the header has, and no number of rows: 3|c"
    ]
