"""The habits of this code base that no linter knows."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_MODULE_LINES, MOST_FUNCTION_LINES = 400, 40
LARGER = {"trackers/dynamodb.py": 450, "trackers/memory.py": 410, "testing/sinks.py": 430}
"""Two implementations of one interface, a method after the other, and the tests of one: none has two halves."""
PACKAGE = sorted((ROOT / "splitjoin_cli").rglob("*.py"))
TRACKED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
    "\0"
)[:-1]


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """In its first line, as one sentence."""
    first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    assert first.endswith((".", ":")), first


def test_interfaces_live_in_base_modules_without_imports_that_run() -> None:
    """A contract is read alone: what base.py imports from the package is for its annotations."""
    for path in PACKAGE:
        if path.name == "base.py":
            imported = [
                node.module
                for node in ast.parse(path.read_text()).body
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("splitjoin_cli")
            ]
            assert imported == [], path


def test_no_file_is_left_from_a_machine() -> None:
    """Nothing that was built, cached or installed is tracked."""
    built = {"__pycache__", ".venv", ".cache", "dist", "node_modules", ".hypothesis"}
    assert [path for path in TRACKED if built & set(Path(path).parts)] == []


def test_scripts_are_marked_as_such() -> None:
    """What begins with a shebang can be run."""
    scripts = [ROOT / path for path in TRACKED if path.endswith(".sh") or path == ".ci/run"]
    assert [path for path in scripts if not path.stat().st_mode & 0o100] == []
    assert {path.read_bytes()[:2] for path in scripts} == {b"#!"}


def test_the_root_has_eight_folders_and_three_files() -> None:
    """Where a change goes is found from their names; another concern goes into one of them."""
    root = ROOT / "splitjoin_cli"
    listed = {path.name: path.is_dir() for path in root.iterdir() if path.name != "__pycache__"}
    folders = {name for name, is_folder in listed.items() if is_folder}
    assert folders <= {"api", "cli", "core", "deploy", "join", "splitting", "stores", "testing"}
    assert listed.keys() - folders == {"__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_read_at_a_glance(path: Path) -> None:
    """A module has at most 400 lines, a function 40 below its docstring; most have a tenth of that."""
    text = path.read_text()
    assert text.count("\n") <= LARGER.get(f"{path.parent.name}/{path.name}", MOST_MODULE_LINES)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            documented = ast.get_docstring(node) is not None and len(node.body) > 1
            first = node.body[1 if documented else 0]
            assert (node.end_lineno or 0) - first.lineno < MOST_FUNCTION_LINES, node.name
