"""Makes the tracker's DynamoDB table: on demand, encrypted, recoverable, with TTL and three sparse indexes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.stores.trackers.answers import InitReport
from splitjoin_cli.stores.trackers.dynamodb_items import EXPIRES, KEY, MARKER
from splitjoin_cli.stores.trackers.dynamodb_reports import FAILURES_INDEX, JOBS_INDEX, UNFINISHED_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.stores.trackers.dynamodb_calls import Table

__all__ = ["EXPIRES", "INDEXES", "init_table", "table_shape"]

READY_SECONDS = 600.0
POLL_SECONDS = 0.5
# Each index has only the items that carry its attribute. Counting writes to none of them.
INDEXES = {
    JOBS_INDEX: ("total_parts", "N", "KEYS_ONLY"),
    UNFINISHED_INDEX: (MARKER, "N", "KEYS_ONLY"),
    FAILURES_INDEX: ("failed_job", "S", "ALL"),
}
RECOVERY, EXPIRY = "point-in-time recovery", "time to live"
# What stand-ins for DynamoDB answer to an operation that they do not have.
UNKNOWN_CODES = frozenset({"UnknownOperationException", "NotImplemented", "InvalidAction"})
TAKEN_CODE = "ResourceInUseException"


def init_table(table: Table, wait: Callable[[float], object] = time.sleep) -> InitReport:
    """Make the table, or what it lacks. Raises StoreError for a table of another shape.

    The caller needs dynamodb:CreateTable, DescribeTable, UpdateTable, and Describe- and Update- of
    ContinuousBackups and TimeToLive.
    """
    created = _describe(table) is None
    if created:
        _create(table)
    changed, unsupported = _add_indexes(table, wait)
    for name, ensure in ((RECOVERY, _ensure_recovery), (EXPIRY, _ensure_expiry)):
        try:
            changed += [name] if ensure(table) else []
        except aws.ERRORS as exc:
            if aws.error_code(exc) not in UNKNOWN_CODES:
                raise table.translated(exc, "describe_table") from exc
            unsupported.append(name)
    return InitReport(created=created, changed=() if created else tuple(changed), unsupported=tuple(unsupported))


def _describe(table: Table) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = table.attempt("describe_table", TableName=table.name)["Table"]
    except aws.ERRORS as exc:
        if aws.error_code(exc) == "ResourceNotFoundException":
            return None
        raise table.translated(exc, "describe_table") from exc
    return described


def _index(name: str) -> dict[str, Any]:
    attribute, _, projection = INDEXES[name]
    key = [{"AttributeName": attribute, "KeyType": "HASH"}]
    return {"IndexName": name, "KeySchema": key, "Projection": {"ProjectionType": projection}}


def _attributes(*indexes: str) -> list[dict[str, str]]:
    kinds = {KEY: "S", **{attribute: kind for attribute, kind, _ in (INDEXES[name] for name in indexes)}}
    return [{"AttributeName": attribute, "AttributeType": kind} for attribute, kind in kinds.items()]


def table_shape() -> dict[str, Any]:
    """CreateTable's parameters, all but the name: keys, indexes, how it is billed and encrypted."""
    return {
        "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
        "AttributeDefinitions": _attributes(*INDEXES),
        "GlobalSecondaryIndexes": [_index(name) for name in INDEXES],
        "BillingMode": "PAY_PER_REQUEST",
        "SSESpecification": {"Enabled": True, "SSEType": "KMS"},
    }


def _create(table: Table) -> None:
    """Ask for the table; another init that was faster is as good."""
    try:
        table.attempt("create_table", TableName=table.name, **table_shape())
    except aws.ERRORS as exc:
        if aws.error_code(exc) != TAKEN_CODE:
            raise table.translated(exc, "create_table") from exc


def _add_indexes(table: Table, wait: Callable[[float], object]) -> tuple[list[str], list[str]]:
    """Add the indexes that are missing, one by one, as DynamoDB has it; those added, and those the server will not."""
    added: list[str] = []
    refused: list[str] = []
    described = _wait(table, wait, indexes=0)
    there = _index_names(described)
    for name in (name for name in INDEXES if name not in there):
        answer = table.call(
            "update_table",
            TableName=table.name,
            AttributeDefinitions=_attributes(name),
            GlobalSecondaryIndexUpdates=[{"Create": {**_index(name), **_capacity(described)}}],
        )
        if name in _index_names(answer["TableDescription"]):
            added.append(f"index {name}")
            described = _wait(table, wait, indexes=len(there) + len(added))
        else:
            refused.append(f"index {name}")
    return added, refused


def _index_names(described: dict[str, Any]) -> set[str]:
    return {index["IndexName"] for index in described.get("GlobalSecondaryIndexes", ())}


def _capacity(described: dict[str, Any]) -> dict[str, Any]:
    """What an index needs on a table that is billed by provisioned capacity: as much as the table."""
    if described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
        return {}
    units = ("ReadCapacityUnits", "WriteCapacityUnits")
    return {"ProvisionedThroughput": {unit: described["ProvisionedThroughput"][unit] for unit in units}}


def _wait(table: Table, wait: Callable[[float], object], *, indexes: int) -> dict[str, Any]:
    """The table's description, when it and at least so many indexes are there to be used."""
    for _ in range(int(READY_SECONDS / POLL_SECONDS)):
        described = _describe(table)
        if described is not None:
            keys = [(key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]]
            if keys != [(KEY, "HASH")]:
                raise StoreError(f"{table.uri}: the table has another key: {keys}", hint="init makes a new one")
            states = [index.get("IndexStatus") for index in described.get("GlobalSecondaryIndexes", ())]
            if {described["TableStatus"], *states} <= {"ACTIVE", None} and len(states) >= indexes:
                return described
        wait(POLL_SECONDS)
    raise StoreError(f"{table.uri}: not ready after {READY_SECONDS:g} s", hint="run init again later")


def _ensure_recovery(table: Table) -> bool:
    found = table.attempt("describe_continuous_backups", TableName=table.name)["ContinuousBackupsDescription"]
    if found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        return False
    on = {"PointInTimeRecoveryEnabled": True}
    table.attempt("update_continuous_backups", TableName=table.name, PointInTimeRecoverySpecification=on)
    return True


def _ensure_expiry(table: Table) -> bool:
    found = table.attempt("describe_time_to_live", TableName=table.name)["TimeToLiveDescription"]
    if found.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
        return False
    on = {"Enabled": True, "AttributeName": EXPIRES}
    table.attempt("update_time_to_live", TableName=table.name, TimeToLiveSpecification=on)
    return True
