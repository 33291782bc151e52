"""The contract of a sink, held by every implementation: see splitjoin_cli/stores/sinks/base.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import pytest

import splitjoin_cli.stores.sinks
from splitjoin_cli.core.bytes.crc64 import combine, crc64
from splitjoin_cli.core.errors import CopyRefusedError, CorruptObjectError, SourceChangedError
from splitjoin_cli.core.model import ByteRange, S3Location, StoredObject
from splitjoin_cli.stores.sinks import s3_writer
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore, location
from splitjoin_cli.stores.sinks.s3 import S3Sink
from tests.servers import odd_stores
from tests.servers.proxy import proxied
from tests.stores.sinks.bodies import CHANGED, Bytes, EndsEarly, FailsAt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.stores.sinks.base import Sink, StagingSink
    from tests.servers.s3 import S3Server

MIB = 1024 * 1024
PART = 5 * MIB
"""The writer's part on S3 while these tests run: the smallest that S3 takes."""
PREFIX = "weekly exports/a+b %41 ü=1"
NAME = "Zoë & co_2024-01-2.csv"
JOB = "acme_20240131"
COVERED = {"MemorySink", "S3Sink", "DirectorySink"}
S3 = pytest.param("s3", marks=pytest.mark.server)
ODD_S3 = pytest.param("s3, odd answers", marks=pytest.mark.server)
KINDS = ["memory", S3, ODD_S3, "directory", "directory, fsync"]
STAGING = pytest.mark.parametrize("rig", ["memory", "directory", "directory, fsync"], indirect=True)
COPYING = pytest.mark.parametrize("rig", ["memory", S3], indirect=True)
NOT_COPYING = pytest.mark.parametrize("rig", [ODD_S3], indirect=True)


class Rig(Protocol):
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


class MemoryRig:
    keeps_metadata = True
    sweeps_by_name = True
    clock_seconds = 0.0

    def __init__(self) -> None:
        self.store = MemoryStore()

    def sink(self) -> MemorySink:
        return MemorySink(self.store, uri=f"memory:///{PREFIX}/")

    def leave_behind(self, name: str) -> None:
        killed = self.sink()
        killed.writer(name).write(b"half of it")
        killed.kill()

    def export(self, data: bytes) -> S3Location:
        self.store.exports["exports/big.csv"] = data
        return location(self.store, "exports", "big.csv")


