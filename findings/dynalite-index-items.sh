#!/usr/bin/env bash
# dynalite, the DynamoDB of many test suites, and 10,000 items under one key of an index.
#
# Guess, written before the run: a Query of the index gives all 10,000, in one page or in many.
set -euo pipefail
place=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
    rm -rf "$place"
}
trap end EXIT
cd "$place"
npm install --silent --no-audit --no-fund --prefix "$place" dynalite@4.0.0
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check boto3==1.44.8
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
node_modules/.bin/dynalite --host 127.0.0.1 --port "$port" --createTableMs 0 > server.log 2>&1 &
server=$!
venv/bin/python - "http://127.0.0.1:$port" <<'PYTHON'
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError

names = [f"file-{number:06}" for number in range(10_000)]
db = boto3.client(
    "dynamodb", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
)
for _ in range(150):
    try:
        db.list_tables()
        break
    except BotoCoreError:
        time.sleep(0.2)
index = {"IndexName": "days", "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}
db.create_table(
    TableName="jobs", BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=[index],
    KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("name", "day")],
)
while db.describe_table(TableName="jobs")["Table"]["TableStatus"] != "ACTIVE":
    time.sleep(0.1)
items = [{"PutRequest": {"Item": {"name": {"S": name}, "day": {"S": "2024-01-31"}}}} for name in names]
for first in range(0, len(items), 25):
    assert not db.batch_write_item(RequestItems={"jobs": items[first : first + 25]})["UnprocessedItems"]


def found(operation: str, **asked: object) -> set[str]:
    pages = db.get_paginator(operation).paginate(TableName="jobs", PaginationConfig={"PageSize": 1000}, **asked)
    return {item["name"]["S"] for page in pages for item in page["Items"]}


values = {":day": {"S": "2024-01-31"}}
queried = found("query", IndexName="days", KeyConditionExpression="#d = :day", ExpressionAttributeNames={"#d": "day"}, ExpressionAttributeValues=values)
scanned = found("scan")
missing = sorted(set(names) - queried)
print("dynalite 4.0.0")
print("guess: 10000 items in the table, and 10000 in the index")
print(f"seen: {len(scanned)} in the table, {len(queried)} in the index, which lacks", *missing)
print("seen: GetItem knows", missing[0], db.get_item(TableName="jobs", Key={"name": {"S": missing[0]}})["Item"])
sys.exit((len(scanned), len(queried)) != (10_000, 9_997))
PYTHON
