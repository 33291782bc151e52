"""What the tests of the tracker on DynamoDB share: a table on each server, and a job of one's own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.trackers.jobs import Run
from tests.stores.trackers.tables import Table

if TYPE_CHECKING:
    from tests.servers.dynamodb import DynamoDbServer


@pytest.fixture(scope="module")
def made() -> dict[str, Table]:
    """The tables that this module's tests share, by server."""
    return {}


@pytest.fixture(params=["dynalite_server", "ministack_server"])
def table(request: pytest.FixtureRequest, made: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table on each server in turn; other tests' jobs lie in it too."""
    server: DynamoDbServer = request.getfixturevalue(request.param)
    server.use(monkeypatch)
    if request.param not in made:
        made[request.param] = Table(server)
    return made[request.param]


@pytest.fixture
def run() -> Run:
    """A job that no other test has."""
    return Run(f"acme-{uuid.uuid4().hex[:12]}_20240131", "1a2b3c4d" * 4)
