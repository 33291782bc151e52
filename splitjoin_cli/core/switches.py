"""Switches for finding out what is wrong: environment variables that turn a fast path off, so that the plain one runs.

    SPLITJOIN_SCANNER=numpy     scan with numpy, not with the compiled kernel
    SPLITJOIN_CRC=python        compute CRC-64/NVME in Python alone
    SPLITJOIN_SPECULATION=off   scan in order; no chunk is begun from a guess

Each gives the same bytes, only slower: where a result differs with one of them, that is a bug worth a report.
"""

from __future__ import annotations

import os

__all__ = ["CRC", "SCANNER", "SPECULATION", "SWITCHES", "switched"]

SCANNER = ("SPLITJOIN_SCANNER", "numpy")
CRC = ("SPLITJOIN_CRC", "python")
SPECULATION = ("SPLITJOIN_SPECULATION", "off")
SWITCHES = (SCANNER, CRC, SPECULATION)


def switched(switch: tuple[str, str]) -> bool:
    """Whether the environment asks for the plain path."""
    variable, value = switch
    return os.environ.get(variable, "").strip().lower() == value
