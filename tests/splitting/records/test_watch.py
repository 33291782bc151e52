"""What a Watch finds is a function of the bytes and the dialect: not of the blocks, nor of what scans them."""

from __future__ import annotations

import os
from itertools import cycle
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis import assume, example, given
from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.open import new_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, State
from splitjoin_cli.splitting.records.table import ending_of
from splitjoin_cli.splitting.records.watch import Watch
from splitjoin_cli.splitting.survey import SurveyForm
from tests.laws import examples
from tests.splitting.csvs import BLOCK_BYTES, dialects, rare_dialects
from tests.splitting.slow_reader import is_blank, lines_of, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@st.composite
def files(draw: st.DrawFn, dialect: Dialect) -> bytes:
    """Records too long and too short, blank lines within quotes and without, letters behind escape characters."""
    delimiter, quote, escape = dialect.delimiter, dialect.quotechar, dialect.escapechar
    pieces = [
        f"a{delimiter}b",
        f"a{delimiter}b",
        f"a{delimiter}b{delimiter}c",
        "a",
        "",
        "",
        " ",
        "\t",
        " \t ",
        f" a{delimiter}",
        "x" * 70,
    ]
    if quote is not None:
        pieces += [
            f"{quote}a\n\n{delimiter}{quote}{delimiter}b",
            f"{quote}\n \n{quote * 2}\n\n{quote}{delimiter}{quote * 2}",
        ]
    if escape is not None:
        pieces += [
            f"{escape}n{delimiter}a",
            f"{escape}\n{delimiter}",
            f"{escape}{escape}n{delimiter}",
            f"a{delimiter}{escape}\n",
        ]
    ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"]]))
    lines = draw(st.lists(st.tuples(st.sampled_from(pieces), st.sampled_from(ends)), max_size=40))
    return "".join(["a", delimiter, "b\n", *(text + end for text, end in lines)]).encode() + draw(
        st.sampled_from([b"", b"", b" ", b"a"])
    )


def watched(data: bytes, dialect: Dialect, blocks: Sequence[int]) -> tuple[int, int, int]:
    """What one sees in blocks of these sizes, again and again."""
    alphabet = Alphabet.of(dialect)
    watch, scanner, form = (
        Watch(alphabet),
        new_scanner(alphabet, max(blocks)),
        SurveyForm.of(alphabet, None, headers=False),
    )
    state, base = int(State.FIELD), 0
    for size in cycle(blocks):
        if base >= len(data):
            break
        block = memoryview(data)[base : base + size]
        outcome = scanner.outcome(block, state)
        assume(outcome.defect is None)
        watch.look(block, base, state, outcome, scanner, several=True, blanks=form.look(block).blanks)
        state, base = outcome.end, base + len(block)
    ending = ending_of(alphabet, state)
    assume(not ending.open and ending.defect is None)
    watch.end(len(data), several=True)
    return watch.blank_lines, watch.first_blank, watch.first_letter


@examples(80)
@example(dialect=Dialect(), data=b"a,b\n1,2,3\n\n", blocks=[64], compiled=True)
@given(
    dialect=st.shared(st.one_of(dialects(), rare_dialects()), key="dialect"),
    data=st.shared(st.one_of(dialects(), rare_dialects()), key="dialect").flatmap(files),
    blocks=st.lists(BLOCK_BYTES, min_size=1, max_size=5),
    compiled=st.booleans(),
)
def test_blank_lines_and_letters_are_those_of_the_bytes(
    dialect: Dialect,
    data: bytes,
    blocks: list[int],
    compiled: bool,  # noqa: FBT001
) -> None:
    """Counted exactly, where a long record and a blank line of one block have as many delimiters as two others, too."""
    with mock.patch.dict(os.environ, {"SPLITJOIN_SCANNER": "" if compiled else "numpy"}):
        found = watched(data, dialect, blocks)
    assert found == watched(data, dialect, [len(data)])
    assume("\t" not in (dialect.quotechar, dialect.escapechar))  # the reader below takes it for a blank
    lines = lines_of(data, dialect)
    blanks = [line for line in lines if is_blank(text_of(line, data, dialect), dialect)]
    first = NO_OFFSET if not blanks else blanks[0].end - 1
    assert found[:2] == (len(blanks), first)
