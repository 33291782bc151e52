"""Stores and proxies that answer otherwise than S3 does: what is missing is unknown, or a clear error, and no bug."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.answers import regular, whole_checksum
from splitjoin_cli.core.errors import CopyRefusedError, SourceError, StoreError
from splitjoin_cli.core.format.metadata import ChunkMetadata, encode_metadata
from splitjoin_cli.core.model import ByteRange, Dialect, S3Location
from splitjoin_cli.stores.chunks.s3 import S3Chunks
from splitjoin_cli.stores.sinks import s3 as s3_module
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sources.s3 import S3Source
from splitjoin_cli.testing.bodies import Bytes
from tests.servers import odd_stores
from tests.servers.proxy import Answer, Asked, Proxy, proxied
from tests.stores.sinks.conftest import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from tests.servers.s3 import S3Server

MIB = 1024 * 1024
BUCKET = "odd-answers"
CHUNK = "acme_20240131-1-1.csv"
BIG = Bytes(bytes(range(256)) * (12 * 4096))
METADATA = encode_metadata(
    ChunkMetadata(
        file_name="acme_20240131", run_id="r", generation=1, number=1, total=1, range=ByteRange(3, 5), rows=1,
        dialect=Dialect(), header_lines=1, header_bytes=3, compression=None,
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def server(s3_server: S3Server) -> S3Server:
    """The server, with one bucket for the module."""
    s3_server.client().create_bucket(Bucket=BUCKET)
    return s3_server


@pytest.fixture
def proxy(server: S3Server) -> Iterator[Proxy]:
    """What changes its answers."""
    with proxied(server.endpoint_url) as one:
        yield one


@pytest.fixture
def client(server: S3Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    """Ours, through the proxy."""
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    made = aws.client("s3", aws.AwsOptions(endpoint_url=proxy.url), attempts=1)
    yield cast("S3Client", made)
    made.close()


@pytest.fixture
def sink(client: S3Client) -> Iterator[S3Sink]:
    """A sink on a prefix of its own."""
    made = S3Sink(f"s3://{BUCKET}/{secrets.token_hex(8)}/", client=client, retry=QUICK, jobs=4)
    yield made
    made.close()


@pytest.mark.parametrize("of_puts", [False, True])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (odd_stores.FOUR_BYTES, "FULL_OBJECT"),
        (odd_stores.OF_THE_PARTS, "FULL_OBJECT"),
        (odd_stores.NO_BASE64, "FULL_OBJECT"),
        ("AAAAAAAAAAA=", "COMPOSITE"),
    ],
)
def test_a_checksum_that_is_none_is_unknown(
    sink: S3Sink,
    proxy: Proxy,
    client: S3Client,
    text: str,
    kind: str,
    of_puts: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """Four bytes, one made of the parts' with their number, no base64, eight bytes that are composite: all the same."""
    proxy.alter = odd_stores.all_of(odd_stores.go_names, odd_stores.checksums(text, kind=kind, of_puts=of_puts))
    body = Bytes(b"id\n1\n")
    assert sink.put(CHUNK, body, checksum=body.crc, metadata=METADATA).checksum == body.crc
    found = sink.head(CHUNK)
    assert found is not None
    assert (found.size, found.checksum, found.metadata) == (5, None, METADATA)
    chunk = S3Chunks(client=client, retry=QUICK).open_chunk(f"{sink.properties.uri}{CHUNK}")
    chunk.close()
    assert chunk.metadata is not None
    assert chunk.metadata.run_id == "r"


