"""The servers that the tests start, for benchmarks: the same functions, without a test around them."""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import dynamodb, mariadb, postgres, s3
from tests.servers.processes import ServerDiedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgres import PostgresServer
    from tests.servers.s3 import S3Server


@contextmanager
def _running(fixture: Callable[..., Any]) -> Iterator[Any]:
    """What a fixture yields. Raises LookupError where a test would be skipped, or the server does not start."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(contextmanager(inspect.unwrap(fixture))())
        except (pytest.skip.Exception, ServerDiedError) as exc:
            raise LookupError(str(exc)) from exc
        yield server


@contextmanager
def mariadb_server() -> Iterator[MariadbServer]:
    with _running(mariadb.mariadb_server) as server:
        yield server


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    with _running(postgres.postgres_server) as server:
        yield server


@contextmanager
def s3_server() -> Iterator[S3Server]:
    with _running(s3.s3_server) as server:
        yield server


@contextmanager
def dynalite_server() -> Iterator[DynamoDbServer]:
    with _running(dynamodb.dynalite_server) as server:
        yield server


@contextmanager
def ministack_server() -> Iterator[DynamoDbServer]:
    with _running(dynamodb.ministack_server) as server:
        yield server
