"""Bad rows as errors that say first what is wrong: readers and databases raise them, ``place`` adds where it is."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BadRecordError", "BadTextError", "CopyLines", "Record", "is_open", "numbered", "wrong_fields"]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a chunk as it stands there, undecodable bytes as lone surrogates.

    ``number``: from 1, the header not counted. ``line``: of the chunk, from 1, where it begins. ``is_open``: the chunk
    ends within its quotes.
    """

    number: int
    line: int
    text: str
    is_open: bool = False


class BadRecordError(BadRowError):
    """A bad row that is known by something else than its line. ``reason`` is the whole message until it is placed."""

    def __init__(self, reason: str, find: Callable[[Record], bool] | None, *, hint: str | None = None) -> None:
        """``find`` is asked for each record of the chunk in order, until it knows the bad one; None: nobody knows."""
        super().__init__(reason, hint=hint)
        self.find = find


class BadTextError(BadRecordError):
    """A row holds bytes that are not text in the chunk's encoding."""

    def __init__(self, encoding: str, byte: int | None = None) -> None:
        """``byte``: the first such one, where the reader knows it."""
        name = codecs.lookup(encoding).name
        self.encoding = "UTF-8" if name == "utf-8" else encoding
        what = "a byte" if byte is None else f"byte 0x{byte:02x}"
        super().__init__(
            f"{what} is not valid {self.encoding}",
            None,
            hint="if the file has another encoding, split it again with --encoding NAME; else repair it",
        )


def numbered(number: int) -> Callable[[Record], bool]:
    """Finds a record by its number."""
    return lambda record: record.number == number


def is_open(record: Record) -> bool:
    """Finds the record that the chunk ends in."""
    return record.is_open


class CopyLines:
    """Finds the record that PostgreSQL's COPY in CSV calls by a line.

    It counts a line for each record, and those inside quotes, but for its first record's: until that has ended it
    does not know the line end, and counts carriage returns (copyfromparse.c, CopyReadLineText).
    """

    def __init__(self, line: int, *, header: str = "", line_feeds: bool = True) -> None:
        """``header``: what COPY reads before the first record. ``line_feeds``: its lines end with LF, not CR LF."""
        self._left = line
        self._line_end = "\n" if line_feeds else "\r"
        self._first = True
        if header:
            self._count(header.rstrip("\r\n"))

    def __call__(self, record: Record) -> bool:
        """Whether ``record``, the next one, is meant."""
        self._count(record.text.rstrip("\r\n"))
        return self._left <= 0

    def _count(self, text: str) -> None:
        self._left -= 1 + text.count("\r" if self._first else self._line_end)
        self._first = False


def wrong_fields(found: int, expected: int) -> str:
    """The reason that a record of another width is bad."""
    return f"the record has {found} field{'' if found == 1 else 's'}, not {expected}"
