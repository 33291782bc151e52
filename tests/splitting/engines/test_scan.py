"""Sources scanned on an engine: what workers see of them, what is mended, and what is left to threads here."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes.buffers import new_buffer
from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.model import ByteRange, Dialect, Skip
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import guesses
from splitjoin_cli.splitting.engines import scan as engine_scan
from splitjoin_cli.splitting.engines import spans
from splitjoin_cli.splitting.engines.ahead import LookAhead, looks_at_once
from splitjoin_cli.splitting.engines.base import ScanUnit
from splitjoin_cli.splitting.engines.place import Place
from splitjoin_cli.splitting.engines.specs import HeaderSpec, Reach, SourceSpec
from splitjoin_cli.splitting.engines.unit import run_unit
from splitjoin_cli.splitting.engines.wire import release, unit_of
from splitjoin_cli.splitting.engines.words import CLUSTER
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.stores.sinks.memory import MemoryStore
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.laws import examples
from tests.splitting.engines.rigs import in_process, split_on, split_on_threads
from tests.splitting.exports import Export
from tests.splitting.runs import request
from tests.splitting.test_speculate import long_exports

if TYPE_CHECKING:
    from splitjoin_cli.core.model import StrayQuote
    from splitjoin_cli.splitting.engines.in_process import InProcess
    from splitjoin_cli.splitting.request import Size

HEADER = b"id,name\n"
RECORDS = [b'%d,"na\nme %d"\n' % (number, number) for number in range(300)]
EXPORT = HEADER + b"".join(RECORDS)
GIANT = b'7,"' + b"1,2\n" * 60 + b'"\n'


class Listens:
    """An engine that keeps the units that it is given."""

    def __init__(self, inner: InProcess) -> None:
        self.inner, self.name, self.words, self.in_flight = inner, inner.name, inner.words, inner.in_flight
        self.lost_work = False
        self.scans: list[ScanUnit] = []

    def submit(self, unit: str) -> Future[str]:
        found = unit_of(unit)
        if isinstance(found, ScanUnit):
            self.scans.append(found)
        return self.inner.submit(unit)

    def cancel(self, future: Future[str]) -> None:
        self.inner.cancel(future)

    def close(self) -> None:
        self.inner.close()


class Shuffles:
    """An engine that answers four units in any order, once it has them, or one when nothing more comes."""

    name, words, in_flight, lost_work = "shuffles", CLUSTER, 4, False

    def __init__(self, inner: InProcess, seed: int) -> None:
        self.inner, self.random = inner, random.Random(seed)
        self.held: list[tuple[Future[str], Future[str]]] = []
        self.lock = threading.Lock()

    def submit(self, unit: str) -> Future[str]:
        outer: Future[str] = Future()
        inner = self.inner.submit(unit)
        with self.lock:
            self.held.append((inner, outer))
        inner.add_done_callback(lambda _: self.let_one_go())
        return outer

    def let_one_go(self) -> None:
        with self.lock:
            inner, outer = self.held.pop(self.random.randrange(len(self.held)))
        inner.add_done_callback(lambda done: outer.set_result(done.result()))

    def cancel(self, future: Future[str]) -> None:
        pass

    def close(self) -> None:
        self.inner.close()


class Hears(Silent):
    """What is told: warnings, and bytes by phase, which begins anew where a file is scanned once more."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.moved: dict[str, int] = {}
        self.name, self.lock = "", threading.Lock()

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- Observer's
        with self.lock:
            self.name, self.moved[name] = name, 0

    def advance(self, size: int) -> None:
        with self.lock:
            self.moved[self.name] += size

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def scanned(data: bytes, hears: Hears | None = None, **options: Any) -> list[tuple[int, int]]:  # noqa: ANN401 -- SplitRequest's
    """The ranges that workers scanned; the objects are those of threads."""
    store = MemoryStore()
    with in_process(data, store) as inner:
        engine = Listens(inner)
        found = split_on(data, store, request(**options), engine=engine, observer=hears)
    assert found == split_on_threads(data, **options)
    return [(unit.range.start, unit.range.end) for unit in engine.scans]


@pytest.mark.parametrize("size", [ChunkSize(300), ChunkCount(9)], ids=["size", "count"])
@pytest.mark.parametrize("end", [b"", b"last,one"], ids=["ended", "unended"])
def test_workers_scan_all_but_the_header_and_an_unended_record(size: object, end: bytes) -> None:
    """Each byte once, the last chunk's too; progress counts each once."""
    hears = Hears()
    ranges = scanned(EXPORT + end, hears, size=size)
    assert ranges[0][0] == len(HEADER)
    assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
    assert ranges[-1][1] == len(EXPORT)
    assert (hears.moved["scanning"], hears.warnings) == (len(EXPORT + end), [])


