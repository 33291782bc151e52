"""Builds the compiled kernel into the package, with the machine's C compiler or, where there is none, with Zig's.

A build without it is whole, too, only slower: splitjoin then scans with numpy.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "splitjoin_cli/core/native/kernel.c"
LIBRARY = "splitjoin_cli/core/native/kernel.so"
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-s")


def own_compiler() -> list[str] | None:
    """The command of the compiler named by CC, or of the system's; None where it has none."""
    if named := os.environ.get("CC"):
        return shlex.split(named)
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


class KernelBuildHook(BuildHookInterface[Any]):
    """Compiles, and makes the wheel one for this kind of machine and any Python."""

    def dependencies(self) -> list[str]:
        """Zig's compiler is a package, which makes a machine without a compiler build it as well."""
        return ["ziglang>=0.13"] if own_compiler() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 -- the interface
        """Compile, beside the source: an editable install finds it there as a wheel does."""
        compiler = own_compiler()
        if compiler is None and find_spec("ziglang") is not None:
            compiler = [sys.executable, "-m", "ziglang", "cc"]
        if compiler is None or not self._compile(compiler):
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
        build_data["pure_python"] = False
        build_data["artifacts"].append(LIBRARY)

    def _compile(self, compiler: list[str]) -> bool:
        library = Path(self.root, LIBRARY)
        library.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as cache:  # Zig's, which it would leave in the user's home
            environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
            made = Path(cache, "kernel.so")
            command = [*compiler, *FLAGS, "-o", str(made), str(Path(self.root, SOURCE))]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                self.app.display_warning(f"the kernel was not compiled; splitjoin will use numpy\n{done.stderr}")
                return False
            shutil.copyfile(made, library)
        return True
