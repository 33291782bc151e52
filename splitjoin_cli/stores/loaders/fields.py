"""Records of delimited text as fields, for what a database's own reader would read otherwise: exact, not fast.

The csv module has the same rules, but does not tell a quoted field from an unquoted one, which NULL depends on.
"""

from __future__ import annotations

import codecs
import re
from itertools import chain
from typing import TYPE_CHECKING

from splitjoin_cli.core.units import LARGE_RECORD_BYTES
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, is_open, is_too_large, too_large
from splitjoin_cli.stores.loaders.grammar import field_pattern, line_end_pattern, skipped_lines, value_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.stores.loaders.grammar import NullRule

__all__ = ["decoded", "records", "text_lines"]

_LINE_END = re.compile("[\r\n]")
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


def decoded(blocks: Iterable[bytes | memoryview], encoding: str, errors: str = "strict") -> Generator[str, None, None]:
    """The text of ``blocks``, wherever they cut a character. Raises BadTextError for bytes that are not text."""
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    try:
        for block in blocks:
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as exc:
        raise BadTextError(encoding, exc.object[exc.start]) from exc


def records(  # noqa: C901 -- one loop over text that comes in pieces
    texts: Iterable[str],
    dialect: Dialect,
    null_rule: NullRule = "never",
    *,
    most_bytes: int = LARGE_RECORD_BYTES,
    header: str | None = None,
) -> Iterator[list[str | None]]:
    """Each record's fields; a blank line is one empty field. None is NULL.

    As the csv module without ``strict`` reads them, where the dialect says nothing else: a quote opens a field only at
    its start, and what follows a closing quote is taken literally. With an escape character, an unquoted field of it
    and ``N`` is NULL (as MySQL, PostgreSQL and Hive write it), unless the dialect names its NULLs. ``header``: as it
    is in the file, where records equal to it are none. Raises BadRecordError for a quote that nothing closes, and
    for a record of more than ``most_bytes``, of which it holds no more than that.
    """
    match_field = _pattern(dialect).match
    value = value_of(dialect, null_rule)
    is_skipped = skipped_lines(dialect, header)
    pending = ""
    more: list[str] = []
    for next_text in chain(texts, (None,)):
        last = next_text is None
        more.append(next_text or "")
        coming = sum(map(len, more))
        if not last and coming <= len(pending) and len(pending) + coming <= most_bytes:
            continue  # at least double what is pending, so that long fields take linear time
        if len(pending) + coming > most_bytes and pending and not any(map(_LINE_END.search, more)):
            more, pending = [], ""  # an error keeps what its frames hold
            raise too_large(most_bytes)  # before all of it is put together
        text = pending + "".join(more)
        more = []
        record: list[str | None] = []
        place = begin = 0
        while place < len(text) or record:
            found = match_field(text, place)
            if found is None or (found.end() == len(text) and not last):
                break  # the field, or a CR LF, may go on in what comes next
            record.append(value(found))
            place = found.end()
            if found["end"] != dialect.delimiter:
                if is_too_large(text[begin:place], most_bytes):
                    text, pending, record, found = "", "", [], None
                    raise too_large(most_bytes)
                if not is_skipped(text, begin, place):
                    yield record
                record = []
                begin = place
        pending = text[begin:]
        text, found = "", None  # what is long is not held twice
        if len(pending) > most_bytes:
            pending = ""
            raise too_large(most_bytes)
    if pending:
        raise BadRecordError("a quote is never closed", is_open)


def _pattern(dialect: Dialect) -> re.Pattern[str]:
    """One field and what ends it: delimiter, line end, or nothing more."""
    field = field_pattern(dialect, "quoted", "literal", "plain")
    return re.compile(rf"{field}(?P<end>{re.escape(dialect.delimiter)}|{line_end_pattern(dialect)}|\Z)")


def text_lines(rows: Iterable[list[str | None]]) -> Iterator[bytes]:
    r"""Rows in the text format that PostgreSQL (COPY, FORMAT text) and MySQL (LOAD DATA's defaults) both read.

    Tabs between fields, ``\`` before what would be misread, ``\N`` for NULL, UTF-8.
    """
    for row in rows:
        yield ("\t".join(["\\N" if field is None else _escaped(field) for field in row]) + "\n").encode()


def _escaped(field: str) -> str:
    for plain, escaped in _ESCAPES:
        if plain in field:
            field = field.replace(plain, escaped)
    return field
