"""Records as the text that they are in a file: what is needed to cut it up, and the fields of one record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from splitjoin_cli.core.native.rows import TextShape
from splitjoin_cli.stores.loaders.fields import records
from splitjoin_cli.stores.loaders.grammar import null_texts

if TYPE_CHECKING:
    from splitjoin_cli.core.model import Dialect
    from splitjoin_cli.stores.loaders.grammar import NullRule

__all__ = ["RecordText", "copied_fields"]

_ESCAPED = re.compile(r"\\(.)")
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copied_fields(row: bytes) -> list[str | None]:
    """The fields of a row as PostgreSQL's COPY writes it: its manual, "COPY", Text Format."""
    fields = row.removesuffix(b"\n").decode("utf-8", "surrogateescape").split("\t")
    return [None if field == "\\N" else _ESCAPED.sub(_meant, field) for field in fields]


def _meant(found: re.Match[str]) -> str:
    return _MEANT.get(found[1], found[1])


class RecordText:
    """How the records of a dialect of RFC 4180, in UTF-8, are cut into fields."""

    def __init__(self, dialect: Dialect, null_rule: NullRule, empty_nulls: tuple[int, ...], most_bytes: int) -> None:
        """``empty_nulls``: the columns in which an empty field is NULL."""
        self._dialect, self._null_rule, self._most_bytes = dialect, null_rule, most_bytes
        self.empty_nulls = empty_nulls
        self.shape = TextShape(
            delimiter=ord(dialect.delimiter),
            quote=ord(dialect.quotechar or '"'),
            nulls=tuple(sorted(text.encode() for text in null_texts(dialect, null_rule))),
            empty_nulls=frozenset(empty_nulls),
            most_bytes=most_bytes,
        )

    def fields(self, record: bytes) -> list[str | None]:
        """The fields of one whole record; None is NULL."""
        row = next(records([record.decode()], self._dialect, self._null_rule, most_bytes=self._most_bytes))
        for place in self.empty_nulls:
            if not row[place]:
                row[place] = None
        return row
