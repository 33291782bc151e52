"""Chunks on S3, on a real server: one answer for bytes, metadata and ETag."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import CorruptObjectError, MixupError, NotFoundError, SourceChangedError, StoreError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.names import manifest_name
from splitjoin_cli.join.chunk import chunk_to_load, published_run_id
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.chunks.s3 import S3Chunks
from tests.stores.chunks.reading import read, split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from splitjoin_cli.core.bytes.base import ByteStream
    from tests.servers.s3 import Bucket

JOB = "acme_20240131"
PREFIX = "in/Zoë +%2B/"
FIRST = f"{PREFIX}{JOB}-1-2.csv"


class CountsCalls:
    """A client that notes what is called."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        self._client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the client has
        found = getattr(self._client, name)
        if name not in {"get_object", "head_object"}:
            return found

        def call(**arguments: Any) -> Any:  # noqa: ANN401 -- an answer
            self.calls.append((name, arguments))
            return found(**arguments)

        return call


@pytest.fixture
def split_bucket(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket with a split in it."""
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    split(tmp_path, f"{bucket.uri}{PREFIX}")
    return bucket


@pytest.fixture
def client(split_bucket: Bucket) -> Iterator[CountsCalls]:
    """Ours, counting."""
    assert split_bucket.name
    made = aws.client("s3", attempts=1)
    yield CountsCalls(made)
    made.close()


def manifest(bucket: Bucket) -> Manifest:
    """What the split left."""
    body = bucket.client().get_object(Bucket=bucket.name, Key=PREFIX + manifest_name(JOB))["Body"].read()
    return Manifest.from_bytes(body)


def stored_bytes(bucket: Bucket) -> bytes:
    """The first chunk, read by another client."""
    return bucket.client().get_object(Bucket=bucket.name, Key=FIRST)["Body"].read()


def store(bucket: Bucket, data: bytes, key: str = FIRST, **options: Any) -> None:  # noqa: ANN401 -- of PutObject
    """Put an object as others would."""
    bucket.client().put_object(Bucket=bucket.name, Key=key, Body=data, **options)


def test_one_get_tells_all(split_bucket: Bucket, client: CountsCalls) -> None:
    """Metadata, ETag and the first pass's bytes; a second pass asks for the same ETag."""
    stored = S3Chunks(client=client).open_chunk(f"{split_bucket.uri}{FIRST}")
    assert stored.metadata is not None
    assert (stored.metadata.run_id, stored.metadata.rows) == (manifest(split_bucket).run_id, 500)
    assert read(stored) == stored_bytes(split_bucket)
    assert [name for name, _ in client.calls] == ["get_object"]
    assert read(stored, 7777) == stored_bytes(split_bucket)
    assert client.calls[1][1]["IfMatch"] == stored.validator
    assert stored.s3 is not None
    assert (stored.s3.key, stored.s3.etag, stored.etag_now()) == (FIRST, stored.validator, stored.validator)
    stored.close()


def test_a_head_tells_the_same_without_bytes(split_bucket: Bucket, client: CountsCalls) -> None:
    """For a database that fetches the object itself."""
    stored = S3Chunks(client=client).open_chunk(f"{split_bucket.uri}{FIRST}", body=False)
    assert [name for name, _ in client.calls] == ["head_object"]
    assert stored.metadata is not None
    assert stored.size == len(stored_bytes(split_bucket))


def test_an_object_that_is_replaced_is_noticed(split_bucket: Bucket) -> None:
    """By the next pass, and by whoever asks for the ETag; bytes of two objects never mix."""
    chunks = Chunks()
    stored = chunks.open_chunk(f"{split_bucket.uri}{FIRST}", body=False)
    store(split_bucket, stored_bytes(split_bucket).replace(b"x", b"y"))
    with pytest.raises(SourceChangedError) as caught:
        read(stored)
    assert caught.value.message == f"{split_bucket.uri}{FIRST} changed while it was read"
    assert stored.etag_now() not in {None, stored.validator}
    split_bucket.client().delete_object(Bucket=split_bucket.name, Key=FIRST)
    assert stored.etag_now() is None
    with pytest.raises(NotFoundError):
        chunks.open_chunk(f"{split_bucket.uri}{FIRST}")
    with pytest.raises(NotFoundError, match=r"is not the name of a chunk$"):
        chunks.open_chunk(f"{split_bucket.uri}{PREFIX}notes.txt")
    chunks.close()


class BreaksOnce:
    """A body whose connection breaks after some bytes, once."""

    def __init__(self, body: Any) -> None:  # noqa: ANN401 -- botocore's StreamingBody
        self._body = body
        self._reads = 0

    def readinto(self, view: memoryview) -> int:
        self._reads += 1
        if self._reads > 1:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1/")
        return int(self._body.readinto(view[:100]))

    def close(self) -> None:
        self._body.close()


def test_a_pass_that_breaks_goes_on_where_it_broke(split_bucket: Bucket, client: CountsCalls) -> None:
    """From the byte that it had, pinned to the ETag."""
    stored = S3Chunks(client=client, retry=Retry(first_delay_seconds=0.001)).open_chunk(f"{split_bucket.uri}{FIRST}")
    stream: ByteStream = stored.open()
    stream._body = BreaksOnce(stream._body)  # type: ignore[attr-defined]  # S3Chunks' own stream
    buffer = memoryview(bytearray(stored.size))
    assert stream.readinto(buffer) == stored.size
    stream.close()
    assert bytes(buffer) == stored_bytes(split_bucket)
    assert client.calls[1][1]["Range"] == f"bytes=100-{stored.size - 1}"


def test_metadata_of_another_chunk_is_a_mixup(split_bucket: Bucket) -> None:
    """An object that was renamed is not loaded as what it is called."""
    uri = f"{split_bucket.uri}{PREFIX}{JOB}-2-2.csv"
    text = split_bucket.client().head_object(Bucket=split_bucket.name, Key=FIRST)["Metadata"]["splitjoin"]
    store(split_bucket, stored_bytes(split_bucket), f"{PREFIX}{JOB}-2-2.csv", Metadata={"splitjoin": text})
    chunks = Chunks()
    with pytest.raises(MixupError) as caught:
        chunks.open_chunk(uri)
    assert caught.value.message == (
        f"{uri} is named chunk 2 of 2 of {JOB}, and its metadata says chunk 1 of 2 of {JOB}"
    )
    chunks.close()


def test_a_header_longer_than_its_object_is_refused(split_bucket: Bucket) -> None:
    """Metadata may claim gigabytes of header for twelve bytes: it is refused by field."""
    text = split_bucket.client().head_object(Bucket=split_bucket.name, Key=FIRST)["Metadata"]["splitjoin"]
    claims = {
        "3000000000": "expected an integer from 0 to 16777216, found 3000000000",
        "13": "is 13, but the object has 12 bytes",
    }
    for claim, message in claims.items():
        changed = re.sub(r'"header_bytes":\d+', f'"header_bytes":{claim}', text)
        store(split_bucket, b"id,name\n1,a\n", Metadata={"splitjoin": changed})
        chunks = Chunks()
        with pytest.raises(StoreError) as caught:
            chunks.open_chunk(f"{split_bucket.uri}{FIRST}")
        chunks.close()
        assert caught.value.message == (
            f"{split_bucket.uri}{FIRST} holds no metadata that splitjoin can read: header_bytes: {message}"
        )


def test_a_name_that_claims_too_many_chunks_is_refused(split_bucket: Bucket) -> None:
    """Ten million are the most; nothing is loaded, and no job is opened for it."""
    uri = f"{split_bucket.uri}in/zeta_1-1-10000001.csv"
    store(split_bucket, b"id,name\n1,a\n", "in/zeta_1-1-10000001.csv")
    chunks = Chunks()
    with pytest.raises(MixupError) as caught:
        chunks.open_chunk(uri)
    chunks.close()
    assert caught.value.message == f"{uri} is named as one of 10,000,001 chunks; a split has at most 10,000,000"


def test_a_chunk_that_lost_its_metadata_is_described_by_the_manifest_beside(split_bucket: Bucket) -> None:
    """Dialect and rows, if the bytes are the manifest's; the run stays that of its name."""
    store(split_bucket, stored_bytes(split_bucket))
    chunks = Chunks()
    stored = chunks.open_chunk(f"{split_bucket.uri}{FIRST}")
    assert (stored.metadata, stored.beside is not None) == (None, True)
    chunk = chunk_to_load(stored)
    assert (chunk.rows, chunk.header_bytes, chunk.run_id) == (500, 8, published_run_id(stored.name))
    assert chunk.validator == stored.validator
    assert read(stored) == stored_bytes(split_bucket)
    store(split_bucket, stored_bytes(split_bucket).replace(b"x", b"y"))
    with pytest.raises(CorruptObjectError):
        read(chunks.open_chunk(f"{split_bucket.uri}{FIRST}"))
    chunks.close()


def test_a_chunk_that_nothing_describes_is_sniffed(split_bucket: Bucket) -> None:
    """As the published pattern leaves them."""
    key = "in/zeta_1-1-1.csv"
    store(split_bucket, b"id;name\r\n1;a\r\n2;b\r\n", key)
    chunks = Chunks()
    stored = chunks.open_chunk(f"{split_bucket.uri}{key}")
    chunk = chunk_to_load(stored)
    assert (chunk.dialect.delimiter, chunk.dialect.line_end, chunk.header_bytes, chunk.rows) == (";", "\r\n", 9, None)
    assert (chunk.file_name, chunk.number, chunk.total, chunk.generation) == ("zeta_1", 1, 1, 1)
    assert read(stored) == b"id;name\r\n1;a\r\n2;b\r\n"
    chunks.close()
