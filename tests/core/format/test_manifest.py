"""Manifests, plans, chunk metadata and run ids: what is written is what is read, and damage is named."""

from __future__ import annotations

import json
import unicodedata
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import StoreError
from splitjoin_cli.core.format.chunk_table import ChunkTable
from splitjoin_cli.core.format.manifest import CoverageError, Manifest
from splitjoin_cli.core.format.metadata import METADATA_BYTES, ChunkMetadata, decode_metadata, encode_metadata
from splitjoin_cli.core.format.plan_file import PlanFile
from splitjoin_cli.core.format.runs import digest_options, run_id
from splitjoin_cli.core.format.shared_fields import SourceIdentity
from splitjoin_cli.core.model import ByteRange, Dialect

SIZES = st.integers(min_value=0, max_value=2**50)
LETTERS = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=20).map(
    lambda t: unicodedata.normalize("NFC", t)
)
NAMES = st.builds("{}_{}".format, LETTERS, LETTERS).filter(lambda name: names.parse_file_name(name) is not None)
DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;\t|"),
    quotechar=st.sampled_from(['"', "'", None]),
    escapechar=st.sampled_from(["\\", None]),
    header=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "mixed", None]),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=9)
PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
URIS = PATHS | st.just("/data/\udcff.csv")  # a path that is no UTF-8
SOURCES = st.builds(SourceIdentity, URIS, st.none() | SIZES, TEXTS)


@st.composite
def tables(draw: st.DrawFn) -> ChunkTable:
    """Any plan's columns, with some rows and checksums unknown."""
    table = ChunkTable(draw(st.integers(0, 2**20)))
    chunks = st.tuples(
        st.integers(0, 2**40), st.none() | SIZES, st.none() | st.integers(min_value=1, max_value=2**64 - 1)
    )
    for size, rows, checksum in draw(st.lists(chunks, min_size=1, max_size=12)):
        table.append(table.end + size, rows, checksum)
    return table


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest."""
    table = draw(tables())
    return Manifest(
        file_name=draw(NAMES),
        run_id=draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        generation=draw(st.integers(1, 9)),
        source=draw(SOURCES),
        dialect=draw(DIALECTS),
        compression=draw(st.sampled_from([None, "gzip", "zstd"])),
        header_lines=draw(st.integers(0, 3)),
        chunks=table,
        stored_bytes=array("q", draw(st.lists(SIZES, min_size=len(table), max_size=len(table)))),
        warnings=tuple(draw(st.lists(PATHS, max_size=2))),
    )


def small_manifest() -> Manifest:
    """Two chunks of a file with a header of 4 bytes."""
    table = ChunkTable(4)
    table.append(10, 3, 1)
    table.append(14, 2, 2**64 - 1)
    return Manifest(
        file_name="acme_20240131",
        run_id="0" * 32,
        generation=1,
        source=SourceIdentity("/data/acme.csv", 14, "14-abc"),
        dialect=Dialect(line_end="\n"),
        compression=None,
        header_lines=1,
        chunks=table,
        stored_bytes=array("q", [10, 8]),
    )


@given(manifests())
def test_manifest_round_trips(manifest: Manifest) -> None:
    """A manifest is read back as it was written, and its bytes depend on nothing else."""
    data = manifest.to_bytes()
    assert Manifest.from_bytes(data) == manifest
    assert Manifest.from_bytes(data).to_bytes() == data
    assert len(json.loads(data)["chunks"]) == manifest.total_parts


@given(manifests())
def test_manifest_laid_out_anew_is_read(manifest: Manifest) -> None:
    """A manifest that another tool rewrote with its own line breaks means the same."""
    assert Manifest.from_bytes(json.dumps(json.loads(manifest.to_bytes()), indent=1).encode()) == manifest


def test_manifest_has_a_line_for_each_chunk() -> None:
    """The list stands last, one chunk to a line, with the contract's keys in its order."""
    assert small_manifest().to_bytes().decode().splitlines()[-3:] == [
        (
            '{"number": 1, "name": "acme_20240131-1-2.csv", "start": 4, "end": 10, "bytes": 10, "stored_bytes": 10, '
            '"rows": 3, "checksum": "crc64nvme:AAAAAAAAAAE="},'
        ),
        (
            '{"number": 2, "name": "acme_20240131-2-2.csv", "start": 10, "end": 14, "bytes": 8, "stored_bytes": 8, '
            '"rows": 2, "checksum": "crc64nvme://////////8="}'
        ),
        "]}",
    ]


