"""Loads the compiled inner loops (kernel.c), where the package was built with them; all of them can be done without.

They are called through ctypes, which gives the GIL away for as long as a call lasts: threads scan side by side.
"""

from __future__ import annotations

import ctypes
from array import array
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core.native import files

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

__all__ = ["DIALECT", "OUTCOME", "RAGGED", "Bytes", "Errands", "Kernel", "Table", "kernel", "kernels"]

LIBRARY = Path(__file__).with_name("kernel.so")
DIALECT = ctypes.c_int32 * 4  # delimiter, quote, escape, CR; -1: none
SURVEY = ctypes.c_int64 * 11  # struct survey in survey.h
OUTCOME = ctypes.c_int64 * 10  # struct outcome in kernel.c
RAGGED = ctypes.c_int64 * 2  # what sj_ragged found

_ADDRESS, _SIZE, _NUMBER, _CRC = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, ctypes.c_uint64


class Table(ctypes.Structure):
    """struct table in kernel.c: splitting/records/table.py makes one."""

    _fields_ = (
        ("steps", ctypes.c_uint32 * (64 * 16)),
        ("classes", ctypes.c_uint8 * 256),
        ("close", ctypes.c_uint8 * 64),
        ("dialect", DIALECT),
        ("spaces", ctypes.c_int32),
        ("delimiter_size", ctypes.c_int32),
        ("delimiter", ctypes.c_char * 8),
        ("delimiter_bits", ctypes.c_char * 8),
    )


class Errands(ctypes.Structure):
    """struct errands in kernel.c."""

    _fields_ = (
        ("out", ctypes.POINTER(OUTCOME)),
        ("found", _ADDRESS),
        ("places", _ADDRESS),
        *((name, _NUMBER) for name in ("room", "base", "before", "expected", "defect", "kind")),
    )


def _layout() -> int:
    """The sizes of what is handed over, as the kernel's ``sj_layout`` says them."""
    sizes = [ctypes.sizeof(kind) for kind in (Table, Errands, OUTCOME, SURVEY)]
    return sum(size << (16 * place) for place, size in enumerate(sizes))


_SIGNATURES = {
    "sj_layout": (_NUMBER, ()),
    "sj_levels": (ctypes.c_int32, ()),
    "sj_level_name": (ctypes.c_char_p, (ctypes.c_int32,)),
    "sj_scan": (None, (ctypes.c_int32, _ADDRESS, _SIZE, DIALECT, ctypes.c_int32, OUTCOME)),
    "sj_ends": (
        _NUMBER,
        (ctypes.c_int32, _ADDRESS, _SIZE, DIALECT, ctypes.c_int32, _NUMBER, _ADDRESS, _NUMBER),
    ),
    "sj_before": (None, (ctypes.c_int32, _ADDRESS, _SIZE, DIALECT, ctypes.c_int32, _ADDRESS, _SIZE, _ADDRESS)),
    "sj_ragged": (
        ctypes.c_int32,
        (ctypes.c_int32, _ADDRESS, _SIZE, DIALECT, ctypes.c_int32, _NUMBER, _NUMBER, ctypes.POINTER(_NUMBER * 2)),
    ),
    "sj_table": (
        _NUMBER,
        (
            *(ctypes.c_int32, _ADDRESS, _SIZE, ctypes.POINTER(Table)),
            *(ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(Errands)),
        ),
    ),
    "sj_lines": (
        _NUMBER,
        (
            *(_ADDRESS, _NUMBER, _NUMBER, _ADDRESS, _NUMBER, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32),
            *(_ADDRESS, _NUMBER, _ADDRESS),
        ),
    ),
    "sj_escaped": (_NUMBER, (_ADDRESS, _NUMBER, _NUMBER, ctypes.c_int32, _ADDRESS, _NUMBER)),
    "sj_survey": (
        None,
        (ctypes.c_int32, _ADDRESS, _SIZE, ctypes.c_char_p, _SIZE, ctypes.c_int32, ctypes.c_int32, SURVEY),
    ),
    "sj_crc": (_CRC, (ctypes.c_int32, _ADDRESS, _SIZE, _CRC)),
    "sj_combine": (_CRC, (_CRC, _CRC, _CRC)),
    **files.SIGNATURES,
}


class _View(ctypes.Structure):
    """CPython's Py_buffer, in its stable ABI: ctypes alone finds no bytes that cannot be written to."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.POINTER(_View), ctypes.c_int)
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = (ctypes.POINTER(_View),)


class Kernel:
    """The compiled functions, at one of the machine's levels. Addresses are of contiguous bytes."""

    def __init__(self, library: ctypes.CDLL, level: int) -> None:
        """``level``: 0 runs on any machine, the highest is the fastest that this one can run."""
        self.functions, self.level = library, level
        self.name: str = library.sj_level_name(level).decode("ascii")

    def crc64(self, data: Buffer, previous: int = 0) -> int:
        """CRC-64/NVME of what ``previous`` was computed over, followed by ``data``."""
        with Bytes(data) as place:
            crc: int = self.functions.sj_crc(self.level, place.address, place.size, previous)
        return crc

    def crc64_each(self, data: Buffer, places: array[int], previous: int) -> array[int]:
        """CRC-64/NVME of each run of bytes between two of some ascending ``places``, as far as ``data`` reaches."""
        count = max(len(places) - 1, 0)
        sums = array("Q", bytes(8 * count))
        if count:
            with Bytes(data) as place:
                ends = places.buffer_info()[0] + places.itemsize
                into = sums.buffer_info()[0]
                self.functions.sj_sums(self.level, place.address, 0, places[0], ends, count, previous, into)
        return sums

    def combine(self, left: int, right: int, right_size: int) -> int:
        """CRC-64/NVME of two runs of bytes put together, from the CRC of each and the size of the second."""
        crc: int = self.functions.sj_combine(left, right, right_size)
        return crc


class Bytes:
    """Where an object's bytes lie in memory, held there as long as the ``with`` lasts."""

    __slots__ = ("_view", "address", "size")

    def __init__(self, data: Buffer) -> None:
        """Raises BufferError where the bytes are not contiguous."""
        self._view = _View()
        _get_buffer(data, self._view, 0)  # PyBUF_SIMPLE
        self.address: int = self._view.buf or 0
        self.size: int = self._view.len

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _release_buffer(self._view)


@cache
def kernels() -> tuple[Kernel, ...]:
    """One for each level of this machine, the slowest first; none where the package was built without a compiler."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return ()
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name, None)
        if function is None:  # compiled from an older source, beside a newer one
            return ()
        function.restype, function.argtypes = result, arguments
    if (library.sj_layout(), library.sj_files_layout()) != (_layout(), files.layout()):
        return ()
    return tuple(Kernel(library, level) for level in range(library.sj_levels()))


def kernel() -> Kernel | None:
    """The fastest; None where the package was built without a compiler."""
    return kernels()[-1] if kernels() else None
