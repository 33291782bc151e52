"""From plain values, as a caller of the functions gives them, to the values that travel whole; checked on the way."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from splitjoin_cli.core.aws.options import AwsOptions, ObjectOptions
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.model import Dialect, EscapeIn, LineEndRule, Skip, StrayQuote
from splitjoin_cli.core.presets import PRESETS, DialectOptions, preset
from splitjoin_cli.core.ranges import parse_ranges
from splitjoin_cli.core.units import parse_rate, parse_seconds, parse_size
from splitjoin_cli.splitting.request import DEFAULT_CHUNK_BYTES, ChunkCompression, ChunkCount, ChunkSize, RowCount

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session
    from splitjoin_cli.core.ranges import Ranges
    from splitjoin_cli.splitting.request import Size
    from splitjoin_cli.stores.loaders.urls import DatabaseUrl
    from splitjoin_cli.stores.trackers.urls import TrackerUrl

__all__ = [
    "Bytes",
    "Compress",
    "Date",
    "DialectKeywords",
    "HeaderKeywords",
    "Numbers",
    "Path",
    "Seconds",
    "Tags",
    "at_once",
    "aws",
    "bandwidth",
    "choice",
    "database",
    "date",
    "dialect",
    "numbers",
    "objects",
    "seconds",
    "secret",
    "size",
    "tracker",
]

_FIELD = re.compile(r"\b(?:c_escapes|escape_in)\b")
"""Fields of a dialect that are called otherwise than their options."""
Path = str | os.PathLike[str]
Bytes = int | str
"""Bytes as a number, or as the command takes them: ``64MiB``."""
Seconds = float | str
"""Seconds as a number, or as the command takes them: ``15m``."""
Compress = ChunkCompression | Literal["none"]
Date = str | dt.date
"""The second part of the chunks' names: any text that is a name, or a day."""
Numbers = str | int | Iterable[int]
"""Chunk numbers: ``3,7-9``, one, or one by one."""
Tags = Mapping[str, str] | Iterable[tuple[str, str]]


def aws(
    profile: str | None, region: str | None, endpoint_url: str | None, session: Session | None = None
) -> AwsOptions:
    """Who asks AWS, and where. Raises UsageError for a session beside a profile."""
    return AwsOptions(profile, region, endpoint_url, session)


TYPED = frozenset({"dialect_typed", "delimiter_typed"})
"""Keywords that say what was typed, and nothing of how records are written."""


class HeaderKeywords(TypedDict, total=False):
    """What finds a header, as functions take it. ``quotechar``, ``escapechar``: None or ``none`` where there is none.

    What is left out is as usual, or as the preset has it.
    """

    delimiter: str
    quotechar: str | None
    escapechar: str | None
    no_header: bool


class DialectKeywords(HeaderKeywords, total=False):
    """How records are written, and what of the source is in no chunk. ``dialect``: a preset's name.

    ``null``: a text that means NULL, or several; ``none``: nothing does. ``dialect_typed``: what begins like JSON, HTML
    or XML is a table all the same. ``delimiter_typed``: a first line ``sep=;`` does not set another delimiter.
    """

    dialect: str | None
    null: str | Iterable[str] | None
    c_escapes: bool
    escape_in: EscapeIn
    line_end: LineEndRule
    on_stray_quote: StrayQuote
    skip_initial_space: bool
    skip_blank_lines: bool
    skip_repeated_headers: bool
    skip_lines: int
    skip_trailer: int
    dialect_typed: bool
    delimiter_typed: bool


def dialect(keywords: DialectKeywords | HeaderKeywords) -> tuple[Dialect, Skip]:
    """How records are written, and what of the source is in no chunk.

    Raises UsageError for an unknown word and for options that contradict each other, TypeError for an unknown keyword.
    """
    known = DialectKeywords.__annotations__.keys()
    if unknown := keywords.keys() - known:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    given: dict[str, Any] = {name: value for name, value in keywords.items() if name not in TYPED}
    lines, trailer, name = given.pop("skip_lines", 0), given.pop("skip_trailer", 0), given.pop("dialect", None)
    choice("dialect", name, PRESETS)
    choice("escape-in", given.get("escape_in"), get_args(EscapeIn))
    choice("line-end", given.get("line_end"), get_args(LineEndRule))
    choice("on-stray-quote", given.get("on_stray_quote"), get_args(StrayQuote))
    for char in ("quotechar", "escapechar"):
        if char in given:
            given[char] = "" if given[char] in {None, "none"} else given[char]
    options = DialectOptions(nulls=_nulls(given.pop("null", None)), **given)
    said = options if name is None else preset(name, options)
    made = _dialect(said)
    return made, _skip(lines, trailer, ruler=bool(said.skip_ruler))


def _dialect(said: DialectOptions) -> Dialect:
    """What was said, and the usual where nothing was. Raises UsageError."""
    try:
        return Dialect(
            delimiter="," if said.delimiter is None else said.delimiter,
            quotechar='"' if said.quotechar is None else said.quotechar or None,
            escapechar=said.escapechar or None,
            header=not said.no_header,
            nulls=said.nulls,
            c_escapes=bool(said.c_escapes),
            escape_in=said.escape_in or "any",
            line_end_rule=said.line_end or "auto",
            stray_quote=said.on_stray_quote or "error",
            skip_initial_space=bool(said.skip_initial_space),
            skip_blank_lines=bool(said.skip_blank_lines),
            skip_repeated_headers=bool(said.skip_repeated_headers),
        )
    except ValueError as exc:
        needs_escape = str(exc).endswith("needs an escape character")
        text = _FIELD.sub(lambda match: f"--{match[0].replace('_', '-')}", str(exc))
        raise UsageError(text, hint="add --escapechar, or leave it out" if needs_escape else None) from exc


