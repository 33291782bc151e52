"""Why chunks failed, told from the errors that the parts of a worker really raise, and the remedy of each."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, get_args

import pytest
from botocore.exceptions import ClientError

from splitjoin_cli.core.aws.errors import translate
from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.join.operate.advice import advise
from splitjoin_cli.join.operate.causes import Kind, causes
from splitjoin_cli.join.operate.remedies import REMEDIES
from splitjoin_cli.join.operate.status import OtherObject, job_status
from splitjoin_cli.stores.chunks.directory import DirectoryChunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.memory import MemoryTracker
from splitjoin_cli.testing.chunks import chunk_of
from tests.join.memory import FILE_NAME, chunk_uri
from tests.join.rig import RUN, Rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from splitjoin_cli.join.operate.reasons import Advice
    from splitjoin_cli.stores.trackers.jobs import JobProgress

TRACKER = "dynamodb:jobs"
PLACE = "s3://bucket/in/"
SPLIT = f"splitjoin split --force --client=acme --date=20240131 --tracker {TRACKER} SOURCE {PLACE}"
RETRY = f"splitjoin retry acme_20240131 --tracker {TRACKER}"


def loaded(tmp_path: Path, table: str = "acme") -> SqliteLoader:
    """A database, into which a chunk of a run is loaded already."""
    loader = SqliteLoader(str(tmp_path / "load.db"), LoadTarget(table, create_table=True))
    loader.prepare()
    return loader


def of_another_run(tmp_path: Path) -> None:
    """A newer run meets the rows of an older one."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n", run_id="a" * 32))
        loader.load(chunk_of(b"1,a\n", run_id="b" * 32, generation=2))


def of_another_object(tmp_path: Path) -> None:
    """The object was replaced after it was loaded."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n", validator='"one"'))
        loader.load(chunk_of(b"1,a\n", validator='"two"'))


def of_another_table(tmp_path: Path) -> None:
    """The worker was started with another table."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n"))
    with contextlib.closing(loaded(tmp_path, "other")) as loader:
        loader.load(chunk_of(b"1,a\n", number=2))


def with_a_bad_row(tmp_path: Path) -> None:
    """A record has a field too many."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n2,b,c\n"))


def with_rows_missing(tmp_path: Path) -> None:
    """The chunk has fewer rows than its metadata says."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n", rows=2))


def without_a_column(tmp_path: Path) -> None:
    """The header names a column that the table does not have."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n"))
        loader.load(chunk_of(b"1,a\n", header=b"id,colour\n", number=2))


def with_a_header_that_no_table_has(tmp_path: Path) -> None:
    """A name that the database does not take."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1,a\n", header=b"id,na\0me\n"))


def with_too_many_columns(tmp_path: Path) -> None:
    """More than the database has."""
    with contextlib.closing(loaded(tmp_path)) as loader:
        loader.load(chunk_of(b"1\n", header=",".join(f"c{number}" for number in range(2001)).encode() + b"\n"))


def tracked(rig: Rig, run: Run, total: int = 2) -> None:
    """What the worker says of chunk 1 where the tracker has that job."""
    rig.tracker.open_job(JobSpec(run, total))
    outcome = rig.handle(1)
    assert outcome.error is not None
    raise outcome.error


def of_a_run_that_the_tracker_does_not_have(_: Path) -> None:
    """A split that used no tracker."""
    tracked(Rig(), Run(FILE_NAME, "c" * 32))


def of_another_total(_: Path) -> None:
    """The names are of another split."""
    tracked(Rig(), RUN, 3)


def without_metadata(_: Path) -> None:
    """A tool copied the chunk without its metadata."""
    rig = Rig()
    rig.chunks.put(chunk_uri(1, 2), b"1,a\n", run_id=None)
    tracked(rig, RUN)


