"""What the S3 sink does when requests fail, answers are lost, and other processes interfere."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.options import ObjectOptions
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.aws.sockets import UNSENT_BYTES
from splitjoin_cli.core.bytes import crc64 as checksums
from splitjoin_cli.core.errors import (
    AccessError,
    CopyRefusedError,
    CorruptObjectError,
    NotFoundError,
    ObjectChangedError,
    SourceError,
    SplitjoinError,
    StoreError,
    UsageError,
)
from splitjoin_cli.core.model import ByteRange, S3Location
from splitjoin_cli.stores.sinks import s3 as s3_module
from splitjoin_cli.stores.sinks import s3_writer
from splitjoin_cli.stores.sinks.base import ABSENT, Condition
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sinks.s3_place import Digest
from splitjoin_cli.testing.bodies import Blocks, Bytes, ChangesAfterFirstRead, FailsAt
from splitjoin_cli.testing.sinks import noise
from tests.servers.faults import Faults, FlakyProxy
from tests.stores.sinks.conftest import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from splitjoin_cli.core.model import StoredObject
    from splitjoin_cli.stores.sinks.base import ObjectWriter
    from tests.servers.s3 import S3Server

MIB = 1024 * 1024


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multipart uploads from 5 MiB on, of parts of 5 MiB."""
    monkeypatch.setattr(s3_module, "SINGLE_PUT_BYTES", 5 * MIB)
    monkeypatch.setattr(s3_module, "PART_BYTES", 5 * MIB)
    monkeypatch.setattr(s3_writer, "FIRST_PART_BYTES", 5 * MIB)


@pytest.fixture
def big() -> Bytes:
    """Three parts."""
    return Bytes(bytes(range(256)) * (11 * 4096) + b"end")


def open_uploads(client: S3Client, sink: S3Sink) -> list[str]:
    """The keys of uploads that were begun in the sink's place and not ended."""
    bucket, _, prefix = sink.properties.uri.removeprefix("s3://").partition("/")
    found = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    return sorted(one["Key"] for one in found)


def abort_all(client: S3Client, sink: S3Sink) -> None:
    """What a sweep of another process does to a living one."""
    bucket, _, prefix = sink.properties.uri.removeprefix("s3://").partition("/")
    for one in client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", []):
        client.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests")])
def test_what_may_be_repeated_is_repeated(sink: S3Sink, faults: Faults, status: int, code: str) -> None:
    """Throttling and 5xx, nine times; the tenth request stores."""
    faults.answer("PutObject", *range(1, 10), status=status, code=code)
    assert sink.put("a", Bytes(b"id\n"), checksum=None).size == 3
    assert faults.seen["PutObject"] == 10
    assert sink.get_small("a") == b"id\n"


def test_throttling_without_end_is_told(sink: S3Sink, faults: Faults) -> None:
    """After ten requests, with what to do."""
    faults.answer("PutObject", status=503, code="SlowDown")
    with pytest.raises(StoreError) as caught:
        sink.put("a", Bytes(b"id\n"), checksum=None)
    assert caught.value.message == f"s3:PutObject {sink.properties.uri}a: the store asks to slow down (SlowDown)"
    assert caught.value.hint == "run again with fewer --jobs"
    assert faults.seen["PutObject"] == 10


def test_what_is_refused_is_not_repeated(sink: S3Sink, faults: Faults) -> None:
    """Access is denied once."""
    faults.answer("PutObject", status=403, code="AccessDenied")
    with pytest.raises(AccessError) as caught:
        sink.put("a", Bytes(b"id\n"), checksum=None)
    assert caught.value.message == f"s3:PutObject {sink.properties.uri}a: access denied"
    assert caught.value.hint == "the identity in use needs s3:PutObject"
    assert faults.seen["PutObject"] == 1


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_lost_answer_is_survived(sink: S3Sink, client: S3Client, faults: Faults, big: Bytes, operation: str) -> None:
    """Whatever step it belongs to, the object is whole and, once the sink is closed, no upload stays open."""
    told: list[int] = []
    faults.lose_answer(operation, 1)
    assert sink.put("a", big, checksum=big.crc, metadata="1", sent=told.append).checksum == big.crc
    assert sink.get_small("a") == big.data
    assert (sum(told), min(told) < 0) == (big.size, operation == "UploadPart")  # a part was sent twice, and counts once
    sink.close()
    assert open_uploads(client, sink) == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_lost_request_is_repeated(sink: S3Sink, client: S3Client, faults: Faults, big: Bytes, operation: str) -> None:
    """The connection breaks before the server sees it."""
    faults.lose_request(operation, 1, 2)
    assert sink.put("a", big, checksum=None, metadata="1").checksum == big.crc
    assert sink.get_small("a") == big.data
    assert open_uploads(client, sink) == []


