"""A scan of a whole source: the same for any threads and blocks, with messages that name the line and the byte."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import BadInputError, SourceChangedError, SourceError
from splitjoin_cli.core.model import BYTE_ORDER_MARK, Dialect
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import limits
from splitjoin_cli.splitting.cuts import ByRows, BySize, Mark
from splitjoin_cli.splitting.intake import Scanned
from splitjoin_cli.splitting.plan import PlanBuilder
from splitjoin_cli.splitting.records.lines import Skips
from splitjoin_cli.splitting.records.open import best_block_bytes
from splitjoin_cli.splitting.scan import Scan, ScanOptions
from splitjoin_cli.splitting.skipping import SkippingPlanBuilder
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.laws import examples
from tests.splitting.csvs import BOM, ForwardOnly, alphabet_of, dialects, dirty_files, records_of, valid_files
from tests.stores.sources.counted import CountedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from splitjoin_cli.core.progress import Moved
    from splitjoin_cli.splitting.cuts import CutRule
    from splitjoin_cli.splitting.intake import BlockConsumer
    from splitjoin_cli.stores.sources.base import Source

THREADS = 4
SPECTRUM = Path(__file__).parents[2] / ".cache" / "npm" / "node_modules" / "csv-spectrum" / "csvs"
STRAY_HINT = (
    "repair the source; or --on-stray-quote literal to take such quotes as data; "
    "or --quotechar none if quotes mean nothing in it; check --delimiter and --escapechar"
)
CLOSING_HINT = (
    "repair the source; or --on-stray-quote mysql, by which a quote closes only before a delimiter or the end of a "
    "line; or --quotechar none if quotes mean nothing in it; check --delimiter and --escapechar"
)
OPEN_HINT = (
    "the export may be cut short; or --on-stray-quote literal to split it as the csv module reads it, though no "
    "database loads that record; or --quotechar none if quotes mean nothing in it"
)
OPENING = "a quote inside a field that does not begin with one"
CLOSING = "a closing quote that is not followed by a delimiter or the record's end"
OPEN = "the quote that opens here is still open at the end of the file"
LONE = "a carriage return without a line feed; records end with LF or CR LF"


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    """Threads for all scans of this module."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def scanned(
    source: Source | bytes,
    executor: ThreadPoolExecutor,
    *,
    dialect: Dialect | None = None,
    literal: bool = False,
    strict: bool = False,
    rule: CutRule | None = None,
    threads: int = THREADS,
    block_bytes: int = 64,
    consumer: BlockConsumer | None = None,
    stripe: int = 0,
) -> tuple[PlanBuilder, Scanned]:
    """A scan, by default into chunks of ten records."""
    dialect = dialect or Dialect()
    source = MemorySource(source) if isinstance(source, bytes) else source
    builder = PlanBuilder(rule or ByRows(10), header=dialect.header, start=Mark(0, 0, 0, 0))
    options = ScanOptions(alphabet_of(dialect, literal=literal), threads, strict=strict, block_bytes=block_bytes)
    options = replace(options, stripe=stripe, rooms=2)
    return builder, Scan(source, builder, options, observer=Silent(), consumer=consumer).run(executor)


