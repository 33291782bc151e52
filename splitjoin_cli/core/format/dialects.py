"""A dialect in documents: the fields of version 1, which are always there, and those of version 2.

Standard library only: the worker reads these too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast, get_args

from splitjoin_cli.core.format.fields import (
    FieldError,
    VersionError,
    bad_field,
    is_text_encoding,
    take,
    take_one_of,
    take_or_none,
)
from splitjoin_cli.core.model import Dialect, EscapeIn, LineEndRule, StrayQuote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from splitjoin_cli.core.model import LineEnd

__all__ = ["check_dialect_keys", "dialect_fields", "dialect_of", "stored_dialect"]

_FIRST_KEYS = frozenset({"delimiter", "quotechar", "escapechar", "header", "line_end", "encoding"})
_LATER: dict[str, tuple[object, ...]] = {
    "c_escapes": (False, True),
    "escape_in": get_args(EscapeIn),
    "line_end_rule": get_args(LineEndRule),
    "stray_quote": get_args(StrayQuote),
    "skip_initial_space": (False, True),
    "skip_blank_lines": (False, True),
    "skip_repeated_headers": (False, True),
}
"""The keys of version 2 but ``nulls``, each with the values that this release can read: the first is its default."""


def check_dialect_keys(fields: Mapping[str, Any]) -> None:
    """Raise VersionError for what this release would get wrong: a key or value of version 2 that it does not know."""
    for key, known in _LATER.items():
        if not _is_one_of(fields.get(key, known[0]), known):
            raise VersionError(f"dialect.{key}: this release cannot read files with it")
    if unknown := fields.keys() - _LATER.keys() - _FIRST_KEYS - {"nulls"}:
        raise VersionError(f"dialect.{min(unknown)}: this release does not know it")


def _is_one_of(value: object, known: tuple[object, ...]) -> bool:
    """Equal, and of the same type: 0 is not false."""
    return any(type(value) is type(one) and value == one for one in known)


def dialect_of(fields: Mapping[str, Any], version: int) -> Dialect:
    """The inverse of ``dialect_fields``. Raises ValueError.

    Version 1 knows no more than its own keys: others in such a document mean nothing.
    """
    within = "dialect."
    encoding = take(fields, "encoding", str, within=within)
    if not is_text_encoding(encoding):
        shown = json.dumps(encoding[:40])
        raise bad_field(f"{within}encoding", f"expected an encoding of text that keeps ASCII, found {shown}")
    line_end = take_one_of(fields, "line_end", ("\n", "\r\n", "mixed", None), within=within)
    later = _later_fields(fields) if version > 1 else {}
    try:
        dialect = Dialect(
            take(fields, "delimiter", str, within=within),
            take_or_none(fields, "quotechar", str, within=within),
            take_or_none(fields, "escapechar", str, within=within),
            take(fields, "header", bool, within=within),
            cast("LineEnd | None", line_end),
            encoding,
            **later,
        )
        dialect.delimiter.encode(encoding)
    except UnicodeEncodeError as exc:
        raise bad_field(f"{within}delimiter", f"is not in {encoding}") from exc
    except FieldError:
        raise
    except ValueError as exc:
        raise bad_field("dialect", str(exc)[:120]) from exc
    return dialect


def _later_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of version 2 that are there."""
    later = {key: fields[key] for key in _LATER if key in fields}  # check_dialect_keys has looked at their values
    nulls = take_or_none(fields, "nulls", list, within="dialect.") if "nulls" in fields else None
    if nulls is not None:
        for place, text in enumerate(nulls):
            if not isinstance(text, str):
                raise bad_field(f"dialect.nulls[{place}]", "expected text")
        later["nulls"] = tuple(nulls)
    return later


def dialect_fields(dialect: Dialect) -> dict[str, Any]:
    """A dialect as results write it: each field, whatever it is."""
    return {
        **_first_fields(dialect),
        "nulls": None if dialect.nulls is None else list(dialect.nulls),
        **{key: getattr(dialect, key) for key in _LATER},
    }


def stored_dialect(dialect: Dialect, version: int) -> dict[str, Any]:
    """A dialect as documents of ``version`` write it: of the later fields those that are not at their default."""
    fields = _first_fields(dialect)
    if version > 1:
        if dialect.nulls is not None:
            fields["nulls"] = list(dialect.nulls)
        fields |= {key: value for key in _LATER if (value := getattr(dialect, key)) != _LATER[key][0]}
    return fields


def _first_fields(dialect: Dialect) -> dict[str, Any]:
    """The fields of version 1."""
    return {
        "delimiter": dialect.delimiter,
        "quotechar": dialect.quotechar,
        "escapechar": dialect.escapechar,
        "header": dialect.header,
        "line_end": dialect.line_end,
        "encoding": dialect.encoding,
    }
