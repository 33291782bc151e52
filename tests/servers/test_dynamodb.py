"""The DynamoDB servers that other tests rely on are there, and differ in what they are believed to differ in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.servers.dynamodb import DynamoDbServer


@pytest.mark.server
@pytest.mark.parametrize(("fixture", "tells"), [("dynalite_server", False), ("ministack_server", True)])
def test_a_failed_condition_tells_its_item_on_one_of_them(
    request: pytest.FixtureRequest,
    fixture: str,
    tells: bool,  # noqa: FBT001 -- a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both check the condition; only one knows ReturnValuesOnConditionCheckFailure."""
    server: DynamoDbServer = request.getfixturevalue(fixture)
    server.use(monkeypatch)
    client, name = server.client(), f"probe-{uuid.uuid4().hex[:8]}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    item = {"id": {"S": "a"}, "done": {"NS": ["1"]}}
    client.put_item(TableName=name, Item=item)
    with pytest.raises(ClientError) as caught:
        client.update_item(
            TableName=name,
            Key={"id": {"S": "a"}},
            UpdateExpression="ADD done :set",
            ConditionExpression="NOT contains(done, :one)",
            ExpressionAttributeValues={":set": {"NS": ["1"]}, ":one": {"N": "1"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.response.get("Item") == (item if tells else None)
