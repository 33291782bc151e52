"""S3's limits in the arithmetic of parts: 10,000 of 5 MiB to 5 GiB, objects of up to 50 TB."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.model import ByteRange, S3Location
from splitjoin_cli.stores.sinks import s3_writer
from splitjoin_cli.stores.sinks.s3_body import MAX_PARTS, plan_parts
from splitjoin_cli.stores.sinks.s3_multipart import Upload
from splitjoin_cli.stores.sinks.s3_writer import part_bytes
from splitjoin_cli.testing.bodies import Bytes
from tests.laws import examples
from tests.stores.sinks.test_s3 import open_uploads

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from splitjoin_cli.stores.sinks.s3 import S3Sink

MIB = 1024 * 1024
GIB, TIB = 1024 * MIB, MIB * MIB
LARGEST_BYTES = 50 * 10**12
"""S3 user guide, "Multipart upload limits"."""


@given(size=st.one_of(st.integers(0, LARGEST_BYTES), st.integers(0, 2**34)), step=st.integers(5, 5120))
@example(size=LARGEST_BYTES, step=64)
@example(size=10_000 * 5 * GIB, step=5)
@example(size=0, step=64)
@examples(200)
def test_parts_fit_s3s_limits(size: int, step: int) -> None:
    """At most 10,000 of 5 MiB to 5 GiB, without gaps, only the last smaller: up to 50 TB, and beside another part."""
    for most in (MAX_PARTS, MAX_PARTS - 1):
        if size > most * 5 * GIB:
            continue
        parts = plan_parts(size, step * MIB, most)
        assert len(parts) <= most
        assert sum(part.size for part in parts) == size
        assert all(step * MIB <= part.size <= 5 * GIB for part in parts[:-1])
        assert all(before.end == after.start for before, after in itertools.pairwise(parts))


def test_a_copy_of_the_largest_object_fits_beside_the_part_that_is_sent(
    sink: S3Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first part is sent and the rest is copied: 10,000 parts in all, from 2.4 TiB on, too."""
    planned: list[ByteRange] = []

    def run(_upload: object, calls: list[Any]) -> list[Any]:
        planned.extend(call.args[3] if len(call.args) > 4 else ByteRange(0, 0) for call in calls)
        raise StoreError("as far as this goes")

    monkeypatch.setattr(Upload, "run", run)
    source = S3Location(sink.properties.uri.removeprefix("s3://").partition("/")[0], "huge.csv", '"e"')
    whole = Bytes(b"x")
    with pytest.raises(StoreError, match="as far as this goes"):
        sink.copy("a", b"", source, ByteRange(0, LARGEST_BYTES), checksum=None, read=whole)
    assert len(planned) <= MAX_PARTS
    assert planned[-1].end == LARGEST_BYTES
    assert max(part.size for part in planned) <= 5 * GIB


def test_a_writers_parts_hold_what_its_text_says() -> None:
    """5.9 TiB in 10,000 parts, none over 5 GiB."""
    sizes = [part_bytes(index) for index in range(MAX_PARTS)]
    assert sum(sizes) >= 5.9 * TIB
    assert max(sizes) <= 5 * GIB
    assert sizes[0] == 5 * MIB


def test_a_stream_that_is_too_long_says_so(sink: S3Sink, client: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its parts are all used, and not by the store's refusal of the next one; nothing of it stays."""
    monkeypatch.setattr(s3_writer, "MAX_PARTS", 2)
    writer = sink.writer("a")
    block = bytes(5 * MIB)
    writer.write(block)
    writer.write(block)
    with pytest.raises(StoreError) as caught:
        writer.write(b"x")
    uri = f"{sink.properties.uri}a"
    assert (
        caught.value.message == f"{uri}: one object takes 10,485,760 bytes of a stream, in 2 parts, and there are more"
    )
    writer.abort()
    assert open_uploads(client, sink) == []
