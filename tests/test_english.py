"""What users read is plain English: help, hints, errors and log lines have none of the words on the list."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "splitjoin_cli").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
UNPLAIN = re.compile(
    r"(?<!there )\b(?:is|are|was|were) no\b(?! (?:longer|more)\b)"  # "is not a"; "there are no" is plain
    r"|\b(?:whoever|whosoever|nobody|somebody|anybody)\b"  # who is it?
    r"|\btold\b|\btells (?:of|by)\b"  # "reports", "shows", "knows"
    r"|\blies?\b|\bstands? (?:in|at|there|for)\b"  # "is"
    r"|\bcannot be meant\b|\bso many\b|\bfor good\b|\bbrings? on\b|\bthereof\b|\bbe it\b",
    re.IGNORECASE,
)


def texts(path: Path) -> list[tuple[int, str]]:
    """The strings of a module that users may read: all but docstrings and single words."""
    tree = ast.parse(path.read_text())
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in silent
        and " " in node.value
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_of_the_product_are_plain(path: Path) -> None:
    """No text of a module has a word of the list."""
    assert [(line, text) for line, text in texts(path) if UNPLAIN.search(text)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_plain(path: Path) -> None:
    """The same for what is not code on a page."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith("    ")]
    assert [line for line in lines if UNPLAIN.search(line)] == []


def test_the_list_finds_what_it_is_for() -> None:
    """A sentence with one of the words is found, and its plain form is not."""
    unplain = ["x.txt is no chunk", "it is told who failed", "the chunks lie in a directory", "it failed for good"]
    plain = ["x.txt is not a chunk", "it shows who failed", "the chunks are in a directory", "it failed permanently"]
    assert [bool(UNPLAIN.search(text)) for text in unplain + plain] == [True] * 4 + [False] * 4
