"""Timings and decisions as they happen, for whoever asked to hear them (``--debug``); they cost nothing else.

A fact is a number, a flag, None, or text without secrets; texts from outside are for the hearer to clean.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fact = str | int | float | None
    Hear = Callable[[str, dict[str, Fact]], None]

__all__ = ["heard", "hearing", "note", "timed"]

_hearers: list[Hear] = []


def heard() -> bool:
    """Whether anybody asked: to be looked at before a fact is made that costs something."""
    return bool(_hearers)


def note(event: str, **facts: Fact) -> None:
    """Tell what happened, or what was decided. Thread-safe."""
    for hear in _hearers:
        hear(event, facts)


@contextmanager
def timed(event: str, **facts: Fact) -> Iterator[None]:
    """Tell how long the block took, and whether an error ended it."""
    if not _hearers:
        yield
        return
    began = time.monotonic()
    try:
        yield
    except BaseException as exc:
        note(event, **facts, seconds=round(time.monotonic() - began, 6), error=type(exc).__name__)
        raise
    note(event, **facts, seconds=round(time.monotonic() - began, 6))


@contextmanager
def hearing(hear: Hear) -> Iterator[None]:
    """Let ``hear`` be told, from any thread, until the block is left."""
    _hearers.append(hear)
    try:
        yield
    finally:
        _hearers.remove(hear)
