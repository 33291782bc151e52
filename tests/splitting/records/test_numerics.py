"""numpy is loaded without threads of its own, and nothing of that is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from splitjoin_cli.splitting.records import numerics

if TYPE_CHECKING:
    import pytest

THREADS = """
import os
from splitjoin_cli.splitting.records import numerics
numerics.load()
import numpy
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def test_numpy_starts_no_threads() -> None:
    """One thread, and a variable that children do not inherit."""
    environment = {name: value for name, value in os.environ.items() if name != numerics.VARIABLE}
    ran = subprocess.run([sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "1 None\n"


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is there is left alone."""
    monkeypatch.setenv(numerics.VARIABLE, "7")
    numerics.load()
    assert os.environ[numerics.VARIABLE] == "7"
