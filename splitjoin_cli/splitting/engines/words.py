"""What messages call those who run an engine's units, and what they tell its user to look at."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLUSTER", "FUNCTION", "Words"]


class Words(NamedTuple):
    """``one`` of them, and ``all``; ``silent``: that none answered. The rest are hints.

    ``log``: where more is said. ``busy``: what to look at where none answers. ``install``: for another release.
    """

    one: str
    all: str
    silent: str
    log: str
    busy: str
    install: str


CLUSTER = Words(
    "a worker",
    "workers",
    "no worker answered",
    "see the workers' logs",
    "look whether the cluster has workers, and whether they are busy with other work",
    "install the same release on all workers",
)
FUNCTION = Words(
    "the function",
    "functions",
    "the function did not answer",
    "see the function's log",
    "see the function's log, and whether others use its concurrency, or the account's",
    "build its zip with this release (make lambda), and update the stack",
)