class S3Rig:
    keeps_metadata = True
    sweeps_by_name = True
    clock_seconds = 2.1

    def __init__(self, server: S3Server, bucket: str, prefix: str) -> None:
        self.client = server.client()
        self.bucket = bucket
        self.prefix = f"{prefix}/{PREFIX}"

    def sink(self) -> S3Sink:
        return S3Sink(f"s3://{self.bucket}/{self.prefix}", jobs=4)

    def leave_behind(self, name: str) -> None:
        self.client.create_multipart_upload(Bucket=self.bucket, Key=f"{self.prefix}/{name}")

    def export(self, data: bytes) -> S3Location:
        key = f"{self.prefix} export.csv"
        etag = self.client.put_object(Bucket=self.bucket, Key=key, Body=data)["ETag"]
        return S3Location(self.bucket, key, etag)


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from splitjoin_cli.stores.sinks.directory import DirectorySink
sink = DirectorySink(Path(sys.argv[1]))
writer = sink.writer(sys.argv[2])
writer.write(b"half of it")
os.kill(os.getpid(), signal.SIGKILL)
"""


class DirectoryRig:
    keeps_metadata = False
    sweeps_by_name = False
    clock_seconds = 0.0

    def __init__(self, directory: Path, *, fsync: bool) -> None:
        self.directory = directory / PREFIX
        self.fsync = fsync

    def sink(self) -> DirectorySink:
        return DirectorySink(self.directory, fsync=self.fsync)

    def leave_behind(self, name: str) -> None:
        killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(self.directory), name], check=False)
        assert killed.returncode == -signal.SIGKILL

    def export(self, data: bytes) -> S3Location:
        raise NotImplementedError(len(data))


@pytest.fixture(scope="module")
def shared_bucket(request: pytest.FixtureRequest) -> str:
    """One bucket for the module: a fresh one costs this server a second."""
    server: S3Server = request.getfixturevalue("s3_server")
    server.client().create_bucket(Bucket="sink-contract")
    return "sink-contract"


@pytest.fixture(scope="module")
def odd_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server behind a proxy that answers as odd stores do: its URL."""
    server: S3Server = request.getfixturevalue("s3_server")
    with proxied(server.endpoint_url) as proxy:
        proxy.alter = odd_stores.everything
        yield proxy.url


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Each kind of place in turn, empty."""
    if request.param == "memory":
        return MemoryRig()
    if request.param.startswith("directory"):
        return DirectoryRig(tmp_path, fsync=request.param.endswith("fsync"))
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    if request.param.endswith("odd answers"):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", request.getfixturevalue("odd_store"))
    monkeypatch.setattr(s3_writer, "FIRST_PART_BYTES", PART)
    return S3Rig(server, request.getfixturevalue("shared_bucket"), tmp_path.name)


@pytest.fixture
def sink(rig: Rig) -> Iterator[Sink]:
    """A sink on it."""
    made = rig.sink()
    yield made
    made.close()


@pytest.fixture
def staging(sink: Sink) -> StagingSink:
    """The same where objects can be staged."""
    assert sink.properties.renames
    return cast("StagingSink", sink)


@pytest.fixture
def copying(sink: Sink) -> Sink:
    """The same where the store copies."""
    assert sink.properties.copies_from is not None
    return sink


def noise(size: int) -> bytes:
    """The same bytes for the same size."""
    return random.Random(size).randbytes(size)


def names(sink: Sink) -> list[str]:
    """What a reader sees."""
    return [stored.name for stored in sink.list()]


@pytest.mark.server
def test_every_sink_is_held_to_the_contract() -> None:
    """A sink that is not in this suite fails it."""
    found = set()
    for module in pkgutil.iter_modules(splitjoin_cli.stores.sinks.__path__, "splitjoin_cli.stores.sinks."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {name for name, kind in members if kind.__module__ == module.name and hasattr(kind, "put_small")}
    assert found - {"Sink", "StagingSink"} == COVERED


def test_the_uri_is_that_of_a_place(sink: Sink) -> None:
    """``uri + name`` is an object's URI."""
    assert sink.properties.uri.endswith("/")


@pytest.mark.parametrize("size", [0, 1, 100_000, MIB + 1])
@pytest.mark.parametrize("known", [True, False])
def test_put_stores_the_whole_body(sink: Sink, size: int, known: bool) -> None:  # noqa: FBT001 -- a parameter
    """Any size, with and without a checksum; the answer says what was stored."""
    body = Bytes(noise(size))
    stored = sink.put(NAME, body, checksum=body.crc if known else None)
    assert (stored.name, stored.size, stored.checksum, stored.metadata) == (NAME, size, body.crc, None)
    assert sink.get_small(NAME) == body.data


def test_put_replaces(sink: Sink) -> None:
    """The later of two has the name, with its own metadata."""
    sink.put(NAME, Bytes(b"earlier and longer"), checksum=None, metadata="1")
    sink.put(NAME, Bytes(b"later"), checksum=None)
    assert sink.get_small(NAME) == b"later"


def test_metadata_comes_back(sink: Sink, rig: Rig) -> None:
    """From ``head``, as it was given, up to the 2 KB that S3 allows; from a listing never."""
    text = '{"text": "\\u00fc tab\\t", "pad": "' + "x" * 1900 + '"}'
    put = sink.put(NAME, Bytes(b"id\n"), checksum=None, metadata=text)
    head = sink.head(NAME)
    assert head is not None
    assert put.metadata == head.metadata == (text if rig.keeps_metadata else None)
    assert [stored.metadata for stored in sink.list()] == [None]


def test_head_says_what_put_said(sink: Sink) -> None:
    """Size and checksum, where the store keeps one."""
    body = Bytes(noise(1000))
    put = sink.put(NAME, body, checksum=body.crc)
    head = sink.head(NAME)
    assert head is not None
    assert (head.name, head.size, head.validator) == (NAME, 1000, put.validator)
    assert head.checksum in {body.crc, None}


def test_what_is_absent_is_none(sink: Sink) -> None:
    """``head`` and ``get_small`` of nothing; ``delete`` of nothing is done."""
    sink.delete(NAME)
    assert sink.head(NAME) is None
    assert sink.get_small(NAME) is None