@pytest.mark.parametrize("stripe", [1, 4, 100])
@pytest.mark.parametrize("rule", [ByRows(10), BySize(300)])
def test_stripes_find_the_same_by_fewer_requests(executor: ThreadPoolExecutor, stripe: int, rule: CutRule) -> None:
    """Blocks are read by one request for a stripe, and taken in their order; a defect is the first one."""
    data = BYTE_ORDER_MARK + b"id,name\r\n" + b"".join(b'%d,"a\r\n""%d"\r\n' % (n, n) for n in range(400))
    source, dialect = CountedSource(data), Dialect()
    whole, found = scanned(data, executor, rule=rule, dialect=dialect)
    builder, striped = scanned(source, executor, rule=rule, dialect=dialect, stripe=stripe)
    assert [*builder.chunks] == [*whole.chunks]
    assert replace(striped, survey=found.survey) == found
    assert len(source.pinned.asked) == -(-len(data) // (64 * stripe))
    broken = data.replace(b"17,", b'1"7,').replace(b"390,", b'3"90,')
    messages = set()
    for opened, width in ((MemorySource(broken), 0), (CountedSource(broken), stripe)):
        with pytest.raises(BadInputError) as caught:
            scanned(opened, executor, rule=rule, stripe=width)
        messages.add(caught.value.message)
    assert len(messages) == 1


class KeepsBlocks:
    """A consumer that keeps what it hears, and copies each block when its write is called."""

    def __init__(self) -> None:
        self.bases: list[int] = []
        self.cuts: list[int] = []
        self.headers: list[bytes | None] = []
        self.written: dict[int, bytes] = {}
        self.ended = False

    def take(
        self, block: memoryview, base: int, cuts: Sequence[int], *, header: bytearray | None
    ) -> list[Callable[[], None]]:
        self.bases.append(base)
        self.cuts += cuts
        self.headers.append(None if header is None else bytes(header))

        def write() -> None:
            self.written[base] = bytes(block)

        return [write]

    def end(self, cuts: Sequence[int], *, header: bytes) -> None:
        self.cuts += cuts
        self.headers.append(header)
        self.ended = True


@examples(50)
@given(st.data(), dialects(), st.sampled_from([3, 7, 64, 1000]), st.integers(1, THREADS), st.integers(1, 90))
def test_a_scan_finds_what_the_csv_module_reads(
    executor: ThreadPoolExecutor, data: st.DataObject, dialect: Dialect, block_bytes: int, threads: int, size: int
) -> None:
    """L2 through threads, sources that seek or not, and byte order marks; and the plan does not depend on them."""
    content = data.draw(valid_files(dialect))
    records = records_of(content, dialect)
    source = MemorySource(content) if data.draw(st.booleans()) else ForwardOnly(content)
    consumer = KeepsBlocks()
    builder, found = scanned(
        source,
        executor,
        dialect=dialect,
        rule=BySize(size),
        threads=threads,
        block_bytes=block_bytes,
        consumer=consumer,
    )
    header = content[: records[0].end]
    assert (found.size, found.crc, found.rows) == (len(content), crc64(content), len(records) - 1)
    assert (found.header, found.header_lines) == (header, len(header.removesuffix(b"\n").split(b"\n")))
    other, again = scanned(content, executor, dialect=dialect, rule=BySize(size), threads=1, block_bytes=4096)
    assert again == found
    assert other.chunks == builder.chunks
    assert consumer.cuts == [chunk.range.end for chunk in builder.chunks]
    assert consumer.bases == list(range(0, len(content), block_bytes))
    assert b"".join(consumer.written[base] for base in consumer.bases) == content
    assert set(consumer.headers) <= {None, header}
    assert consumer.ended


@examples(50)
@given(st.data(), dialects(), st.sampled_from([3, 7, 64, 1000]))
def test_dirty_files_are_the_csv_modules_or_named(
    executor: ThreadPoolExecutor, data: st.DataObject, dialect: Dialect, block_bytes: int
) -> None:
    """Literal counts the csv module's records; otherwise the same error comes from any blocks and threads."""
    content = data.draw(dirty_files(dialect))
    if dialect.escapechar is None:
        _, found = scanned(content, executor, dialect=dialect, literal=True, block_bytes=block_bytes)
        assert found.rows == len(records_of(content, dialect)) - 1
    results: list[object] = []
    for threads, blocks in ((1, 4096), (THREADS, block_bytes)):
        try:
            results.append(scanned(content, executor, dialect=dialect, threads=threads, block_bytes=blocks)[1])
        except BadInputError as exc:
            results.append((exc.message, exc.hint))
    assert results[0] == results[1]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("block_bytes", [3, 5, 8, 64, 4096])
@pytest.mark.parametrize(
    ("data", "place", "what", "hint"),
    [
        (b'a,b\n1,x"y\n', "line 2 (byte 7)", OPENING, STRAY_HINT),
        (b'a,b\n1,"x"y\n', "line 2 (byte 8)", CLOSING, CLOSING_HINT),
        (b'a,b\n"1\n\n2","x" ,\n', "line 4 (byte 13)", CLOSING, CLOSING_HINT),
        (b'a,b\n1,x"y\n2,"z"w\n', "line 2 (byte 7)", OPENING, STRAY_HINT),
        (BOM + b'"a"b\n', "line 1 (byte 5)", CLOSING, CLOSING_HINT),
        (BOM + b'a"b\n', "line 1 (byte 4)", OPENING, STRAY_HINT),
        (b'a,b\n1,"x\n2,y\n', "line 2 (byte 6)", OPEN, OPEN_HINT),
        (b'a,b\n1,x\n2,"y""\n\n', "line 3 (byte 10)", OPEN, OPEN_HINT),
        (BOM + b'"a', "line 1 (byte 3)", OPEN, OPEN_HINT),
    ],
)  # fmt: skip
def test_a_stray_quote_is_named(
    executor: ThreadPoolExecutor,
    data: bytes,
    place: str,
    what: str,
    hint: str,
    block_bytes: int,
    streamed: bool,  # noqa: FBT001
) -> None:
    """The first one, by line and byte, in blocks of any size."""
    source = ForwardOnly(data, "memory:x") if streamed else MemorySource(data, "memory:x")
    with pytest.raises(BadInputError) as caught:
        scanned(source, executor, block_bytes=block_bytes)
    assert caught.value.message == f"memory:x, {place}: {what}"
    assert caught.value.hint == hint
    if isinstance(source, ForwardOnly):
        assert source.passes_open == 0


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize("block_bytes", [3, 5, 8, 64])
@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a,b\r1,2\r", "line 1 (byte 3)"),
        (b"a,b\n1,2\r3,4\n", "line 2 (byte 7)"),
        (b"a,b\n1,2\r\r\n", "line 2 (byte 7)"),
        (b"a,b\n1,2\r", "line 2 (byte 7)"),
        (b'a,b\n1,2\r"3",4\n', "line 2 (byte 7)"),
        (b'a,b\n"1\n",2\r', "line 3 (byte 10)"),
    ],
)
def test_a_lone_carriage_return_is_named(
    executor: ThreadPoolExecutor,
    data: bytes,
    place: str,
    block_bytes: int,
    literal: bool,  # noqa: FBT001
) -> None:
    """Whether stray quotes are errors or not: records would end where nobody sees it."""
    with pytest.raises(BadInputError) as caught:
        scanned(MemorySource(data, "memory:x"), executor, block_bytes=block_bytes, literal=literal)
    assert caught.value.message == f"memory:x, {place}: {LONE}"
    convert = "convert the line ends first, for example: tr '\\r' '\\n' < old.csv > new.csv"
    is_data = "if only LF ends the records and a carriage return is data: --line-end lf"
    assert caught.value.hint == (is_data if b"\n" in data else convert)


