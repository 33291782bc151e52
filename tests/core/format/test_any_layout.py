"""A document that another tool laid out anew is read some of it at a time, as if all of it were there."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format import any_layout
from splitjoin_cli.core.format.document import BytesDocument
from splitjoin_cli.core.format.documents import decode_document
from splitjoin_cli.core.format.fields import FieldError
from splitjoin_cli.core.format.manifest import Manifest
from tests.hostile.documents import hostile_bytes, right_manifest
from tests.laws import examples

VALUES = st.recursive(
    st.integers(0, 9) | st.text('"\\[]{}:, \nchunksé', max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("chunks", max_size=6), inner, max_size=3),
    max_leaves=6,
)


@examples(100)
@given(
    st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=2), max_size=5),
    st.dictionaries(st.text("chunks", max_size=5), VALUES, max_size=2),
    st.dictionaries(st.text("chunks", min_size=7, max_size=8), VALUES, max_size=2),
    st.sampled_from([None, 1, "\t"]),
    st.integers(1, 40),
)
def test_any_layout_is_read_in_any_blocks(
    chunks: list[Any], before: dict[str, Any], behind: dict[str, Any], indent: int | str | None, block_bytes: int
) -> None:
    """Keys before and behind the list, texts with brackets and quotes, blocks that end anywhere."""
    head = {"version": 1, **before, **behind}
    data = json.dumps({"version": 1, **before, "chunks": chunks, **behind}, indent=indent).encode()
    with mock.patch.object(any_layout, "BLOCK_BYTES", block_bytes):
        found, items = decode_document(BytesDocument(data))
        assert (found, list(items())) == (head, chunks)


@examples(60)
@given(hostile_bytes(right_manifest()), st.integers(1, 60))
def test_what_is_wrong_does_not_depend_on_the_blocks(data: bytes, block_bytes: int) -> None:
    """The same manifest, or the same words."""

    def read() -> object:
        try:
            return Manifest.from_bytes(data)
        except StoreError as exc:
            return exc.message

    with mock.patch.object(any_layout, "BLOCK_BYTES", block_bytes):
        found = read()
    assert found == read()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"version": 1, "chunks": [{}', "chunks: the list does not end"),
        (b'{"version": 1, "chunks": [{} {}]}', "chunks: expected a list of objects"),
        (b'{"version": 1, "chunks": [{},]}', "chunks: expected a list of objects"),
        (b'{"version": 1, "chunks": [1]}', "chunks: expected a list of objects"),
        (b'{"version": 1, "chunks": {}}', "chunks: is missing"),
        (b'{"version": 1, "x": {"chunks": []}}', "chunks: is missing"),
        (b'{"version": 1, "chunks": [{"a": "' + b"x" * 2_000_000 + b'"}]}', "expected texts of at most 262,144 bytes"),
        (b'{"version": 1, "chunks": [{"a": [' + b"1," * 150_000 + b"1]}]}", "expected at most 262,144 bytes a line"),
        (b'{"version": 1, "chunks": [' + b" " * 2_000_000 + b"]}", "expected at most 262,144 blanks"),
        (b'{"version": 1, "a": "' + b"x" * 3_000_000, "expected texts of at most 1,048,576 bytes"),
        (b'{"version": 1, "a": [' + b"1," * 600_000 + b'1], "chunks": []}', "chunks: is missing"),
        (b'{"version": 1, "chunks": [], "a": [' + b"1," * 600_000 + b"1]}", "expected at most 1,048,576 bytes before"),
    ],
)
def test_what_is_no_list_is_told(data: bytes, message: str) -> None:
    """Briefly, and without more of it in memory than a head or an item may have."""
    with pytest.raises(FieldError) as caught:
        list(decode_document(BytesDocument(data))[1]())
    assert message in str(caught.value)
