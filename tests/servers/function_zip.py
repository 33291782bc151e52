"""The zip of ``make lambda``, built for the Python that runs these tests: its wheels must fit whoever runs it here."""

from __future__ import annotations

import fcntl
import os
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from tools import lambda_zip

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "x86_64")


def build_zip(directory: Path) -> Path:
    """A zip for this machine, so that it can run; .venv and the servers' environment are of one Python."""
    out = directory / "lambda.zip"
    lambda_zip.build(out, python=PYTHON, architecture=ARCHITECTURE, drivers=sorted(lambda_zip.DRIVERS))
    return out


@pytest.fixture(scope="session")
def function_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once in a session, by the worker of xdist that asks first."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "zip"
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = place / "whole.zip"
        return whole if whole.exists() else build_zip(place).rename(whole)
