"""Which quotes of a dirty file mean something: held against the automaton, quote by quote and byte by byte."""

from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.splitting.records.base import Alphabet
from splitjoin_cli.splitting.records.literal import Machine, true_quotes
from splitjoin_cli.splitting.records.outcome import State
from tests.laws import examples

QUOTE, COMMA = ord('"'), ord(",")
ESCAPING = Alphabet(b",", QUOTE, ord("\\"))
STARTS = [State.FIELD, State.DATA, State.CLOSED, State.QUOTED]


def one_by_one(data: bytes, state: State) -> list[int]:
    """The offsets of the quotes that open, close or double, by the csv module's rules."""
    found = []
    for at, byte in enumerate(data):
        if byte == QUOTE and state == State.QUOTED:
            found.append(at)
            state = State.CLOSED
        elif byte == QUOTE and state in (State.FIELD, State.CLOSED):
            found.append(at)
            state = State.QUOTED
        elif state != State.QUOTED:
            state = State.FIELD if byte in b",\n" else State.DATA
    return found


def at_once(data: bytes, state: State) -> list[int]:
    """The same by true_quotes."""
    block = np.frombuffer(data, np.uint8)
    padded = np.zeros(-(-len(block) // 64) * 64, np.bool_)
    padded[: len(block)] = (block == COMMA) | (block == ord("\n"))
    field_ends = np.packbits(padded, bitorder="little").view(np.uint64)
    found: list[int] = true_quotes(np.flatnonzero(block == QUOTE), field_ends, state).tolist()
    return found


@examples(200)
@given(st.lists(st.sampled_from(['"', '"', "a", ",", "\n"]), min_size=1, max_size=80), st.sampled_from(STARTS))
def test_quotes_are_judged_as_one_by_one(pieces: list[str], state: State) -> None:
    """For any text and start."""
    data = "".join(pieces).encode()
    assert at_once(data, state) == one_by_one(data, state)


@pytest.mark.parametrize("state", STARTS)
@pytest.mark.parametrize("count", [1, 2, 47, 48, 49, 2304, 2305, 20_000])
def test_any_number_of_segments(count: int, state: State) -> None:
    """Around the widths at which quotes are cut into segments, the last of them filled up."""
    random = np.random.default_rng(count)
    between = [b'"', b'a"', b',"', b'\n"', b'a,b"']
    data = b"".join(between[number] for number in random.integers(0, len(between), size=count))
    assert data.count(b'"') == count
    assert at_once(data, state) == one_by_one(data, state)


def test_no_quotes_are_none() -> None:
    """A block without a quote has none that mean something."""
    assert at_once(b"a,b\n", State.QUOTED) == []


def rows_by_machine(data: bytes) -> list[str]:
    """The records as the machine's feeds outside quotes cut them."""
    found = Machine(ESCAPING).run(data, State.FIELD)
    quotes = np.zeros(len(data), np.int64)
    quotes[found.quotes] = 1
    inside = np.cumsum(quotes) % 2
    cuts = [0, *(feed + 1 for feed in found.feeds if not inside[feed]), len(data)]
    return [data[start:end].decode() for start, end in pairwise(cuts) if start < end]


@examples(200)
@given(st.lists(st.sampled_from(['"', '"', "a", ",", "\n", "\r\n", "\\"]), min_size=1, max_size=60))
def test_the_machine_cuts_records_as_the_csv_module_does(pieces: list[str]) -> None:
    """With an escape character, stray quotes and quotes that nobody closes."""
    data = "".join(pieces)
    lines = [line + "\n" for line in data.split("\n")[:-1]] + [data.rpartition("\n")[2]]
    try:
        rows = list(csv.reader([line for line in lines if line], escapechar="\\"))
    except csv.Error as exc:  # an escaped LF leaves the CR before it alone
        assert "new-line character seen in unquoted field" in str(exc)  # noqa: PT017 -- only some files raise it
        return
    assert len(rows_by_machine(data.encode())) == len(rows)


@given(st.lists(st.sampled_from(['"', "a", ",", "\n", "\\"]), min_size=2, max_size=40))
def test_the_machine_goes_on_where_it_stopped(pieces: list[str]) -> None:
    """Behind an escape character at a block's edge, inside quotes or outside, the next byte is data."""
    text = "".join(pieces).encode()
    machine = Machine(ESCAPING)
    whole = machine.run(text, State.FIELD)
    escapes = [at for at in range(len(text) - 1) if machine.run(text[: at + 1], State.FIELD).escape_pending]
    for at in escapes:
        left = machine.run(text[: at + 1], State.FIELD)
        state = State.ESCAPED_QUOTED if len(left.quotes) % 2 else State.ESCAPED
        right = machine.run(text[at + 1 :], state)
        assert left.quotes + [at + 1 + quote for quote in right.quotes] == whole.quotes
        assert left.feeds + [at + 1 + feed for feed in right.feeds] == whole.feeds
        assert left.delimiters + [at + 1 + place for place in right.delimiters] == whole.delimiters
        assert right.escape_pending == whole.escape_pending
