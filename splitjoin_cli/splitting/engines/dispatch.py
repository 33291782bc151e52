"""Hands units to an engine, as many as it wants, and each again until it is answered: nobody else retries."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from queue import Empty
from typing import TYPE_CHECKING

from splitjoin_cli.core import errors as known
from splitjoin_cli.core import trace
from splitjoin_cli.core.errors import EngineError, SplitjoinError, StoreError
from splitjoin_cli.splitting.engines.base import Failed
from splitjoin_cli.splitting.engines.not_now import NotNowError
from splitjoin_cli.splitting.engines.pace import Pace
from splitjoin_cli.splitting.engines.wire import OtherReleaseError, answer_of, release, unit_text
from splitjoin_cli.splitting.engines.words import another_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from splitjoin_cli.splitting.engines.base import Answer, Engine, Unit
    from splitjoin_cli.splitting.engines.pace import Inbox

__all__ = ["Dispatcher", "Work", "deadline_seconds", "error_of"]

TRIES = 4
"""How often a unit is sent before it has failed."""
LEAST_SECONDS = 120.0
BYTES_PER_SECOND = 500_000.0
"""What a unit may take: so long, and a second more for so many bytes of its range."""
CHECK_SECONDS = 1.0
OVERTAKEN = 8
"""A unit is sent once more, beside itself, when so many times the units under way were answered that came after it.

It is lost, most likely, long before its deadline says so; and what is scanned behind it has to be kept until it comes.
Where the whole engine pauses, none overtakes another.
"""
BACKUP_TIMES, BACKUP_SECONDS = 3.0, 5.0
"""When no work is left that has not begun, a unit that takes so many times what the slowest of its peers took, and at
least so many seconds, is sent once more beside itself: a backup task, as MapReduce has them (J. Dean and S. Ghemawat,
"MapReduce: Simplified Data Processing on Large Clusters", OSDI 2004, section 3.6). Until then none overtakes it. After
as long again it has another: an engine may give the first one to the same worker that hangs."""
PEERS = 64
"""The last so many answers say what a unit takes."""
LEAST_DUE = 64
"""Deadlines that are kept whatever became of their units."""
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.5, 20.0
"""Before a unit is sent again that the engine did not take; twice as long each time, less up to a half by chance."""


def deadline_seconds(size: int) -> float:
    """After how long without an answer a unit of so many bytes is sent again, beside the one that may still run."""
    return LEAST_SECONDS + size / BYTES_PER_SECOND


def pause_seconds(refusals: int, chance: float) -> float:
    """How long a unit waits that the engine refused so often. ``chance``: 0 to 1, so that not all come at once."""
    longest = FIRST_PAUSE_SECONDS * 2.0 ** min(refusals - 1, 10)
    return min(longest, MOST_PAUSE_SECONDS) * (1 - chance / 2)


def error_of(failed: Failed) -> SplitjoinError:
    """What a worker met, as the error that it is here."""
    kind = getattr(known, failed.code, StoreError)
    if not (isinstance(kind, type) and issubclass(kind, SplitjoinError)):
        kind = StoreError
    try:
        error: SplitjoinError = kind(failed.message, hint=failed.hint)
    except TypeError:
        error = StoreError(failed.message, hint=failed.hint)
    return error


@dataclass(eq=False, slots=True)
class Work:
    """A unit, and what its answer is for. ``done`` may give more work, which comes before all that has not begun.

    ``flying``: what was sent and not answered, with the time at which it was.
    """

    unit: Unit
    done: Callable[[Answer], Work | None]
    text: str = ""
    sent: int = 0
    refused: int = 0
    due: float = 0.0
    flying: dict[Future[str], float] = field(default_factory=dict)
    settled: bool = False
    trouble: str | None = None

    def __post_init__(self) -> None:
        self.text = unit_text(self.unit)

    @property
    def what(self) -> str:
        """For messages."""
        return self.unit.what


def _is_live(entry: tuple[float, int, Work]) -> bool:
    """Whether a deadline is still its unit's."""
    due, _, work = entry
    return not work.settled and due == work.due