@pytest.mark.parametrize(
    "size",
    [RowCount(7), ChunkSize(25), ChunkSize(9), ChunkCount(200), ChunkCount(290)],
    ids=["rows", "small", "tiny", "count", "few"],
)
@pytest.mark.parametrize("end", [b"", b"last,one"], ids=["ended", "unended"])
@pytest.mark.parametrize("header", [True, False])
def test_workers_scan_and_cut_spans(size: object, end: bytes, *, header: bool) -> None:
    """Of small chunks, and chunks of rows: each byte once more to cut it, and none here but an unended record."""
    hears = Hears()
    with mock.patch.object(spans, "SPAN_BLOCKS", 20):
        ranges = scanned(EXPORT + end, hears, size=size, dialect=Dialect(header=header))
    if size == ChunkCount(290):  # of so few records the number is needed first
        ranges, again = ranges[: len(ranges) // 2], ranges[len(ranges) // 2 :]
        assert again == ranges
    assert ranges[0][0] == (len(HEADER) if header else 0)
    assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
    assert ranges[-1][1] == len(EXPORT)
    assert len(ranges) < 20
    assert hears.moved["scanning"] == len(EXPORT + end)
    assert not [warning for warning in hears.warnings if "by workers" in warning]


@pytest.mark.parametrize("size", [ChunkSize(300), ChunkSize(40), RowCount(7), ChunkCount(9), ChunkCount(100)])
def test_workers_scan_lines_that_are_no_records(size: object) -> None:
    """And count them; blank lines at the end are in no chunk, and are scanned here, as what is in none."""
    hears = Hears()
    odd = b"\n \t\n" + HEADER
    data = HEADER + odd.join([b"", *RECORDS[:20], b"".join(RECORDS)]) + b"\n\n"
    dialect = Dialect(skip_blank_lines=True, skip_repeated_headers=True)
    with mock.patch.object(spans, "SPAN_BLOCKS", 20):
        ranges = scanned(data, hears, size=size, dialect=dialect)
    assert (ranges[0][0], ranges[-1][1]) == (len(HEADER), len(data) - 2)
    assert hears.moved["scanning"] == len(data)
    assert not [warning for warning in hears.warnings if "by workers" in warning]


DIRTY = [b'1,5" disk\n', b'2,"5" disk"\n', b'3,"x"y\n', b'4,"""\n', b'5,"1\n2"\n']
"""A reading that begins in the wrong state is soon the right one: at a quote between a delimiter and data."""


@pytest.mark.parametrize("stray", ["literal", "mysql"])
@pytest.mark.parametrize("size", [ChunkSize(300), ChunkSize(40), RowCount(7), ChunkCount(9)])
def test_workers_scan_where_a_stray_quote_is_data(stray: StrayQuote, size: object) -> None:
    """And guesses are right, for looks of some records."""
    hears = Hears()
    data = HEADER + b"".join(record + DIRTY[number % 5] for number, record in enumerate(RECORDS))
    with mock.patch.object(spans, "SPAN_BLOCKS", 20), mock.patch.object(guesses, "FIRST_LOOK", 128):
        ranges = scanned(data, hears, size=size, dialect=Dialect(stray_quote=stray))
    assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
    assert (ranges[0][0], ranges[-1][1]) == (len(HEADER), len(data))
    assert hears.moved["scanning"] == len(data)
    assert not [warning for warning in hears.warnings if "by workers" in warning]


@pytest.mark.parametrize("what", ["courses.MOST_CUTS", "unit.MOST_ENDS"])
def test_chunks_of_which_more_are_to_be_told_than_is_worth_it(what: str) -> None:
    """They are scanned here, as if nothing had been tried."""
    hears, options = Hears(), {"size": RowCount(1) if "CUTS" in what else ChunkSize(20)}
    with mock.patch(f"splitjoin_cli.splitting.engines.{what}", 5):
        found = split_on(EXPORT, MemoryStore(), request(**options), observer=hears)
    assert found == split_on_threads(EXPORT, **options)
    said = "bytes are scanned here, and not by workers: chunks are very small"
    assert f"{len(EXPORT) - len(HEADER)} {said}" in hears.warnings
    assert hears.moved["scanning"] == len(EXPORT)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("size", "once"), [(64, True), (63, False)])