@pytest.mark.usefixtures("client")
def test_a_connection_that_breaks_midway_is_resent_from_the_front(
    s3_server: S3Server,
    fault_bucket: str,
    big: Bytes,
) -> None:
    """Cut after 3 MB and after 100 bytes of request; then it passes, and the store compares the checksum."""
    proxy = FlakyProxy(s3_server.endpoint_url)
    proxy.cuts = [("up", 3_000_000), ("up", 100)]
    sink = S3Sink(f"s3://{fault_bucket}/proxied", aws.AwsOptions(endpoint_url=proxy.url), retry=QUICK)
    told: list[int] = []
    assert sink.put("a", big, checksum=big.crc, sent=told.append).size == big.size
    assert sink.get_small("a") == big.data
    assert proxy.cut == 2
    assert sum(told) == big.size
    assert sum(size for size in told if size < 0) < -1_000_000
    sink.close()
    proxy.close()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_an_upload_that_another_process_swept_begins_again(
    sink: S3Sink,
    client: S3Client,
    faults: Faults,
    big: Bytes,
    operation: str,
) -> None:
    """NoSuchUpload, and no such chunk: once more from the beginning."""
    told: list[int] = []
    faults.before(operation, 1, lambda: abort_all(client, sink))
    assert sink.put("a", big, checksum=big.crc, metadata="1", sent=told.append).checksum == big.crc
    assert sum(told) == big.size
    assert sink.get_small("a") == big.data
    assert faults.seen["CreateMultipartUpload"] == 2
    assert open_uploads(client, sink) == []


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_another_process_did_is_done(
    sink: S3Sink,
    client: S3Client,
    faults: Faults,
    big: Bytes,
) -> None:
    """NoSuchUpload, and the same chunk is there: nothing is sent again."""

    def other_process() -> None:
        abort_all(client, sink)
        other = S3Sink(sink.properties.uri, retry=QUICK)
        other.put("a", big, checksum=big.crc, metadata="1")
        other.close()

    faults.before("CompleteMultipartUpload", 1, other_process)
    assert sink.put("a", big, checksum=big.crc, metadata="1").checksum == big.crc
    assert faults.seen["CreateMultipartUpload"] == 1


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_is_always_swept_gives_up(sink: S3Sink, faults: Faults, big: Bytes) -> None:
    """After three times it says why."""
    faults.answer("UploadPart", status=404, code="NoSuchUpload")
    with pytest.raises(StoreError) as caught:
        sink.put("a", big, checksum=big.crc)
    assert caught.value.message == f"{sink.properties.uri}a: another process keeps ending this upload"
    assert faults.seen["CreateMultipartUpload"] == 3


@pytest.mark.usefixtures("small_parts")
def test_a_writer_whose_commit_was_answered_into_the_void_is_committed(
    sink: S3Sink, faults: Faults, big: Bytes
) -> None:
    """The repeated CompleteMultipartUpload finds no upload, and the object is there."""
    faults.lose_answer("CompleteMultipartUpload", 1)
    writer = sink.writer("a", metadata="1")
    writer.write(big.data)
    assert writer.commit(checksum=big.crc).checksum == big.crc
    assert sink.get_small("a") == big.data


@pytest.mark.usefixtures("small_parts")
def test_a_writer_tells_what_a_part_met(sink: S3Sink, client: S3Client, faults: Faults, big: Bytes) -> None:
    """At a later write or at the commit; abort then leaves nothing open."""
    faults.answer("UploadPart", status=403, code="AccessDenied")
    writer = sink.writer("a")
    with pytest.raises(AccessError, match=r"access denied$"):
        _write_all_and_commit(writer, big)
    writer.abort()
    assert open_uploads(client, sink) == []
    assert list(sink.list()) == []


