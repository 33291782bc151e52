"""The kernel and Python come to the same forms, fields and sums; what the kernel does not read it leaves to Python."""

from __future__ import annotations

import datetime as dt
import marshal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.native import kernel
from splitjoin_cli.core.native.rows import As, Ended, HashedRows, Sums
from splitjoin_cli.join.operate.values.hashing import Forms, begin_pass, new_key
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError
from splitjoin_cli.stores.loaders.exact.base import ColumnRule
from splitjoin_cli.stores.loaders.exact.canonical import ColumnForms
from splitjoin_cli.stores.loaders.exact.equality import Kind
from splitjoin_cli.stores.loaders.fields import records, text_lines
from splitjoin_cli.stores.loaders.record_text import RecordText, copied_fields
from splitjoin_cli.stores.loaders.session import TableColumn
from tests.laws import examples

if TYPE_CHECKING:
    from splitjoin_cli.stores.loaders.grammar import NullRule

KERNEL = kernel()
pytestmark = pytest.mark.skipif(KERNEL is None, reason="the package was built without a compiler")
KEY = bytes(range(16))
OFFSETS = st.sampled_from(["", "Z", "+00", "+02", "-05:30", "+0100", "+1", " UTC", "x"])
DAYS = st.dates() | st.dates(dt.date(1, 1, 1), dt.date(9, 1, 1))
TEXTS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{0,20}(\.[0-9]{0,20})?(e[0-9])?", fullmatch=True),
    st.sampled_from(["t", "F", "TRUE", "false", "1", "0", "\x10", "yes", "NaN", "0" * 40 + "1", "A-b", "a ", "é "]),
    st.tuples(DAYS, st.sampled_from([" ", "T", "  "]), st.times(), OFFSETS).map(lambda drawn: "".join(map(str, drawn))),
    st.dates().map(str), st.times().map(str), st.uuids().map(str),
    st.sampled_from(["2024-02-30", "0000-00-00", "2024-13-01 00:00:00+02", "2023-02-29 10:00:00+02", "24:00:00"]),
    st.text(max_size=5),
)  # fmt: skip


def hashed(kinds: list[As], rows: list[tuple[object, ...]]) -> tuple[Sums, list[tuple[int, int]]]:
    """The sums of rows, and those that are odd."""
    assert KERNEL is not None
    sums = Sums(5)
    made = HashedRows(KERNEL.functions, KEY, kinds, frozenset(range(len(kinds))), sums)
    made.begin_values(bytes_are_odd=True)
    assert made.values(marshal.dumps(rows, 2)) == Ended.DONE
    return sums, made.odd


@examples(400)
@given(st.sampled_from(sorted(Kind)), TEXTS, st.sampled_from([None, "2024-01-31 10:00:00", "2024-01-31 10:00:00Z"]))
def test_the_kernels_forms_are_pythons(kind: Kind, text: str, first: str | None) -> None:
    """Of the file's texts, and of what a table tells; an instant's zone is the first text's."""
    forms = ColumnForms(ColumnRule(TableColumn("v", "any", text=True), "any", kind))
    if first is not None:
        forms.said(first)
    for native, form in ((forms.of_file, forms.said), (forms.of_table, forms.kept)):
        sums, odd = hashed([native], [(text,)])
        if not odd:
            assert sums.differing(hashed([As.TEXT], [(form(text),)])[0]) == []


@examples(100)
@given(st.integers() | st.floats() | st.none() | st.binary(max_size=3))
def test_values_of_drivers_are_told_as_python_tells_them(value: object) -> None:
    """Whole numbers of any size, floats, NULL; bytes that are no text are left to Python."""
    forms = ColumnForms(ColumnRule(TableColumn("v", "any", text=True), "any", Kind.NUMBER))
    sums, odd = hashed([forms.of_table], [(value,)])
    if not odd:
        assert sums.differing(hashed([As.TEXT], [(None if value is None else forms.kept(str(value)),)])[0]) == []
    assert odd or not isinstance(value, bytes)


