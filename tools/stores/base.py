"""What is tried, and what came of it: a store, an operation, an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.servers.s3 import S3Server
    from tools.stores.desk import Desk

__all__ = ["OK", "Operation", "Outcome", "RefusedError", "Store", "WrongError"]

OK = "ok"


class RefusedError(Exception):
    """The command failed, as it says itself: the outcome of an operation that a store does not carry."""


class WrongError(Exception):
    """The command exited with 0, and what is stored is not right; or a damage was not seen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an operation. ``word``: the cell. ``notes``: what was said, or what happened otherwise than on AWS.

    ``wrong``: data was wrong, and nothing said so.
    """

    word: str = OK
    notes: tuple[str, ...] = ()
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operator does. ``run`` raises RefusedError or WrongError where it is not done."""

    name: str
    run: Callable[[Desk], Outcome]


@dataclass(frozen=True, slots=True)
class Store:
    """A store that a package brings.

    ``start`` runs it, in a directory of its own, until the block is left; it raises FileNotFoundError where the package
    is not here. ``version`` tells what runs.
    """

    name: str
    licence: str
    source: str
    start: Callable[[Path], AbstractContextManager[S3Server]]
    version: Callable[[], str]
