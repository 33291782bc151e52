"""The environment variable of each option."""

from __future__ import annotations


def environment_variable(long: str) -> str:
    """The variable that stands for an option: without the command's name, so that it holds for all commands."""
    return "SPLITJOIN_" + long.removeprefix("--").replace("-", "_").upper()
