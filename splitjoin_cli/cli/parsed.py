"""What a command line said, where typed options win over the environment, and what a function of api/ gets of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click.core import ParameterSource

from splitjoin_cli.cli.environment import environment_variable
from splitjoin_cli.cli.terminal import Terminal
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.presets import PRESETS, DialectOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click


def typed(ctx: click.Context, name: str) -> bool:
    """Whether a parameter was on the command line, and not from the environment or a default."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def given(ctx: click.Context, name: str) -> bool:
    """Whether a parameter was on the command line or in the environment."""
    return typed(ctx, name) or ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT


def choose(ctx: click.Context, *names: str) -> str | None:
    """Which of some options that exclude each other counts: the typed one, else the one in the environment.

    None where none is given. Raises UsageError where that leaves two.
    """
    for told, spell in ((typed, _flag), (given, _variable)):
        chosen = [name for name in names if told(ctx, name)]
        if len(chosen) > 1:
            listed = " and ".join(spell(ctx, name) for name in chosen)
            raise UsageError(f"{listed} exclude each other", hint="give one of them")
        if chosen:
            return chosen[0]
    return None


TALK = frozenset({"as_json", "quiet", "verbose", "no_progress", "debug"})
SIZES = ("chunk_size", "chunks", "rows")
DIALECT = dict.fromkeys(("skip_lines", "skip_trailer")) | {
    "delimiter": "delimiter",
    "quotechar": "quotechar",
    "escapechar": "escapechar",
    "no_header": "no_header",
    "null": "nulls",
    "c_escapes": "c_escapes",
    "escape_in": "escape_in",
    "line_end": "line_end",
    "on_stray_quote": "on_stray_quote",
    "skip_initial_space": "skip_initial_space",
    "skip_blank_lines": "skip_blank_lines",
    "skip_repeated_headers": "skip_repeated_headers",
}
"""The options of a dialect, and what a preset calls each; None: no preset sets it."""
FOR_FILES = (*SIZES, *DIALECT, "dialect", "encoding")
"""What is said of a file that is to be split."""


def passed(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a function of api/ takes them: by the same names, all but those on how to talk.

    Of options that exclude each other the one that counts is left. What the environment says and a command cannot use
    is left out: a variable holds for all commands.
    """
    kept = {name: value for name, value in values.items() if name not in TALK}
    if set(SIZES) <= set(kept):
        kept |= dict.fromkeys(set(SIZES) - {choose(ctx, *SIZES)})
    if "delimiter" in kept:
        _dialect(ctx, kept)
    if kept.get("secret") is not None and not typed(ctx, "secret"):
        from splitjoin_cli.stores.loaders.urls import EMBEDDED

        if (kept["into"] or "sqlite:").partition(":")[0] in EMBEDDED:
            kept["secret"] = None
    if kept.get("compress") == "none":
        kept["compress"] = None
    return kept


def _dialect(ctx: click.Context, values: dict[str, Any]) -> None:
    """Leave of the dialect's options what was given: a preset sets the others, or they are as usual.

    A preset that was typed beats what the environment says of the same.
    """
    name = values.get("dialect")
    beats = PRESETS[name] if name is not None and typed(ctx, "dialect") else DialectOptions()
    for one, field in DIALECT.items():
        if not given(ctx, one) or (field is not None and getattr(beats, field) is not None and not typed(ctx, one)):
            values.pop(one, None)
    if "dialect" in values:
        values["dialect_typed"] = any(typed(ctx, one) for one in ("delimiter", "quotechar", "dialect"))
        values["delimiter_typed"] = typed(ctx, "delimiter")


def refuse_password(place: str) -> None:
    """Raise UsageError for a URL of a source or destination that holds a login: each process here can read it.

    A user alone may be a token for http(s) and S3; elsewhere (sftp) it is a name.
    """
    scheme, separator, rest = place.partition("://")
    login, at, _ = rest.partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")
    where = {"http": "web", "https": "web", "s3": "s3"}.get(scheme.lower(), "other")
    if not separator or not at or not (":" in login or where != "other"):
        return
    hints = {
        "web": "leave it out, and put it into ~/.netrc, or into the file that NETRC names: "
        "machine HOST login USER password PASSWORD",
        "s3": "leave it out, and use AWS_* variables or --profile",
        "other": "leave it out, and use a key or the configuration of that service's own tools",
    }
    raise UsageError(
        f"the {scheme.lower()} URL holds a login, and all users of this machine can read command lines",
        hint=hints[where],
    )


def needed(values: Mapping[str, Any], name: str, what: str) -> None:
    """Raise UsageError where an option that a command cannot do without is missing."""
    if not values[name]:
        raise UsageError(f"no {what} was named", hint=f"give --{name} URL, or set {environment_variable(name)}")


def terminal(ctx: click.Context, values: Mapping[str, Any]) -> Terminal:
    """What ``talk_options`` say."""
    chosen = choose(ctx, "quiet", "verbose") if values["quiet"] and values["verbose"] else None
    return Terminal(
        as_json=values["as_json"],
        quiet=values["quiet"] and chosen != "verbose",
        verbose=values["verbose"] and chosen != "quiet",
        progress=not values["no_progress"],
    )


def _flag(ctx: click.Context, name: str) -> str:
    parameter = next(one for one in ctx.command.params if one.name == name)
    return next(text for text in parameter.opts if text.startswith("--"))


def _variable(ctx: click.Context, name: str) -> str:
    return environment_variable(_flag(ctx, name))
