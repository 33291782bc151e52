"""How many fields each record has: counted here, since databases' readers differ in what they drop without a word.

DuckDB's reader and MySQL's LOAD DATA let a record pass that has an empty field, or several, too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, numbered, wrong_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Record = list[str | None]

__all__ = ["FieldCounter", "check_width", "checked_rows"]

MOST_BEGUN = 64 * 1024
"""Delimiters of a record that is not over, above what is right, before it is refused as it is."""


def check_width(number: int, fields: int, width: int) -> None:
    """Raise BadRecordError unless record ``number`` after the header has as many fields as the table takes."""
    if fields != width:
        raise BadRecordError(wrong_fields(fields, width), numbered(number))


def checked_rows(rows: Iterable[Record], width: int) -> Iterator[Record]:
    """The same rows. Raises BadRecordError at the first that has not ``width`` fields."""
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            check_width(number, len(row), width)
        yield row


class FieldCounter:
    r"""Counts the fields of records whose bytes come in blocks, as fast as memory is compared.

    What is outside quotes is thinned out to its delimiters and record ends (LF): that is, for records that are right,
    one and the same short pattern over and over.
    """

    def __init__(self, delimiter: bytes, width: int) -> None:
        """``delimiter``: one byte. ``width``: the table's columns."""
        self._width = width
        self._pattern = delimiter * (width - 1) + b"\n"
        self._others = bytes(set(range(256)) - {delimiter[0], ord(b"\n")})
        self._begun = b""  # the delimiters so far of a record that goes on in the next block
        self._number = 1  # that record's

    def count(self, outside: bytes) -> None:
        """What is outside quotes in the next block. Raises BadRecordError at the first record of another width."""
        thinned = self._begun + outside.translate(None, self._others)
        ends = thinned.count(b"\n")
        rest = len(self._pattern) * ends
        # The length first: of a wide table's pattern, for a block of blank lines, there is no room in memory.
        right = rest <= len(thinned) < rest + len(self._pattern) + MOST_BEGUN
        if not right or not thinned.startswith(self._pattern * ends):
            self._refuse(thinned)
        self._begun = thinned[rest:]
        self._number += ends

    def finish(self, *, ended: bool) -> None:
        """The end of the data; ``ended``: behind a record end, or there was no data."""
        if not ended:
            self.count(b"\n")

    def _refuse(self, thinned: bytes) -> None:
        number, begin = self._number, 0
        while (end := thinned.find(b"\n", begin)) >= 0:
            check_width(number, end - begin + 1, self._width)
            number, begin = number + 1, end + 1
        fields = len(thinned) - begin + 1
        raise BadRecordError(f"the record has {fields} fields or more, not {self._width}", numbered(number))
