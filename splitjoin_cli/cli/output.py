"""What it means that standard output takes no more."""

from __future__ import annotations

import click


class OutputClosedError(Exception):
    """Nobody reads standard output any more, or it is full."""


def output_closed(exc: OSError) -> OutputClosedError | None:
    """The error that ``exc`` is if click met it as it wrote a help or a version; None if it came from elsewhere."""
    step = exc.__traceback__
    while step is not None:
        if step.tb_frame.f_code is click.echo.__code__:
            return OutputClosedError(f"cannot write to standard output: {exc.strerror or 'it is closed'}")
        step = step.tb_next
    return None
