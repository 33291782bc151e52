"""The options of ``split`` that fit what was found, and the command with them, as a user types it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from splitjoin_cli.core.places import is_s3
from splitjoin_cli.stores.sources.url import redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.inspect.look import Seen

__all__ = ["can_be_typed", "command_of", "delimiter_text", "options_of", "quote_of", "shown_source", "typed"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def delimiter_text(seen: Seen) -> str | None:
    """The delimiter as text; None where none was found."""
    if seen.form is None:
        return None
    return seen.form.delimiter.decode(_charset(seen), "replace")


def _charset(seen: Seen) -> str:
    name = seen.encoding.name or "utf-8"
    return "utf-8" if name.startswith("utf") else name


def can_be_typed(seen: Seen) -> bool:
    """Whether ``--delimiter`` takes it: UTF-8 as it is in the file, which a single byte above ASCII is not."""
    form = seen.form
    return form is not None and (form.delimiter.isascii() or _charset(seen) == "utf-8")


def quote_of(seen: Seen) -> str | None:
    """The quote character: ``"``, too, where the file has none and nothing speaks against it."""
    form = seen.form
    if form is None:
        return None
    if form.quote:
        return form.quote.decode()
    return None if form.escape or seen.quotes_are_text else '"'


def options_of(seen: Seen) -> list[str]:
    """Options of ``split``, word by word; none where no delimiter was found."""
    form = seen.form
    if form is None:
        return []
    words: list[str] = []
    preset = (",", None) if seen.dashes else (",", '"')
    if seen.dashes:
        words += ["--dialect", "sqlcmd"]
    delimiter, quote = str(delimiter_text(seen)), quote_of(seen)
    if delimiter != preset[0] or (seen.sep_line and delimiter != ","):
        words += ["--delimiter", "tab" if delimiter == "\t" else delimiter]
    if quote != preset[1]:
        words += ["--quotechar", quote or "none"]
    if form.escape:
        words += ["--escapechar", form.escape.decode()]
        words += ["--escape-in", "quotes"] if form.escape_quoted else []
        words += ["--c-escapes"] if seen.c_escapes else []
    if seen.encoding.name not in ("utf-8", None):
        words += ["--encoding", str(seen.encoding.name)]
    nulls = seen.nulls or (["none"] if seen.dashes else [])
    if not (seen.dashes and nulls == ["NULL"]):
        for text in nulls:
            words += ["--null", text]
    words += ["--skip-initial-space"] if form.skip_space else []
    words += ["--line-end", "lf"] if form.lf_only else []
    if seen.stray_rule:
        words += ["--on-stray-quote", seen.stray_rule]
    return words + _lines_left_out(seen)


def _lines_left_out(seen: Seen) -> list[str]:
    words: list[str] = []
    words += ["--no-header"] if seen.header is False else []
    if seen.skip_lines:
        words += ["--skip-lines", str(seen.skip_lines)]
    if seen.trailer:
        words += ["--skip-trailer", str(seen.trailer)]
    tally = seen.tally
    if tally is not None and tally.width > 1:
        words += ["--skip-blank-lines"] if tally.blank.times else []
        words += ["--skip-repeated-headers"] if tally.repeated.times and seen.header is not False else []
    return words


def shown_source(source: str) -> str:
    """A URL without user, password and query; paths, and ``s3://`` (keys hold any character), as they are."""
    return redacted(source) if "://" in source and not is_s3(source) else source


def command_of(source: str, options: Sequence[str]) -> str:
    """The whole command; ``source`` without user, password and query."""
    return " ".join(["splitjoin", "split", typed(source), "DEST", *map(typed, options)])


def typed(word: str) -> str:
    """A word as a shell takes it; control characters as bash, ksh and zsh write them."""
    if _CONTROL.search(word):
        escaped = word.replace("\\", "\\\\").replace("'", "\\'")
        return "$'" + _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", escaped) + "'"
    return shlex.quote(word)
