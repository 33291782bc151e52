"""Law L2: what the scanner finds is what the csv module reads, for any file, any blocks, any order of combination."""

from __future__ import annotations

from functools import cache, reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from splitjoin_cli.core.model import CR, LF, Dialect
from splitjoin_cli.splitting.records.base import Alphabet, FieldCount
from splitjoin_cli.splitting.records.outcome import (
    IDENTITY,
    NO_OFFSET,
    BlockIndex,
    Defect,
    Kind,
    Outcome,
    State,
    combine,
    join,
)
from tests.laws import examples
from tests.splitting.csvs import BLOCK_BYTES, BOM, alphabet_of, dialects, dirty_files, records_of, valid_files
from tests.splitting.makers import SCANNERS, MakeScanner, each_scanner, every_scanner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from splitjoin_cli.splitting.records.base import BlockScanner

NOTHING = Outcome(State.FIELD, 0, NO_OFFSET, NO_OFFSET, 0, 0, 0, None)
CSV = Alphabet(delimiter=b",", quote=ord('"'), escape=None)
ESCAPING = Alphabet(delimiter=b",", quote=ord('"'), escape=ord("\\"))


class Walk(NamedTuple):
    """A file scanned block after block: the outcome of all, the record ends, the delimiters before each of them."""

    outcome: Outcome
    ends: list[int]
    delimiters_before: list[int]


def blocks_of(data: bytes, block_bytes: int) -> list[memoryview]:
    """The whole of ``data``, in blocks of that size."""
    whole = memoryview(data)
    return [whole[at : at + block_bytes] for at in range(0, len(whole), block_bytes)]


def walk(make: MakeScanner, data: bytes, alphabet: Alphabet, block_bytes: int) -> Walk:
    """As the pipeline does it: a scan that leaves out the unlikely states, which are asked for later."""
    scanner = make(alphabet, block_bytes)
    total, position = NOTHING, 0
    ends: list[int] = []
    before: list[int] = []
    for block in blocks_of(data, block_bytes):
        state = total.end
        outcome = scanner.scan(block).outcomes[state] or scanner.outcome(block, state)
        found = scanner.ends(block, state)
        before += [total.delimiters + count for count in scanner.delimiters_before(block, state, found)]
        ends += scanner.ends(block, state, position)
        total, position = join(total, position, outcome), position + len(block)
    return Walk(total, ends, before)


def walk_of_all(data: bytes, alphabet: Alphabet, block_bytes: int) -> Walk:
    """The walk of every scanner, which is one: all of it, or up to the same defect."""
    first, *others = [walk(make, data, alphabet, block_bytes) for make in each_scanner()]
    for other in others:
        assert same(other.outcome, first.outcome)
        assert other[1:] == first[1:] or first.outcome.defect is not None
    return first


def check_against_csv(data: bytes, dialect: Dialect, walked: Walk) -> None:
    """The same records, each with as many fields; ``data`` has no byte order mark."""
    outcome, ends, before = walked
    if not ends or ends[-1] < len(data):  # the last record has no line end
        ends, before = [*ends, len(data)], [*before, outcome.delimiters]
    records = records_of(data, dialect)
    assert ends == [record.end for record in records]
    assert (np.diff(before, prepend=0) + 1).tolist() == [record.fields for record in records]
    assert outcome.records == len(walked.ends)
    assert outcome.first_end == (walked.ends[0] if walked.ends else NO_OFFSET)
    assert outcome.last_end == (walked.ends[-1] if walked.ends else NO_OFFSET)
    assert outcome.tail == outcome.delimiters - (walked.delimiters_before[-1] if walked.ends else 0)
    if dialect.escapechar is None:  # an escaped CR belongs to no line end
        assert outcome.crlf == sum(data[end - 2 : end] == b"\r\n" for end in walked.ends)


