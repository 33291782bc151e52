"""The contract of a sink, as suites of tests: what splitjoin_cli/stores/sinks/base.py says, each sentence tried.

A sink of your own is held to it by a class that says how to make one:

    class FtpRig:
        keeps_metadata, sweeps_by_name, clock_seconds = False, True, 1.0
        ...

    class TestFtpSink(SinkContract):
        @pytest.fixture
        def rig(self, tmp_path):
            return FtpRig(tmp_path)

More of it is in small_objects.py; and in staging.py, for sinks that take bytes before their name or whose store copies.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pytest

from splitjoin_cli.core.bytes.crc64 import combine, crc64
from splitjoin_cli.core.errors import CorruptObjectError, ObjectChangedError, SourceChangedError
from splitjoin_cli.stores.sinks.base import ABSENT, Condition
from splitjoin_cli.testing.bodies import CHANGED, Bytes, EndsEarly, FailsAt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.model import S3Location, StoredObject
    from splitjoin_cli.stores.sinks.base import Sink

__all__ = ["MIB", "PART", "SinkContract", "SinkRig", "WithSink", "names", "noise"]

MIB = 1024 * 1024
PART = 5 * MIB
"""Sizes around it are tried: the smallest part that S3 takes."""
NAME = "Zoë & co_2024-01-2.csv"
JOB = "acme_20240131"


class SinkRig(Protocol):
    """A place that sinks of one kind share, and what only tests may do to it."""

    keeps_metadata: bool
    """Whether ``head`` finds it again (a directory has the manifest for that)."""
    sweeps_by_name: bool
    """Whether it can tell whose leftovers are whose (in a directory all of them are a dead process's)."""
    clock_seconds: float
    """How exactly it knows what is older: S3 shows whole seconds, of both."""

    def sink(self) -> Sink:
        """One more process on the same place."""

    def leave_behind(self, name: str) -> None:
        """What a process leaves that was killed while it wrote ``name``."""

    def export(self, data: bytes) -> S3Location:
        """Something that the sink can copy from."""


def noise(size: int) -> bytes:
    """The same bytes for the same size."""
    return random.Random(size).randbytes(size)


def names(sink: Sink) -> list[str]:
    """What a reader sees."""
    return [stored.name for stored in sink.list()]


class WithSink:
    """What the suites share: a sink on the ``rig``, which is a fixture of the subclass or of its module."""

    @pytest.fixture
    def sink(self, rig: SinkRig) -> Iterator[Sink]:
        """A sink on it."""
        made = rig.sink()
        yield made
        made.close()


class SinkContract(WithSink):
    """Every sink."""

    def test_the_uri_is_that_of_a_place(self, sink: Sink) -> None:
        """``uri + name`` is an object's URI."""
        assert sink.properties.uri.endswith("/")

    @pytest.mark.parametrize("size", [0, 1, 100_000, MIB + 1])
    @pytest.mark.parametrize("known", [True, False])
    def test_put_stores_the_whole_body(self, sink: Sink, size: int, known: bool) -> None:  # noqa: FBT001 -- a parameter
        """Any size, with and without a checksum; the answer says what was stored."""
        body = Bytes(noise(size))
        told: list[int] = []
        stored = sink.put(NAME, body, checksum=body.crc if known else None, sent=told.append)
        assert (stored.name, stored.size, stored.checksum, stored.metadata) == (NAME, size, body.crc, None)
        assert sum(told) in {0, size}  # told once, or not at all
        assert sink.get_small(NAME) == body.data

    def test_put_replaces(self, sink: Sink) -> None:
        """The later of two has the name, with its own metadata."""
        sink.put(NAME, Bytes(b"earlier and longer"), checksum=None, metadata="1")
        sink.put(NAME, Bytes(b"later"), checksum=None)
        assert sink.get_small(NAME) == b"later"

    def test_metadata_comes_back(self, sink: Sink, rig: SinkRig) -> None:
        """From ``head``, as it was given, up to the 2 KB that S3 allows; from a listing never."""
        text = '{"text": "\\u00fc tab\\t", "pad": "' + "x" * 1900 + '"}'
        put = sink.put(NAME, Bytes(b"id\n"), checksum=None, metadata=text)
        head = sink.head(NAME)
        assert head is not None
        assert put.metadata == head.metadata == (text if rig.keeps_metadata else None)
        assert [stored.metadata for stored in sink.list()] == [None]

    def test_head_says_what_put_said(self, sink: Sink) -> None:
        """Size and checksum, where the store keeps one."""
        body = Bytes(noise(1000))
        put = sink.put(NAME, body, checksum=body.crc)
        head = sink.head(NAME)
        assert head is not None
        assert (head.name, head.size, head.validator) == (NAME, 1000, put.validator)
        assert head.checksum in {body.crc, None}

    def test_what_is_absent_is_none(self, sink: Sink) -> None:
        """``head`` and ``get_small`` of nothing; ``delete`` of nothing is done."""
        sink.delete(NAME)
        assert sink.head(NAME) is None
        assert sink.get_small(NAME) is None
        assert sink.read_small(NAME, most=10) is None

    def test_a_look_for_rights_makes_nothing(self, sink: Sink) -> None:
        """No object, nothing that is left to sweep; and what is there stays."""
        sink.check_writable(NAME)
        assert list(sink.list("")) == []
        assert sink.sweep("", count=True) == 0
        sink.put_small(NAME, b"1")
        sink.check_writable(NAME)
        assert sink.get_small(NAME) == b"1"

    @pytest.mark.parametrize("data", [b"", b"123", b"1234", b"12345"])
    def test_first_bytes(self, sink: Sink, data: bytes) -> None:
        """So many, or all of a smaller object."""
        sink.put_small(NAME, data)
        found = sink.read_small(NAME, most=4)
        assert found is not None
        assert found.data == data[:4]

    @pytest.mark.parametrize("size", [0, 1000, MIB])
    def test_a_wrong_checksum_leaves_nothing(self, sink: Sink, size: int) -> None:
        """The body is not what was announced: nothing becomes visible."""
        with pytest.raises(CorruptObjectError):
            sink.put(NAME, Bytes(noise(size)), checksum=1)
        assert names(sink) == []
        assert sink.head(NAME) is None

    def test_a_wrong_checksum_keeps_what_was_there(self, sink: Sink) -> None:
        """A failed replacement replaces nothing."""
        sink.put(NAME, Bytes(b"good"), checksum=None)
        with pytest.raises(CorruptObjectError):
            sink.put(NAME, Bytes(b"bad"), checksum=1)
        assert sink.get_small(NAME) == b"good"

    @pytest.mark.parametrize("known", [True, False])
    def test_a_body_that_fails_midway_leaves_nothing(self, sink: Sink, known: bool) -> None:  # noqa: FBT001 -- a parameter
        """Its own error comes out, as it is."""
        body = FailsAt(noise(2 * MIB), MIB, CHANGED)
        with pytest.raises(SourceChangedError, match=r"^the export changed while it was read$"):
            sink.put(NAME, body, checksum=body.crc if known else None)
        assert names(sink) == []

    def test_a_body_that_ends_early_is_a_changed_source(self, sink: Sink) -> None:
        """Fewer bytes than its size: nothing becomes visible."""
        body = EndsEarly(noise(MIB))
        with pytest.raises((SourceChangedError, CorruptObjectError)):
            sink.put(NAME, body, checksum=body.crc)
        assert names(sink) == []

    @pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 1])
    def test_a_writer_takes_any_size(self, sink: Sink, rig: SinkRig, size: int) -> None:
        """Around the bounds of the parts in which it is sent; pieces of odd sizes."""
        data, told = noise(size), list[int]()
        writer = sink.writer(NAME, metadata="7", sent=told.append)
        for start in range(0, size, 1_000_003):
            writer.write(data[start : start + 1_000_003])
        stored = writer.commit(checksum=crc64(data))
        assert (stored.name, stored.size, stored.checksum) == (NAME, size, crc64(data))
        assert sum(told) in {0, size}
        assert stored.metadata == ("7" if rig.keeps_metadata else None)
        assert sink.get_small(NAME) == data

    def test_a_writer_keeps_no_reference_to_what_it_was_given(self, sink: Sink) -> None:
        """The caller reuses its buffer at once."""
        buffer = bytearray(b"one")
        writer = sink.writer(NAME)
        writer.write(buffer)
        buffer[:] = b"two"
        writer.write(memoryview(buffer))
        writer.commit(checksum=None)
        assert sink.get_small(NAME) == b"onetwo"

    @pytest.mark.parametrize("size", [100, PART + 1])
    def test_nothing_is_visible_before_the_commit(self, sink: Sink, size: int) -> None:
        """An object under way is neither listed nor found, and an older one stays until the commit replaces it."""
        sink.put(NAME, Bytes(b"older"), checksum=None)
        writer = sink.writer(NAME)
        other = sink.writer(JOB)
        writer.write(noise(size))
        other.write(noise(size))
        assert names(sink) == [NAME]
        assert sink.get_small(NAME) == b"older"
        assert sink.head(JOB) is None
        writer.commit(checksum=None)
        other.abort()
        assert names(sink) == [NAME]
        assert sink.get_small(NAME) == noise(size)

    @pytest.mark.parametrize("size", [100, PART + 1])
    def test_a_writer_with_a_wrong_checksum_leaves_nothing(self, sink: Sink, size: int) -> None:
        """The commit fails, nothing becomes visible, and abort is safe then."""
        writer = sink.writer(NAME)
        writer.write(noise(size))
        with pytest.raises(CorruptObjectError):
            writer.commit(checksum=combine(1, 2, 3))
        writer.abort()
        writer.abort()
        assert names(sink) == []

    @pytest.mark.parametrize("size", [0, 100, PART + 1])
    def test_an_aborted_writer_leaves_nothing(self, sink: Sink, size: int) -> None:
        """At any moment, any number of times."""
        writer = sink.writer(NAME)
        writer.write(noise(size))
        writer.abort()
        writer.abort()
        assert names(sink) == []
        assert sink.sweep("") == 0

    def test_close_undoes_what_is_under_way(self, rig: SinkRig) -> None:
        """Another process finds nothing, not even something to sweep; a second close is nothing."""
        closing = rig.sink()
        closing.writer(NAME).write(noise(PART + 1))
        closing.close()
        closing.close()
        after = rig.sink()
        assert names(after) == []
        assert after.sweep("") == 0
        after.close()

    def test_small_objects(self, sink: Sink) -> None:
        """They are replaced unless told otherwise; with a condition nothing is done unless it holds."""
        assert sink.put_small("plan.json", b"1") is True
        assert sink.put_small("plan.json", b"2") is True
        assert sink.put_small("plan.json", b"3", when=ABSENT) is False
        assert sink.get_small("plan.json") == b"2"
        sink.delete("plan.json")
        assert sink.get_small("plan.json") is None
        assert sink.put_small("plan.json", b"4", when=ABSENT) is True
        assert sink.get_small("plan.json") == b"4"

    def test_one_of_many_takes_a_name(self, rig: SinkRig) -> None:
        """16 threads of two processes: exactly one wins, and its bytes are those that are there."""
        sinks = [rig.sink(), rig.sink()]
        barrier = threading.Barrier(16)

        def claim(number: int) -> bool:
            barrier.wait()
            return sinks[number % 2].put_small("plan.json", b"%d" % number, when=ABSENT)

        with ThreadPoolExecutor(16) as pool:
            won = list(pool.map(claim, range(16)))
        assert won.count(True) == 1
        assert sinks[0].get_small("plan.json") == b"%d" % won.index(True)
        for each in sinks:
            each.close()

    def test_small_objects_are_replaced_as_they_were_seen(self, sink: Sink) -> None:
        """``read_small`` says what a condition on its bytes needs; another content, or none, is left alone."""
        assert sink.read_small("plan.json") is None
        assert sink.put_small("plan.json", b"0", when=Condition('"nothing of the kind"')) is False
        sink.put_small("plan.json", b"1")
        seen = sink.read_small("plan.json")
        assert seen is not None
        assert seen.data == b"1"
        assert sink.put_small("plan.json", b"22", when=Condition(seen.validator)) is True
        assert sink.put_small("plan.json", b"3", when=Condition(seen.validator)) is False
        assert sink.delete("plan.json", when=Condition(seen.validator)) is False
        assert sink.get_small("plan.json") == b"22"
        now = sink.read_small("plan.json")
        assert now is not None
        assert sink.delete("plan.json", when=Condition(now.validator)) is True
        assert sink.delete("plan.json", when=Condition(now.validator)) is True
        assert sink.get_small("plan.json") is None

    @pytest.mark.parametrize("size", [100, PART + 1])
    @pytest.mark.parametrize("whole", [True, False])
    def test_a_condition_that_does_not_hold_stores_nothing(self, rig: SinkRig, size: int, whole: bool) -> None:  # noqa: FBT001 -- a parameter
        """By ``put`` and by a writer: the name is taken, or holds another object than was seen; nothing stays open."""
        sink, body = rig.sink(), Bytes(noise(size))

        def store(when: Condition) -> StoredObject:
            if whole:
                return sink.put(NAME, body, checksum=body.crc, when=when)
            writer = sink.writer(NAME, when=when)
            writer.write(body.data)
            try:
                return writer.commit(checksum=body.crc)
            except ObjectChangedError:
                writer.abort()
                raise

        with pytest.raises(ObjectChangedError):
            store(Condition('"nothing of the kind"'))
        assert names(sink) == []
        assert store(ABSENT).size == size
        older = sink.put(NAME, Bytes(b"older"), checksum=None)
        newer = sink.put(NAME, Bytes(b"newer!"), checksum=None)
        for when in (ABSENT, Condition(older.validator)):
            with pytest.raises(ObjectChangedError):
                store(when)
        assert sink.get_small(NAME) == b"newer!"
        assert store(Condition(newer.validator)).checksum == body.crc
        assert sink.get_small(NAME) == body.data
        sink.close()
        after = rig.sink()
        assert after.sweep("") == 0
        after.close()

    def test_one_of_many_stores_an_object(self, rig: SinkRig) -> None:
        """8 threads of two processes that saw the same: exactly one stores it, the others hear of it."""
        sinks = [rig.sink(), rig.sink()]
        seen = sinks[0].put(NAME, Bytes(b"older"), checksum=None)
        for when in (Condition(seen.validator), ABSENT):
            barrier = threading.Barrier(8)

            def store(number: int, when: Condition = when, barrier: threading.Barrier = barrier) -> int | None:
                barrier.wait()
                try:
                    sinks[number % 2].put(NAME, Bytes(b"%d of many" % number), checksum=None, when=when)
                except ObjectChangedError:
                    return None
                return number

            with ThreadPoolExecutor(8) as pool:
                won = [number for number in pool.map(store, range(8)) if number is not None]
            assert [sinks[0].get_small(NAME)] == [b"%d of many" % number for number in won]
            sinks[0].delete(NAME)
        for each in sinks:
            each.close()

    def test_list_goes_by_name(self, sink: Sink) -> None:
        """Sorted, with sizes, those that begin with the prefix; what is in other places is not listed."""
        for name in ["b-2", "a-10", "b-1", "ü", "b+ 3%20"]:
            sink.put(name, Bytes(name.encode()), checksum=None)
        assert names(sink) == ["a-10", "b+ 3%20", "b-1", "b-2", "ü"]
        found = list(sink.list("b-"))
        assert [(stored.name, stored.size) for stored in found] == [("b-1", 3), ("b-2", 3)]
        assert list(sink.list("c")) == []

    def test_a_place_that_is_empty_lists_nothing(self, sink: Sink) -> None:
        """Also before anything was stored."""
        assert names(sink) == []

    def test_sweep_removes_what_was_killed(self, rig: SinkRig) -> None:
        """Only of the job, and nothing that is stored; a second one finds nothing."""
        rig.leave_behind(f"{JOB}-1-2.csv")
        rig.leave_behind("other_20240131-1-2.csv")
        sink = rig.sink()
        sink.put(f"{JOB}-2-2.csv", Bytes(b"id\n"), checksum=None)
        assert names(sink) == [f"{JOB}-2-2.csv"]
        both = 1 if rig.sweeps_by_name else 2
        assert sink.sweep(f"{JOB}-", count=True) == both
        assert sink.sweep(f"{JOB}-", only=lambda name: name != f"{JOB}-1-2.csv") == (0 if rig.sweeps_by_name else both)
        if not rig.sweeps_by_name:
            rig.leave_behind(f"{JOB}-1-2.csv")
        assert sink.sweep(f"{JOB}-") == 1
        assert sink.sweep(f"{JOB}-") == 0
        assert sink.sweep("other_20240131-", only=lambda name: name.startswith("other_")) == rig.sweeps_by_name
        assert names(sink) == [f"{JOB}-2-2.csv"]
        sink.close()

    def test_sweep_leaves_the_living_alone(self, rig: SinkRig) -> None:
        """A process that began earlier finds nothing of one that began later, and the other way round for its own."""
        sink, other = rig.sink(), rig.sink()
        time.sleep(rig.clock_seconds)
        writers = [each.writer(f"{JOB}-{number}-2.csv") for number, each in enumerate((sink, other), 1)]
        for writer in writers:
            writer.write(noise(PART + 1))
        assert (sink.sweep(f"{JOB}-"), other.sweep(f"{JOB}-")) == (0, 0)
        for writer in writers:
            writer.commit(checksum=crc64(noise(PART + 1)))
        assert names(sink) == [f"{JOB}-1-2.csv", f"{JOB}-2-2.csv"]
        sink.close()
        other.close()

    def test_many_threads_at_once(self, sink: Sink) -> None:
        """Puts, writers and reads of different names do not disturb each other."""

        def work(number: int) -> StoredObject | None:
            data = noise(200_000 + number)
            if number % 2:
                sink.put(f"{JOB}-{number:02}", Bytes(data), checksum=crc64(data))
            else:
                writer = sink.writer(f"{JOB}-{number:02}")
                writer.write(data)
                writer.commit(checksum=crc64(data))
            assert sink.get_small(f"{JOB}-{number:02}") == data
            return sink.head(f"{JOB}-{number:02}")

        with ThreadPoolExecutor(8) as pool:
            heads = list(pool.map(work, range(24)))
        assert [head and head.size for head in heads] == [200_000 + number for number in range(24)]
        assert names(sink) == [f"{JOB}-{number:02}" for number in range(24)]

    def test_racing_puts_of_one_name_leave_one_of_them_whole(self, sink: Sink) -> None:
        """Readers see one or the other, never a mixture."""
        bodies = [Bytes(bytes([65 + number]) * (MIB + number)) for number in range(6)]
        sink.put(NAME, bodies[0], checksum=bodies[0].crc)
        with ThreadPoolExecutor(6) as pool:
            puts = [pool.submit(sink.put, NAME, body, checksum=body.crc) for body in bodies]
            seen = [sink.get_small(NAME) for _ in range(10)]
            for put in puts:
                put.result()
        assert {data for data in [*seen, sink.get_small(NAME)] if data} <= {body.data for body in bodies}