class Dispatcher:
    """Runs work on an engine. ``run`` it as often as there is work; it belongs to one thread."""

    def __init__(
        self,
        engine: Engine,
        *,
        pace: Pace | None = None,
        deadline: Callable[[int], float] = deadline_seconds,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``pace``: None for this machine's. ``deadline``: see ``deadline_seconds``. ``check`` raises what ends it.

        ``tell`` hears of units that are sent once more, for those who wait.
        """
        self._check, self._tell = check, tell
        pace = pace or Pace()
        self._engine, self._deadline = engine, deadline
        self._now, self._lot = pace.now, pace.lot
        self._answers: Inbox = pace.inbox()
        self._due: list[tuple[float, int, Work]] = []
        self._paused: list[tuple[float, int, Work]] = []
        self._order = itertools.count()
        self._queue: deque[tuple[int, Work]] = deque()  # as they were sent: how many had been answered by then
        self._answered = 0
        self._open: dict[Work, None] = {}  # in the order in which they were begun
        self._peers: deque[tuple[int, float]] = deque(maxlen=PEERS)  # weights of units, and the seconds they took
        self._next_look = 0.0
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether a unit that nobody waits for any more may still run, or was killed half-way."""
        return self._abandoned or self._engine.lost_work

    def run(self, works: Iterable[Work]) -> None:
        """Do it all; each ends in its ``done``. Raises EngineError, and what ``done`` raises; then nothing is sent."""
        coming = iter(works)
        more = True
        try:
            while more or self._open:
                wanted = max(self._engine.in_flight, 1)  # also where no unit is left to be sent: is it still there?
                while more and len(self._open) < wanted:
                    more = self._begin(coming)
                if not more:
                    self._back_up()
                if self._open:
                    self._wait()
        except BaseException:
            self._abandon()
            raise

    def _begin(self, coming: Iterator[Work]) -> bool:
        work = next(coming, None)
        if work is not None:
            self._send(work)
        return work is not None

    def _send(self, work: Work) -> None:
        self._open[work] = None
        work.sent += 1
        future = self._engine.submit(work.text)
        work.flying[future] = now = self._now()
        work.due = now + self._deadline(work.unit.weight)
        heapq.heappush(self._due, (work.due, next(self._order), work))
        if len(self._due) > LEAST_DUE + 4 * len(self._open):  # most were answered long before they were due
            self._due = [entry for entry in self._due if _is_live(entry)]
            heapq.heapify(self._due)
        self._queue.append((self._answered, work))
        future.add_done_callback(lambda done: self._answers.put((work, done)))

    def _wait(self) -> None:
        """Until one answers, is overdue, or has waited long enough to be sent again."""
        self._check()
        self._resume()
        try:
            left = min(heap[0][0] for heap in (self._due, self._paused) if heap) - self._now()
            work, future = self._answers.get(timeout=min(max(left, 0.0), CHECK_SECONDS))
        except Empty:
            self._overdue()
            return
        if not work.settled:
            self._take(work, future)
            self._overtaken()

    def _take(self, work: Work, future: Future[str]) -> None:
        took = self._now() - work.flying.pop(future)
        try:
            answer = answer_of(future.result(), work.text)
        except OtherReleaseError as exc:
            raise EngineError(
                another_release(self._engine.words.one, exc.found, release()),
                hint=self._engine.words.install,
            ) from exc
        except EngineError:
            raise
        except NotNowError as exc:
            self._refused(work, exc)
            return
        except (Exception, CancelledError) as exc:  # noqa: BLE001 -- whatever an engine answers with: this try is lost
            self._abandoned = True
            self._lost(work, f"{type(exc).__name__}: {exc}")
            return
        if isinstance(answer, Failed) and answer.again and work.sent < TRIES:
            self._lost(work, answer.message)
            return
        if not isinstance(answer, Failed) and not work.flying:  # else what it took says nothing of others
            self._peers.append((max(work.unit.weight, 1), took))
        self._settle(work, answer)

    def _lost(self, work: Work, trouble: str) -> None:
        """A try that came to nothing: another, unless one is still under way."""
        work.trouble = trouble
        trace.note("unit lost", unit=work.what, sent=work.sent, trouble=trouble)
        if work.sent < TRIES:
            self._tell(f"{self._engine.name}: cannot {work.what}: {trouble}; it is sent once more")
            self._send(work)
        elif not work.flying:
            message = f"{self._engine.name}: cannot {work.what}: sent {work.sent} times; the last one: {trouble}"
            self._settle(work, Failed("EngineError", message, self._engine.words.log, fatal=False, again=False))

    def _refused(self, work: Work, refusal: NotNowError) -> None:
        """Let it wait, unless the same unit is under way elsewhere, or was sent often enough."""
        if refusal.may_have_run:
            self._abandoned = True
        else:
            work.sent -= 1
        if work.sent >= TRIES:
            self._lost(work, str(refusal))
            return
        work.trouble = str(refusal)
        work.refused += 1
        if work.flying:
            return
        pause = pause_seconds(work.refused, self._lot())
        trace.note("unit refused", unit=work.what, times=work.refused, trouble=work.trouble, pause=round(pause, 3))
        work.due = math.inf
        heapq.heappush(self._paused, (self._now() + pause, next(self._order), work))

    def _resume(self) -> None:
        """Send what has waited long enough."""
        now = self._now()
        while self._paused and self._paused[0][0] <= now:
            work = heapq.heappop(self._paused)[2]
            if not work.settled:
                self._send(work)

    def _overdue(self) -> None:
        """The first one is: send it beside what may still run; after the last try it has failed."""
        now = self._now()
        while self._due and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)
            if not _is_live(entry):
                continue
            work = entry[2]
            if work.sent < TRIES:
                self._send_beside(work, "overdue")
                continue
            trace.note("unit overdue", unit=work.what, sent=work.sent)
            said = "" if work.trouble is None else f"; the last trouble was: {work.trouble}"
            engine = self._engine
            message = f"{engine.name}: {engine.words.silent} to {work.what}, sent {work.sent} times{said}"
            self._settle(work, Failed("EngineError", message, engine.words.busy, fatal=False, again=False))

    def _overtaken(self) -> None:
        """Send those beside themselves that were sent long before what was answered, but for their last try."""
        queue, most = self._queue, self._answered - OVERTAKEN * max(self._engine.in_flight, len(self._open))
        while queue and (queue[0][1].settled or queue[0][0] < most):
            work = queue.popleft()[1]
            if not work.settled and work.flying and work.sent < TRIES - 1:
                self._send_beside(work, "overtaken")

    def _send_beside(self, work: Work, why: str) -> None:
        """Send it once more beside what may still run."""
        seconds = self._now() - max(work.flying.values())
        trace.note(f"unit {why}", unit=work.what, sent=work.sent, seconds=round(seconds, 3))
        self._tell(f"{self._engine.words.silent} to {work.what} for {seconds:.0f} s: it is sent once more")
        self._send(work)

    def _back_up(self) -> None:
        """Send those beside themselves that take far longer than their peers, but for their last try."""
        now = self._now()
        if not self._peers or now < self._next_look:
            return
        self._next_look = now + CHECK_SECONDS
        for work in list(self._open):
            if not work.flying or work.sent >= TRIES - 1:
                continue
            seconds = now - max(work.flying.values())
            if seconds > max(BACKUP_TIMES * self._slowest(work.unit.weight), BACKUP_SECONDS):
                self._send_beside(work, "backed up")

    def _slowest(self, weight: int) -> float:
        """What a unit of so many bytes takes, by what those of half as many or more took, or else the largest."""
        least = min(weight / 2, max(heavy for heavy, _ in self._peers))
        return max(seconds * max(weight / heavy, 1.0) for heavy, seconds in self._peers if heavy >= least)

    def _settle(self, work: Work, answer: Answer) -> None:
        work.settled = True
        self._answered += 1
        self._open.pop(work, None)
        self._drop(work)
        more = work.done(answer)
        if more is not None:
            self._send(more)

    def _drop(self, work: Work) -> None:
        """Take back what nobody waits for."""
        for future in work.flying:
            self._abandoned = True
            self._engine.cancel(future)
        work.flying.clear()

    def _abandon(self) -> None:
        for work in self._open:
            work.settled = True
            self._drop(work)
        self._open.clear()
