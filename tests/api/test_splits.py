"""Several splits in one call: names settled first, each as if alone, one summary, and the same call resumes all."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli import SplitResult, SplitsResult, split, verify
from splitjoin_cli.api.splits import run_splits
from splitjoin_cli.cli.signals import stopped_by_signals
from splitjoin_cli.core.errors import UsageError
from splitjoin_cli.core.native import listing
from splitjoin_cli.core.places import DirectoryPlace
from splitjoin_cli.core.progress import Silent
from splitjoin_cli.splitting import run
from splitjoin_cli.splitting.request import RowCount, SplitRequest
from splitjoin_cli.stores.sinks import directory_batches
from splitjoin_cli.stores.sources import small_files
from tests.schemas import hold

if TYPE_CHECKING:
    from splitjoin_cli.splitting.splits import FailedSource

DAY = dt.datetime(2026, 11, 30, 23, 59, tzinfo=dt.UTC)
NEXT_DAY = DAY + dt.timedelta(days=1)
GOOD = "id,n\n1,a\n2,b\n3,c\n"


@pytest.fixture(autouse=True)
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three exports, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b_20240131.csv", "c.csv"):
        Path("in", name).parent.mkdir(exist_ok=True)
        Path("in", name).write_text(GOOD)


class Hears(Silent):
    """Keeps warnings and phases, and counts bytes."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.phases: list[tuple[str, int | None]] = []
        self.size = 0

    def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:  # noqa: ARG002 -- an Observer's
        self.phases.append((name, total_bytes))

    def advance(self, size: int) -> None:
        self.size += size

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def splits(*words: str, day: dt.datetime = DAY, hears: Hears | None = None, **options: Any) -> SplitsResult:  # noqa: ANN401 -- of SplitRequest
    """One call; its document is of the schema."""
    request = SplitRequest(source="", destination=DirectoryPlace("out"), size=RowCount(2), **options)
    result = run_splits(request, words, None, hears or Silent(), now=lambda: day)
    document = result.to_json()
    for one in document["splits"]:
        one.update({"chunks": list(one["chunks"])} if "chunks" in one else {})
    hold("splits", document)
    return result


def names(result: SplitsResult) -> list[str]:
    """The jobs that were split; of the others the exit code."""
    return [one.file_name if isinstance(one, SplitResult) else str(one.error.exit_code) for one in result.splits]


def failure(result: SplitsResult, number: int) -> FailedSource:
    """One of the sources that failed."""
    one = result.splits[number]
    assert not isinstance(one, SplitResult)
    return one


def stored() -> dict[str, bytes]:
    """All that is at DEST."""
    return {path.name: path.read_bytes() for path in Path("out").iterdir()} if Path("out").exists() else {}


def test_each_is_split_as_if_alone() -> None:
    """The same bytes as by a call each; the bytes of all sources are one phase, and end where they end."""
    hears = Hears()
    result = splits("in/", hears=hears)
    assert (names(result), result.exit_code, result.error, result.resume) == (
        ["a_20261130", "b_20240131", "c_20261130"], 0, None, None,
    )  # fmt: skip
    assert (hears.phases, hears.size) == ([("splitting", 3 * len(GOOD))], 3 * len(GOOD))
    together = stored()
    for path in Path("out").iterdir():
        path.unlink()
    for source in ("in/a.csv", "in/b_20240131.csv", "in/c.csv"):
        date = None if "_" in source else "20261130"
        split(source, "out", rows=2, date=date)
    assert stored() == together


def test_one_that_fails_does_not_stop_the_others() -> None:
    """Its error is in its place; what was known of it is said, and the whole command resumes."""
    Path("in/b_20240131.csv").write_text('id,n\n1,"a"x\n')
    Path("in/b c.csv").write_text(GOOD)
    result = splits("in/", "gone.csv", "gone/")
    assert names(result) == ["a_20261130", "2", "4", "c_20261130", "1", "1"]
    assert (result.done, result.failed, result.not_begun, result.exit_code) == (2, 4, 0, 3)
    assert result.resume == "splitjoin split --rows=2 -- in/ gone.csv gone/ out"
    assert failure(result, 1).error.hint == "split it alone: type --client b_c, or another name"
    assert (failure(result, 2).uri, failure(result, 2).stored_bytes) == ("in/b_20240131.csv", 12)
    assert failure(result, 4).stored_bytes is None


@pytest.mark.parametrize(("content", "code"), [("", 4), ('a,"b', 4)])
def test_all_fail_with_one_code(content: str, code: int) -> None:
    """Which is the command's, and running it again would not help."""
    for path in Path("in").iterdir():
        path.write_text(content)
    result = splits("in/*.csv")
    assert (result.exit_code, result.resume, result.failed) == (code, None, 3)


