"""What happens in a simulation, as it happens: deliveries, the trouble that they meet, the effects of the join."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from splitjoin_cli.api.simulate.faults import InjectedError
from splitjoin_cli.api.simulate.stories import Stories
from splitjoin_cli.core.words import count_text
from splitjoin_cli.join.worker import End

if TYPE_CHECKING:
    from splitjoin_cli.api.simulate.chunks import ChunkSet
    from splitjoin_cli.api.simulate.faults import Trouble
    from splitjoin_cli.api.simulate.mailbox import Letter
    from splitjoin_cli.join.base import Continuation, JoinPayload
    from splitjoin_cli.join.worker import Handled

__all__ = ["CountedContinuation", "Tally"]


class CountedContinuation:
    """A Continuation that remembers its effects: once it returned, the receiver has it. Thread-safe."""

    def __init__(self, inner: Continuation) -> None:
        """``inner``: what really runs."""
        self._inner = inner
        self._lock = threading.Lock()
        self.effects: list[JoinPayload] = []
        self.failures = 0

    @property
    def uri(self) -> str:
        """See Continuation."""
        return self._inner.uri

    def run(self, payload: JoinPayload) -> None:
        """See Continuation."""
        try:
            self._inner.run(payload)
        except Exception:
            with self._lock:
                self.failures += 1
            raise
        with self._lock:
            self.effects.append(payload)

    def close(self) -> None:
        """See Continuation."""
        self._inner.close()


class Tally:
    """Counts deliveries and tells each chunk's story. Thread-safe; it is read when the threads have ended.

    ``joined_by``: the chunk and the worker that finished the join here; no chunk where the sweep did.
    """

    def __init__(self, found: ChunkSet) -> None:
        """Nothing happened yet. ``found``: the chunks that are stored."""
        self._lock = threading.Lock()
        self.stories = Stories(found)
        self.deliveries = self.duplicates = self.failures = self.crashes = 0
        self.joined_by: tuple[int | None, str] | None = None

    def begun(self, message: Letter, *, duplicated: bool) -> None:
        """A delivery begins; ``duplicated``: a copy of its message is sent."""
        with self._lock:
            self.deliveries += 1
            self.duplicates += duplicated
            self.stories.begin(message.number)

    def ended(self, message: Letter, owner: str, trouble: Trouble, outcome: Handled | None) -> str:
        """What a delivery came to, in words; ``outcome``: None where a fault left none."""
        told = f"{'duplicate, ' if message.copy else ''}{owner}: {_event(trouble, outcome)}"
        error = None if outcome is None else outcome.error
        with self._lock:
            if trouble.met is not None:
                self.crashes += trouble.kind == "crash"
                self.failures += trouble.kind == "failure"
            elif error is not None:
                self.failures += 1
            self.stories.tell(message.number, told)
            if error is not None and not isinstance(error, InjectedError):
                self.stories.advise(message.number, error.hint)
        if outcome is not None and outcome.joined:
            self.joined(owner, message.number)
        return told

    def joined(self, owner: str, number: int | None = None) -> None:
        """The join was finished, with chunk ``number`` or by the sweep; the first one stays."""
        with self._lock:
            if self.joined_by is None:
                self.joined_by = (number, owner)

    def settled(self, number: int) -> bool:
        """A chunk needs no delivery any more; True the first time alone."""
        with self._lock:
            return self.stories.settle(number)


def _event(trouble: Trouble, outcome: Handled | None) -> str:
    """What a delivery came to, in words."""
    if trouble.met is not None and outcome is None:
        return f"{'crashed' if trouble.kind == 'crash' else 'failed'} {trouble.met}"
    assert outcome is not None  # noqa: S101 -- only what was met leaves none
    if outcome.error is not None:
        return f"failed: {outcome.error.message}"
    rows = (
        ""
        if outcome.rows is None
        else f"{count_text(outcome.rows, 'row')} {'loaded' if outcome.loaded else 'found loaded'}, "
    )
    ends = {
        End.COUNTED: "counted" if outcome.counted else "found counted",
        End.JOINED: "joined" if outcome.joined else "found joined",
        End.REPLACED: "a newer run has the job",
        End.LEFT: "another holds the join",
    }
    return rows + ends[outcome.end]
