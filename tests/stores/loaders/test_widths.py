"""Fields are counted in the stream exactly as the csv module counts them, wherever blocks are cut."""

from __future__ import annotations

import csv
import io
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, Record
from splitjoin_cli.stores.loaders.body import NotPlainError
from splitjoin_cli.stores.loaders.plain import plain_blocks
from splitjoin_cli.stores.loaders.widths import FieldCounter, checked_rows
from splitjoin_cli.testing.chunks import Streams, chunk_of, with_stream

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = st.sampled_from(["", "a", '""', '"a,b"', '"a\nb"', '"a""b"', '",\r\n"', "\u00e9"])
RECORDS = st.lists(FIELDS, min_size=1, max_size=4).map(",".join)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])


def refused(read: Callable[[], object]) -> tuple[int, str]:
    """The number of the record that is refused, and why."""
    with pytest.raises(BadRecordError) as caught:
        read()
    find = caught.value.find
    assert find is not None
    return next(number for number in range(1, 100) if find(Record(number, 0, ""))), caught.value.reason


def first_of_another_width(text: str, width: int) -> tuple[int, int] | None:
    """The number and the fields of the first record that has not ``width``, by the csv module."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    widths = ((number, len(row) or 1) for number, row in enumerate(reader, start=1))
    return next((found for found in widths if found[1] != width), None)


@given(st.data(), st.integers(1, 4))
def test_fields_are_counted_as_the_csv_module_counts_them(data: st.DataObject, width: int) -> None:
    """The first record of another width is named, with what it has; where there is none, all bytes pass."""
    right = ",".join(["x"] * width)
    records = data.draw(st.lists(st.one_of(RECORDS, st.just(right)), max_size=8))
    text = "".join(record + data.draw(LINE_ENDS) for record in records)
    if data.draw(st.sampled_from(["ended", "not ended"])) == "not ended":
        text = text.removesuffix("\n").removesuffix("\r")
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=3)))
    parts: list[Any] = [b"h\n", *(raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True))]
    chunk = with_stream(chunk_of(b"", header=b"h\n", rows=None), lambda: Streams(parts))
    expected = first_of_another_width(text, width)
    if expected is None:
        b"".join(map(bytes, plain_blocks(chunk, width)))
        return
    number, fields = expected
    has = "1 field" if fields == 1 else f"{fields} fields"
    assert refused(lambda: b"".join(map(bytes, plain_blocks(chunk, width)))) == (
        number,
        f"the record has {has}, not {width}",
    )


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([b"a,b\na,", b"b,\n"], (2, "the record has 3 fields, not 2")),
        ([b"a,b\na", b"\n"], (2, "the record has 1 field, not 2")),
        ([b"a,b\na"], (2, "the record has 1 field, not 2")),
        ([b"a,b\n", b"", b"\n"], (2, "the record has 1 field, not 2")),
        ([b"a,b\na,", b",,", b",\n"], (2, "the record has 5 fields, not 2")),
        ([b"a,b\na,", b"," * 70_000, b"\n"], (2, "the record has 70002 fields or more, not 2")),
        ([b",a\n,\n", b"a,\n", b"a,b,c\n"], (4, "the record has 3 fields, not 2")),
    ],
)
def test_records_that_go_on_in_the_next_block(blocks: list[bytes], expected: tuple[int, str]) -> None:
    """What is begun is kept; one with far too many fields is not waited for."""

    def count() -> None:
        counter = FieldCounter(b",", 2)
        for block in blocks:
            counter.count(block)
        counter.finish(ended=blocks[-1].endswith(b"\n"))

    assert refused(count) == expected


def test_a_wide_table_and_blank_lines_take_no_memory() -> None:
    """What the block would be if its records were right is not built where it cannot be."""
    counter, block = FieldCounter(b",", 1000), b"\n" * (1 << 20)
    tracemalloc.start()
    try:
        assert refused(lambda: counter.count(block)) == (1, "the record has 1 field, not 1000")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_no_data_has_no_records() -> None:
    """And one field a record is counted, too."""
    FieldCounter(b",", 2).finish(ended=True)
    counter = FieldCounter(b",", 1)
    counter.count(b"a\n\nb")
    counter.finish(ended=False)
    assert refused(lambda: counter.count(b"a,\n")) == (4, "the record has 2 fields, not 1")


def test_rows_are_checked_as_they_come() -> None:
    """Those before it pass."""
    given_rows: list[list[str | None]] = [["a", None], ["a"]]
    rows = checked_rows(given_rows, 2)
    assert next(rows) == ["a", None]
    assert refused(lambda: next(rows)) == (2, "the record has 1 field, not 2")


def test_a_stray_quote_comes_before_the_count() -> None:
    """What is read otherwise is counted by who reads it."""
    with pytest.raises(NotPlainError):
        list(plain_blocks(chunk_of(b'1,5" x, y"\n', rows=None), 2))
