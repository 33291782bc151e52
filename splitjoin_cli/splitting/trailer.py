"""What the lines say that are left out at the end of a source: a number of rows, or that they are rows themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.bytes.lines import LineRule
from splitjoin_cli.core.shown import shown
from splitjoin_cli.core.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import Dialect

__all__ = ["MOST_TRAILER_LINES", "count_in", "is_tagged", "text_fields", "trailer_warnings"]

SHOWN_BYTES = 80
_NUMBER = r"(\d{1,3}(?:[,.' ]\d{3})+|\d+)"
_ROWS_AFTER = re.compile(
    _NUMBER + r"\s*(?:rows?|records?|lines?|entries|tuples)\b(?!\s*:)|" + _NUMBER + r"\s*row\(s\)", re.IGNORECASE
)
_ROWS_BEFORE = re.compile(
    r"\b(?:rows?|records?|lines?|count|total|entries|number of \w+)\b[^\d\n]{0,24}?" + _NUMBER + r"(?![\d.,:/-])",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"(?:t|tr|trl|tlr|trlr|trailer|f|ft|ftr|footer|e|#?eof|end|z|zz|(grand )?totals?|sum|count|rows|records)\W*",
    re.IGNORECASE,
)
MOST_TRAILER_LINES = 3
_DATE = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def trailer_warnings(tail: bytes, dialect: Dialect, fields: int, rows: int | None) -> Iterator[str]:
    """What is odd about the lines ``tail``, which are left out behind ``rows`` records (None: not counted).

    ``fields``: of the header. One warning for a number of rows that is another one, and one for a line that looks
    like a record.
    """
    rule = LineRule(dialect.delimiter_bytes)
    lines = [line for line in tail.split(b"\n") if not rule.is_blank(line)]
    texts = [line.decode(dialect.encoding, "replace").removesuffix("\r") for line in lines]
    counted = [(count, text) for text in texts if (count := count_in(text, dialect, fields)) is not None]
    numbers = {count for count, _ in counted}
    if rows is not None and counted and rows not in numbers:
        count, text = counted[0]
        yield f"the trailer says {count_text(count, 'row')}, and there are {rows:,}: {shown(text, SHOWN_BYTES)}"
    if fields > 1 and not counted:
        alike = next((text for text in texts if len(text_fields(text, dialect)) == fields), None)
        if alike is not None:
            said = f"has {fields} fields, as the header has, and no number of rows: {shown(alike, SHOWN_BYTES)}"
            yield f"a line that --skip-trailer left out {said}"


def text_fields(text: str, dialect: Dialect) -> list[str]:
    """The fields of one line, quotes taken off, without care for what is between them."""
    quote = dialect.quotechar
    if quote is None or quote not in text:
        return [field.strip() for field in text.split(dialect.delimiter)]
    piece = re.escape(quote)
    parts = re.split(f"({piece}[^{piece}]*{piece})", text)  # the quoted ones are the odd ones
    marked = "".join(part if at % 2 else part.replace(dialect.delimiter, "\0") for at, part in enumerate(parts))
    return [field.strip().strip(quote) for field in marked.split("\0")]


def is_tagged(field: str) -> bool:
    """Whether a first field is one that trailers begin with: ``T``, ``TRAILER``, ``EOF``."""
    return _TAG.fullmatch(field) is not None


def count_in(text: str, dialect: Dialect, fields: int) -> int | None:
    """The number of rows that a line of a trailer says; None where it says none."""
    for pattern in (_ROWS_AFTER, _ROWS_BEFORE):
        if found := pattern.search(text):
            return _number(next(group for group in found.groups() if group))
    parts = text_fields(text, dialect)
    numbers = [part for part in parts[1:] if part.isascii() and part.isdigit() and not _DATE.fullmatch(part)]
    tagged = is_tagged(parts[0]) or (len(parts) != fields and parts[0].isalpha() and len(numbers) == 1)
    return _number(numbers[0]) if tagged and numbers else None


def _number(text: str) -> int:
    return int(re.sub(r"\D", "", text)[:18])