def step(byte: int, state: int, alphabet: Alphabet) -> State | Kind:
    """The rules for one byte: the state after it, or how it breaks them."""
    if state in (State.ESCAPED, State.ESCAPED_QUOTED):
        return State.DATA if state == State.ESCAPED else State.QUOTED
    if state == State.QUOTED:
        return {alphabet.quote: State.CLOSED, alphabet.escape: State.ESCAPED_QUOTED}.get(byte, State.QUOTED)
    if state == State.RETURNED and byte != LF:
        return Kind.LONE_CR
    after = {
        alphabet.quote: Kind.OPENING if state == State.DATA else State.QUOTED,
        alphabet.delimiter[0]: State.FIELD,
        LF: State.FIELD,
        CR: State.RETURNED,
    }.get(byte)
    if after is None and state != State.CLOSED:
        after = State.ESCAPED if byte == alphabet.escape else State.DATA
    return Kind.CLOSING if after is None else after


class Rules(dict[tuple[int, int], "State | Kind"]):
    """``step`` of one alphabet, each byte in each state looked up once."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet

    def __missing__(self, key: tuple[int, int]) -> State | Kind:
        after = self[key] = step(*key, self._alphabet)
        return after


rules = cache(Rules)


def automaton(data: bytes, alphabet: Alphabet, state: int) -> Outcome:
    """The rules byte by byte, up to the first that is broken: what the masks must agree with."""
    records = crlf = delimiters = tail = 0
    first = last = NO_OFFSET
    after_byte = rules(alphabet)
    for at, byte in enumerate(data):
        after = after_byte[byte, state]
        if isinstance(after, Kind):
            defect = Defect(at if after == Kind.OPENING else at - 1, after)
            return Outcome(state, records, first, last, crlf, delimiters, tail, defect)
        if after == State.FIELD and byte == LF:
            records, crlf, tail = records + 1, crlf + (state == State.RETURNED), 0
            first, last = (at + 1 if first == NO_OFFSET else first), at + 1
        elif after == State.FIELD:
            delimiters, tail = delimiters + 1, tail + 1
        state = after
    return Outcome(state, records, first, last, crlf, delimiters, tail, None)


@examples(100)
@given(st.data(), dialects(), BLOCK_BYTES)
def test_record_ends_are_the_csv_modules(data: st.DataObject, dialect: Dialect, block_bytes: int) -> None:
    """For every valid file, in every dialect, in blocks of any size, stray quotes literal or not."""
    content = data.draw(valid_files(dialect))
    body = content.removeprefix(BOM)
    for literal in (False, True):
        walked = walk_of_all(body, alphabet_of(dialect, literal=literal), block_bytes)
        assert walked.outcome.defect is None
        check_against_csv(body, dialect, walked)


@examples(120)
@given(st.data(), dialects(), BLOCK_BYTES)
def test_literal_reads_dirty_files_as_the_csv_module_does(
    data: st.DataObject, dialect: Dialect, block_bytes: int
) -> None:
    """Stray quotes and quotes that nobody closes, escaped or not; only a CR without its LF remains a defect."""
    content = data.draw(dirty_files(dialect))
    walked = walk_of_all(content, alphabet_of(dialect, literal=True), block_bytes)
    if walked.outcome.defect is not None:  # an LF that is escaped is none
        assert walked.outcome.defect.kind == Kind.LONE_CR
        assert dialect.escapechar is not None
        assume(False)  # noqa: FBT003 -- hypothesis' own signature
    assume(walked.outcome.end != State.RETURNED)
    check_against_csv(content, dialect, walked)


@examples(120)
@given(st.data(), dialects(), st.sampled_from(State))
def test_masks_agree_with_the_rules_byte_by_byte(data: st.DataObject, dialect: Dialect, state: State) -> None:
    """From every start state the first byte that breaks a rule is named, and where none does, all is counted."""
    content = data.draw(dirty_files(dialect, lone_returns=True))
    alphabet = alphabet_of(dialect)
    assume(alphabet.escape is not None or state not in (State.ESCAPED, State.ESCAPED_QUOTED))
    expected = automaton(content, alphabet, state)
    block = memoryview(content)
    for make in each_scanner():
        assert same(make(alphabet, len(block)).outcome(block, state), expected)


@examples(80)
@given(st.data(), dialects(), BLOCK_BYTES)
def test_outcomes_do_not_depend_on_what_was_asked_before(
    data: st.DataObject, dialect: Dialect, block_bytes: int
) -> None:
    """A scan of every state, a scan of the likely ones, and one state alone give the same outcomes."""
    alphabet = alphabet_of(dialect, literal=data.draw(st.booleans()))
    content = data.draw(dirty_files(dialect, lone_returns=True))
    for make in each_scanner():
        check_what_was_asked_before(make, content, alphabet, block_bytes)


def check_what_was_asked_before(make: MakeScanner, content: bytes, alphabet: Alphabet, block_bytes: int) -> None:
    """For one scanner."""
    every, likely, alone = (make(alphabet, block_bytes) for _ in range(3))
    for block in blocks_of(content, block_bytes):
        index = every.scan(block, every_state=True)
        lazy = likely.scan(block)
        assert index.size == lazy.size == len(block)
        for state, outcome in zip(State, index.outcomes, strict=True):
            if outcome is None:
                assert alphabet.escape is None
                assert state in (State.ESCAPED, State.ESCAPED_QUOTED)
                continue
            assert same(alone.outcome(block, state), outcome)
            assert same(lazy.outcomes[state] or outcome, outcome)
            if outcome.defect is None:
                assert len(alone.ends(block, state)) == outcome.records


def same(left: Outcome, right: Outcome) -> bool:
    """With a defect, nothing else of an outcome is meant."""
    return left.defect == right.defect if right.defect is not None else left == right


def combined(indexes: Sequence[BlockIndex], picks: Sequence[int]) -> BlockIndex:
    """Neighbours combined in the order of ``picks``: the left one of each pair, among those that are there then."""
    left = list(indexes)
    for at in picks:
        left[at : at + 2] = [combine(left[at], left[at + 1])]
    (whole,) = left
    return whole


@examples(100)
@given(st.data(), dialects(), BLOCK_BYTES)
def test_blocks_combine_in_any_order(data: st.DataObject, dialect: Dialect, block_bytes: int) -> None:
    """Any tree over the blocks gives the fold from the left, and that gives the scan of the whole."""
    content = data.draw(dirty_files(dialect, lone_returns=True))
    alphabet = alphabet_of(dialect, literal=data.draw(st.booleans()))
    count = len(blocks_of(content, block_bytes))
    picks = [data.draw(st.integers(0, left - 1)) for left in range(count - 1, 0, -1)]
    for make in each_scanner():
        check_any_order(make, content, alphabet, block_bytes, picks)


def check_any_order(
    make: MakeScanner, content: bytes, alphabet: Alphabet, block_bytes: int, picks: Sequence[int]
) -> None:
    """For one scanner and one tree."""
    scanner = make(alphabet, block_bytes)
    indexes = [scanner.scan(block, every_state=True) for block in blocks_of(content, block_bytes)]
    folded = reduce(combine, indexes, IDENTITY)
    tree = combined(indexes, picks)
    assert tree == folded
    assert combine(folded, IDENTITY) == folded == combine(IDENTITY, folded)
    whole = memoryview(content)
    at_once = make(alphabet, len(whole)).scan(whole, every_state=True)
    assert folded.size == at_once.size
    for mine, direct in zip(folded.outcomes, at_once.outcomes, strict=True):
        if mine is None or direct is None:
            assert mine is direct
        else:
            assert same(mine, direct)


def test_identity_is_the_outcome_of_no_bytes() -> None:
    """From every state to itself, and nothing found."""
    assert IDENTITY.size == 0
    assert [outcome and outcome.end for outcome in IDENTITY.outcomes] == list(State)


@every_scanner
def test_an_unknown_outcome_stays_unknown(make: MakeScanner) -> None:
    """Where a side was scanned without a state that the other side leads to."""
    scanner = make(CSV, 8)
    left, right = (scanner.scan(memoryview(data)) for data in (b'a,"b', b"c,d\n"))
    combined = combine(left, right)
    assert left.outcomes[State.FIELD] is not None
    assert right.outcomes[State.QUOTED] is None
    assert combined == BlockIndex(8, (None,) * len(State))


@examples(100)
@given(st.data(), dialects(), BLOCK_BYTES)
def test_the_last_opening_quote_is_found(data: st.DataObject, dialect: Dialect, block_bytes: int) -> None:
    """Of a file cut anywhere: the quote that began the last field with quotes."""
    content = data.draw(valid_files(dialect)).removeprefix(BOM)
    content = content[: data.draw(st.integers(1, max(1, len(content))))]
    assume(content)
    alphabet = alphabet_of(dialect)
    state: int = State.FIELD
    expected = NO_OFFSET
    for at in range(len(content)):
        if state == State.FIELD and content[at] == alphabet.quote:
            expected = at
        state = automaton(content[at : at + 1], alphabet, state).end
    for make in each_scanner():
        scanner, state, position, found = make(alphabet, block_bytes), State.FIELD, 0, NO_OFFSET
        for block in blocks_of(content, block_bytes):
            opening = scanner.last_opening(block, state)
            found = found if opening == NO_OFFSET else position + opening
            state, position = scanner.outcome(block, state).end, position + len(block)
        assert found == expected


LONG = [b",", b",", b"abcdefgh" * 40, b'"' + b"x,y\n" * 90 + b'"', b'"a""b"', b"\n", b"\r\n", b'""']


@every_scanner
@pytest.mark.parametrize("escape", [None, "\\"])
def test_large_blocks_are_as_exact_as_small_ones(make: MakeScanner, escape: str | None) -> None:
    """Thousands of words with few line ends, long quoted fields, quotes thick and thin, and strays taken literally."""
    random = np.random.default_rng(5)
    data = b"".join(LONG[number] for number in random.integers(0, len(LONG), size=2500))
    assert len(data) > 200_000
    dialect = Dialect(escapechar=escape)
    walked = walk(make, data, alphabet_of(dialect, literal=True), len(data))
    check_against_csv(data, dialect, walked)
    assert walked == walk(make, data, alphabet_of(dialect, literal=True), 4096)


def test_large_blocks_agree_with_the_rules_byte_by_byte() -> None:
    """The same without strays: each field has its delimiter or line end."""
    random = np.random.default_rng(6)
    ends = [b",", b",", b"\n", b"\r\n"]
    data = b"".join(LONG[2 + random.integers(3)] + ends[random.integers(4)] for _ in range(1500))
    assert len(data) > 200_000
    wanted = automaton(data, CSV, State.FIELD)
    for name, make in SCANNERS.items():
        assert make(CSV, len(data)).outcome(memoryview(data), State.FIELD) == wanted, name


@every_scanner
@pytest.mark.parametrize("quotechar", ['"', None])
def test_blocks_of_any_size_and_start_agree_with_the_rules(make: MakeScanner, quotechar: str | None) -> None:
    """Many words are read at once: blocks end before, at and behind such a batch, and one begins in any state."""
    random = np.random.default_rng(7)
    alphabet = alphabet_of(Dialect(quotechar=quotechar))
    pieces = [b",", b"\n", b"\r\n", b"ab", b'"x,\ny"', b'""', b'"a""b"\n', b"c,"]
    data = b"".join(pieces[number] for number in random.integers(0, len(pieces), size=3000))
    scanner = make(alphabet, len(data))
    sizes = [edge + by for edge in (64, 512, 1024, 4096, 4608) for by in (-65, -64, -1, 0, 1, 64) if edge + by > 0]
    for size in sizes:
        start = int(random.integers(0, len(data) - size))
        for state in (State.FIELD, State.CLOSED, State.RETURNED, State.QUOTED):
            found = scanner.outcome(memoryview(data)[start : start + size], state)
            wanted = automaton(data[start : start + size], alphabet, state)
            assert found.defect == wanted.defect
            assert wanted.defect is not None or found == wanted


@cache
def broken_files() -> list[tuple[bytes, Outcome]]:
    """Ordinary records with a stray quote that opens or closes, or a lone CR, in their middle; what they are."""
    record = b'12,"a, b","c""d",\r\n"x\ny",z,,w\n'
    clean = record * 250
    assert automaton(clean, CSV, State.FIELD).defect is None
    files = []
    for place in np.random.default_rng(8).integers(0, len(clean), size=120):
        broken = bytearray(clean)
        broken[place : place + 1] = (b'"', b"\r", b'q"q')[place % 3]
        files.append((bytes(broken), automaton(bytes(broken), CSV, State.FIELD)))
    return files


@every_scanner
def test_the_first_defect_is_found_wherever_it_is(make: MakeScanner) -> None:
    """In the middle of ordinary records; also with another one later."""
    for broken, wanted in broken_files():
        assert same(make(CSV, len(broken)).outcome(memoryview(broken), State.FIELD), wanted)


@every_scanner
def test_bits_far_from_the_edges_are_found(make: MakeScanner) -> None:
    """The first and last record ends, where they lie further inside than is looked at first."""
    data = b"a" * 5000 + b"\nb\n" + b"c" * 5000
    block = memoryview(data)
    outcome = make(CSV, len(block)).outcome(block, State.FIELD)
    assert (outcome.first_end, outcome.last_end, outcome.records) == (5001, 5003, 2)


@every_scanner
def test_a_field_longer_than_the_csv_modules_limit(make: MakeScanner) -> None:
    """131,072 characters is where csv.reader gives up by default; here nothing depends on a field's length."""
    data = b'id,text\n1,"' + b"long\n" * 60_000 + b'"\n2,b\n'
    walked = walk(make, data, CSV, 65536)
    assert walked.ends == [8, len(data) - 4, len(data)]
    assert walked.delimiters_before == [1, 2, 3]