def _write_all_and_commit(writer: s3_writer.S3Writer, body: Bytes) -> None:
    writer.write(body.data)
    writer.commit(checksum=body.crc)


def test_a_conflict_of_conditional_writes_is_repeated(sink: S3Sink, faults: Faults) -> None:
    """409 ConditionalRequestConflict decides nothing."""
    faults.answer("PutObject", 1, 2, status=409, code="ConditionalRequestConflict")
    assert sink.put_small("plan.json", b"1", when=ABSENT) is True
    assert faults.seen["PutObject"] == 3


def test_a_claim_whose_answer_was_lost_is_still_ours(sink: S3Sink, faults: Faults) -> None:
    """The repeated request meets our own object: 412, and True all the same."""
    faults.lose_answer("PutObject", 1)
    assert sink.put_small("plan.json", b"1", when=ABSENT) is True
    assert faults.seen["PutObject"] == 2
    assert sink.put_small("plan.json", b"1", when=ABSENT) is False


def test_a_store_without_conditions_is_asked_first(sink: S3Sink, faults: Faults) -> None:
    """NotImplemented for If-None-Match: HEAD, then PUT."""
    sink.put_small("there.json", b"0")

    def refuse(request: Any, **_: object) -> Any:  # noqa: ANN401
        if "If-None-Match" not in request.headers:
            return None
        faults.answer("PutObject", status=501, code="NotImplemented")
        return faults._plans.pop("PutObject")(1, request)

    sink._bucket._client.meta.events.register("before-send.s3.PutObject", refuse)
    assert sink.put_small("plan.json", b"1", when=ABSENT) is True
    assert sink.put_small("there.json", b"1", when=ABSENT) is False
    assert (sink.get_small("plan.json"), sink.get_small("there.json")) == (b"1", b"0")


def test_a_store_without_conditions_is_refused_where_they_are_needed(sink: S3Sink, faults: Faults) -> None:
    """As by the workers of an engine, which never look first and then write: nothing is stored."""
    sink._place._must_be_conditional = True
    faults.answer("PutObject", status=501, code="NotImplemented")
    with pytest.raises(UsageError) as error:
        sink.put_small("plan.json", b"1", when=ABSENT)
    assert error.value.message.endswith("plan.json: the store has no conditional writes, which workers need")
    assert error.value.hint == "use --engine threads, or another store"
    assert sink.get_small("plan.json") is None


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [1 * MIB, 11 * MIB])
def test_a_store_without_any_conditions_is_asked_first(sink: S3Sink, faults: Faults, size: int) -> None:
    """NotImplemented for every condition: HEAD, then the write or removal; what was not seen is left alone."""
    operations = ("PutObject", "CompleteMultipartUpload", "DeleteObject")

    def refuse(request: Any, event_name: str, **_: object) -> Any:  # noqa: ANN401
        operation = event_name.rpartition(".")[2]
        if not {"If-None-Match", "If-Match"} & set(request.headers):
            return None
        faults.answer(operation, status=501, code="NotImplemented")
        return faults._plans.pop(operation)(1, request)

    for operation in operations:
        sink._bucket._client.meta.events.register(f"before-send.s3.{operation}", refuse)
    body, other, runs = Bytes(noise(size)), Bytes(b"another's"), map(str, itertools.count())

    def write(when: Condition) -> StoredObject:
        writer = sink.writer("a", metadata=next(runs), when=when)
        writer.write(body.data)
        try:
            return writer.commit(checksum=None)
        except ObjectChangedError:
            writer.abort()
            raise

    seen = write(ABSENT)
    for when in (ABSENT, Condition('"another"')):
        with pytest.raises(ObjectChangedError, match=r"another object has this key by now$"):
            write(when)
        with pytest.raises(ObjectChangedError):
            sink.put("a", other, checksum=None, when=when)
    assert sink.delete("a", when=Condition('"another"')) is False
    assert sink.get_small("a") == body.data
    assert write(Condition(seen.validator)).checksum == body.crc
    now = sink.head("a")
    assert now is not None
    assert sink.delete("a", when=Condition(now.validator)) is True
    assert sink.head("a") is None


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(("size", "operation"), [(1 * MIB, "PutObject"), (11 * MIB, "CompleteMultipartUpload")])
def test_a_conditional_write_whose_answer_was_lost_is_ours(
    sink: S3Sink, faults: Faults, size: int, operation: str
) -> None:
    """The repeated request meets our own object, or no upload: what is there is what was wanted."""
    body = Bytes(noise(size))
    faults.lose_answer(operation, 1)
    writer = sink.writer("a", metadata="1", when=ABSENT)
    writer.write(body.data)
    assert writer.commit(checksum=body.crc).checksum == body.crc
    faults.lose_answer("DeleteObject", faults.seen["DeleteObject"] + 1)
    found = sink.head("a")
    assert found is not None
    assert sink.delete("a", when=Condition(found.validator)) is True
    assert sink.head("a") is None


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [1 * MIB, 11 * MIB])
def test_a_source_that_changes_between_its_reads_is_noticed(sink: S3Sink, client: S3Client, size: int) -> None:
    """The store refuses bytes that are not those of the checksum: nothing is visible or open."""
    body = ChangesAfterFirstRead(b"x" * size)
    with pytest.raises(CorruptObjectError):
        sink.put("a", body, checksum=body.crc if size > 5 * MIB else None)
    assert list(sink.list()) == []
    assert open_uploads(client, sink) == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize(("size", "operation"), [(1 * MIB, "PutObject"), (11 * MIB, "CompleteMultipartUpload")])
