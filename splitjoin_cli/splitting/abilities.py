"""What the store of a destination lacks: found out beside the scan, once for a command, and told as warnings.

Nothing that is missing ends a split on threads: it does without, and says what the user should know. Where it cannot be
found out, the split goes on as if nothing were missing, and each request meets it by itself.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Self

from splitjoin_cli.core import trace
from splitjoin_cli.core.errors import AccessError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from splitjoin_cli.core.model import S3Location
    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.stores.sinks.base import Prober, Sink

__all__ = ["NOTHING_ASKED", "Abilities", "Inquiry", "warn_before_removal"]

NOT_APART = "this store does not keep conditional writes apart: "
TWO_SPLITS = f"{NOT_APART}do not run two splits of one name at once"
SPLIT_AND_REMOVAL = f"{NOT_APART}make sure that no split of this name runs"
NO_CHECKSUMS = (
    "this store does not confirm CRC-64/NVME checksums: each upload carries an MD5 instead, and splitjoin verify reads "
    "every chunk"
)
NO_LISTING = (
    "this store does not list unfinished uploads: those of a killed split stay until you or a lifecycle rule end them"
)
NO_COPIES = "this store does not copy parts of objects"
HERE = "this machine"
LEFT = "what was stored to try this store stays there"


class Question(StrEnum):
    """What a store is asked, in this order."""

    WRITES = "conditional writes"
    UPLOADS = "list of uploads"
    COPIES = "copies"
    STALE = "leftovers"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a store can do; None where it was not asked for, or could not be found out.

    ``conditional_writes``: it refuses a write whose condition does not hold. ``lists_uploads``: it lists those that are
    open. ``copies``: it copies ranges of objects.
    """

    conditional_writes: bool | None = None
    lists_uploads: bool | None = None
    copies: bool | None = None


NOTHING_ASKED = Abilities()


class Inquiry:
    """Asks a store what it can do, on a thread of its own. Thread-safe: the splits of one command share it."""

    def __init__(self, observer: Observer, through: str = HERE) -> None:
        """``observer`` hears what is missing, as soon as it is known. ``through``: what bytes pass that no copy has."""
        self._observer, self._streamed = observer, f"the chunks' bytes pass through {through}"
        self._refused = False
        self._executor = ThreadPoolExecutor(1, "probe")
        self._lock = threading.Lock()
        self._asked: dict[Question, Future[bool | None]] = {}
        self._probers: list[Prober] = []
        self._denied: AccessError | None = None

    def begin(self, sink: Sink, copied: S3Location | None) -> None:
        """Ask what was not asked before. ``copied``: a source that is to be copied on the server. Returns at once."""
        prober = sink.prober
        if prober is None:
            return
        with self._lock:
            self._probers.append(prober)
            self._ask(Question.WRITES, prober, partial(self._try_writes, prober))
            self._ask(Question.UPLOADS, prober, partial(self._told, prober.try_uploads, NO_LISTING))
            if copied is not None:
                missing = f"{NO_COPIES}: {self._streamed}"
                self._ask(Question.COPIES, prober, partial(self._told, partial(prober.try_copy, copied), missing))
            self._ask(Question.STALE, prober, partial(self._remove_stale, prober))

    def refused(self, why: str) -> None:
        """A copy was, of a split that is under way: told once, and splits that begin from now on do not ask."""
        with self._lock:
            known, self._refused = self._refused, True
        if not known:
            self._observer.warn(f"{why}; {self._streamed}")

    def settled(self) -> Abilities:
        """What was found out; waits for it. That it was not allowed is told here: a split may have ended by that."""
        writes, uploads, copies = map(self._answer, (Question.WRITES, Question.UPLOADS, Question.COPIES))
        with self._lock:
            denied, self._denied = self._denied, None
            found = Abilities(writes, uploads, False if self._refused else copies)
        if denied is not None:
            self._observer.warn(f"what this store can do is not known: {denied.told}")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until nothing is left of what was asked; where an error or a signal ends the command, ask no more."""
        if kind is not None:
            with self._lock:
                for prober in self._probers:
                    prober.stop()
        self._executor.shutdown(wait=True, cancel_futures=kind is not None)

    def _answer(self, question: Question) -> bool | None:
        with self._lock:
            future = self._asked.get(question)
        return None if future is None or future.cancelled() else future.result()

    def _ask(self, question: Question, prober: Prober, act: Callable[[], bool]) -> None:
        """Have it asked, once; the caller has the lock."""
        if question not in self._asked:
            self._asked[question] = self._executor.submit(self._asked_for, question, prober, act)

    def _asked_for(self, question: Question, prober: Prober, act: Callable[[], bool]) -> bool | None:
        """The answer to a question, with whatever is to be said of it."""
        answer, before = None, len(prober.left)
        try:
            answer = act()
        except AccessError as exc:
            if question is Question.WRITES:  # the others the split asks for itself, and says more
                self._denied = exc
        except StoreError as exc:
            self._observer.detail(f"what this store can do is not known: {exc.told}")
        for error in prober.left[before:]:
            self._observer.warn(f"{LEFT}: {error.told}")
        trace.note("store asked", question=question, answer=answer)
        return answer

    def _try_writes(self, prober: Prober) -> bool:
        tried = prober.try_writes()
        if not tried.conditional:
            self._observer.warn(TWO_SPLITS)
        if not tried.checksums:
            self._observer.warn(NO_CHECKSUMS)
        return tried.conditional

    def _told(self, act: Callable[[], bool], missing: str) -> bool:
        answer = act()
        if not answer:
            self._observer.warn(missing)
        return answer

    def _remove_stale(self, prober: Prober) -> bool:
        removed = prober.remove_stale()
        if removed:
            self._observer.detail(f"removed {removed} leftovers of killed commands that tried this store")
        return removed > 0


def warn_before_removal(sink: Sink, observer: Observer) -> None:
    """Warn where ``rm`` cannot keep a split out of a name, which its conditional claim does elsewhere."""
    prober = sink.prober
    if prober is None:
        return
    try:
        if not prober.try_writes().conditional:
            observer.warn(SPLIT_AND_REMOVAL)
    except StoreError as exc:
        observer.detail(f"what this store can do is not known: {exc.told}")
    for error in prober.left:
        observer.warn(f"{LEFT}: {error.told}")
