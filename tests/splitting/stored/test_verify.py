"""verify: a whole split is ok, and every kind of damage is found, named and numbered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, get_args

import pytest

from splitjoin_cli.core.errors import NotFoundError, SourceChangedError, SourceError, UsageError
from splitjoin_cli.core.model import Dialect
from splitjoin_cli.splitting.engines.check import EngineCheck
from splitjoin_cli.splitting.engines.in_process import InProcess
from splitjoin_cli.splitting.engines.place import OpenStored, Place
from splitjoin_cli.splitting.engines.specs import Reach, SourceSpec, StoredSpec
from splitjoin_cli.splitting.stored.judge import StoredPlace
from splitjoin_cli.splitting.stored.records import RecordCounter
from splitjoin_cli.splitting.stored.verify import KINDS, Kind, Problem, VerifyReport, verify
from splitjoin_cli.stores.sources.memory import MemorySource
from splitjoin_cli.stores.sources.stream import StreamSource
from tests.splitting.places import FILE_NAME, MANIFEST, MemoryPlace, stored_split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from splitjoin_cli.stores.sources.base import Source

HEADER = b"id,note\n"
CHUNKS = [[b"1,a\n", b'2,"two\nlines"\n'], [b"3,c\n"], [b"4,d\n", b'5,"e ""e"""']]
BODY = b"".join(record for chunk in CHUNKS for record in chunk)
SECOND = f"{FILE_NAME}-2-3.csv"


def checked(place: MemoryPlace, source: Source | None = None, file_name: str | None = None) -> VerifyReport:
    """Verify on two threads; and on an engine, which finds the same."""
    with ThreadPoolExecutor(2) as executor:
        look = partial(
            verify, place.sink, place.open_chunk, executor=executor, jobs=2, file_name=file_name, source=source
        )
        report = look()
        if source is None or source.properties.seekable:
            with on_engine(place, source) as elsewhere:
                assert look(elsewhere=elsewhere) == report
    return report


@contextmanager
def on_engine(place: MemoryPlace, source: Source | None) -> Iterator[EngineCheck]:
    """What judges the chunks by units, in this process."""
    stored = OpenStored(StoredPlace(place.sink, place.open_chunk), lambda: None)
    engine = InProcess(Place(lambda _: source or MemorySource(b""), opens_stored=lambda _: stored))
    try:
        spec = None
        if source is not None:
            found = source.properties
            spec = SourceSpec(found.uri, found.validator, found.size or 0, Reach())
        yield EngineCheck(engine, StoredSpec("memory:///", Reach()), spec)
    finally:
        engine.close()


