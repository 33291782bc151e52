"""Chunks written side by side from guesses: exact whether those are right or wrong, and nothing stays of wrong ones."""

from __future__ import annotations

import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadInputError, SourceChangedError, StoreError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import guesses, ranged
from splitjoin_cli.splitting.cuts import BySize, Mark
from splitjoin_cli.splitting.plan import PlanBuilder
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize
from splitjoin_cli.splitting.scan import ScanOptions
from splitjoin_cli.splitting.speculate import Speculation
from splitjoin_cli.splitting.staging import StagedChunks
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStaged, MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.laws import examples
from tests.splitting.csvs import BOM, ForwardOnly
from tests.splitting.exports import Export
from tests.splitting.runs import blocks_of, chunks, objects, request, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from splitjoin_cli.core.progress import Observer
    from splitjoin_cli.splitting.request import Size
    from splitjoin_cli.stores.sources.base import Source

HEADER = b"id,name\n"
RECORDS = [b'%d,"na\nme %d"\n' % (number, number) for number in range(300)]
EXPORT = HEADER + b"".join(RECORDS)


@pytest.fixture
def adopted() -> Iterator[list[int]]:
    """How many chunks each split of the test got from guesses. Fails where nothing is compiled: nothing is guessed."""
    assert kernel() is not None
    counts: list[int] = []
    run = Speculation.run

    def counted(self: Speculation, executor: ThreadPoolExecutor) -> bytes:
        header = run(self, executor)
        counts.append(len(self._staging))
        return header

    with mock.patch.object(Speculation, "run", counted):
        yield counts


