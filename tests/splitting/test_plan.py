"""Law L1 at its root: chunks of whole records, greedy, the same for any size of blocks, with the right checksums."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.bytes.crc64 import crc64
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.model import Chunk, Dialect
from splitjoin_cli.splitting import plan, ranged
from splitjoin_cli.splitting.cuts import ByCount, ByRows, BySize, Mark, crc_between
from splitjoin_cli.splitting.plan import PlanBuilder, Ragged
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import State
from tests.laws import examples
from tests.splitting.csvs import BLOCK_BYTES, BOM, records_of, valid_files

if TYPE_CHECKING:
    from splitjoin_cli.splitting.cuts import CutRule

DIALECT = Dialect()
HEADERS = st.sampled_from([DIALECT, Dialect(header=False)])
FILES = valid_files(DIALECT)
RULES = st.one_of(
    st.builds(BySize, st.integers(1, 80)), st.builds(ByRows, st.integers(1, 8)), st.builds(ByRows, st.just(1))
)


def built(data: bytes, rule: CutRule, *, header: bool = True, block_bytes: int = 64) -> tuple[PlanBuilder, list[int]]:
    """A plan of ``data``, read block by block, and the cuts as they were returned."""
    builder = PlanBuilder(rule, header=header, start=Mark(0, 0, 0, 0))
    state: int = State.FIELD
    scanner = new_scanner(Alphabet.of(DIALECT), block_bytes)
    cuts: list[int] = []
    if data.startswith(BOM):
        builder.skip(memoryview(data)[: len(BOM)])
        data = data[len(BOM) :]
    whole = memoryview(data)
    for at in range(0, len(whole), block_bytes):
        block = whole[at : at + block_bytes]
        outcome = scanner.outcome(block, state)
        assert outcome.defect is None
        cuts += builder.feed(block, state, outcome, scanner)
        state = outcome.end
    return builder, cuts + builder.finish()


def ends_of(data: bytes) -> list[int]:
    """Where records end, by the csv module."""
    return [record.end for record in records_of(data, DIALECT)]


def rows_in(chunk: Chunk, ends: list[int]) -> int:
    """Records that end in a chunk."""
    return sum(chunk.range.start < end <= chunk.range.end for end in ends)


@examples(100)
@given(FILES, RULES, HEADERS, BLOCK_BYTES)
def test_chunks_are_the_header_and_whole_records(
    data: bytes,
    rule: CutRule,
    dialect: Dialect,
    block_bytes: int,
) -> None:
    """Without a gap from the header to the end, each with its rows and checksum, by any rule and size of blocks."""
    ends = ends_of(data)
    builder, cuts = built(data, rule, header=dialect.header, block_bytes=block_bytes)
    chunks = list(builder.chunks)
    head = data[: ends[0]] if dialect.header else b""
    assert builder.header.offset == len(head)
    assert chunks[0].range.start == len(head)
    assert chunks[-1].range.end == len(data)
    assert all(left.range.end == right.range.start for left, right in pairwise(chunks))
    assert cuts == [chunk.range.end for chunk in chunks]
    assert {chunk.range.end for chunk in chunks} <= {len(head), *ends}
    for chunk in chunks:
        assert chunk.rows == rows_in(chunk, ends)
        assert chunk.rows or len(data) == len(head)
        assert chunk.checksum == crc64(head + data[chunk.range.start : chunk.range.end])
    assert builder.records == len(ends)
    assert builder.crc == crc64(data)


@examples(80)
@given(FILES, st.integers(1, 80), HEADERS, BLOCK_BYTES)
def test_sizes_are_kept_and_used_up(
    data: bytes,
    size: int,
    dialect: Dialect,
    block_bytes: int,
) -> None:
    """No chunk is larger unless it is one record, none could take the next record, and long records are counted."""
    ends = ends_of(data)
    rule = BySize(size)
    builder, _ = built(data, rule, header=dialect.header, block_bytes=block_bytes)
    head, chunks = builder.header.offset, list(builder.chunks)
    for chunk in chunks:
        assert head + chunk.range.size <= size or chunk.rows in (0, 1)
    for chunk in chunks[:-1]:
        following = next(end for end in ends if end > chunk.range.end)
        assert head + following - chunk.range.start > size
    records = pairwise([head, *(end for end in ends if end > head)])
    assert rule.oversized == sum(head + end - start > size for start, end in records)


@examples(40)
@given(FILES, st.integers(1, 8), BLOCK_BYTES)
def test_rows_are_exact(data: bytes, rows: int, block_bytes: int) -> None:
    """Every chunk but the last has so many records, and the last has at least one."""
    builder, _ = built(data, ByRows(rows), block_bytes=block_bytes)
    body = len(ends_of(data)) - 1
    full, rest = divmod(body, rows)
    assert [chunk.rows for chunk in builder.chunks] == ([rows] * full + [rest] * (rest > 0) or [0])


@examples(80)
@given(FILES, st.integers(1, 16), HEADERS, BLOCK_BYTES)
def test_as_many_chunks_as_asked(
    data: bytes,
    count: int,
    dialect: Dialect,
    block_bytes: int,
) -> None:
    """Exactly min(N, records), at least one; and a plan made in one pass is the same, or says that it fell short."""
    records = len(ends_of(data)) - dialect.header
    rule = ByCount(count, size=len(data), records=records)
    known, _ = built(data, rule, header=dialect.header, block_bytes=block_bytes)
    assert len(known.chunks) == max(1, min(count, records))
    rule = ByCount(count, size=len(data), records=None)
    guessed, _ = built(data, rule, header=dialect.header, block_bytes=block_bytes)
    assert rule.fell_short(guessed.chunks, records) or guessed.chunks == known.chunks


def test_a_count_makes_chunks_of_about_the_same_size() -> None:
    """A hundred records of ten bytes in four chunks are 25 each."""
    data = b"header...\n" + b"123456789\n" * 100
    builder, _ = built(data, ByCount(4, size=len(data), records=100))
    assert [chunk.rows for chunk in builder.chunks] == [25, 25, 25, 25]


@examples(40)
@given(FILES, st.integers(1, 80), BLOCK_BYTES, BLOCK_BYTES)
def test_blocks_do_not_matter(data: bytes, size: int, left_bytes: int, right_bytes: int) -> None:
    """The plan is a function of the bytes and the rule, whatever the sizes of the blocks."""
    left, right = BySize(size), BySize(size)
    one, _ = built(data, left, block_bytes=left_bytes)
    other, _ = built(data, right, block_bytes=right_bytes)
    assert one.chunks == other.chunks
    assert one.last_mark == other.last_mark
    assert one.ragged == other.ragged
    assert left.oversized == right.oversized


@pytest.mark.parametrize("rule", [BySize(100), ByRows(2), ByCount(3, size=4, records=0)], ids=["size", "rows", "count"])
@pytest.mark.parametrize("data", [b"a,b\n", b"a,b", b'"a\nb"', BOM + b"a\r\n"])
def test_a_header_alone_is_one_chunk_without_rows(data: bytes, rule: CutRule) -> None:
    """Also where it has no line end: hazard H8, a job that would have no chunk."""
    builder, cuts = built(data, rule)
    assert [(chunk.range.start, chunk.range.end, chunk.rows) for chunk in builder.chunks] == [(len(data),) * 2 + (0,)]
    assert cuts == [len(data)]
    assert builder.chunks[1].checksum == crc64(data)


def test_a_longer_record_is_alone() -> None:
    """It is counted, and what lies around it keeps to the size."""
    rule = BySize(12)
    builder, _ = built(b"h\n" + b"1\n2\n" + b"a record that does not fit\n" + b"3\n", rule)
    assert [(chunk.range.size, chunk.rows) for chunk in builder.chunks] == [(4, 2), (27, 1), (2, 1)]
    assert rule.oversized == 1


def test_a_header_longer_than_the_size_leaves_one_record_to_each_chunk() -> None:
    """There is no room, and no chunk without a record."""
    rule = BySize(3)
    builder, _ = built(b"header\n1\n2\n", rule)
    assert [chunk.rows for chunk in builder.chunks] == [1, 1]
    assert builder.header == Mark(7, 1, 0, crc64(b"header\n"))


@pytest.mark.parametrize("block_bytes", [1, 7, 64])
def test_ragged_chunks_are_found_from_totals(block_bytes: int) -> None:
    """The first of them is named; a short and a long record of one chunk cancel."""
    data = b"a,b\n" + b"1,2\n3,4\n" + b"5\n6,7\n" + b"8\n9,9,9\n" + b"1,2,3\n4,5"
    builder, _ = built(data, ByRows(2), block_bytes=block_bytes)
    assert builder.ragged == Ragged(chunks=2, first=2)
    assert builder.expected_delimiters == 1


def test_quoted_delimiters_are_no_fields() -> None:
    """Nor are those of the header."""
    builder, _ = built(b'"a,a",b\n"1,,,",2\n3,"4\n,"\n', ByRows(1))
    assert builder.ragged == Ragged()
    assert builder.expected_delimiters == 1


def test_line_ends_are_counted() -> None:
    """Those of records, not those in quotes."""
    builder, _ = built(b'a\r\n"1\r\n"\n2\r\n', ByRows(10), block_bytes=3)
    assert (builder.records, builder.crlf) == (3, 2)


def test_there_is_a_limit_to_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A size of a few bytes is a mistake, and says so before anything is stored."""
    monkeypatch.setattr(plan, "MAX_CHUNKS", 3)
    with pytest.raises(UsageError) as caught:
        built(b"h\n" + b"1\n" * 4, ByRows(1))
    assert caught.value.message == "more than 3 chunks"
    assert caught.value.hint == "ask for larger chunks, with --chunk-size, --chunks or --rows"


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
def test_a_checksum_is_the_difference_of_two_marks(before: bytes, inside: bytes, after: bytes) -> None:
    """So that no byte is hashed twice."""
    data = before + inside + after
    start = Mark(len(before), 0, 0, crc64(before))
    end = Mark(len(before + inside), 0, 0, crc64(data[: len(before + inside)]))
    assert crc_between(start, end) == crc64(inside)


@examples(60)
@given(FILES, st.integers(4, 40), st.data())
def test_large_records_are_counted(data: bytes, large: int, drawn: st.DataObject) -> None:
    """Those above the limit, and where the first begins, in blocks of any size up to the limit."""
    block_bytes = drawn.draw(st.integers(1, large))
    with mock.patch.object(ranged, "LARGE_RECORD_BYTES", large):
        builder, _ = built(data, BySize(60), header=False, block_bytes=block_bytes)
    starts = [start for start, end in pairwise([0, *ends_of(data)]) if end - start > large]
    assert (builder.large.records, builder.large.first) == (len(starts), starts[0] if starts else 0)
