"""Which sources a command line names: patterns, prefixes and directories become the files that they hold just now."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import NotFoundError, SourceError, SplitjoinError, UsageError
from splitjoin_cli.core.places import S3Place, is_s3
from splitjoin_cli.core.source_name import names_a_day
from splitjoin_cli.core.words import count_text
from splitjoin_cli.stores.sources.local import is_pipe, unreadable
from splitjoin_cli.stores.sources.patterns import Pattern, SourceFile, has_wildcard, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from splitjoin_cli.core.aws.options import AwsOptions
    from splitjoin_cli.core.places import Place
    from splitjoin_cli.stores.sources.patterns import Tree

__all__ = ["Expansion", "NamedSource", "Sources", "listed_names"]

Kind = Literal["name", "pattern", "place"]
STANDARD_INPUT = "-"
ALONE = "split it by a command of its own, with --client NAME"
ASKED_AT_ONCE = 16
MARK_SUFFIX = "_$folder$"
"""How Hadoop's and EMR's marks of an empty folder end."""


@dataclass(frozen=True, slots=True)
class NamedSource:
    """One source. ``size``: its bytes as stored, where a listing or the file system said so."""

    uri: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """The sources of a command line in their order, and how many objects of splits were left out."""

    sources: tuple[NamedSource, ...]
    left_out: int = 0


class Sources:
    """What is named as SOURCE, and what that is here and on S3."""

    def __init__(self, aws: AwsOptions, payer: str | None = None, client: Any = None) -> None:  # noqa: ANN401 -- botocore makes its clients' classes at run time
        """``client``: of S3, made with ``attempts=1``, instead of one by ``aws``."""
        self._aws, self._payer, self._client = aws, payer, client

    def is_one(self, words: Sequence[str]) -> bool:
        """Whether a command line names one source by its name alone. Raises StoreError."""
        return len(words) == 1 and self.kind(words[0]) == "name"

    def kind(self, word: str) -> Kind:
        """What one SOURCE is. What exists as it is typed is never a pattern. Raises StoreError."""
        if is_s3(word):
            key = word.removeprefix("s3://").partition("/")[2]
            if has_wildcard(key):
                return "name" if not key.endswith("/") and self._tree(word).file(key) is not None else "pattern"
            return "place" if not key or key.endswith("/") else "name"
        if "://" in word or word == STANDARD_INPUT:
            return "name"
        if os.path.isdir(word):  # noqa: PTH112 -- a name may hold what no path does
            return "place"
        return "pattern" if has_wildcard(word) and not os.path.lexists(word) else "name"

    def expand(self, words: Iterable[str], listed: Iterable[str], destination: Place) -> Expansion:
        """The sources that ``words`` and a list of names stand for, in this order.

        Each pattern, prefix or directory is sorted by the bytes of its names. Raises UsageError for standard input, a
        pipe, and a DEST that is where a pattern or place looks, or within it; NotFoundError where a pattern matches
        nothing, or a prefix holds nothing; SourceError, StoreError.
        """
        found: list[NamedSource] = []
        left_out = 0
        for word in words:
            kind = self.kind(word)
            if kind == "name":
                found.append(_named(word))
                continue
            self._check_apart(word, kind, destination)
            there = self._there(word, kind)
            files = [file for file in there if not _is_mark(file)]
            wanted = self._exports(word, files)
            left_out += len(files) - len(wanted)
            if not wanted and (kind == "pattern" or (not there and is_s3(word))):
                raise _nothing(word, len(files))
            start = f"s3://{_bucket(word)}/" if is_s3(word) else ""
            found += [NamedSource(start + file.name, file.size) for file in sorted(wanted, key=_bytes_of_name)]
        found += map(_named, listed)
        return Expansion(tuple(self._measured(found)), left_out)

    def _measured(self, found: list[NamedSource]) -> Iterator[NamedSource]:
        """The same, objects on S3 that were named one by one with their sizes too: large ones are split otherwise."""
        unknown = [source.uri for source in found if source.size is None and is_s3(source.uri)]
        if not unknown:
            yield from found
            return
        _ = self._s3  # made once, before several threads ask for it
        with ThreadPoolExecutor(min(ASKED_AT_ONCE, len(unknown)), "head") as executor:
            sizes = dict(zip(unknown, executor.map(self._size, unknown), strict=True))
        for source in found:
            yield source if source.uri not in sizes else NamedSource(source.uri, sizes[source.uri])

    def _size(self, uri: str) -> int | None:
        """Of one object; None where it is not known: its own split says why."""
        try:
            file = self._tree(uri).file(uri.removeprefix("s3://").partition("/")[2])
        except SplitjoinError:
            return None
        return None if file is None else file.size

    def _there(self, word: str, kind: Kind) -> list[SourceFile]:
        """What a pattern or place holds."""
        path = word.removeprefix("s3://").partition("/")[2] if is_s3(word) else word
        if kind == "place" and path and not path.endswith("/"):
            path += "/"
        pattern = Pattern.of(path) if kind == "pattern" else Pattern(path, ("",))
        return matches(pattern, self._tree(word))

    def _exports(self, word: str, files: list[SourceFile]) -> list[SourceFile]:
        """Those that are no chunk, plan or manifest by their names.

        ``acme_2024-01-31.csv`` can be both, chunk 1 of 31 and the export of a day: it is a chunk only where a plan or
        manifest of that split is beside it.
        """
        jobs: dict[str, set[str]] = {}

        def is_export(file: SourceFile) -> bool:
            if file.name.rpartition("/")[2].startswith(names.PROBE_PREFIX):
                return False
            chunk, folder = names.parse(file.name), file.name[: file.name.rfind("/") + 1]
            if chunk is None or not names_a_day(file.name):
                return chunk is None and _job(file) is None
            if folder not in jobs:
                jobs[folder] = {job for one in self._tree(word).files(folder, "") if (job := _job(one)) is not None}
            return chunk.file_name not in jobs[folder]

        return [file for file in files if is_export(file)]

    def _tree(self, word: str) -> Tree:
        if is_s3(word):
            from splitjoin_cli.stores.sources.s3_tree import S3Tree

            return S3Tree(_bucket(word), self._s3, payer=self._payer)
        from splitjoin_cli.stores.sources.local_tree import LocalTree

        return LocalTree()

    @cached_property
    def _s3(self) -> Any:  # noqa: ANN401 -- see __init__
        if self._client is not None:
            return self._client
        from splitjoin_cli.core.aws import client as aws

        return aws.client("s3", self._aws, attempts=1)

    def _check_apart(self, word: str, kind: Kind, destination: Place) -> None:
        """Raise UsageError where chunks would be stored among the sources, or below them."""
        if is_s3(word):
            key = word.removeprefix("s3://").partition("/")[2]
            root = Pattern.of(key).root if kind == "pattern" else key
            within = (
                isinstance(destination, S3Place)
                and destination.bucket == _bucket(word)
                and destination.prefix.startswith(root)
            )
        elif isinstance(destination, S3Place):
            within = False
        else:
            root = Pattern.of(word).root if kind == "pattern" else word
            within = _is_within(destination.path, root)
        if within:
            raise UsageError(
                f"DEST, {destination}, is in {word}, whose files are split",
                hint="choose a DEST outside of it, so that no chunk becomes a source",
            )


def listed_names(path: str) -> list[str]:
    """The names in the file of ``--files-from``, one a line; ``-`` is standard input. Raises SourceError."""
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise SourceError("cannot read standard input: it is closed", hint="pipe the list in, or name a file")
        data = sys.stdin.buffer.read()
    else:
        try:
            with open(path, "rb") as file:  # noqa: PTH123 -- paths are text here
                data = file.read()
        except (OSError, ValueError) as exc:
            raise unreadable(path, exc) from exc
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines if line.removesuffix(b"\r")]


def _named(word: str) -> NamedSource:
    """A source by its name. Raises UsageError for what can only be read once and has no name of its own."""
    if word == STANDARD_INPUT:
        raise UsageError("standard input cannot be one of several sources", hint=ALONE)
    if "://" in word:
        return NamedSource(word)
    if is_pipe(word):
        raise UsageError(f"{word} is a pipe, which cannot be one of several sources", hint=ALONE)
    try:
        return NamedSource(word, os.stat(word).st_size)  # noqa: PTH116 -- a name may hold what no path does
    except (OSError, ValueError):
        return NamedSource(word)  # its own split says what is wrong


def _job(file: SourceFile) -> str | None:
    """The job whose plan or manifest it is."""
    job = names.parse_manifest_name(file.name) or names.parse_plan_name(file.name)
    return None if job is None else job.file_name


def _is_mark(file: SourceFile) -> bool:
    """Whether it is an empty object that stands for a folder."""
    return not file.size and file.name.endswith(("/", MARK_SUFFIX))


def _nothing(word: str, left_out: int) -> NotFoundError:
    """The error for a pattern or prefix that holds no source."""
    only = f": {count_text(left_out, 'name')} of chunks, plans and manifests left out" if left_out else ""
    hint = "a prefix ends with /" if word.startswith("s3://") else "a pattern matches within one part of a path"
    return NotFoundError(f"{word} matches no file to split{only}", hint=f"check it; {hint}")


def _bucket(word: str) -> str:
    return word.removeprefix("s3://").partition("/")[0]


def _bytes_of_name(file: SourceFile) -> bytes:
    return file.name.encode("utf-8", "surrogateescape")


def _is_within(path: str, root: str) -> bool:
    """Whether a directory is ``root`` or in it; a pattern without a directory names none, and takes no files below."""
    place, top = os.path.realpath(path), os.path.realpath(root or ".")
    return place == top or (bool(root) and place.startswith(top.rstrip("/") + "/"))
