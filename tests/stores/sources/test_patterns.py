"""Patterns: what they match is what a slow reading of the rules matches, in any tree."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.stores.sources.local_tree import LocalTree
from splitjoin_cli.stores.sources.patterns import Pattern, SourceFile, has_wildcard, matches
from splitjoin_cli.stores.sources.s3_tree import S3Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.s3 import Bucket

COMPONENT = st.text(alphabet="ab[].*?!-\n ", min_size=1, max_size=4).filter(lambda text: text not in (".", ".."))
PARTS = st.lists(COMPONENT, min_size=1, max_size=3)
WILD = st.sampled_from(["*", "?", "a*", "*b", "[ab]", "[!a]", "[]]", "[a", ".*", "**", "[a-b]*", "*[.]*"])


@dataclass(frozen=True, slots=True)
class Names:
    """A Tree that is a list of names."""

    names: tuple[str, ...]
    hides_dots: bool

    def files(self, folder: str, beginning: str) -> Iterator[SourceFile]:
        start = folder + beginning
        return (SourceFile(one, 1) for one in self.names if one.startswith(start) and "/" not in one[len(folder) :])

    def folders(self, folder: str, beginning: str) -> Iterator[str]:
        below = (one[len(folder) :] for one in self.names if one.startswith(folder + beginning))
        return iter({text.partition("/")[0] for text in below if "/" in text})

    def file(self, name: str) -> SourceFile | None:
        return SourceFile(name, 1) if name in self.names else None


def is_matched(name: str, pattern: str, *, hides_dots: bool) -> bool:
    """The rules, one component after the other."""
    texts, parts = name.split("/"), pattern.split("/")
    if len(texts) != len(parts):
        return False
    for text, part in zip(texts, parts, strict=True):
        wild = has_wildcard(part)
        if hides_dots and wild and text.startswith(".") and not part.startswith("."):
            return False
        if not (re.fullmatch(fnmatch.translate(part), text) if wild else text == part):
            return False
    return True


@given(
    names=st.lists(PARTS.map("/".join), max_size=8, unique=True),
    parts=st.lists(WILD | COMPONENT, min_size=1, max_size=3),
    hides_dots=st.booleans(),
)
def test_a_pattern_matches_what_its_rules_say(names: list[str], parts: list[str], *, hides_dots: bool) -> None:
    """The folders that are walked leave nothing out and add nothing."""
    pattern = "/".join(parts)
    found = matches(Pattern.of(pattern), Names(tuple(names), hides_dots))
    assert sorted(one.name for one in found) == sorted(
        one for one in names if is_matched(one, pattern, hides_dots=hides_dots)
    )


@pytest.mark.parametrize(
    ("name", "wild"),
    [("a*", True), ("in/?.csv", True), ("a[1].csv", True), ("a[1.csv", False), ("a]1[.csv", False), ("[/]", False)],
)
def test_what_has_a_wildcard(name: str, *, wild: bool) -> None:
    """A bracket that is not closed within its component is none."""
    assert has_wildcard(name) == wild


def test_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and links, with their sizes; no hidden ones and no directories."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a/x.csv", "in/b c/x.csv", "in/.d/x.csv", "in/a/.x.csv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("1\n")
    Path("in/a/link.csv").symlink_to("x.csv")
    Path("in/a/gone.csv").symlink_to("nothing")
    Path("in/a/loop.csv").symlink_to("loop.csv")
    Path("in/loop").symlink_to("loop")
    Path("in/a/folder.csv").mkdir()
    assert sorted(matches(Pattern.of("in/*/*.csv"), LocalTree())) == [
        ("in/a/gone.csv", 0), ("in/a/link.csv", 2), ("in/a/loop.csv", 0), ("in/a/x.csv", 2), ("in/b c/x.csv", 2),
    ]  # fmt: skip
    assert [one.name for one in matches(Pattern.of("in/.*/x.csv"), LocalTree())] == ["in/.d/x.csv"]
    assert matches(Pattern.of("none/*"), LocalTree()) == matches(Pattern.of("in/a/x.csv/*"), LocalTree()) == []


def test_on_s3(s3_env: Bucket) -> None:
    """Keys as they are, with spaces and brackets; one component deep; a folder mark is an object."""
    bucket = s3_env
    client = bucket.client()
    keys = ("in/a b/x.csv", "in/a b/[1].csv", "in/a/deep/x.csv", "in/.h/x.csv", "in/a b/")
    for key in keys:
        client.put_object(Bucket=bucket.name, Key=key, Body=b"12")
    tree = S3Tree(bucket.name, aws.client("s3", attempts=1))
    found = {text: sorted(one.name for one in matches(Pattern.of(text), tree)) for text in (
        "in/*/x.csv", "in/a b/*", "in/a b/[[]1].csv", "nothing/*",
    )}  # fmt: skip
    assert found == {
        "in/*/x.csv": ["in/.h/x.csv", "in/a b/x.csv"],
        "in/a b/*": ["in/a b/", "in/a b/[1].csv", "in/a b/x.csv"],
        "in/a b/[[]1].csv": ["in/a b/[1].csv"],
        "nothing/*": [],
    }
    assert tree.file("in/a b/[1].csv") == ("in/a b/[1].csv", 2)
    assert tree.file("in/a b/[2].csv") is None
