"""What a sweep and the list of all jobs read on DynamoDB: requests and read units, by the service's own rules."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Any

import pytest

from splitjoin_cli.stores.trackers import dynamodb_items as items
from splitjoin_cli.stores.trackers.dynamodb import DynamoDbTracker
from splitjoin_cli.stores.trackers.dynamodb_reports import FAILURES_INDEX, JOBS_INDEX, UNFINISHED_INDEX
from splitjoin_cli.stores.trackers.dynamodb_updates import open_job
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.testing.jobs import unfinished
from tests.stores.trackers.test_bill import first, item_bytes

JOBS, LARGE, FAILED = 5_000, 20, 30
LARGE_PARTS = 600
SHARDS = LARGE * ceil(LARGE_PARTS / 256)
PAGE_BYTES = 1_000_000
"""A scan's answer; the service's is 1 MiB."""
INDEXED = {JOBS_INDEX: "total_parts", UNFINISHED_INDEX: items.MARKER, FAILURES_INDEX: "failed_job"}


class ServesItems:
    """A client of DynamoDB over items in memory: it counts requests, and read units as the service bills them.

    DynamoDB developer guide, "Read consistency" and "Item sizes": a consistent read of an item is a unit for each 4 KB,
    also in a batch; a page of an index that is read without consistency is half a unit for each 4 KB of the page.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        self.units = 0.0

    def put(self, item: dict[str, Any]) -> None:
        """Store an item."""
        self.items[item[items.KEY]["S"]] = item

    def listed(self, index: str) -> list[dict[str, Any]]:
        """What an index holds: the whole item, or its keys."""
        keys, found = (items.KEY, INDEXED[index]), [item for item in self.items.values() if INDEXED[index] in item]
        return found if index == FAILURES_INDEX else [{key: item[key] for key in keys} for item in found]

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 -- the service's
        """An absent item costs as much as the smallest; the answer has an order of its own."""
        self.requests["BatchGetItem"] += 1
        ((table, asked),) = RequestItems.items()
        assert (len(asked["Keys"]) <= 100, asked["ConsistentRead"]) == (True, True)
        found = [self.items[key[items.KEY]["S"]] for key in asked["Keys"] if key[items.KEY]["S"] in self.items]
        self.units += sum(ceil(item_bytes(item) / 4096) for item in found) + len(asked["Keys"]) - len(found)
        return {"Responses": {table: found[::-1]}}

    def scan(self, *, IndexName: str, ExclusiveStartKey: int = 0, **_: object) -> dict[str, Any]:  # noqa: N803
        """One page of an index, in no order of names."""
        self.requests[IndexName] += 1
        listed, page, size = self.listed(IndexName)[::-1], [], 0
        for item in listed[ExclusiveStartKey:]:
            page.append(item)
            size += sum(item_bytes({key: value}) for key, value in item.items() if key != "is_final")
            if size >= PAGE_BYTES:
                break
        self.units += ceil(size / 4096) / 2
        end = ExclusiveStartKey + len(page)
        return {"Items": page, **({"LastEvaluatedKey": end} if end < len(listed) else {})}


@pytest.fixture(scope="module")
def filled() -> ServesItems:
    """Unfinished jobs, some in shards, some with failures for good and others; and as many that are joined."""
    client = ServesItems()
    for number in range(JOBS):
        run = Run(f"client-{number:05}_20240131", "1a2b3c4d" * 4)
        total = LARGE_PARTS if number < LARGE else 20
        item = first(items.key_of_job(run.file_name), open_job(JobSpec(run, total, 1000, "s3://bucket/in/"), 1.7e9))
        client.put(item)
        if total == LARGE_PARTS:
            done = {"done": items.number_set(range(256)), "counted_at": items.number(1.8e9)}
            client.put({**items.key_of_shard(run, 1), **done, "loaded_rows": items.number(256)})
        if number < FAILED:
            for chunk, is_final in ((3, False), (7, True), (9, True)):
                client.put(failure(run, chunk, is_final=is_final))
        joined = {key: value for key, value in item.items() if key != items.MARKER}
        client.put({**joined, **items.key_of_job(f"joined-{run.file_name}"), "join_state": items.text("joined")})
    return client


def failure(run: Run, chunk: int, *, is_final: bool) -> dict[str, Any]:
    """A chunk's failure, as an item."""
    return {
        **items.key_of_failure(run, chunk),
        "failed_job": items.text(items.failed_job(run)),
        "chunk": items.number(chunk),
        "failure": items.text("row 3: no number"),
        "tries": items.number(1),
        "failed_at": items.number(1.7e9),
        "is_final": {"BOOL": is_final},
    }


@pytest.fixture
def served(filled: ServesItems) -> ServesItems:
    """Those items; nothing is counted yet."""
    filled.requests.clear()
    filled.units = 0.0
    return filled


def pages(served: ServesItems, index: str) -> tuple[int, float]:
    """How many pages an index has, and how many units they cost together, at least."""
    size = sum(item_bytes({key: item[key] for key in item if key != "is_final"}) for item in served.listed(index))
    return ceil(size / PAGE_BYTES), size / 4096 / 2


def test_a_sweep_reads_each_job_once_and_a_hundred_at_a_time(served: ServesItems) -> None:
    """5,000 jobs: a page of the index, 50 batches, one for the shards, a page of failures; units for each of them."""
    found = unfinished(DynamoDbTracker("jobs", client=served), failures=True)
    assert [one.file_name for one in found] == [f"client-{number:05}_20240131" for number in range(JOBS)]
    listed, failed = pages(served, UNFINISHED_INDEX), pages(served, FAILURES_INDEX)
    assert served.requests == {
        UNFINISHED_INDEX: listed[0],
        "BatchGetItem": ceil(JOBS / 100) + ceil(SHARDS / 100),
        FAILURES_INDEX: failed[0],
    }
    assert 0 <= served.units - (JOBS + SHARDS + listed[1] + failed[1]) <= 0.5 * (listed[0] + failed[0])
    assert [one.uncounted for one in found] == [True] * LARGE + [False] * (JOBS - LARGE)
    assert [one.failure.number if one.failure else None for one in found] == [7] * FAILED + [None] * (JOBS - FAILED)
    assert [one.counted_at for one in found] == [1.8e9] * LARGE + [None] * (JOBS - LARGE)


def test_a_sweep_that_is_ended_reads_no_further(served: ServesItems) -> None:
    """The first of 4,000 that it may look at: all names, and the first hundred heads."""
    found = DynamoDbTracker("jobs", client=served).unfinished(after="client-00999_20240131", most=4_000, failures=False)
    assert next(found).file_name == "client-01000_20240131"
    assert served.requests == {UNFINISHED_INDEX: 1, "BatchGetItem": 1}


def test_the_list_of_all_jobs_reads_them_a_hundred_at_a_time(served: ServesItems) -> None:
    """What ``status`` without a name costs: of 10,000 jobs 100 batches of heads, and those of the shards."""
    assert len(list(DynamoDbTracker("jobs", client=served).list())) == 2 * JOBS
    listed, failed = pages(served, JOBS_INDEX), pages(served, FAILURES_INDEX)
    assert served.requests == {
        JOBS_INDEX: listed[0],
        "BatchGetItem": ceil(2 * JOBS / 100) + ceil(SHARDS / 100),
        FAILURES_INDEX: failed[0],
    }
    assert 0 <= served.units - (2 * JOBS + SHARDS + listed[1] + failed[1]) <= 0.5 * (listed[0] + failed[0])
