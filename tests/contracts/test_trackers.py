"""The contract of a tracker, held by every implementation: see splitjoin_cli/stores/trackers/base.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import uuid
from typing import TYPE_CHECKING, Any

import pytest

import splitjoin_cli.stores.trackers
from splitjoin_cli.testing.joins import JoinContract
from splitjoin_cli.testing.repairs import RepairContract
from splitjoin_cli.testing.reports import ReportContract
from splitjoin_cli.testing.trackers import ShardedTrackerContract, TrackerContract
from tests.stores.trackers.rigs import DynamoDbRig, MemoryRig, SqliteRig

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.testing.jobs import TrackerRig
    from tests.servers.dynamodb import DynamoDbServer


COVERED = {"MemoryTracker", "SqliteTracker", "DynamoDbTracker"}


SERVERS = {"dynalite": "dynalite_server", "ministack": "ministack_server"}


KINDS = ["memory", "sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in SERVERS)]


SHARDED_KINDS = [kind for kind in KINDS if kind != "sqlite"]


@pytest.fixture(scope="module")
def stores() -> dict[str, tuple[Any, str]]:
    """A client and a table for each server, made when they are first asked for."""
    return {}


@pytest.fixture(params=KINDS)
def rig(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    stores: dict[str, tuple[Any, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> TrackerRig:
    """Each kind of store in turn."""
    if request.param == "memory":
        return MemoryRig()
    if request.param == "sqlite":
        return SqliteRig(tmp_path)
    server: DynamoDbServer = request.getfixturevalue(SERVERS[request.param])
    server.use(monkeypatch)
    if request.param not in stores:
        client, table = server.client(), f"jobs-{uuid.uuid4().hex[:12]}"
        DynamoDbRig(client, table).tracker().init()
        stores[request.param] = (client, table)
    return DynamoDbRig(*stores[request.param])


def test_every_tracker_is_held_to_the_contract() -> None:
    """A tracker that is not in this suite fails it."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.trackers.__path__, "splitjoin_cli.stores.trackers."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {name for name, kind in members if kind.__module__ == module.name and hasattr(kind, "mark_done")}
    assert found - {"Tracker"} == COVERED


class TestTrackers(TrackerContract, ReportContract, JoinContract, RepairContract):
    pass


@pytest.mark.parametrize("rig", SHARDED_KINDS, indirect=True)
class TestShardedTrackers(ShardedTrackerContract):
    pass