@every_scanner
def test_one_record_over_many_blocks(make: MakeScanner) -> None:
    """A quoted field that fills blocks without a record end of their own."""
    data = b'a,"' + b"\n,\r\n" * 1000 + b'"\r\nb,c'
    walked = walk(make, data, CSV, 64)
    assert walked.ends == [len(data) - 3]
    assert walked.outcome == Outcome(State.DATA, 1, len(data) - 3, len(data) - 3, 1, 2, 1, None)


@every_scanner
@pytest.mark.parametrize(
    ("data", "state", "defect"),
    [
        (b'a"', State.FIELD, Defect(1, Kind.OPENING)),
        (b'"', State.DATA, Defect(0, Kind.OPENING)),
        (b'"a"b', State.FIELD, Defect(2, Kind.CLOSING)),
        (b"b", State.CLOSED, Defect(-1, Kind.CLOSING)),
        (b"a\rb\n", State.FIELD, Defect(1, Kind.LONE_CR)),
        (b"a\r\r\n", State.FIELD, Defect(1, Kind.LONE_CR)),
        (b"b", State.RETURNED, Defect(-1, Kind.LONE_CR)),
        (b'\r"', State.FIELD, Defect(0, Kind.LONE_CR)),
        (b'""', State.CLOSED, None),
        (b"\n", State.RETURNED, None),
        (b"a\r", State.FIELD, None),
        (b'"a\rb"', State.FIELD, None),
        (b'a"b"', State.QUOTED, Defect(1, Kind.CLOSING)),
    ],
)
def test_defects_at_the_edges(make: MakeScanner, data: bytes, state: State, defect: Defect | None) -> None:
    """A quote or CR on a block's edge is judged by the state before it, or waits for the byte after it."""
    block = memoryview(data)
    scanner = make(CSV, 64)
    assert scanner.outcome(block, state).defect == defect
    index = scanner.scan(block)
    assert index.outcomes[state] in (None, scanner.outcome(block, state))