def test_manifest_says_what_the_contract_says() -> None:
    """The top-level keys and the derived totals."""
    document = json.loads(small_manifest().to_bytes())
    del document["chunks"]
    assert document == {
        "version": 1,
        "file_name": "acme_20240131",
        "run_id": "0" * 32,
        "generation": 1,
        "source": {"uri": "/data/acme.csv", "bytes": 14, "fingerprint": "14-abc"},
        "dialect": {
            "delimiter": ",",
            "quotechar": '"',
            "escapechar": None,
            "header": True,
            "line_end": "\n",
            "encoding": "utf-8",
        },
        "compression": None,
        "header_bytes": 4,
        "header_lines": 1,
        "total_parts": 2,
        "rows": 5,
        "bytes": 18,
        "warnings": [],
    }


def test_chunk_names_are_padded_and_say_the_compression() -> None:
    """The name of chunk 7 of 10 in a gzip set."""
    table = ChunkTable(0)
    for end in range(10):
        table.append(end, 0, 1)
    manifest = replace(small_manifest(), chunks=table, stored_bytes=array("q", [1] * 10), compression="gzip")
    assert manifest.name(7) == "acme_20240131-07-10.csv.gz"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"version": 1', b'"version": 9', "version: expected 1 or 2, found 9"),
        (b'"number": 2', b'"number": 3', "number: expected chunk 2, found chunk 3"),
        (b'"rows": 5', b'"rows": 6', "rows: is 6, but its chunks sum up to 5"),
        (b'"file_name": "acme_20240131"', b'"file_name": 7', "file_name: expected text, found 7"),
        (b'"header": true', b'"header": 1', "dialect.header: expected true or false, found 1"),
        (
            b'"stored_bytes": 8',
            b'"stored_bytes": -8',
            "chunk 2: stored_bytes: expected an integer from 0 to 9223372036854775807, found -8",
        ),
        (
            b"nvme:AAAAAAAAAAE=",
            b"nvme:AAAA",
            'chunk 1: checksum: expected a checksum like crc64nvme:BASE64, found "crc64nvme:AAAA"',
        ),
        (
            b'"line_end": "\\n"',
            b'"line_end": "x"',
            'dialect.line_end: expected one of "\\n", "\\r\\n", "mixed", null, found "x"',
        ),
        (
            b'"compression": null',
            b'"compression": "xz"',
            'compression: expected one of null, "gzip", "zstd", found "xz"',
        ),
    ],
)
def test_damaged_manifest_is_named(old: bytes, new: bytes, message: str) -> None:
    """Each damage is a StoreError that names the object and what was expected."""
    data = small_manifest().to_bytes()
    assert old in data
    with pytest.raises(StoreError) as caught:
        Manifest.from_bytes(data.replace(old, new), "acme_20240131.manifest.json")
    assert caught.value.message == f"acme_20240131.manifest.json holds no manifest that splitjoin can read: {message}"


def test_cut_manifest_is_damaged() -> None:
    """A manifest that lost its last line, its last chunk, or more, is never read as a smaller one."""
    lines = small_manifest().to_bytes().splitlines(keepends=True)
    for kept in range(len(lines)):
        with pytest.raises(StoreError, match=r"^m holds no manifest that splitjoin can read: "):
            Manifest.from_bytes(b"".join(lines[:kept]), "m")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b"{}", b"[" * 100_000, b"name,price\n"])
