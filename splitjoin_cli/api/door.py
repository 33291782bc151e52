"""The door from Python: the same functions as the commands call, with values checked and errors in Python's words.

Errors name options as the command spells them, with a value where one helps: ``--force``, ``--client NAME``,
``--compress gzip``. That is their notation: the command prints it as it is, and here it becomes ``force=True``,
``client=NAME``, ``compress='gzip'``. Whole commands (``splitjoin retry ...``) stay commands.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, TypeVar, cast

from splitjoin_cli.api.kinds import check, keywords_of
from splitjoin_cli.core.errors import SplitjoinError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_python_words", "python_words"]

T = TypeVar("T")

_COMMAND = re.compile(r"(\bsplitjoin [a-z]+\b[^;]*)")
# A value is written in capitals (what to fill in), or holds what no word of a sentence does, or is one of a few words.
_OPTION = re.compile(
    r"--(?P<name>[a-z][a-z0-9-]*)"
    r"(?:[ =](?P<value>(?<=type --client )[^\s;,]+"  # what is proposed can be any word
    r"|[A-Z][A-Z0-9_]+(?![\w:])|(?:none|gzip|zstd|literal|mysql|lf)\b|[^\s;,]*[0-9:/'\"][^\s;]*))?"
)


def in_python_words(made: T) -> T:
    """A function, or a class whose methods are called from outside, that tells its errors in Python's words."""
    if isinstance(made, type):
        told = {name: _told(vars(made)[name]) for name in ("__init__", "run") if name in vars(made)}
        return cast("T", type(made.__name__, (made,), {**told, "__doc__": made.__doc__, "__module__": "splitjoin_cli"}))
    return cast("T", _told(cast("Callable[..., object]", made)))


def _told(function: Callable[..., object]) -> Callable[..., object]:
    keywords = keywords_of(function)
    positional = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*values: object, **options: object) -> object:
        try:
            for name, value in [*zip(positional, values, strict=False), *options.items()]:
                if name in keywords:  # a name that is not there is Python's own TypeError
                    check(name, keywords[name], value)
            return function(*values, **options)
        except SplitjoinError as exc:
            _retell(exc, {name: keyword.flag for name, keyword in keywords.items()})
            raise

    return call


def _retell(error: SplitjoinError, options: dict[str, bool]) -> None:
    error.message = python_words(error.message, options)
    error.args = (error.message,)
    if error.hint:
        error.hint = python_words(error.hint, options)
        error.add_note(f"Hint: {error.hint}")


def python_words(text: str, options: dict[str, bool]) -> str:
    """The text with the command's spelling of options replaced.

    ``options``: those that the function has, and whether they are flags; others stay as they are.
    """
    parts = _COMMAND.split(text)  # every second one is a command
    parts[::2] = [_OPTION.sub(lambda match: _spelled(match, options), part) for part in parts[::2]]
    return "".join(parts)


def _spelled(match: re.Match[str], options: dict[str, bool]) -> str:
    name, value = match["name"].replace("-", "_"), match["value"]
    if name not in options:
        return match[0]
    if options[name]:
        return f"{name}=True{match[0].removeprefix('--' + match['name'])}"
    if value is None:
        return f"{name}="
    if value == "none":
        return f"{name}=None"
    return f"{name}={value if value.isupper() and value.replace('_', '').isalnum() else repr(value)}"
