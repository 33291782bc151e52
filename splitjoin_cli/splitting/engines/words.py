"""What messages call those who run an engine's units, and what they tell its user to look at."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLUSTER", "FUNCTION", "Words", "another_build", "another_release"]


class Words(NamedTuple):
    """``one`` of them, and ``all``; ``silent``: that none answered. The rest are hints.

    ``log``: where more is said. ``busy``: what to look at where none answers. ``install``: for another release of
    splitjoin or Python. ``rebuild``: for another build of this release.
    """

    one: str
    all: str
    silent: str
    log: str
    busy: str
    install: str
    rebuild: str


CLUSTER = Words(
    "a worker",
    "workers",
    "no worker answered",
    "see the workers' logs",
    "look whether the cluster has workers, and whether they are busy with other work",
    "install the same splitjoin, on the same Python, on all workers",
    "install the same splitjoin on all workers, and start them anew",
)
FUNCTION = Words(
    "the function",
    "functions",
    "the function did not answer",
    "see the function's log",
    "see the function's log, and whether others use its concurrency, or the account's",
    "build its zip with this release (make lambda), and update the stack",
    "build its zip from the same sources as this command (make lambda), and update the stack",
)


def another_release(who: str, theirs: str, ours: str) -> str:
    """That what runs units is not of this command's release."""
    return f"{who} has splitjoin {theirs}, and this command is splitjoin {ours}"


def another_build(who: str, release: str) -> str:
    """That it is, but that the two were built from different sources."""
    return f"{who} is another build of splitjoin {release}, which writes units of work in another way"
