"""Version 1 stays what it was; version 2 says what is mended, and refuses what this release would get wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.core.format.metadata import ChunkMetadata, decode_metadata, encode_metadata
from splitjoin_cli.core.model import ByteRange, Dialect
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
        {"nulls": None, "c_escapes": False, "escape_in": "any", "line_end_rule": "auto", "stray_quote": "literal"},
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
        ({"nulls": ["NA"]}, "dialect.nulls"),
        ({"nulls": []}, "dialect.nulls"),
        ({"c_escapes": True}, "dialect.c_escapes"),
        ({"c_escapes": 0}, "dialect.c_escapes"),
        ({"escape_in": "quotes"}, "dialect.escape_in"),
        ({"line_end_rule": "lf"}, "dialect.line_end_rule"),
        ({"stray_quote": "mysql"}, "dialect.stray_quote"),
        ({"skip_initial_space": True}, "dialect.skip_initial_space"),
        ({"skip_blank_lines": True}, "dialect.skip_blank_lines"),
        ({"skip_repeated_headers": True}, "dialect.skip_repeated_headers"),
        ({"of_tomorrow": None}, "dialect.of_tomorrow"),
        ({"header_start": 3}, "header_start"),
        ({"left_out": {"lines": 1}}, "left_out"),
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
