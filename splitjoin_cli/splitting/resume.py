"""The command that does a split again: what a user types after some chunks failed, or after a signal."""

from __future__ import annotations

import shlex
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.places import is_s3
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount, SplitRequest
from splitjoin_cli.stores.sources.url import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from splitjoin_cli.core.names import JobName

# Spelled elsewhere in the command, or not at all: a dry run stores nothing that could be resumed, a chunk's dialect
# knows its line ends and encoding from the source, and a session is no text.
LEFT_OUT = frozenset({"source", "destination", "client", "date", "name_pattern"}) | {
    *("dry_run", "line_end", "session", "dialect_typed", "delimiter_typed", "ruler", "share"),
}
OF_CHUNKS = frozenset({"dialect.encoding"})
SPELLED = {
    "tags": "tag",
    "size_bytes": "chunk-size",
    "count": "chunks",
    "nulls": "null",
    "line_end_rule": "line-end",
    "stray_quote": "on-stray-quote",
    "lines": "skip-lines",
    "trailer": "skip-trailer",
}
"""Fields that are not called as their option."""


def resume_command(request: SplitRequest, job: JobName) -> str:
    """The full command to type: client and date spelled out, everything else that is not the default, quoted for sh.

    ``--force`` stays: what it replaces may not all be replaced yet. A URL's user, password and query are left out,
    since the command is printed and logged.
    """
    named = [f"--client={job.client}", f"--date={job.date}"]
    return _command(request, named, [request.source])


def resume_all_command(request: SplitRequest, sources: Sequence[str], files_from: str | None) -> str:
    """The command that does several splits again: sources, date and pattern as they were given, since names follow.

    A list that came through standard input must be given again.
    """
    named = [] if request.date is None else [f"--date={request.date}"]
    named += [] if request.name_pattern is None else [f"--name-pattern={request.name_pattern.pattern}"]
    named += [] if files_from is None else [f"--files-from={files_from}"]
    return _command(request, named, sources)


def _command(request: SplitRequest, named: list[str], sources: Sequence[str]) -> str:
    usual = SplitRequest(source=request.source, destination=request.destination)
    words = ["splitjoin", "split", *named, *_options(request, usual)]
    mine, theirs = request.dialect, usual.dialect
    if request.skip.ruler:
        words += ["--dialect=sqlcmd", *_beside_preset(mine)]
    elif mine.delimiter == theirs.delimiter and (
        request.delimiter_typed or (request.dialect_typed and mine.quotechar == theirs.quotechar)
    ):
        words.append(f"--delimiter={mine.delimiter}")  # typed as it would be anyway: it lets markup pass
    return shlex.join([*words, "--", *map(shown_source, sources), str(request.destination)])


def query_note(source: str) -> str:
    """What a hint adds to the command where a URL's query was left out of it; nothing elsewhere."""
    return "" if shown_source(source) == source else " (and add the query of SOURCE's URL, which is not shown here)"


def shown_source(source: str) -> str:
    """A source as it may be printed: a URL without its secrets; paths, and ``s3://`` with any key, as they are."""
    return redacted(source) if "://" in source and not is_s3(source) else source


def _options(value: object, usual: object, within: str = "") -> Iterator[str]:
    """An option for each field, of the value and of those that it holds, that is not as usual."""
    for field in fields(value):  # type: ignore[arg-type]  # a dataclass
        name, mine = field.name, getattr(value, field.name)
        other = getattr(usual, name, None)
        if name in LEFT_OUT or f"{within}{name}" in OF_CHUNKS or mine == other:
            continue
        if isinstance(mine, ChunkSize | ChunkCount | RowCount):
            yield from _options(mine, None)
        elif is_dataclass(mine) and name in {"dialect", "skip", "objects", "aws"}:
            yield from _options(mine, other, f"{name}.")
        elif name == "header":
            yield "--no-header"
        else:
            yield from _spelled(SPELLED.get(name, name.replace("_", "-")), mine)


def _spelled(option: str, value: object) -> Iterator[str]:
    if value is True:
        yield f"--{option}"
    elif option == "null":
        yield from (f"--null={text}" for text in _nulls(value))
    elif isinstance(value, tuple):
        yield from (f"--{option}={key}={text}" for key, text in value)
    else:
        yield f"--{option}={'none' if value is None else value}"


def _nulls(value: object) -> tuple[str, ...]:
    """What ``--null`` takes: ``none`` where nothing is NULL."""
    return value if isinstance(value, tuple) and value else ("none",)


def _beside_preset(dialect: Dialect) -> Iterator[str]:
    """What is as usual, and must be typed all the same: the preset would set it otherwise."""
    if dialect.quotechar == Dialect().quotechar:
        yield f"--quotechar={dialect.quotechar}"