@every_scanner
@pytest.mark.parametrize("size", [1, 63, 64, 65, 128])
def test_a_quote_on_the_last_byte_is_not_judged_by_what_lies_past_it(make: MakeScanner, size: int) -> None:
    """The bits past the block's end are no data, whatever the buffers held before."""
    scanner = make(CSV, 256)
    scanner.scan(memoryview(b"x" * 256))
    data = (b'"' + b"a" * (size - 2) + b'"') if size > 1 else b'"'
    outcome = scanner.outcome(memoryview(data), State.FIELD)
    assert outcome.defect is None
    assert outcome.end == (State.CLOSED if size > 1 else State.QUOTED)


@every_scanner
def test_delimiters_before_any_byte(make: MakeScanner) -> None:
    """Also before none, and before the byte after the last."""
    data = b'a,"b,c",d\n' * 20
    block = memoryview(data)
    counts = make(CSV, len(block)).delimiters_before(block, State.FIELD, list(range(len(block) + 1)))
    expected = [automaton(data[:at], CSV, State.FIELD).delimiters for at in range(len(data) + 1)]
    assert list(counts) == expected


def test_the_alphabet_of_a_dialect() -> None:
    """Characters become bytes, what is not there stays away."""
    assert Alphabet.of(Dialect(delimiter="\t", quotechar=None)) == Alphabet(b"\t", None, None)
    assert Alphabet.of(Dialect(escapechar="\\", stray_quote="literal")) == Alphabet(b",", 34, 92, "literal")


