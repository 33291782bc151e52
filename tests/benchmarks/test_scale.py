"""The simulation of the pattern: its parts by hand, and what must hold of any setting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale.__main__ import table
from benchmarks.scale.check import Trial, fit
from benchmarks.scale.events import Clock, Rate, Shared, Slots
from benchmarks.scale.limits import LIMITS, MEASURED, PRICES
from benchmarks.scale.pattern import MIB, Setting, advise, requests_of_chunk, simulate
from tests.laws import examples

TB = 10**12
FEW = 400
"""Tokens: a coarse simulation is quick, and as right in what is asked here."""


def test_a_shared_capacity_is_shared_evenly() -> None:
    """Two at 10 a second together: 30 and 50, the second from second 2 on; one alone gets at most 8."""
    clock = Clock()
    ended: dict[str, float] = {}
    link = Shared(clock, 10, 8)
    clock.after(0, lambda: link.use(30, lambda: ended.update(first=clock.now)))
    clock.after(2, lambda: link.use(50, lambda: ended.update(second=clock.now)))
    clock.run()
    assert ended["first"] == pytest.approx(2 + 14 / 5)
    assert ended["second"] == pytest.approx(2 + 14 / 5 + 36 / 8)
    assert link.busy.share == pytest.approx(80 / 10 / ended["second"])


def test_slots_and_rates_are_first_come_first_served() -> None:
    """Three of two seconds on two slots; five at two a second."""
    clock = Clock()
    ended: list[float] = []
    slots, rate = Slots(clock, 2), Rate(clock, 2)

    def work() -> None:
        clock.after(2, end)

    def end() -> None:
        ended.append(clock.now)
        slots.give()

    for _ in range(3):
        slots.take(work)
    clock.run()
    assert (ended, slots.busy.share) == ([2, 2, 4], 0.75)
    turns: list[float] = []
    for _ in range(5):
        rate.take(1, lambda: turns.append(clock.now))
    clock.run()
    assert turns == [4.5, 5.0, 5.5, 6.0, 6.5]


def test_pollers_grow() -> None:
    """Five at first, five more each second: 20 of a hundred seconds begin within three."""
    clock = Clock()
    began: list[float] = []
    slots = Slots(clock, 100, (5, 5))

    def work() -> None:
        began.append(clock.now)
        clock.after(100, slots.give)

    for _ in range(20):
        slots.take(work)
    clock.run()
    assert began == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


def test_one_by_one_by_hand() -> None:
    """Four chunks of one job and one worker: each waits for the one before it."""
    free = dict.fromkeys(
        ("puts_per_second", "gets_per_second", "item_units_per_second", "write_units_per_second"), 1e12
    )
    waits = {"event_seconds": 0.0, "request_seconds": 1.0, "start_seconds": 2.0, "stream_bytes_per_second": MIB}
    limits = replace(LIMITS, **free, **waits)
    measured = replace(MEASURED, row_bytes=64, connection_rows_per_second=MIB / 64 / 4, scan_bytes_per_second=4 * MIB)
    setting = Setting(
        32 * MIB, chunk_bytes=8 * MIB, jobs=1, cores=1, concurrency=2, network=1e9, database_rows=MIB / 64 / 4
    )
    found = simulate(setting, limits, measured)
    assert (found.planned, found.counted) == (8, 4)
    assert found.stored == pytest.approx(8 + 4 * (1 + 8))
    # The database gives two loads half of its rate each: from the first chunk on it never rests but for each start.
    assert found.loaded == pytest.approx(8 + 9 + 3 + 4 * 32, rel=1e-6)
    assert found.load_bound_by == "database"
    dollars = {name: round(value, 9) for name, value in found.dollars.items()}
    assert dollars["SQS"] == pytest.approx(12 * PRICES.message)
    assert dollars["S3 requests"] == pytest.approx(4 * PRICES.put + 12 * PRICES.get)


@pytest.mark.parametrize(
    ("setting", "split", "load"),
    [
        (
            Setting(TB, chunk_bytes=MIB, copies=True, jobs=10_000, concurrency=1000, database_rows=1e12),
            "S3 writes",
            None,
        ),
        (Setting(TB, copies=True, concurrency=1000, database_rows=1000), "jobs", "database"),
        (Setting(TB, copies=True, concurrency=2, database_rows=1e12), "jobs", "functions at once"),
        (Setting(TB, network=1e8, jobs=64, concurrency=2), "network or CPU", "functions at once"),
    ],
)
def test_what_is_named_bounds_it(setting: Setting, split: str, load: str | None) -> None:
    """Each part can be the one that the others wait for."""
    found = simulate(setting, tokens=FEW)
    assert found.split_bound_by == split
    assert load is None or found.load_bound_by == load
    assert found.counted == setting.chunks


@given(st.integers(1, 400), st.integers(1, 64), st.integers(2, 50), st.integers(1, 20))
@examples(15)
def test_more_is_never_slower_by_much(chunks: int, jobs: int, concurrency: int, rows: int) -> None:
    """Every chunk is counted once, the same call gives the same times, and the work takes what its parts need."""
    setting = Setting(chunks * 128 * MIB, jobs=jobs, concurrency=concurrency, database_rows=rows * 1e5)
    found = simulate(setting)
    assert found == simulate(setting)
    assert found.counted == setting.chunks == chunks
    assert 0 < found.planned < found.stored < found.loaded < found.joined
    seconds = (
        setting.size
        / MEASURED.row_bytes
        / min(setting.database_rows, concurrency * MEASURED.connection_rows_per_second)
    )
    assert found.loaded >= seconds
    more = simulate(replace(setting, database_rows=2 * setting.database_rows))
    assert more.loaded <= found.loaded * 1.001


def test_requests_are_the_plans() -> None:
    """One PUT up to a part; more parts begin and end an upload; a copy sends its first 5 MiB itself."""
    assert requests_of_chunk(Setting(TB, chunk_bytes=64 * MIB)) == 1
    assert requests_of_chunk(Setting(TB, chunk_bytes=128 * MIB)) == 4
    assert requests_of_chunk(Setting(TB, chunk_bytes=128 * MIB, copies=True)) == 4
    assert requests_of_chunk(Setting(TB, chunk_bytes=1024 * MIB, copies=True)) == 7


@pytest.mark.parametrize("size", [TB, 10 * TB, 1000 * TB])
def test_what_is_advised_fits(size: int) -> None:
    """At most a million chunks, and three times the longest load within the timeout."""
    setting = advise(size, 4, rows_per_second=2e7)
    found = simulate(setting, tokens=FEW)
    assert setting.chunks <= 10**6
    assert 3 * found.load_seconds <= setting.timeout_seconds * 1.1


def test_the_table_has_a_line_for_each_setting() -> None:
    """As it is printed."""
    lines = table([1], 4, FEW).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == [
        "as installed",
        "for one server",
        "for a cluster",
        "for no bound",
    ]


def test_rates_are_found_from_two_runs() -> None:
    """Half a second a chunk, and 4 MiB a second."""
    small = Trial(chunks=8, size=8 * MIB, rows=0, at_once=1, seconds=8 * 0.5 + 2)
    large = Trial(chunks=2, size=32 * MIB, rows=0, at_once=1, seconds=2 * 0.5 + 8)
    each, rate = fit(small, large, "size")
    assert [each, rate] == pytest.approx([0.5, 4 * MIB])