@pytest.mark.parametrize("kind", ["FULL_OBJECT", "COMPOSITE", "SOMETHING_NEW"])
@pytest.mark.parametrize("algorithm", ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128", "CRC32", "NEXT"])
def test_checksums_of_other_algorithms_say_nothing_here(algorithm: str, kind: str) -> None:
    """Those that S3 added, and will add: size and metadata are compared, and ``verify`` reads the bytes."""
    answer = regular({"ContentLength": 5, f"Checksum{algorithm}": "AAAAAAAAAAA=", "ChecksumType": kind})
    assert whole_checksum(answer) is None


def test_an_upload_in_parts_needs_no_checksum_of_the_whole(
    sink: S3Sink, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to CompleteMultipartUpload says nothing that can be compared: each part was compared already."""
    monkeypatch.setattr(s3_module, "SINGLE_PUT_BYTES", 5 * MIB)
    monkeypatch.setattr(s3_module, "PART_BYTES", 5 * MIB)
    proxy.alter = odd_stores.checksums(odd_stores.FOUR_BYTES)
    assert sink.put(CHUNK, BIG, checksum=BIG.crc).checksum == BIG.crc
    assert sink.get_small(CHUNK) == BIG.data


def copy(sink: S3Sink, client: S3Client) -> None:
    """A chunk that the store is to copy, all but its first bytes."""
    etag = client.put_object(Bucket=BUCKET, Key="export.csv", Body=BIG.data)["ETag"]
    whole = Bytes(b"id\n" + BIG.data)
    source = S3Location(BUCKET, "export.csv", etag)
    sink.copy(CHUNK, b"id\n", source, ByteRange(0, BIG.size), checksum=whole.crc, read=whole, metadata="1")


def completes(asked: Asked) -> bool:
    """Whether a request is CompleteMultipartUpload."""
    return asked.method == "POST" and "uploadId" in asked.query


def test_a_store_that_sums_the_checksums_of_parts_is_told_none_of_the_whole(
    sink: S3Sink, proxy: Proxy, client: S3Client
) -> None:
    """As MiniStack: each part was compared by itself, and their order is that of their numbers."""
    with_checksum = "x-amz-checksum-crc64nvme"
    proxy.refuse = lambda asked: (400, "BadDigest") if completes(asked) and with_checksum in asked.headers else None
    put_parts(sink, client)
    (stored,) = sink.list()
    assert (stored.name, stored.size) == (CHUNK, len(BIG.data))


def test_a_copy_without_an_etag_is_refused(sink: S3Sink, proxy: Proxy, client: S3Client) -> None:
    """200, and nothing was copied: the caller streams."""
    proxy.alter = odd_stores.copies_without_etag
    with pytest.raises(CopyRefusedError) as caught:
        copy(sink, client)
    assert caught.value.message == f"s3:UploadPartCopy {sink.properties.uri}{CHUNK}: the store's answer has no ETag"
    assert list(sink.list()) == []
    assert "Uploads" not in client.list_multipart_uploads(Bucket=BUCKET, Prefix=sink.properties.uri.split("/", 3)[3])


@pytest.mark.parametrize("code", ["InternalError", "500"])
def test_a_copy_that_fails_at_each_try_is_refused(sink: S3Sink, proxy: Proxy, client: S3Client, code: str) -> None:
    """As fauxqs: 500 to each UploadPartCopy, and all else is well: the caller streams."""
    proxy.refuse = lambda asked: (500, code) if asked.copies else None
    with pytest.raises(CopyRefusedError) as caught:
        copy(sink, client)
    uri = f"{sink.properties.uri}{CHUNK}"
    assert caught.value.message == f"s3:UploadPartCopy {uri}: the store refuses to copy the range ({code})"


def test_a_copy_of_another_size_is_removed(sink: S3Sink, proxy: Proxy, client: S3Client, server: S3Server) -> None:
    """The store says that all is well and holds something else: it goes, and the caller streams."""
    key = f"{sink.properties.uri}{CHUNK}".split("/", 3)[3]
    proxy.alter = odd_stores.checksums(odd_stores.FOUR_BYTES)

    def make_shorter(asked: Asked) -> None:
        if completes(asked):
            server.client().put_object(Bucket=BUCKET, Key=key, Body=b"short")

    proxy.answering = make_shorter
    with pytest.raises(CopyRefusedError) as caught:
        copy(sink, client)
    size = BIG.size + 3
    assert caught.value.message == f"s3://{BUCKET}/{key}: the store made 5 bytes of a copy of {size} bytes"
    assert list(sink.list()) == []


def test_a_copy_whose_parts_are_not_there_is_refused(sink: S3Sink, proxy: Proxy, client: S3Client) -> None:
    """The store gave the parts ETags that it does not know when they are to be put together."""
    proxy.refuse = lambda asked: (400, "InvalidPart") if completes(asked) else None
    with pytest.raises(CopyRefusedError) as caught:
        copy(sink, client)
    uri = f"{sink.properties.uri}{CHUNK}"
    assert caught.value.message == (
        f"s3:CompleteMultipartUpload {uri}: InvalidPart: injected: it did not copy what it said"
    )
    assert list(sink.list()) == []


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (501, "NotImplemented", "NotImplemented: injected"),
        (403, "AccessDenied", "access denied"),
        (405, "MethodNotAllowed", "MethodNotAllowed: injected"),
    ],
)
def test_a_store_that_lists_no_uploads_says_so(
    sink: S3Sink, proxy: Proxy, status: int, code: str, message: str
) -> None:
    """The sweep fails, and nothing else."""
    proxy.refuse = odd_stores.refuses_to_list_uploads(status, code)
    with pytest.raises(StoreError) as caught:
        sink.sweep("acme")
    assert caught.value.message == f"s3:ListMultipartUploads s3://{BUCKET}/: {message}"
    assert sink.put(CHUNK, Bytes(b"id\n"), checksum=None).size == 3


def test_no_listing_of_uploads_is_an_empty_one(sink: S3Sink, proxy: Proxy) -> None:
    """404 where none is open."""
    proxy.alter = odd_stores.no_empty_listing_of_uploads
    assert sink.sweep("acme") == 0


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (405, "MethodNotAllowed")])
def test_a_store_that_aborts_no_uploads_ends_nothing(client: S3Client, proxy: Proxy, status: int, code: str) -> None:
    """As s3rver: after a copy that cannot be believed the chunk is streamed, and closing the sink is no error."""
    proxy.refuse = lambda asked: (status, code) if asked.method == "DELETE" and "uploadId" in asked.query else None
    proxy.alter = odd_stores.copies_without_etag
    sink = S3Sink(f"s3://{BUCKET}/{secrets.token_hex(8)}/", client=client, retry=QUICK, jobs=4)
    with pytest.raises(CopyRefusedError):
        copy(sink, client)
    assert sink.put(CHUNK, BIG, checksum=None).size == len(BIG.data)
    sink.close()


@pytest.mark.parametrize("field", ["UploadId", "Initiated", "Key"])
def test_an_upload_that_is_not_described_wholly_is_left_alone(
    sink: S3Sink, proxy: Proxy, client: S3Client, field: str
) -> None:
    """Whose it is and how old is not known."""
    key = f"{sink.properties.uri}{CHUNK}".split("/", 3)[3]
    upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    proxy.alter = odd_stores.without(field, odd_stores.lists_uploads)
    assert sink.sweep("acme") == 0
    client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)


def put_parts(sink: S3Sink, _: S3Client) -> None:
    """An upload in parts."""
    writer = sink.writer(CHUNK)
    try:
        writer.write(BIG.data)
        writer.commit(checksum=None)
    finally:
        writer.abort()


def list_all(sink: S3Sink, _: S3Client) -> None:
    """What is there: one object."""
    sink.put(CHUNK, Bytes(b"id\n"), checksum=None)
    list(sink.list())


def head(sink: S3Sink, _: S3Client) -> None:
    """One object."""
    sink.put(CHUNK, Bytes(b"id\n"), checksum=None)
    sink.head(CHUNK)


def open_chunk(sink: S3Sink, client: S3Client) -> None:
    """As a worker does."""
    sink.put(CHUNK, Bytes(b"id\n"), checksum=None, metadata=METADATA)
    S3Chunks(client=client, retry=QUICK).open_chunk(f"{sink.properties.uri}{CHUNK}")


def begins(asked: Asked) -> bool:
    """Whether a request is CreateMultipartUpload."""
    return asked.method == "POST" and "uploads" in asked.query


def sends_a_part(asked: Asked) -> bool:
    """Whether a request is UploadPart."""
    return asked.method == "PUT" and "partNumber" in asked.query


def lists(asked: Asked) -> bool:
    """Whether a request is ListObjectsV2."""
    return "list-type" in asked.query


def gets(asked: Asked) -> bool:
    """Whether a request is GetObject."""
    return asked.method == "GET" and bool(asked.key)


def heads(asked: Asked) -> bool:
    """Whether a request is HeadObject."""
    return asked.method == "HEAD"


@pytest.mark.parametrize(
    ("field", "wanted", "act", "what"),
    [
        ("UploadId", begins, put_parts, "s3:CreateMultipartUpload {uri}{name}"),
        ("ETag", sends_a_part, put_parts, "s3:UploadPart {uri}{name}"),
        ("Size", lists, list_all, "s3:ListObjectsV2 {bucket}"),
        ("ETag", gets, open_chunk, "s3:GetObject {uri}{name}"),
    ],
)  # fmt: skip
def test_a_field_that_is_needed_is_missed_by_name(
    sink: S3Sink,
    proxy: Proxy,
    client: S3Client,
    field: str,
    wanted: Callable[[Asked], bool],
    act: Callable[[S3Sink, S3Client], None],
    what: str,
) -> None:
    """Operation, object and field, and where to look."""
    proxy.alter = odd_stores.without(field, wanted)
    with pytest.raises(StoreError) as caught:
        act(sink, client)
    told = what.format(uri=sink.properties.uri, name=CHUNK, bucket=f"s3://{BUCKET}/")
    assert caught.value.message == f"{told}: the store's answer has no {field}"
    assert caught.value.hint == "splitjoin needs it: look at the store, or at a proxy before it"


@pytest.mark.parametrize("field", ["ETag", "Content-Length"])
def test_an_export_that_cannot_be_pinned_is_a_source_error(client: S3Client, proxy: Proxy, field: str) -> None:
    """Without an ETag nobody would notice that it changes; without its size nothing can be planned."""
    client.put_object(Bucket=BUCKET, Key="pinned.csv", Body=b"id\n1\n")
    proxy.alter = odd_stores.without(field, heads)
    with pytest.raises(SourceError) as caught:
        S3Source(f"s3://{BUCKET}/pinned.csv", client=client, retry=QUICK)
    uri = f"s3://{BUCKET}/pinned.csv"
    name = field.replace("-", "")
    assert caught.value.message == f"cannot read {uri}: s3:HeadObject {uri}: the store's answer has no {name}"


def says_more(_: Asked, answer: Answer) -> Answer:
    """A listing that says that it goes on."""
    body = answer.body and answer.body.replace(b"<IsTruncated>false", b"<IsTruncated>true")
    return replace(answer, body=body)


def says_more_with_a_token(asked: Asked, answer: Answer) -> Answer:
    """The same, with a token that leads nowhere new."""
    said = says_more(asked, answer)
    body = said.body and said.body.replace(
        b"</IsTruncated>", b"</IsTruncated><NextContinuationToken>again</NextContinuationToken>"
    )
    return replace(said, body=body)


def test_a_listing_that_breaks_off_is_an_error(sink: S3Sink, proxy: Proxy) -> None:
    """What it does not show would be taken for absent."""
    proxy.alter = says_more
    with pytest.raises(StoreError) as caught:
        list(sink.list())
    assert caught.value.message == f"s3:ListObjectsV2 s3://{BUCKET}/: the store's answer has no NextContinuationToken"


def test_a_listing_that_goes_in_circles_is_an_error(sink: S3Sink, proxy: Proxy) -> None:
    """One page for ever."""
    proxy.alter = says_more_with_a_token
    with pytest.raises(StoreError) as caught:
        list(sink.list())
    assert caught.value.message == f"s3:ListObjectsV2 {sink.properties.uri}: the store answers the same page for ever"


def date_in_words(_: Asked, answer: Answer) -> Answer:
    """A date that is none."""
    headers = tuple((name, "soon" if name.lower() == "last-modified" else value) for name, value in answer.headers)
    return replace(answer, headers=headers)


@pytest.mark.parametrize(
    ("alter", "act", "what"),
    [
        (odd_stores.without("Key", lists), list_all, "s3:ListObjectsV2 s3://{bucket}/"),
        (date_in_words, head, "s3:HeadObject {uri}{name}"),
    ],
)
def test_an_answer_that_cannot_be_read_is_a_store_error(
    sink: S3Sink,
    proxy: Proxy,
    client: S3Client,
    alter: odd_stores.Alter,
    act: Callable[[S3Sink, S3Client], None],
    what: str,
) -> None:
    """With the question whether the service is there at all."""
    proxy.alter = alter
    with pytest.raises(StoreError) as caught:
        act(sink, client)
    told = what.format(uri=sink.properties.uri, name=CHUNK, bucket=BUCKET)
    assert caught.value.message == f"{told}: the answer cannot be read"
    assert caught.value.hint == (
        "check --endpoint-url: does this service listen there, or does a proxy answer in its place?"
    )
