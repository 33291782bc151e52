"""What runs here: versions, the kernel, drivers, the environment. Nothing is reached, and no secret is shown."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from splitjoin_cli import __version__
from splitjoin_cli.core.bytes.crc64 import method
from splitjoin_cli.core.native import LIBRARY, kernels
from splitjoin_cli.core.switches import SWITCHES, switched
from splitjoin_cli.splitting.records.open import scanner_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Info", "info"]

PACKAGES = ("awscrt", "boto3", "botocore", "click", "isal", "numpy", "rich", "smart-open", "urllib3")
DRIVERS = {"dask": "distributed", "duckdb": "duckdb", "mysql": "pymysql", "postgresql": "psycopg"}
"""By the extra that brings each; Dask is an engine's."""
SHOWN = frozenset(
    {
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_CA_BUNDLE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED", "AWS_SDK_LOAD_CONFIG", "TMPDIR", "TERM", "LANG"),
        *("LC_ALL", "PYTHONUTF8", "NETRC"),
    }
)
"""Variables whose values are no secrets."""
HIDDEN_WORDS = ("PASSWORD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "ON_JOIN")
"""Of names whose values may hold a secret; a command that follows the join may hold a password of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """As a report of a bug needs it. ``packages``, ``drivers``: versions, None where one is not installed.

    ``kernel``: the level that is used, None where the package was built without a compiler. ``environment``: variables
    that matter here, values only of those that hold no secret; ``(set)`` stands for the others.
    """

    version: str
    python: str
    system: str
    machine: str
    cpus: int
    kernel: str | None
    kernel_levels: tuple[str, ...]
    kernel_file: str | None
    scanner: str
    checksum: str
    packages: Mapping[str, str | None]
    drivers: Mapping[str, str | None]
    switches: tuple[str, ...]
    environment: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            "version": self.version,
            "python": self.python,
            "system": self.system,
            "machine": self.machine,
            "cpus": self.cpus,
            "kernel": {"level": self.kernel, "levels": list(self.kernel_levels), "file": self.kernel_file},
            "scanner": self.scanner,
            "checksum": self.checksum,
            "packages": dict(self.packages),
            "drivers": dict(self.drivers),
            "switches": list(self.switches),
            "environment": dict(self.environment),
        }


def info() -> Info:
    """What runs here, in this process's environment."""
    levels = tuple(one.name for one in kernels())
    return Info(
        version=__version__,
        python=f"{platform.python_implementation()} {sys.version.split()[0]}, {sys.executable}",
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        kernel=levels[-1] if levels else None,
        kernel_levels=levels,
        kernel_file=str(LIBRARY) if levels else None,
        scanner=scanner_name(),
        checksum=method(),
        packages={name: _version(name) for name in PACKAGES},
        drivers={extra: _version(name) for extra, name in DRIVERS.items()},
        switches=tuple(f"{name}={value}" for name, value in SWITCHES if switched((name, value))),
        environment=dict(_environment(os.environ)),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _endpoint(url: str) -> str:
    """Less user, password, path and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(set, and not a URL)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _environment(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Ours and those of AWS, by name."""
    for name, value in sorted(variables.items()):
        if name in SHOWN:
            yield name, value
        elif name.startswith("AWS_ENDPOINT_URL"):
            yield name, _endpoint(value)
        elif name.startswith("SPLITJOIN_") and not any(word in name for word in HIDDEN_WORDS) and "://" not in value:
            yield name, value
        elif name.startswith(("SPLITJOIN_", "AWS_")):
            yield name, "(set)"
