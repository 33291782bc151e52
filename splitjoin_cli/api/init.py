"""Makes a tracker's table, or what it lacks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from splitjoin_cli.api import arguments
from splitjoin_cli.api.open import check_server, open_tracker

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.options import Session

__all__ = ["InitResult", "init"]


@dataclass(frozen=True, slots=True)
class InitResult:
    """What was done. ``changed``: settings that a table which was there got; ``unsupported``: that it cannot have."""

    tracker: str
    created: bool
    changed: tuple[str, ...]
    unsupported: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of ``--json``."""
        return {
            "tracker": self.tracker,
            "created": self.created,
            "changed": list(self.changed),
            "unsupported": list(self.unsupported),
        }


def init(
    *,
    tracker: str,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: Session | None = None,
) -> InitResult:
    """Make the table that ``tracker`` names, or what it lacks; what is right stays as it is.

        splitjoin_cli.init(tracker="dynamodb:jobs")

    Raises UsageError, StoreError.
    """
    aws = arguments.aws(profile, region, endpoint_url, session)
    url = arguments.tracker(tracker)
    with closing(open_tracker(url, aws)) as opened:
        made = opened.init()
        check_server(url, aws)
        return InitResult(opened.uri, made.created, made.changed, made.unsupported)