class Done(Silent):
    """Adds up the bytes that a split says are done."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.size = 0

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- Observer's
        if name == "splitting":  # a number of chunks may take two passes
            self.size = 0

    def advance(self, size: int) -> None:
        with self.lock:
            self.size += size


def outcome_of(
    data: bytes | Source,
    options: dict[str, Any],
    *,
    block_bytes: int,
    store: MemoryStore | None = None,
    observer: Observer | None = None,
) -> object:
    """The objects of a split, or what it says is wrong. With blocks of the whole export nothing is guessed."""
    store = store or MemoryStore()
    try:
        with blocks_of(block_bytes):
            split(data, MemorySink(store), request(**options), observer=observer)
    except BadInputError as exc:
        return exc.message
    return objects(store)


def in_order(data: bytes, size: Size, **options: Any) -> object:  # noqa: ANN401 -- any of SplitRequest's
    """What the scan in order makes of it."""
    return outcome_of(data, {"size": size, **options}, block_bytes=100_000)


@st.composite
def long_exports(draw: st.DrawFn) -> Export:
    """Tens of records; some fields are long and quoted, with what looks like records in them, or without any quote."""
    dialect = Dialect(
        quotechar=draw(st.sampled_from(['"', None])),
        escapechar=draw(st.sampled_from([None, "\\"])),
        header=draw(st.booleans()),
    )
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    texts = [b"x", b"abc", b"", b"1234567890123"]
    if dialect.quotechar:
        texts += [b'"a, b"', b'"a\nb"', b'"c""d"', b'"' + b"1,2\n" * 30 + b'"', b'"' + b'"","\n' * 10 + b'"']
    if dialect.escapechar:
        texts += [b"a\\,b", b"\\\\"]
    fields = st.sampled_from(texts)
    records = draw(st.lists(st.lists(fields, min_size=2, max_size=3).map(b",".join), min_size=15, max_size=60))
    lines = [b"a,b" + end, *(record + end for record in records)]
    if draw(st.booleans()) and lines[-1] != end:
        lines[-1] = lines[-1].removesuffix(end)
    if draw(st.booleans()):
        lines[0] = BOM + lines[0]
    return Export(tuple(lines), dialect)


@examples(150)
@given(
    export=long_exports(),
    size=st.one_of(st.builds(ChunkSize, st.integers(40, 300)), st.builds(ChunkCount, st.integers(2, 9))),
    block_bytes=st.sampled_from([16, 33, 64]),
    look=st.sampled_from([4, 16, 100]),
    jobs=st.integers(1, 3),
    strict=st.booleans(),
)
def test_guesses_change_nothing(
    *, export: Export, size: Size, block_bytes: int, look: int, jobs: int, strict: bool
) -> None:
    """The same objects, byte for byte, or the same error, as from a scan in order; progress adds up; nothing stays."""
    done = Done()
    options: dict[str, Any] = {"size": size, "jobs": jobs, "dialect": export.dialect, "strict": strict}
    wanted, store = outcome_of(export.data, options, block_bytes=100_000), MemoryStore()
    with mock.patch.object(guesses, "FIRST_LOOK", look):
        assert outcome_of(export.data, options, block_bytes=block_bytes, store=store, observer=done) == wanted
    assert isinstance(wanted, str) or done.size == len(export.data)
    assert store.unfinished == {}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("size", [ChunkSize(300), ChunkCount(20)], ids=["size", "count"])
@pytest.mark.parametrize("header", [True, False])
def test_ordinary_files_are_split_by_guesses(
    adopted: list[int],
    size: Size,
    jobs: int,
    header: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """All but the last chunks, which are fewer than threads and one that may be short."""
    store, dialect = MemoryStore(), Dialect(header=header)
    with blocks_of(64):
        split(EXPORT, MemorySink(store), request(size=size, jobs=jobs, dialect=dialect))
    total = len(chunks(store))
    assert total > 15
    assert total - jobs <= adopted[0] < total
    assert adopted[0] % jobs == 0
    assert objects(store) == in_order(EXPORT, size, dialect=dialect)


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        (EXPORT, {"size": ChunkSize(100)}, "chunks of less than two blocks"),
        (EXPORT[:250], {"size": ChunkSize(200)}, "fewer chunks than threads"),
        (b"h" * 40 + EXPORT, {"size": ChunkSize(300)}, "a header of more than half a block"),
        (
            EXPORT,
            {"size": ChunkSize(300), "dialect": Dialect(stray_quote="literal")},
            "quotes mean nothing for certain",
        ),
        (BOM + EXPORT, {"size": ChunkSize(300), "dialect": Dialect(header=False)}, "a mark in the first chunk"),
        (b'id,"' + EXPORT, {"size": ChunkSize(300)}, "a header that does not end in the first block"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_for_guesses_is_split_in_order(
    adopted: list[int], data: bytes, options: dict[str, Any], why: str
) -> None:
    """With the same outcome."""
    wanted, store = outcome_of(data, options, block_bytes=100_000), MemoryStore()
    adopted.clear()
    assert outcome_of(data, options, block_bytes=64, store=store) == wanted, why
    assert adopted in ([0], [])
    assert store.unfinished == {}


def test_a_source_that_cannot_seek_is_split_in_order(adopted: list[int]) -> None:
    """There is nothing to look at ahead."""
    store = MemoryStore()
    with blocks_of(64):
        split(ForwardOnly(EXPORT), MemorySink(store), request(size=ChunkSize(300)))
    assert adopted == [0]
    assert b"".join(chunk.removeprefix(HEADER) for chunk in chunks(store).values()) == EXPORT[len(HEADER) :]


@pytest.mark.parametrize("jobs", [1, 2])
def test_after_a_wrong_guess_the_scan_in_order_goes_on(
    adopted: list[int], jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quoted field that looks like records for longer than any look: the chunks before it stay as they are."""
    monkeypatch.setattr(guesses, "FIRST_LOOK", 2)
    data = HEADER + b"".join(RECORDS[:150]) + b'7,"' + b"1,2\n" * 200 + b'"\n' + b"".join(RECORDS)
    store = MemoryStore()
    with blocks_of(64):
        split(data, MemorySink(store), request(size=ChunkSize(300), jobs=jobs))
    assert objects(store) == in_order(data, ChunkSize(300))
    assert store.unfinished == {}
    assert 4 <= adopted[0] <= len(b"".join(RECORDS[:150])) // 270