def streamed(data: bytes) -> Source:
    """A source that cannot seek."""
    return StreamSource(MemorySource(data), lambda stream: stream)


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
@pytest.mark.parametrize("counted", [True, False])
def test_whole_split_is_ok(compression: None, counted: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """No problem of a set that is as it was stored; its rows are counted here, where nobody has counted them."""
    report = checked(stored_split(HEADER, CHUNKS, compression=compression, counted=counted))
    assert report == VerifyReport(FILE_NAME, (), 3, 5)
    assert report.to_json() == {"file_name": FILE_NAME, "ok": True, "problems": [], "mended": []}


@pytest.mark.parametrize("open_as", [MemorySource, streamed])
@pytest.mark.parametrize("header", [HEADER, b""])
def test_whole_split_equals_its_source(open_as: type[MemorySource], header: bytes) -> None:
    """Compared with the right source, seekable or not, with a header or without, nothing is reported."""
    assert checked(stored_split(header, CHUNKS), open_as(header + BODY)).problems == ()


def test_mark_before_the_first_record_is_no_part_of_it() -> None:
    """A byte order mark without a header does not hide the quote behind it."""
    assert checked(stored_split(b"", [[b'\xef\xbb\xbf"a\nb",1\n'], [b"c,2\n"]])).problems == ()


def test_missing_and_extra_chunks_are_named() -> None:
    """A chunk that is gone, one of another total, and one of another compression."""
    place = stored_split(HEADER, CHUNKS)
    del place.objects[SECOND]
    place.objects[f"{FILE_NAME}-4-4.csv"] = place.objects[f"{FILE_NAME}-1-3.csv.gz"] = b"x"
    place.objects[f"{FILE_NAME}-x_20240131-1-1.csv"] = b"another job whose name begins the same"
    assert checked(place, file_name=FILE_NAME).problems == (
        Problem(1, "extra", f"{FILE_NAME}-1-3.csv.gz is not of this split"),
        Problem(2, "missing", "chunk 2 of 3 is not there"),
        Problem(4, "extra", f"{FILE_NAME}-4-4.csv is not of this split"),
    )


def test_chunks_of_another_split_in_a_row_are_one_problem() -> None:
    """A replacement that was interrupted leaves thousands beside the old ones; an unpadded name stays by itself."""
    place = stored_split(HEADER, CHUNKS)
    for number in (12, 2, 9, 10, 11):
        place.objects[f"{FILE_NAME}-{number:02d}-12.csv"] = b"x"
    place.objects[f"{FILE_NAME}-3-12.csv"] = b"x"
    assert checked(place, file_name=FILE_NAME).problems == (
        Problem(2, "extra", f"{FILE_NAME}-02-12.csv is not of this split"),
        Problem(3, "extra", f"{FILE_NAME}-3-12.csv is not of this split"),
        Problem(9, "extra", f"{FILE_NAME}-09-12.csv to {FILE_NAME}-12-12.csv, 4 chunks, are not of this split"),
    )


def test_changed_byte_is_a_checksum_problem() -> None:
    """A flipped byte of the body is found by the checksum alone."""
    place = stored_split(HEADER, CHUNKS)
    place.replace_in(SECOND, b"3,c", b"3,x")
    (problem,) = checked(place).problems
    assert (problem.number, problem.kind) == (2, "checksum")
    assert problem.message.startswith(f"{SECOND} has the checksum crc64nvme:")


def test_cut_chunk_is_reported_in_every_respect() -> None:
    """A chunk that lost its end has another size, checksum, range and number of records."""
    place = stored_split(HEADER, CHUNKS)
    name = f"{FILE_NAME}-1-3.csv"
    place.replace_in(name, b'2,"two\nlines"\n', b"")
    problems = checked(place).problems
    assert [problem.kind for problem in problems] == ["size", "coverage", "rows", "checksum"]
    assert [problem.message for problem in problems[:3]] == [
        f"{name} has 12 bytes, not 26",
        f"{name} holds 4 bytes of the body, not 18",
        f"{name} holds 1 record, not 2",
    ]


def test_header_that_differs_is_found_in_its_own_chunk_only() -> None:
    """One damaged header, even the first one, does not make the others look wrong."""
    place = stored_split(HEADER, CHUNKS)
    place.replace_in(f"{FILE_NAME}-1-3.csv", b"id,note", b"id,NOTE")
    assert [(problem.number, problem.kind) for problem in checked(place).problems] == [(1, "checksum"), (1, "header")]


QUOTED = Dialect(line_end="\n")
ESCAPED = Dialect("\t", None, "\\")
BOTH = Dialect(escapechar="\\")


@pytest.mark.parametrize(
    ("dialect", "first", "second", "why"),
    [
        (QUOTED, b'1,"two\n', b'lines"\n', "a quote is still open"),
        (BOTH, b'1,"two\\"\n', b'lines"\n', "a quote is still open"),
        (BOTH, b'1,"two\\', b'\nlines"\n', "an escape character is the last byte"),
        (ESCAPED, b"1\tone\\\n", b"two\n", "the newline at the end is escaped"),
        (ESCAPED, b"1\tone\\", b"\ntwo\n", "an escape character is the last byte"),
        (QUOTED, b"1,on", b"e\n", "the newline at the end is missing"),
        (QUOTED, b"1,one\r", b"\n", "a carriage return at the end has no line feed"),
        (Dialect(quotechar=None), b'1,"on', b'e"\n', "the newline at the end is missing"),
    ],
)
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_set_that_was_cut_inside_a_record_is_found(
    compression: Literal["gzip"] | None,
    dialect: Dialect,
    first: bytes,
    second: bytes,
    why: str,
    counted: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """By hand: sizes, checksums, ranges and even rows are right, and the source is the same byte for byte."""
    header, whole = b"id,note\n".replace(b",", dialect.delimiter.encode()), b"0\n"
    cut = [[whole, first], [second], [whole]]
    place = stored_split(header, cut, dialect=dialect, counted=counted, compression=compression)
    name = f"{FILE_NAME}-1-3.csv{'.gz' if compression else ''}"
    where = f"inside the record that begins at the source's byte 10: {why}"
    torn = f"{name} ends {where}; split the source again, with --force"
    for source in (None, MemorySource(header + b"".join(b"".join(records) for records in cut))):
        report = checked(place, source)
        assert [problem for problem in report.problems if problem.kind != "rows"] == [Problem(1, "torn", torn)]
        assert report.rows is None
    assert checked(stored_split(header, [[whole, first + second], [whole]], dialect=dialect)).problems == ()


def test_an_object_far_larger_than_its_chunk_is_read_in_large_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What took the place of a small chunk is not read a few bytes at a time."""
    sizes: list[int] = []

    def feed(counter: RecordCounter, block: memoryview) -> int:
        sizes.append(len(block))
        return fed(counter, block)

    fed = RecordCounter.feed
    monkeypatch.setattr(RecordCounter, "feed", feed)
    place = stored_split(HEADER, CHUNKS)
    place.objects[SECOND] = HEADER + b"3,c\n" * 10_000
    assert {problem.kind for problem in checked(place).problems} >= {"size", "coverage", "rows", "checksum"}
    assert sum(sizes) > 80_000  # here, and on an engine
    assert len(sizes) < 20


def test_a_header_that_was_cut_inside_a_record_is_found() -> None:
    """Every chunk begins with the same half of it, which is told once."""
    place = stored_split(b"id\tn\\\n", [[b"m\n1\ta\n"], [b"2\tb\n"]], dialect=ESCAPED, counted=False)
    why = "the newline at the end is escaped; split the source again, with --force"
    assert checked(place).problems == (
        Problem(None, "torn", f"the header, 6 bytes, ends inside the record that begins at the source's byte 0: {why}"),
    )


def test_a_header_of_two_records_is_found() -> None:
    """The second one would be in no table."""
    problems = checked(stored_split(b"id,note\n1,a\n", [[b"2,b\n"]])).problems
    assert problems == (Problem(None, "header", "the header, 12 bytes, holds 2 records"),)


@pytest.mark.parametrize("tail", [b"2,b\n", b"2,b", b'2,"b', b'2,b"', b"2,b\\", b'2,"b\\'])
def test_the_last_chunk_may_end_as_a_file_may(tail: bytes) -> None:
    """Without a newline, and (the csv module takes it, so does --on-stray-quote literal) without a closing quote."""
    assert checked(stored_split(HEADER, [[b"1,a\n"], [tail]], dialect=BOTH)).problems == ()
    assert checked(stored_split(HEADER, [[tail]], dialect=BOTH)).problems == ()


def test_a_header_alone_needs_no_newline() -> None:
    """It is all of the source, then."""
    assert checked(stored_split(b"id,note", [[]])).problems == ()


def test_records_behind_a_lone_carriage_return_are_not_counted() -> None:
    """A copy on the server does not see it, and no reader agrees with another on it."""
    dialect = Dialect(quotechar=None)
    place = stored_split(HEADER, [[b"1,a\n", b"2,b\r3,c\n"], [b"4,d\n"]], dialect=dialect, counted=False)
    report = checked(place)
    name, where = f"{FILE_NAME}-1-2.csv", "a carriage return without a line feed, outside quotes (the source's byte 15)"
    assert report.problems == (Problem(1, "lone-cr", f"{name} holds {where}: the records cannot be counted"),)
    assert report.rows is None


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_damaged_compression_is_unreadable(compression: str) -> None:
    """A compressed chunk that breaks off is reported with what the decompressor met."""
    place = stored_split(HEADER, CHUNKS, compression=compression)  # type: ignore[arg-type]
    name = next(name for name in place.objects if "-2-3" in name)
    place.objects[name] = place.objects[name][:-6]
    problems = checked(place).problems
    assert [problem.kind for problem in problems] == ["size", "unreadable"]
    assert problems[1].message.startswith(f"chunk {name}: {name} is cut short: its {compression} data breaks off")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"total":3', '"total":9', "total"),
        ('"compression":null', '"compression":"gzip"', "compression"),
        ('"delimiter":","', '"delimiter":";"', "dialect"),
        ('"header_lines":1', '"header_lines":2', "header_lines"),
    ],
)
def test_metadata_that_workers_would_read_otherwise_is_a_problem(old: str, new: str, field: str) -> None:
    """A worker reads a chunk by what it says of itself: a set that it refuses, or loads otherwise, is not ok."""
    place = stored_split(HEADER, CHUNKS)
    assert old in place.metadata[SECOND]
    place.metadata[SECOND] = place.metadata[SECOND].replace(old, new)
    said = f"{SECOND} differs from the manifest in what it says of {field}"
    assert checked(place).problems == (Problem(2, "metadata", said),)


def test_chunk_of_another_run_is_a_metadata_problem() -> None:
    """A chunk that says it is of another run, though its bytes are the same, and one whose text is not ours."""
    place = stored_split(HEADER, CHUNKS)
    place.metadata[SECOND] = place.metadata[SECOND].replace("0" * 32, "1" * 32).replace('"rows":1', '"rows":9')
    place.metadata[f"{FILE_NAME}-3-3.csv"] = "{}"
    assert checked(place).problems == (
        Problem(2, "metadata", f"{SECOND} is of run {'1' * 32}, the manifest of {'0' * 32}"),
        Problem(2, "metadata", f"{SECOND} says that it is chunk 2, bytes 26 to 30, of 9 rows"),
        Problem(
            3,
            "metadata",
            f"{FILE_NAME}-3-3.csv holds no metadata that splitjoin can read: version: is missing",
        ),
    )


def test_split_under_way_is_told_from_a_whole_one() -> None:
    """Without a manifest, names alone say what is missing, and the plan that the split is not done."""
    place = stored_split(HEADER, CHUNKS)
    del place.objects[MANIFEST], place.objects[SECOND]
    place.objects[f"{FILE_NAME}.plan.json"] = b"{}"
    report = checked(place)
    assert report.to_json() == {
        "file_name": FILE_NAME,
        "ok": False,
        "problems": [
            {"number": None, "kind": "manifest", "message": f"{MANIFEST} is not there: the split is not whole"},
            {
                "number": None,
                "kind": "plan",
                "message": f"{FILE_NAME}.plan.json is there: the split is under way, or was interrupted",
            },
            {"number": 2, "kind": "missing", "message": "chunk 2 of 3 is not there"},
        ],
        "mended": [],
    }


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        (
            b'"number": 2',
            b'"number": 7',
            "manifest",
            "holds no manifest that splitjoin can read: number: expected chunk 2",
        ),
        (
            b'"start": 26',
            b'"start": 25',
            "coverage",
            ": chunk 2 covers bytes 25 to 30, but the one before it ends at 26",
        ),
        (
            b'"file_name": "acme',
            b'"file_name": "emca',
            "manifest",
            "file_name: expected acme_20240131, found emca_20240131",
        ),
    ],
)
def test_damaged_manifest_is_a_problem_not_a_crash(old: bytes, new: bytes, kind: str, message: str) -> None:
    """What the manifest itself gets wrong is reported like the rest."""
    place = stored_split(HEADER, CHUNKS)
    place.replace_in(MANIFEST, old, new)
    (problem,) = checked(place).problems
    assert (problem.number, problem.kind) == (None, kind)
    assert message in problem.message


@pytest.mark.parametrize("open_as", [MemorySource, streamed])
@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        (b"3,c", b"3,x", [Problem(2, "bytes", f"{SECOND} differs from the source at the source's byte 28")]),
        (b"", b"", []),
        (b'e"""', b'e"""\n', [Problem(None, "bytes", "the source goes on after byte 45, where the split ends")]),
        (b'e"""', b"", [Problem(3, "bytes", f"{FILE_NAME}-3-3.csv differs from the source at the source's byte 41")]),
        (
            b"id,note",
            b"ID,note",
            [Problem(n, "header", f"{FILE_NAME}-{n}-3.csv begins with another header") for n in (1, 2, 3)],
        ),
    ],
)
def test_other_source_is_found(open_as: type[MemorySource], old: bytes, new: bytes, problems: list[Problem]) -> None:
    """A source with another byte, a longer one, a shorter one, another header: seekable or not."""
    source = open_as((HEADER + BODY).replace(old, new))
    assert checked(stored_split(HEADER, CHUNKS), source).problems == tuple(problems)


