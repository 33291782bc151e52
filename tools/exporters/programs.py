"""Finds the programs that export: what make fetched into .cache first, else what the machine has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["FETCHED", "environment", "program"]

_CACHE = Path(__file__).parents[2] / ".cache"
FETCHED = _CACHE / "exporters"
"""What ``make exporters`` fetches: an environment of Python, node_modules, and Debian's packages unpacked."""
_DEBIAN = (FETCHED / "debian" / "usr", _CACHE / "mariadb" / "usr")
"""Debian's packages unpacked; the second is what the tests' own servers need."""


def program(name: str) -> str:
    """The path of a program. Raises FileNotFoundError. ``python`` is that of FETCHED alone, which has the exporters."""
    own = FETCHED / "env" / "bin"
    places = [own] if name == "python" else [*(place / "bin" for place in _DEBIAN), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(map(str, places)))
    if found is None:
        raise FileNotFoundError(2, "not there", name)
    return found


def environment() -> dict[str, str]:
    """What programs need that were unpacked, and not installed."""
    perl = [each for place in _DEBIAN for each in (*place.glob("lib/*/perl5/*"), place / "share" / "perl5")]
    return os.environ | {
        "NODE_PATH": str(FETCHED / "node_modules"),
        "LD_LIBRARY_PATH": os.pathsep.join(
            str(each) for place in _DEBIAN for each in (place / "lib").glob("*-linux-gnu")
        ),
        "PERL5LIB": os.pathsep.join(map(str, perl)),
    }