@pytest.mark.parametrize("size", [0, 1000, MIB])
def test_a_wrong_checksum_leaves_nothing(sink: Sink, size: int) -> None:
    """The body is not what was announced: nothing becomes visible."""
    with pytest.raises(CorruptObjectError):
        sink.put(NAME, Bytes(noise(size)), checksum=1)
    assert names(sink) == []
    assert sink.head(NAME) is None


def test_a_wrong_checksum_keeps_what_was_there(sink: Sink) -> None:
    """A failed replacement replaces nothing."""
    sink.put(NAME, Bytes(b"good"), checksum=None)
    with pytest.raises(CorruptObjectError):
        sink.put(NAME, Bytes(b"bad"), checksum=1)
    assert sink.get_small(NAME) == b"good"


@pytest.mark.parametrize("known", [True, False])
def test_a_body_that_fails_midway_leaves_nothing(sink: Sink, known: bool) -> None:  # noqa: FBT001 -- a parameter
    """Its own error comes out, as it is."""
    body = FailsAt(noise(2 * MIB), MIB, CHANGED)
    with pytest.raises(SourceChangedError, match=r"^the export changed while it was read$"):
        sink.put(NAME, body, checksum=body.crc if known else None)
    assert names(sink) == []


def test_a_body_that_ends_early_is_a_changed_source(sink: Sink) -> None:
    """Fewer bytes than its size: nothing becomes visible."""
    body = EndsEarly(noise(MIB))
    with pytest.raises((SourceChangedError, CorruptObjectError)):
        sink.put(NAME, body, checksum=body.crc)
    assert names(sink) == []


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 1])
def test_a_writer_takes_any_size(sink: Sink, rig: Rig, size: int) -> None:
    """Around the bounds of the parts in which it is sent; pieces of odd sizes."""
    data = noise(size)
    writer = sink.writer(NAME, metadata="7")
    for start in range(0, size, 1_000_003):
        writer.write(data[start : start + 1_000_003])
    stored = writer.commit(checksum=crc64(data))
    assert (stored.name, stored.size, stored.checksum) == (NAME, size, crc64(data))
    assert stored.metadata == ("7" if rig.keeps_metadata else None)
    assert sink.get_small(NAME) == data


def test_a_writer_keeps_no_reference_to_what_it_was_given(sink: Sink) -> None:
    """The caller reuses its buffer at once."""
    buffer = bytearray(b"one")
    writer = sink.writer(NAME)
    writer.write(buffer)
    buffer[:] = b"two"
    writer.write(memoryview(buffer))
    writer.commit(checksum=None)
    assert sink.get_small(NAME) == b"onetwo"


@pytest.mark.parametrize("size", [100, PART + 1])
def test_nothing_is_visible_before_the_commit(sink: Sink, size: int) -> None:
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
def test_a_writer_with_a_wrong_checksum_leaves_nothing(sink: Sink, size: int) -> None:
    """The commit fails, nothing becomes visible, and abort is safe then."""
    writer = sink.writer(NAME)
    writer.write(noise(size))
    with pytest.raises(CorruptObjectError):
        writer.commit(checksum=combine(1, 2, 3))
    writer.abort()
    writer.abort()
    assert names(sink) == []


@pytest.mark.parametrize("size", [0, 100, PART + 1])
def test_an_aborted_writer_leaves_nothing(sink: Sink, size: int) -> None:
    """At any moment, any number of times."""
    writer = sink.writer(NAME)
    writer.write(noise(size))
    writer.abort()
    writer.abort()
    assert names(sink) == []
    assert sink.sweep("") == 0


def test_close_undoes_what_is_under_way(rig: Rig) -> None:
    """Another process finds nothing, not even something to sweep; a second close is nothing."""
    closing = rig.sink()
    closing.writer(NAME).write(noise(PART + 1))
    closing.close()
    closing.close()
    after = rig.sink()
    assert names(after) == []
    assert after.sweep("") == 0
    after.close()


def test_small_objects(sink: Sink) -> None:
    """They are replaced unless told otherwise; ``if_absent`` does nothing when there is one."""
    assert sink.put_small("plan.json", b"1") is True
    assert sink.put_small("plan.json", b"2") is True
    assert sink.put_small("plan.json", b"3", if_absent=True) is False
    assert sink.get_small("plan.json") == b"2"
    sink.delete("plan.json")
    assert sink.get_small("plan.json") is None
    assert sink.put_small("plan.json", b"4", if_absent=True) is True
    assert sink.get_small("plan.json") == b"4"


