"""The same content under another name: another day's, or an earlier release's."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.errors import NameTakenError
from splitjoin_cli.core.model import ChunkState
from splitjoin_cli.core.names import JobName
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.core.source_name import Naming
from splitjoin_cli.splitting.request import RowCount
from splitjoin_cli.stores.sinks.directory import DirectorySink
from splitjoin_cli.stores.sinks.memory import MemorySink, MemoryStore
from tests.splitting.runs import Fate, Killed, MortalSink, TwoPass, objects, request, split

if TYPE_CHECKING:
    from pathlib import Path

    from splitjoin_cli.stores.sinks.base import SmallObject

EXPORT = b"id,name\n1,a\n2,b\n3,c\n"
OTHER = b"id,name\n1,a\n2,b\n3,d\n"
TODAY = dt.date(2026, 3, 1)


def on(day: dt.date) -> Naming:
    """The name on a day where the date was neither typed nor in the source's name."""
    return Naming(JobName("acme", f"{day:%Y%m%d}"), day)


def abandoned(store: MemoryStore, data: bytes, job: JobName, **options: Any) -> None:  # noqa: ANN401 -- any of them
    """Begin a split and be killed before its last object is there."""
    counted = Fate(10_000, after=False)
    split(data, MortalSink(TwoPass(), counted), request(jobs=1, **options), job=job)
    with pytest.raises(Killed):
        split(
            data, MortalSink(TwoPass(store), Fate(counted.calls - 5, after=False)), request(jobs=1, **options), job=job
        )
    assert f"{job.file_name}.plan.json" in store.objects
    assert f"{job.file_name}.manifest.json" not in store.objects


class Heard(Silent):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize(
    ("day", "date"),
    [
        (TODAY, "20260228"),
        (TODAY, "2026-02-28"),
        (TODAY, "20260129"),
        (dt.date(2024, 3, 1), "20240229"),
        (dt.date(2026, 1, 1), "20251231"),
    ],
)
def test_an_unfinished_split_of_a_day_before_is_to_be_resumed(day: dt.date, date: str) -> None:
    """Exit 11 with the command that resumes it, up to 31 days later, in a dry run too; nothing is stored."""
    store = MemoryStore()
    abandoned(store, EXPORT, JobName("acme", date))
    left = objects(store)
    for dry_run in (False, True):
        with pytest.raises(NameTakenError) as error:
            split(EXPORT, MemorySink(store), request(dry_run=dry_run), naming=on(day))
        assert error.value.message == f"memory:/// has an unfinished split of the same content, of {date}"
        assert error.value.hint == (
            f"to resume it, type: splitjoin split --client=acme --date={date} --rows=2 --jobs=2 -- acme.csv out; "
            "or --date, --force or --run-label to split it all the same"
        )
    assert objects(store) == left


def test_with_other_options_its_command_is_not_known() -> None:
    """The hint says what to do all the same."""
    store = MemoryStore()
    abandoned(store, EXPORT, JobName("acme", "20260228"))
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store), request(size=RowCount(1)), naming=on(TODAY))
    assert error.value.hint == (
        "to resume it, type the command that began it, with --client=acme --date=20260228; "
        "or --date, --force or --run-label to split it all the same"
    )


@pytest.mark.parametrize("options", [{}, {"size": RowCount(1)}])
def test_a_finished_split_of_a_day_before_is_done(options: dict[str, Any], tmp_path: Path) -> None:
    """A cron job that runs twice must not load twice: exit 11 with the word that it is done, whatever the chunks."""
    done = split(EXPORT, DirectorySink(tmp_path), job=JobName("acme", "20260227"))
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, DirectorySink(tmp_path), request(**options), naming=on(TODAY))
    assert error.value.message == (
        f"{tmp_path}/ has a finished split of the same content, of 20260227 (run {done.run_id}): it is done"
    )
    assert error.value.hint == ("nothing is left to do; or --date, --force or --run-label to split it all the same")
    assert not [path.name for path in tmp_path.iterdir() if "20260301" in path.name]