def test_chunks_of_two_blocks_are_scanned_once(size: int, *, once: bool, header: bool) -> None:
    """Their size has the header in it, as --chunk-size 8MiB has: what is smaller is read once more, to cut it."""
    store = MemoryStore()
    with in_process(EXPORT, store) as inner:
        engine = Listens(inner)
        split_on(
            EXPORT, store, request(size=ChunkSize(size), dialect=Dialect(header=header)), engine=engine, block_bytes=32
        )
    assert {scan.capacity is None for scan in engine.scans} == {once}


def test_a_source_that_changes_before_it_is_cut_is_another_one() -> None:
    """Though no validator tells: what is cut must be what was scanned."""
    store, seen = MemoryStore(), list[str]()

    class Changes(Listens):
        def submit(self, unit: str) -> Future[str]:
            seen.append(json.loads(unit)["unit"])
            answer = super().submit(unit).result()
            fields = json.loads(answer)
            if fields["answer"] == "Pieces":
                fields["crc"] ^= 1
            changed: Future[str] = Future()
            changed.set_result(json.dumps(fields))
            return changed

    with in_process(EXPORT, store) as inner:
        found = split_on(EXPORT, store, request(size=RowCount(20)), engine=Changes(inner))
    assert found == ("SourceChangedError", "memory:source.csv changed while it was scanned")
    assert {"scan", "cut"} <= set(seen)


def test_what_is_left_out_moves_the_places() -> None:
    """Workers read the whole source; the window on it is only here."""
    data = b"made by hand\n" + EXPORT + b"300 rows\n"
    ranges = scanned(data, size=ChunkSize(300), skip=Skip(lines=1, trailer=1))
    assert ranges[0][0] == len(b"made by hand\n" + HEADER)
    assert ranges[-1][1] == len(data) - len(b"300 rows\n")


@pytest.mark.parametrize("mends", [16, 10])
def test_a_wrong_guess_is_mended_by_a_worker(monkeypatch: pytest.MonkeyPatch, mends: int) -> None:
    """A field that looks like records, longer than any look: it costs a few ranges, and guesses go on behind it.

    More of them are mended where more chunks were right.
    """
    monkeypatch.setattr(guesses, "FIRST_LOOK", 2)
    monkeypatch.setattr(engine_scan, "MENDS", mends)
    hears = Hears()
    data = HEADER + b"".join([*RECORDS[:100], GIANT, *RECORDS[100:200], GIANT, *RECORDS])
    ranges = scanned(data, hears, size=ChunkSize(400))
    assert hears.warnings == []
    assert hears.moved["scanning"] == len(data)
    assert len(ranges) > len(data) // 400 + 3
    assert ranges[-1][1] == len(data)


FEW_RECORDS = Export((b"a,b\n", *[b"x,x\n"] * 14, b'x,"' + b"1,2\n" * 30 + b'"\n'), Dialect(",", header=False))
"""Three chunks of them need their number first: the file is scanned twice."""


@examples(60)
@example(export=FEW_RECORDS, size=ChunkCount(3), block_bytes=16, look=2, seed=0)
@given(
    export=long_exports(),
    size=st.one_of(
        st.builds(ChunkSize, st.integers(1, 300)),
        st.builds(ChunkCount, st.integers(2, 40)),
        st.builds(RowCount, st.integers(1, 30)),
    ),
    block_bytes=st.sampled_from([16, 33]),
    look=st.sampled_from([2, 4, 16]),
    seed=st.integers(0, 1 << 16),
)
def test_wrong_guesses_change_nothing(*, export: Export, size: Size, block_bytes: int, look: int, seed: int) -> None:
    """However many there are, and in whatever order their answers come."""
    hears, store = Hears(), MemoryStore()
    asked: dict[str, Any] = {"size": size, "dialect": export.dialect}
    wanted = split_on_threads(export.data, **asked)
    looks, spanning = mock.patch.object(guesses, "FIRST_LOOK", look), mock.patch.object(spans, "SPAN_BLOCKS", 3)
    with looks, spanning, in_process(export.data, store) as inner:
        engine = Shuffles(inner, seed)
        found = split_on(export.data, store, request(**asked), engine=engine, observer=hears, block_bytes=block_bytes)
    assert found == wanted
    assert isinstance(wanted, tuple) or hears.moved["scanning"] == len(export.data)


def test_a_header_that_is_not_ordinary_is_scanned_here() -> None:
    """As where it takes most of a block."""
    hears = Hears()
    assert scanned(b"h" * 40 + EXPORT, hears, size=ChunkSize(300)) == []
    said = "the header is long, or breaks a rule"
    assert hears.warnings == [f"{len(EXPORT) + 40} bytes are scanned here, and not by workers: {said}"]