def test_one_of_many_takes_a_name(rig: Rig) -> None:
    """16 threads of two processes: exactly one wins, and its bytes are those that are there."""
    sinks = [rig.sink(), rig.sink()]
    barrier = threading.Barrier(16)

    def claim(number: int) -> bool:
        barrier.wait()
        return sinks[number % 2].put_small("plan.json", b"%d" % number, if_absent=True)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(claim, range(16)))
    assert won.count(True) == 1
    assert sinks[0].get_small("plan.json") == b"%d" % won.index(True)
    for each in sinks:
        each.close()


def test_list_goes_by_name(sink: Sink) -> None:
    """Sorted, with sizes, those that begin with the prefix; what is in other places is not listed."""
    for name in ["b-2", "a-10", "b-1", "ü", "b+ 3%20"]:
        sink.put(name, Bytes(name.encode()), checksum=None)
    assert names(sink) == ["a-10", "b+ 3%20", "b-1", "b-2", "ü"]
    found = list(sink.list("b-"))
    assert [(stored.name, stored.size) for stored in found] == [("b-1", 3), ("b-2", 3)]
    assert list(sink.list("c")) == []


def test_a_place_that_is_empty_lists_nothing(sink: Sink) -> None:
    """Also before anything was stored."""
    assert names(sink) == []


def test_sweep_removes_what_was_killed(rig: Rig) -> None:
    """Only of the job, and nothing that is stored; a second one finds nothing."""
    rig.leave_behind(f"{JOB}-1-2.csv")
    rig.leave_behind("other_20240131-1-2.csv")
    sink = rig.sink()
    sink.put(f"{JOB}-2-2.csv", Bytes(b"id\n"), checksum=None)
    assert names(sink) == [f"{JOB}-2-2.csv"]
    assert sink.sweep(f"{JOB}-") == (1 if rig.sweeps_by_name else 2)
    assert sink.sweep(f"{JOB}-") == 0
    assert sink.sweep("other_20240131-") == (1 if rig.sweeps_by_name else 0)
    assert names(sink) == [f"{JOB}-2-2.csv"]
    sink.close()


def test_sweep_leaves_the_living_alone(rig: Rig) -> None:
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


def test_many_threads_at_once(sink: Sink) -> None:
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


def test_racing_puts_of_one_name_leave_one_of_them_whole(sink: Sink) -> None:
    """Readers see one or the other, never a mixture."""
    bodies = [Bytes(bytes([65 + number]) * (MIB + number)) for number in range(6)]
    sink.put(NAME, bodies[0], checksum=bodies[0].crc)
    with ThreadPoolExecutor(6) as pool:
        puts = [pool.submit(sink.put, NAME, body, checksum=body.crc) for body in bodies]
        seen = [sink.get_small(NAME) for _ in range(10)]
        for put in puts:
            put.result()
    assert {data for data in [*seen, sink.get_small(NAME)] if data} <= {body.data for body in bodies}


@STAGING
def test_staged_objects_get_their_name_later(staging: StagingSink) -> None:
    """Written out of order, cut, published: whole under the name, replacing what was there."""
    staging.put(NAME, Bytes(b"older"), checksum=None)
    staged = staging.stage(JOB, 1)
    staged.write_at(6, b"world and more")
    staged.write_at(0, b"hello ")
    staged.truncate(11)
    back = memoryview(bytearray(8))
    assert (staged.read_at(6, back), bytes(back[:5])) == (5, b"world")
    staged.close()
    assert names(staging) == [NAME]
    stored = staging.publish(staged, NAME)
    assert (stored.name, stored.size) == (NAME, 11)
    assert staging.get_small(NAME) == b"hello world"
    staging.discard(staged)
    assert staging.get_small(NAME) == b"hello world"


@STAGING
def test_discarded_staged_objects_are_gone(staging: StagingSink) -> None:
    """Any number of times; nothing is left to sweep."""
    staged = staging.stage(JOB, 1)
    staged.write_at(0, b"unwanted")
    staged.close()
    staging.discard(staged)
    staging.discard(staged)
    assert names(staging) == []
    assert staging.sweep("") == 0


