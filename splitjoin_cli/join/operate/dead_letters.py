"""Looks at a queue's dead letters, which stay where they are: the chunks whose messages were given up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws.sqs import BATCH
from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.join.events import read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.aws.sqs import Message, Queue, SqsQueue

__all__ = ["DeadLetter", "DeadLetters", "look_at_dead_letters", "peek"]

MOST = 1000
"""Messages looked at; each look is a receive, which SQS bills."""
MOST_LETTERS = 10_000
"""Chunks kept of them: one message can name thousands."""
HIDDEN_SECONDS = 30
"""While they are looked at; then they are given back at once."""
LONGEST_SECONDS = 20.0
EMPTY_ANSWERS = 2
"""So many in a row say that there is no more: SQS may answer a receive with nothing although there is something."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A chunk whose message lies there. ``receives``: how often it was received, these looks included."""

    file_name: str
    number: int
    uri: str
    receives: int

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {"number": self.number, "uri": self.uri, "receives": self.receives}


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """What was seen.

    ``queue``: the dead-letter queue's URL; ``source``: the queue that it belongs to, where that was named. ``others``:
    messages that name no chunk. ``more``: about how many were not looked at.
    """

    queue: str
    source: str | None
    letters: tuple[DeadLetter, ...]
    others: int = 0
    more: int = 0

    def of(self, file_name: str) -> tuple[DeadLetter, ...]:
        """Those of one job, by chunk."""
        return tuple(letter for letter in self.letters if letter.file_name == file_name)


def look_at_dead_letters(queue: SqsQueue, *, clock: Callable[[], float] = time.monotonic) -> DeadLetters:
    """The dead letters of ``queue``, or those in it where it is a dead-letter queue itself.

    Raises SplitjoinError where it has none, and what ``SqsQueue`` raises.
    """
    dead = queue.dead_letter_queue(queue.facts())
    if dead is None:
        raise SplitjoinError(
            f"{queue.url} has no dead-letter queue, and is none",
            hint="give it a redrive policy, so that messages which always fail are kept; see splitjoin template",
        )
    return peek(dead, dead.facts().messages, source=None if dead is queue else queue.url, clock=clock)


def peek(queue: Queue, about: int, *, source: str | None, clock: Callable[[], float] = time.monotonic) -> DeadLetters:
    """Look at up to MOST messages, for LONGEST_SECONDS, and give all of them back. ``about``: how many there are."""
    seen: dict[str, Message] = {}  # without their bodies, which may be a megabyte each
    read = _Read()
    until = clock() + LONGEST_SECONDS
    empty = 0
    try:
        while len(seen) < MOST and empty < EMPTY_ANSWERS and clock() < until:
            received = queue.receive(BATCH, wait_seconds=1, visibility_seconds=HIDDEN_SECONDS)
            new = [message for message in received if message.message_id not in seen]
            empty = 0 if new else empty + 1
            for message in new:
                read.add(message)
            seen.update((message.message_id, replace(message, body="")) for message in received)
            if not received and len(seen) >= about:
                break
    finally:
        queue.hide(list(seen.values()), 0)
    more = max(0, about - len(seen)) if empty < EMPTY_ANSWERS else 0
    letters = sorted(read.letters, key=lambda letter: (letter.file_name, letter.number))
    return DeadLetters(queue.url, source, tuple(letters), read.others, more + read.more)


@dataclass(slots=True)
class _Read:
    """What the messages hold, MOST_LETTERS chunks at most; ``more``: messages that name others."""

    letters: list[DeadLetter] = field(default_factory=list)
    others: int = 0
    more: int = 0

    def add(self, message: Message) -> None:
        arrivals = read_body(message.body, message_id=message.message_id, receives=message.receives).arrivals
        self.others += not arrivals
        room = MOST_LETTERS - len(self.letters)
        self.more += len(arrivals) > room
        self.letters += [
            DeadLetter(one.name.file_name, one.name.number, one.uri, message.receives) for one in arrivals[:room]
        ]
