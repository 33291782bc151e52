"""The contracts on moto: sinks, sources and trackers, one request after another; the queue's is in test_queues.py.

Where moto differs from AWS a test says so, and what it differs in is tested on another stand-in.
"""

from __future__ import annotations

import contextlib
import secrets
import uuid
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import CorruptObjectError
from splitjoin_cli.core.model import S3Location
from splitjoin_cli.stores.sinks import s3_writer
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sources.open import open_source
from splitjoin_cli.testing.bodies import Bytes
from splitjoin_cli.testing.joins import JoinContract
from splitjoin_cli.testing.reports import ReportContract
from splitjoin_cli.testing.sinks import PART, SinkContract
from splitjoin_cli.testing.sources import DATA, SourceContract, SourcePlace
from splitjoin_cli.testing.trackers import TrackerContract
from tests.stores.trackers.rigs import DynamoDbRig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.moto import MotoServer

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _on_moto(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients of this process find it."""
    moto_server.use(monkeypatch)


class MotoSinkRig:
    keeps_metadata, sweeps_by_name, clock_seconds = True, True, 2.1

    def __init__(self, server: MotoServer) -> None:
        self.client, self.bucket = server.client("s3"), server.bucket()
        self.prefix = secrets.token_hex(6)

    def sink(self) -> S3Sink:
        return S3Sink(f"s3://{self.bucket}/{self.prefix}", jobs=4)

    def leave_behind(self, name: str) -> None:
        self.client.create_multipart_upload(Bucket=self.bucket, Key=f"{self.prefix}/{name}")

    def export(self, data: bytes) -> S3Location:
        etag = self.client.put_object(Bucket=self.bucket, Key=f"export-{self.prefix}", Body=data)["ETag"]
        return S3Location(self.bucket, f"export-{self.prefix}", etag)


class TestSinksOnMoto(SinkContract):
    # Of many threads at once: moto serves one request after another.
    test_one_of_many_takes_a_name = None  # type: ignore[assignment]  # left out
    test_many_threads_at_once = None  # type: ignore[assignment]  # left out
    test_racing_puts_of_one_name_leave_one_of_them_whole = None  # type: ignore[assignment]  # left out
    # moto says of every open upload that it began in 2010, so that each is taken for a dead process's.
    test_sweep_leaves_the_living_alone = None  # type: ignore[assignment]  # left out
    # moto completes a multipart upload whatever its condition says.
    test_a_condition_that_does_not_hold_stores_nothing = None  # type: ignore[assignment]  # left out
    # moto compares no checksum: it keeps the object that S3 would have refused; that we notice is tested below.
    test_a_wrong_checksum_leaves_nothing = None  # type: ignore[assignment]  # left out
    test_a_wrong_checksum_keeps_what_was_there = None  # type: ignore[assignment]  # left out

    @pytest.fixture
    def rig(self, moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> MotoSinkRig:
        """A prefix of its own."""
        monkeypatch.setattr(s3_writer, "FIRST_PART_BYTES", PART)
        return MotoSinkRig(moto_server)


@pytest.mark.parametrize("size", [0, 1000])
def test_a_store_that_compares_no_checksum_is_noticed(moto_server: MotoServer, size: int) -> None:
    """It says itself what it received, and that is not what was announced."""
    with contextlib.closing(MotoSinkRig(moto_server).sink()) as sink, pytest.raises(CorruptObjectError):
        sink.put("chunk.csv", Bytes(bytes(size)), checksum=1)


def test_moto_dates_every_open_upload_to_2010(moto_server: MotoServer) -> None:
    """Were that mended, the sweep's test could run here too."""
    rig = MotoSinkRig(moto_server)
    rig.leave_behind("chunk.csv")
    (upload,) = rig.client.list_multipart_uploads(Bucket=rig.bucket, Prefix=rig.prefix)["Uploads"]
    assert upload["Initiated"].year == 2010


class TestSourcesOnMoto(SourceContract):
    @pytest.fixture
    def place(self, moto_server: MotoServer) -> Iterator[SourcePlace]:
        """An object of its own."""
        client, bucket, key = moto_server.client("s3"), moto_server.bucket(), f"in/{secrets.token_hex(6)}"

        def write(content: bytes) -> None:
            client.put_object(Bucket=bucket, Key=key, Body=content)

        write(DATA)
        with contextlib.closing(open_source(f"s3://{bucket}/{key}")) as source:
            yield SourcePlace(source, write)


@pytest.fixture(scope="module")
def moto_table(moto_server: MotoServer) -> DynamoDbRig:
    """One table for all: making one takes longer than most of the tests."""
    rig = DynamoDbRig(moto_server.client("dynamodb"), f"jobs-{uuid.uuid4().hex[:12]}")
    rig.tracker().init()
    return rig


class TestTrackersOnMoto(TrackerContract, ReportContract, JoinContract):
    # Of many threads at once, and of hundreds of chunks: moto serves one request after another.
    test_delivered_twice_to_32_threads_every_chunk_counts_once = None  # type: ignore[assignment]  # left out
    test_progress_of_256_chunks_and_of_257 = None  # type: ignore[assignment]  # left out

    @pytest.fixture
    def rig(self, moto_table: DynamoDbRig) -> DynamoDbRig:
        """The table, and a clock of its own."""
        return DynamoDbRig(moto_table.client, moto_table.table)
