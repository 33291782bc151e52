"""What is found after the fact: lines, the quote that stays open, the first ragged record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting import locate
from splitjoin_cli.splitting.locate import RaggedRecord, find_open_quote, find_ragged, line_of, read_blocks
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.stores.sources.memory import MemorySource
from tests.laws import examples
from tests.splitting.csvs import BOM, ForwardOnly, records_of, valid_files

if TYPE_CHECKING:
    from splitjoin_cli.stores.sources.base import Source

CSV = Alphabet(b",", ord('"'), None)
BLOCKS = st.sampled_from([3, 7, 64, 1000])


@pytest.fixture(params=["seekable", "streamed"])
def kind(request: pytest.FixtureRequest) -> str:
    """Whether the source can seek."""
    return str(request.param)


def opened(data: bytes, kind: str) -> Source:
    """A source of that kind."""
    return MemorySource(data) if kind == "seekable" else ForwardOnly(data)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of seven bytes, so that a few lines are many blocks."""
    monkeypatch.setattr(locate, "BLOCK_BYTES", 7)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("start", "end"), [(0, None), (0, 26), (5, 20), (7, 14), (8, 9), (25, 26), (26, None), (3, 3)])
def test_blocks_are_the_bytes_asked_for(kind: str, start: int, end: int | None) -> None:
    """In order, whole, from any place to any other."""
    data = b"abcdefghijklmnopqrstuvwxyz"
    source = opened(data, kind)
    assert b"".join(bytes(block) for block in read_blocks(source, start, end)) == data[start:end]
    if isinstance(source, ForwardOnly):
        assert source.passes_open == 0


def test_a_pass_that_is_left_is_closed() -> None:
    """Whoever stops reading leaves no connection open."""
    source = ForwardOnly(b"a" * 100)
    blocks = read_blocks(source, 0)
    next(blocks)
    assert source.passes_open == 1
    del blocks
    assert source.passes_open == 0


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("offset", "line"), [(-1, 1), (0, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3), (8, 4), (12, 4)])
def test_lines_are_counted_as_an_editor_does(kind: str, offset: int, line: int) -> None:
    """From 1; a line feed is on the line that it ends, and one in quotes counts."""
    assert line_of(opened(b'a,b\n"1\n\n2",3\n', kind), offset) == line


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("data", "record_start", "expected"),
    [
        (b'a,b\n1,"open', 4, 6),
        (b'a,"open\n"",\n1,2\n', 0, 2),
        (b'a,b\n"closed","open """\n', 4, 13),
        (BOM + b'"open', 0, 3),
        (b'a\n"12345""67890', 2, 2),
        (b'a\n"1234"""67890', 2, 2),
        (b'a\n"123","4567""', 2, 8),
    ],
)
def test_the_open_quote_is_found(kind: str, data: bytes, record_start: int, expected: int) -> None:
    """Past closed fields, doubled quotes, also those that a block's edge cuts, and a byte order mark."""
    assert find_open_quote(opened(data, kind), CSV, record_start) == expected


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("data", "start", "expected"),
    [
        (b"a,b\n1,2\n3\n4,5\n", 0, RaggedRecord(3, 8, 1)),
        (b'a,b\n"1\n,\n",2\n3,4,5\n', 0, RaggedRecord(5, 13, 3)),
        (b"a,b\n1,2\n3", 0, RaggedRecord(3, 8, 1)),
        (b"a,b\n1,2\n\n", 0, RaggedRecord(3, 8, 1)),
        (b"a,b\n1\n2\n", 6, RaggedRecord(3, 6, 1)),
        (BOM + b'"a,a",b\n1\n', 0, RaggedRecord(2, 11, 1)),
        (b"a,b\n1,2\n3,4", 0, None),
        (b"a,b\n", 0, None),
    ],
)
def test_the_first_ragged_record_is_found(kind: str, data: bytes, start: int, expected: RaggedRecord | None) -> None:
    """With its line, first byte and fields; the last record, too, when it has no line end."""
    assert find_ragged(opened(data, kind), CSV, start, 1) == expected


@examples(40)
@given(valid_files(Dialect()), st.integers(0, 3), BLOCKS)
def test_ragged_records_are_the_csv_modules(data: bytes, expected: int, block_bytes: int) -> None:
    """The first record whose fields are not as many as expected, in any file and blocks of any size."""
    found: RaggedRecord | None = None
    start = 0
    for record in records_of(data, Dialect()):
        if record.fields != expected + 1:
            found = RaggedRecord(1 + data[:start].count(b"\n"), start, record.fields)
            break
        start = record.end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locate, "BLOCK_BYTES", block_bytes)
        assert find_ragged(MemorySource(data), CSV, 0, expected) == found