@examples(100)
@given(st.data(), dialects(), BLOCK_BYTES, st.one_of(st.none(), st.integers(0, 3)))
def test_the_first_ragged_record_is_found(
    data: st.DataObject, dialect: Dialect, block_bytes: int, expected: int | None
) -> None:
    """In blocks of any size: the first record that ends with other than so many delimiters, or than the first has."""
    content = data.draw(valid_files(dialect)).removeprefix(BOM)
    assume(content)
    walked = walk_of_all(content, alphabet_of(dialect), block_bytes)
    counts = np.diff(walked.delimiters_before, prepend=0).tolist()
    wanted = counts[0] if expected is None and counts else expected
    wrong = next((number for number, count in enumerate(counts) if count != wanted), None)
    first = None if wrong is None else FieldCount(([0, *walked.ends])[wrong], counts[wrong])
    for make in each_scanner():
        scanner = make(alphabet_of(dialect), block_bytes)
        assert first_ragged(scanner, blocks_of(content, block_bytes), expected, wanted) == first


def first_ragged(
    scanner: BlockScanner, blocks: Sequence[memoryview], expected: int | None, wanted: int | None
) -> FieldCount | None:
    """Of all blocks, asked one after the other. ``wanted``: the delimiters of a record, once the first one is known."""
    total, position, record_start, known = NOTHING, 0, 0, expected
    for block in blocks:
        begun = total.tail if total.records else total.delimiters
        found = scanner.first_ragged(block, total.end, before=begun, expected=known)
        if found is not None:
            return FieldCount(record_start if found.start == NO_OFFSET else position + found.start, found.delimiters)
        outcome = scanner.outcome(block, total.end)
        if outcome.records:
            record_start = position + outcome.last_end
        total, position = join(total, position, outcome), position + len(block)
        known = wanted if total.records else expected
    return None