@pytest.mark.parametrize(
    ("theirs", "data", "asked", "naming"),
    [
        (JobName("acme", "20260228"), OTHER, {}, on(TODAY)),
        (JobName("acme", "20260128"), EXPORT, {}, on(TODAY)),
        (JobName("acme", "20260302"), EXPORT, {}, on(TODAY)),
        (JobName("acme", "20260230"), EXPORT, {}, on(TODAY)),
        (JobName("acme_x", "20260228"), EXPORT, {}, on(TODAY)),
        (JobName("acme", "20260228"), EXPORT, {"force": True}, on(TODAY)),
        (JobName("acme", "20260228"), EXPORT, {"run_label": "again"}, on(TODAY)),
        (JobName("acme", "20260228"), EXPORT, {}, Naming(JobName("acme", "20260301"))),
        (JobName("acme", "20260228"), EXPORT, {}, Naming(JobName("acme", "20260301"), None, "acme_20260301")),
    ],
    ids=[
        *("other content", "32 days before", "the day after", "no day", "another client", "--force", "--run-label"),
        *("typed", "in the name"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_what_does_not_stop_it(
    theirs: JobName, data: bytes, asked: dict[str, Any], naming: Naming, *, finished: bool
) -> None:
    """Other content, days that are far, what was asked for; a date that was typed, or in the name, is no question."""
    store = MemoryStore()
    if finished:
        split(data, MemorySink(store), job=theirs)
    else:
        abandoned(store, data, theirs)
    before = objects(store)
    split(EXPORT, MemorySink(store), request(**asked), naming=naming)
    assert f"{naming.job.file_name}.manifest.json" in store.objects
    assert before.items() <= objects(store).items()


def test_todays_own_split_goes_on_beside_yesterdays() -> None:
    """Split with --force on purpose, the same command without it finds all done."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store), job=JobName("acme", "20260228"))
    split(EXPORT, MemorySink(store), request(force=True), naming=on(TODAY))
    assert split(EXPORT, MemorySink(store), naming=on(TODAY)).progress.count(ChunkState.SKIPPED) == 2


NAMED = Naming(JobName("acme", "20240131"), None, "acme_20240131")
EARLIER = JobName("acme_20240131", "20251130")


def test_an_earlier_releases_unfinished_split_is_to_be_resumed() -> None:
    """It called acme_20240131.csv by all of its name and the day: any day."""
    store = MemoryStore()
    abandoned(store, EXPORT, EARLIER)
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store), naming=NAMED)
    assert error.value.message == (
        "memory:/// has an unfinished split of the same content, acme_20240131_20251130, named as earlier releases did"
    )
    assert error.value.hint == (
        "to resume it, type: splitjoin split --client=acme_20240131 --date=20251130 --rows=2 --jobs=2 -- acme.csv out; "
        "or --client acme to split it as acme_20240131 as well"
    )
    split(EXPORT, MemorySink(store), job=EARLIER)
    assert "acme_20240131_20251130.manifest.json" in store.objects


def test_an_earlier_releases_finished_split_is_done() -> None:
    """Exit 11 with the word that it is done; of other content, or with the client typed, it is of no matter."""
    store = MemoryStore()
    done = split(EXPORT, MemorySink(store), job=EARLIER)
    with pytest.raises(NameTakenError) as error:
        split(EXPORT, MemorySink(store), naming=NAMED)
    assert error.value.message == (
        "memory:/// has a finished split of the same content, acme_20240131_20251130, named as earlier releases did "
        f"(run {done.run_id}): it is done"
    )
    assert error.value.hint == "nothing is left to do; or --client acme to split it as acme_20240131 as well"
    split(OTHER, MemorySink(store), naming=NAMED)
    split(EXPORT, MemorySink(store), request(force=True), naming=Naming(JobName("acme", "20240131")))


def test_only_heads_are_read() -> None:
    """Of a manifest of many chunks the first kilobytes, and of a name that is not asked about nothing."""
    store = MemoryStore()
    for date in ("20260228", "20251231"):
        split(EXPORT, MemorySink(store), request(size=RowCount(1)), job=JobName("acme", date))
    asked: list[tuple[str, int | None]] = []

    class Counts(MemorySink):
        def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
            asked.append((name, most))
            return super().read_small(name, most=most)

    split(OTHER, Counts(store), naming=on(TODAY))
    others = [(name, most) for name, most in asked if "20260301" not in name]
    assert others == [("acme_20260228.manifest.json", 16 * 1024)]


def test_a_long_head_is_read_on() -> None:
    """Many warnings make one: up to 1 MiB are read."""
    store = MemoryStore()
    split(EXPORT, MemorySink(store), job=JobName("acme", "20260228"))
    name = "acme_20260228.manifest.json"
    data = store.objects[name].data.replace(b'"warnings": []', b'"warnings": ["' + b"x" * 100_000 + b'"]')
    MemorySink(store).put_small(name, data)
    with pytest.raises(NameTakenError):
        split(EXPORT, MemorySink(store), naming=on(TODAY))


def test_a_damaged_head_is_a_warning() -> None:
    """Another job's document cannot stop this one, and it is said that nothing is known of it."""
    store, heard = MemoryStore(), Heard()
    MemorySink(store).put_small("acme_20260228.manifest.json", b"{}")
    split(EXPORT, MemorySink(store), naming=on(TODAY), observer=heard)
    assert heard.warnings == [
        (
            "cannot tell whether this content is split already: memory:///acme_20260228.manifest.json holds no "
            "manifest that splitjoin can read: its chunks do not begin within 2 bytes"
        )
    ]


@pytest.mark.parametrize(("before", "state"), [(True, "a finished"), (False, "an unfinished")])
def test_a_split_that_ends_meanwhile_is_found(state: str, *, before: bool) -> None:
    """Its plan is listed, then goes, before or after the first look at it: its manifest is there by then."""
    store, yesterday = MemoryStore(), JobName("acme", "20260228")
    abandoned(store, EXPORT, yesterday)

    def end() -> None:
        if "acme_20260228.plan.json" in store.objects:
            split(EXPORT, MemorySink(store), job=yesterday)

    class EndsMeanwhile(MemorySink):
        def read_small(self, name: str, *, most: int | None = None) -> SmallObject | None:
            if before:
                end()
            found = super().read_small(name, most=most)
            end()
            return found

    with pytest.raises(NameTakenError, match=f"has {state} split of the same content, of 20260228"):
        split(EXPORT, EndsMeanwhile(store), naming=on(TODAY))
