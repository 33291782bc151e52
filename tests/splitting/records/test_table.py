"""The scanner by a table of steps: what it finds is what a slow reader finds, in any blocks, by any walk and order."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st

from splitjoin_cli.core.model import Dialect
from splitjoin_cli.core.native import kernels
from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.open import new_scanner, table_scanner
from splitjoin_cli.splitting.records.outcome import NO_OFFSET, Kind, State, combine, identity
from splitjoin_cli.splitting.records.table import ending_of, table_of
from splitjoin_cli.splitting.records.tabled import HEAD_BYTES, TableScanner
from tests.laws import examples
from tests.splitting.csvs import alphabet_of, dialects, dirty_files, rare_dialects
from tests.splitting.records.test_numpy_scanner import Walk, automaton, blocks_of, combined, first_ragged, same, walk
from tests.splitting.slow_reader import RefusedError, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from splitjoin_cli.core.native import Kernel
    from tests.splitting.makers import MakeScanner


def _by(kernel: Kernel | None) -> MakeScanner:
    return lambda alphabet, block_bytes: table_scanner(alphabet, kernel)  # noqa: ARG005 -- the interface


BLOCKS = st.sampled_from([1, 3, 63, 64, 65, 200, 1000])
MAKERS = {"python": _by(None)} | {kernel.name: _by(kernel) for kernel in kernels()}


def each_table_scanner() -> Iterator[MakeScanner]:
    """An example is drawn once for all of them."""
    for name, make in MAKERS.items():
        note(f"walk: {name}")
        yield make


@st.composite
def long_files(draw: st.DrawFn, dialect: Dialect, *, lone_returns: bool = False) -> bytes:
    """Dirty files in the middle of clean ones, so that what is in them lies anywhere in a word of 64 bytes."""
    dirty = draw(dirty_files(dialect, lone_returns=lone_returns))
    before, after = draw(st.integers(0, 80)), draw(st.sampled_from([0, 80, 150]))
    clean = f"bc{dialect.delimiter}d\n".encode()
    return (clean * 30)[:before] + b"\n" + dirty + b"\n" + (clean * 60)[:after]


def check_against_slow_reader(data: bytes, dialect: Dialect, walked: Walk) -> None:
    """The same records with as many fields, or both refuse; ``data`` has no byte order mark."""
    outcome, ends, before = walked
    ending = ending_of(Alphabet.of(dialect), outcome.end)
    refuses = outcome.defect is not None or ending.defect is not None
    refuses = refuses or (ending.open and dialect.stray_quote != "literal")
    try:
        lines = lines_of(data, dialect)
    except RefusedError:
        assert refuses
        return
    assert not refuses
    if not ends or ends[-1] < len(data):
        ends, before = [*ends, len(data)], [*before, outcome.delimiters]
    assert ends == [line.end for line in lines]
    assert (np.diff(before, prepend=0) + 1).tolist() == [line.fields for line in lines]
    assert outcome.records == len(walked.ends)
    assert (outcome.first_end, outcome.last_end) == ((ends[0], walked.ends[-1]) if walked.ends else (NO_OFFSET,) * 2)
    assert outcome.tail == outcome.delimiters - (walked.delimiters_before[-1] if walked.ends else 0)


@examples(120)
@given(st.data(), rare_dialects(), BLOCKS)
def test_records_are_a_slow_readers(data: st.DataObject, dialect: Dialect, block_bytes: int) -> None:
    """Delimiters of several bytes, cut anywhere by the blocks, and every other rule of the dialect."""
    content = data.draw(long_files(dialect))
    for make in each_table_scanner():
        check_against_slow_reader(content, dialect, walk(make, content, Alphabet.of(dialect), block_bytes))


@examples(100)
@given(st.data(), dialects(), st.sampled_from(State), st.booleans())
def test_the_table_agrees_with_the_masks(data: st.DataObject, dialect: Dialect, state: State, lf: bool) -> None:  # noqa: FBT001 -- drawn
    """For alphabets that both can read, from every state; and with the rules byte by byte."""
    alphabet = alphabet_of(dialect, literal=data.draw(st.booleans()))._replace(lf=lf)
    content = data.draw(long_files(dialect, lone_returns=True))
    assume(alphabet.escape is not None or state not in (State.ESCAPED, State.ESCAPED_QUOTED))
    block = memoryview(content)
    wanted = new_scanner(alphabet, len(block)).outcome(block, state)
    if not lf and not alphabet.literal:
        assert same(wanted, automaton(content, alphabet, state))
    for make in each_table_scanner():
        assert same(make(alphabet, len(block)).outcome(block, state), wanted)


@examples(60)
@given(st.data(), rare_dialects(), BLOCKS)
def test_blocks_combine_in_any_order(data: st.DataObject, dialect: Dialect, block_bytes: int) -> None:
    """The laws of a monoid, over all states of the dialect; and what is asked before does not matter."""
    content = data.draw(long_files(dialect, lone_returns=True))
    alphabet = Alphabet.of(dialect)
    blocks = blocks_of(content, block_bytes)
    picks = [data.draw(st.integers(0, left - 1)) for left in range(len(blocks) - 1, 0, -1)]
    neutral = identity(table_of(alphabet).states)
    for make in each_table_scanner():
        scanner, alone = make(alphabet, block_bytes), make(alphabet, block_bytes)
        indexes = [scanner.scan(block, every_state=True) for block in blocks]
        for block, index in zip(blocks, indexes, strict=True):
            likely = alone.scan(block)
            for state in data.draw(st.permutations(range(table_of(alphabet).states)))[:4]:
                outcome = index.outcomes[state]
                assert outcome is not None
                assert same(likely.outcomes[state] or outcome, outcome)
                assert same(alone.outcome(block, state), outcome)
        folded = reduce(combine, indexes, neutral)
        assert combined(indexes, picks) == folded == combine(folded, neutral)
        whole = make(alphabet, len(content)).scan(memoryview(content), every_state=True)
        for mine, direct in zip(folded.outcomes, whole.outcomes, strict=True):
            assert mine is not None
            assert direct is not None
            assert same(mine, direct)


@examples(60)
@given(st.data(), rare_dialects(), BLOCKS, st.one_of(st.none(), st.integers(0, 3)))
def test_the_first_ragged_record_is_found(
    data: st.DataObject, dialect: Dialect, block_bytes: int, expected: int | None
) -> None:
    """As the slow reader counts fields."""
    content = data.draw(long_files(dialect))
    try:
        lines = lines_of(content, dialect)
    except RefusedError:
        return
    ended = [line for line in lines if content[: line.end].endswith(b"\n")]
    alphabet = Alphabet.of(dialect)
    for make in each_table_scanner():
        walked = walk(make, content, alphabet, block_bytes)
        counts = [line.fields - 1 for line in ended[: len(walked.ends)]]
        wanted = counts[0] if expected is None and counts else expected
        wrong = next((number for number, count in enumerate(counts) if count != wanted), None)
        found = first_ragged(make(alphabet, block_bytes), blocks_of(content, block_bytes), expected, wanted)
        assert found == (None if wrong is None else (lines[wrong].start, counts[wrong]))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("delimiter", ["||", "¦"])
def test_blocks_of_any_size_and_start(name: str, delimiter: str) -> None:
    """Around the head that is walked for itself, and the width of a word; the last quote that opens, too."""
    record = f'1{delimiter}"a{delimiter}\n""b"{delimiter}c|d\n'.encode()
    data = record * 60
    dialect = Dialect(delimiter)
    scanner = MAKERS[name](Alphabet.of(dialect), len(data))
    for size in (1, 63, 64, 65, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, len(data)):
        block = memoryview(data[:size])
        outcome = scanner.outcome(block, State.FIELD)
        ends = scanner.ends(block, State.FIELD, 100)
        assert outcome.records == len(ends) == size // len(record)
        assert list(scanner.delimiters_before(block, State.FIELD, [0, size])) == [0, outcome.delimiters]
        opened = data[:size].rfind(f'1{delimiter}"'.encode())
        expected = NO_OFFSET if opened < 0 else opened + 1 + len(delimiter.encode())
        assert scanner.last_opening(block, State.FIELD) == expected


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("spaces", [1, 3])
def test_spaces_before_a_quote_are_skipped_across_words(name: str, spaces: int) -> None:
    """The quote may be the first byte of a word, and what is skipped before it the last of the one before."""
    alphabet = Alphabet.of(Dialect(skip_initial_space=True))
    gap = b" " * spaces
    for before in range(64):
        data = b"b" * (HEAD_BYTES + before) + b"," + gap + b'"q,r"\n' + gap + b'"s",t\n' + b"c,d\n" * 30
        outcome = MAKERS[name](alphabet, len(data)).outcome(memoryview(data), State.FIELD)
        assert (outcome.defect, outcome.records, outcome.delimiters) == (None, 32, 32)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("start", [b"||||c|", b"\\||", b"||||c"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_record_that_ends_in_the_next_word_is_one(name: str, start: bytes, end: bytes) -> None:
    """Behind a byte that began a delimiter, the last of a word that masks cannot read: the next one's first is read."""
    scanner = MAKERS[name](Alphabet.of(Dialect("||", escapechar="\\")), 1024)
    for before in range(64, 192):
        data = b"b" * before + start + end + b"c||d\n" * 40
        block = memoryview(data)
        outcome, ends = scanner.outcome(block, State.FIELD), scanner.ends(block, State.FIELD)
        assert (outcome.defect, outcome.records) == (None, 41)
        assert list(ends) == [end + 1 for end, byte in enumerate(data) if byte == ord("\n")]


