"""The error with which an engine refuses a unit that it may take later."""

from __future__ import annotations

__all__ = ["NotNowError"]


class NotNowError(Exception):
    """An engine does not take this unit now, and may later: it has too much to do, or is being changed.

    ``may_have_run``: that is not known, so this was one of the unit's tries; else it may be sent any number of times.
    """

    def __init__(self, message: str, *, may_have_run: bool = False) -> None:
        """``message``: what the engine said."""
        super().__init__(message)
        self.may_have_run = may_have_run
