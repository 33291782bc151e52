"""One field of a dialect: as a regular expression, and what its text means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.model import Dialect

__all__ = ["NullRule", "field_pattern", "line_end_pattern", "null_texts", "skipped_lines", "value_of"]

NullRule = Literal["never", "word", "empty"]
"""Which unquoted field is NULL: none, the word NULL (MySQL's rule), the empty one (PostgreSQL's)."""

C_LETTERS = {"0": "\0", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "Z": "\x1a"}
r"""Letters after the escape character. MySQL's manual, "LOAD DATA Statement": \0 \b \n \r \t \Z; PostgreSQL's, "COPY",
File Formats, Text Format: \b \f \n \r \t \v. No letter means one thing here and another there."""


def line_end_pattern(dialect: Dialect) -> str:
    """What ends a record in text. By the rule ``auto`` the csv module's: a CR without its LF, too."""
    return r"\n" if dialect.line_end_rule == "lf" else r"\r\n|\n|\r"


def field_pattern(dialect: Dialect, *groups: str) -> str:
    """A regular expression for one field: a quoted part (if any) and a plain rest.

    ``groups``: names for what is inside the quotes, an escape character right behind them, and the rest; or none.
    """
    inside, behind, rest = (f"?P<{name}>" for name in groups) if groups else ("?:", "?:", "?:")
    first, more = re.escape(dialect.delimiter[0]), re.escape(dialect.delimiter[1:])
    escape = re.escape(dialect.escapechar) if dialect.escapechar else ""
    escaped = rf"|{escape}(?s:.)" if escape else ""
    outside = dialect.escape_in == "any"
    spaces = " *+" if dialect.skip_initial_space else ""
    quoted = ""
    if dialect.quotechar:
        quote = re.escape(dialect.quotechar)
        # possessive: what is not closed never matches as a plain field
        inner = f"(?:[^{quote}{escape}]++|{quote}{quote}{escaped}{_open_quote(dialect, quote)})*+"
        # the csv module takes an escape character right behind a closing quote for itself
        literal = f"{escape}?+" if escape and outside and dialect.stray_quote != "mysql" else ""
        quoted = rf"(?:{quote}({inside}{inner}){quote}({behind}{literal})|(?!{quote}))"
    ends = r"\n" if dialect.line_end_rule == "lf" else r"\r\n"
    beginning = f"|{first}(?!{more})" if more else ""
    plain = rf"({rest}(?:[^{first}{ends}{escape if outside else ''}]++{escaped if outside else ''}{beginning})*+)"
    return spaces + quoted + plain


def _open_quote(dialect: Dialect, quote: str) -> str:
    """A quote that closes nothing: in MySQL's reading one without a delimiter, a line end or the file's behind it.

    MySQL's manual, "LOAD DATA Statement", on ENCLOSED BY.
    """
    if dialect.stray_quote != "mysql":
        return ""
    line_end = r"\n" if dialect.line_end_rule == "lf" else r"\r?\n"
    return rf"|{quote}(?!{re.escape(dialect.delimiter)}|{line_end}|\Z)"


def value_of(dialect: Dialect, null_rule: NullRule) -> Callable[[re.Match[str]], str | None]:
    """What a field that ``field_pattern`` found means, its groups being ``quoted``, ``literal`` and ``plain``."""
    quote, escape = dialect.quotechar, dialect.escapechar
    letters = C_LETTERS if dialect.c_escapes else {}
    pair = re.compile(re.escape(escape) + "(?s:(.))").sub if escape else None
    unescape = pair if dialect.escape_in == "any" else None
    undouble = None
    if quote:
        escaped = f"|{re.escape(escape)}(?s:.)" if escape else ""
        undouble = re.compile(f"{re.escape(quote)}{{2}}{escaped}").sub
    nulls = null_texts(dialect, null_rule)

    def letter(found: re.Match[str]) -> str:
        return letters.get(found[0][1], found[0][1]) if found[0][0] == escape else found[0][1]

    def value(found: re.Match[str]) -> str | None:
        plain = found["plain"]
        quoted = found["quoted"] if quote else None
        if quoted is None and plain in nulls:
            return None
        if unescape and escape and escape in plain:
            plain = unescape(letter, plain)
        if quoted is None:
            return plain
        if undouble:
            quoted = undouble(letter, quoted)
        return quoted + found["literal"] + plain

    return value


def null_texts(dialect: Dialect, null_rule: NullRule) -> frozenset[str]:
    """The texts of unquoted fields that are NULL."""
    if dialect.nulls is not None:
        return frozenset(dialect.nulls)
    marks = {"never": set(), "word": {"NULL"}, "empty": {""}}[null_rule]
    if null_rule == "word" and not dialect.quotechar:
        marks = set()  # without a quote character, MySQL has no word for NULL
    return frozenset(marks | ({f"{dialect.escapechar}N"} if dialect.escapechar else set()))


def skipped_lines(dialect: Dialect, header: str | None) -> Callable[[str, int, int], bool]:
    """Whether what is found between two places of a text, its line end included, is not a record.

    ``header``: the header as it is in the file. A byte order mark is no part of it.
    """
    if not (dialect.skip_blank_lines or dialect.skip_repeated_headers):
        return _nothing_skipped

    def line(record: str) -> str:
        ended = record.removesuffix("\n")
        return ended if dialect.line_end_rule == "lf" else ended.removesuffix("\r")

    repeated = line(header.removeprefix("\ufeff")) if header and dialect.skip_repeated_headers else None

    def is_skipped(texts: str, start: int, end: int) -> bool:
        text = line(texts[start:end])
        blank = dialect.skip_blank_lines and not text.strip(" \t") and dialect.delimiter not in text
        return blank or text == repeated

    return is_skipped


def _nothing_skipped(text: str, start: int, end: int) -> bool:
    del text, start, end
    return False