@STAGING
def test_staged_objects_get_their_metadata_with_their_name(staging: StagingSink, rig: Rig) -> None:
    """As if they had been put, where the sink keeps any."""
    staged = staging.stage(JOB, 1)
    staged.write_at(0, b"id\n")
    staged.close()
    stored = staging.publish(staged, NAME, metadata="7")
    head = staging.head(NAME)
    assert head is not None
    assert stored.metadata == head.metadata == ("7" if rig.keeps_metadata else None)


@STAGING
def test_the_checksum_of_an_object_can_be_had(staging: StagingSink) -> None:
    """Of its bytes, whatever their number; None where there is no object."""
    body = Bytes(noise(MIB + 1))
    staging.put(NAME, body, checksum=None)
    assert (staging.checksum(NAME), staging.checksum("absent")) == (body.crc, None)


@STAGING
def test_staged_objects_take_writes_from_many_threads(staging: StagingSink) -> None:
    """Ranges that do not overlap, in any order."""
    data = noise(1_000_000)
    staged = staging.stage(JOB, 1)
    with ThreadPoolExecutor(8) as pool:
        starts = random.Random(1).sample(range(0, len(data), 10_000), 100)
        list(pool.map(lambda start: staged.write_at(start, data[start : start + 10_000]), starts))
    staged.close()
    staging.publish(staged, NAME)
    assert staging.get_small(NAME) == data


@STAGING
def test_many_staged_objects_need_few_descriptors(staging: StagingSink) -> None:
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
    assert staging.get_small(f"{JOB}-99") == b"99"


@COPYING
@pytest.mark.parametrize("known", [True, False])
def test_a_copy_is_prefix_and_range(copying: Sink, rig: Rig, known: bool) -> None:  # noqa: FBT001 -- a parameter
    """Byte for byte, with and without a checksum, from an odd place to an odd place."""
    data = noise(13 * MIB)
    source, part = rig.export(data), ByteRange(1_000_001, 12 * MIB + 7)
    whole = Bytes(b"id,name\n" + data[part.start : part.end])
    stored = copying.copy(
        NAME, b"id,name\n", source, part, checksum=whole.crc if known else None, read=whole, metadata="1"
    )
    assert (stored.name, stored.size, stored.metadata) == (NAME, whole.size, "1")
    assert stored.checksum == whole.crc
    assert copying.get_small(NAME) == whole.data


@COPYING
@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 10 * MIB])
def test_small_copies_are_right_too(copying: Sink, rig: Rig, size: int) -> None:
    """Also below what a store copies on the server, and at that bound."""
    data = noise(10 * MIB)
    whole = Bytes(b"id\n" + data[:size])
    copying.copy(NAME, b"id\n", rig.export(data), ByteRange(0, size), checksum=whole.crc, read=whole)
    assert copying.get_small(NAME) == whole.data


@NOT_COPYING
def test_a_copy_that_cannot_be_believed_is_refused(copying: Sink, rig: Rig) -> None:
    """The caller streams then; nothing becomes visible before, and nothing stays open."""
    data = noise(12 * MIB)
    with pytest.raises(CopyRefusedError, match=r"the store's answer has no ETag$"):
        copying.copy(NAME, b"", rig.export(data), ByteRange(0, len(data)), checksum=None, read=Bytes(data))
    assert names(copying) == []
    assert copying.sweep("") == 0


@COPYING
def test_a_copy_from_a_changed_source_is_refused(copying: Sink, rig: Rig) -> None:
    """The source has another ETag by now: nothing becomes visible and nothing stays open."""
    data = noise(12 * MIB)
    old = rig.export(data)
    rig.export(data[::-1])
    with pytest.raises(SourceChangedError, match=r"the source changed while it was copied$"):
        copying.copy(NAME, b"", old, ByteRange(0, len(data)), checksum=None, read=Bytes(data))
    assert names(copying) == []
    assert copying.sweep("") == 0


@COPYING
def test_a_copy_with_a_wrong_checksum_leaves_nothing(copying: Sink, rig: Rig) -> None:
    """The range is not what was scanned."""
    data = noise(12 * MIB)
    with pytest.raises(CorruptObjectError):
        copying.copy(NAME, b"", rig.export(data), ByteRange(0, len(data)), checksum=1, read=Bytes(data))
    assert names(copying) == []
