"""What rows.h takes: rows of a file's text or of a table's values, hashed and summed by bucket, or found again."""

from __future__ import annotations

import ctypes
import enum
import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SIGNATURES", "As", "Ended", "Found", "HashedRows", "Sums", "TextShape", "bucket_of", "layout"]

_ADDRESS, _NUMBER, _SMALL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_ROOM = 4096
_FOUND = struct.Struct("=qqQ16s")
_WORD = (1 << 64) - 1
_COLUMN_ROOM = 128
_IS_BY, _EMPTY_IS_NULL = 0x20, 0x40


class As(enum.IntEnum):
    """How a column's values come to their form; the numbers of rows.h."""

    TEXT = 0
    PADDED = 1
    NUMBER = 2
    SINGLE = 3
    """A number that is told by a 32-bit float."""
    DOUBLE = 4
    """A number that is told by a 64-bit float."""
    DATE = 5
    DATETIME = 6
    TIME = 7
    BOOLEAN = 8
    HEX = 9
    MEMBER = 10
    LOCAL_SAID = 11
    """An instant without an offset, as a file has it."""
    LOCAL_KEPT = 12
    """The same as a table tells it, with the session's offset."""
    INSTANT = 13
    ODD = 14
    """Python's alone."""
    NOTHING = 15
    """Not compared."""


class Ended(enum.IntEnum):
    """Why a call came back; the numbers of rows.h."""

    DONE = 0
    FULL = 1
    STOPPED = 2
    STRANGE = 3