def test_two_readings_of_a_look_make_it_longer(adopted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bytes before the limit are lawful outside quotes and inside, those before them decide."""
    monkeypatch.setattr(guesses, "FIRST_LOOK", 6)
    data = HEADER + b'"a\n","\nb"\n' * 400
    store = MemoryStore()
    with blocks_of(64):
        split(data, MemorySink(store), request(size=ChunkSize(300)))
    assert objects(store) == in_order(data, ChunkSize(300))
    assert adopted[0] >= len(chunks(store)) - 2


def test_bad_input_is_named_by_the_scan_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    """The first bad byte, of two, though a thread met the second one first."""
    bad = b'8,na"me\n'
    data = HEADER + b"".join([*RECORDS[:150], bad, *RECORDS[:50], bad, *RECORDS])
    at = data.index(b'na"me') + 2
    with blocks_of(64), pytest.raises(BadInputError) as error:
        split(data, DirectorySink(tmp_path / "out"), request(size=ChunkSize(300)))
    assert f"(byte {at}): a quote inside a field" in error.value.message
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("room", [0, 1, 5, 17, 40])
def test_a_full_disk_leaves_nothing(room: int) -> None:
    """At whatever write of whichever thread it fills up."""
    lock, left = threading.Lock(), room

    class Full(MemorySink):
        def stage(self, name_prefix: str, number: int) -> MemoryStaged:
            staged = super().stage(name_prefix, number)
            write = staged.write_at

            def fills_up(offset: int, data: bytes) -> None:
                nonlocal left
                with lock:
                    left -= 1
                    if left < 0:
                        raise StoreError("no space left", hint="free some") from OSError(errno.ENOSPC, "full")
                write(offset, data)

            staged.write_at = fills_up  # type: ignore[assignment,method-assign]
            return staged

    store = MemoryStore()
    with blocks_of(64), pytest.raises(StoreError, match="no space left"):
        split(EXPORT, Full(store), request(size=ChunkSize(300)))
    assert objects(store) == {}
    assert store.unfinished == {}


def test_a_source_that_shrinks_is_a_changed_one() -> None:
    """Not a shorter last chunk."""
    source = MemorySource(EXPORT)

    def shrunk(offset: int, buffer: memoryview, _: object = None) -> int:
        return source.read_at(offset, buffer[: max(3000 - offset, 0)])

    shrinks = mock.Mock(spec=source, wraps=source, properties=source.properties, read_at=shrunk)
    store = MemoryStore()
    with blocks_of(64), pytest.raises(SourceChangedError) as error:
        split(shrinks, MemorySink(store), request(size=ChunkSize(300)))
    assert error.value.message.endswith(f"ended at byte 3000, it had {len(EXPORT)} bytes when it was opened")
    assert objects(store) == {}
    assert store.unfinished == {}


def test_an_interruption_stops_the_threads_and_leaves_nothing() -> None:
    """A signal reaches the caller's thread, which waits for the others; they stop at their next block."""
    blocks, store = 0, MemoryStore()

    class Slow(Silent):
        def advance(self, size: int) -> None:
            nonlocal blocks
            blocks += size > 0
            time.sleep(0.01)

    class StopNowError(Exception):
        pass

    class Interrupts:
        """An executor whose caller is interrupted while it waits."""

        def __init__(self, pool: ThreadPoolExecutor) -> None:
            self.pool = pool

        def submit(self, call: Callable[[], None]) -> Future[None]:
            future = self.pool.submit(call)

            def result() -> None:
                raise StopNowError

            future.result = result  # type: ignore[method-assign,assignment]
            return future

    staging = StagedChunks(MemorySink(store), "acme_20240131-")
    builder = PlanBuilder(BySize(300), header=True, start=Mark(0, 0, 0, 0))
    options = ScanOptions(Alphabet.of(Dialect()), 2, block_bytes=64)
    speculation = Speculation(MemorySource(EXPORT), builder, staging, options, Slow())
    with ThreadPoolExecutor(2) as pool, pytest.raises(StopNowError):
        speculation.run(Interrupts(pool))  # type: ignore[arg-type]  # what is used of one
    staging.discard()
    assert blocks < len(EXPORT) // 64
    assert store.unfinished == {}


@pytest.mark.parametrize("size", [ChunkSize(4000), ChunkSize(300)], ids=["within chunks", "alone in chunks"])
def test_records_that_loaders_refuse_are_one_warning(adopted: list[int], size: Size) -> None:
    """Their number and the first one's line, wherever they are found: in guessed chunks, and in the scan in order."""
    ordinary = b"".join(RECORDS)
    large = b'7,"' + b"x\n" * 400 + b'"\n'
    export = HEADER + ordinary + large + ordinary * 2 + large + ordinary
    store = MemoryStore()
    with blocks_of(256), mock.patch.object(ranged, "LARGE_RECORD_BYTES", 512):
        result = split(export, MemorySink(store), request(size=size))
    said = "2 records are larger than 256MiB (the first is at line 602)"
    [found] = [warning for warning in result.plan.warnings if "256MiB" in warning]
    assert found.startswith(said)
    assert (adopted != [0]) == (size == ChunkSize(4000))
