"""A table beside the records that it came from: what differs is found, row by row, whatever may be held at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.native import kernel
from splitjoin_cli.join.operate.values import (
    ChangedRow,
    ChangedValue,
    FoundRow,
    Limits,
    Values,
    compare_values,
    hashing,
)
from splitjoin_cli.stores.loaders.exact.base import ColumnRule
from splitjoin_cli.stores.loaders.exact.equality import Kind
from splitjoin_cli.stores.loaders.session import TableColumn
from tests.laws import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.stores.loaders.read_back import RowSink

Row = tuple[str | None, ...]
SMALL = Limits(rows=3, data_bytes=4000, passes=1000, buckets=7)


def rule(name: str, kind: Kind | None, *, checked: bool = True) -> ColumnRule:
    """A column's."""
    return ColumnRule(TableColumn(name, "any", text=True), "any", kind, is_checked=checked)


RULES = (rule("id", Kind.NUMBER), rule("day", Kind.DATE), rule("name", None))
FILE: list[tuple[int, Row]] = [
    (1, ("1", "2024-01-31", "Ann")), (1, ("02", "31 Jan 2024", "Bob")), (2, ("3", None, "")), (2, ("4", "x", None)),
]  # fmt: skip
TABLE: list[Row] = [("4", "x", None), ("3", None, ""), ("2", "2024-01-31", "Bob"), ("1", "2024-01-31", "Ann")]


def compared(
    table: Sequence[Row],
    *,
    key: Sequence[int] = (0,),
    rules: Sequence[ColumnRule] = RULES,
    file: Sequence[tuple[int, Row]] = FILE,
    limits: Limits | None = None,
) -> Values:
    """The comparison."""
    rows = [(0, row) for row in table]
    return compare_values(rules, key, Rows(file), Rows(rows), converted=converted, limits=limits)


def converted(place: int, texts: Sequence[str]) -> list[str | None]:
    """What a database says of days in words."""
    return ["2024-01-31" if place == 1 and text == "31 Jan 2024" else None for text in texts]


class Rows:
    """A side."""

    def __init__(self, rows: Sequence[tuple[int, Row]]) -> None:
        self._rows, self.number = rows, 0

    def read(self, sink: RowSink) -> None:
        for number, row in self._rows:
            self.number = number
            sink.rows([row])


@pytest.fixture(params=["kernel", "Python"], autouse=True)
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiled functions, and without."""
    if request.param == "Python":
        monkeypatch.setattr(hashing, "kernel", lambda: None)
    elif kernel() is None:
        pytest.skip("the package was built without a compiler")


@pytest.mark.parametrize("key", [(0,), (), (1, 0), (2,)])
@pytest.mark.parametrize("limits", [None, SMALL])
def test_the_same_rows_in_another_order_and_spelling(key: tuple[int, ...], limits: Limits | None) -> None:
    """With a key and without one; a date in words, which no rule reads, is what the database made of it."""
    found = compared(TABLE, key=key, limits=limits)
    assert (found.agree, found.rows, found.table_rows, found.chunks) == (True, 4, 4, ())


def test_each_kind_of_damage() -> None:
    """A row lost, doubled, changed, and one of elsewhere; NULL and the empty text are two values."""
    table = [("4", "x", ""), TABLE[1], TABLE[1], ("2", "2024-01-31", "Bo\x1bb"), ("9", None, "n" * 300)]
    found = compared(table)
    assert found.chunks == (1, 2)
    assert found.missing == (FoundRow(1, {"id": "1", "day": "2024-01-31", "name": "Ann"}),)
    assert [row.number for row in found.extra] == [2, None]  # the doubled one is of a chunk
    name = found.extra[1].row["name"]
    assert name is not None
    assert len(name) == 95
    assert found.changed == (
        ChangedRow(1, {"id": "02"}, (ChangedValue("name", "Bob", "Bo\\x1bb"),)),
        ChangedRow(2, {"id": "4"}, (ChangedValue("name", None, ""),)),
    )
    assert (found.missing_rows, found.extra_rows, found.changed_rows, found.agree) == (1, 2, 2, False)
    without = compared(table, key=())
    assert (without.missing_rows, without.extra_rows, without.changed_rows) == (3, 4, 0)


def test_columns_without_a_rule_are_named_and_left_out() -> None:
    """Whatever is in them."""
    rules = (*RULES[:2], rule("name", None, checked=False))
    found = compared([(*row[:2], "other") for row in TABLE], rules=rules)
    assert (found.agree, found.not_compared) == (True, ("name (any)",))


def test_ten_rows_of_each_are_shown_in_the_files_order() -> None:
    """And all are counted, in as many passes as it takes."""
    file = [(number // 10 + 1, (str(number), None, "n")) for number in range(100)]
    found = compared([], file=file, limits=Limits(rows=30, passes=100, buckets=64))
    assert [row.row["id"] for row in found.missing] == [str(number) for number in range(10)]
    assert (found.missing_rows, found.chunks, found.complete) == (100, tuple(range(1, 11)), True)


def test_more_than_may_be_looked_at_is_said() -> None:
    """After some passes, and where rows of one key are more than may be held at all."""
    file = [(1, (str(number), None, "n")) for number in range(100)]
    found = compared([], file=file, limits=Limits(rows=5, passes=2, buckets=64))
    assert 0 < found.missing_rows < 100
    assert not found.complete
    assert not found.agree
    found = compared([], file=[(1, ("1", None, "n"))] * 50, limits=Limits(rows=5, buckets=64))
    assert (found.missing_rows, found.complete, found.agree) == (0, False, False)


ROWS = st.lists(st.tuples(st.sampled_from("123"), st.none(), st.sampled_from(["a", "", None])), max_size=12)


@examples(150)
@given(ROWS, ROWS, st.booleans())
def test_the_law_of_multisets(file: list[Row], table: list[Row], small: bool) -> None:  # noqa: FBT001 -- Hypothesis
    """Whatever is held at once: what is lost and what is too much is the difference of two multisets."""
    numbered = [(1, row) for row in file]
    limits = Limits(rows=4, passes=1000, buckets=3) if small else None
    found = compared(table, key=(), file=numbered, limits=limits)
    lost, more = Counter(file) - Counter(table), Counter(table) - Counter(file)
    assert found.agree == (not lost and not more)
    if found.complete:
        assert (found.missing_rows, found.extra_rows) == (lost.total(), more.total())
        keyed = compared(table, file=numbered)
        assert keyed.missing_rows + keyed.changed_rows == lost.total()
        assert keyed.extra_rows + keyed.changed_rows == more.total()
