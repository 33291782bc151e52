"""Moving chunks: one that fails stops no other, and what makes all of them wrong stops all."""

# ruff: noqa: ANN401 -- what MemorySink takes is handed on

from __future__ import annotations

import threading
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import (
    CorruptObjectError,
    SourceChangedError,
    SplitjoinError,
    StoppedError,
    StoreError,
)
from splitjoin_cli.core.model import ByteRange, ChunkState
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting.one_chunk import ChunkBody
from splitjoin_cli.splitting.request import RowCount
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore, MemoryWriter
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.positioned import PositionedStream
from splitjoin_cli.stores.sources.stream import StreamSource
from tests.splitting.runs import MANIFEST, PLAN, TwoPass, blocks_of, chunks, objects, request, split, stream_of
from tests.stores.sources.counted import CountedSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from splitjoin_cli.core.model import SourceProperties, StoredObject
    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.stores.sinks.base import Body
    from splitjoin_cli.stores.sources.base import Source

EXPORT = b"id,name\n" + b"".join(b"%d,name %d\n" % (number, number) for number in range(10))
NAMES = [f"acme_20240131-{number}-5.csv" for number in range(1, 6)]


class Refuses(TwoPass):
    """A store that has no room for some chunks."""

    def __init__(self, store: MemoryStore, names: set[str]) -> None:
        super().__init__(store)
        self.names = names

    def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:
        if name in self.names:
            options["sent"](5)
            raise StoreError(f"storing {name} failed: 503 SlowDown")
        return super().put(name, *arguments, **options)

    def writer(self, name: str, *arguments: Any, **options: Any) -> MemoryWriter:
        if name.removesuffix(".gz") in self.names:
            raise StoreError(f"storing {name} failed: 503 SlowDown")
        return super().writer(name, *arguments, **options)


