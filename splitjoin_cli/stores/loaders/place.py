"""Where in a chunk a bad row is: its record and its physical line, found by reading the chunk once more."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError, SplitjoinError
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, Record
from splitjoin_cli.stores.loaders.body import body_texts
from splitjoin_cli.stores.loaders.grammar import field_pattern, line_end_pattern, skipped_lines
from splitjoin_cli.stores.loaders.header import header_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.stores.loaders.base import ChunkToLoad

__all__ = ["placed", "whole_records"]

_UNDECODABLE = re.compile("[\udc80-\udcff]")


def placed(chunk: ChunkToLoad, error: BadRecordError, most_bytes: int) -> BadRowError:
    """``error`` with the record and the line that it is about, where they can be found.

    ``most_bytes``: the search ends at a longer record, which no reader held.
    """
    try:
        found = _find(chunk, error, most_bytes)
    except SplitjoinError:  # the chunk cannot be read now: what is wrong with the row is more than where it is
        found = None
    if found is None:
        return BadRowError(error.reason, hint=error.hint)
    record, reason, line = found
    return BadRowError(f"record {record.number}, line {line} of the chunk: {reason}", hint=error.hint)


def _find(chunk: ChunkToLoad, error: BadRecordError, most_bytes: int) -> tuple[Record, str, int] | None:
    if error.find is None and not isinstance(error, BadTextError):
        return None
    with closing(body_texts(chunk, "surrogateescape")) as texts:
        header = header_text(chunk)
        for record in whole_records(texts, chunk.dialect, chunk.header_lines + 1, most_bytes, header=header):
            bad = _UNDECODABLE.search(record.text)
            if isinstance(error, BadTextError):
                if bad is not None:
                    text = BadTextError(chunk.dialect.encoding, ord(bad[0]) - 0xDC00)
                    return record, text.reason, record.line + record.text.count("\n", 0, bad.start())
            elif error.find is not None and error.find(record):
                return record, error.reason, record.line
    return None


def whole_records(
    texts: Iterable[str], dialect: Dialect, line: int, most_bytes: int, *, header: str | None = None
) -> Iterator[Record]:
    """The records as they stand in ``texts``; ``line``: of the first one. One above ``most_bytes`` is the last.

    ``header``: as ``fields.records`` takes it.
    """
    is_skipped = skipped_lines(dialect, header)
    field = field_pattern(dialect)
    match = re.compile(
        f"{field}(?:{re.escape(dialect.delimiter)}{field})*+(?P<end>{line_end_pattern(dialect)}|\\Z)"
    ).match
    number, pending = 1, ""
    more: list[str] = []
    for next_text in chain(texts, (None,)):
        last = next_text is None
        more.append(next_text or "")
        held = len(pending) + sum(map(len, more))
        if not last and held < min(2 * len(pending), most_bytes):
            continue
        text = pending + "".join(more)
        more = []
        place = 0
        while place < len(text):
            found = match(text, place)
            if found is None or (found.end() == len(text) and not last):
                break
            if not is_skipped(text, place, found.end()):
                yield Record(number, line, found[0])
                number += 1
            line, place = line + found[0].count("\n"), found.end()
        pending = text[place:]
        text, found = "", None  # what is long is not held twice
        if len(pending) > most_bytes:
            break
    if pending:
        yield Record(number, line, pending, is_open=len(pending) <= most_bytes)
