"""The reader of samples finds the same fields as the csv module, and a law for what that cannot read."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.splitting.inspect.form import Form, Reader

FIELDS = st.text(st.sampled_from('ab",\n\\; '), max_size=6)
TABLES = st.lists(st.lists(FIELDS, min_size=2, max_size=4), min_size=1, max_size=5)


@given(TABLES, st.sampled_from(["\n", "\r\n"]))
def test_fields_are_those_of_the_csv_module(table: list[list[str]], end: str) -> None:
    """Of every file that it writes: the same number of fields, records and no stray quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(table)
    rows = list(Reader(Form(b",", b'"')).rows(text.getvalue().encode()))
    assert [len(row.cells) for row in rows] == [len(record) for record in table]
    assert all(row.fault < 0 for row in rows)
    assert [*(row.start for row in rows[1:]), len(text.getvalue())] == [row.end for row in rows]


@given(TABLES, st.sampled_from([b"||", b"~|~", "¦".encode(), b"::"]))
def test_a_delimiter_of_several_bytes_is_read_as_it_is_written(table: list[list[str]], delimiter: bytes) -> None:
    """Backslashes before quotes, too."""
    cells = [['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in record] for record in table]
    data = b"".join(delimiter.join(text.encode() for text in record) + b"\n" for record in cells)
    rows = list(Reader(Form(delimiter, b'"', b"\\")).rows(data))
    assert [[cell.decode() for cell in row.cells] for row in rows] == cells


@pytest.mark.parametrize(
    ("form", "data", "cells", "fault"),
    [
        (Form(b",", b'"'), b'1,5" disk,x\n', [b"1", b'5" disk', b"x"], 3),
        (Form(b",", b'"'), b'"5" disk",x\n', [b'"5" disk"', b"x"], 2),
        (Form(b",", b'"', mysql=True), b'"5" disk",x\n', [b'"5" disk"', b"x"], -1),
        (Form(b",", b'"', mysql=True), b'5" disk,"torn\n', [b'5" disk', b'"torn'], 8),
        (Form(b",", b'"', skip_space=True), b'1,  "a,b"\n', [b"1", b'"a,b"'], -1),
        (Form(b"\t", escape=b"\\"), b"a\\\tb\tc\\\nd\n", [b"a\\\tb", b"c\\\nd"], -1),
        (Form(b",", b'"', b"\\", escape_quoted=True), b'C:\\,"a\\",b"\n', [b"C:\\", b'"a\\",b"'], -1),
        (Form(b",", newline=b"\r"), b"a,b\rc,d\r", [b"a", b"b"], -1),
        (Form(b"\t", lf_only=True), b"a\rb\tc\r\n", [b"a\rb", b"c\r"], -1),
    ],
)
def test_each_rule_of_a_form(form: Form, data: bytes, cells: list[bytes], fault: int) -> None:
    """Where a quote opens and closes, what an escape keeps, which bytes end a record."""
    row = next(Reader(form).rows(data))
    assert (row.cells, row.fault) == (cells, fault)


def test_what_a_sample_breaks_off_in_is_left_out() -> None:
    """A record without its end is none, where more of the file follows."""
    reader = Reader(Form(b",", b'"'))
    assert [row.cells for row in reader.rows(b'1,2\n3,"4\n', whole=False)] == [[b"1", b"2"]]
    assert [row.cells for row in reader.rows(b"1,2\n3,4", whole=False)] == [[b"1", b"2"]]
