"""What a tracker answers to the calls that set it up or repair it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["InitReport", "Mending"]


class Mending(StrEnum):
    """What became of a checksum that ``expect`` was to write down: only NOTED wrote something."""

    NOTED = "noted"
    COUNTED = "counted"
    JOINED = "joined"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class InitReport:
    """What ``init`` did.

    ``created``: the table was not there. ``changed``: settings it had to set on one that was; ``unsupported``: those
    that the store does not know (a local stand-in for DynamoDB).
    """

    created: bool
    changed: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
