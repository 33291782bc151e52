"""Builds the Lambda function's zip: the modules that the handler uses, the databases' drivers, and nothing else.

The same input gives the same bytes (with the same zlib): versions are those of constraints.txt, entries are sorted,
times and modes are fixed, and what pip writes of the place and time of an installation is left out. botocore is not
in it: Lambda's runtime has it. Nor is the compiled kernel, which only a split needs, nor awscrt.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "splitjoin_cli"
HANDLER = f"{PACKAGE}.deploy.lambda_handler"
BY_NAME = f"{PACKAGE}.stores.loaders"
"""Loaders are imported by name, which no import graph sees."""
PYTHON = "3.13"
ARCHITECTURE = "x86_64"
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
"""Wheels for glibc 2.17, older than that of any runtime's Amazon Linux."""
DRIVERS = {"mysql": ("PyMySQL",), "postgresql": ("psycopg", "psycopg-binary")}
ALWAYS = ("isal",)  # gzip
LAST_WITHOUT_ZSTD = (3, 13)  # from the next Python on the standard library reads Zstandard
LAST_WITH_EXTENSIONS = (3, 12)  # psycopg asks for typing-extensions up to here
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell
MODE = 0o100644
UNIX = 3
# Of wheels: what differs between installations, and what no program reads when it runs.
LEFT_OUT_NAMES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "py.typed"})
LEFT_OUT_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h")
LEFT_OUT_FOLDERS = frozenset({"__pycache__", "sboms", "bin"})


def requirements(python: str, drivers: Iterable[str]) -> list[str]:
    """The wheels to put in, as ``name==version``, without their dependencies, which are all named here."""
    version = tuple(int(part) for part in python.split("."))
    names = [*ALWAYS, *(name for driver in drivers for name in DRIVERS[driver])]
    if version <= LAST_WITHOUT_ZSTD:
        names.append("backports.zstd")
    if version <= LAST_WITH_EXTENSIONS and "psycopg" in names:
        names.append("typing_extensions")
    pinned = dict(
        line.split("==") for line in (ROOT / "tools" / "constraints.txt").read_text().splitlines() if "==" in line
    )
    return [f"{name}=={pinned[name]}" for name in names]


def install(wheels: Sequence[str], directory: Path, *, python: str, architecture: str) -> None:
    """Unpack wheels for the runtime's platform, whatever this machine's is."""
    platform = ["--platform", PLATFORMS[architecture], "--python-version", python, "--implementation", "cp"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    subprocess.run([*command, *platform, "--target", str(directory), *wheels], check=True)


def modules() -> list[Path]:
    """The package's files that the handler can import, relative to ROOT."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    roots = {HANDLER} | {name for name in graph.find_children(BY_NAME) if not name.endswith(".duckdb")}
    found = roots.union(*(graph.find_upstream_modules(name) for name in roots))
    parents = {name.rsplit(".", depth)[0] for name in found for depth in range(1, name.count(".") + 1)}
    return sorted(_file(name) for name in found | parents)


def _file(module: str) -> Path:
    path = Path(*module.split("."))
    package = path / "__init__.py"
    return package if (ROOT / package).exists() else path.with_suffix(".py")


def wheel_files(directory: Path) -> Iterator[Path]:
    """What is kept of the wheels, relative to ``directory``."""
    for path in directory.rglob("*"):
        relative = path.relative_to(directory)
        left_out = (
            path.name in LEFT_OUT_NAMES or path.suffix in LEFT_OUT_SUFFIXES or LEFT_OUT_FOLDERS & set(relative.parts)
        )
        if path.is_file() and not left_out:
            yield relative


def write(out: Path, entries: Iterable[tuple[str, Path]]) -> None:
    """A zip of files by name, sorted, with nothing in it of this machine or of now."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(entries):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = UNIX, MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


def build(out: Path, *, python: str, architecture: str, drivers: Sequence[str]) -> None:
    """Make the zip at ``out``."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="splitjoin-lambda-") as place:
        wheels = Path(place)
        install(requirements(python, drivers), wheels, python=python, architecture=architecture)
        entries = [(path.as_posix(), ROOT / path) for path in modules()]
        entries += [(path.as_posix(), wheels / path) for path in wheel_files(wheels)]
        write(out, entries)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the Lambda function's zip.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--python", default=PYTHON, help="the runtime's, %(default)s by default")
    parser.add_argument("--architecture", default=ARCHITECTURE, choices=sorted(PLATFORMS))
    parser.add_argument("--drivers", nargs="*", default=sorted(DRIVERS), choices=sorted(DRIVERS))
    asked = parser.parse_args()
    build(asked.out, python=asked.python, architecture=asked.architecture, drivers=asked.drivers)
    content = asked.out.read_bytes()
    with zipfile.ZipFile(asked.out) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    print(f"{asked.out}: {len(content) / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB (Lambda takes 50 and 250)")
    print(f"python{asked.python} {asked.architecture}, handler {HANDLER}.handler, CodeSha256 {digest}")


if __name__ == "__main__":
    main()
