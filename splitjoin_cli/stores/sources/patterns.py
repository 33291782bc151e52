"""Patterns in the names of sources: ``*``, ``?`` and ``[...]``, each within one component of a path or key.

What a pattern matches is found step by step: only the folders that can hold a match are listed. ``Tree`` is what a file
system and a bucket have in common for that.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Pattern", "SourceFile", "Tree", "has_wildcard", "matches"]

_WILDCARD = re.compile(r"[*?]|\[!?\]?[^\]]*\]")  # a bracket that is not closed is a bracket, as in fnmatch
EVERYTHING = ""
"""The last component of a name that ends with ``/``: all files right under it."""


class SourceFile(NamedTuple):
    """One file or object: its path or key, and its bytes as stored."""

    name: str
    size: int


class Tree(Protocol):
    """Names with ``/`` between their components. A folder's name is empty (the root) or ends with ``/``."""

    @property
    def hides_dots(self) -> bool:
        """Whether a name that begins with a dot is matched only where the pattern's component does, too."""

    def files(self, folder: str, beginning: str) -> Iterator[SourceFile]:
        """The files right under ``folder`` whose last component begins so, in any order; none where it is missing."""

    def folders(self, folder: str, beginning: str) -> Iterator[str]:
        """The last components of the folders there, the same way."""

    def file(self, name: str) -> SourceFile | None:
        """The file of just this name; None where there is none."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name with wildcards, taken apart. ``root``: the folder before the first component that has one.

    ``parts``: the components from there on; the last is EVERYTHING where the name ends with ``/``.
    """

    root: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, name: str) -> Pattern:
        """A path, or a key."""
        components = name.split("/")
        first = next((at for at, text in enumerate(components) if has_wildcard(text)), len(components) - 1)
        return cls("".join(f"{text}/" for text in components[:first]), tuple(components[first:]))


def has_wildcard(name: str) -> bool:
    """Whether a component of ``name`` has a wildcard."""
    return any(_WILDCARD.search(component) for component in name.split("/"))


def matches(pattern: Pattern, tree: Tree) -> list[SourceFile]:
    """The files that a pattern matches, in any order."""
    return list(_found(tree, pattern.root, pattern.parts))


def _found(tree: Tree, folder: str, parts: tuple[str, ...]) -> Iterator[SourceFile]:
    part, rest = parts[0], parts[1:]
    if rest and has_wildcard(part):
        for name in tree.folders(folder, _beginning(part)):
            if _is_matched(tree, name, part):
                yield from _found(tree, f"{folder}{name}/", rest)
    elif rest:
        yield from _found(tree, f"{folder}{part}/", rest)
    elif part == EVERYTHING or has_wildcard(part):
        for file in tree.files(folder, _beginning(part)):
            if _is_matched(tree, file.name[len(folder) :], part or "*"):
                yield file
    else:
        file_there = tree.file(folder + part)
        if file_there is not None:
            yield file_there


def _is_matched(tree: Tree, name: str, part: str) -> bool:
    if tree.hides_dots and name.startswith(".") and not part.startswith("."):
        return False
    return _compiled(part).fullmatch(name) is not None


@lru_cache(maxsize=64)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part))


def _beginning(part: str) -> str:
    """What each match begins with."""
    found = _WILDCARD.search(part)
    return part if found is None else part[: found.start()]