def test_other_files_are_no_manifests(data: bytes) -> None:
    """Whatever lies under the name, the error is ours."""
    with pytest.raises(StoreError, match=r"^x holds no manifest that splitjoin can read: "):
        Manifest.from_bytes(data, "x")


def test_gap_between_chunks_is_a_coverage_error() -> None:
    """A gap is told apart from other damage, as verify reports it by itself."""
    data = small_manifest().to_bytes().replace(b'"start": 10', b'"start": 11')
    with pytest.raises(CoverageError) as caught:
        Manifest.from_bytes(data, "m")
    assert caught.value.message == "m: chunk 2 covers bytes 11 to 14, but the one before it ends at 10"


@given(manifests(), st.none() | TEXTS, st.integers(0, 2**64 - 1))
def test_plan_round_trips(manifest: Manifest, validator: str | None, header_checksum: int) -> None:
    """A plan is read back as it was written."""
    plan = PlanFile(
        file_name=manifest.file_name,
        run_id=manifest.run_id,
        generation=manifest.generation,
        source=manifest.source,
        validator=validator,
        options_digest=digest_options({"rows": 3}),
        dialect=manifest.dialect,
        compression=manifest.compression,
        header_lines=manifest.header_lines,
        header_checksum=header_checksum,
        chunks=manifest.chunks,
        warnings=manifest.warnings,
    )
    assert PlanFile.from_bytes(plan.to_bytes()) == plan


def many(chunks: int) -> ChunkTable:
    """A table of that many chunks of 1 KiB."""
    table = ChunkTable(10)
    for number in range(1, chunks + 1):
        table.append(10 + number * 1024, 7, number)
    return table


def test_long_plan_spans_lines_and_a_cut_one_is_damaged() -> None:
    """2,500 chunks take three lines; with one of them lost the plan is refused."""
    manifest = small_manifest()
    plan = PlanFile(
        file_name=manifest.file_name,
        run_id=manifest.run_id,
        generation=1,
        source=manifest.source,
        validator=None,
        options_digest="d",
        dialect=manifest.dialect,
        compression=None,
        header_lines=1,
        header_checksum=5,
        chunks=many(2500),
    )
    data = plan.to_bytes()
    assert PlanFile.from_bytes(data) == plan
    lines = data.splitlines(keepends=True)
    assert [line.startswith(b'{"first": ') for line in lines[-4:]] == [True, True, True, False]
    with pytest.raises(StoreError) as caught:
        PlanFile.from_bytes(b"".join([*lines[:-3], *lines[-2:]]), "p")
    assert caught.value.message == (
        "p holds no plan that splitjoin can read: the run of chunk 1001: first: expected 1001, found 2001"
    )


@given(NAMES, DIALECTS, st.none() | SIZES, SIZES, SIZES)
def test_metadata_round_trips_in_ascii(name: str, dialect: Dialect, rows: int | None, start: int, size: int) -> None:
    """What a chunk says of itself survives a header that is ASCII only, and stays under the limit."""
    metadata = ChunkMetadata(
        file_name=name,
        run_id="f" * 32,
        generation=3,
        number=7,
        total=1_000_000,
        range=ByteRange(start, start + size),
        rows=rows,
        dialect=dialect,
        header_lines=2,
        header_bytes=70,
        compression="zstd",
    )
    text = encode_metadata(metadata)
    assert text.isascii()
    assert text.isprintable()
    assert decode_metadata(text) == metadata


