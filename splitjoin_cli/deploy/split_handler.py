"""The split function of Lambda: runs one unit of a split for each invocation, as ``--engine lambda:FUNCTION`` asks.

It has no database and no state: a unit names its source and its sink, and what it may read and write is its role's.
Several invocations may run at once in one process; what they share is thread-safe.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import threading
import time
from typing import Any, Protocol, final

from splitjoin_cli.core.errors import EventError
from splitjoin_cli.deploy.json_logs import JsonLogs, log_level
from splitjoin_cli.splitting.engines.base import MergeUnit, StoreUnit, Unit, VerifyUnit
from splitjoin_cli.splitting.engines.invocation import Greeting, asks_greeting, bounded, unit_in
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.unit import run_text
from splitjoin_cli.splitting.engines.wire import UNREADABLE, unit_of

__all__ = ["Context", "SplitFunction", "handler"]

_LOG = logging.getLogger(__name__)
RUNTIME = "AWS_LAMBDA_RUNTIME_API"
"""Set where Lambda's runtime client runs this (Lambda Developer Guide, "Defined runtime environment variables")."""
ROOM = (
    "raise its ephemeral storage (aws lambda update-function-configuration --ephemeral-storage Size=MB, up to 10240); "
    "or use smaller chunks, or --engine threads"
)
OUTCOMES = {
    "Scanned": "scanned",
    "Stored": "stored",
    "Pieces": "cut",
    "Verified": "verified",
    "Merged": "merged",
    "Failed": "failed",
}


class Context(Protocol):
    """What is used of Lambda's context object."""

    aws_request_id: str


def handler(event: object, context: Context) -> object:
    """Lambda's entry point. Raises EventError for an event that is none of ours."""
    logs, function = _made()
    logs.begin(context.aws_request_id)
    return function(event)


@final
class SplitFunction:
    """All that an execution environment keeps between invocations: sources and sinks that are open. Thread-safe."""

    def __init__(self, place: Place) -> None:
        """``place``: what units reach."""
        self._place = place

    def __call__(self, event: object) -> object:
        """What the command reads of one invocation: a greeting, or the text of an answer."""
        if isinstance(event, dict) and asks_greeting(event):
            from splitjoin_cli.core.aws.client import sdk_version  # noqa: PLC0415 -- botocore is slow to import

            return Greeting.here(sdk_version()).to_json()
        unit = unit_in(event) if isinstance(event, dict) else None
        if unit is None:
            raise EventError("not an event of splitjoin split --engine lambda:")
        began = time.monotonic()
        answer = bounded(run_text(unit, self._place), unit)
        _tell(unit, answer, time.monotonic() - began)
        return answer


def _tell(unit: str, answer: str, seconds: float) -> None:
    """One line in the log for each unit."""
    said = json.loads(answer)
    outcome = OUTCOMES.get(said["answer"], "failed")
    what, number, size = _shape(unit)
    extra = {"chunk": number, "outcome": outcome, "seconds": round(seconds, 3)}
    failed = [chunk for chunk in said.get("chunks", ()) if "code" in chunk] if outcome == "stored" else []
    if failed:  # of several chunks the first: the command hears of each
        said, extra["outcome"] = failed[0], "failed"
    if extra["outcome"] == "failed":
        error = {"type": said.get("code"), "message": said.get("message")}
        _LOG.error("%s: %s", what, said.get("message"), extra={**extra, "error": error, "hint": said.get("hint")})
        return
    _LOG.info("%s: %s chunk %s, %d bytes", what, outcome, number, size, extra=extra)


def _shape(text: str) -> tuple[str | None, int | None, int]:
    """What a unit is about: a name, its chunk (of several the first), and bytes."""
    try:
        return _shape_of(unit_of(text))
    except UNREADABLE:  # its answer says what is wrong with it
        asked = _read(text)
        return asked.get("name"), asked.get("number"), 0


def _shape_of(unit: Unit) -> tuple[str, int, int]:
    if isinstance(unit, VerifyUnit):
        return unit.place.uri, unit.chunks[0].number, unit.weight
    if isinstance(unit, MergeUnit):
        return unit.part.name, unit.first, unit.weight
    if isinstance(unit, StoreUnit):
        return unit.chunks[0].name, unit.chunks[0].number, unit.weight
    return unit.source.uri, unit.number, unit.weight


def _read(unit: str) -> dict[str, Any]:
    """A unit's fields, as far as its text can be read."""
    try:
        fields = json.loads(unit)
    except UNREADABLE:
        return {}
    return fields if isinstance(fields, dict) else {}


_MAKING = threading.RLock()
"""``functools.cache`` alone would make the first invocations of a process one function each."""


@functools.cache
def _made_once() -> tuple[JsonLogs, SplitFunction]:
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "splitjoin")
    place = Place(worker=f"the function {name}", room=ROOM, takes_paths=False)
    return JsonLogs(level=log_level(os.environ)), SplitFunction(place)


def _made() -> tuple[JsonLogs, SplitFunction]:
    with _MAKING:
        return _made_once()


if RUNTIME in os.environ:
    # While the environment starts, where the processor is whole and the time is not a unit's.
    import splitjoin_cli.core.aws.client
    import splitjoin_cli.stores.sinks.s3
    import splitjoin_cli.stores.sources.s3  # noqa: F401 -- slow to import

    _made()