def without_its_object_on_s3(_: Path) -> None:
    """Somebody deleted it: the store's own answer, as the adapter words it."""
    answer: Any = {"Error": {"Code": "NoSuchKey", "Message": "gone"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
    raise translate(ClientError(answer, "GetObject"), "s3:GetObject", f"{PLACE}acme_20240131-1-9.csv")


def without_its_file(tmp_path: Path) -> None:
    """The same in a directory."""
    DirectoryChunks().open_chunk(str(tmp_path / "acme_20240131-1-9.csv"))


RAISED: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "ledger-run": (of_another_run, "a" * 32),
    "ledger-object": (of_another_object, None),
    "ledger-table": (of_another_table, "acme"),
    "bad-row": (with_a_bad_row, None),
    "bad-row: a count": (with_rows_missing, None),
    "columns": (without_a_column, None),
    "header": (with_a_header_that_no_table_has, None),
    "header: columns": (with_too_many_columns, None),
    "other-run": (of_a_run_that_the_tracker_does_not_have, "c" * 32),
    "other-total": (of_another_total, None),
    "no-metadata": (without_metadata, None),
    "not-stored": (without_its_object_on_s3, None),
    "not-stored: a file": (without_its_file, None),
}


def raised(case: str, tmp_path: Path) -> str:
    """The error's text, as the tracker keeps it."""
    with pytest.raises(SplitjoinError) as caught:
        RAISED[case][0](tmp_path)
    return caught.value.message


def failed(*errors: str) -> JobProgress:
    """A job whose first chunks failed for good."""
    tracker = MemoryTracker()
    tracker.open_job(JobSpec(RUN, 9, destination=PLACE))
    for number, error in enumerate(errors, 1):
        tracker.mark_failed(RUN, number, error=error, final=True)
    return tracker.progress(RUN.file_name)


def advice(progress: JobProgress, others: tuple[OtherObject, ...] | None = None, *, age: float = 0) -> Advice:
    """What is said of it, ``age`` seconds after the job began."""
    assert progress.created_at is not None
    status = job_status(progress, now=progress.created_at + age, stuck_seconds=900)
    object.__setattr__(status, "other_objects", others)
    return advise(status, TRACKER)


@pytest.mark.parametrize("case", RAISED)
def test_each_error_is_known_by_its_text(case: str, tmp_path: Path) -> None:
    """And what it names, run or table."""
    (cause,) = causes(failed(raised(case, tmp_path)))
    assert (cause.kind, cause.numbers, cause.about) == (case.partition(":")[0], (1,), RAISED[case][1])


@pytest.mark.parametrize("case", RAISED)
def test_no_remedy_is_the_same_chunk_again(case: str, tmp_path: Path) -> None:
    """Whatever comes last is told only after what makes it help; the error itself is a reason."""
    error = raised(case, tmp_path)
    told = advice(failed(error))
    assert [reason.text for reason in told.reasons] == [
        "the last try of chunk 1 failed permanently: no worker tries again by itself",
        f"chunk 1: {error}",
    ]
    assert (told.steps[0].command, told.steps[-1].command) == (False, True)
    assert told.steps[-1].text == LAST[case]


CLEAR = f"splitjoin clear acme_20240131 --into DATABASE_URL --tracker {TRACKER}"
REPLACE = f"splitjoin replace acme_20240131 --chunk 1 FILE --tracker {TRACKER} --into DATABASE_URL --to sqs:QUEUE_URL"
AGAIN = f"{RETRY} --to sqs:QUEUE_URL"
UPLOAD = SPLIT.replace("--force ", "")
LOOK = f"splitjoin status acme_20240131 --tracker {TRACKER} --dest {PLACE}"
LAST = {
    "ledger-run": AGAIN, "ledger-object": AGAIN, "ledger-table": AGAIN, "columns": AGAIN, "bad-row": REPLACE,
    "header": SPLIT, "header: columns": SPLIT,
    "bad-row: a count": REPLACE, "no-metadata": REPLACE, "other-run": SPLIT, "other-total": SPLIT,
    "not-stored": LOOK, "not-stored: a file": LOOK,
}  # fmt: skip
"""After what makes it help."""


def test_another_run_in_the_ledger_is_cleared(tmp_path: Path) -> None:
    """By its own name, with the two options that make it needless."""
    first, second, _ = advice(failed(raised("ledger-run", tmp_path))).steps
    older = "a" * 32
    assert first.text == (
        f"chunk 1: take run {older} out of the database (with --run-column NAME where the table has one; without it"
        " the command says the SQL); or start the worker with --run-column NAME, which replaces an older run's rows, or"
        " with --beside-other-run"
    )
    assert second.text == f"{CLEAR} --run {older}"


def test_a_bad_row_has_three_ways_out(tmp_path: Path) -> None:
    """The chunk, the table, or the file; each with its whole commands."""
    first, second = advice(failed(raised("bad-row", tmp_path))).steps
    assert first.text == (
        f"chunk 1: copy it from {PLACE} to FILE, mend the row there, and replace it. Or change the table, then:"
        f" {AGAIN}. Or mend the row in SOURCE, then: {CLEAR} --run {RUN.run_id}; and: {SPLIT}"
    )
    assert second.text == REPLACE


def test_many_bad_rows_are_mended_in_the_source(tmp_path: Path) -> None:
    """Nobody replaces a hundred chunks by hand."""
    told = advice(failed(*[raised("bad-row", tmp_path)] * 4)).steps
    assert [step.text for step in told] == [
        "chunks 1-4: mend the rows in SOURCE, take this run out of the database, and split SOURCE again",
        f"{CLEAR} --run {RUN.run_id}",
        SPLIT,
    ]


def test_a_mended_chunk_whose_old_bytes_came_is_replaced_again() -> None:
    """Its own words, as ledger and tracker say them."""
    error = (
        "the ledger expects this number with the checksum A, as splitjoin replace wrote it down, and the chunk has B"
    )
    (cause,) = causes(failed(error))
    assert cause.kind == "mended"
    first, last = advice(failed(error)).steps
    assert first.text == "chunk 1: replace it again, with the FILE that is to be loaded"
    assert last.text == REPLACE


def test_every_cause_has_a_remedy() -> None:
    """A new one without is a type error, and fails here."""
    assert set(REMEDIES) == set(get_args(Kind))


@pytest.mark.parametrize(
    ("stored", "said", "last"),
    [
        (frozenset[int](), "take the file whose rows you want loaded, with the options of its first split", UPLOAD),
        (frozenset({1}), "its object is stored again", AGAIN),
    ],
)
def test_a_chunk_whose_object_is_gone_is_uploaded_before_it_is_sent(
    stored: frozenset[int], said: str, last: str, tmp_path: Path
) -> None:
    """Where the destination was looked at; sent again without its object it would fail again."""
    tracker = MemoryTracker()
    tracker.open_job(JobSpec(RUN, 1, destination=PLACE))
    tracker.mark_failed(RUN, 1, error=raised("not-stored", tmp_path), final=True)
    progress = tracker.progress(RUN.file_name)
    assert progress.created_at is not None
    status = job_status(progress, now=progress.created_at, stuck_seconds=900, stored=stored)
    assert [step.text for step in advise(status, TRACKER, PLACE).steps] == [f"chunk 1: {said}", last]


def test_a_clear_that_was_stopped_is_typed_again() -> None:
    """Nothing else helps: it holds the job until it ends."""
    tracker = MemoryTracker()
    tracker.open_job(JobSpec(RUN, 9, destination=PLACE))
    tracker.claim_clear(RUN)
    told = advice(tracker.progress(RUN.file_name), age=9999)
    assert [reason.kind for reason in told.reasons] == ["clearing"]
    assert [step.text for step in told.steps] == [
        "let splitjoin clear end; if it was stopped, type it again",
        f"{CLEAR} --run {RUN.run_id}",
    ]


def test_chunks_that_failed_alike_are_told_once() -> None:
    """And what nobody knows is to be mended as its error says."""
    told = advice(failed("the database is away", "record 3 has 2 fields", "the database is away"))
    assert [reason.text for reason in told.reasons[1:]] == [
        "chunks 1, 3: the database is away",
        "chunk 2: record 3 has 2 fields",
    ]
    assert [step.text for step in told.steps][::3] == ["chunks 1, 3: mend what the error says", AGAIN]
    alone = advice(failed("the database is away")).steps
    assert [step.text for step in alone] == ["mend what the error says", f"{RETRY} --to sqs:QUEUE_URL"]


def test_an_object_of_an_older_run_is_replaced_by_a_split() -> None:
    """Sent again it would be left alone again. While the job goes on it is the split's, which may be at work."""
    others = (OtherObject(2, "0" * 32, 1), OtherObject(3, "f" * 32, 2), OtherObject(5, None, 1))
    tracker = MemoryTracker()
    run = Run(RUN.file_name, RUN.run_id, 2)
    tracker.open_job(JobSpec(run, 9, destination=PLACE))
    tracker.mark_done(run, 1, total_parts=9, rows=1)
    progress = tracker.progress(run.file_name)
    told = advice(progress, others, age=1000)
    ours = f"the tracker counts run {run.run_id} (generation 2)"
    assert [reason.text for reason in told.reasons] == [
        "no chunk was newly counted for 16:40 min; chunks 2-3, 5 at the destination can never be counted",
        f"the object of chunk 2 is of an older run, {'0' * 32} (generation 1); {ours}",
        f"the object of chunk 3 is of another run, {'f' * 32} (generation 2); {ours}",
        f"the object of chunk 5 carries no metadata of splitjoin, so that its run is not known; {ours}",
    ]
    assert [step.text for step in told.steps] == [
        "take the file whose rows you want loaded, with the options of its first split",
        SPLIT,
    ]
    assert advice(progress, others).steps[-1].text.endswith("--watch")


def test_a_join_that_lacks_chunks_gets_them_first() -> None:
    """The join alone would fail again: what the ledger lost comes before it."""
    rig = Rig(total=9)
    for number in range(1, 9):
        rig.handle(number)
    for number in (3, 7, 8):
        del rig.loader.database.ledger[FILE_NAME, RUN.run_id, number]
    rig.handle(9)
    progress = rig.tracker.progress(FILE_NAME)
    status = job_status(progress, now=rig.clock.now, stuck_seconds=900)
    assert [step.text for step in advise(status, TRACKER).steps] == [
        f"{RETRY} --chunks 3,7-8 --counted --to sqs:QUEUE_URL",
        f"{RETRY} --join",
    ]
