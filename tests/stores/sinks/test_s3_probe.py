"""What a store lacks is found out by a few requests, and nothing is left of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.errors import AccessError, StoreError
from splitjoin_cli.core.model import S3Location
from splitjoin_cli.core.names import PROBE_PREFIX
from splitjoin_cli.stores.sinks import s3_probe
from splitjoin_cli.stores.sinks.s3 import S3Sink
from tests.servers import odd_stores
from tests.servers.proxy import proxied
from tests.stores.sinks.conftest import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from splitjoin_cli.stores.sinks.s3_probe import S3Prober
    from tests.servers.faults import Faults
    from tests.servers.proxy import Answer, Asked, Proxy
    from tests.servers.s3 import S3Server

    Refuse = Callable[[Asked], tuple[int, str] | None]
    Alter = Callable[[Asked, Answer], Answer]

pytestmark = pytest.mark.server
PREFIX = "probed/"


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    """What makes another store of the server."""
    with proxied(s3_server.endpoint_url) as one:
        yield one


@pytest.fixture
def prober(client: S3Client, proxy: Proxy, fault_bucket: str) -> Iterator[S3Prober]:  # noqa: ARG001 -- the environment
    """Of a place behind the proxy."""
    made = cast("S3Client", aws.client("s3", aws.AwsOptions(endpoint_url=proxy.url), attempts=1))
    sink = S3Sink(f"s3://{fault_bucket}/{PREFIX}", client=made, retry=QUICK)
    assert sink.prober is not None
    yield sink.prober
    sink.close()
    made.close()


@pytest.fixture
def source(client: S3Client, fault_bucket: str) -> S3Location:
    """An object to copy from."""
    etag = client.put_object(Bucket=fault_bucket, Key="export.csv", Body=b"id\n1\n")["ETag"]
    return S3Location(fault_bucket, "export.csv", etag)


def record(proxy: Proxy) -> list[Asked]:
    """All requests from here on, noted as they come: each of them before its answer is heard."""
    asked: list[Asked] = []

    def note(one: Asked) -> None:
        asked.append(one)

    proxy.refuse = note
    return asked


def what_is_there(client: S3Client, bucket: str) -> list[str]:
    """Objects and open uploads."""
    objects = client.list_objects_v2(Bucket=bucket, Prefix=PREFIX).get("Contents", [])
    uploads = client.list_multipart_uploads(Bucket=bucket, Prefix=PREFIX).get("Uploads", [])
    return [one["Key"] for one in (*objects, *uploads)]


def test_a_store_that_lacks_nothing(
    prober: S3Prober, proxy: Proxy, source: S3Location, client: S3Client, fault_bucket: str
) -> None:
    """Five requests, and three where it is to copy; all are of names of their own, and nothing is left."""
    asked = record(proxy)
    assert prober.try_writes() == (True, True)
    assert prober.try_uploads() is True
    assert prober.remove_stale() == 0
    assert [one.method for one in asked] == ["PUT", "PUT", "DELETE", "GET", "GET"]
    assert prober.try_copy(source) is True
    assert [one.method for one in asked[5:]] == ["POST", "PUT", "DELETE"]
    assert {one.key[: len(PREFIX + PROBE_PREFIX)] for one in asked if one.key} == {PREFIX + PROBE_PREFIX}
    assert what_is_there(client, fault_bucket) == []
    assert prober.left == []


def conditional(asked: Asked) -> bool:
    """Whether a request has a condition."""
    return "if-none-match" in asked.headers


def summed(asked: Asked) -> bool:
    """Whether it has a checksum that S3 added later."""
    return odd_stores.CHECKSUM_HEADER in asked.headers


@pytest.mark.parametrize(
    ("refuse", "alter", "expected"),
    [
        (lambda _: None, odd_stores.ignores_conditions, (False, True)),
        (lambda asked: (501, "NotImplemented") if conditional(asked) else None, None, (False, True)),
        (lambda asked: (400, "InvalidRequest") if summed(asked) else None, None, (True, False)),
        (lambda asked: (501, "NotImplemented") if summed(asked) or conditional(asked) else None, None, (False, False)),
        (lambda _: None, odd_stores.without(odd_stores.CHECKSUM_HEADER, lambda _: True), (True, False)),
    ],
    ids=["ignores", "knows no conditions", "knows no checksums", "knows neither", "confirms nothing"],
)
def test_what_is_missing_of_writes(
    prober: S3Prober,
    proxy: Proxy,
    client: S3Client,
    fault_bucket: str,
    refuse: Refuse,
    alter: Alter | None,
    expected: tuple[bool, bool],
) -> None:
    """Conditions that are ignored or refused, checksums that are refused or not confirmed; nothing is left."""
    proxy.refuse = refuse
    if alter is not None:
        proxy.alter = alter
    assert prober.try_writes() == expected
    assert what_is_there(client, fault_bucket) == []


def test_another_command_takes_it_for_a_leftover(sink: S3Sink, client: S3Client, faults: Faults) -> None:
    """Removed between the two writes, the second is rightly stored: a third tells."""
    bucket, prefix = sink.properties.uri.removeprefix("s3://").split("/", 1)

    def remove() -> None:
        (found,) = client.list_objects_v2(Bucket=bucket, Prefix=prefix + PROBE_PREFIX)["Contents"]
        client.delete_object(Bucket=bucket, Key=found["Key"])

    faults.before("PutObject", 2, remove)
    assert sink.prober is not None
    assert sink.prober.try_writes() == (True, True)
    assert faults.seen["PutObject"] == 3
    assert list(sink.list()) == []


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed")])
def test_a_store_that_lists_no_uploads(prober: S3Prober, proxy: Proxy, status: int, code: str) -> None:
    """It says so; a listing that is denied, or fails, says nothing."""
    proxy.refuse = odd_stores.refuses_to_list_uploads(status, code)
    assert prober.try_uploads() is False
    proxy.refuse = odd_stores.refuses_to_list_uploads(403, "AccessDenied")
    with pytest.raises(AccessError, match="ListMultipartUploads"):
        prober.try_uploads()


def test_a_store_that_does_not_copy(
    prober: S3Prober, proxy: Proxy, source: S3Location, client: S3Client, fault_bucket: str
) -> None:
    """It refuses, or answers without an ETag; a source that is denied or changed says nothing of the store."""
    proxy.refuse = lambda asked: (501, "NotImplemented") if asked.copies else None
    assert prober.try_copy(source) is False
    proxy.refuse = lambda asked: (403, "AccessDenied") if asked.copies else None
    with pytest.raises(AccessError):
        prober.try_copy(source)
    proxy.refuse = lambda _: None
    with pytest.raises(StoreError, match="UploadPartCopy"):
        prober.try_copy(S3Location(source.bucket, source.key, '"another"'))
    proxy.alter = odd_stores.copies_without_etag
    assert prober.try_copy(source) is False
    assert what_is_there(client, fault_bucket) == []


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is so young that a command may still need it."""
    monkeypatch.setattr(s3_probe, "SETTLED_SECONDS", 0.0)


