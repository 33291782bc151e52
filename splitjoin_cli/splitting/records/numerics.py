"""Loads numpy as a command needs it: without the threads that its linear algebra would start."""

from __future__ import annotations

import os

VARIABLE = "OPENBLAS_NUM_THREADS"


def load() -> None:
    """Import numpy. OpenBLAS starts a thread for each core as it is loaded, for 0.1 CPU seconds; none is needed.

    The variable that says so is taken back, so that commands started from here do not inherit it.
    """
    wanted = os.environ.get(VARIABLE)
    os.environ.setdefault(VARIABLE, "1")
    try:
        import numpy as np  # noqa: F401, PLC0415 -- loaded here for what it does while it is loaded
    finally:
        if wanted is None:
            del os.environ[VARIABLE]
