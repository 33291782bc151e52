"""What S3 answers and the test server does not: conflicts, throttling of every request, parts that are too small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.model import ByteRange, S3Location
from splitjoin_cli.stores.sinks import s3 as s3_module
from splitjoin_cli.stores.sinks.base import ABSENT
from splitjoin_cli.testing.bodies import Bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from splitjoin_cli.stores.sinks.s3 import S3Sink
    from tests.servers.faults import Faults

MIB = 1024 * 1024
TIMES = (1, 2, 3)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Bytes:
    """Three parts of 5 MiB."""
    monkeypatch.setattr(s3_module, "SINGLE_PUT_BYTES", 5 * MIB)
    monkeypatch.setattr(s3_module, "PART_BYTES", 5 * MIB)
    return Bytes(bytes(range(256)) * (11 * 4096) + b"end")


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (409, "ConditionalRequestConflict")])
def test_each_request_of_an_upload_is_repeated(
    sink: S3Sink, client: S3Client, faults: Faults, parts: Bytes, operation: str, status: int, code: str
) -> None:
    """Patience is no answer: the object is whole afterwards, and no upload stays open."""
    faults.answer(operation, *TIMES, status=status, code=code)
    stored = sink.put("a", parts, checksum=parts.crc)
    assert (stored.size, stored.checksum) == (parts.size, parts.crc)
    assert faults.seen[operation] == len(TIMES) + (3 if operation == "UploadPart" else 1)
    assert sink.get_small("a") == parts.data
    assert _open(client, sink) == []


def test_a_copied_range_is_asked_for_again(sink: S3Sink, client: S3Client, faults: Faults) -> None:
    """A copy that is throttled is no copy that is refused: nothing is streamed for it."""
    bucket = sink.properties.uri.removeprefix("s3://").partition("/")[0]
    whole = Bytes(b"0123456789abcdef" * MIB)
    etag = client.put_object(Bucket=bucket, Key="throttled.csv", Body=whole.data)["ETag"]
    faults.answer("UploadPartCopy", *TIMES, status=503, code="SlowDown")
    source = S3Location(bucket, "throttled.csv", etag)
    stored = sink.copy("a", b"", source, ByteRange(0, whole.size), checksum=whole.crc, read=whole)
    assert stored.checksum == whole.crc
    assert (faults.seen["UploadPartCopy"], faults.seen["UploadPart"]) == (4, 1)


def test_listing_is_repeated(sink: S3Sink, faults: Faults) -> None:
    """What is there is known only once the store has said so."""
    sink.put_small("plan.json", b"1", when=ABSENT)
    faults.answer("ListObjectsV2", *TIMES, status=503, code="SlowDown")
    assert [stored.name for stored in sink.list()] == ["plan.json"]


def test_parts_that_are_too_small_are_told_and_undone(
    sink: S3Sink, client: S3Client, faults: Faults, parts: Bytes
) -> None:
    """A store with another least size of parts (S3's is 5 MiB): the whole upload is in vain, once, and said so."""
    faults.answer("CompleteMultipartUpload", status=400, code="EntityTooSmall")
    with pytest.raises(StoreError) as caught:
        sink.put("a", parts, checksum=parts.crc)
    said = "s3:CompleteMultipartUpload {}a: EntityTooSmall: injected"
    assert caught.value.message == said.format(sink.properties.uri)
    assert faults.seen["CompleteMultipartUpload"] == 1
    assert list(sink.list()) == []
    assert _open(client, sink) == []


def _open(client: S3Client, sink: S3Sink) -> list[str]:
    bucket, _, prefix = sink.properties.uri.removeprefix("s3://").partition("/")
    found = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    return sorted(one["Key"] for one in found)


SIZE = "x-amz-mp-object-size"


def test_the_end_of_an_upload_announces_its_size(sink: S3Sink, faults: Faults, parts: Bytes) -> None:
    """S3 compares it (CompleteMultipartUpload, MpuObjectSize): of all parts, whether sent or copied or written."""
    sink.put("a", parts, checksum=parts.crc)
    writer = sink.writer("b")
    writer.write(parts.data)
    writer.commit(checksum=parts.crc)
    said = [headers[SIZE] for headers in faults.headers_of("CompleteMultipartUpload")]
    assert said == [str(parts.size)] * len(said) == [str(parts.size)] * 2


def test_a_store_that_refuses_to_compare_sizes_is_not_asked_again(sink: S3Sink, faults: Faults, parts: Bytes) -> None:
    """NotImplemented: the end is sent once more without the size, on its condition still."""
    faults.answer("CompleteMultipartUpload", 1, status=501, code="NotImplemented")
    sink.put("a", parts, checksum=parts.crc, when=ABSENT)
    sink.put("b", parts, checksum=parts.crc, when=ABSENT)
    sent = faults.headers_of("CompleteMultipartUpload")
    assert [(SIZE in headers, "if-none-match" in headers) for headers in sent] == [
        (True, True),
        (False, True),
        (False, True),
    ]
    assert sink.get_small("a") == parts.data


def test_a_size_that_differs_is_an_error(sink: S3Sink, client: S3Client, faults: Faults, parts: Bytes) -> None:
    """InvalidRequest is S3's answer then: it is not asked again without the size, and nothing is visible or open."""
    faults.answer("CompleteMultipartUpload", status=400, code="InvalidRequest", message="the object has another size")
    with pytest.raises(StoreError, match="InvalidRequest: the object has another size"):
        sink.put("a", parts, checksum=parts.crc, when=ABSENT)
    assert faults.seen["CompleteMultipartUpload"] == 1
    assert (list(sink.list()), _open(client, sink)) == ([], [])