def test_a_quoted_carriage_return_is_data(executor: ThreadPoolExecutor) -> None:
    """As the csv module has it."""
    _, found = scanned(b'a,b\r\n"1\r2","\r\n"\r\n', executor, block_bytes=3)
    assert (found.rows, found.line_end) == (1, "\r\n")


@pytest.mark.parametrize("data", [b"", BOM])
@pytest.mark.parametrize("header", [False, True])
def test_an_empty_source_is_bad_input(executor: ThreadPoolExecutor, data: bytes, header: bool) -> None:  # noqa: FBT001
    """Hazard H8: it would be a job without a chunk."""
    with pytest.raises(BadInputError) as caught:
        scanned(MemorySource(data, "memory:x"), executor, dialect=Dialect(header=header))
    assert caught.value.message == "memory:x is empty; expected a header or a record"
    assert caught.value.hint == "check the export that should have written it"


@pytest.mark.parametrize(
    ("data", "line_end", "lines"),
    [
        (b"a,b", None, 1),
        (b"a,b\n", "\n", 1),
        (b"a,b\r\n1,2", "\r\n", 1),
        (b"a,b\r\n1,2\n", "mixed", 1),
        (b'"a\n\r\nc",b\n1,2\n', "\n", 3),
    ],
)
def test_line_ends_and_header_lines(
    executor: ThreadPoolExecutor, data: bytes, line_end: str | None, lines: int
) -> None:
    """As a loader must be told: LOAD DATA skips physical lines."""
    _, found = scanned(data, executor, block_bytes=3)
    assert (found.line_end, found.header_lines) == (line_end, lines)


