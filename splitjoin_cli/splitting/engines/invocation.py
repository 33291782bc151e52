"""What the command and the split function of Lambda say to each other: events, answers and how large they may be."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any, NamedTuple

from splitjoin_cli.core.native import kernel
from splitjoin_cli.splitting.engines.base import Failed
from splitjoin_cli.splitting.engines.wire import answer_text, protocol, release

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HELLO", "MOST_BYTES", "Greeting", "asks_greeting", "bounded", "too_large", "unit_event", "unit_in"]

KEY = "splitjoin"
HELLO = json.dumps({KEY: "hello"}).encode()
"""The event that asks a function what it is."""
MOST_BYTES = 6 * 1024 * 1024
"""Of an event, and of an answer, where the caller waits (Lambda Developer Guide, "Lambda quotas")."""


class Greeting(NamedTuple):
    """What a function says that it is. ``kernel``: the level of the compiled kernel, None where it scans with numpy.

    ``botocore``: its version there. ``protocol``: of units, as wire.py has it.
    """

    release: str
    python: str
    machine: str
    kernel: str | None
    botocore: str
    protocol: str

    @classmethod
    def here(cls, botocore: str) -> Greeting:
        """Of this process."""
        compiled = kernel()
        python = ".".join(platform.python_version_tuple()[:2])
        return cls(
            release(), python, platform.machine(), None if compiled is None else compiled.name, botocore, protocol()
        )

    def to_json(self) -> dict[str, Any]:
        """As the function answers it."""
        return {KEY: self._asdict()}

    @classmethod
    def of(cls, answer: object) -> Greeting:
        """The inverse of ``to_json``. Raises ValueError for what is none."""
        said = answer.get(KEY) if isinstance(answer, dict) else None
        if not isinstance(said, dict) or said.keys() != set(cls._fields):
            raise ValueError("not a greeting")
        return cls(**said)


def asks_greeting(event: Mapping[str, Any]) -> bool:
    """Whether an event is HELLO."""
    return event.get(KEY) == "hello"


def unit_event(unit: str) -> bytes:
    """The event of a unit's text, whose answer is the answer's text."""
    return json.dumps({KEY: "unit", "unit": unit}).encode()


def unit_in(event: Mapping[str, Any]) -> str | None:
    """The unit's text of an event; None where it is none of ours."""
    unit = event.get("unit")
    return unit if event.get(KEY) == "unit" and isinstance(unit, str) else None


def bounded(answer: str, unit: str) -> str:
    """``answer``; less the stairs, which can be done without; or what says that it is too large to be returned."""
    size = len(json.dumps(answer))
    if size <= MOST_BYTES:
        return answer
    fields = json.loads(answer)
    if fields.get("stairs") is not None:
        return bounded(json.dumps(fields | {"stairs": None}, separators=(",", ":")), unit)
    return answer_text(too_large("the answer", size), unit)


def too_large(what: str, size: int) -> Failed:
    """The answer to a unit that Lambda does not carry."""
    message = f"{what} has {size} bytes, and Lambda takes {MOST_BYTES}"
    return Failed("EngineError", message, "use --engine threads for this file", fatal=False, again=False)
