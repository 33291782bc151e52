"""What the measurements run in: a clean environment, data made by another process, progress told on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def clean_env() -> dict[str, str]:
    """This environment without what would lead a tool to a real account or through a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPLITJOIN_", "S3_"))}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installs is compiled, and so must be what is run from here
    return {**kept, "PYTHONPATH": str(ROOT)}


@contextmanager
def environment(more: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """This process's own environment, clean and with ``more`` in it, until the block is left."""
    env = clean_env() | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **more,
    }
    with patch.dict(os.environ, env, clear=True):
        yield env


@contextmanager
def made_data(directory: Path, size: int) -> Iterator[Path]:
    """The file, made by another process (see ``measure.run``), until the block is left."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="splitjoin-bench-", dir=directory) as own:
        source = Path(own, "export.csv")
        say(f"writing {size:,} bytes to {source}")
        subprocess.run([sys.executable, "-m", "benchmarks.data", str(source), str(size)], check=True, env=clean_env())
        yield source