def test_an_object_of_other_bytes_is_taken_back_and_no_other(
    sink: S3Sink, client: S3Client, size: int, operation: str, *, replaced: bool
) -> None:
    """The store says that it made other bytes visible: they go, unless another process has replaced them by then."""
    body, bucket, theirs = Bytes(noise(size)), sink._bucket.name, b"another run's"

    def misanswer(parsed: dict[str, Any], **_: object) -> None:
        parsed["ChecksumCRC64NVME"] = "AAAAAAAAAAA="
        if replaced:
            client.meta.events.unregister(f"after-call.s3.{operation}", misanswer)
            client.put_object(Bucket=bucket, Key=sink._place.key("a"), Body=theirs)

    client.meta.events.register(f"after-call.s3.{operation}", misanswer)
    with pytest.raises(CorruptObjectError) as caught:
        sink.put("a", body, checksum=body.crc)
    uri, sent = f"{sink.properties.uri}a", checksums.encode(body.crc)
    assert caught.value.message == f"{uri}: the store received AAAAAAAAAAA=, sent was {sent}"
    assert sink.get_small("a") == (theirs if replaced else None)
    assert open_uploads(client, sink) == []


def test_a_refused_digest_is_told(sink: S3Sink) -> None:
    """In words that say who found it."""
    with pytest.raises(CorruptObjectError) as caught:
        sink.put("a", Bytes(b"id\n"), checksum=1)
    said = "the store received other bytes than were announced (BadDigest)"
    assert caught.value.message == f"s3:PutObject {sink.properties.uri}a: {said}"


@pytest.fixture(params=["refuses", "ignores"])
def old_store(request: pytest.FixtureRequest, client: S3Client) -> str:
    """The store is one that does not know CRC-64/NVME."""
    faults = Faults(client)
    headers = ("x-amz-checksum-crc64nvme", "x-amz-checksum-algorithm", "x-amz-checksum-type")

    def refuse(request: Any, event_name: str, **_: object) -> Any:  # noqa: ANN401
        if not any(name in request.headers for name in headers):
            return None
        operation = event_name.rpartition(".")[2]
        faults.answer(operation, status=501, code="NotImplemented")
        return faults._plans.pop(operation)(1, request)

    def ignore(request: Any, **_: object) -> None:  # noqa: ANN401
        for name in headers:
            if name in request.headers:
                del request.headers[name]

    def silence(parsed: dict[str, Any], **_: object) -> None:
        for name in [name for name in parsed if name.startswith("Checksum")]:
            del parsed[name]

    for operation in ("PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload"):
        if request.param == "refuses":
            client.meta.events.register(f"before-send.s3.{operation}", refuse)
        else:
            client.meta.events.register(f"before-sign.s3.{operation}", ignore)
    client.meta.events.register("after-call.s3", silence)
    return str(request.param)


