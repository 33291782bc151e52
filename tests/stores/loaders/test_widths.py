"""Fields are counted in the stream exactly as the csv module counts them, wherever blocks are cut."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.stores.loaders.body import NotPlainError, plain_blocks
from splitjoin_cli.stores.loaders.widths import FieldCounter, checked_rows
from tests.stores.loaders.chunks import Streams, chunk_of, with_stream

FIELDS = st.sampled_from(["", "a", '""', '"a,b"', '"a\nb"', '"a""b"', '",\r\n"', "\u00e9"])
RECORDS = st.lists(FIELDS, min_size=1, max_size=4).map(",".join)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])


def first_of_another_width(text: str, width: int) -> tuple[int, int] | None:
    """The number and the fields of the first record that has not ``width``, by the csv module."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    widths = ((number, len(row) or 1) for number, row in enumerate(reader, start=1))
    return next((found for found in widths if found[1] != width), None)


@given(st.data(), st.integers(1, 4))
def test_fields_are_counted_as_the_csv_module_counts_them(data: st.DataObject, width: int) -> None:
    """The first record of another width is named, with what it has; where there is none, all bytes pass."""
    records = data.draw(st.lists(st.one_of(RECORDS, st.just(",".join(["x"] * width))), max_size=8))
    text = "".join(record + data.draw(LINE_ENDS) for record in records)
    if records and data.draw(st.booleans()):
        text = text.removesuffix("\n").removesuffix("\r")
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=3)))
    parts: list[Any] = [b"h\n", *(raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True))]
    chunk = with_stream(chunk_of(b"", header=b"h\n", rows=None), lambda: Streams(parts))
    expected = first_of_another_width(text, width)
    if expected is None:
        b"".join(plain_blocks(chunk, width))
        return
    with pytest.raises(BadRowError) as caught:
        b"".join(plain_blocks(chunk, width))
    number, fields = expected
    has = "1 field" if fields == 1 else f"{fields} fields"
    assert caught.value.message == f"record {number} after the header has {has}, not {width}"


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([b"a,b\na,", b"b,\n"], "record 2 after the header has 3 fields, not 2"),
        ([b"a,b\na", b"\n"], "record 2 after the header has 1 field, not 2"),
        ([b"a,b\na"], "record 2 after the header has 1 field, not 2"),
        ([b"a,b\n", b"", b"\n"], "record 2 after the header has 1 field, not 2"),
        ([b"a,b\na,", b",,", b",\n"], "record 2 after the header has 5 fields, not 2"),
        ([b"a,b\na,", b"," * 70_000, b"\n"], "record 2 after the header has 70002 fields or more, not 2"),
        ([b",a\n,\n", b"a,\n", b"a,b,c\n"], "record 4 after the header has 3 fields, not 2"),
    ],
)
def test_records_that_go_on_in_the_next_block(blocks: list[bytes], message: str) -> None:
    """What is begun is kept; one with far too many fields is not waited for."""

    def count() -> None:
        counter = FieldCounter(b",", 2)
        for block in blocks:
            counter.count(block)
        counter.finish(ended=blocks[-1].endswith(b"\n"))

    with pytest.raises(BadRowError) as caught:
        count()
    assert caught.value.message == message


def test_no_data_has_no_records() -> None:
    """And one field a record is counted, too."""
    FieldCounter(b",", 2).finish(ended=True)
    counter = FieldCounter(b",", 1)
    counter.count(b"a\n\nb")
    counter.finish(ended=False)
    with pytest.raises(BadRowError, match=r"^record 4 after the header has 2 fields, not 1$"):
        counter.count(b"a,\n")


def test_rows_are_checked_as_they_come() -> None:
    """Those before it pass."""
    rows = checked_rows(iter([["a", None], ["a"]]), 2)
    assert next(rows) == ["a", None]
    with pytest.raises(BadRowError, match=r"^record 2 after the header has 1 field, not 2$"):
        next(rows)


def test_a_stray_quote_comes_before_the_count() -> None:
    """What is read otherwise is counted by who reads it."""
    with pytest.raises(NotPlainError):
        list(plain_blocks(chunk_of(b'1,5" x, y"\n', rows=None), 2))
