"""What to type where a source reads otherwise than its user may mean: said once, and never what would harm the data."""

from __future__ import annotations

import pytest

from splitjoin_cli.core.errors import BadInputError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting import guesses
from splitjoin_cli.splitting.request import ChunkSize, RowCount
from splitjoin_cli.stores.sinks.memory import MemorySink
from tests.splitting.runs import blocks_of, request, split

BLANKS = "3 blank lines (the first is line 3) are rows of one field each; --skip-blank-lines leaves them out"
BLANK = "1 blank line (line 3) is a row of one field; --skip-blank-lines leaves it out"
SEMICOLON = "the header has one field and holds ';': if that separates the fields, --delimiter ';'"
TAB = "the header has one field and holds tab: if that separates the fields, --delimiter tab"
NEWLINE = (
    "line 2: \\n is read as the letter alone; "
    "if it means a control character, as in exports of MySQL and PostgreSQL, --c-escapes"
)
BROKEN_BAR = Dialect(delimiter="\N{BROKEN BAR}", encoding="cp1252")  # one byte there, two in UTF-8
SHORT = "line 2 (byte 4) has 1 field, the first has 2; such records are in 1 of 1 chunk"
ESCAPES = Dialect(escapechar="\\")
LITERAL = Dialect(stray_quote="literal")
OPEN = (
    "line {} (byte {}): the quote that opens here is still open at the end of the file, and no database loads that "
    "record; the export may be cut short"
)
IN_QUOTES = Dialect(escapechar="\\", escape_in="quotes")


def warnings_of(data: bytes, dialect: Dialect | None = None, **options: object) -> list[str]:
    """The warnings of a split of ``data``."""
    result = split(data, MemorySink(), request(dialect=dialect or Dialect(), **options))
    return list(result.plan.warnings)


@pytest.mark.parametrize("block_bytes", [3, 7, 1000])
@pytest.mark.parametrize(
    ("data", "dialect", "expected"),
    [
        (b"a,b\n1,2\n\n3,4\n \t\r\n\n", None, [BLANKS]),
        (b"a,b\n1,2\n\n3,4\n", None, [BLANK]),
        (b"a,b\n1,2\n ", None, [BLANK]),
        (b"a\n1\n\n", None, []),
        (b'a,b\n1,"\n\n"\n', None, []),
        (
            b"a;b;c\n1;2;3\n",
            None,
            [SEMICOLON],
        ),
        (
            b"a\tb\n1\t2\n",
            None,
            [TAB],
        ),
        (b"a b\n1\n", None, []),
        (b"a\xa6b\n1\xa62\n", BROKEN_BAR, []),
        (b"a\xa6b\n1\n", BROKEN_BAR, [SHORT]),
        (b"a,b\n1,x\\ny\\t\n", ESCAPES, [NEWLINE]),
        (b"a,b\n1,x\\\\n\n", ESCAPES, []),
        (b"a,b\n1,\\N\n", ESCAPES, []),
        (b"a,b\n1,x\\n\n", Dialect(escapechar="\\", c_escapes=True), []),
        (b"a,b\nC:\\new,2\n", IN_QUOTES, []),
        (b'a,b\nC:\\new,"\\n"\n', IN_QUOTES, [NEWLINE]),
        (b'a,b\n1,2\n3,"x\n', LITERAL, [OPEN.format(3, 10)]),
        (b'a,b\n"1","2\n3,4\n5,6', LITERAL, [OPEN.format(2, 8)]),
        (b'a,b\n1,x"y\n3,"z\n', LITERAL, [OPEN.format(3, 12)]),
        (b'a,b\n1,x"y\n3,"z"w\n', LITERAL, []),
    ],
)
def test_what_may_be_meant_otherwise_is_a_warning(
    data: bytes, dialect: Dialect | None, expected: list[str], block_bytes: int
) -> None:
    """With its count, its first line and the option to type, in blocks of any size."""
    with blocks_of(block_bytes):
        assert warnings_of(data, dialect, size=RowCount(2)) == expected


def test_a_header_that_keeps_its_carriage_return_is_a_warning() -> None:
    """With ``--line-end lf`` it is part of the last name."""
    (warning,) = warnings_of(b"a,b\r\n1,2\r\n", Dialect(line_end_rule="lf"))
    assert "if lines end with CR LF, leave --line-end out" in warning


def test_chunks_written_side_by_side_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread counts in its own chunk."""
    monkeypatch.setattr(guesses, "FIRST_LOOK", 64)
    data = b"a,b\n" + (b"1,22222222\n" * 20 + b"\n" + b"3,4\\n\n") * 30
    sizes: dict[str, object] = {"size": ChunkSize(400), "jobs": 2}
    with blocks_of(100):
        side_by_side = warnings_of(data, ESCAPES, **sizes)
    with blocks_of(100_000):
        assert side_by_side == warnings_of(data, ESCAPES, **sizes)
    assert side_by_side[0].startswith("30 blank lines (the first is line 22)")
    assert "line 23: \\n" in side_by_side[1]


def test_a_stray_quote_under_a_header_of_one_field_proposes_the_delimiter() -> None:
    """What would follow a literal reading is no table."""
    with pytest.raises(BadInputError) as caught:
        warnings_of(b'a;b\n"1";2\n')
    assert (caught.value.hint or "").startswith("the first line has one field and holds ';'")
