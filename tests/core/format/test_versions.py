"""Version 1 stays what it was; version 2 says what is mended, and refuses what this release would get wrong."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from typing import Any

import pytest

from splitjoin_cli.core.errors import StoreError, UsageError
from splitjoin_cli.core.format.left_out import LeftOut
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import ChunkMetadata, check_room, decode_metadata, encode_metadata
from splitjoin_cli.core.format.runs import later_options
from splitjoin_cli.core.model import ByteRange, Dialect, Skip
from tests.join.operate.repairs import manifest

UPDATE = "update splitjoin here: a newer release wrote it"
METADATA = ChunkMetadata("acme_20240131", "a" * 32, 1, 2, 3, ByteRange(8, 20), 2, Dialect(), 1, 8, None)


def second(**more: Any) -> dict[str, Any]:  # noqa: ANN401 -- a document's values
    """Metadata of version 2 with ``more`` in its dialect, or, of other keys, beside it."""
    fields: dict[str, Any] = json.loads(encode_metadata(METADATA)) | {"version": 2}
    dialect = {key: value for key, value in more.items() if key not in {"header_start", "left_out", "mended", "bytes"}}
    return fields | {key: more[key] for key in more.keys() - dialect.keys()} | {"dialect": fields["dialect"] | dialect}


def test_without_a_mended_chunk_nothing_is_of_version_2() -> None:
    """An older worker reads it, and finds no key that it does not know."""
    whole = manifest()
    assert json.loads(whole.to_bytes())["version"] == 1
    assert b"mended" not in whole.to_bytes()
    text = encode_metadata(METADATA)
    assert (json.loads(text)["version"], "mended" in text, "bytes" in json.loads(text)) == (1, False, False)


def test_a_mended_chunk_is_written_and_read() -> None:
    """The same value comes back; totals are the sums."""
    whole = manifest().with_mended(2, rows=7, size=100, stored=100, checksum=5)
    read = Manifest.from_bytes(whole.to_bytes())
    assert (read, read.to_bytes()) == (whole, whole.to_bytes())
    document = json.loads(whole.to_bytes())
    assert document["version"] == 2
    assert [chunk.get("mended") for chunk in document["chunks"]] == [None, True, None]
    assert document["bytes"] == sum(chunk["bytes"] for chunk in document["chunks"])
    assert document["rows"] == sum(chunk["rows"] for chunk in document["chunks"])
    mended = replace(METADATA, mended=100)
    assert decode_metadata(encode_metadata(mended)) == mended
    assert json.loads(encode_metadata(mended))["version"] == 2


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"nulls": None, "c_escapes": False, "escape_in": "any", "line_end_rule": "auto", "stray_quote": "error"},
        {"skip_initial_space": False, "skip_blank_lines": False, "skip_repeated_headers": False},
        {"header_start": 0, "left_out": None},
        {"left_out": {"lines": 0, "trailer_lines": 0, "blank_lines": 0, "repeated_headers": 0}},
        {"mended": False},
    ],
)
def test_keys_of_version_2_at_their_defaults_say_nothing_new(more: dict[str, Any]) -> None:
    """A newer release may list them all."""
    assert decode_metadata(json.dumps(second(**more))) == METADATA


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"c_escapes": 0}, "dialect.c_escapes"),
        ({"escape_in": "comments"}, "dialect.escape_in"),
        ({"line_end_rule": None}, "dialect.line_end_rule"),
        ({"of_tomorrow": None}, "dialect.of_tomorrow"),
    ],
)
def test_what_this_release_would_get_wrong_is_refused(more: dict[str, Any], key: str) -> None:
    """With the word to update, in metadata and manifests alike."""
    with pytest.raises(StoreError, match=rf"{key}: this release") as error:
        decode_metadata(json.dumps(second(**more)))
    assert error.value.hint == UPDATE
    document = json.loads(manifest().to_bytes()) | {key: value for key, value in second(**more).items() if key in more}
    document |= {"version": 2, "dialect": second(**more)["dialect"]}
    with pytest.raises(StoreError, match=rf"{key}: this release") as error:
        Manifest.from_bytes(json.dumps(document).encode())
    assert error.value.hint == UPDATE


def test_version_3_is_refused_and_mended_is_not_of_version_1() -> None:
    """The one says to update; the other would be a range that the chunk does not have."""
    with pytest.raises(StoreError, match="version: expected 1 or 2, found 3") as error:
        decode_metadata(json.dumps(second() | {"version": 3}))
    assert error.value.hint == UPDATE
    whole = manifest().with_mended(2, rows=7, size=100, stored=100, checksum=5)
    data = whole.to_bytes().replace(b'"version": 2', b'"version": 1')
    with pytest.raises(StoreError, match="chunk 2: bytes: is 100, but header and range are"):
        Manifest.from_bytes(data)


LATER = [
    {"nulls": ("NA", "")}, {"nulls": ()}, {"c_escapes": True, "escapechar": "\\"}, {"line_end_rule": "lf"},
    {"escape_in": "quotes", "escapechar": "\\"}, {"stray_quote": "mysql"}, {"skip_initial_space": True},
    {"skip_blank_lines": True}, {"skip_repeated_headers": True}, {"delimiter": "||"}, {"delimiter": "¦"},
]  # fmt: skip


@pytest.mark.parametrize("more", LATER, ids=str)
def test_what_an_older_reader_would_get_wrong_is_version_2(more: dict[str, Any]) -> None:
    """In all three documents, which say it, and nothing else that is new; and read it again."""
    dialect = Dialect(**more)
    metadata = replace(METADATA, dialect=dialect)
    text = encode_metadata(metadata)
    assert decode_metadata(text) == metadata
    whole = replace(manifest(), dialect=dialect)
    assert Manifest.from_bytes(whole.to_bytes()) == whole
    for document in (json.loads(text), json.loads(whole.to_bytes())):
        assert document["version"] == 2
        assert set(document["dialect"]) - FIRST == set(more) - FIRST


FIRST = {"delimiter", "quotechar", "escapechar", "header", "line_end", "encoding"}


def test_a_literal_reading_is_no_reason_for_version_2() -> None:
    """Releases before read it, and do not say it; beside another reason it is said."""
    assert "stray_quote" not in encode_metadata(replace(METADATA, dialect=Dialect(stray_quote="literal")))
    both = replace(METADATA, dialect=Dialect(stray_quote="literal", nulls=()))
    assert decode_metadata(encode_metadata(both)) == both


def test_a_header_that_does_not_begin_the_source() -> None:
    """Its place, the line under it and what was left out are of version 2."""
    first = manifest()
    left = LeftOut(lines=2, trailer_lines=1)
    whole = replace(first, header_start=1, ruler_bytes=1, left_out=left)
    assert whole.header_bytes == first.header_bytes - 2
    sizes = array("q", (size - 2 for size in first.stored_bytes))
    whole = replace(whole, stored_bytes=sizes)
    assert Manifest.from_bytes(whole.to_bytes()) == whole
    document = json.loads(whole.to_bytes())
    assert (document["header_start"], document["ruler_bytes"], document["left_out"]["lines"]) == (1, 1, 2)
    assert document["version"] == 2


@pytest.mark.parametrize(
    ("dialect", "skip"),
    [
        (Dialect(nulls=()), Skip()), (Dialect(nulls=("",)), Skip()), (Dialect(line_end_rule="lf"), Skip()),
        (Dialect(stray_quote="mysql"), Skip()), (Dialect(skip_initial_space=True), Skip()),
        (Dialect(skip_blank_lines=True), Skip()), (Dialect(skip_repeated_headers=True), Skip()),
        (Dialect(), Skip(lines=1)), (Dialect(), Skip(trailer=1)), (Dialect(), Skip(ruler=True)),
    ],
)  # fmt: skip
def test_each_new_option_makes_another_run(dialect: Dialect, skip: Skip) -> None:
    """As an object behind the fields of the releases before; a literal reading never made one."""
    first = later_options(Dialect(stray_quote="literal"))
    assert first == {}
    assert len(later_options(dialect, skip)) == 1


def test_metadata_that_cannot_fit_is_refused_at_the_start() -> None:
    """With the largest numbers in it: a name and texts for NULL of which each takes six bytes in JSON."""
    check_room(f"{'a' * 100}_20240131", Dialect(nulls=("", "\\N")), None)
    with pytest.raises(UsageError) as caught:
        check_room("\u6f22" * 60 + "_d", Dialect(nulls=tuple(chr(1) * 31 + str(n) for n in range(8))), "gzip")
    assert caught.value.message.endswith("the dialect take more than the 2,000 bytes of a chunk's metadata")
    assert caught.value.hint == "use a shorter --client, or fewer and shorter --null texts"


def test_metadata_of_a_split_that_left_lines_out_is_of_version_2() -> None:
    """It says no more than before, but workers that know version 1 alone are to refuse such a split."""
    metadata = ChunkMetadata("acme_d", "0" * 32, 1, 1, 1, ByteRange(9, 12), 1, Dialect(), 1, 4, None)
    text = encode_metadata(replace(metadata, left_out=True))
    assert '"version":2' in text
    assert decode_metadata(text) == metadata
