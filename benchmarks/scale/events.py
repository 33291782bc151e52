"""A discrete-event simulation's parts: a clock, slots, a bounded rate, and a capacity that is shared evenly.

Nothing here draws lots: the same calls give the same times. Each part knows how busy it was, which tells what bounds
the whole.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "Rate", "Shared", "Slots"]


class Clock:
    """Runs what was asked for, in order of time; seconds from 0. What is asked for the same time runs in that order."""

    def __init__(self) -> None:
        """Time 0."""
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Run ``act`` so much later."""
        self._asked += 1
        heapq.heappush(self._events, (self.now + seconds, self._asked, act))

    def run(self) -> None:
        """Run all there is, and what that asks for."""
        while self.step():
            pass

    def step(self, until: float = math.inf) -> bool:
        """Run the next one, if it is for ``until`` at the latest: else it is ``until`` now. Whether there was one."""
        if not self._events or self._events[0][0] > until:
            self.now = self.now if until == math.inf else max(self.now, until)
            return False
        self.now, _, act = heapq.heappop(self._events)
        act()
        return True

    def pass_by(self, seconds: float) -> None:
        """Let so much time pass, with all that happens meanwhile."""
        until = self.now + seconds
        while self.step(until):
            pass


class Busy:
    """What a part was asked for, and when: ``share`` is 1.0 where it never had a moment's rest while it was needed."""

    def __init__(self, clock: Clock) -> None:
        """Nothing was asked for yet."""
        self._clock = clock
        self.first: float | None = None
        self.last = 0.0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """So many seconds of its whole capacity were used, ending now."""
        if self.first is None:
            self.first = self._clock.now
        self.seconds += seconds
        self.last = max(self.last, self._clock.now)

    def begun(self) -> None:
        """It is needed from now on."""
        if self.first is None:
            self.first = self._clock.now

    @property
    def share(self) -> float:
        """How much of the time between its first and its last use it was used whole."""
        if self.first is None or self.last <= self.first:
            return 0.0
        return min(self.seconds / (self.last - self.first), 1.0)


class Slots:
    """So many at once, the others wait in line. ``ramp``: how many at first, and how many more each second."""

    def __init__(self, clock: Clock, most: int, ramp: tuple[float, float] | None = None) -> None:
        """``most``: in the end, at least 1."""
        self.busy = Busy(clock)
        self._clock, self._most, self._ramp = clock, most, ramp
        self._waiting: deque[Callable[[], None]] = deque()
        self._used, self._since = 0, 0.0
        self._ramp_from: float | None = None

    def take(self, act: Callable[[], None]) -> None:
        """Run ``act`` once there is a slot; ``give`` it back later."""
        self.busy.begun()
        if self._ramp and self._ramp_from is None:
            self._ramp_from = self._clock.now
            self._clock.after(1.0, self._grow)
        self._waiting.append(act)
        self._start()

    def give(self) -> None:
        """A slot is free."""
        self._count()
        self._used -= 1
        self._start()

    def _capacity(self) -> int:
        if self._ramp is None or self._ramp_from is None:
            return self._most
        first, growth = self._ramp
        return min(self._most, int(first + growth * (self._clock.now - self._ramp_from)))

    def _grow(self) -> None:
        self._start()
        if self._waiting and self._capacity() < self._most:
            self._clock.after(1.0, self._grow)
        elif self._capacity() < self._most:
            self._ramp_from = None  # nothing waits: it begins anew, as a poller that went down does

    def _start(self) -> None:
        while self._waiting and self._used < self._capacity():
            self._count()
            self._used += 1
            self._waiting.popleft()()

    def _count(self) -> None:
        self.busy.add((self._clock.now - self._since) * self._used / self._most)
        self._since = self._clock.now


class Rate:
    """So many a second in all, first come, first served; without saving up."""

    def __init__(self, clock: Clock, per_second: float) -> None:
        """``per_second``: more than 0."""
        self.busy = Busy(clock)
        self._clock, self._per_second, self._free_at = clock, per_second, 0.0

    def take(self, count: float, act: Callable[[], None]) -> None:
        """Run ``act`` once ``count`` have had their turn."""
        self.busy.begun()
        begin = max(self._clock.now, self._free_at)
        needs = count / self._per_second
        self._free_at = begin + needs

        def done() -> None:
            self.busy.add(needs)
            act()

        self._clock.after(self._free_at - self._clock.now, done)


class Shared:
    """A capacity that all who use it share evenly, such as a link or a database: processor sharing.

    ``total`` a second for all together, at most ``each`` for one. By virtual time: what one user gets, who is always
    there, advances for all alike, so that a user's end is known when it comes.
    """

    def __init__(self, clock: Clock, total: float, each: float) -> None:
        """Both more than 0; ``each`` may be the larger."""
        self.busy = Busy(clock)
        self._clock, self._total, self._each = clock, total, each
        self._users: list[tuple[float, int, Callable[[], None]]] = []
        self._virtual, self._since, self._turn, self._came = 0.0, 0.0, 0, 0

    def use(self, amount: float, act: Callable[[], None]) -> None:
        """Run ``act`` once ``amount`` is through."""
        self.busy.begun()
        self._advance()
        self._came += 1
        heapq.heappush(self._users, (self._virtual + amount, self._came, act))
        self._plan()

    def _speed(self) -> float:
        return min(self._each, self._total / len(self._users)) if self._users else 0.0

    def _advance(self) -> None:
        passed = self._clock.now - self._since
        self._virtual += passed * self._speed()
        self.busy.add(passed * self._speed() * len(self._users) / self._total)
        self._since = self._clock.now

    def _plan(self) -> None:
        self._turn += 1
        if self._users:
            turn = self._turn
            left = max(self._users[0][0] - self._virtual, 0.0)
            self._clock.after(left / self._speed(), lambda: self._end(turn))

    def _end(self, turn: int) -> None:
        if turn != self._turn:
            return  # somebody came or went since
        self._advance()
        end = self._users[0][0]
        done: list[Callable[[], None]] = []
        while self._users and self._users[0][0] <= end:
            done.append(heapq.heappop(self._users)[2])
        self._virtual = max(self._virtual, end)
        self._plan()
        for act in done:
            act()
