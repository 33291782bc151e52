"""The limit on the network: the rate is kept whoever takes, and however late a thread wakes."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bandwidth import CREDIT_SECONDS, Bandwidth, shared
from splitjoin_cli.core.units import parse_rate

MB = 1000 * 1000


@dataclass(slots=True)
class Time:
    """A clock that only sleeping moves, each sleep ``late`` seconds longer than it should be."""

    late: float = 0.0
    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds + self.late


@given(rate=st.integers(1000, 10**9), sizes=st.lists(st.integers(0, 256 * 1024), min_size=1), late=st.floats(0, 0.2))
def test_no_more_than_the_rate_passes(rate: int, sizes: list[int], late: float) -> None:
    """Of all that was taken, the last alone may be on its way still; and what is late is made up for."""
    time = Time(late)
    bandwidth = Bandwidth(rate, clock=time.clock, sleep=time.sleep)
    for size in sizes:
        bandwidth.take(size)
    least = sum(sizes[:-1]) / rate
    assert least - 1e-6 <= time.now - 100 <= least + late + 1e-6


def test_an_idle_hour_is_not_made_up_for() -> None:
    """After a pause the rate is the rate, but for a quarter of a second."""
    time = Time()
    bandwidth = Bandwidth(8 * MB, clock=time.clock, sleep=time.sleep)
    time.now += 3600
    began = time.now
    for _ in range(100):
        bandwidth.take(800_000)
    assert time.now - began == pytest.approx(9.9 - CREDIT_SECONDS)


def test_pieces_are_small_enough_to_take_turns() -> None:
    """A twentieth of a second at a low rate, what a connection sends at once at a high one."""
    assert [Bandwidth(rate).piece_bytes for rate in (1, 64_000, 8 * MB, 1000 * MB)] == [1, 3200, 256 * 1024, 256 * 1024]


def test_transfers_at_the_same_time_share_one() -> None:
    """The limit is the process's; when nobody has it any more, it begins anew."""
    one = shared(123)
    assert one is shared(123)
    assert one is not shared(124)
    assert shared(None) is None
    del one
    gc.collect()
    assert shared(123) is not None


@pytest.mark.parametrize(
    ("text", "rate"), [("8MB", 8 * MB), ("8MB/s", 8 * MB), (" 500KiB/s", 512_000), ("1.5M", 1_572_864), (9, 9)]
)
def test_rates(text: str | int, rate: int) -> None:
    """A size, with or without ``/s``."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["8MB/h", "fast", "0", "", "/s"])
def test_what_is_no_rate(text: str) -> None:
    """The error shows how one is written."""
    with pytest.raises(ValueError, match=r"is not a rate: write 8MB/s, 500KiB/s, or plain bytes per second"):
        parse_rate(text)