def test_a_name_that_is_taken_says_of_what() -> None:
    """The fingerprint is known by then."""
    splits("in/a.csv")
    Path("in/a.csv").write_text("id,n\n1,other\n")
    result = splits("in/a.csv")
    assert (result.exit_code, failure(result, 0).error.exit_code) == (11, 11)
    assert (failure(result, 0).fingerprint or "").startswith("13-crc64nvme:")


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (("in/a.csv", "sub/a.csv"), {}, "in/a.csv and sub/a.csv have the same name, a_20261130"),
        (("in/é.csv", "in/e\u0301.csv"), {}, "in/é.csv and in/e\u0301.csv have the same name, é_20261130"),
        (("in/b_20240131.csv", "b_20240131.csv.gz"), {}, "have the same name, b_20240131"),
        (("in/a.csv", "in/c.csv"), {"client": "x"}, "--client names one split, and several sources were given"),
        (("in/a.csv", "-"), {}, "standard input cannot be one of several sources"),
    ],
)
def test_what_stops_all(words: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    """Before anything is stored."""
    with pytest.raises(UsageError) as caught:
        splits(*words, **options)
    assert message in caught.value.message
    assert stored() == {}


def test_a_killed_call_is_resumed_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was unfinished goes on under its date, with a note; what was finished stays; the rest is new."""

    def killed(*_: object) -> None:
        raise SystemExit

    splits("in/a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(run, "conclude", killed)
        assert names(splits("in/c.csv")) == ["1"]
    assert "c_20261130.plan.json" in stored()
    Path("in/d.csv").write_text(GOOD)
    hears = Hears()
    result = splits("in/", day=NEXT_DAY, hears=hears)
    assert names(result) == ["11", "b_20240131", "c_20261130", "d_20261201"]
    assert hears.warnings == ["in/c.csv: its split of 20261130 is unfinished, and is resumed under that date"]
    assert "c_20261130.plan.json" not in stored()
    assert failure(result, 0).error.message.endswith("it is done")
    # Killed when the manifest was there and the plan not gone yet: it is ended, under its date.
    Path("in/f.csv").write_text(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(run, "conclude", killed)
        splits("in/f.csv")
    plan = stored()["f_20261130.plan.json"]
    assert names(splits("in/f.csv")) == ["f_20261130"]
    Path("out/f_20261130.plan.json").write_bytes(plan)
    assert names(splits("in/f.csv", day=NEXT_DAY)) == ["f_20261130"]
    assert "f_20261130.plan.json" not in stored()
    # The same without the short cut of an unchanged file: found by its content.
    with monkeypatch.context() as patch:
        patch.setattr(run, "conclude", killed)
        Path("in/e.csv").write_text(GOOD)
        splits("in/e.csv")
    Path("in/e.csv").unlink()
    Path("in/e.csv").write_text(GOOD)
    assert names(splits("in/e.csv", day=NEXT_DAY)) == ["e_20261130"]


@pytest.mark.parametrize("moment", ["phase", "advance"])
def test_a_signal_ends_all_and_the_command_resumes(moment: str) -> None:
    """Those under way are interrupted, those not begun are counted; run again, all is there."""

    class Signals(Hears):
        """Sends this process a signal once, and gives its first thread time to hear it."""

        def signal(self, at: str) -> None:
            if at == moment and not self.warnings:
                self.warnings.append(at)
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.05)

        def phase(self, name: str, total_bytes: int | None, total_chunks: int | None) -> None:
            super().phase(name, total_bytes, total_chunks)
            self.signal("phase")

        def advance(self, size: int) -> None:
            super().advance(size)
            self.signal("advance")

    with stopped_by_signals():
        result = splits("in/", hears=Signals(), jobs=1)
    assert (result.exit_code, result.resume) == (143, "splitjoin split --rows=2 --jobs=1 -- in/ out")
    assert result.not_begun >= 2
    assert result.error is not None
    assert result.error.hint == f"{result.done} of 3 sources are done; to resume, type: {result.resume}"
    assert result.done + result.failed + result.not_begun == 3
    assert not any(name.startswith(".splitjoin") for name in stored())
    assert splits("in/").done == 3


def test_from_python() -> None:
    """A list is several, a text is one; options are named as ever."""
    result = split(["in/*.csv"], "out", rows=2, date="20260101")
    assert isinstance(result, SplitsResult)
    assert names(result) == ["a_20260101", "b_20260101", "c_20260101"]
    Path("list").write_text("in/a.csv\n")
    assert names(split([], "out2", files_from="list", date="1")) == ["a_1"]
    with pytest.raises(UsageError, match="client= names one split"):
        split(["in/a.csv"], "out", client="acme")


def test_a_directory_is_listed_once_for_all_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes time for all that lies there: a call looks once for leftovers, and once for what is free.

    Where a name is sure, that is all; else each source looks once what is there under other names.
    """
    listings: list[str] = []
    read = listing.listed

    def listed(*asked: Any, **named: Any) -> Any:  # noqa: ANN401 -- as the kernel's listing has it
        listings.append(asked[2])
        if asked[2] in ("", ".splitjoin-"):
            time.sleep(0.05)  # the others, which run beside it, come to it meanwhile
        return read(*asked, **named)

    monkeypatch.setattr(directory_batches, "listed", listed)
    monkeypatch.setattr(small_files, "listed", listed)
    names = [f"{client}_20240131.csv" for client in "abcde"]
    for name in names:
        (tmp_path / name).write_bytes(b"id\n1\n2\n")
    for place in ("sure", "out"):
        (tmp_path / place).mkdir()
    sources = [tmp_path / name for name in names]
    split(sources, tmp_path / "sure", chunks=2, name_pattern="(?P<client>.)_(?P<date>[0-9]+)")
    assert sorted(listings) == ["", ".splitjoin-"]
    listings.clear()
    split(sources, tmp_path / "out", chunks=2)  # the same content may be there under other names
    assert sorted(listings) == ["", ".splitjoin-", *(f"{client}_" for client in "abcde")]
    listings.clear()
    split(sources, tmp_path / "out", chunks=2)
    assert sorted(listings) == ["", ".splitjoin-", *(f"{client}_" for client in "aabbccddee")]  # before a claim, too
    listings.clear()
    assert [one.ok for one in verify(tmp_path / "out", all=True)] == [True] * 5
    assert listings == []
    (tmp_path / "out" / "a_20240131-1-3.csv").write_bytes(b"id\n1\n")
    (extra,) = verify(tmp_path / "out", all=True)[0].problems
    assert (extra.kind, extra.message) == ("extra", "a_20240131-1-3.csv is not of this split")
