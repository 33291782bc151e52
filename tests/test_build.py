"""The build hook: which compiler makes the kernel, and a build that goes on without one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "splitjoin_cli/core/native/kernel.so"
SOURCES = sorted(path.name for path in KERNEL.parent.glob("*.[ch]"))


class Talk:
    """Stands in for hatchling's application object."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(name="build")
def load_hook() -> ModuleType:
    """The module hatch_build.py; it needs hatchling, which builds the package."""
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hook_in(build: ModuleType, root: Path) -> tuple[Any, Talk]:
    """A hook over a copy of the kernel's source."""
    folder = root / "splitjoin_cli" / "core" / "native"
    folder.mkdir(parents=True)
    for name in SOURCES:
        shutil.copy(ROOT / "splitjoin_cli" / "core" / "native" / name, folder / name)
    talk = Talk()
    return build.KernelBuildHook(str(root), {}, None, None, str(root), "wheel", app=talk), talk


def test_a_machine_without_a_compiler_asks_for_zigs(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a package that the build needs; a machine that has one asks for nothing."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"bin/{name}" if name == "gcc" else None)
    assert build.own_compiler() == ["gcc"]
    assert build.KernelBuildHook.dependencies(None) == []
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert build.own_compiler() is None
    assert build.KernelBuildHook.dependencies(None) == ["ziglang>=0.13"]
    monkeypatch.setenv("CC", "clang -m64")
    assert build.own_compiler() == ["clang", "-m64"]


def test_a_compiler_that_fails_leaves_a_package_without_the_kernel(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, takes away a library that an older build left, and the wheel stays one for any machine."""
    hook, talk = hook_in(build, tmp_path)
    library = tmp_path / build.LIBRARY
    library.write_bytes(b"old")
    monkeypatch.setenv("CC", f"{sys.executable} -c 'import sys; sys.exit(\"no such option\")'")
    data: dict[str, Any] = {"artifacts": []}
    hook.initialize("standard", data)
    assert data == {"artifacts": []}
    assert not library.exists()
    assert talk.warnings == ["the kernel was not compiled; splitjoin will use numpy\nno such option\n"]


def test_a_compiler_makes_a_wheel_for_this_kind_of_machine(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library lies beside its source, with nothing left around it. (What it computes, tests/core/native says.)."""
    hook, talk = hook_in(build, tmp_path)
    compiler = tmp_path / "compiler.py"
    compiler.write_text("import sys\nopen(sys.argv[sys.argv.index('-o') + 1], 'w').write(sys.argv[-1])\n")
    monkeypatch.setenv("CC", f"{sys.executable} {compiler}")
    data: dict[str, Any] = {"artifacts": []}
    hook.initialize("standard", data)
    assert talk.warnings == []
    assert data["tag"].startswith("py3-none-")
    assert data["pure_python"] is False
    assert data["artifacts"] == [build.LIBRARY]
    folder = tmp_path / "splitjoin_cli" / "core" / "native"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*SOURCES, "kernel.so"])
    assert (folder / "kernel.so").read_text() == str(folder / "kernel.c")


DEMO = """
import sys
class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"the demo imports {name}, which tools/demo.txt does not name")
sys.meta_path.insert(0, Refuses())
from splitjoin_cli.cli.run import run
tracker, into = ["--tracker", "sqlite:jobs.db"], ["--into", "sqlite:sales.db"]
for words in (
    ["split", "acme.csv", "chunks", "--date", "20240131", "--chunks", "2", *tracker],
    ["verify", "chunks", "--source", "acme.csv"],
    ["merge", "chunks", "again.csv"],
    ["simulate", "chunks", *into, *tracker, "--on-join", "exec:true"],
    ["status", "acme_20240131", *tracker, "--dest", "chunks", *into, "--html", "page.html"],
):
    if code := run(words):
        sys.exit(code)
"""


@pytest.mark.skipif(not KERNEL.exists(), reason="without the kernel the demo installs numpy and awscrt, too")
def test_the_demo_imports_no_more_than_is_installed_for_it(tmp_path: Path) -> None:
    """Of what the product depends on, tools/demo.txt names what examples/demo.sh needs: so it begins soon."""
    named = {line for line in (ROOT / "tools/demo.txt").read_text().splitlines() if not line.startswith("#")}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[a-z0-9.-]+", one, re.IGNORECASE)[0] for one in needed}  # type: ignore[index]
    assert named < names
    refused = {name.partition(".")[0].replace("-", "_") for name in names - named}
    (tmp_path / "acme.csv").write_text("id,name\n1,a\n2,b\n3,c\n")
    code = f"REFUSED = {refused!r}\n{DEMO}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
