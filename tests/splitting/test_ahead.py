"""Blocks ahead of their turn: taken in order, each once, in no more memory than was allowed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from splitjoin_cli.splitting.ahead import Ahead


@pytest.mark.parametrize(("threads", "stripe", "most"), [(1, 8, 2), (4, 3, 2), (8, 8, 32), (5, 4, 3)])
def test_blocks_are_taken_in_order(threads: int, stripe: int, most: int) -> None:
    """Whatever thread comes first; and where memory is short, the stripe whose turn it is gets the last of it."""
    ahead, taken, rooms, lots = Ahead[int](10, stripe=stripe, most=most), list[int](), set[int](), Random(1)

    def work() -> None:
        while (numbers := ahead.stripe()).start < 100:
            for number in numbers:
                room = ahead.room(number)
                assert room is not None
                rooms.add(id(room.obj))
                time.sleep(lots.random() / 5000)
                ahead.put(number, room, number, taken.append)

    with ThreadPoolExecutor(threads) as executor:
        for done in [executor.submit(work) for _ in range(threads)]:
            done.result(60)
    assert taken == list(range(len(taken)))
    assert len(taken) >= 100
    assert len(rooms) <= most


def test_who_waits_for_memory_is_let_go() -> None:
    """After a stop there is none, and nothing is taken."""
    ahead, taken = Ahead[int](10, stripe=1, most=3), list[int]()
    rooms = [ahead.room(number) for number in (0, 1)]
    waiting = threading.Thread(target=lambda: rooms.append(ahead.room(2)))
    waiting.start()
    ahead.stop()
    waiting.join(20)
    assert rooms[2] is None
    assert rooms[0] is not None
    ahead.put(0, rooms[0], 0, taken.append)
    assert taken == []
