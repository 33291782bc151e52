"""One run of the command line, from arguments to exit code: every error becomes a message and a code here."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from splitjoin_cli.cli.environment import environment_variable
from splitjoin_cli.cli.group import cli
from splitjoin_cli.cli.output import OutputClosedError, output_closed
from splitjoin_cli.cli.signals import stopped_by_signals
from splitjoin_cli.cli.terminal import Terminal, say
from splitjoin_cli.cli.text import without_secrets
from splitjoin_cli.core import trace
from splitjoin_cli.core.errors import SplitjoinError, StoppedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEBUG = "--debug"
_TRUE = {"1", "true", "t", "yes", "y", "on"}


def run(arguments: Sequence[str], *, mask: Iterable[int] = ()) -> int:
    """Run one command, say what failed, and return the exit code.

    ``mask``: the signals that stay blocked; what else the caller has blocked is let through once it is heard here.
    """
    terminal = Terminal(as_json=_asked(arguments, "--json"), verbose=_asked(arguments, "--verbose", "-v"))
    try:
        return _debugged(arguments, terminal, mask)
    except OutputClosedError as exc:
        say(f"Error: {exc}")
        _forget_stdout()
        return 1


def _debugged(arguments: Sequence[str], terminal: Terminal, mask: Iterable[int]) -> int:
    """The exit code; with ``--debug`` what happens on the way is told."""
    in_environment = environment_variable(DEBUG) in os.environ
    if not in_environment and not any(word.partition("=")[0] == DEBUG for word in arguments):
        return _reported(arguments, terminal, mask)
    from splitjoin_cli.cli.debug import asked, debugging, with_value

    words = with_value(arguments)
    try:
        with debugging(asked(words)):
            code = _reported(words, terminal, mask)
            trace.note("ended", exit_code=code)
    except UsageError as exc:
        terminal.error(exc)
        return exc.exit_code
    return code


def _misplaced_hint(exc: click.UsageError) -> str | None:
    """Where an option belongs that was typed before the command."""
    if not isinstance(exc, click.NoSuchOption) or exc.ctx is None or exc.ctx.parent is not None:
        return None
    return f"options follow the command: splitjoin COMMAND {exc.option_name}"


def _usage_message(exc: click.UsageError) -> str:
    """Click's own words, but for what is missing: there the commands that look for it themselves have shorter ones."""
    if _misplaced_hint(exc) is not None and isinstance(exc, click.NoSuchOption):
        return f"splitjoin itself has no option {exc.option_name}"
    if isinstance(exc, click.MissingParameter) and exc.param is not None and exc.ctx is not None:
        name = exc.param.opts[0] if exc.param.param_type_name == "option" else exc.param.make_metavar(exc.ctx)
        return f"{name} is missing"
    return exc.format_message()


def _variable_hint(exc: click.UsageError) -> str | None:
    """Where a wrong value came from, if it is not on the command line: the message names the option alone."""
    if not isinstance(exc, click.BadParameter) or exc.ctx is None or exc.param is None:
        return None
    name, variable = exc.param.name, exc.param.envvar
    if not name or not variable or exc.ctx.get_parameter_source(name) is not ParameterSource.ENVIRONMENT:
        return None
    return f"the value is from the environment: set or unset {variable}"


def _reported(arguments: Sequence[str], terminal: Terminal, mask: Iterable[int]) -> int:
    """The exit code, once what failed was said. Raises OutputClosedError."""
    try:
        with stopped_by_signals(mask=mask):
            return _result(cli.main(list(arguments), prog_name="splitjoin", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as exc:
        if not terminal.as_json:
            say(exc.format_message())
            return exc.exit_code
        error: SplitjoinError = UsageError("no command was given", hint="splitjoin --help")
    except click.UsageError as exc:
        path = exc.ctx.command_path if exc.ctx else "splitjoin"
        hint = _variable_hint(exc) or _misplaced_hint(exc) or f"{path} --help"
        error = UsageError(_usage_message(exc), hint=hint)
    except click.ClickException as exc:
        error = SplitjoinError(exc.format_message())
    except (click.Abort, KeyboardInterrupt):
        error = StoppedError(signal.SIGINT)
    except SplitjoinError as exc:
        error = exc
        if exc.__cause__ is not None and not isinstance(exc, UsageError):
            _trace(exc, terminal)
    except OutputClosedError:
        raise
    except Exception as exc:  # noqa: BLE001 -- the last place: it must become a message and a code
        error = _unexpected(exc, terminal)
    error.message = without_secrets(error.message)
    trace.note("error", type=type(error).__name__, message=error.message)
    error.hint = without_secrets(error.hint) if error.hint else None
    terminal.error(error)
    return error.exit_code


def _unexpected(exc: Exception, terminal: Terminal) -> SplitjoinError:
    """The error for what nobody foresaw. Raises OutputClosedError where it was click's help that found stdout full."""
    if isinstance(exc, OSError) and (closed := output_closed(exc)) is not None:
        raise closed from exc
    _trace(exc, terminal)
    return SplitjoinError(
        f"unexpected {type(exc).__name__}: {exc}", hint="this is a bug in splitjoin; -v shows where it is"
    )


def _result(value: object) -> int:
    """What a command returned: its exit code, or None for 0."""
    return value if isinstance(value, int) else 0


def _trace(error: Exception, terminal: Terminal) -> None:
    if terminal.verbose:
        import traceback

        say(without_secrets("".join(traceback.format_exception(error)).rstrip()))


def _asked(arguments: Sequence[str], *spellings: str) -> bool:
    """Whether a flag is on, before anything is parsed: an argument that cannot be parsed is reported by it as well."""
    options = list(arguments)
    if "--" in options:
        options = options[: options.index("--")]
    in_environment = os.environ.get(environment_variable(spellings[0]), "").strip().lower() in _TRUE
    return in_environment or any(spelling in options for spelling in spellings)


def _forget_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere: what failed was said."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
