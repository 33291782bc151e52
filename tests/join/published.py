"""The published pattern, to show that what is claimed of it is so: load, ADD, and whoever gets the total goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from splitjoin_cli.join.base import JoinPayload
from splitjoin_cli.stores.trackers.jobs import Job
from tests.join.memory import FILE_NAME, RUN_ID
from tests.join.replay import Cast

if TYPE_CHECKING:
    from tests.join.replay import Process, Replay, Stores


@dataclass(frozen=True, slots=True)
class Acknowledged:
    acknowledge: bool = True


@dataclass(frozen=True, slots=True)
class PublishedCast(Cast):
    """``SET total_parts = if_not_exists(total_parts, :total) ADD processed_parts :one``, without any condition.

    ``ledger``: with loads that happen once, as a cure for half of it.
    """

    first_call: str = "load"
    ledger: bool = False

    def act(self, replay: Replay, process: Process) -> object:
        stores = replay.stores
        if process.number:
            replay.call("load", lambda: _load(stores, process.number, once=self.ledger))
            if replay.call("add", lambda: _add(stores)) == stores.total:
                replay.call("continue", lambda: _continue(stores))
        return Acknowledged()


def _load(stores: Stores, number: int, *, once: bool) -> None:
    if once and (RUN_ID, number) in stores.database.table:
        return
    stores.database.table[RUN_ID, number] = stores.database.table.get((RUN_ID, number), 0) + 1


def _add(stores: Stores) -> int:
    job = stores.table.jobs.get(FILE_NAME) or Job(FILE_NAME, stores.total)
    stores.table.jobs[FILE_NAME] = replace(job, processed_parts=job.processed_parts + 1)
    return job.processed_parts + 1


def _continue(stores: Stores) -> None:
    missing = [number for number in range(1, stores.total + 1) if (RUN_ID, number) not in stores.database.table]
    if missing:
        stores.broken = f"L4: the continuation ran before chunks {missing} were loaded"
    stores.effects[RUN_ID] = JoinPayload(FILE_NAME, RUN_ID, stores.total, 0, "")