def test_source_that_changes_meanwhile_is_an_error() -> None:
    """What is compared with a moving source says nothing of the split."""
    source = MemorySource(HEADER + BODY)
    place = stored_split(HEADER, CHUNKS)

    def changing(name: str) -> MemorySource:
        source.replace(b"other")
        return place.open_chunk(name)

    with ThreadPoolExecutor(1) as executor:
        check = partial(verify, place.sink, changing, executor=executor, jobs=1, source=source)
        with pytest.raises(SourceChangedError, match=r"^memory:source\.csv changed while it was read$"):
            check()


def test_chunk_that_cannot_be_opened_is_unreadable() -> None:
    """One object that the store refuses is one problem; the others are still checked."""
    place = stored_split(HEADER, CHUNKS)

    def refusing(name: str) -> MemorySource:
        if name == SECOND:
            raise SourceError("permission denied")
        return place.open_chunk(name)

    with ThreadPoolExecutor(2) as executor:
        report = verify(place.sink, refusing, executor=executor, jobs=2)
    assert report.problems == (Problem(2, "unreadable", f"chunk {SECOND}: permission denied"),)


def test_several_jobs_need_a_name() -> None:
    """Where two jobs lie, both are listed; with a name the other one is not looked at."""
    place = stored_split(HEADER, CHUNKS)
    place.objects |= stored_split(HEADER, CHUNKS[:1], file_name="bmce_20240131").objects
    with pytest.raises(UsageError) as caught:
        checked(place)
    assert caught.value.message == "there are several jobs in memory:place/: acme_20240131, bmce_20240131"
    assert caught.value.hint == "say which one with --name"
    assert checked(place, file_name="bmce_20240131").ok


def test_empty_place_holds_no_job() -> None:
    """Nothing to verify is an error, not a set that is ok."""
    with pytest.raises(NotFoundError) as caught:
        checked(MemoryPlace({"notes.txt": b""}))
    assert caught.value.message == "there are no chunks and no manifest in memory:place/"


def test_name_that_claims_an_absurd_total_costs_nothing() -> None:
    """A total that no split has is not believed: its chunk is extra, and no list of missing numbers is made."""
    place = MemoryPlace({f"{FILE_NAME}-1-999999999999999999.csv": b"x"})
    assert [problem.kind for problem in checked(place).problems] == ["manifest", "extra"]


def test_every_kind_has_its_meaning() -> None:
    """No kind can be reported that the documentation, made from KINDS, does not have."""
    assert list(KINDS) == list(get_args(Kind))
