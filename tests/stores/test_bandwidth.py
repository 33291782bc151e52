"""The limit on the network, as sinks and sources keep it: all bodies, both ways, and nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.bandwidth import Bandwidth
from splitjoin_cli.stores.sinks.s3 import S3Sink
from splitjoin_cli.stores.sources.s3 import S3Source
from splitjoin_cli.stores.sources.web import HttpSource
from splitjoin_cli.testing.bodies import Bytes
from splitjoin_cli.testing.reading import read_range, read_through
from splitjoin_cli.testing.sinks import noise
from tests.core.test_bandwidth import Time
from tests.stores.sources.http_server import serving

if TYPE_CHECKING:
    from tests.servers.s3 import Bucket

MIB = 1024 * 1024


def limited(time: Time) -> Bandwidth:
    """1 MiB a second, by a clock that only sleeping moves."""
    return Bandwidth(MIB, clock=time.clock, sleep=time.sleep)


def test_s3_sends_and_receives_at_one_rate(s3_env: Bucket) -> None:
    """A put, parts from a writer, a small object, then ranges and a pass: 3 + 6 up, 3 + 9 down, in 21 seconds."""
    time = Time()
    bandwidth = limited(time)
    sink = S3Sink(s3_env.uri, jobs=2, bandwidth=bandwidth)
    body, more = Bytes(noise(3 * MIB)), Bytes(noise(6 * MIB))
    told: list[int] = []
    sink.put("a", body, checksum=body.crc, sent=told.append)
    writer = sink.writer("b")
    writer.write(more.data)
    writer.commit(checksum=more.crc)
    assert time.now - 100 == pytest.approx(9, abs=0.5)
    assert (sum(told), max(told) <= bandwidth.piece_bytes) == (3 * MIB, True)
    assert sink.get_small("a") == body.data
    sink.close()
    source = S3Source(f"{s3_env.uri}b", jobs=2, bandwidth=bandwidth)
    assert read_range(source, MIB, 3 * MIB) == more.data[MIB : 4 * MIB]
    assert read_through(source, MIB) == more.data
    source.close()
    assert time.now - 100 == pytest.approx(21, abs=0.5)


def test_a_file_behind_http_comes_at_that_rate() -> None:
    """Each pass anew."""
    time = Time()
    data = noise(2 * MIB)
    with serving(data) as resource:
        source = HttpSource(resource.url, bandwidth=limited(time))
        assert read_through(source, MIB) == data
        assert read_through(source, 1000) == data
        source.close()
    assert time.now - 100 == pytest.approx(4, abs=0.2)
