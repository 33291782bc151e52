"""The fields of documents that come from outside: each has a kind and a range, and a wrong one is named.

Anyone who can write into a bucket, a queue or a directory can write such a document. Whatever a field holds, reading
it gives a value of its range or raises FieldError, and never takes more memory than the document itself.
Standard library only: the worker reads these too.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "LARGEST",
    "MAX_HEADER_BYTES",
    "FieldError",
    "VersionError",
    "as_object",
    "bad_field",
    "decode_json",
    "is_text_encoding",
    "take",
    "take_code",
    "take_one_of",
    "take_or_none",
    "take_text",
    "take_texts",
]

LARGEST = 2**63 - 1
"""Positions, sizes, counts: what databases and DynamoDB keep, and our own columns of numbers."""
MAX_HEADER_BYTES = 16 * 1024 * 1024
"""The header is in every chunk and in memory; a longer one is a quote that was never closed."""
MAX_TEXT = 16 * 1024
"""Characters of a path, a URL or a warning."""
MAX_TEXTS = 1000
SHOWN = 60

_CODE = re.compile(r"[0-9A-Za-z._-]{1,64}")
_ENCODING = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,39}")
_NO_TEXT = re.compile(r"[\x00\ud800-\udc7f\udd00-\udfff]")
"""NUL, and surrogates but those that stand for the bytes of a path that is not valid UTF-8 (PEP 383)."""
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DIGITS = 20
_ASCII = b"\t\n\r 09AZaz,;|\"'"
_SWITCHING = ("utf_7", "utf-7", "hz", "idna", "punycode", "unicode", "raw", "iso2022")
_KINDS: dict[type, str] = {int: "an integer", str: "text", bool: "true or false", list: "a list", dict: "an object"}

T = TypeVar("T")


class FieldError(ValueError):
    """A field of a document is missing, of another kind, or out of its range; the message begins with its name."""


class VersionError(FieldError):
    """A newer release wrote the document: nothing is wrong with it."""


class _Digits:
    """A number of more digits than any field takes: kept as text, since to convert it takes quadratic time."""

    def __init__(self, text: str) -> None:
        self.text = text


def _integer(text: str) -> int | _Digits:
    return int(text) if len(text) <= _DIGITS else _Digits(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. Of two with one name, readers differ in which one they take: neither is right."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise bad_field(_shown(twice), "is there twice")
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=_integer)


def decode_json(data: bytes) -> Any:  # noqa: ANN401 -- whatever it holds
    """One JSON value in UTF-8. Raises ValueError or RecursionError; FieldError where a field is there twice."""
    return _DECODER.decode(data.decode())


def bad_field(name: str, problem: str) -> FieldError:
    """The error for a field, ``name``, with what is wrong."""
    return FieldError(f"{name}: {problem}")


def _refuse(name: str, expected: str, value: object) -> NoReturn:
    raise bad_field(name, f"expected {expected}, found {_shown(value)}")


def _shown(value: object) -> str:
    """A value's beginning, in printable ASCII."""
    if isinstance(value, _Digits):
        return f"a number of {len(value.text):,} digits"
    if isinstance(value, list | dict):
        return _KINDS[type(value)]
    if isinstance(value, str):
        shown = json.dumps(value[:SHOWN])
        return shown if len(value) <= SHOWN else f"{shown}..."
    return json.dumps(value)[:SHOWN]


def as_object(value: object, name: str = "the document") -> dict[str, Any]:
    """Raises FieldError for anything but a JSON object; ``name`` says which."""
    if not isinstance(value, dict):
        _refuse(name, "an object", value)
    return value


def take(
    fields: Mapping[str, Any], key: str, kind: type[T], *, within: str = "", least: int = 0, most: int = LARGEST
) -> T:
    """A field of that kind; an integer from ``least`` to ``most``. ``within``: the object's own name and a dot.

    Raises FieldError where it is missing or something else.
    """
    if key not in fields:
        raise bad_field(f"{within}{key}", "is missing")
    value = fields[key]
    if kind is int:
        if type(value) is not int or not least <= value <= most:
            _refuse(f"{within}{key}", f"an integer from {least} to {most}", value)
    elif not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        _refuse(f"{within}{key}", _KINDS[kind], value)
    return value  # type: ignore[no-any-return]  # it is of that kind


def take_or_none(
    fields: Mapping[str, Any], key: str, kind: type[T], *, within: str = "", least: int = 0, most: int = LARGEST
) -> T | None:
    """The same; None where it is null."""
    if key in fields and fields[key] is None:
        return None
    return take(fields, key, kind, within=within, least=least, most=most)


def take_text(fields: Mapping[str, Any], key: str, *, within: str = "", path: bool = False) -> str:
    """Text of at most MAX_TEXT characters without control characters; with ``path`` any that a path or URL may have."""
    value = take(fields, key, str, within=within)
    _check_text(value, f"{within}{key}", path=path)
    return value


def _check_text(value: str, name: str, *, path: bool) -> None:
    if len(value) > MAX_TEXT:
        raise bad_field(name, f"expected at most {MAX_TEXT:,} characters, found {len(value):,}")
    if odd := (_NO_TEXT if path else _ODD).search(value):
        raise bad_field(name, f"expected text, found U+{ord(odd[0]):04X} at character {odd.start() + 1}")


def take_texts(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of at most MAX_TEXTS texts, such as warnings: they may name paths."""
    values = take(fields, key, list)
    if len(values) > MAX_TEXTS:
        raise bad_field(key, f"expected at most {MAX_TEXTS:,} texts, found {len(values):,}")
    for place, value in enumerate(values):
        if not isinstance(value, str):
            _refuse(f"{key}[{place}]", "text", value)
        _check_text(value, f"{key}[{place}]", path=True)
    return tuple(values)


def take_code(fields: Mapping[str, Any], key: str, pattern: re.Pattern[str] = _CODE) -> str:
    """A short ASCII code, such as a run's id: all of it is what ``pattern`` matches."""
    value = take(fields, key, str)
    if not pattern.fullmatch(value):
        _refuse(key, f"what {pattern.pattern} matches", value)
    return value


def take_one_of(fields: Mapping[str, Any], key: str, allowed: Iterable[str | None], *, within: str = "") -> str | None:
    """One of the values ``allowed``."""
    known = list(allowed)
    name = f"{within}{key}"
    if key not in fields:
        raise bad_field(name, "is missing")
    value = fields[key]
    if not (value is None or isinstance(value, str)) or value not in known:
        _refuse(name, f"one of {', '.join(map(json.dumps, known))}", value)
    return value


def is_text_encoding(name: str) -> bool:
    """Whether Python knows ``name`` as an encoding in which ASCII's letters, delimiters and line ends are themselves.

    UTF-16, EBCDIC, and what switches its meaning midway (UTF-7, HZ, ISO-2022) are none: chunks are never in them.
    """
    if not _ENCODING.fullmatch(name):
        return False
    try:
        found = codecs.lookup(name)
        if found.name.startswith(_SWITCHING) or not found._is_text_encoding:  # noqa: SLF001 -- what str.encode asks
            return False
        return codecs.getincrementaldecoder(name)().decode(_ASCII, final=True) == _ASCII.decode("ascii")
    except (LookupError, ValueError, TypeError):
        return False