@pytest.mark.usefixtures("small_parts", "old_store")
def test_a_store_without_our_checksum_gets_a_content_md5(sink: S3Sink, faults: Faults, big: Bytes) -> None:
    """In single PUTs, parts and small objects; the answer has our own checksum."""
    small = Bytes(b"id\n")
    assert sink.put_small("plan.json", b"1") is True
    assert sink._place.digest is Digest.MD5
    assert sink.put("a", small, checksum=small.crc).checksum == small.crc
    assert sink.put("b", big, checksum=None).checksum == big.crc
    writer = sink.writer("c")
    writer.write(big.data)
    assert writer.commit(checksum=big.crc).checksum == big.crc
    assert [sink.get_small(name) for name in "abc"] == [small.data, big.data, big.data]
    bodies = [*faults.headers_of("PutObject")[-1:], *faults.headers_of("UploadPart")]
    assert all("content-md5" in headers for headers in bodies)


@pytest.mark.usefixtures("old_store")
def test_a_claim_tells_what_the_store_knows(sink: S3Sink, faults: Faults) -> None:
    """The first object of a split is its plan, if absent; the chunks after it are sent once each."""
    assert sink.put_small("plan.json", b"1", when=ABSENT) is True
    assert sink._place.digest is Digest.MD5
    before = len(faults.headers_of("PutObject"))
    small = Bytes(b"id\n")
    sink.put("a", small, checksum=small.crc)
    assert len(faults.headers_of("PutObject")) == before + 1


@pytest.mark.usefixtures("small_parts", "old_store")
@pytest.mark.parametrize("size", [1 * MIB, 11 * MIB])
def test_a_store_without_our_checksum_gets_no_other_bytes(sink: S3Sink, client: S3Client, size: int) -> None:
    """What is sent is compared with the announced checksum before it is sent, once the claim told what is known."""
    sink.put_small("plan.json", b"1", when=ABSENT)
    with pytest.raises(CorruptObjectError):
        sink.put("a", Bytes(b"x" * size), checksum=1)
    assert open_uploads(client, sink) == []
    assert [stored.name for stored in sink.list()] == ["plan.json"]


def _export(client: S3Client, sink: S3Sink, data: bytes) -> S3Location:
    bucket = sink.properties.uri.removeprefix("s3://").partition("/")[0]
    etag = client.put_object(Bucket=bucket, Key="export.csv", Body=data)["ETag"]
    return S3Location(bucket, "export.csv", etag)


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented", "InvalidRequest"])
def test_a_refused_copy_says_so(sink: S3Sink, client: S3Client, faults: Faults, code: str) -> None:
    """The caller streams then; the upload is undone."""
    whole = Bytes(b"x" * (12 * MIB))
    source = _export(client, sink, whole.data)
    faults.answer("UploadPartCopy", status=501 if code == "NotImplemented" else 403, code=code)
    with pytest.raises(CopyRefusedError) as caught:
        sink.copy("a", b"", source, ByteRange(0, whole.size), checksum=whole.crc, read=whole)
    said = f"the store refuses to copy the range ({code})"
    assert caught.value.message == f"s3:UploadPartCopy {sink.properties.uri}a: {said}"
    assert list(sink.list()) == []
    assert open_uploads(client, sink) == []


def test_what_is_sent_has_left(sink: S3Sink, client: S3Client) -> None:
    """The system keeps little that has not left yet, on all connections: else progress would be megabytes ahead."""
    sink.get_small("a")
    sink.put_small("a", b"1")
    session: Any = client._endpoint.http_session  # type: ignore[attr-defined]
    made = [one for one in session._manager.connection_from_url(client.meta.endpoint_url).pool.queue if one is not None]
    sockets = [one.sock for one in made if one.sock is not None]
    sockets += [one._socket for lines in sink._bucket._carrier._lines for one in lines._idle]
    unsent = [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) for one in sockets]
    assert (set(unsent), len(unsent)) == ({UNSENT_BYTES}, 2)