@dataclass(frozen=True, slots=True)
class TextShape:
    """How text is cut into values: RFC 4180 with one delimiter and quote of a byte each, in UTF-8.

    ``nulls``: what means NULL where it is not in quotes. ``empty_nulls``: the columns in which each empty value does.
    """

    delimiter: int
    quote: int
    nulls: tuple[bytes, ...]
    empty_nulls: frozenset[int]
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A row that was looked for: from ``begin`` to ``end`` in the text, or both its number among the values."""

    begin: int
    end: int
    by: int
    digest: bytes


class Sums:
    """For each bucket the sum of its rows' hashes in two halves, and their number."""

    def __init__(self, buckets: int) -> None:
        """All are 0."""
        self.buckets = buckets
        self.each = array("Q", bytes(24 * buckets))

    @property
    def counts(self) -> array[int]:
        """Of each bucket how many rows are in it."""
        return self.each[2::3]

    def add(self, bucket: int, digest: bytes) -> None:
        """One more row, without the kernel."""
        low, high, _ = self.each[3 * bucket : 3 * bucket + 3]
        total = low + (high << 64) + int.from_bytes(digest, "little")
        self.each[3 * bucket], self.each[3 * bucket + 1] = total & _WORD, total >> 64 & _WORD
        self.each[3 * bucket + 2] += 1

    def differing(self, other: Sums) -> list[int]:
        """The buckets that are not the same in both, ascending."""
        if self.each == other.each:
            return []
        places = range(0, len(self.each), 3)
        return [place // 3 for place in places if self.each[place : place + 3] != other.each[place : place + 3]]


def bucket_of(by: int, buckets: int) -> int:
    """The bucket of a row with this hash."""
    return (by >> 32) * buckets >> 32


class _Rows(ctypes.Structure):
    """struct rows in rows.h."""

    _fields_ = (
        ("key", ctypes.c_uint64 * 2),
        *((name, _ADDRESS) for name in ("kinds", "scratch", "forms", "sums", "wanted")),
        *((name, _ADDRESS) for name in ("found", "odd", "nulls")),
        *((name, _NUMBER) for name in ("columns", "buckets", "found_room", "found_count", "odd_room", "odd_count")),
        *((name, _NUMBER) for name in ("nulls_size", "most_bytes", "at", "number", "taken")),
        ("by", ctypes.c_uint64),
        *((name, _SMALL) for name in ("delimiter", "quote", "is_last", "bytes_are_odd")),
    )


def layout() -> int:
    """The size of what is handed over, as the kernel's ``sj_rows_layout`` says it."""
    return ctypes.sizeof(_Rows)


class HashedRows:
    """Rows of one side on their way into sums, or looked for. Not thread-safe.

    After each call ``found`` and ``odd`` are the rows that were looked for, and those that are left to Python, as
    places in the text or as numbers; ``at`` and ``number`` are how far it came, in bytes and rows.
    """

    def __init__(self, functions: ctypes.CDLL, key: bytes, kinds: Sequence[As], by: frozenset[int], sums: Sums) -> None:
        """``key``: 16 random bytes. ``by``: the columns that choose a row's bucket."""
        self._functions, self._by = functions, by
        self._rows = _Rows(columns=len(kinds), buckets=sums.buckets, found_room=_ROOM, odd_room=_ROOM)
        self._rows.key[:] = struct.unpack("=QQ", key)
        self._held = {
            "found": array("q", bytes(_FOUND.size * _ROOM)),
            "odd": array("q", bytes(16 * _ROOM)),
            "sums": sums.each,
        }
        for name, place in self._held.items():
            setattr(self._rows, name, place.buffer_info()[0])
        self._room = 0
        self._nulls = b""
        self._empty_nulls: frozenset[int] = frozenset()
        self.set_kinds(kinds)

    def set_kinds(self, kinds: Sequence[As]) -> None:
        """From here on."""
        self._plain = tuple(kinds)
        flagged = bytes(
            kind | (_IS_BY if place in self._by else 0) | (_EMPTY_IS_NULL if place in self._empty_nulls else 0)
            for place, kind in enumerate(kinds)
        )
        self._kinds = ctypes.create_string_buffer(flagged, len(flagged))
        self._rows.kinds = ctypes.addressof(self._kinds)

    def look_for(self, wanted: bytes) -> None:
        """Sum nothing from here on, and find the rows of these buckets: a byte for each, 1 where it is wanted."""
        self._wanted = ctypes.create_string_buffer(wanted, len(wanted))
        self._rows.wanted = ctypes.addressof(self._wanted)

    def begin_copy(self) -> None:
        """Take rows as PostgreSQL's COPY writes them next."""
        self._rows.at = self._rows.number = 0

    def begin_text(self, shape: TextShape, *, is_last: bool) -> None:
        """Take records of a text next. ``is_last``: nothing comes behind it."""
        rows = self._rows
        if self._empty_nulls != shape.empty_nulls:
            self._empty_nulls = shape.empty_nulls
            self.set_kinds(self._plain)
        self._nulls = b"".join(bytes([len(text)]) + text for text in shape.nulls)
        self._null_place = ctypes.create_string_buffer(self._nulls, len(self._nulls) + 1)
        rows.nulls, rows.nulls_size = ctypes.addressof(self._null_place), len(self._nulls)
        rows.delimiter, rows.quote, rows.most_bytes = shape.delimiter, shape.quote, shape.most_bytes
        rows.is_last, rows.at, rows.number = is_last, 0, 0

    def begin_values(self, *, bytes_are_odd: bool) -> None:
        """Take rows in marshal's format next. ``bytes_are_odd``: bytes are not the text that they hold."""
        self._rows.at = self._rows.number = 0
        self._rows.bytes_are_odd = bytes_are_odd

    def text(self, data: bytes) -> Ended:
        """Records, as many as there is room for what is to be told."""
        return self._call(self._functions.sj_rows_of_text, data)

    def values(self, data: bytes) -> Ended:
        """Rows, in the same way."""
        return self._call(self._functions.sj_rows_of_values, data)

    def copied(self, data: bytes) -> Ended:
        """Rows of COPY, in the same way."""
        return self._call(self._functions.sj_rows_of_copy, data)

    def _call(self, function: ctypes._NamedFuncPointer, data: bytes) -> Ended:
        if self._room < len(data) or not self._room:
            self._room = 2 * len(data) + 1
            forms_room = self._room + _COLUMN_ROOM * self._rows.columns
            self._scratch, self._forms = bytearray(self._room), bytearray(forms_room)
            for name, place in (("scratch", self._scratch), ("forms", self._forms)):
                held = (ctypes.c_char * len(place)).from_buffer(place)
                setattr(self._rows, name, ctypes.addressof(held))
        self._rows.found_count = self._rows.odd_count = 0
        return Ended(function(ctypes.byref(self._rows), data, len(data)))

    @property
    def at(self) -> int:
        """Bytes of the data that are done with."""
        return int(self._rows.at)

    @property
    def number(self) -> int:
        """Rows of the data that are done with."""
        return int(self._rows.number)

    @property
    def found(self) -> list[Found]:
        """The rows that were looked for, of the last call."""
        size = _FOUND.size * self._rows.found_count
        return [Found(*each) for each in _FOUND.iter_unpack(memoryview(self._held["found"]).cast("B")[:size])]

    @property
    def odd(self) -> list[tuple[int, int]]:
        """The rows that are left to Python, of the last call."""
        places = self._held["odd"][: 2 * self._rows.odd_count]
        return list(zip(places[::2], places[1::2], strict=True))


SIGNATURES = {
    "sj_rows_layout": (_NUMBER, ()),
    "sj_rows_of_text": (_SMALL, (ctypes.POINTER(_Rows), ctypes.c_char_p, _NUMBER)),
    "sj_rows_of_copy": (_SMALL, (ctypes.POINTER(_Rows), ctypes.c_char_p, _NUMBER)),
    "sj_rows_of_values": (_SMALL, (ctypes.POINTER(_Rows), ctypes.c_char_p, _NUMBER)),
}
