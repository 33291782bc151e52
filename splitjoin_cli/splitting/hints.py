"""What to type where a source reads otherwise than its user may mean: hints of errors, and warnings of a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.model import BYTE_ORDER_MARK
from splitjoin_cli.splitting.records.outcome import Kind

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Dialect

__all__ = ["blank_warning", "header_warnings", "letter_warning", "likely_delimiter", "lone_return_hint", "stray_hint"]

_SPELLED = {";": "';'", "\t": "tab", "|": "'|'"}


def likely_delimiter(header: bytes, delimiter: bytes) -> str | None:
    """How to type the delimiter of a first line that has one field; None where it has more, or holds none."""
    text = header.removeprefix(BYTE_ORDER_MARK)
    if delimiter in text:
        return None
    counts = {char: text.count(char.encode()) for char in _SPELLED if char.encode() != delimiter}
    likely = max(counts, key=lambda char: counts[char])
    return _SPELLED[likely] if counts[likely] else None


def lone_return_hint(*, feeds: bool) -> str:
    """For a carriage return without a line feed; ``feeds``: the file has line feeds.

    Where it has, turning one into the other would make two records of one.
    """
    if feeds:
        return "if only LF ends the records and a carriage return is data: --line-end lf"
    return "convert the line ends first, for example: tr '\\r' '\\n' < old.csv > new.csv"


def stray_hint(kind: Kind, likely: str | None) -> str:
    """For a quote in a wrong place. ``likely``: another delimiter that the header holds."""
    if likely is not None:
        return (
            f"the first line has one field and holds {likely}: if that separates the fields, --delimiter {likely}; "
            "else repair the source, or --quotechar none if quotes mean nothing in it"
        )
    way = "--on-stray-quote literal to take such quotes as data"
    if kind == Kind.CLOSING:  # taken literally, the quotes before it would go
        way = "--on-stray-quote mysql, by which a quote closes only before a delimiter or the end of a line"
    return (
        f"repair the source; or {way}; "
        "or --quotechar none if quotes mean nothing in it; check --delimiter and --escapechar"
    )


def header_warnings(header: bytes, fields: int, dialect: Dialect) -> list[str]:
    """What a header says of a delimiter, or of line ends, that are not what was asked for."""
    warnings = []
    likely = likely_delimiter(header, dialect.delimiter_bytes) if fields == 1 and dialect.header else None
    if likely is not None:
        warnings.append(
            f"the header has one field and holds {likely}: if that separates the fields, --delimiter {likely}"
        )
    if dialect.line_end_rule == "lf" and header.removesuffix(b"\n").endswith(b"\r"):
        warnings.append(
            "the header ends with a carriage return, which --line-end lf makes part of its last field; "
            "if lines end with CR LF, leave --line-end out"
        )
    return warnings


def blank_warning(lines: int, first: int) -> str:
    """Blank lines are records; ``first``: the line of the first one."""
    what = "1 blank line" if lines == 1 else f"{lines:,} blank lines"
    are, one, they = ("is a row", "one field", "it") if lines == 1 else ("are rows", "one field each", "them")
    where = f"line {first}" if lines == 1 else f"the first is line {first}"
    return f"{what} ({where}) {are} of {one}; --skip-blank-lines leaves {they} out"


def letter_warning(pair: str, line: int) -> str:
    """A letter stands after the escape character, the first time in ``line``."""
    return (
        f"line {line}: {pair} is read as the letter alone; "
        "if it means a control character, as in exports of MySQL and PostgreSQL, --c-escapes"
    )


def open_warning(line: int, byte: int) -> str:
    """The source ends inside a quoted field, which is let through: the quote opens in ``line``, at ``byte``."""
    return (
        f"line {line} (byte {byte}): the quote that opens here is still open at the end of the file, and no database "
        "loads that record; the export may be cut short"
    )