@pytest.mark.parametrize(
    ("data", "delimiter", "stray", "kind", "offset"),
    [
        (b'a||"b"|c', "||", "error", Kind.CLOSING, 5),
        (b'"b"|', "||", "error", Kind.CLOSING, 2),
        (b'a|"b', "||", "error", Kind.OPENING, 2),
        (b"a||b\rc", "||", "error", Kind.LONE_CR, 4),
        (b"a,b\rc", ",", "mysql", Kind.LONE_CR, 3),
    ],
)
def test_what_breaks_the_rules_is_named_by_its_place(
    data: bytes, delimiter: str, stray: str, kind: Kind, offset: int
) -> None:
    """A delimiter that breaks off behind a closing quote is data there, at the file's end too."""
    alphabet = Alphabet.of(Dialect(delimiter, stray_quote=stray))  # type: ignore[arg-type]
    for make in MAKERS.values():
        outcome = make(alphabet, len(data)).outcome(memoryview(data), State.FIELD)
        if outcome.defect is not None:
            assert outcome.defect == (offset, kind)
        else:
            ending = ending_of(alphabet, outcome.end)
            assert (len(data) - ending.back, ending.defect) == (offset, kind)


def test_only_what_masks_cannot_read_is_read_by_a_table() -> None:
    """Today's dialects keep the fast way; only LF ending records does so as well."""
    assert isinstance(new_scanner(Alphabet.of(Dialect("||")), 64), TableScanner)
    for dialect in (Dialect(), Dialect(line_end_rule="lf"), Dialect(quotechar=None, skip_initial_space=True)):
        assert not isinstance(new_scanner(Alphabet.of(dialect), 64), TableScanner)


