"""What the S3 source does beyond its contract: errors that name things, few requests, connections that break."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.aws.s3 import Retry
from splitjoin_cli.core.errors import SourceChangedError, SourceError, SplitjoinError
from splitjoin_cli.core.model import ByteRange, S3Location
from splitjoin_cli.stores.sources import s3 as s3_module
from splitjoin_cli.stores.sources import s3_ranges
from splitjoin_cli.stores.sources.base import announce
from splitjoin_cli.stores.sources.s3 import S3Source
from splitjoin_cli.stores.sources.window import Window, WindowSource
from splitjoin_cli.testing.reading import read_through
from tests.servers.faults import Faults, FlakyProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from tests.servers.s3 import S3Server

MIB = 1024 * 1024
QUICK = Retry(first_delay_seconds=0.001, longest_delay_seconds=0.01)
DATA = random.Random(1).randbytes(5 * MIB + 12_345)
BUCKET = "source-s3"
URI = f"s3://{BUCKET}/in/export 1+%20ü.csv"


@pytest.fixture(scope="module", autouse=True)
def _exports(s3_server: S3Server) -> None:
    """One bucket for the module: a fresh one costs this server a second."""
    client = s3_server.client()
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=URI.removeprefix(f"s3://{BUCKET}/"), Body=DATA)
    client.put_object(Bucket=BUCKET, Key="empty.csv", Body=b"")


@pytest.fixture
def client(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    """A client as sources use it, with hooks of its own."""
    for name, value in s3_server.env.items():
        monkeypatch.setenv(name, value)
    return cast("S3Client", aws.client("s3", attempts=1))


@pytest.fixture
def faults(client: S3Client) -> Faults:
    """What may happen to its requests."""
    return Faults(client)


@pytest.fixture
def source(client: S3Client, faults: Faults) -> Iterator[S3Source]:
    """The export, open; its HEAD is not counted."""
    made = S3Source(URI, client=client, retry=QUICK, jobs=4)
    faults.seen.clear()
    faults.headers.clear()
    yield made
    made.close()


def test_properties_say_where_it_lies(source: S3Source, s3_server: S3Server) -> None:
    """For server-side copies: bucket, key, ETag and the store."""
    found = source.properties
    etag = found.validator or ""
    key = URI.removeprefix(f"s3://{BUCKET}/")
    assert found.s3 == S3Location(BUCKET, key, etag, store=s3_server.endpoint_url)
    assert (found.uri, found.size, found.stored_bytes, found.seekable) == (URI, len(DATA), len(DATA), True)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("uri", "message", "hint"),
    [
        (
            f"s3://{BUCKET}/no where/a.csv",
            f"cannot read s3://{BUCKET}/no where/a.csv: the object does not exist",
            f"check its name; aws s3 ls 's3://{BUCKET}/no where/' lists what is there",
        ),
        (
            "s3://no-such-bucket/a.csv",
            "cannot read s3://no-such-bucket/a.csv: the bucket does not exist",
            "check its name; aws s3 ls lists your buckets",
        ),
        (f"s3://{BUCKET}/in/", f"cannot read s3://{BUCKET}/in/: it names a prefix, not an object", None),
        (f"s3://{BUCKET}", f"cannot read s3://{BUCKET}: it names a prefix, not an object", None),
    ],
)
def test_what_cannot_be_opened_is_named(uri: str, message: str, hint: str | None) -> None:
    """The object or the bucket, whichever is missing."""
    with pytest.raises(SourceError) as caught:
        S3Source(uri)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_what_may_not_be_read_says_so(client: S3Client, faults: Faults) -> None:
    """With the permission that is missing."""
    faults.answer("HeadObject", status=403, code="403")
    with pytest.raises(SourceError) as caught:
        S3Source(URI, client=client)
    assert caught.value.message == f"cannot read {URI}: s3:HeadObject {URI}: access denied"
    assert caught.value.hint == "the identity in use needs s3:GetObject"


KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b"
NO_KEY = f"User: arn:aws:iam::123456789012:user/me is not authorized to perform: kms:Decrypt on resource: {KEY} because"


@pytest.mark.parametrize("head", [403, None])
def test_a_key_that_is_closed_is_named(client: S3Client, faults: Faults, head: int | None) -> None:
    """The bucket is open and KMS refuses: HEAD says so without a word, or not at all, and GET names the key."""
    if head is not None:
        faults.answer("HeadObject", status=head, code=str(head))
    faults.answer("GetObject", status=403, code="AccessDenied", message=NO_KEY)
    with pytest.raises(SplitjoinError) as caught:
        S3Source(URI, client=client).read_at(0, memoryview(bytearray(1)))
    assert caught.value.message.endswith(f"s3:GetObject {URI}: access denied: no kms:Decrypt on {KEY}")
    assert caught.value.hint == f"the identity in use needs kms:Decrypt on {KEY}"


def test_an_empty_export_is_read_without_a_request(client: S3Client, faults: Faults) -> None:
    """S3 refuses every range of nothing."""
    source = S3Source(f"s3://{BUCKET}/empty.csv", client=client)
    assert source.read_at(0, memoryview(bytearray(10))) == 0
    assert read_through(source) == b""
    assert faults.seen["GetObject"] == 0
    source.close()


def test_small_reads_in_order_cost_few_requests(source: S3Source, faults: Faults) -> None:
    """Each goes on where the last one stopped, over ranges that grow."""
    buffer, done = memoryview(bytearray(64 * 1024)), 0
    while got := source.read_at(done, buffer):
        assert buffer[:got] == DATA[done : done + got]
        done += got
    assert done == len(DATA)
    assert faults.seen["GetObject"] <= 5


def test_what_is_announced_is_asked_for_at_once(source: S3Source, faults: Faults) -> None:
    """A chunk is one request, whatever the pieces it is read in, and seen through a window, too."""
    window = WindowSource(source, Window(100, ByteRange(2 * MIB, 2 * MIB + 10), end=len(DATA)))
    buffer = memoryview(bytearray(256 * 1024))
    for start, end in ((1000, MIB + 1), (MIB + 1, 2 * MIB - 200), (2 * MIB + 7, 3 * MIB)):
        announce(window, ByteRange(start, end))
        for offset in range(start, end, len(buffer)):
            piece = buffer[: min(len(buffer), end - offset)]
            assert window.read_at(offset, piece) == len(piece)
            place = window.window.place_of(offset)
            assert piece == DATA[place : place + len(piece)]
    ranges = [headers["range"] for headers in faults.headers_of("GetObject")]
    assert ranges == [
        f"bytes=1100-{MIB + 100}",
        f"bytes={MIB + 101}-{2 * MIB - 101}",
        f"bytes={2 * MIB + 117}-{3 * MIB + 109}",
    ]


def test_a_single_read_asks_for_no_more_than_it_needs(source: S3Source, faults: Faults) -> None:
    """Reads here and there waste nothing."""
    for offset in (0, 3 * MIB, MIB, 2 * MIB):
        buffer = memoryview(bytearray(1000))
        assert source.read_at(offset, buffer) == 1000
        assert buffer == DATA[offset : offset + 1000]
    ranges = [headers["range"] for headers in faults.headers_of("GetObject")]
    assert ranges == [f"bytes={offset}-{offset + 999}" for offset in (0, 3 * MIB, MIB, 2 * MIB)]


def test_places_of_readers_are_bounded(source: S3Source) -> None:
    """The one that was used longest ago is dropped; what it reads next is right all the same."""
    buffer = memoryview(bytearray(1000))
    for offset in range(0, 100_000, 1000):
        source.read_at(offset * 7 % 4_000_000, buffer)
    assert len(source._cursors._idle) <= 8
    assert source.read_at(1000, buffer) == 1000
    assert buffer == DATA[1000:2000]


def test_a_large_buffer_is_filled_by_several_requests(
    source: S3Source, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, each byte in its place."""
    monkeypatch.setattr(s3_module, "PARALLEL_BYTES", 2 * MIB)
    monkeypatch.setattr(s3_ranges, "READ_AHEAD_BYTES", MIB)
    buffer = memoryview(bytearray(len(DATA) + 10))
    assert source.read_at(7, buffer) == len(DATA) - 7
    assert buffer[: len(DATA) - 7] == DATA[7:]
    assert faults.seen["GetObject"] == 6


