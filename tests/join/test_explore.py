"""Laws L4, L5 and L6 over every interleaving of the real worker and sweep, under faults; that the search has teeth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.join.explore import Setting, explore
from tests.join.published import PublishedCast
from tests.join.replay import Cast

if TYPE_CHECKING:
    from tests.join.replay import Process, Replay

CRASHES, DUPLICATES = frozenset({"crash"}), frozenset({"duplicate"})
QUICK = {
    "one chunk, a trouble of any kind": Setting(1, troubles=1, lapses=2),
    "one chunk, two crashes or duplicates": Setting(1, troubles=2, kinds=CRASHES | DUPLICATES),
    "two chunks, a trouble of any kind": Setting(2, troubles=1),
    "two chunks, two crashes": Setting(2, troubles=2, kinds=CRASHES),
    "two chunks, two duplicates": Setting(2, troubles=2, kinds=DUPLICATES, lapses=0),
    "two chunks in two shards": Setting(2, shard_parts=1, troubles=1, kinds=CRASHES | DUPLICATES),
    "two chunks, no sweep": Setting(2, sweeps=False, troubles=2),
    "three chunks": Setting(3, troubles=0, lapses=2),
    "three chunks in two shards": Setting(3, shard_parts=2, troubles=0, lapses=2),
    "three chunks, no sweep, a trouble of any kind": Setting(3, sweeps=False, troubles=1),
    "three chunks in two shards, no sweep": Setting(3, shard_parts=2, sweeps=False, troubles=1),
}
LONG = {
    "one chunk, two troubles of any kind": Setting(1, troubles=2, lapses=2),
    "two chunks in two shards, a trouble of any kind": Setting(2, shard_parts=1, troubles=1),
    "one chunk, three troubles of any kind": Setting(1, troubles=3, lapses=2),
    "two chunks, two troubles of any kind": Setting(2, troubles=2, lapses=1),
    "two chunks in two shards, two troubles": Setting(2, shard_parts=1, troubles=2),
    "three chunks, a trouble of any kind": Setting(3, troubles=1, lapses=2),
    "three chunks in two shards, a trouble of any kind": Setting(3, shard_parts=2, troubles=1),
    "three chunks, no sweep, two troubles": Setting(3, sweeps=False, troubles=2),
}


@pytest.mark.parametrize("setting", QUICK.values(), ids=QUICK.keys())
def test_no_interleaving_breaks_a_law(setting: Setting) -> None:
    """L4: joined only when all is loaded once. L5: one owner, one payload, no join lost. L6: under any fault."""
    found = explore(setting)
    assert (found.broken, found.trace) == (None, ())
    assert found.states > 1_000


@pytest.mark.soak
@pytest.mark.parametrize("setting", LONG.values(), ids=LONG.keys())
def test_no_longer_interleaving_breaks_a_law(setting: Setting) -> None:
    """The same where there are hundreds of thousands of states."""
    found = explore(setting)
    assert (found.broken, found.trace) == (None, ())
    assert found.states > 50_000


@pytest.mark.parametrize(
    ("kind", "ledger", "law"),
    [
        ("duplicate", False, "L4: rows are there twice"),
        ("duplicate", True, "L4: the continuation ran before chunks [2] were loaded"),
        ("crash", False, "L4: joined, and the table holds"),
        ("crash", True, "L4: the continuation ran before chunks [2] were loaded"),
        ("lost", False, "L4: joined, and the table holds"),
        ("lost", True, "L4: the continuation ran before chunks [2] were loaded"),
        ("repeated", False, "L4: rows are there twice"),
        ("repeated", True, "L4: the continuation ran before chunks [2] were loaded"),
    ],
)
def test_the_published_counter_breaks_the_laws(kind: str, law: str, *, ledger: bool) -> None:
    """Each kind of trouble alone is enough, with loads that happen once as well, and the search finds it."""
    setting = Setting(2, sweeps=False, troubles=1, lapses=0, kinds=frozenset({kind}))
    found = explore(setting, PublishedCast(ledger=ledger))
    assert found.broken is not None
    assert found.broken.startswith(law)


def test_the_published_counter_is_right_without_troubles() -> None:
    """So that it is the troubles, and not the search, that break it."""
    found = explore(Setting(3, sweeps=False, troubles=0, lapses=0, kinds=frozenset()), PublishedCast())
    assert (found.broken, found.states > 20) == (None, True)


def test_acknowledging_a_held_join_needs_a_sweep() -> None:
    """A worker that trusts in a sweep that does not run loses the join of an owner that dies."""
    found = explore(Setting(1, sweeps=False, troubles=3, lapses=0), Cast(sweep_runs=True))
    assert found.broken is not None
    assert found.broken.startswith("L5: the join is lost")
    assert "the worker of event 1 acknowledges" in found.trace


@dataclass(frozen=True, slots=True)
class SkipsTheJoinOfDuplicates(Cast):
    """Takes a chunk that was counted before for one that needs nothing more: the published cure's own hole."""

    def act(self, replay: Replay, process: Process) -> object:
        if process.number and any(getattr(each.value, "already_loaded", False) for each in replay.answers):
            replay.call("skip", lambda: None)
            return Acknowledges()
        return Cast.act(self, replay, process)


@dataclass(frozen=True, slots=True)
class Acknowledges:
    acknowledge: bool = True


def test_a_worker_that_acknowledges_what_is_loaded_loses_joins() -> None:
    """A crash between load and count, and a redelivery that stops at the ledger: the count never comes."""
    setting = Setting(1, sweeps=True, troubles=1, lapses=0, kinds=frozenset({"crash"}))
    found = explore(setting, SkipsTheJoinOfDuplicates())
    assert found.broken is not None
    assert found.broken.startswith("L5: the join is lost")
