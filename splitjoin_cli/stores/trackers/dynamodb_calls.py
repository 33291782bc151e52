"""Requests to one DynamoDB table: repeated while that can help; a failed condition is an answer, not an error."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import NotFoundError, SplitjoinError, StoreError
from splitjoin_cli.stores.trackers.dynamodb_items import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from splitjoin_cli.stores.trackers.dynamodb_items import Item

__all__ = ["RETRY", "Answer", "Table", "Update"]

BATCH_KEYS = 100
"""The most that BatchGetItem takes."""
READERS = 8
"""Batches that are read at once: a million chunks are 40 of them."""
RETRY = Retry(attempts=12, first_delay_seconds=0.05, longest_delay_seconds=5.0)
"""About half a minute: contention at a hot item passes, and a Lambda's time is short."""
FAILED_CONDITION = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True)
class Update:
    """An UpdateItem: what to set, add and remove, and the condition, in DynamoDB's expressions."""

    sets: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()
    values: dict[str, Item] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """The same as the parameters of the request; all of ``condition`` must hold."""
        clauses = {"SET": self.sets, "ADD": self.adds, "REMOVE": self.removes}
        expression = " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses.items() if parts)
        made: dict[str, Any] = {"UpdateExpression": expression}
        if self.condition:
            made["ConditionExpression"] = " AND ".join(f"({part})" for part in self.condition)
        if self.values:
            made["ExpressionAttributeValues"] = {f":{name}": value for name, value in self.values.items()}
        return made


@dataclass(frozen=True, slots=True)
class Answer:
    """What an update did. ``item``: as it is after it; where the condition failed, as it was then, None if absent."""

    written: bool
    item: Item | None


class Table:
    """Calls on one table. Thread-safe.

    Throttling, conflicts with transactions, 5xx and lost connections are repeated, with backoff; a failed condition is
    told by its own code only. A request whose answer was lost is sent again although it may have been applied: each
    of the tracker's updates is written so that this is harmless.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 -- botocore makes its clients' classes at run time
        name: str,
        *,
        retry: Retry = RETRY,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """``client``: made with ``attempts=1``: requests are repeated here. ``wait``: sleeps for so many seconds."""
        self.name = name
        self.client = client
        self._retry = retry
        self._wait = wait or threading.Event().wait

    @property
    def uri(self) -> str:
        """``dynamodb:TABLE``."""
        return f"dynamodb:{self.name}"

    def attempt(self, method: str, *, patient: bool = True, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- as botocore has it
        """``client.method(**parameters)``, repeated while that can help; raises botocore's own errors.

        Not ``patient``: once only.
        """
        failed = 0
        while True:
            try:
                answer: dict[str, Any] = getattr(self.client, method)(**parameters)
            except aws.ERRORS as exc:
                failed += 1
                if not (patient and self._retry.may_repeat(exc, failed)):
                    raise
                self._wait(self._retry.delay_seconds(failed))
            else:
                return answer

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- as botocore has it
        """``attempt``, where no code of an error is of interest: what it raises is ours."""
        try:
            return self.attempt(method, **parameters)
        except aws.ERRORS as exc:
            raise self.translated(exc, method) from exc

    def update(self, key: Item, update: Update, *, patient: bool = True) -> Answer:
        """Update one item. A failed condition tells the item that it met, read where the answer has none."""
        parameters = {"TableName": self.name, "Key": key, "ReturnValues": "ALL_NEW", **update.parameters()}
        try:
            made = self.attempt(
                "update_item", patient=patient, ReturnValuesOnConditionCheckFailure="ALL_OLD", **parameters
            )
        except aws.ERRORS as exc:
            if aws.error_code(exc) != FAILED_CONDITION:
                raise self.translated(exc, "update_item") from exc
            met: Item | None = getattr(exc, "response", {}).get("Item")
            return Answer(written=False, item=met or self.get(key))
        return Answer(written=True, item=made["Attributes"])

    def get(self, key: Item) -> Item | None:
        """One item, read consistently; None where it is absent."""
        item: Item | None = self.call("get_item", TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return item

    def get_many(self, keys: Sequence[Item]) -> dict[str, Item]:
        """Items by their key, read consistently, many at a time; absent ones are left out."""
        batches = [keys[at : at + BATCH_KEYS] for at in range(0, len(keys), BATCH_KEYS)]
        if len(batches) <= 1:
            found = [self._get_batch(batch) for batch in batches]
        else:
            with ThreadPoolExecutor(min(READERS, len(batches))) as executor:
                found = list(executor.map(self._get_batch, batches))
        return {item[KEY]["S"]: item for items in found for item in items}

    def _get_batch(self, keys: Sequence[Item]) -> list[Item]:
        """One BatchGetItem, asked again for what it left out: it answers less where it is throttled, or over 16 MB."""
        items: list[Item] = []
        wanted: dict[str, Any] = {self.name: {"Keys": list(keys), "ConsistentRead": True}}
        failed = 0
        while wanted:
            answer = self.call("batch_get_item", RequestItems=wanted)
            new = answer.get("Responses", {}).get(self.name, [])
            items += new
            wanted = answer.get("UnprocessedKeys") or {}
            failed = 0 if new else failed + 1
            if wanted and failed:
                if failed >= self._retry.attempts:
                    raise StoreError(f"dynamodb:BatchGetItem {self.uri}: the store asks to slow down")
                self._wait(self._retry.delay_seconds(failed))
        return items

    def scan(self, index: str) -> Iterator[Item]:
        """All items of an index, which may lag behind."""
        yield from self._pages("scan", IndexName=index)

    def query(self, index: str, attribute: str, value: Item) -> Iterator[Item]:
        """The items of an index with that key."""
        parameters = {"KeyConditionExpression": f"{attribute} = :value", "ExpressionAttributeValues": {":value": value}}
        yield from self._pages("query", IndexName=index, **parameters)

    def _pages(self, method: str, **parameters: Any) -> Iterator[Item]:  # noqa: ANN401 -- as botocore has it
        start: dict[str, Any] = {}
        while True:
            page = self.call(method, TableName=self.name, **parameters, **start)
            yield from page.get("Items", ())
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def for_each(self, keys: Iterable[Item], act: Callable[[Item], object]) -> None:
        """``act`` on each key, several at once; the first error is raised."""
        with ThreadPoolExecutor(READERS) as executor:
            for _ in executor.map(act, keys):
                pass

    def translated(self, exc: BaseException, method: str) -> SplitjoinError:
        """Our error for botocore's; a missing table says how to make it."""
        operation = "dynamodb:" + str(self.client.meta.method_to_api_mapping[method])
        error = aws.translate(exc, operation, self.uri)
        if isinstance(error, NotFoundError):
            error.hint = f"splitjoin init --tracker {self.uri} makes the table"
        return error
