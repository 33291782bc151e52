"""What names.h, files.h, staged.h and lines.h take: numbered names, and what is known of each number."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array

__all__ = ["SIGNATURES", "Expected", "Lines", "Listing", "Numbered", "layout"]

_ADDRESS, _NUMBER, _TEXT, _SMALL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p, ctypes.c_int32


class Numbered(ctypes.Structure):
    """struct numbered in names.h."""

    _fields_ = (
        ("prefix", _TEXT),
        ("suffix", _TEXT),
        *((name, _NUMBER) for name in ("prefix_size", "suffix_size", "width", "total", "directory")),
    )

    @classmethod
    def of(cls, prefix: bytes, suffix: bytes, total: int, directory: int = -1) -> Numbered:
        """Numbers are as wide as ``total``."""
        return cls(prefix, suffix, len(prefix), len(suffix), len(str(total)), total, directory)


class Listing(ctypes.Structure):
    """struct listing in names.h. What it points at must stay in memory while it is used, as with all below."""

    _fields_ = (
        ("client", _TEXT),
        ("job", _TEXT),
        ("suffixes", _TEXT * 3),
        *((name, _ADDRESS) for name in ("numbers", "sizes", "times", "files", "others")),
        *((name, _NUMBER) for name in ("room", "others_room", "found", "others_size", "total")),
        *((name, _SMALL) for name in ("suffix", "every", "error")),
    )


class Expected(ctypes.Structure):
    """struct expected in files.h."""

    _fields_ = (
        *((name, _ADDRESS) for name in ("starts", "sizes", "rows", "sums")),
        *((name, _ADDRESS) for name in ("header", "source", "dialect", "table", "buffer")),
        *((name, _NUMBER) for name in ("header_size", "source_start", "room", "records", "bytes")),
    )


class Lines(ctypes.Structure):
    """struct lines in lines.h."""

    _fields_ = (
        ("names", Numbered),
        ("tag", _TEXT),
        *((name, _ADDRESS) for name in ("starts", "rows", "stored", "sums")),
        *((name, _NUMBER) for name in ("tag_size", "header_size", "first")),
    )

    @classmethod
    def of(
        cls,
        names: Numbered,
        tag: bytes,
        header_size: int,
        columns: tuple[array[int], array[int], array[int], array[int]],
    ) -> Lines:
        """Of chunk 1 and those after it; ``columns``: ``starts``, ``rows``, ``stored`` and ``sums``."""
        return cls(names, tag, *(column.buffer_info()[0] for column in columns), len(tag), header_size)


def layout() -> int:
    """The sizes of what is handed over, as the kernel's ``sj_files_layout`` says them."""
    kinds = (Numbered, Expected, Listing, Lines)
    return sum(ctypes.sizeof(kind) << (16 * place) for place, kind in enumerate(kinds))


_NAMES, _EXPECTED, _LINES = ctypes.POINTER(Numbered), ctypes.POINTER(Expected), ctypes.POINTER(Lines)
_ERROR = ctypes.POINTER(_SMALL)
SIGNATURES = {
    "sj_files_layout": (_NUMBER, ()),
    "sj_open_listing": (_ADDRESS, (_SMALL,)),
    "sj_list": (_SMALL, (_ADDRESS, ctypes.POINTER(Listing))),
    "sj_close_listing": (None, (_ADDRESS,)),
    "sj_check_files": (_NUMBER, (_SMALL, _NAMES, _EXPECTED, _NUMBER, _NUMBER, _ADDRESS)),
    "sj_join_files": (_NUMBER, (_SMALL, _NAMES, _EXPECTED, _NUMBER, _NUMBER, _ADDRESS)),
    "sj_stage": (
        _NUMBER,
        (_SMALL, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _SMALL, _ERROR),
    ),
    "sj_publish": (_NUMBER, (_SMALL, _ADDRESS, _NAMES, _NUMBER, _NUMBER, _ERROR)),
    "sj_sums": (None, (_SMALL, _ADDRESS, _NUMBER, _NUMBER, _ADDRESS, _NUMBER, ctypes.c_uint64, _ADDRESS)),
    "sj_put_lines": (_NUMBER, (_LINES, _NUMBER, _NUMBER, _ADDRESS)),
    "sj_take_lines": (_NUMBER, (_LINES, _NUMBER, _ADDRESS, _NUMBER, ctypes.POINTER(_NUMBER))),
    "sj_hex_sums": (_NUMBER, (_ADDRESS, _NUMBER, _ADDRESS)),
}
