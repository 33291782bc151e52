"""Where a bad row is: records as they stand, and what PostgreSQL calls their lines."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.stores.loaders.bad_rows import BadRecordError, BadTextError, CopyLines, Record, numbered
from splitjoin_cli.stores.loaders.fields import records
from splitjoin_cli.stores.loaders.place import placed, whole_records
from splitjoin_cli.testing.chunks import chunk_of
from tests.stores.loaders.test_fields import CUTS, TEXTS, cut

MOST = 1 << 20


@pytest.mark.parametrize(
    "dialect",
    [Dialect(), Dialect(escapechar="\\"), Dialect(quotechar=None), Dialect(quotechar=None, escapechar="\\")],
    ids=["rfc4180", "escape", "no quotes", "escape without quotes"],
)
@given(text=TEXTS, places=CUTS)
def test_records_stand_as_the_reader_takes_them(dialect: Dialect, text: str, places: list[int]) -> None:
    """Wherever the text is cut: together they are the text, and each is one record; lines are newlines before it."""
    found = list(whole_records(cut(text, places), dialect, 1, MOST))
    assert "".join(record.text for record in found) == text
    before = ""
    for number, record in enumerate(found, start=1):
        assert (record.number, record.line) == (number, before.count("\n") + 1)
        before += record.text
        if not record.is_open:
            assert len(list(records([record.text], dialect))) == 1
    if not any(record.is_open for record in found):
        assert len(list(records([text], dialect))) == len(found)


def test_a_record_that_is_too_long_ends_the_search() -> None:
    """What no reader held is not held to find its line either."""
    found = list(whole_records(["1,a\n", '2,"' + "x" * 50, "x" * 50 + '"\n3,b\n'], Dialect(), 5, 40))
    assert [(record.number, record.line, record.is_open) for record in found] == [(1, 5, False), (2, 6, False)]
    assert len(found[-1].text) < 60


@given(st.lists(st.sampled_from(["a", '"a\nb"', '"\r"', '"a\r\nb\n"']), min_size=1, max_size=8), st.booleans())
def test_copys_lines_are_found(fields: list[str], header: bool) -> None:  # noqa: FBT001 -- Hypothesis gives it
    """Whatever it counts, each record ends at another line, in order, and that line finds it."""
    texts = [f"{field}\n" for field in fields]
    counts = _as_copy_counts(texts if not header else ['"h\nh"\n', *texts])
    for number, line in enumerate(counts[1:] if header else counts, start=1):
        find = CopyLines(line, header='"h\nh"\n' if header else "")
        seen = [place for place, text in enumerate(texts, start=1) if find(Record(place, 0, text))]
        assert seen[0] == number


def _as_copy_counts(texts: list[str]) -> list[int]:
    """copyfromparse.c in small: the line end is known once the first line has ended."""
    line, counts, known = 0, [], False
    for text in texts:
        line += 1
        inside = False
        for char in text:
            inside ^= char == '"'
            line += inside and char == ("\n" if known else "\r")
        known = True
        counts.append(line)
    return counts


def test_the_place_comes_before_the_reason() -> None:
    """Both numbers, and a hint that stays."""
    chunk = chunk_of(b'1,"a\nb"\n2,c\n', rows=None)
    error = placed(chunk, BadRecordError("the reason", numbered(2), hint="the hint"), MOST)
    assert (error.message, error.hint) == ("record 2, line 4 of the chunk: the reason", "the hint")
    error = placed(chunk, BadRecordError("the reason", None), MOST)
    assert error.message == "the reason"
    error = placed(chunk, BadRecordError("the reason", numbered(9)), MOST)
    assert error.message == "the reason"


@pytest.mark.parametrize(("encoding", "said"), [("utf-8", "UTF-8"), ("UTF8", "UTF-8"), ("cp1252", "cp1252")])
def test_the_first_byte_that_is_not_text_is_found(encoding: str, said: str) -> None:
    """Its own line, which may lie within a record."""
    data = b'1,"a\nb"\n2,"\n\x81c"\n3,\x81\n'
    chunk = chunk_of(data, rows=None, dialect=Dialect(encoding=encoding, line_end="\n"))
    error = placed(chunk, BadTextError(encoding), MOST)
    assert error.message == f"record 2, line 5 of the chunk: byte 0x81 is not valid {said}"
    assert error.hint is not None
    assert re.search(r"--encoding NAME", error.hint)


def test_the_csv_module_agrees_on_what_a_record_is() -> None:
    """These tests' own measure."""
    assert [len(row) for row in csv.reader(io.StringIO('1,"a\nb"\n2,c\n', newline=""))] == [2, 2]
