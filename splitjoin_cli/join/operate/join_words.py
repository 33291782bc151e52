"""What is said of a join's state, alike in a terminal and on the report page; each has its own way to write a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.trackers.jobs import Join

__all__ = ["join_text", "tries_text"]


def tries_text(count: int) -> str:
    """``1 try``, ``5 tries``."""
    return f"{count:,} {'try' if count == 1 else 'tries'}"


def join_text(join: Join, now: float, moment: Callable[[float | None], str]) -> str:  # noqa: PLR0911 -- a state each
    """The state, who holds it and until when; not its error.

    ``now``: when it was looked at. ``moment``: the text of a time.
    """
    tries = tries_text(join.attempts)
    match join.state:
        case "joined":
            return f"done, first claimed {moment(join.joined_at)}, finished {moment(join.finished_at)}"
        case "claimed" if join.alive(now):
            return f"held by {join.owner}, whose lease ends {moment(join.lease_until)}, {tries}"
        case "claimed":
            return f"the lease of {join.owner} ended {moment(join.lease_until)}, {tries}"
        case "waiting":
            again = moment(join.lease_until) if join.held(now) else "now"
            return f"failed, the next try may begin {again}, {tries}"
        case "clearing":
            return "held by splitjoin clear; if it was killed, type it again"
        case "failed":
            return f"failed permanently, {tries}"
        case _:
            return "not begun" if not join.attempts else f"given back, {tries}"