def test_units_on_many_threads_share_no_scanner() -> None:
    """The same units side by side and one after the other: a lane that two had would give wrong rows, and be proved."""
    data = HEADER + b"".join(RECORDS) * 40
    place = Place(lambda _: MemorySource(data))
    spec = SourceSpec("memory", MemorySource(data).properties.validator, len(data), Reach())
    alphabet = Alphabet.of(Dialect())
    ends = [end + 1 for end, byte in enumerate(data) if data[end - 1 : end + 1] == b'"\n' and byte]
    header = HeaderSpec(0, len(HEADER), crc64(HEADER))
    units = [
        ScanUnit(release(), spec, number, ByteRange(start, end), alphabet, 1, True, b"", "utf-8", header)  # noqa: FBT003
        for number, (start, end) in enumerate(zip([len(HEADER), *ends[499::500]], ends[499::500], strict=False))
    ]
    one_by_one = [run_unit(unit, place) for unit in units]
    with (
        mock.patch("splitjoin_cli.splitting.engines.unit.best_block_bytes", return_value=256),
        ThreadPoolExecutor(8) as pool,
    ):
        assert list(pool.map(run_unit, units * 4, [place] * len(units) * 4)) == one_by_one * 4


def test_a_thread_keeps_its_buffer_from_unit_to_unit() -> None:
    """But not from one dialect to the next, and no other thread gets it."""
    place = Place(lambda _: MemorySource(EXPORT))
    spec = SourceSpec("memory", MemorySource(EXPORT).properties.validator, len(EXPORT), Reach())
    body = ByteRange(len(HEADER), len(EXPORT))

    def units(*delimiters: str) -> None:
        for delimiter in delimiters:
            alphabet = Alphabet.of(Dialect(delimiter=delimiter))
            run_unit(ScanUnit(release(), spec, 1, body, alphabet, 1, False, b"", None, None), place)  # noqa: FBT003

    with mock.patch("splitjoin_cli.splitting.engines.unit.new_buffer", side_effect=new_buffer) as made:
        for delimiters, buffers in ((",,,", 1), (",,", 1), (",;;,", 3)):
            with ThreadPoolExecutor(1) as thread:
                thread.submit(units, *delimiters).result()
            assert made.call_count == buffers
            made.reset_mock()


def test_looks_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess finds what it looks at: nothing is read for it again."""
    monkeypatch.setattr(guesses, "FIRST_LOOK", 16)
    reads: list[tuple[int, int]] = []
    source = MemorySource(EXPORT)

    def read_at(offset: int, buffer: memoryview, _: object = None) -> int:
        reads.append((offset, len(buffer)))
        return source.read_at(offset, buffer)

    with ThreadPoolExecutor(2) as pool:
        ahead = LookAhead(mock.Mock(read_at=read_at), pool, lambda start, _: start + 300, len(EXPORT))
        for number in range(1, 10):
            limit = 8 + 299 * number
            ahead.expect(number, limit)
            buffer = bytearray(16)
            assert ahead.read_at(limit - 16, memoryview(buffer)) == 16
            assert bytes(buffer) == EXPORT[limit - 16 : limit]
        ahead.close()
    assert [read for read in reads if read[1] == 16] == []


def test_where_ends_drift_off_looks_follow_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What chunks leave of their limits adds up; its mean is expected, and what no mean tells is read when needed."""
    monkeypatch.setattr(guesses, "FIRST_LOOK", 64)
    source, draw = MemorySource(EXPORT), random.Random(1)
    left = [36 + draw.randrange(8) for _ in range(25)] + [90] + [40] * 5
    with ThreadPoolExecutor(2) as pool:
        ahead = LookAhead(source, pool, lambda start, _: start + 130, len(EXPORT), 6)
        start, unforeseen = len(HEADER), list[int]()
        for number, less in enumerate(left, 1):
            limit, before = start + 130, ahead.unforeseen
            ahead.expect(number, limit)
            buffer = bytearray(64)
            assert ahead.read_at(limit - 64, memoryview(buffer)) == 64
            assert bytes(buffer) == EXPORT[limit - 64 : limit]
            start = limit - less
            unforeseen += [number] if ahead.unforeseen > before else []
        ahead.close()
    assert unforeseen == [2, 3, 4, 5, 27, 28, 29, 30, 31]


def test_looks_are_as_many_as_an_engine_has_work_for() -> None:
    """Within bounds: each is a thread and a connection."""
    assert [looks_at_once(mock.Mock(in_flight=many)) for many in (4, 60, 400)] == [16, 60, 128]
