"""Work on an executor: bounded, and over when it ends, whatever fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.parallel import in_any_order, in_order, run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Counting:
    """Counts what is under way, and the most that ever was."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.done = 0

    def __call__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.001)
        with self.lock:
            self.now -= 1
            self.done += 1


def raising(error: BaseException) -> Callable[[], None]:
    """A call that fails."""

    def call() -> None:
        raise error

    return call


def test_results_come_in_the_order_of_the_items() -> None:
    """Also where the later ones are done first."""

    def slower_first(number: int) -> int:
        time.sleep((20 - number) / 4000)
        return number

    with ThreadPoolExecutor(4) as executor:
        assert list(in_order(executor, slower_first, range(20), 4)) == list(range(20))


def test_no_more_items_are_taken_than_the_window_holds() -> None:
    """An endless source is looked at only so far ahead."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(2) as executor:
        results = in_order(executor, lambda n: n, items(), 5)
        assert [next(results), next(results)] == [0, 1]
        assert len(taken) == 7
        del results


def test_calls_in_any_order_are_bounded() -> None:
    """Never more than the limit at once, and all of them."""
    counting = Counting()
    with ThreadPoolExecutor(8) as executor:
        in_any_order(executor, (counting for _ in range(50)), 3, lambda: None)
    assert (counting.done, counting.now) == (50, 0)
    assert counting.most <= 3


def test_the_first_error_ends_all_and_waits_for_what_began() -> None:
    """What is under way is told to give up, and is over when the error is raised."""
    gave_up, ended = threading.Event(), threading.Event()

    def slow() -> None:
        assert gave_up.wait(10)
        ended.set()

    never = Counting()
    with ThreadPoolExecutor(2) as executor, pytest.raises(KeyError, match="first"):
        in_any_order(executor, [slow, raising(KeyError("first")), never, never], 2, gave_up.set)
    assert ended.is_set()
    assert never.done == 0


def test_workers_have_all_ended_when_one_failed() -> None:
    """The failure is told to the others and raised once none of them runs."""
    stop, running = threading.Event(), Counting()
    failures: list[BaseException] = []
    first = threading.Lock()

    def work() -> None:
        if first.acquire(blocking=False):
            raise ValueError("one of them")
        assert stop.wait(10)
        running()

    def fail(error: BaseException) -> None:
        failures.append(error)
        stop.set()

    with ThreadPoolExecutor(3) as executor, pytest.raises(ValueError, match="one of them"):
        run_workers(executor, 3, work, fail)
    assert [str(error) for error in failures] == ["one of them"]
    assert running.done == 2
