"""What files.h takes: names that differ by their number alone, what files are held against, a manifest's lines."""

from __future__ import annotations

import ctypes

__all__ = ["SIGNATURES", "Expected", "Lines", "Numbered", "layout"]

_ADDRESS, _NUMBER, _TEXT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p


class Numbered(ctypes.Structure):
    """struct numbered in files.h."""

    _fields_ = (
        ("prefix", _TEXT),
        ("suffix", _TEXT),
        *((name, _NUMBER) for name in ("prefix_size", "suffix_size", "width", "total", "directory")),
    )

    @classmethod
    def of(cls, prefix: bytes, suffix: bytes, total: int, directory: int = -1) -> Numbered:
        """Numbers are as wide as ``total``."""
        return cls(prefix, suffix, len(prefix), len(suffix), len(str(total)), total, directory)


class Expected(ctypes.Structure):
    """struct expected in files.h. What it points at must stay in memory as long as it is used."""

    _fields_ = (
        *((name, _ADDRESS) for name in ("starts", "sizes", "rows", "sums")),
        *((name, _ADDRESS) for name in ("header", "source", "dialect", "table", "buffer")),
        *((name, _NUMBER) for name in ("header_size", "source_start", "room", "records", "bytes")),
    )


class Lines(ctypes.Structure):
    """struct lines in files.h."""

    _fields_ = (
        ("checksum_tag", _TEXT),
        *((name, _ADDRESS) for name in ("ends", "rows", "stored", "sums")),
        *((name, _NUMBER) for name in ("tag_size", "header_size", "room", "number", "end")),
    )


def layout() -> int:
    """The sizes of what is handed over, as the kernel's ``sj_files_layout`` says them."""
    return sum(ctypes.sizeof(kind) << (16 * place) for place, kind in enumerate((Numbered, Expected, Lines)))


_NAMES, _EXPECTED = ctypes.POINTER(Numbered), ctypes.POINTER(Expected)
SIGNATURES = {
    "sj_files_layout": (_NUMBER, ()),
    "sj_check_files": (_NUMBER, (ctypes.c_int32, _NAMES, _EXPECTED, _NUMBER, _NUMBER, _ADDRESS)),
    "sj_join_files": (_NUMBER, (ctypes.c_int32, _NAMES, _EXPECTED, _NUMBER, _NUMBER, _ADDRESS)),
    "sj_open_listing": (_ADDRESS, (ctypes.c_int32,)),
    "sj_close_listing": (None, (_ADDRESS,)),
    "sj_list_files": (_NUMBER, (_ADDRESS, _NAMES, _ADDRESS, _ADDRESS, _NUMBER, ctypes.POINTER(_NUMBER))),
    "sj_manifest_lines": (
        _NUMBER,
        (_ADDRESS, _NUMBER, _NAMES, ctypes.POINTER(Lines), ctypes.POINTER(_NUMBER)),
    ),
}