class Listens(Silent):
    """Keeps all that it hears."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int | None, int | None]] = []
        self.warnings: list[str] = []
        self.states: dict[int, ChunkState] = {}
        self.advanced = 0

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
        self.phases.append((name, total_bytes, total_chunks))
        self.advanced = 0

    def advance(self, size: int) -> None:
        self.advanced += size

    def chunk_done(self, number: int, state: ChunkState) -> None:
        self.states[number] = state

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@given(
    st.binary(max_size=6),
    st.binary(max_size=30),
    st.integers(0, 40),
    st.integers(0, 20),
    st.integers(0, 10),
    st.integers(0, 10),
)
def test_a_chunks_body_is_header_and_range(
    header: bytes, data: bytes, offset: int, size: int, start: int, length: int
) -> None:
    """Read from any place, in any size."""
    start = min(start, len(data))
    part = ByteRange(start, min(start + length, len(data)))
    whole = header + data[part.start : part.end]
    body, buffer = ChunkBody(header, MemorySource(data), part), bytearray(size)
    filled = body.read_at(offset, memoryview(buffer))
    assert body.size == len(whole)
    assert bytes(buffer[:filled]) == whole[offset : offset + size]


@pytest.mark.parametrize("open_source", [MemorySource, stream_of])
@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_failed_chunk_stops_no_other(open_source: Callable[[bytes], Source], compress: str | None, jobs: int) -> None:
    """It is named, with its error and the command that resumes; after that, all is as if nothing had happened."""
    store, heard, asked = MemoryStore(), Listens(), request(compress=compress, jobs=jobs)
    result = split(open_source(EXPORT), Refuses(store, {NAMES[1], NAMES[4]}), asked, observer=heard)
    suffix = "" if compress is None else ".gz"
    document = result.to_json()
    assert [chunk["state"] for chunk in document["chunks"]] == ["uploaded", "failed", "uploaded", "uploaded", "failed"]
    assert [chunk["error"] for chunk in document["chunks"]] == [
        None,
        f"storing {NAMES[1]}{suffix} failed: 503 SlowDown",
        None,
        None,
        f"storing {NAMES[4]}{suffix} failed: 503 SlowDown",
    ]
    assert (document["uploaded"], document["skipped"], document["failed"]) == (3, 0, 2)
    assert heard.advanced == sum(chunk["bytes"] for chunk in document["chunks"] if chunk["state"] == "uploaded")
    assert document["resume"] == (
        f"splitjoin split --client=acme --date=20240131 --rows=2{'' if compress is None else ' --compress=gzip'} "
        f"--jobs={jobs} -- acme.csv out"
    )
    assert sorted(heard.warnings) == [
        f"chunk {number} failed: storing {NAMES[number - 1]}{suffix} failed: 503 SlowDown" for number in (2, 5)
    ]
    assert sorted(store.objects) == sorted([PLAN, *(NAMES[number] + suffix for number in (0, 2, 3))])
    assert store.unfinished == {}

    again = split(open_source(EXPORT), TwoPass(store), asked)
    assert [chunk["state"] for chunk in again.to_json()["chunks"]] == [
        "skipped",
        "uploaded",
        "skipped",
        "skipped",
        "uploaded",
    ]
    assert again.resume is None
    undisturbed = MemoryStore()
    split(open_source(EXPORT), TwoPass(undisturbed), asked)
    assert objects(store) == objects(undisturbed)


class Breaks(TwoPass):
    """The connection is lost in the middle of some chunks."""

    def __init__(self, store: MemoryStore, names: set[str]) -> None:
        super().__init__(store)
        self.names = names

    def put(self, name: str, body: Body, **options: Any) -> StoredObject:
        if name in self.names:
            body.read_at(0, memoryview(bytearray(12)))
            raise StoreError(f"storing {name} failed: the connection was lost")
        return super().put(name, body, **options)


def test_neighbours_are_read_by_one_request_and_fail_alone() -> None:
    """Where reads are requests: one for all chunks, one more behind each that failed; a resume reads the gaps alone."""
    asked, store, failed = request(jobs=1), MemoryStore(), {NAMES[1], NAMES[4]}
    source, undisturbed = CountedSource(EXPORT), MemoryStore()
    split(source, TwoPass(undisturbed), asked)
    body, ends = EXPORT.index(b"0,"), [EXPORT.index(b"%d,name" % (2 * number)) for number in range(1, 5)]
    assert source.pinned.asked[-1] == (body, len(EXPORT))
    before = source.pinned.asked[:-1]
    source = CountedSource(EXPORT)
    result = split(source, Breaks(store, failed), asked)
    assert result.progress.errors.keys() == {2, 5}
    assert source.pinned.asked[len(before) :] == [(body, len(EXPORT)), (ends[1], len(EXPORT))]
    source = CountedSource(EXPORT)
    split(source, TwoPass(store), asked)
    assert source.pinned.asked == [(0, body), (ends[0], ends[1]), (ends[3], len(EXPORT))]
    assert objects(store) == objects(undisturbed)


@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("open_source", [MemorySource, stream_of])
def test_progress_reaches_its_total(open_source: Callable[[bytes], Source], compress: str | None) -> None:
    """Every byte of every chunk counts once, headers too, whatever is sent or skipped."""
    store = MemoryStore()
    for states in ({"uploaded"}, {"skipped"}):
        heard = Listens()
        result = split(open_source(EXPORT), TwoPass(store), request(compress=compress), observer=heard)
        total = sum(chunk["bytes"] for chunk in result.to_json()["chunks"])
        assert heard.phases[-1] == ("uploading", total, 5)
        assert heard.advanced == total
        assert set(heard.states.values()) == states


def test_no_more_than_jobs_at_once() -> None:
    """Chunks are sent together, and never more than were asked for."""
    lock, now, most = threading.Lock(), 0, 0

    class Counts(TwoPass):
        def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.02)
            with lock:
                now -= 1
            return super().put(name, *arguments, **options)

    split(EXPORT, Counts(), request(size=RowCount(1), jobs=3))
    assert most == 3


class Stops(TwoPass):
    """Lets some chunks through, and then something happens that ends the split."""

    def __init__(self, store: MemoryStore, error: BaseException, *, after: int) -> None:
        super().__init__(store)
        self.error, self.left, self.puts = error, after, 0
        self._lock = threading.Lock()

    def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:
        with self._lock:
            self.puts += 1
            self.left -= 1
            if self.left < 0:
                raise self.error
        return super().put(name, *arguments, **options)


@pytest.mark.parametrize(
    "error",
    [SourceChangedError("acme.csv changed"), StoppedError(2), RuntimeError("a bug"), KeyboardInterrupt()],
    ids=["changed", "stopped", "bug", "interrupt"],
)
def test_what_makes_all_chunks_wrong_stops_all(error: BaseException) -> None:
    """It comes out as it is, no further chunk is begun, no chunk is called failed, and there is no manifest."""
    store, heard = MemoryStore(), Listens()
    sink = Stops(store, error, after=3)
    with pytest.raises(type(error)) as raised:
        split(b"id\n" + b"1\n" * 200, sink, request(size=RowCount(1), jobs=2), observer=heard)
    assert raised.value is error
    assert sink.puts <= 6
    assert heard.warnings == []
    assert MANIFEST not in store.objects
    assert store.unfinished == {}


def test_a_signal_in_the_main_thread_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks under way end with the sink, silently; what is stored stays, and the next run takes it up."""
    store, heard, begun = MemoryStore(), Listens(), threading.Event()

    class Hangs(TwoPass):
        def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:
            if name == NAMES[0]:
                return super().put(name, *arguments, **options)
            begun.set()
            while self.alive:
                time.sleep(0.005)
            raise StoreError(f"storing {name} failed: the sink is closed")

    def interrupted(*_: object, **__: object) -> None:
        assert begun.wait(20)
        raise StoppedError(15)

    monkeypatch.setattr("splitjoin_cli.core.parallel.wait", _raises_once(interrupted))
    with pytest.raises(StoppedError):
        split(EXPORT, Hangs(store), request(jobs=2), observer=heard)
    assert heard.warnings == []
    assert sorted(store.objects) == [NAMES[0], PLAN]
    monkeypatch.undo()
    assert split(EXPORT, TwoPass(store)).progress.count(ChunkState.SKIPPED) == 1


