"""From a tracker's URL to the tracker."""

# Each implementation is imported only when a URL asks for it: botocore is slow to import.
# ruff: noqa: PLC0415

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from splitjoin_cli.core.errors import UsageError

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.stores.trackers.base import Tracker

__all__ = ["check_tracker_url", "open_tracker"]

TRACKERS_HINT = "write dynamodb:TABLE or sqlite:PATH"
# A table's name, or its ARN (DynamoDB API Reference, "TableName").
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]{3,255}")


def check_tracker_url(url: str) -> tuple[str, str]:
    """Scheme, and table or path. Raises UsageError, which does not repeat the URL: it may hold what it should not."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in {"dynamodb", "sqlite"}:
        raise UsageError("not a tracker's URL", hint=TRACKERS_HINT)
    if scheme == "dynamodb" and not _TABLE.fullmatch(rest):
        raise UsageError("dynamodb: names no table", hint="a table's name has 3 to 255 of A-Z a-z 0-9 _ . -")
    path = rest.removeprefix("//") if scheme == "sqlite" else rest
    if not path or "\0" in path:
        raise UsageError("sqlite: names no file", hint="write sqlite:PATH")
    if scheme == "sqlite" and path == ":memory:":
        raise UsageError(
            "sqlite::memory: is no file: what is counted would go with the process", hint="write sqlite:PATH"
        )
    return scheme, path


def open_tracker(url: str, aws: AwsOptions | None = None) -> Tracker:
    """The tracker that ``url`` names; nothing is reached yet. Raises UsageError."""
    scheme, place = check_tracker_url(url)
    if scheme == "sqlite":
        from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

        return SqliteTracker(Path(place))
    from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker

    return DynamoDbTracker(place, aws)
