"""Bounded work on an executor: in order, in any order, or the same work on several threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

__all__ = ["in_any_order", "in_order", "run_workers"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(executor: Executor, function: Callable[[T], R], items: Iterable[T], window: int) -> Iterator[R]:
    """``map`` on ``executor`` with at most ``window`` items under way, results in order.

    After an error, or when the consumer stops, what has not begun is dropped and what has begun is waited for.
    """
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(waiting) >= window:
                yield waiting.popleft().result()
            waiting.append(executor.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for future in waiting:
            if not future.cancelled():
                future.exception()


def in_any_order(
    executor: Executor, calls: Iterable[Callable[[], None]], limit: int, give_up: Callable[[], None]
) -> None:
    """Run calls, at most ``limit`` of them under way; they are taken from the iterable as there is room.

    The first error that one raises, or that comes here meanwhile (a signal), ends it: ``give_up`` tells those under
    way, what has not begun is dropped, what has begun is waited for, and the error is raised.
    """
    flying: set[Future[None]] = set()
    try:
        for call in calls:
            if len(flying) >= limit:
                flying = _settled(flying, FIRST_COMPLETED)
            flying.add(executor.submit(call))
        _settled(flying, ALL_COMPLETED)
    except BaseException:
        give_up()
        for future in flying:
            future.cancel()
        wait(flying)
        raise


def _settled(flying: set[Future[None]], when: str) -> set[Future[None]]:
    """Wait; those still flying. Raises what one of the others raised."""
    done, still = wait(flying, return_when=when)
    for future in done:
        future.result()
    return still


def run_workers(
    executor: Executor, threads: int, work: Callable[[], None], fail: Callable[[BaseException], None]
) -> None:
    """Run ``work`` on so many threads of ``executor`` until all of them have ended, whatever happens meanwhile.

    ``work`` tells its own errors by ``fail``, which stops the others; so is told what stops the caller, who waits.
    """
    workers = [executor.submit(work) for _ in range(threads)]
    try:
        for worker in workers:
            worker.result()
    except BaseException as exc:  # a signal, most likely: the workers must not go on
        fail(exc)
        raise
    finally:
        for worker in workers:
            worker.exception()
