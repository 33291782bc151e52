"""Reasons why a job does not go on, and steps to take, as values: a report and a document show the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Advice", "Reason", "ReasonKind", "Step"]

ReasonKind = Literal[
    "ledger",
    "join-failed",
    "join-waiting",
    "chunks-failed",
    "failed-chunk",
    "other-object",
    "stuck",
    "dead-letters",
    "published",
    "clearing",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps the job from going on."""

    kind: ReasonKind
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``command``: to be typed as it is, but for its words in capitals; else by other means."""

    text: str
    command: bool = True


@dataclass(frozen=True, slots=True)
class Advice:
    """All reasons, and the steps in their order; nothing where nothing is to be done."""

    reasons: tuple[Reason, ...] = ()
    steps: tuple[Step, ...] = ()
