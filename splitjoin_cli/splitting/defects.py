"""What is said of a source that breaks the rules of its dialect: where, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.words import count_text
from splitjoin_cli.splitting.hints import likely_delimiter, lone_return_hint, stray_hint
from splitjoin_cli.splitting.locate import byte_of, find_open_quote, line_of, read_blocks
from splitjoin_cli.splitting.records.outcome import Kind

if TYPE_CHECKING:
    from splitjoin_cli.splitting.records.base import Alphabet
    from splitjoin_cli.stores.sources.base import Source

__all__ = ["defect_error", "ragged_error", "unclosed_error"]

_FIRST_BYTES = 64 * 1024


def ragged_error(source: Source, start: int, fields: int, expected: int) -> BadInputError:
    """For a record that begins at ``start``, and has ``fields``."""
    return BadInputError(
        f"{_place(source, start)}: the record has {count_text(fields, 'field')}, the first record has {expected}",
        hint="repair the record, or leave --strict out to split it as it is",
    )


def defect_error(source: Source, alphabet: Alphabet, at: int, kind: Kind) -> BadInputError:
    """For the byte at ``at``, which does not belong there."""
    if kind == Kind.LONE_CR:
        return BadInputError(
            f"{_place(source, at)}: a carriage return without a line feed; records end with LF or CR LF",
            hint=lone_return_hint(feeds=_has_feeds(source)),
        )
    what = "a closing quote that is not followed by a delimiter or the record's end"
    if kind == Kind.OPENING:
        what = "a quote inside a field that does not begin with one"
    return BadInputError(
        f"{_place(source, at)}: {what}",
        hint=stray_hint(kind, likely_delimiter(_first_line(source), alphabet.delimiter)),
    )


def unclosed_error(source: Source, alphabet: Alphabet, start: int) -> BadInputError:
    """For a quote that is open at the end of a source, in the record that begins at ``start``."""
    return BadInputError(
        f"{_place(source, find_open_quote(source, alphabet, start))}: "
        "the quote that opens here is still open at the end of the file",
        hint="the export may be cut short; or --on-stray-quote literal to split it as the csv module reads it, though "
        "no database loads that record; or --quotechar none if quotes mean nothing in it",
    )


def _place(source: Source, at: int) -> str:
    return f"{source.properties.uri}, line {line_of(source, at)} (byte {byte_of(source, at)})"


def _first_line(source: Source) -> bytes:
    """The header's, as far as it is needed to see what it holds."""
    start = b"".join(bytes(block) for block in read_blocks(source, 0, _FIRST_BYTES))
    return start.partition(b"\n")[0]


def _has_feeds(source: Source) -> bool:
    return any(b"\n" in bytes(block) for block in read_blocks(source, 0))