@pytest.mark.parametrize(
    ("data", "line_end"),
    [
        (b"a,b\r\n\r\n1,2\r\na,b\r\n3,4", "\r\n"),
        (b"a,b\r\n\n1,2\r\n", "mixed"),
        (b"a,b\n\n1,2\n", "\n"),
    ],
)
def test_line_ends_are_those_of_skipped_lines_too(executor: ThreadPoolExecutor, data: bytes, line_end: str) -> None:
    """All of a file's lines end alike, or not: whether they are records is another question."""
    skips, alphabet = Skips(blanks=True, repeats=True, solid=False), alphabet_of(Dialect())
    builder = SkippingPlanBuilder(ByRows(10), alphabet=alphabet, skips=skips, header=True, start=Mark(0, 0, 0, 0))
    options = ScanOptions(alphabet, THREADS, block_bytes=3)
    found = Scan(MemorySource(data), builder, options, observer=Silent()).run(executor)
    assert found.line_end == line_end


def test_a_source_without_a_header(executor: ThreadPoolExecutor) -> None:
    """Its first record is a row, and there are no header's bytes."""
    builder, found = scanned(BOM + b"1,2\n3,4\n", executor, dialect=Dialect(header=False), block_bytes=3)
    assert found == Scanned(11, crc64(BOM + b"1,2\n3,4\n"), b"", "\n", 2, found.survey)
    assert found.header_lines == 0
    assert builder.header == Mark(0, 0, 0, 0)


@pytest.mark.parametrize("block_bytes", [3, 7, 64])
@pytest.mark.parametrize(
    ("data", "place", "fields"),
    [
        (b"a,b\n1,2\n3\n4,5\n", "line 3 (byte 8)", 1),
        (b'a,b\n"1\n,",2\n3,4,5\n6\n', "line 4 (byte 12)", 3),
        (b"a,b\n1,2\n3,4,5", "line 3 (byte 8)", 3),
        (b"a,b\n\n1,2\n", "line 2 (byte 4)", 1),
        (BOM + b"a,b\n1\n", "line 2 (byte 7)", 1),
    ],
)
def test_strict_names_the_first_ragged_record(
    executor: ThreadPoolExecutor, data: bytes, place: str, fields: int, block_bytes: int
) -> None:
    """Also the last one without a line end, and an empty line among several columns."""
    with pytest.raises(BadInputError) as caught:
        scanned(MemorySource(data, "memory:x"), executor, strict=True, block_bytes=block_bytes)
    counted = "1 field" if fields == 1 else f"{fields} fields"
    assert caught.value.message == f"memory:x, {place}: the record has {counted}, the first record has 2"
    assert caught.value.hint == "repair the record, or leave --strict out to split it as it is"


@examples(40)
@given(valid_files(Dialect()), st.sampled_from([3, 7, 64]))
def test_strict_is_exact(executor: ThreadPoolExecutor, data: bytes, block_bytes: int) -> None:
    """It fails where the csv module reads a record of another length, and nowhere else."""
    records = records_of(data, Dialect())
    starts = [0, *(record.end for record in records)]
    ragged = [start for start, record in zip(starts, records, strict=False) if record.fields != records[0].fields]
    if not ragged:
        _, found = scanned(data, executor, strict=True, block_bytes=block_bytes)
        assert found.rows == len(records) - 1
        return
    with pytest.raises(BadInputError, match=rf"\(byte {ragged[0]}\): the record has"):
        scanned(data, executor, strict=True, block_bytes=block_bytes)


