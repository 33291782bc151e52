"""Finds the stores' programs: what make fetched into .cache, in a folder of its own or beside the tests' servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.processes import SERVERS_BIN, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.servers.s3 import S3Server

__all__ = ["DEBIAN", "FETCHED", "KEYS", "debian_environment", "distribution", "npm_package", "program", "serving"]

FETCHED = Path(__file__).parents[2] / ".cache" / "stores"
"""What ``make stores`` fetches: an environment of Python, node_modules, and Debian's packages unpacked."""
DEBIAN = FETCHED / "debian"
KEYS = ("AKIASPLITJOINSTORES0", "splitjoin-stores-secret-key")
"""An access key and its secret, for stores that take any."""


def program(name: str) -> str:
    """The path of a program. Raises FileNotFoundError."""
    places = (
        FETCHED / "env" / "bin",
        DEBIAN / "usr" / "bin",
        DEBIAN / "usr" / "sbin",
        SERVERS_BIN,
        Path(sys.executable).parent,
    )
    found = shutil.which(name, path=os.pathsep.join((*map(str, places), os.environ.get("PATH", os.defpath))))
    if found is None:
        raise FileNotFoundError(2, "not there: run `make stores`", name)
    return found


def distribution(environment: Path, name: str) -> str:
    """The version of a package in a virtual environment. Raises FileNotFoundError."""
    for found in environment.glob(f"lib/python3*/site-packages/{name}-*.dist-info"):
        return found.name.removesuffix(".dist-info").rpartition("-")[2]
    raise FileNotFoundError(2, "not there: run `make stores`", name)


def npm_package(name: str) -> Path:
    """The folder of an npm package. Raises FileNotFoundError."""
    found = FETCHED / "node_modules" / name
    if not found.is_dir():
        raise FileNotFoundError(2, "not there: run `make stores`", name)
    return found


def npm_version(name: str) -> str:
    """Its version."""
    return str(json.loads((npm_package(name) / "package.json").read_text(encoding="utf-8"))["version"])


def told_version(*command: str) -> str:
    """What a program says of its version, in the first word with a digit and a dot."""
    done = subprocess.run(
        [program(command[0]), *command[1:]], capture_output=True, text=True, check=True, env=debian_environment()
    )
    words = (done.stdout + done.stderr).split()
    return next(
        word.strip("v,()").split("-")[0].rpartition("/")[2]
        for word in words
        if "." in word and any(map(str.isdigit, word))
    )


def debian_environment(**more: str) -> dict[str, str]:
    """What programs need that were unpacked, and not installed; nothing of AWS's."""
    libraries = [str(each) for each in (*DEBIAN.glob("usr/lib/*-linux-gnu"), *DEBIAN.glob("lib/*-linux-gnu"))]
    nested = [str(each) for each in DEBIAN.glob("usr/lib/*-linux-gnu/ceph")]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return inherited | {"LD_LIBRARY_PATH": os.pathsep.join(libraries + nested)} | more


@contextmanager
def serving(
    command: Sequence[str], server: S3Server, directory: Path, ready: Callable[[], bool], env: Mapping[str, str]
) -> Iterator[S3Server]:
    """A server and all that it starts, until the block is left."""
    with running(command, directory=directory, ready=ready, environment=env, group=True):
        yield server
