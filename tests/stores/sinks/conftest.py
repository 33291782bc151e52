"""Sinks on the real server, with faults between."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sinks.s3_body import BytesBody, RequestBody
from tests.servers.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from tests.servers.s3 import S3Server

QUICK = Retry(first_delay_seconds=0.001, longest_delay_seconds=0.01)


@pytest.fixture(scope="session")
def fault_bucket(s3_server: S3Server) -> str:
    """One bucket for these tests: a fresh one costs this server a second."""
    s3_server.client().create_bucket(Bucket="sink-faults")
    return "sink-faults"


@pytest.fixture
def client(s3_server: S3Server, fault_bucket: str, monkeypatch: pytest.MonkeyPatch) -> S3Client:  # noqa: ARG001 -- must be there
    """A client as sinks use it, with hooks of its own."""
    for name, value in s3_server.env.items():
        monkeypatch.setenv(name, value)
    return cast("S3Client", aws.client("s3", attempts=1))


@pytest.fixture
def faults(client: S3Client) -> Faults:
    """What may happen to its requests."""
    return Faults(client)


@pytest.fixture
def sink(client: S3Client, fault_bucket: str, request: pytest.FixtureRequest) -> Iterator[S3Sink]:
    """A sink that repeats at once, on a prefix of its own; where nothing is odd, it carries its bodies by itself."""
    made = S3Sink(f"s3://{fault_bucket}/{request.node.name}", client=client, retry=QUICK, jobs=4)
    first = BytesBody(b"seen")
    made._bucket.once("put_object", "seen", Body=RequestBody(first, ByteRange(0, 4), uri="", stopped=lambda: False))
    if "faults" in request.fixturenames:
        seen: Faults = request.getfixturevalue("faults")
        seen.seen.clear()
        seen.headers.clear()
    yield made
    made.close()
