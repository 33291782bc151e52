"""Bad rows as errors that say first what is wrong: readers and databases raise them, ``place`` adds where it is."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.units import size_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BadRecordError",
    "BadTextError",
    "CopyLines",
    "Record",
    "is_open",
    "is_too_large",
    "numbered",
    "too_large",
    "wrong_fields",
]

UTF8_BYTES = 4
"""Of a character, at most."""


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


def is_too_large(text: str, most_bytes: int) -> bool:
    """Whether a record, its line end included, takes more bytes of UTF-8 than that."""
    if len(text) * UTF8_BYTES <= most_bytes:
        return False
    return len(text) > most_bytes or len(text.encode("utf-8", "surrogateescape")) > most_bytes


def too_large(most_bytes: int) -> BadRecordError:
    """A record takes more memory than a loader may hold."""
    return BadRecordError(
        f"the record is larger than {size_text(most_bytes)}, the most that a loader holds in memory",
        lambda record: is_too_large(record.text, most_bytes),
        hint="allow it with a larger --max-record, if the worker has several times as much memory",
    )


def wrong_fields(found: int, expected: int) -> str:
    """The reason that a record of another width is bad."""
    return f"the record has {found} field{'' if found == 1 else 's'}, not {expected}"
