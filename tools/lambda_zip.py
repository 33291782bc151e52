"""Builds the zips of the two Lambda functions: the modules that a handler uses, what they need, and nothing else.

The worker's has the databases' drivers. The split function's has the compiled kernel, which Zig builds for the
function's architecture on any machine; where there is no Zig, it scans with numpy, and that is said.
The same input gives the same bytes (with the same zlib): versions are those of constraints.txt, entries are sorted,
times and modes are fixed, and what pip writes of the place and time of an installation is left out. botocore is in
neither: Lambda's runtime has it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "splitjoin_cli"
HANDLER, SPLIT_HANDLER = f"{PACKAGE}.deploy.lambda_handler", f"{PACKAGE}.deploy.split_handler"
BY_NAME = f"{PACKAGE}.stores.loaders"
"""Loaders are imported by name, which no import graph sees."""
NATIVE = f"{PACKAGE}/core/native"
KERNEL_SOURCE, KERNEL = f"{NATIVE}/kernel.c", f"{NATIVE}/kernel.so"
PYTHON = "3.13"
ARCHITECTURE = "x86_64"
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
"""Wheels for glibc 2.17, older than that of any runtime's Amazon Linux."""
NEWER = {"x86_64": "manylinux_2_28_x86_64", "arm64": "manylinux_2_28_aarch64"}
"""numpy's: runtimes from python3.12 on have glibc 2.34."""
TARGETS = {"x86_64": "x86_64-linux-gnu.2.17", "arm64": "aarch64-linux-gnu.2.17"}
"""The same as Zig names it."""
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-s")  # as hatch_build.py
DRIVERS = {"mysql": ("PyMySQL",), "postgresql": ("psycopg", "psycopg-binary")}
ALWAYS = ("isal",)  # gzip
HTTP = ("requests", "certifi", "charset-normalizer", "idna", "urllib3")
SMALL_CHUNKS = ("numpy",)
"""What finds where small chunks end; it scans as well, where there is no kernel."""
UNCOMPILED = ("awscrt",)
"""What computes checksums where there is no kernel."""
LAST_WITHOUT_ZSTD = (3, 13)  # from the next Python on the standard library reads Zstandard
LAST_WITH_EXTENSIONS = (3, 12)  # psycopg asks for typing-extensions up to here
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell
MODE = 0o100644
UNIX = 3
# Of wheels: what differs between installations, and what no program reads when it runs.
LEFT_OUT_NAMES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "py.typed"})
LEFT_OUT_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h")
LEFT_OUT_FOLDERS = frozenset({"__pycache__", "sboms", "bin", "tests"})


def requirements(python: str, drivers: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """The wheels to put in, as ``name==version``, without their dependencies, which are all named here."""
    version = tuple(int(part) for part in python.split("."))
    names = [*ALWAYS, *(name for driver in drivers for name in DRIVERS[driver]), *others]
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
    platform = ["--platform", PLATFORMS[architecture], "--platform", NEWER[architecture]]
    platform += ["--python-version", python, "--implementation", "cp"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    subprocess.run([*command, *platform, "--target", str(directory), *wheels], check=True)


def modules(handler: str) -> list[Path]:
    """The package's files that a handler can import, relative to ROOT."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    by_name = graph.find_children(BY_NAME) if handler == HANDLER else ()
    roots = {handler} | {name for name in by_name if not name.endswith(".duckdb")}
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
    """Make the worker's zip at ``out``."""
    wheels = requirements(python, drivers)
    _build(out, HANDLER, wheels, python=python, architecture=architecture)


def split_requirements(python: str, *, compiled: bool) -> list[str]:
    """The split function's wheels. ``compiled``: it has a kernel, else what works without one."""
    return requirements(python, (), (*HTTP, *SMALL_CHUNKS, *(() if compiled else UNCOMPILED)))


def build_split(
    out: Path, *, python: str, architecture: str, kernel: Path | None, without: Collection[str] = ()
) -> None:
    """Make the split function's zip at ``out``. ``without``: wheels that whoever runs it does without."""
    needed = split_requirements(python, compiled=kernel is not None)
    wheels = [wheel for wheel in needed if wheel.partition("==")[0] not in without]
    compiled = () if kernel is None else ((KERNEL, kernel),)
    _build(out, SPLIT_HANDLER, wheels, python=python, architecture=architecture, others=compiled)


def _build(
    out: Path,
    handler: str,
    wheels: Sequence[str],
    *,
    python: str,
    architecture: str,
    others: Iterable[tuple[str, Path]] = (),
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="splitjoin-lambda-") as name:
        place = Path(name)
        install(wheels, place, python=python, architecture=architecture)
        entries = [(path.as_posix(), ROOT / path) for path in modules(handler)]
        entries += [(path.as_posix(), place / path) for path in wheel_files(place)]
        write(out, [*entries, *others])


def compiled_kernel(zig: Path, architecture: str, out: Path) -> Path | None:
    """The kernel for a function's architecture, at ``out``, by the Python that has Zig's package; None without it."""
    if not zig.exists():
        return None
    with tempfile.TemporaryDirectory(prefix="splitjoin-zig-") as cache:  # Zig would keep one in the user's home
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        compiler = [str(zig), "-m", "ziglang", "cc", "-target", TARGETS[architecture], *FLAGS]
        # From ROOT, so that no path of this machine is in it.
        subprocess.run([*compiler, "-o", str(out), KERNEL_SOURCE], cwd=ROOT, env=environment, check=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="Build a Lambda function's zip.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--function", default="worker", choices=("worker", "split"))
    parser.add_argument("--python", default=PYTHON, help="the runtime's, %(default)s by default")
    parser.add_argument("--architecture", default=ARCHITECTURE, choices=sorted(PLATFORMS))
    parser.add_argument("--drivers", nargs="*", default=sorted(DRIVERS), choices=sorted(DRIVERS))
    parser.add_argument("--zig", type=Path, default=Path("zig/bin/python"), help="the Python that has Zig's package")
    asked = parser.parse_args()
    if asked.function == "split":
        _main_split(asked)
        return
    build(asked.out, python=asked.python, architecture=asked.architecture, drivers=asked.drivers)
    _tell(asked, HANDLER)


def _main_split(asked: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="splitjoin-kernel-") as place:
        kernel = compiled_kernel(asked.zig, asked.architecture, Path(place, "kernel.so"))
        build_split(asked.out, python=asked.python, architecture=asked.architecture, kernel=kernel)
    _tell(asked, SPLIT_HANDLER)
    print(
        f"with the compiled kernel for {asked.architecture}"
        if kernel
        else f"WITHOUT the compiled kernel (no Zig at {asked.zig}): it scans with numpy, which takes longer"
    )


def _tell(asked: argparse.Namespace, handler: str) -> None:
    """How large it is, and by which hash Lambda knows it."""
    content = asked.out.read_bytes()
    with zipfile.ZipFile(asked.out) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    print(f"{asked.out}: {len(content) / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB (Lambda takes 50 and 250)")
    print(f"python{asked.python} {asked.architecture}, handler {handler}.handler, CodeSha256 {digest}")


if __name__ == "__main__":
    main()
