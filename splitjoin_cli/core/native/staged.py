"""What staged.h takes: many files written, named and listed in one call each, and the lines of plans and manifests."""

from __future__ import annotations

import ctypes

__all__ = ["SIGNATURES", "Listing", "WrittenLines", "layout"]

_ADDRESS, _NUMBER, _TEXT, _SMALL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p, ctypes.c_int32
_ERROR = ctypes.POINTER(_SMALL)


class Listing(ctypes.Structure):
    """struct listing in staged.h. What it points at must stay in memory as long as it is used."""

    _fields_ = (
        ("client", _TEXT),
        ("job", _TEXT),
        ("suffixes", _TEXT * 3),
        *((name, _ADDRESS) for name in ("numbers", "sizes", "times", "files", "others")),
        *((name, _NUMBER) for name in ("room", "others_room", "found", "others_size", "total")),
        ("suffix", _SMALL),
        ("error", _SMALL),
    )


class WrittenLines(ctypes.Structure):
    """struct written_lines in staged.h. As for Listing."""

    _fields_ = (
        *((name, _TEXT) for name in ("name", "suffix", "tag")),
        *((name, _ADDRESS) for name in ("starts", "rows", "stored", "sums")),
        *((name, _NUMBER) for name in ("width", "header_size")),
    )


def layout() -> int:
    """The sizes of what is handed over, as the kernel's ``sj_staged_layout`` says them."""
    return ctypes.sizeof(Listing) | ctypes.sizeof(WrittenLines) << 16


SIGNATURES = {
    "sj_staged_layout": (_NUMBER, ()),
    "sj_stage": (
        _NUMBER,
        (_SMALL, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _SMALL, _ERROR),
    ),
    "sj_publish": (_NUMBER, (_SMALL, _ADDRESS, _SMALL, _TEXT, _TEXT, _SMALL, _NUMBER, _NUMBER, _ERROR)),
    "sj_list": (_SMALL, (_ADDRESS, ctypes.POINTER(Listing))),
    "sj_sums": (None, (_SMALL, _ADDRESS, _NUMBER, _NUMBER, _ADDRESS, _NUMBER, ctypes.c_uint64, _ADDRESS)),
    "sj_lines_of": (_NUMBER, (ctypes.POINTER(WrittenLines), _NUMBER, _NUMBER, _ADDRESS)),
    "sj_hex_sums": (_NUMBER, (_ADDRESS, _NUMBER, _ADDRESS)),
}
