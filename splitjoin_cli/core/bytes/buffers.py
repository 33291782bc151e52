"""Memory for blocks of bytes."""

from __future__ import annotations

import mmap


def new_buffer(size: int) -> memoryview:
    """``size`` bytes (at least one) to read blocks into, at the start of a page.

    A bytearray's begin 16 or 32 bytes behind one, so that each vector of 64 bytes lies across two cache lines: a third
    more time for the scan, a tenth more for the system's copy.
    """
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