def _raises_once(action: Callable[..., None]) -> Callable[..., object]:
    calls = 0

    def call(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            action()
        return wait(*arguments, **options)  # type: ignore[arg-type]  # passed on as they are

    return call


class Rewritten:
    """A seekable source that another process overwrites after some reads; it is noticed when somebody asks."""

    def __init__(self, data: bytes, changed: bytes, reads: int) -> None:
        self.inner, self.data, self.changed, self.left = MemorySource(data), data, changed, reads
        self._lock = threading.Lock()

    @property
    def properties(self) -> SourceProperties:
        return self.inner.properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- Source's
        with self._lock:
            self.left -= 1
            now = self.data if self.left >= 0 else self.changed
        part = now[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def stream(self, came: Moved | None = None) -> PositionedStream:
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        if self.left < 0:
            raise SourceChangedError("acme.csv changed while it was read")

    def close(self) -> None:
        self.inner.close()


def failure(source: Source, sink: MemorySink, compress: str | None) -> SplitjoinError | None:
    """What a split of it raises, if anything."""
    try:
        split(source, sink, request(compress=compress, jobs=1))
    except SplitjoinError as exc:
        return exc
    return None


CHANGES = [
    EXPORT.replace(b"name 7", b"nom  7"),
    EXPORT[:-30],
    EXPORT.replace(b"\n", b";"),
    b"",
]


@pytest.mark.parametrize("changed", CHANGES, ids=["a value", "truncated", "line ends", "emptied"])
@pytest.mark.parametrize("layered", [False, True], ids=["seekable", "stream"])
@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("kind", [MemorySink, TwoPass])
def test_a_source_that_changes_while_it_is_read_is_never_a_whole_split(
    changed: bytes,
    layered: bool,  # noqa: FBT001 -- a parameter
    compress: str | None,
    kind: type[MemorySink],
) -> None:
    """After any of its reads: either all was read before, and the split is of what was there, or it is an error."""
    staged = kind is MemorySink and compress is None
    whole, reads = MemoryStore(), 0
    split(stream_of(EXPORT) if layered else EXPORT, kind(whole), request(compress=compress))
    while True:
        source, store = Rewritten(EXPORT, changed, reads), MemoryStore()
        opened = StreamSource(source, lambda stream: stream) if layered else source
        with blocks_of(40):
            error = failure(opened, kind(store), compress)
        if error is not None:
            assert error.exit_code in (1, 4), error
            assert MANIFEST not in store.objects
            assert store.unfinished == {}
            assert not staged or store.objects == {}
            assert all(name == PLAN or whole.objects[name].data == held.data for name, held in store.objects.items())
            reads += 1
            continue
        assert chunks(store) == chunks(whole)
        break
    assert reads >= 3


def test_a_chunk_that_the_store_garbled_is_no_changed_source() -> None:
    """The source says that it is the same: only that chunk failed."""

    class Garbles(TwoPass):
        def put(self, name: str, *arguments: Any, **options: Any) -> StoredObject:
            if name == NAMES[2]:
                raise CorruptObjectError(f"{name}: other bytes arrived")
            return super().put(name, *arguments, **options)

    result = split(EXPORT, Garbles())
    assert result.progress.errors == {3: f"{NAMES[2]}: other bytes arrived"}


def test_a_source_that_ends_inside_a_chunk_is_a_changed_one() -> None:
    """Where it ended, and what to do."""
    body = ChunkBody(b"id\n", Shorter(b"1\n2\n"), ByteRange(0, 10))
    with pytest.raises(SourceChangedError) as error:
        body.read_at(0, memoryview(bytearray(13)))
    assert error.value.message == "memory:source.csv ended at byte 4, inside a chunk of the plan"
    assert error.value.hint == "split it when nothing writes to it any more"


class Shorter(Rewritten):
    """Ends early, and nobody can tell why."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, data, 1000)