def test_a_header_without_an_end_is_bad_input(executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be in memory and in every chunk."""
    monkeypatch.setattr(limits, "MAX_HEADER_BYTES", 1 << 20)
    with pytest.raises(BadInputError) as caught:
        scanned(MemorySource(b'"' + b"a\n" * (1 << 20), "memory:x"), executor, block_bytes=1 << 16)
    assert caught.value.message == "memory:x: the first record does not end within 1 MiB"
    assert caught.value.hint == "check --quotechar and --escapechar; --no-header if the file has no header"


class EndsEarly:
    """A source that has become shorter than it was, and whose reads say nothing of it."""

    def __init__(self, data: bytes, size: int) -> None:
        self._inner = MemorySource(data + b"x" * (size - len(data)), "memory:x")
        self._end = len(data)
        self.properties = self._inner.properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- Source's
        return self._inner.read_at(offset, buffer[: max(0, self._end - offset)])

    def stream(self, came: Moved | None = None) -> object:  # noqa: ARG002 -- Source's
        raise AssertionError("a source that can seek is read by place")

    def check_unchanged(self) -> None:
        """It does not look."""

    def close(self) -> None:
        """It holds nothing."""


@pytest.mark.parametrize("threads", [1, THREADS])
def test_a_source_that_ends_early_has_changed(executor: ThreadPoolExecutor, threads: int) -> None:
    """Never a plan of half a file."""
    with pytest.raises(SourceChangedError) as caught:
        scanned(EndsEarly(b"a,b\n" * 50, 1000), executor, threads=threads)  # type: ignore[arg-type]
    assert caught.value.message == "memory:x ended at byte 200, it had 1000 bytes when it was opened"
    assert caught.value.hint == "split it when nothing writes to it any more"


class BreaksAtByte(KeepsBlocks):
    """A consumer that fails in its turn."""

    def __init__(self, byte: int) -> None:
        super().__init__()
        self._byte = byte

    def take(
        self, block: memoryview, base: int, cuts: Sequence[int], *, header: bytearray | None
    ) -> list[Callable[[], None]]:
        if base >= self._byte:
            raise SourceError(f"broken at {base}")
        return super().take(block, base, cuts, header=header)


def test_the_consumers_error_ends_the_scan(executor: ThreadPoolExecutor) -> None:
    """The other threads stop waiting for their turn, and nothing comes after it."""
    consumer = BreaksAtByte(256)
    with pytest.raises(SourceError, match=r"^broken at 256$"):
        scanned(b"a,b\n" * 10_000, executor, consumer=consumer)
    assert consumer.bases == [0, 64, 128, 192]
    assert not consumer.ended


def test_a_field_longer_than_the_csv_modules_limit(executor: ThreadPoolExecutor) -> None:
    """200,000 characters in quotes, line feeds among them, in the real size of blocks."""
    field = b"long\n" * 40_000
    builder, found = scanned(
        b'id,text\n1,"' + field + b'"\n2,b\n', executor, rule=BySize(1000), block_bytes=best_block_bytes()
    )
    assert found.rows == 2
    assert [chunk.rows for chunk in builder.chunks] == [1, 1]


@pytest.mark.parametrize("block_bytes", [3, 64, best_block_bytes()])
def test_csv_spectrum_is_read_as_the_csv_module_does(executor: ThreadPoolExecutor, block_bytes: int) -> None:
    """The files that parsers get wrong (the npm package csv-spectrum; `make servers` fetches it)."""
    paths = sorted(SPECTRUM.glob("*.csv"))
    if not paths:
        pytest.skip("csv-spectrum is not there: make servers")
    assert len(paths) >= 12
    for path in paths:
        data = path.read_bytes()
        stray = path.name == "location_coordinates.csv"  # seconds of arc, without quotes around them
        _, found = scanned(data, executor, block_bytes=block_bytes, strict=True, literal=stray)
        assert found.rows == len(records_of(data, Dialect())) - 1, path.name


@pytest.mark.parametrize("name", ["airports.csv", "iata_macs.csv"])
def test_real_data_is_read_as_the_csv_module_does(executor: ThreadPoolExecutor, name: str) -> None:
    """Tens of thousands of records with quotes and names of all languages, as the package airportsdata ships them."""
    path = Path(str(files("airportsdata").joinpath(name)))
    builder, found = scanned(path.read_bytes(), executor, rule=ByRows(1000), block_bytes=1 << 18, strict=True)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        assert found.rows == sum(1 for _ in csv.reader(lines)) - 1
    assert len(builder.chunks) == -(-found.rows // 1000)
