"""Keeps Python from looking for garbage where hardly any is made: in what a start imports, reads and keeps."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no cycles in the block. For short ones only: what a failed request leaves may hold a part's bytes.

    A start makes 30,000 to 100,000 objects, nearly all of which stay. Python looks through them after each 700.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
