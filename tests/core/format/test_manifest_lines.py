"""A manifest's lines: the kernel writes those that JSON's writer makes, and takes them as JSON's reader does."""

from __future__ import annotations

import os
from array import array
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format import documents, manifest_lines
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.shared_fields import SourceIdentity
from splitjoin_cli.core.model import Dialect
from tests.core.format.test_manifest import manifests
from tests.laws import examples


def made(chunks: int, **more: object) -> Manifest:
    """One of so many chunks."""
    table = ChunkTable(8)
    for number in range(1, chunks + 1):
        table.append(table.end + number % 7, number % 3 or None, (number * 0x9E3779B97F4A7C15) % 2**64)
    sizes = array("q", (8 + number % 7 for number in range(1, chunks + 1)))
    source = SourceIdentity("/data/acme.csv", table.end, "f")
    return Manifest("acmé_20240131", "0" * 32, 1, source, Dialect(), None, 1, table, sizes, **more)  # type: ignore[arg-type]


def read(data: bytes, *, scanner: str, block_bytes: int = 512 * 1024) -> object:
    """The manifest, or why it is none."""
    with (
        mock.patch.dict(os.environ, {"SPLITJOIN_SCANNER": scanner}),
        mock.patch.object(documents, "_BLOCK_BYTES", block_bytes),
    ):
        try:
            return Manifest.from_bytes(data)
        except StoreError as exc:
            return type(exc), exc.message


@examples(60)
@given(manifests(), st.data())
def test_both_readers_say_the_same(manifest: Manifest, data: st.DataObject) -> None:
    """Of any manifest, and of one in which a byte of a line is another, is gone, or is there twice."""
    document = manifest.to_bytes()
    begin = document.index(b'"chunks": [')
    at = data.draw(st.integers(begin, len(document) - 1))
    other = data.draw(
        st.sampled_from([b"", b"0", b"1", b" ", b'"', b",", b"\n", b"-", b"9" * 20, document[at : at + 1] * 2])
    )
    changed = data.draw(st.sampled_from([document, document[:at] + other + document[at + 1 :]]))
    block_bytes = data.draw(st.sampled_from([64, 500, 512 * 1024]))
    assert read(changed, scanner="", block_bytes=block_bytes) == read(changed, scanner="numpy")


def test_lines_of_more_than_one_call_and_block() -> None:
    """Thousands, with mended ones, which the reader of JSON takes, between them."""
    manifest = made(9000, mended={5: 8, 4096: 1000, 4097: 8, 9000: 30})
    data = manifest.to_bytes()
    assert read(data, scanner="", block_bytes=10_000) == manifest
    assert read(data, scanner="") == manifest == read(data, scanner="numpy")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"end": 14,', b'"end": 13,', "chunk 3: bytes: is 11, but header and range are 10"),
        (b'"start": 14', b'"start": 15', "chunk 4 covers bytes 15 to 18, but the one before it ends at 14"),
        (b'"number": 4', b'"number": 5', "number: expected chunk 4, found chunk 5"),
        (b"-4-9.csv", b"-4-8.csv", 'expected acm\u00e9_20240131-4-9.csv, found "acm\\u00e9_20240131-4-8.csv"'),
        (b'"rows": 1,', b'"rows": 01,', "Expecting ',' delimiter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_as_ever(old: bytes, new: bytes, message: str) -> None:
    """The kernel leaves a line that is not right to the reader that has words for it."""
    data = made(9).to_bytes()
    assert old in data
    with pytest.raises(StoreError) as caught:
        Manifest.from_bytes(data.replace(old, new, 1))
    assert message in caught.value.message


def one_by_one(manifest: Manifest) -> bytes:
    """The manifest without the kernel."""
    with mock.patch.dict(os.environ, {"SPLITJOIN_SCANNER": "numpy"}):
        return manifest.to_bytes()


@examples(100)
@given(manifests())
def test_a_manifest_is_the_same_bytes(manifest: Manifest) -> None:
    """Any names, ranges, rows and checksums, known or not; with mended chunks, which the kernel leaves alone."""
    assert manifest.to_bytes() == one_by_one(manifest)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_lines_of_several_calls_follow_one_another(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands, in pieces of any number."""
    monkeypatch.setattr(manifest_lines, "_AT_ONCE", at_once)
    manifest = made(2001)
    assert manifest.to_bytes() == one_by_one(manifest)