def _nulls(value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """``none``, alone, means that nothing is NULL."""
    if value is None:
        return None
    texts = (value,) if isinstance(value, str) else tuple(value)
    if "none" in texts and len(texts) > 1:
        raise UsageError("--null: none stands alone", hint="leave out none, or the others")
    return () if texts == ("none",) else texts or None


def _skip(lines: int, trailer: int, *, ruler: bool) -> Skip:
    """Raises UsageError for what is no number of lines."""
    for name, value in (("skip-lines", lines), ("skip-trailer", trailer)):
        if value < 0:
            raise UsageError(f"--{name}: {value} is not a number of lines", hint="use 0 or more")
    return Skip(lines, trailer, ruler)


def size(chunk_size: Bytes | None, chunks: int | None, rows: int | None) -> Size:
    """Where chunks end: by one of the three, by size where none is given. Raises UsageError for two."""
    given = [
        name for name, value in (("chunk-size", chunk_size), ("chunks", chunks), ("rows", rows)) if value is not None
    ]
    if len(given) > 1:
        listed = " and ".join(f"--{name}" for name in given)
        raise UsageError(f"{listed} exclude each other", hint="give one of them")
    try:
        if chunks is not None:
            return ChunkCount(chunks)
        if rows is not None:
            return RowCount(rows)
        return ChunkSize(DEFAULT_CHUNK_BYTES if chunk_size is None else parse_size(chunk_size))
    except ValueError as exc:
        raise UsageError(f"--{given[0]}: {exc}") from exc


def bandwidth(bwlimit: Bytes | None) -> int | None:
    """Bytes per second over the network, None for any number. Raises UsageError."""
    try:
        return None if bwlimit is None else parse_rate(bwlimit)
    except ValueError as exc:
        raise UsageError(f"--bwlimit: {exc}") from exc


def record_bytes(max_record: Bytes) -> int:
    """The largest record that a loader may hold. Raises UsageError."""
    try:
        return parse_size(max_record)
    except ValueError as exc:
        raise UsageError(f"--max-record: {exc}") from exc


def tracker(url: str) -> TrackerUrl:
    """The tracker's URL. Raises UsageError."""
    from splitjoin_cli.stores.trackers.urls import parse

    return parse(url)


def database(url: str) -> DatabaseUrl:
    """The database's URL. Raises UsageError."""
    from splitjoin_cli.stores.loaders.urls import parse

    return parse(url)


def secret(arn: str | None, into: DatabaseUrl | None) -> str | None:
    """The ARN of the login of ``into`` (None: an SQLite file). Raises UsageError, which does not repeat it."""
    from splitjoin_cli.stores.loaders.urls import EMBEDDED

    if arn is None:
        return None
    scheme = "sqlite" if into is None else into.scheme
    if scheme in EMBEDDED:
        raise UsageError(f"--secret: {scheme} knows no users", hint="leave it out, or name a server with --into")
    from splitjoin_cli.stores.loaders.secret import check_secret_arn

    check_secret_arn(arn)
    return arn


def choice(name: str, value: str | None, allowed: Collection[str]) -> None:
    """Let one of a few words pass, or none. Raises UsageError before anything is stored under a wrong one."""
    if value is not None and value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise UsageError(f"--{name}: {value!r} is not one of {listed}", hint="use one of them")


def at_once(name: str, value: int, most: int) -> int:
    """How much is done at the same time: with 0 workers a call would wait for ever. Raises UsageError."""
    if not 1 <= value <= most:
        raise UsageError(f"--{name}: {value} is not a number from 1 to {most}", hint="use a number in this range")
    return value


def date(value: Date | None) -> str | None:
    """The date as the chunks' names have it: a day as YYYYMMDD, which is also what the default looks like."""
    if value is None or isinstance(value, str):
        return value
    return f"{value.year:04}{value.month:02}{value.day:02}"


def seconds(name: str, value: Seconds) -> float:
    """A duration. Raises UsageError, which names the option, for what is none."""
    try:
        return parse_seconds(value)
    except ValueError as exc:
        raise UsageError(f"--{name}: {exc}") from exc


def numbers(name: str, value: Numbers) -> Ranges:
    """Chunk numbers as ranges, first and last included. Raises UsageError for what is none."""
    text = str(value) if isinstance(value, str | int) else ",".join(map(str, value))
    try:
        return parse_ranges(text)
    except ValueError as exc:
        raise UsageError(f"--{name}: {exc}") from exc


def objects(
    sse: str | None,
    sse_kms_key_id: str | None,
    storage_class: str | None,
    tag: Tags,
    request_payer: bool,  # noqa: FBT001 -- all by name, as the options are called
    expected_bucket_owner: str | None,
    content_encoding: str | None = None,
) -> ObjectOptions:
    """What objects on S3 get. Raises UsageError for what S3 does not take together, or what is no tag."""
    tags = tuple(tag.items() if isinstance(tag, Mapping) else tag)
    pairs: Iterable[object] = tags
    for pair in pairs:
        if not isinstance(pair, tuple | list) or [type(text) for text in pair] != [str, str]:
            raise UsageError("--tag: a tag is a key and a value, both text", hint='tag={"KEY": "VALUE"}')
    return ObjectOptions(
        sse, sse_kms_key_id, storage_class, tags, request_payer, expected_bucket_owner, content_encoding
    )
