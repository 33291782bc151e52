"""Records read field by field mean what the csv module says, for any text and wherever it is cut."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.fields import decoded, records, text_lines
from tests.stores.loaders.slow_fields import OpenError, slow_records

TEXTS = st.lists(st.sampled_from(["a", "é", '"', '""', ",", "\n", "\r\n", "\\", " ", "NULL", "\\N"]), max_size=30).map(
    "".join
)
CUTS = st.lists(st.integers(0, 60), max_size=4)


def cut(text: str, places: list[int]) -> list[str]:
    """``text`` in pieces."""
    edges = [0, *sorted(place for place in places if place < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def by_csv(text: str, dialect: Dialect) -> list[list[str]] | None:
    """What the csv module reads; None where the text ends within a quote or after an escape, which it does not say."""
    rows, more = (_read(each, dialect) for each in (text, f"{text}\n1{dialect.delimiter}2"))
    # one more record shows whether the last one was open
    return rows if more[-1] == ["1", "2"] else None


def _read(text: str, dialect: Dialect) -> list[list[str]]:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quotechar,
        escapechar=dialect.escapechar,
        quoting=csv.QUOTE_MINIMAL if dialect.quotechar else csv.QUOTE_NONE,
    )
    return [row or [""] for row in reader]


@pytest.mark.parametrize(
    "dialect",
    [Dialect(), Dialect(escapechar="\\"), Dialect(quotechar=None), Dialect(quotechar=None, escapechar="\\")],
    ids=["rfc4180", "escape", "no quotes", "escape without quotes"],
)
@given(text=TEXTS, places=CUTS)
def test_fields_are_those_of_csv(dialect: Dialect, text: str, places: list[int]) -> None:
    """Or the end lies within a quote, which is an error."""
    expected = by_csv(text, dialect)
    found: list[list[str | None]] | None
    try:
        found = list(records(cut(text, places), dialect))
    except BadRowError:
        found = None
    if found is not None and dialect.escapechar:  # the csv module knows no NULL: it reads \N as N
        found = [["N" if field is None else field for field in row] for row in found]
    assert found == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("never", ["", "", "NULL", "NULL", "null"]),
        ("word", ["", "", None, "NULL", "null"]),
        ("empty", [None, "", "NULL", "NULL", "null"]),
    ],
)
def test_null_is_never_quoted(rule: str, expected: list[str | None]) -> None:
    """Each database's rule, and what is in quotes is text."""
    [row] = records([',"",NULL,"NULL",null'], Dialect(), rule)  # type: ignore[arg-type]  # a NullRule, from a list
    assert row == expected


def test_escape_and_n_is_null() -> None:
    """With an escape character alone, and outside quotes alone."""
    assert list(records(['\\N,"\\N",a\\N\n'], Dialect(escapechar="\\"))) == [[None, "N", "aN"]]
    assert list(records(['\\N,"\\N"\n'], Dialect())) == [["\\N", "\\N"]]


def test_a_record_that_is_not_closed_is_an_error() -> None:
    """It is not given out as if it were whole."""
    with pytest.raises(BadRowError) as caught:
        list(records(['1,a\n2,"b\n', "3,c\n"], Dialect()))
    assert caught.value.message == "a quote is never closed"


def test_a_long_field_takes_linear_time() -> None:
    """64 MiB in small pieces: reading it anew for each would take hours."""
    pieces = ['1,"', *["x" * 65536] * 256, '"\n']
    [[_, field]] = records(pieces, Dialect())
    assert field is not None
    assert len(field) == 65536 * 256


def test_text_lines() -> None:
    """PostgreSQL's text format."""
    rows: list[list[str | None]] = [["a\tb", None, "c\nd\re", "\\N", ""]]
    assert b"".join(text_lines(rows)) == b"a\\tb\t\\N\tc\\nd\\re\t\\\\N\t\n"


def test_characters_may_be_cut_and_must_be_characters() -> None:
    """Blocks know nothing of UTF-8."""
    data = "é日🎌".encode()
    assert "".join(decoded([data[:1], data[1:4], data[4:]], "utf-8")) == "é日🎌"
    with pytest.raises(BadRowError, match=r"^byte 0xff is not valid UTF-8$"):
        list(decoded([b"a\xff"], "utf-8"))


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    """Any dialect that exporters may write."""
    quote, escape = draw(st.sampled_from(['"', None])), draw(st.sampled_from(["\\", None]))
    flags = [draw(st.booleans()) for _ in range(4)]
    return Dialect(
        delimiter=draw(st.sampled_from([",", "||", "aab", " ", "¦", "\t\t"])),
        quotechar=quote,
        escapechar=escape,
        nulls=draw(st.sampled_from([None, (), ("",), ("NULL", "\\N"), ("a",)])),
        c_escapes=escape is not None and flags[0],
        escape_in=draw(st.sampled_from(["any", "quotes"])) if quote and escape else "any",
        line_end_rule=draw(st.sampled_from(["auto", "lf"])),
        stray_quote=draw(st.sampled_from(["literal", "mysql"])),
        skip_initial_space=flags[1],
        skip_blank_lines=flags[2],
        skip_repeated_headers=flags[3],
    )


PIECES = ["a", "aab", "é", '"', '""', "\n", "\r\n", "\r", "\\", "\\n", "\\N", " ", "\t", "NULL", "n", "|", "h"]


@given(
    dialect=dialects(),
    pieces=st.lists(st.sampled_from([*PIECES, "d", "d", "head"]), max_size=30),
    places=CUTS,
)
def test_fields_of_any_dialect_are_those_of_the_slow_reader(
    dialect: Dialect, pieces: list[str], places: list[int]
) -> None:
    """Wherever the text is cut; what the one refuses, the other refuses."""
    header = f"h{dialect.delimiter}h\r\n"
    words = {"d": dialect.delimiter, "head": f"h{dialect.delimiter}h\n"}
    text = "".join(words.get(piece, piece) for piece in pieces)
    expected: list[list[str | None]] | None
    try:
        expected = slow_records(text, dialect, header)
    except OpenError:
        expected = None
    found: list[list[str | None]] | None
    try:
        found = list(records(cut(text, places), dialect, header=header))
    except BadRowError:
        found = None
    assert found == expected
