"""A server that stands in for DynamoDB is refused where it does not count a chunk once, and nothing is left there."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.api.init import init
from splitjoin_cli.core.aws.endpoints import AWS_SUFFIXES
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import NotFoundError, StoreError
from splitjoin_cli.stores.trackers import dynamodb_probe
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.dynamodb_calls import Table
from splitjoin_cli.stores.trackers.dynamodb_probe import check_conditions
from tests.stores.trackers.faults import LosesResponses, Refuses

if TYPE_CHECKING:
    from tests.servers.dynamodb import DynamoDbServer

pytestmark = pytest.mark.server
AT_ONCE = Retry(attempts=3, first_delay_seconds=0.0)


@pytest.fixture(params=["dynalite_server", "ministack_server"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DynamoDbServer:
    """Each of the two."""
    found: DynamoDbServer = request.getfixturevalue(request.param)
    found.use(monkeypatch)
    return found


@pytest.fixture
def table(server: DynamoDbServer) -> Table:
    """A tracker's table, with a client of its own."""
    client = server.client(connections=1)
    name = f"jobs-{uuid.uuid4().hex[:12]}"
    DynamoDbTracker(name, client=client).init()
    return Table(client, name, retry=AT_ONCE)


def puts_another_condition(client: Any, condition: str) -> None:  # noqa: ANN401 -- boto3 makes its clients' classes
    """As a server that reads this where the condition is."""

    def change(params: dict[str, Any], **_: object) -> None:
        if "ConditionExpression" in params:
            params["ConditionExpression"] = condition

    client.meta.events.register("provide-client-params.dynamodb.UpdateItem", change)


def left(table: Table) -> int:
    """How many items there are."""
    return int(table.call("scan", TableName=table.name)["Count"])


def test_a_server_that_keeps_conditions(table: Table) -> None:
    """Nothing is said, and nothing is left; also where an answer is lost and its request is sent again."""
    check_conditions(table)
    LosesResponses(table.client, "UpdateItem")
    check_conditions(table)
    assert left(table) == 0


@pytest.mark.parametrize(
    ("condition", "counted"),
    [("attribute_not_exists(nothing) OR contains(done, :member)", 3), ("contains(nothing, :member)", 0)],
    ids=["ignores conditions", "knows no contains()"],
)
def test_a_server_that_does_not(table: Table, condition: str, counted: int) -> None:
    """It counts a chunk twice, or none at all."""
    puts_another_condition(table.client, condition)
    with pytest.raises(StoreError) as caught:
        check_conditions(table)
    assert caught.value.message == (
        f"{table.uri}: this server does not keep the conditions of writes: it counted {counted} chunks where 2 were to "
        "be counted, one of them twice"
    )
    assert left(table) == 0


def test_rights_that_are_missing_fail_nothing_here(table: Table) -> None:
    """Who may not count hears it from the count, and who may not remove leaves an item that expires."""
    denied = {"status": 400, "code": "AccessDeniedException"}
    Refuses(table.client, "UpdateItem", times=1, **denied)  # type: ignore[arg-type]
    check_conditions(table)
    Refuses(table.client, "DeleteItem", times=1, **denied)  # type: ignore[arg-type]
    check_conditions(table)
    (item,) = table.call("scan", TableName=table.name)["Items"]
    assert set(item) == {"file_name", "expires_at", "processed_parts", "done"}
    assert list(DynamoDbTracker(table.name, client=table.client).list()) == []
    with pytest.raises(NotFoundError):
        check_conditions(Table(table.client, "another"))


def test_aws_is_not_asked(server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of its endpoint; any other server is asked by ``init``."""
    asked: list[str] = []
    monkeypatch.setattr(dynamodb_probe, "check_conditions", lambda table: asked.append(table.name))
    name = f"jobs-{uuid.uuid4().hex[:12]}"
    assert init(tracker=f"dynamodb:{name}").created
    assert asked == [name]
    monkeypatch.setattr("splitjoin_cli.core.aws.endpoints.AWS_SUFFIXES", (*AWS_SUFFIXES, "127.0.0.1"))
    assert not init(tracker=f"dynamodb:{name}").created
    assert asked == [name]
    assert "127.0.0.1" in server.endpoint_url
