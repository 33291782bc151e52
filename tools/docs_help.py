"""Makes the help blocks of docs/reference/commands.md; cog runs it, and ``make check`` compares."""

from __future__ import annotations

from click.testing import CliRunner

from splitjoin_cli.cli.group import COMMANDS, cli

WIDTH = 100


def help_blocks() -> str:
    """The group's help and each command's, as Markdown."""
    return "\n".join(_block(*words) for words in ([], *([name] for name in COMMANDS)))


def _block(*words: str) -> str:
    result = CliRunner().invoke(
        cli, [*words, "--help"], prog_name="splitjoin", catch_exceptions=False, terminal_width=WIDTH
    )
    command = " ".join(["splitjoin", *words, "--help"])
    return f"## {' '.join(['splitjoin', *words])}\n\n```console\n$ {command}\n{result.output.rstrip()}\n```\n"