@pytest.mark.usefixtures("settled")
def test_what_killed_commands_left_goes(prober: S3Prober, client: S3Client, fault_bucket: str) -> None:
    """Objects and uploads of that name in the place, and nothing else."""
    stale, other = f"{PREFIX}{PROBE_PREFIX}0", f"{PREFIX}acme_1-1-1.csv"
    for key in (stale, other):
        client.put_object(Bucket=fault_bucket, Key=key, Body=b"")
        client.create_multipart_upload(Bucket=fault_bucket, Key=key)
    prober._began = time.monotonic() + 1
    assert (prober.remove_stale(), prober.try_uploads()) == (1, True)
    assert what_is_there(client, fault_bucket) == [other, other]
    client.delete_object(Bucket=fault_bucket, Key=other)
    (upload,) = client.list_multipart_uploads(Bucket=fault_bucket, Prefix=PREFIX)["Uploads"]
    client.abort_multipart_upload(Bucket=fault_bucket, Key=other, UploadId=upload["UploadId"])


def test_what_a_living_command_needs_stays(
    prober: S3Prober, proxy: Proxy, client: S3Client, fault_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A young object is looked at until it is gone, and not removed from here; what comes later is not waited for."""
    monkeypatch.setattr(s3_probe, "SETTLED_SECONDS", 3600.0)
    monkeypatch.setattr(s3_probe, "LOOK_SECONDS", 0.0)
    young, later = (f"{PREFIX}{PROBE_PREFIX}{name}" for name in ("young", "later"))
    client.put_object(Bucket=fault_bucket, Key=young, Body=b"")
    asked = record(proxy)

    def end_of_the_other(_: Asked) -> None:
        if len(asked) == 2:
            client.delete_object(Bucket=fault_bucket, Key=young)
            client.put_object(Bucket=fault_bucket, Key=later, Body=b"")

    proxy.answering = end_of_the_other
    assert prober.remove_stale() == 0
    assert [one.method for one in asked] == ["GET", "GET", "GET"]
    client.delete_object(Bucket=fault_bucket, Key=later)


@pytest.mark.usefixtures("settled")
def test_what_may_not_be_removed_is_named(
    prober: S3Prober, proxy: Proxy, source: S3Location, client: S3Client, fault_bucket: str
) -> None:
    """The answers are there all the same."""
    proxy.refuse = lambda asked: (403, "AccessDenied") if asked.method == "DELETE" else None
    assert prober.try_writes() == (True, True)
    assert prober.try_copy(source) is True
    assert [str(error).partition(" ")[0] for error in prober.left] == ["s3:DeleteObject", "s3:AbortMultipartUpload"]
    proxy.refuse = lambda _: None
    prober.left.clear()
    prober._began = time.monotonic() + 1
    assert (prober.remove_stale(), prober.try_uploads()) == (1, True)
    assert what_is_there(client, fault_bucket) == []


@pytest.mark.usefixtures("settled")
def test_where_one_may_not_be_removed_the_others_are_not_tried(
    prober: S3Prober, proxy: Proxy, client: S3Client, fault_bucket: str
) -> None:
    """Each command left one there: a warning, and a request, for each of them would be more each day."""
    left = [f"{PREFIX}{PROBE_PREFIX}{number}" for number in range(3)]
    for key in left:
        client.put_object(Bucket=fault_bucket, Key=key, Body=b"")
    proxy.refuse = lambda asked: (403, "AccessDenied") if asked.method == "DELETE" else None
    assert (prober.remove_stale(), len(prober.left)) == (0, 1)
    asked = record(proxy)
    assert (prober.remove_stale(), asked) == (0, [])
    prober.left.clear()
    assert prober.remove_stale() == 3
    assert what_is_there(client, fault_bucket) == []


def test_once_stopped_nothing_is_begun(prober: S3Prober, proxy: Proxy) -> None:
    """No request but the one that removes."""
    prober.stop()
    asked = record(proxy)
    with pytest.raises(StoreError, match="stopped before it was done"):
        prober.try_writes()
    assert [one.method for one in asked] == ["DELETE"]


def test_aws_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lacking there."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    sink = S3Sink("s3://bucket/in/")
    assert sink.prober is None
    sink.close()
