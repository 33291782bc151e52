"""Lines that are no records: the same ones whatever the blocks, and as a slow reader tells them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.native import kernel
from splitjoin_cli.splitting.records import lines as lines_module
from splitjoin_cli.splitting.records.base import Alphabet, FieldCount
from splitjoin_cli.splitting.records.lines import BLANK, RECORD, REPEATED, LineSorter, header_text
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State
from splitjoin_cli.splitting.stored.records import RecordCounter
from tests.laws import examples
from tests.splitting.slow_reader import is_blank, lines_of, text_of

if TYPE_CHECKING:
    from splitjoin_cli.splitting.records.base import BlockScanner

PIECES = [b"\n", b"\r\n", b" ", b"\t", b" \t \n", b"a", b",", b"a,b\n", b"a,b\r\n", b'"\n\n"', b"\\\n"]
CONTENTS = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)
DIALECTS = st.sampled_from(
    [
        Dialect(),
        Dialect("\t"),
        Dialect(" ", None),
        Dialect("\t\t"),
        Dialect(escapechar="\\"),
        Dialect(line_end_rule="lf"),
    ]
)


def sorted_kinds(data: bytes, dialect: Dialect, block_bytes: int, *, blanks: bool) -> dict[int, int]:
    """The kind of each line after the header ``a,b``, by its end; that of the last one without a line end, too."""
    alphabet = Alphabet.of(dialect)
    scanner, state, base = new_scanner(alphabet, block_bytes), int(State.FIELD), 0
    sorter = LineSorter(alphabet, blanks=blanks, header=header_text(b"\xef\xbb\xbfa,b\n", alphabet))
    kinds: dict[int, int] = {}
    for at in range(0, len(data), block_bytes):
        block = memoryview(data)[at : at + block_bytes]
        ends = scanner.ends(block, state, base)
        found = sorter.sort(block, ends, base)
        if found is None:
            kinds |= dict.fromkeys(ends, RECORD)
        else:
            assert sorted([*found.records, *found.repeated]) == list(found.solid)
            by_kind = zip((RECORD, BLANK, REPEATED), (found.records, found.blanks, found.repeated), strict=True)
            kinds |= {end: kind for kind, ends in by_kind for end in ends}
        state, base = scanner.outcome(block, state).end, base + len(block)
    if data and max(kinds, default=0) < len(data):
        kinds[len(data)] = sorter.last()
    return kinds


@pytest.mark.parametrize("compiled", [True, False])
def test_lines_are_told_as_a_slow_reader_tells_them(compiled: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Blank lines and headers, in quotes or not, cut by blocks anywhere, with the kernel and without."""

    @examples(120)
    @given(CONTENTS, DIALECTS, st.sampled_from([1, 2, 5, 64, 500]), st.booleans())
    def law(data: bytes, dialect: Dialect, block_bytes: int, blanks: bool) -> None:  # noqa: FBT001 -- drawn
        data = data.replace(b"\\", b"") if dialect.escapechar is None else data
        wanted = {}
        for line in lines_of(b"\n" + data, replace(dialect, stray_quote="literal")):
            text = text_of(line, b"\n" + data, dialect)
            kind = BLANK if blanks and is_blank(text, dialect) and '"' not in text.decode() else RECORD
            wanted[line.end - 1] = REPEATED if text == b"a,b" else kind
        wanted.pop(0)
        literal = replace(dialect, stray_quote="literal")
        assert sorted_kinds(data, literal, block_bytes, blanks=blanks) == wanted

    with mock.patch.object(lines_module, "own_kernel", kernel if compiled else lambda: None):
        law()


def test_blank_lines_are_passed_over_where_fields_are_counted() -> None:
    """The first ragged record is none of them; a line of which blanks came before is blank with them alone."""
    alphabet = Alphabet.of(Dialect())
    scanner: BlockScanner = new_scanner(alphabet, 64)
    sorter = LineSorter(alphabet, blanks=True)
    block = memoryview(b" \n\n" + b" " * 300 + b"\r\na,b\n\na\n")
    found = sorter.first_ragged(scanner, block, State.FIELD, before=0, expected=None)
    assert found == FieldCount(len(block) - 2, 0)
    assert sorter.first_ragged(scanner, block[:-2], State.FIELD, before=0, expected=1) is None
    sorter.pass_over(memoryview(b"a,b\n x"), 4)
    assert sorter.first_ragged(scanner, block[:2], State.DATA, before=0, expected=1) == FieldCount(NO_OFFSET, 0)


def test_what_is_stored_is_counted_without_them() -> None:
    """As the split counted: of a chunk's body, with its header at hand."""
    dialect = Dialect(skip_blank_lines=True, skip_repeated_headers=True)
    body = b"\n1,2\n \na,b\r\n3,4\na,b"
    for size in (1, 7, 100):
        counter = RecordCounter(dialect, at=4, header=b"a,b\n")
        firsts = [counter.feed(memoryview(body[at : at + size])) for at in range(0, len(body), size)]
        assert counter.records == 2
        assert max(firsts) >= 0
    counter = RecordCounter(dialect)
    assert counter.feed(memoryview(body)) == 5
    assert counter.records == 4
