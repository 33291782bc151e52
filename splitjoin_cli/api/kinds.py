"""Whether what a caller of the functions gave is of the kind that the function's annotations name."""

from __future__ import annotations

import datetime as dt
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from splitjoin_cli.core.errors import UsageError

__all__ = ["KINDS", "Keyword", "check", "keywords_of"]

OBSERVED = ("phase", "advance", "chunk_done", "warn", "detail")


class Kind(NamedTuple):
    """What a value must be, in words, and the test of it."""

    words: str
    fits: Callable[[object], bool]


def _has(*methods: str) -> Callable[[object], bool]:
    return lambda value: all(callable(getattr(value, method, None)) for method in methods)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return _whole(value) or isinstance(value, float)


_TEXT = Kind("text", lambda value: isinstance(value, str))
KINDS: Mapping[str, Kind] = {
    "str": _TEXT,
    "bool": Kind("True or False", lambda value: isinstance(value, bool)),
    "int": Kind("a whole number", _whole),
    "float": Kind("a number", _number),
    "None": Kind("None", lambda value: value is None),
    "arguments.Bytes": Kind("a number of bytes or a size such as '64MiB'", lambda v: _whole(v) or isinstance(v, str)),
    "arguments.Compress": _TEXT,
    "arguments.Date": Kind("a date or text", lambda value: isinstance(value, str | dt.date)),
    "arguments.Numbers": Kind("numbers or text such as '3,7-9'", lambda v: _whole(v) or isinstance(v, Iterable)),
    "arguments.Path": Kind("a path or text", lambda value: isinstance(value, str | os.PathLike)),
    "arguments.Seconds": Kind("seconds or a duration such as '15m'", lambda v: _number(v) or isinstance(v, str)),
    "arguments.Tags": Kind("pairs of texts", lambda value: isinstance(value, Iterable) and not isinstance(value, str)),
    "Observer": Kind(f"an object with the methods {', '.join(OBSERVED)}", _has(*OBSERVED)),
    "EscapeIn": _TEXT,
    "Iterable[str]": Kind("texts", lambda value: isinstance(value, Iterable) and not isinstance(value, bytes)),
    "LineEndRule": _TEXT,
    "Sequence[arguments.Path]": Kind("a list of them", lambda value: isinstance(value, list | tuple)),
    "ServerSideEncryption": _TEXT,
    "StrayQuote": _TEXT,
    "Session": Kind("a boto3 session", _has("client")),
}
"""By the word of the annotation. A parameter with an annotation that is not here is not checked."""


class Keyword(NamedTuple):
    """A parameter: the annotation as it is written, whether it can be left out, and whether it is a flag."""

    annotation: str
    optional: bool
    flag: bool


def keywords_of(function: Callable[..., object]) -> dict[str, Keyword]:
    """What a function takes by name, that of the TypedDict of its ``**keywords`` included."""
    from splitjoin_cli.api import arguments

    found: dict[str, Keyword] = {}
    for name, one in inspect.signature(function).parameters.items():
        annotation = str(one.annotation)
        if one.kind is not inspect.Parameter.VAR_KEYWORD:
            found[name] = Keyword(annotation, one.default is not one.empty, one.default is False)
            continue
        told = getattr(arguments, annotation.removeprefix("Unpack[arguments.").removesuffix("]"))
        for key, said in told.__annotations__.items():
            text = said.__forward_arg__
            found[key] = Keyword(text, optional=True, flag=text == "bool")
    return found


def check(name: str, keyword: Keyword, value: object) -> None:
    """Raise UsageError where ``value`` fits none of the kinds that the annotation names.

    The message has the type and never the value, which may hold a password.
    """
    kinds = [KINDS.get(word) for word in keyword.annotation.split(" | ")]
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds) or any(kind.fits(value) for kind in known):
        return
    words = " or ".join(dict.fromkeys(kind.words for kind in known if kind.words != "None"))
    hint = "leave it out for the default" if keyword.optional else None
    raise UsageError(f"{name}= takes {words}, not {type(value).__name__}", hint=hint)