PIECES = st.lists(
    st.sampled_from(["a", "NULL", '"NULL"', '""', '"a""b"', '"x,y"', '"l\n"', "é", ",", ",", "\n", "\n", "\r\n", "\r"])
    | st.sampled_from(['a"b', '"a"b', '"']),
    max_size=14,
)


@examples(300)
@given(PIECES, st.integers(1, 9), st.sampled_from(["never", "word", "empty"]), st.booleans())
def test_the_kernel_cuts_text_as_python_does(
    pieces: list[str],
    size: int,
    null_rule: NullRule,
    bare: bool,  # noqa: FBT001 -- Hypothesis
) -> None:
    """Into records of two fields, whatever comes at a time, up to the first that is to be read otherwise."""
    data = "".join(pieces).encode()
    dialect = Dialect(line_end="\n")
    rules = RecordText(dialect, null_rule, (0,) if bare else (), 1000)
    columns = [ColumnRule(TableColumn(name, "any", text=True), "any", None) for name in "ab"]
    forms = Forms(columns, lambda _place, texts: [None] * len(texts))
    taken = begin_pass(forms, KEY, [0], 5, of_file=True)
    pending, count, goes_on = b"", 0, True
    for start in range(0, len(data) + 1, size):
        if goes_on:
            pending += data[start : start + size]
            done, number, goes_on = taken.text(pending, rules, is_last=start + size > len(data))
            pending, count = pending[done:], count + number
    rows: list[list[str | None]] = []
    try:
        for row in records([data.decode()], dialect, null_rule):
            if len(row) != 2:
                break
            rows.append([None if bare and not row[0] else row[0], row[1]])
    except BadRecordError:
        assert not goes_on
    assert goes_on is False or (count == len(rows) and not pending)
    assert count <= len(rows)
    other = begin_pass(forms, KEY, [0], 5, of_file=True)
    other.rows(rows[:count])
    assert taken.sums.differing(other.sums) == []


@examples(100)
@given(
    st.lists(
        st.tuples(st.none() | st.text(max_size=6), st.none() | st.sampled_from(["\\N", "\\", "N", "\t\n\r\b\f\v"]))
    )
)
def test_what_copy_writes_is_read_as_it_is_told(rows: list[tuple[str | None, str | None]]) -> None:
    """By the kernel and by Python, whatever is escaped in it."""
    columns = [ColumnRule(TableColumn(name, "any", text=True), "any", None) for name in "ab"]
    forms = Forms(columns, lambda _place, texts: [None] * len(texts))
    data = b"".join(text_lines(list(row) for row in rows))
    assert [tuple(copied_fields(line)) for line in data.splitlines(keepends=True)] == rows
    copied, plain = (begin_pass(forms, KEY, [0], 5, of_file=False) for _ in range(2))
    copied.copied(data)
    plain.rows(rows)
    assert copied.sums.differing(plain.sums) == []
    assert sum(copied.sums.counts) == len(rows)


def test_more_odd_rows_than_are_told_at_once() -> None:
    """All are summed, and found again in their order with the same hashes."""
    columns = [ColumnRule(TableColumn("v", "any", text=True), "any", kind) for kind in (Kind.NUMBER, None)]
    forms, key = Forms(columns, lambda _place, texts: [None] * len(texts)), new_key()
    rows = [(f"{number}e0" if number % 2 else str(number), "x") for number in range(20_000)]
    summed = begin_pass(forms, key, [0], 16, of_file=True)
    summed.rows(rows)
    plain = begin_pass(forms, key, [0], 16, of_file=True)
    plain.rows([(str(number), "x") for number in range(20_000)])
    assert summed.sums.differing(plain.sums) == []
    assert sum(summed.sums.counts) == 20_000
    found: list[tuple[tuple[int, int], str | None]] = []
    again = begin_pass(
        forms, key, [0], 16, of_file=True, wanted=[3, 4], take=lambda at, _by, _digest, row: found.append((at, row[0]))
    )
    again.rows(rows)
    assert len(found) == summed.sums.counts[3] + summed.sums.counts[4]
    assert found == sorted(found)
