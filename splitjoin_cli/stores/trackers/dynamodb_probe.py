"""Finds out whether a server that stands in for DynamoDB counts a chunk once, before anything is counted there."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.endpoints import is_aws
from splitjoin_cli.core.errors import AccessError, StoreError
from splitjoin_cli.core.names import PROBE_PREFIX
from splitjoin_cli.stores.trackers.dynamodb_calls import Table, Update
from splitjoin_cli.stores.trackers.dynamodb_items import EXPIRES, key_of_job, number, number_set

if TYPE_CHECKING:
    from splitjoin_cli.core.aws.client import AwsOptions
    from splitjoin_cli.stores.trackers.dynamodb_items import Item

__all__ = ["check_conditions", "check_server"]

COUNTED = 2
KEEP_SECONDS = 3600
"""Until the item goes by itself, where the command that made it was killed."""


def check_server(name: str, options: AwsOptions | None = None) -> None:
    """``check_conditions`` of a table, unless it is on AWS."""
    client = aws.client("dynamodb", options, connections=1, attempts=1)
    try:
        if not is_aws(client):
            check_conditions(Table(client, name))
    finally:
        client.close()


def check_conditions(table: Table) -> None:
    """Raise StoreError where the server does not keep the condition that counts a chunk once.

    Two numbers are counted in an item of its own, the first one twice, as the tracker counts chunks. The item has no
    attribute of a job, so that no list shows it, and is removed again. Who may not write hears nothing here: each count
    says so by itself.
    """
    key = key_of_job(f"{PROBE_PREFIX}{secrets.token_hex(16)}")
    try:
        counted = _count_three(table, key)
    except AccessError:
        return
    finally:
        with suppress(StoreError):  # it goes by itself, later
            table.call("delete_item", TableName=table.name, Key=key)
    if counted != COUNTED:
        raise StoreError(
            f"{table.uri}: this server does not keep the conditions of writes: "
            f"it counted {counted} chunks where {COUNTED} were to be counted, one of them twice",
            hint="use another server for DynamoDB, or an SQLite tracker (sqlite:PATH)",
        )


def _count_three(table: Table, key: Item) -> int:
    """The item's own count in the end: an answer may have been lost, and its request sent again."""
    for chunk in (1, 1, 2):
        item = table.update(key, _count(chunk)).item or {}
    return int(item.get("processed_parts", number(0))["N"])


def _count(chunk: int) -> Update:
    """As ``mark_done`` has it, less all that makes a job."""
    return Update(
        sets=(f"{EXPIRES} = :expires",),
        adds=("processed_parts :one", "done :part"),
        condition=("NOT contains(done, :member)",),
        values={
            "expires": number(int(time.time()) + KEEP_SECONDS),
            "one": number(1),
            "part": number_set([chunk]),
            "member": number(chunk),
        },
    )
