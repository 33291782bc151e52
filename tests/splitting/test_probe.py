"""A probe finds the boundaries that a scan with --quotechar none finds, by reading around each cut alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import limits
from splitjoin_cli.splitting import probe as module
from splitjoin_cli.splitting.cuts import ByCount, BySize, Mark
from splitjoin_cli.splitting.plan import PlanBuilder
from splitjoin_cli.splitting.probe import Probed, probe
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.request import ChunkCount, ChunkSize, RowCount
from splitjoin_cli.splitting.scan import Scan, ScanOptions
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.positioned import PositionedStream
from tests.laws import examples

if TYPE_CHECKING:
    from splitjoin_cli.core.model import SourceProperties
    from splitjoin_cli.core.progress import Moved

BOM = b"\xef\xbb\xbf"


class CountsReads:
    """A MemorySource that knows how much of it was read."""

    def __init__(self, data: bytes) -> None:
        self.inner = MemorySource(data)
        self.bytes_read = 0

    @property
    def properties(self) -> SourceProperties:
        return self.inner.properties

    def read_at(self, offset: int, buffer: memoryview, came: Moved | None = None) -> int:  # noqa: ARG002 -- Source's
        filled = self.inner.read_at(offset, buffer)
        self.bytes_read += filled
        return filled

    def stream(self, came: Moved | None = None) -> PositionedStream:
        return PositionedStream(self, came)

    def check_unchanged(self) -> None:
        self.inner.check_unchanged()

    def close(self) -> None:
        self.inner.close()


def scanned(data: bytes, size: ChunkSize | ChunkCount, *, header: bool) -> tuple[list[int], int, bytes, bool]:
    """Starts, oversized records and header by a scan, and whether a count fell short for want of records."""
    rule = BySize(size.size_bytes) if isinstance(size, ChunkSize) else ByCount(size.count, size=len(data), records=None)
    builder = PlanBuilder(rule, header=header, start=Mark(0, 0, 0, 0))
    options = ScanOptions(Alphabet.of(Dialect(quotechar=None, header=header)), 1)
    with ThreadPoolExecutor(1) as executor:
        found = Scan(MemorySource(data), builder, options, observer=Silent()).run(executor)
    short = isinstance(rule, ByCount) and rule.fell_short(builder.chunks, found.rows)
    return builder.chunks.starts.tolist(), getattr(rule, "oversized", 0), found.header, short


LINES = st.lists(st.text('ab",ü', max_size=12).map(lambda line: line.encode() + b"\n"), min_size=1, max_size=25)


@examples(300)
@given(
    lines=LINES,
    size=st.one_of(st.builds(ChunkSize, st.integers(1, 80)), st.builds(ChunkCount, st.integers(1, 30))),
    header=st.booleans(),
    cut_short=st.booleans(),
    bom=st.booleans(),
    first_bytes=st.sampled_from([1, 3, 16, 64 * 1024]),
)
@example(lines=[b"a,b\n"], size=ChunkSize(2), header=True, cut_short=False, bom=False, first_bytes=1)
@example(lines=[b"a,b\n"], size=ChunkCount(3), header=True, cut_short=True, bom=True, first_bytes=1)
@example(lines=[b"h\n", b"x" * 500 + b"\n"], size=ChunkSize(9), header=True, cut_short=False, bom=False, first_bytes=3)
def test_a_probe_is_a_scan(
    *,
    lines: list[bytes],
    size: ChunkSize | ChunkCount,
    header: bool,
    cut_short: bool,
    bom: bool,
    first_bytes: int,
) -> None:
    """The same starts, header and oversized records, in any steps of reading; none only for fewer chunks than asked."""
    data = BOM * bom + b"".join(lines)
    data = data[:-1] if cut_short and len(lines[-1]) > 1 else data
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FIRST_BYTES", first_bytes)
        patch.setattr(module, "LAST_BYTES", max(first_bytes, 16))
        probed = probe(MemorySource(data), size, header=header)
    starts, oversized, head, short = scanned(data, size, header=header)
    if probed is None:
        assert isinstance(size, ChunkCount)
        assert len(starts) - 1 < size.count
    else:
        assert (probed.chunks.starts.tolist(), probed.oversized, probed.header) == (starts, oversized, head)
        assert not short
        assert set(probed.chunks.rows) <= {-1}
        assert set(probed.chunks.checksums) <= {0}


def test_rows_can_only_be_scanned() -> None:
    """Nothing but a scan counts records."""
    assert probe(MemorySource(b"id\n1\n"), RowCount(1), header=True) is None


@pytest.mark.parametrize("size", [ChunkSize(6), ChunkCount(2)])
@pytest.mark.parametrize("data", [b"id\r1\r2\r", b"id\n1\r2\n3\n4\n", b"id\n1\n2\r", b"id\r\n1\r2\r\n"])
def test_a_lone_carriage_return_is_left_to_the_scan(data: bytes, size: ChunkSize | ChunkCount) -> None:
    """Which refuses it: a file whose lines end with CR alone is no file of one record."""
    assert probe(MemorySource(data), size, header=True) is None
    with pytest.raises(BadInputError, match="a carriage return without a line feed"):
        scanned(data, size, header=True)


def test_a_carriage_return_at_the_edge_of_a_look_is_not_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its LF lies in the next one."""
    monkeypatch.setattr(module, "FIRST_BYTES", 3)
    monkeypatch.setattr(module, "LAST_BYTES", 3)
    data = b"id\r\n" + b"12\r\n345\r\n" * 4
    probed = probe(MemorySource(data), ChunkSize(12), header=True)
    assert probed is not None
    assert probed.chunks.starts.tolist() == scanned(data, ChunkSize(12), header=True)[0]


@pytest.mark.parametrize("data", [b"", BOM])
def test_an_empty_source_is_bad_input(data: bytes) -> None:
    """The same error as a scan's."""
    with pytest.raises(BadInputError) as probed:
        probe(MemorySource(data), ChunkSize(10), header=True)
    with pytest.raises(BadInputError) as found:
        scanned(data, ChunkSize(10), header=True)
    assert (probed.value.message, probed.value.hint) == (found.value.message, found.value.hint)
    assert probed.value.message == "memory:source.csv is empty; expected a header or a record"


def test_an_endless_header_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line ends has no header."""
    monkeypatch.setattr(limits, "MAX_HEADER_BYTES", 1024 * 1024)
    with pytest.raises(BadInputError) as found:
        probe(MemorySource(b"x" * (1024 * 1024 + 1)), ChunkSize(10), header=True)
    assert found.value.message == "memory:source.csv: the first record does not end within 1 MiB"
    assert found.value.hint == "--no-header if the file has no header"


def test_little_is_read() -> None:
    """Around each of the cuts, and nothing else."""
    source = CountsReads(b"id,name\n" + b"1,one hundred bytes\n" * 1_000_000)
    probed = probe(source, ChunkSize(5_000_000), header=True)
    assert isinstance(probed, Probed)
    assert len(probed.chunks) == 5
    assert source.bytes_read < 6 * module.FIRST_BYTES + 100


def test_a_large_record_is_found_in_growing_steps() -> None:
    """No step reads what another one read, and a record of megabytes needs few of them."""
    source = CountsReads(b"id\n1\n" + b"x" * 5_000_000 + b"\n2\n")
    probed = probe(source, ChunkSize(1000), header=True)
    assert isinstance(probed, Probed)
    assert probed.chunks.starts.tolist() == [3, 5, 5_000_006, 5_000_008]
    assert probed.oversized == 1
    assert source.bytes_read < 5_000_000 + 2_000_000
