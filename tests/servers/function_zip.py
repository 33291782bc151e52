"""The zips of ``make lambda``, built for the Python that runs these tests: their wheels must fit who runs them here."""

from __future__ import annotations

import fcntl
import os
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.native import LIBRARY
from tools import lambda_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "x86_64")


def build_zip(directory: Path) -> Path:
    """A zip for this machine, so that it can run; .venv and the servers' environment are of one Python."""
    out = directory / "lambda.zip"
    lambda_zip.build(out, python=PYTHON, architecture=ARCHITECTURE, drivers=sorted(lambda_zip.DRIVERS))
    return out


def build_split_zip(directory: Path, without: Collection[str] = lambda_zip.SMALL_CHUNKS) -> Path:
    """The same of the split function, with the kernel of this machine's own compiler; without numpy, which is large."""
    out = directory / "split.zip"
    lambda_zip.build_split(out, python=PYTHON, architecture=ARCHITECTURE, kernel=LIBRARY, without=without)
    return out


def build_whole_split_zip(directory: Path) -> Path:
    """As it is deployed, numpy included."""
    return build_split_zip(directory, without=())


@pytest.fixture(scope="session")
def function_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker's, built once in a session, by the worker of xdist that asks first."""
    return _once(tmp_path_factory, "zip", build_zip)


@pytest.fixture(scope="session")
def split_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The split function's, likewise."""
    return _once(tmp_path_factory, "split-zip", build_split_zip)


@pytest.fixture(scope="session")
def whole_split_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with all that a split may need."""
    return _once(tmp_path_factory, "whole-split-zip", build_whole_split_zip)


def _once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Path]) -> Path:
    base = factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = place / "whole.zip"
        return whole if whole.exists() else build(place).rename(whole)