@pytest.mark.parametrize("stray", ["error", "literal", "mysql"])
@pytest.mark.parametrize("delimiter", [",", "||", "~|~", "<--->"])
def test_what_lies_across_the_edge_of_a_word(delimiter: str, stray: str) -> None:
    """Delimiters, what only begins like one, quotes and escapes, moved byte by byte over the place."""
    dialect = Dialect(delimiter, escapechar="\\", stray_quote=stray, skip_initial_space=True)  # type: ignore[arg-type]
    begun = delimiter[:-1]
    pieces = [delimiter, delimiter * 2, begun, begun + '"b', f'{delimiter}"b"', f'{delimiter} "b"', f'"b"{delimiter}']
    pieces += [
        f'\\{delimiter}"',
        '\\x"',
        "\\\\",
        '\\""',
        '"',
        '""',
        f'{delimiter}"b\\"{delimiter}"',
        "\r\n",
        '"b"\r\n"c"',
    ]
    alphabet = Alphabet.of(dialect)
    makers = [make(alphabet, 400) for make in MAKERS.values()]
    for before in range(55, 66):
        for opened in ("", f'{delimiter}"'):
            for piece in pieces:
                data = ("a" * before + opened + piece + f"x{delimiter}y\n" * 30).encode()
                outcomes = [scanner.outcome(memoryview(data), State.FIELD) for scanner in makers]
                ends = [list(scanner.ends(memoryview(data), State.FIELD)) for scanner in makers]
                assert all(same(outcome, outcomes[0]) for outcome in outcomes)
                if outcomes[0].defect is None:
                    assert all(found == ends[0] for found in ends)
