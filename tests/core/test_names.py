"""Object names: law L3, and every kind of name that is refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from splitjoin_cli.core import names
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.names import ChunkName, JobName

LETTERS = st.characters(categories=["L", "M", "Nd"])
CLIENTS = st.text(LETTERS | st.sampled_from("-._"), min_size=1, max_size=60)
DATES = st.text(LETTERS | st.sampled_from("-."), min_size=1, max_size=30)


@st.composite
def chunk_names(draw: st.DrawFn) -> ChunkName:
    """Any name that ``format`` accepts."""
    total = draw(st.integers(1, 10**7))
    number = draw(st.integers(1, total))
    try:
        return ChunkName(draw(CLIENTS), draw(DATES), number, total, draw(st.sampled_from([None, "gzip", "zstd"])))
    except UsageError:
        assume(False)  # noqa: FBT003 -- a leading dot, or too long: refused, so the law says nothing of it
        raise


@given(chunk_names(), st.sampled_from(["", "p/", "a-1-2.csv/", "s3://bucket/x_y-1-1.csv/"]))
def test_parse_undoes_format(name: ChunkName, prefix: str) -> None:
    """L3: what was formatted is parsed back, under any prefix, and the object's name is what S3 and disks can hold."""
    text = names.format(name)
    assert names.parse(prefix + text) == name
    assert unicodedata.is_normalized("NFC", text)
    assert len(text.encode()) <= 200


@given(st.text(max_size=40) | st.from_regex(r"\A.{1,9}_.{1,9}-\d{1,3}-\d{1,3}\.csv(\.gz|\.zst)?\s?\Z"))
def test_what_parses_is_a_chunk(key: str) -> None:
    """Any text either names no chunk, or names one whose own name parses to the same."""
    name = names.parse(key)
    assert name is None or names.parse(names.format(name)) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (ChunkName("acme", "20240131", 1, 1), "acme_20240131-1-1.csv"),
        (ChunkName("acme", "20240131", 7, 12), "acme_20240131-07-12.csv"),
        (ChunkName("a_b-c.d", "2024-01-31", 99, 1000, "gzip"), "a_b-c.d_2024-01-31-0099-1000.csv.gz"),
        (ChunkName("čeština", "1", 3, 3, "zstd"), "čeština_1-3-3.csv.zst"),
        (ChunkName("हिन्दी", "٢٠٢٤", 1, 2), "हिन्दी_٢٠٢٤-1-2.csv"),
    ],
)
def test_format(name: ChunkName, text: str) -> None:
    """Names are what the contract says, to the byte."""
    assert names.format(name) == text


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("acme_20240131-7-12.csv", ChunkName("acme", "20240131", 7, 12)),
        ("acme_20240131-007-012.csv", ChunkName("acme", "20240131", 7, 12)),
        ("in/x/acme_20240131-07-12.csv.gz", ChunkName("acme", "20240131", 7, 12, "gzip")),
        ("a_b_2024-01-31-1-2.csv", ChunkName("a_b", "2024-01-31", 1, 2)),
    ],
)
def test_parse_takes_what_others_write(key: str, name: ChunkName) -> None:
    """Unpadded and over-padded numbers, prefixes, and the punctuation that client and date may hold."""
    assert names.parse(key) == name


@pytest.mark.parametrize(
    "key",
    [
        "",
        "acme_20240131.manifest.json",
        "acme_20240131.plan.json",
        "acme-1-2.csv",
        "acme_20240131-0-2.csv",
        "acme_20240131-3-2.csv",
        "acme_20240131-1-2.CSV",
        "acme_20240131-1-2.csv.bz2",
        "acme_20240131-1-2.csv\n",
        "acme_20240131-١-٢.csv",
        "acme_20240131-²-3.csv",
        "acme_20240131--1-2.csv/",
        "ac me_20240131-1-2.csv",
        ".acme_20240131-1-2.csv",
        "_20240131-1-2.csv",
        "acme_-1-2.csv",
        f"acme_20240131-1-{'9' * 5000}.csv",
        f"{'a' * 200}_20240131-1-2.csv",
    ],
)
def test_foreign_names(key: str) -> None:
    """What is not a chunk's name is None, never an error: other objects lie beside the chunks."""
    assert names.parse(key) is None