@pytest.mark.parametrize("letter", ["a", "ä", "字", "😀", "\x01", '"'])
def test_longest_name_fits_into_the_metadata(letter: str) -> None:
    """200 bytes of UTF-8 stay under S3's 2 KB in the worst of scripts, with every number at its largest."""
    largest = 2**63 - 1
    metadata = ChunkMetadata(
        file_name=letter * (200 // len(letter.encode())),
        run_id="f" * 32,
        generation=largest,
        number=largest,
        total=largest,
        range=ByteRange(largest, largest),
        rows=largest,
        dialect=Dialect("\t", "'", "\\", line_end="\r\n", encoding="iso-8859-15"),
        header_lines=largest,
        header_bytes=largest,
        compression="gzip",
    )
    assert len("splitjoin" + encode_metadata(metadata)) < METADATA_BYTES


def test_metadata_over_the_limit_is_refused() -> None:
    """A name that no sink would take is an error here, not a refused upload later."""
    metadata = ChunkMetadata("n" * 2000, "r", 1, 1, 1, ByteRange(0, 0), None, Dialect(), 1, 1, None)
    with pytest.raises(ValueError, match=r"^metadata of \d+ bytes, more than 2000: "):
        encode_metadata(metadata)


def test_foreign_metadata_is_an_error() -> None:
    """Text under the key that is not ours is named with its object."""
    with pytest.raises(StoreError) as caught:
        decode_metadata("[1]", "a-1-2.csv")
    assert caught.value.message == (
        "a-1-2.csv holds no metadata that splitjoin can read: the document: expected an object, found a list"
    )


def test_run_id_is_the_same_on_every_machine() -> None:
    """A run's id may never change between releases or machines: loads are recognised by it."""
    table = many(3)
    fields = {"file_name": "a_1", "fingerprint": "9-x", "encoding": None, "compression": None, "run_label": None}
    assert run_id(dialect=Dialect(), chunks=table, **fields) == "9bfd9731e1aaaf89cc719d9d0f07763f"  # type: ignore[arg-type]


def test_run_id_tells_each_ingredient_apart() -> None:
    """Changing any one ingredient, even by moving a letter between two of them, is another run."""
    base: dict[str, object] = {
        "file_name": "ab",
        "fingerprint": "c",
        "dialect": Dialect(),
        "encoding": "d",
        "compression": None,
        "chunks": many(2),
        "run_label": None,
    }
    changes: list[dict[str, object]] = [
        {},
        {"file_name": "a", "fingerprint": "bc"},
        {"fingerprint": "x"},
        {"dialect": Dialect(";")},
        {"dialect": Dialect(header=False)},
        {"dialect": Dialect(escapechar="\\")},
        {"dialect": Dialect(encoding="latin-1")},
        {"encoding": None},
        {"compression": "gzip"},
        {"chunks": many(3)},
        {"run_label": ""},
        {"run_label": "again"},
    ]
    ids = [run_id(**{**base, **change}) for change in changes]  # type: ignore[arg-type]
    assert len(set(ids)) == len(changes)
    known_later = {**base, "dialect": Dialect(line_end="\n")}
    assert run_id(**known_later) == ids[0]  # type: ignore[arg-type]


@given(tables())
def test_table_is_a_sequence_from_one(table: ChunkTable) -> None:
    """Iteration, indexing and slices agree, and chunks follow one another."""
    chunks = list(table)
    assert [chunk.number for chunk in chunks] == list(range(1, len(table) + 1))
    assert [table[number] for number in range(1, len(table) + 1)] == chunks
    assert table[2:4] == chunks[1:3]
    assert table[1:] == chunks
    assert [chunk.range.start for chunk in chunks] == list(table.starts)[:-1]
    assert int.from_bytes(table.boundaries()[:8], "little") == table.start


@pytest.mark.parametrize("number", [0, -1, 3, slice(0, 2), slice(1, 2, 2), slice(-1, None)])
def test_table_has_no_other_numbers(number: int | slice) -> None:
    """0 and negative numbers are mistakes, not the end of the list."""
    with pytest.raises(IndexError):
        many(2)[number]


def test_table_keeps_the_order() -> None:
    """A chunk that would end before it starts is refused."""
    table = many(1)
    with pytest.raises(ValueError, match=r"^chunk 2 would end at 3, before its start at 1034$"):
        table.append(3, None, None)