def test_a_pass_reads_ahead(source: S3Source, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few ranges, no more, and none once it is closed."""
    monkeypatch.setattr(s3_ranges, "READ_AHEAD_BYTES", MIB)
    stream = source.stream()
    buffer = memoryview(bytearray(10))
    assert stream.readinto(buffer) == 10
    assert buffer == DATA[:10]
    stream.close()
    stream.close()
    assert faults.seen["GetObject"] <= 5
    assert read_through(source) == DATA


@pytest.mark.usefixtures("client")
def test_a_broken_connection_is_resumed_where_it_broke(s3_server: S3Server) -> None:
    """Not from the front: what came is kept."""
    proxy = FlakyProxy(s3_server.endpoint_url)
    options = aws.AwsOptions(endpoint_url=proxy.url)
    own = aws.client("s3", options, attempts=1)
    faults = Faults(own)
    source = S3Source(URI, client=own, retry=QUICK)
    own.close()  # the HEAD's connection: the next ones are cut
    proxy.cuts = [("down", 2_000_000), ("down", 1_000_000)]
    buffer = memoryview(bytearray(len(DATA)))
    assert source.read_at(0, buffer) == len(DATA)
    assert buffer == DATA
    assert proxy.cut == 2
    starts = [int(headers["range"].removeprefix("bytes=").split("-")[0]) for headers in faults.headers_of("GetObject")]
    assert len(starts) == 3
    assert 1_500_000 < starts[1] < 2_000_000
    assert 2_300_000 < starts[2] < 3_000_000
    source.close()
    proxy.close()
    own.close()


def test_throttled_reads_are_repeated(source: S3Source, faults: Faults) -> None:
    """As every request is."""
    faults.answer("GetObject", 1, 2, 3, status=503, code="SlowDown")
    assert read_through(source) == DATA


def test_reads_that_are_always_refused_are_told(source: S3Source, faults: Faults) -> None:
    """The operation and the object."""
    faults.answer("GetObject", status=403, code="AccessDenied")
    with pytest.raises(SplitjoinError) as caught:
        source.read_at(0, memoryview(bytearray(10)))
    assert caught.value.message == f"s3:GetObject {URI}: access denied"


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_changed_export_is_noticed(client: S3Client, change: str) -> None:
    """By a read, by a pass and by the check, each of which names it."""
    client.put_object(Bucket=BUCKET, Key="changing.csv", Body=b"id\n1\n")
    source = S3Source(f"s3://{BUCKET}/changing.csv", client=client, retry=QUICK)
    source.check_unchanged()
    if change == "replaced":
        client.put_object(Bucket=BUCKET, Key="changing.csv", Body=b"id\n2\n")
    else:
        client.delete_object(Bucket=BUCKET, Key="changing.csv")
    said = f"^s3://{BUCKET}/changing.csv changed while it was read$"
    with pytest.raises(SourceChangedError, match=said):
        source.check_unchanged()
    with pytest.raises(SourceChangedError, match=said):
        source.read_at(0, memoryview(bytearray(5)))
    with pytest.raises(SourceChangedError, match=said):
        read_through(source)
    source.close()


@pytest.mark.parametrize("told", ["bytes 1-9/{size}", "bytes 0-9/77", "bytes */{size}", "none"])
def test_a_range_that_is_another_is_refused(client: S3Client, told: str) -> None:
    """Bytes of another place, or of a file of another size, are not taken for those that were asked for."""

    def misanswer(parsed: dict[str, object], **_: object) -> None:
        parsed["ContentRange"] = told.format(size=len(DATA))

    source = S3Source(URI, client=client, retry=QUICK)
    client.meta.events.register("after-call.s3.GetObject", misanswer)
    buffer = memoryview(bytearray(10))
    with pytest.raises(SourceError) as caught:
        source.read_at(0, buffer)
    source.close()
    assert caught.value.message == f"{URI}: the store does not answer ranges of bytes as asked"


def test_the_payer_is_named_with_every_request(client: S3Client, faults: Faults) -> None:
    """Where the bucket's owner lets the reader pay."""
    source = S3Source(URI, client=client, request_payer="requester")
    source.read_at(0, memoryview(bytearray(10)))
    source.check_unchanged()
    assert {headers["x-amz-request-payer"] for _, headers in faults.headers} == {"requester"}
    assert [name for name, _ in faults.headers] == ["HeadObject", "GetObject", "HeadObject"]
    source.close()
