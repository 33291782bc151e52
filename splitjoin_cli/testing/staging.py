"""The contract of a sink, as suites of tests: staging, and copies on the server, where a sink can do them."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.errors import CorruptObjectError, SourceChangedError
from splitjoin_cli.core.model import ByteRange
from splitjoin_cli.testing.bodies import Bytes
from splitjoin_cli.testing.sinks import JOB, MIB, NAME, WithSink, names, noise

if TYPE_CHECKING:
    from splitjoin_cli.stores.sinks.base import Copier, Sink, Staging
    from splitjoin_cli.testing.sinks import SinkRig

__all__ = ["CopyingSinkContract", "StagingSinkContract"]


class StagingSinkContract(WithSink):
    """Sinks that take bytes before the name is known."""

    @pytest.fixture
    def staging(self, sink: Sink) -> Staging:
        """Its way to stage."""
        assert sink.staging is not None
        return sink.staging

    def test_staged_objects_get_their_name_later(self, sink: Sink, staging: Staging) -> None:
        """Written out of order, cut, published: whole under the name, replacing what was there."""
        sink.put(NAME, Bytes(b"older"), checksum=None)
        staged = staging.stage(JOB, 1)
        staged.write_at(6, b"world and more")
        staged.write_at(0, b"hello ")
        staged.truncate(11)
        back = memoryview(bytearray(8))
        assert (staged.read_at(6, back), bytes(back[:5])) == (5, b"world")
        staged.close()
        assert names(sink) == [NAME]
        stored = staging.publish(staged, NAME)
        assert (stored.name, stored.size) == (NAME, 11)
        assert sink.get_small(NAME) == b"hello world"
        staging.discard(staged)
        assert sink.get_small(NAME) == b"hello world"

    def test_discarded_staged_objects_are_gone(self, sink: Sink, staging: Staging) -> None:
        """Any number of times; nothing is left to sweep."""
        staged = staging.stage(JOB, 1)
        staged.write_at(0, b"unwanted")
        staged.close()
        staging.discard(staged)
        staging.discard(staged)
        assert names(sink) == []
        assert sink.sweep("") == 0

    def test_staged_objects_get_their_metadata_with_their_name(
        self, sink: Sink, staging: Staging, rig: SinkRig
    ) -> None:
        """As if they had been put, where the sink keeps any."""
        staged = staging.stage(JOB, 1)
        staged.write_at(0, b"id\n")
        staged.close()
        stored = staging.publish(staged, NAME, metadata="7")
        head = sink.head(NAME)
        assert head is not None
        assert stored.metadata == head.metadata == ("7" if rig.keeps_metadata else None)

    def test_the_checksum_of_an_object_can_be_had(self, sink: Sink, staging: Staging) -> None:
        """Of its bytes, whatever their number; None where there is no object."""
        body = Bytes(noise(MIB + 1))
        sink.put(NAME, body, checksum=None)
        assert (staging.checksum(NAME), staging.checksum("absent")) == (body.crc, None)

    def test_staged_objects_take_writes_from_many_threads(self, sink: Sink, staging: Staging) -> None:
        """Ranges that do not overlap, in any order."""
        data = noise(1_000_000)
        staged = staging.stage(JOB, 1)
        with ThreadPoolExecutor(8) as pool:
            starts = random.Random(1).sample(range(0, len(data), 10_000), 100)
            list(pool.map(lambda start: staged.write_at(start, data[start : start + 10_000]), starts))
        staged.close()
        staging.publish(staged, NAME)
        assert sink.get_small(NAME) == data

    def test_many_staged_objects_need_few_descriptors(self, sink: Sink, staging: Staging) -> None:
        """Closed ones hold none."""
        before = len(list(Path("/proc/self/fd").iterdir()))
        staged = []
        for number in range(100):
            one = staging.stage(JOB, number)
            one.write_at(0, b"%d" % number)
            one.close()
            staged.append(one)
        assert len(list(Path("/proc/self/fd").iterdir())) < before + 20
        for number, one in enumerate(staged):
            staging.publish(one, f"{JOB}-{number}")
        assert sink.get_small(f"{JOB}-99") == b"99"


class CopyingSinkContract(WithSink):
    """Sinks whose store copies on the server."""

    @pytest.fixture
    def copying(self, sink: Sink) -> Copier:
        """Its way to copy."""
        assert sink.copier is not None
        return sink.copier

    @pytest.mark.parametrize("known", [True, False])
    def test_a_copy_is_prefix_and_range(self, sink: Sink, copying: Copier, rig: SinkRig, known: bool) -> None:  # noqa: FBT001 -- a parameter
        """Byte for byte, with and without a checksum, from an odd place to an odd place."""
        data = noise(13 * MIB)
        source, part = rig.export(data), ByteRange(1_000_001, 12 * MIB + 7)
        whole = Bytes(b"id,name\n" + data[part.start : part.end])
        stored = copying.copy(
            NAME, b"id,name\n", source, part, checksum=whole.crc if known else None, read=whole, metadata="1"
        )
        assert (stored.name, stored.size, stored.metadata) == (NAME, whole.size, "1")
        assert stored.checksum == whole.crc
        assert sink.get_small(NAME) == whole.data

    @pytest.mark.parametrize("size", [0, 1, 5 * MIB, 10 * MIB])
    def test_small_copies_are_right_too(self, sink: Sink, copying: Copier, rig: SinkRig, size: int) -> None:
        """Also below what a store copies on the server, and at that bound."""
        data = noise(10 * MIB)
        whole = Bytes(b"id\n" + data[:size])
        copying.copy(NAME, b"id\n", rig.export(data), ByteRange(0, size), checksum=whole.crc, read=whole)
        assert sink.get_small(NAME) == whole.data

    def test_a_copy_from_a_changed_source_is_refused(self, sink: Sink, copying: Copier, rig: SinkRig) -> None:
        """The source has another ETag by now: nothing becomes visible and nothing stays open."""
        data = noise(12 * MIB)
        old = rig.export(data)
        rig.export(data[::-1])
        with pytest.raises(SourceChangedError, match=r"the source changed while it was copied$"):
            copying.copy(NAME, b"", old, ByteRange(0, len(data)), checksum=None, read=Bytes(data))
        assert names(sink) == []
        assert sink.sweep("") == 0

    def test_a_copy_with_a_wrong_checksum_leaves_nothing(self, sink: Sink, copying: Copier, rig: SinkRig) -> None:
        """The range is not what was scanned."""
        data = noise(12 * MIB)
        with pytest.raises(CorruptObjectError):
            copying.copy(NAME, b"", rig.export(data), ByteRange(0, len(data)), checksum=1, read=Bytes(data))
        assert names(sink) == []