def test_a_copy_sends_5_mib_and_no_more(sink: S3Sink, client: S3Client, faults: Faults) -> None:
    """The rest never passes through here."""
    data = b"0123456789abcdef" * MIB
    whole = Bytes(b"id\n" + data[3:])
    source = _export(client, sink, data)
    faults.headers.clear()
    told: list[int] = []
    place = ByteRange(3, len(data))
    stored = sink.copy("a", b"id\n", source, place, checksum=whole.crc, read=whole, sent=told.append)
    assert stored.checksum == whole.crc
    assert (sum(told), len(data) - 5 * MIB in told) == (whole.size, True)
    sent = [int(headers["content-length"]) for headers in faults.headers_of("UploadPart")]
    assert sent == [5 * MIB]
    copies = [headers["x-amz-copy-source-range"] for headers in faults.headers_of("UploadPartCopy")]
    assert copies == [f"bytes={5 * MIB}-{len(data) - 1}"]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("kind", ["one PUT", "parts", "parts that wait for a thread", "writer"])
def test_close_ends_what_is_under_way_at_once(sink: S3Sink, client: S3Client, big: Bytes, kind: str) -> None:
    """As after an interrupt: the body in flight ends at its next block, nothing is visible, nothing open."""
    data = big.data if kind != "one PUT" else big.data[: 4 * MIB]
    body = Blocks(data, MIB)
    problems: list[BaseException] = []
    if kind == "parts that wait for a thread":
        sink._uploads._pool._max_workers = 1

    def work() -> None:
        try:
            if kind == "writer":
                writer = sink.writer("a")
                writer.write(data)
                body.arrived.set()
                body.go_on.wait(20)
                writer.commit(checksum=None)
            else:
                sink.put("a", body, checksum=body.crc)
        except SplitjoinError as exc:
            problems.append(exc)

    worker = threading.Thread(target=work)
    worker.start()
    assert body.arrived.wait(20)
    threading.Timer(0.2, body.go_on.set).start()
    sink.close()
    worker.join(60)  # far less than what is left of the body takes, and no more than a loaded machine needs
    assert not worker.is_alive()
    assert [str(problem) for problem in problems] == [f"{sink.properties.uri}a: stopped before it was done"]
    assert open_uploads(client, sink) == []
    after = S3Sink(sink.properties.uri)
    assert list(after.list()) == []
    after.close()


def test_close_does_not_wait_for_a_backoff(client: S3Client, faults: Faults, fault_bucket: str) -> None:
    """Nobody waits 20 seconds for a store that asks to slow down once the user wants to stop."""
    faults.answer("PutObject", status=503, code="SlowDown")
    sink = S3Sink(f"s3://{fault_bucket}/slow", client=client, retry=Retry(first_delay_seconds=30))

    def work() -> None:
        with pytest.raises(StoreError, match=r"stopped before it was done$"):
            sink.put("a", Bytes(b"1"), checksum=None)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.2)
    sink.close()
    worker.join(20)
    assert not worker.is_alive()


