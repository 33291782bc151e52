"""Tries every operation on a running store, and keeps what came of it: ``results.json`` beside this file."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3.exceptions
import botocore.exceptions

from tests.servers.clients import plain_client
from tests.servers.s3 import Bucket
from tools.stores.base import Outcome, RefusedError, WrongError
from tools.stores.desk import Desk
from tools.stores.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.s3 import S3Server
    from tools.stores.base import Operation, Store

__all__ = ["REFUSED", "WRONG", "Tried", "read", "tried", "write"]

RESULTS = Path(__file__).with_name("results.json")
PLAIN_ERRORS = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, boto3.exceptions.Boto3Error)
REFUSED, WRONG = "no", "WRONG"


@dataclass(frozen=True, slots=True)
class Tried:
    """A store's row: ``outcomes`` by the names of the operations; ``warned``: what commands said that were done."""

    name: str
    version: str
    licence: str
    source: str
    outcomes: Mapping[str, Outcome]
    warned: tuple[str, ...] = ()

    def after(self, last: Tried) -> Tried:
        """With what was tried the last time, and not now."""
        known = {**last.outcomes, **self.outcomes}
        names = [operation.name for operation in OPERATIONS if operation.name in known]
        warned = tuple(dict.fromkeys((*last.warned, *self.warned))) if len(self.outcomes) < len(names) else self.warned
        return replace(self, outcomes={name: known[name] for name in names}, warned=warned)


def tried(store: Store, server: S3Server, queues: DynamoDbServer, operations: Sequence[Operation]) -> Tried:
    """Each operation in a bucket and a directory of its own."""
    warned: dict[str, None] = {}
    outcomes = {}
    for operation in operations:
        outcome, said = outcome_of(operation, server, queues)
        outcomes[operation.name] = outcome
        if outcome.word not in {REFUSED, WRONG}:
            warned |= dict.fromkeys(said)
    return Tried(store.name, store.version(), store.licence, store.source, outcomes, tuple(warned))


def outcome_of(operation: Operation, server: S3Server, queues: DynamoDbServer) -> tuple[Outcome, list[str]]:
    """What came of it, and what its commands warned of."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-stores-") as directory:
        desk = _desk(server, queues, Path(directory))
        try:
            server.client().create_bucket(Bucket=desk.bucket.name)
            outcome = operation.run(desk)
        except WrongError as exc:
            outcome = Outcome(WRONG, (desk.plain(str(exc)),), wrong=True)
        except RefusedError as exc:
            outcome = Outcome(REFUSED, (desk.plain(str(exc)),))
        except PLAIN_ERRORS as exc:
            outcome = Outcome(REFUSED, (desk.plain(f"a plain client cannot do it either: {exc}"),))
        except subprocess.TimeoutExpired as exc:
            outcome = Outcome(REFUSED, (f"no end within {exc.timeout:g} s",))
        return outcome, desk.said


def _desk(server: S3Server, queues: DynamoDbServer, directory: Path) -> Desk:
    name = f"stores-{secrets.token_hex(6)}"
    sqs = plain_client("sqs", queues.endpoint_url)
    url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    return Desk(Bucket(name, server), directory, url, {"AWS_ENDPOINT_URL_SQS": queues.endpoint_url})


def read() -> list[Tried]:
    """The last results of all stores."""
    return list(_read(json.loads(RESULTS.read_text(encoding="utf-8")))) if RESULTS.exists() else []


def _read(document: Sequence[Mapping[str, Any]]) -> Iterator[Tried]:
    for row in document:
        outcomes = {
            name: Outcome(one["word"], tuple(one["notes"]), one["wrong"]) for name, one in row["outcomes"].items()
        }
        yield Tried(row["name"], row["version"], row["licence"], row["source"], outcomes, tuple(row.get("warned", ())))


def write(rows: Sequence[Tried]) -> None:
    """Keep them."""
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")
