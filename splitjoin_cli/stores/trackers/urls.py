"""Tracker URLs, parsed: ``dynamodb:TABLE`` or ``sqlite:PATH``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from splitjoin_cli.core.errors import UsageError

__all__ = ["TrackerUrl", "parse"]

HINT = "write dynamodb:TABLE or sqlite:PATH"
# A table's name, or its ARN (DynamoDB API Reference, "TableName").
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]{3,255}")


@dataclass(frozen=True, slots=True)
class TrackerUrl:
    """``scheme``: ``dynamodb`` or ``sqlite``. ``name``: the table's name or ARN, or the file's path."""

    scheme: str
    name: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"


def parse(url: str) -> TrackerUrl:
    """The tracker that ``url`` names. Raises UsageError, which does not repeat it: it may hold what it should not."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in {"dynamodb", "sqlite"}:
        raise UsageError("not a tracker's URL", hint=HINT)
    if scheme == "dynamodb" and not _TABLE.fullmatch(rest):
        raise UsageError("dynamodb: names no table", hint="a table's name has 3 to 255 of A-Z a-z 0-9 _ . -")
    path = rest.removeprefix("//") if scheme == "sqlite" else rest
    if not path or "\0" in path:
        raise UsageError("sqlite: names no file", hint="write sqlite:PATH")
    if scheme == "sqlite" and path == ":memory:":
        raise UsageError(
            "sqlite::memory: is not a file: what is counted would be lost with the process", hint="write sqlite:PATH"
        )
    return TrackerUrl(scheme, path)