@pytest.mark.parametrize(
    ("client", "date", "message"),
    [
        (
            "ac me",
            "1",
            "client 'ac me' holds ' ' (U+0020) at character 3; letters, digits and - . _ are allowed",
        ),
        ("a/b", "1", "client 'a/b' holds '/' (U+002F) at character 2; letters, digits and - . _ are allowed"),
        ("a\n", "1", "client 'a\\n' holds '\\n' (U+000A) at character 2; letters, digits and - . _ are allowed"),
        (
            "\udcff",
            "1",
            "client '\\udcff' holds '\\udcff' (U+DCFF) at character 1; letters, digits and - . _ are allowed",
        ),
        ("x²", "1", "client 'x²' holds '²' (U+00B2) at character 2; letters, digits and - . _ are allowed"),
        ("a", "2024_01", "date '2024_01' holds '_' (U+005F) at character 5; letters, digits and - . are allowed"),
        (".a", "1", "client '.a' begins with '.' (U+002E)"),
        ("a", ".1", "date '.1' begins with '.' (U+002E)"),
        ("", "1", "client has 0 characters; 1 to 128 are allowed"),
        ("a", "", "date has 0 characters; 1 to 128 are allowed"),
        ("a" * 129, "1", "client has 129 characters; 1 to 128 are allowed"),
    ],
)
def test_refused(client: str, date: str, message: str) -> None:
    """A name that cannot be is a usage error that says which character, and which option gives another."""
    with pytest.raises(UsageError) as caught:
        JobName(client, date)
    assert str(caught.value) == message
    assert caught.value.hint == f"give another one with --{message.partition(' ')[0]}"


def test_too_many_bytes() -> None:
    """128 characters of another script fit the count and not the 200 bytes of the object's name."""
    with pytest.raises(UsageError) as caught:
        JobName("語" * 70, "1")
    assert str(caught.value) == f"object name '{'語' * 70}_1-1-1.csv' has 220 bytes of UTF-8; 200 are allowed"


def test_a_total_can_be_what_makes_a_name_too_long() -> None:
    """The bytes are those of the chunk's own name: a job's name may fit one chunk and not a million."""
    job = JobName("a" * 128, "1" * 61)
    assert names.parse(f"{job.file_name}-1-9.csv") == ChunkName(job.client, job.date, 1, 9)
    with pytest.raises(UsageError, match=r"has 210 bytes of UTF-8; 200 are allowed"):
        ChunkName(job.client, job.date, 1, 1000000)


@pytest.mark.parametrize(("number", "total"), [(0, 1), (2, 1), (-1, 3)])
def test_numbers_that_no_chunk_has(number: int, total: int) -> None:
    """Chunks count from 1 to the total."""
    with pytest.raises(ValueError, match=f"^not a chunk's number: {number} of {total}$"):
        ChunkName("a", "1", number, total)


def test_a_compression_that_no_chunk_has() -> None:
    """Sources may be bz2; chunks are not."""
    with pytest.raises(ValueError, match=r"^chunks are not stored as bz2$"):
        ChunkName("a", "1", 1, 1, "bz2")


def test_the_same_name_typed_elsewhere() -> None:
    """A decomposed name, as macOS gives it, is the composed one."""
    assert JobName("e\u0301te\u0301", "1") == JobName("été", "1")
    assert JobName("e\u0301te\u0301", "1").file_name == "été_1"


def test_what_lies_beside_the_chunks() -> None:
    """Manifest and plan are named after the job, and a manifest is recognised."""
    assert names.manifest_name("acme_1") == "acme_1.manifest.json"
    assert names.plan_name("acme_1") == "acme_1.plan.json"
    assert names.parse_manifest_name("p/acme_1.manifest.json") == JobName("acme", "1")
    assert names.parse_manifest_name("p/acme_1.plan.json") is None
    assert names.parse_manifest_name("p/acme.manifest.json") is None