def test_a_body_with_a_bug_is_not_repeated(sink: S3Sink, faults: Faults) -> None:
    """Its exception comes out as it is: nothing that a server could mend."""
    with pytest.raises(KeyError):
        sink.put("a", FailsAt(b"x" * MIB, MIB // 2, KeyError("bug")), checksum=1)
    assert faults.seen["PutObject"] == 1


def test_a_source_that_cannot_be_read_is_a_source_error(sink: S3Sink) -> None:
    """Not the store's fault, and no reason to send again."""
    with pytest.raises(SourceError, match=r"/a: cannot read the source: Input/output error$"):
        sink.put("a", FailsAt(b"x" * MIB, MIB // 2, OSError(5, "Input/output error")), checksum=1)


def written(writer: ObjectWriter, data: bytes) -> None:
    """A manifest, whose size is not known before."""
    writer.write(data)
    writer.commit(checksum=None)


@pytest.mark.usefixtures("small_parts")
def test_objects_get_what_was_asked_for(client: S3Client, faults: Faults, fault_bucket: str, big: Bytes) -> None:
    """Encryption and tags where an object is made, class and encoding of chunks; payer and owner with every request."""
    options = ObjectOptions(
        sse="aws:kms",
        sse_kms_key_id="alias/exports",
        storage_class="STANDARD_IA",
        tags=(("team", "data & more"), ("a", "b")),
        request_payer=True,
        expected_bucket_owner="111122223333",
        content_encoding="gzip",
    )
    for operation in ("PutObject", "CreateMultipartUpload"):
        faults.answer(operation, status=403, code="AccessDenied")
    sink = S3Sink(f"s3://{fault_bucket}/options", client=client, objects=options, retry=QUICK)
    for attempt in (
        lambda: sink.put("a", Bytes(b"1"), checksum=None, metadata="{}"),
        lambda: sink.put("a", big, checksum=None, metadata="{}"),
        lambda: sink.put_small("plan.json", b"1"),
        lambda: written(sink.writer("manifest.json"), b"1"),
    ):
        with pytest.raises(AccessError):
            attempt()
    list(sink.list())
    sink.head("a")
    sink.sweep("a")
    sink.close()
    made = [*faults.headers_of("PutObject"), *faults.headers_of("CreateMultipartUpload")]
    assert len(made) == 4
    for headers in made:
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/exports"
        assert headers["x-amz-tagging"] == "team=data+%26+more&a=b"
    assert [headers.get("x-amz-storage-class") for headers in made] == ["STANDARD_IA", None, None, "STANDARD_IA"]
    assert [headers.get("content-encoding") for headers in made] == ["gzip", None, None, "gzip"]
    assert {headers["x-amz-expected-bucket-owner"] for _, headers in faults.headers} == {"111122223333"}
    assert {headers["x-amz-request-payer"] for _, headers in faults.headers} == {"requester"}
    assert {name for name, _ in faults.headers} >= {"ListObjectsV2", "HeadObject", "ListMultipartUploads"}


@pytest.mark.usefixtures("client")
def test_a_missing_bucket_is_named() -> None:
    """Whatever is tried first."""
    sink = S3Sink("s3://no-such-bucket-at-all/p", retry=QUICK)
    with pytest.raises(NotFoundError) as caught:
        sink.put_small("plan.json", b"1", when=ABSENT)
    assert caught.value.message == "s3:PutObject s3://no-such-bucket-at-all/p/plan.json: the bucket does not exist"
    sink.close()


@pytest.mark.parametrize("uri", ["https://bucket/key", "s3:///key", "bucket/key"])
def test_other_uris_are_refused(uri: str) -> None:
    """Before anything is asked of anyone."""
    with pytest.raises(UsageError) as caught:
        S3Sink(uri)
    assert caught.value.message == f"not an S3 URI: {uri}"


@pytest.mark.parametrize(
    ("uri", "place"), [("s3://b", "s3://b/"), ("s3://b/p", "s3://b/p/"), ("s3://b/p/", "s3://b/p/")]
)
def test_a_prefix_ends_with_a_slash(client: S3Client, uri: str, place: str) -> None:
    """``s3://b/p`` means ``s3://b/p/``."""
    sink = S3Sink(uri, client=client)
    assert sink.properties.uri == place
    sink.close()


def test_sinks_and_sources_of_one_store_know_each_other(client: S3Client, s3_server: S3Server) -> None:
    """By the endpoint; on AWS itself the region does not matter."""
    assert S3Sink("s3://b", client=client).copies_from == s3_server.endpoint_url
    for region in ("us-east-1", "eu-central-1"):
        at_home = aws.client("s3", aws.AwsOptions(region=region, endpoint_url=f"https://s3.{region}.amazonaws.com"))
        assert S3Sink("s3://b", client=at_home).copies_from == "aws"


@pytest.fixture
def crowded(client: S3Client, fault_bucket: str) -> Iterator[S3Sink]:
    """A sink among neighbours that only look like it."""
    for key in ("crowd/job-1", "crowd/job-1/deeper", "crowd/jobs-1", "crowd-job-1"):
        client.create_multipart_upload(Bucket=fault_bucket, Key=key)
    sink = S3Sink(f"s3://{fault_bucket}/crowd", client=client)
    yield sink
    abort_all(client, sink)
    sink.close()


def test_sweep_takes_only_what_lies_directly_in_the_place(crowded: S3Sink, client: S3Client) -> None:
    """Not other jobs, not what lies deeper, not other prefixes."""
    assert crowded.sweep("job-") == 1
    assert open_uploads(client, crowded) == ["crowd/job-1/deeper", "crowd/jobs-1"]
