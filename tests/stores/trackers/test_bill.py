"""What a chunk costs on DynamoDB: write units as a server bills them, and computed from the items up to a million."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers import dynamodb_updates as updates
from splitjoin_cli.stores.trackers.base import SHARD_PARTS
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from tests.stores.trackers.faults import Bills

if TYPE_CHECKING:
    from splitjoin_cli.stores.trackers.dynamodb_calls import Update
    from tests.servers.dynamodb import DynamoDbServer

RUN = Run("a-client-of-ordinary-length_20240131", "1a2b3c4d" * 4)
DESTINATION = "s3://a-bucket-of-ordinary-length/some/prefix/for/exports/"
NOW = 1_700_000_000.123
MOST_UNITS = 1.4
MEMBER_BYTES = 2
"""What a member of a set costs beside its number: 68,000 numbers of six digits filled an item of 400 KB."""


def number_bytes(text: str) -> int:
    """DynamoDB developer guide, "Item sizes": about 1 byte per two significant digits, and 1."""
    digits = text.replace(".", "").lstrip("0").rstrip("0") or "0"
    return ceil(len(digits) / 2) + 1


def value_bytes(value: dict[str, Any]) -> int:
    """The size of one attribute's value."""
    (kind, content), *_ = value.items()
    if kind == "NS":
        return sum(number_bytes(member) + MEMBER_BYTES for member in content)
    return number_bytes(content) if kind == "N" else len(content.encode())


def item_bytes(item: dict[str, Any]) -> int:
    """The size of an item: names and values."""
    return sum(len(name) + value_bytes(value) for name, value in item.items())


def first(key: dict[str, Any], update: Update) -> dict[str, Any]:
    """The item that an update makes where none is, read from its own expressions."""
    item = dict(key)
    for assignment in update.sets:
        name, _, value = assignment.partition(" = ")
        item[name] = update.values[value.rpartition(":")[2].rstrip(")")]
    for addition in update.adds:
        name, _, value = addition.partition(" :")
        item[name] = update.values[value]
    return item


def units_of(item: dict[str, Any], name: str, size: int) -> int:
    """What it costs to add the numbers 0 to ``size`` - 1 to a set of an item, one by one."""
    total, fixed = 0, item_bytes({**item, name: items.number_set([])})
    for member in range(size):
        fixed += number_bytes(str(member)) + MEMBER_BYTES
        total += max(1, ceil(fixed / 1024))
    return total


def computed_units(total_parts: int) -> float:
    """Write units per chunk of a job of ``total_parts``."""
    head = {
        **first(items.key_of_job(RUN.file_name), updates.open_job(JobSpec(RUN, total_parts, 10**10, DESTINATION), NOW)),
        "loaded_rows": items.number(123_456_789),
        "duplicates": items.number(total_parts),
        "counted_at": items.number(NOW),
        "processed_parts": items.number(total_parts - 1),
    }
    if total_parts <= SHARD_PARTS:
        return units_of(head, "done", total_parts) / total_parts
    shards, last = divmod(total_parts, SHARD_PARTS)
    update = updates.count_in_shard(RUN, total_parts, member=255, rows=1_234_567, now=NOW)
    shard = {**first(items.key_of_shard(RUN, shards), update), "duplicates": items.number(99)}
    units = shards * units_of(shard, "done", SHARD_PARTS) + units_of(shard, "done", last)
    return (units + units_of(head, "shards", shards + bool(last))) / total_parts


@pytest.mark.parametrize("total_parts", [1, 100, 256, 257, 1_000, 10_000, 100_000, 1_000_000])
def test_a_chunk_costs_the_same_up_to_a_million(total_parts: int) -> None:
    """At most 1.4 write units each, by the sizes of the items that the tracker writes."""
    assert 1.0 <= computed_units(total_parts) <= MOST_UNITS


def test_numbers_of_the_whole_job_would_cost_more() -> None:
    """One item for all chunks, which is the obvious way, is out of the question from 10,000 on."""
    head = first(items.key_of_job(RUN.file_name), updates.open_job(JobSpec(RUN, 10_000), NOW))
    assert units_of(head, "done", 10_000) / 10_000 > 15


@pytest.mark.server
@pytest.mark.parametrize("total_parts", [256, 520])
def test_the_server_bills_what_was_computed(
    dynalite_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch, total_parts: int
) -> None:
    """One update for each chunk and each shard, at most 1.4 units a chunk."""
    dynalite_server.use(monkeypatch)
    client = dynalite_server.client()
    tracker = DynamoDbTracker(f"bill-{total_parts}", client=client)
    tracker.init()
    tracker.open_job(JobSpec(RUN, total_parts, 10**10, DESTINATION))
    bills = Bills(client)
    for number in range(1, total_parts + 1):
        tracker.mark_done(RUN, number, total_parts=total_parts, rows=1_000_000)
    shards = 0 if total_parts <= SHARD_PARTS else ceil(total_parts / SHARD_PARTS)
    assert bills.updates == total_parts + shards
    assert 1.0 <= bills.units / total_parts <= MOST_UNITS
    assert bills.units / total_parts <= computed_units(total_parts)
