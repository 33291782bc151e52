"""``splitjoin retry`` as a command: its usage errors, the join alone, and what ``status`` proposes."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.trackers.answers import Claim
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

NAME = "acme_20240131"
RUN = Run(NAME, "r1")


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteTracker:
    """The tracker that SPLITJOIN_TRACKER names; its job began an hour ago."""
    path = tmp_path / "jobs.db"
    monkeypatch.setenv("SPLITJOIN_TRACKER", f"sqlite:{path}")
    return SqliteTracker(path, clock=lambda: time.time() - 3600)


def next_of(splitjoin: Splitjoin, *more: str) -> str:
    """What status proposes."""
    lines = splitjoin("status", NAME, *more).stdout.splitlines()
    return next(line for line in lines if line.startswith("next ")).removeprefix("next").strip()


USAGE: dict[str, tuple[list[str], str]] = {
    "no receiver": ([NAME], "who is to load the chunks was not said"),
    "another receiver": ([NAME, "--to", "sns:x"], "--to names neither a function nor a queue"),
    "no queue": ([NAME, "--to", "sqs:chunks"], "not a queue's URL"),
    "no job's name": (["acme", "--to", "lambda:load"], "'acme' is not the name of a job"),
    "no numbers": ([NAME, "--to", "lambda:load", "--chunks", "7-3"], "'7-3' are not chunk numbers: write 3,7-9"),
    "counted, of which": ([NAME, "--to", "lambda:load", "--counted"], "--counted is for --chunks"),
    "both": ([NAME, "--join", "--to", "lambda:load"], "--to is for chunks, not for --join"),
    "a database for chunks": ([NAME, "--to", "lambda:load", "--into", "sqlite:x"], "--into is for --join"),
    "what follows, untold": ([NAME, "--join", "--into", "sqlite:x"], "what follows the join was not said"),
    "no database": ([NAME, "--join", "--on-join", "exec:true"], "a join that runs here needs the database"),
}


@pytest.mark.parametrize("case", USAGE)
@pytest.mark.usefixtures("tracker")
def test_usage_errors(splitjoin: Splitjoin, case: str) -> None:
    """Before anything is reached."""
    arguments, message = USAGE[case]
    ran = splitjoin("retry", *arguments, "--json")
    assert (ran.code, message in ran.document["error"]["message"]) == (2, True), ran


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("way", [["--to", "lambda:load"], ["--join"], ["--dry-run"]])
def test_no_such_job(splitjoin: Splitjoin, way: list[str]) -> None:
    """Exit 10."""
    assert splitjoin("retry", NAME, *way).code == 10


def test_chunks_in_a_directory(splitjoin: Splitjoin, tracker: SqliteTracker, tmp_path: Path) -> None:
    """No queue or function can read them: the hint loads them here."""
    tracker.open_job(JobSpec(RUN, 2, destination=f"{tmp_path}/"))
    error = splitjoin("retry", NAME, "--to", "lambda:load", "--json").document["error"]
    assert error["code"] == 2
    assert error["message"].startswith(f"the chunks of {NAME} are in a directory, {tmp_path}/")
    assert error["hint"].startswith(f"load them here: splitjoin simulate {tmp_path}/ --name {NAME} --tracker sqlite:")


def test_no_destination(splitjoin: Splitjoin, tracker: SqliteTracker) -> None:
    """The tracker was never told one."""
    tracker.open_job(JobSpec(RUN, 2))
    ran = splitjoin("retry", NAME, "--to", "lambda:load")
    assert ran.stderr == f"Error: the tracker knows no destination of {NAME}\nHint: give --dest s3://...\n"
    assert ran.code == 2


class Loaded:
    """A file that was split and loaded, and whose join failed for good."""

    def __init__(self, splitjoin: Splitjoin, tracker: SqliteTracker, place: Path) -> None:
        self.place = place
        self.into = f"sqlite:{place / 'sales.db'}"
        (place / "acme_20240131.csv").write_text("id\n1\n2\n3\n")
        chunks = f"{place / 'chunks'}"
        split = splitjoin("split", f"{place / 'acme_20240131.csv'}", chunks, "--rows", "1", "--client=acme",
                          "--date=20240131", "--json")  # fmt: skip
        assert split.code == 0, split
        ran = splitjoin("simulate", chunks, "--into", self.into, "--on-join", "exec:false")
        assert ran.code == 1
        job = tracker.job(NAME)
        assert job is not None
        assert job.run is not None
        now = SqliteTracker(place / "jobs.db", clock=lambda: time.time() + 3600)
        claim = now.claim_join(job.run, owner="w", lease_seconds=1)
        assert isinstance(claim, Claim)
        now.fail_join(claim, error="exec:false ended with exit code 1", backoff_seconds=0, final=True)


@pytest.fixture
def loaded(splitjoin: Splitjoin, tracker: SqliteTracker, tmp_path: Path) -> Loaded:
    """See Loaded."""
    return Loaded(splitjoin, tracker, tmp_path)


def test_a_failed_join_runs_again_here(splitjoin: Splitjoin, loaded: Loaded) -> None:
    """With the database and what follows: once, and the second time it is joined already."""
    assert splitjoin("status", NAME, "--json").document["state"] == "failed"
    words = shlex.split(next_of(splitjoin))
    joined = loaded.place / "joined"
    words[words.index("DATABASE_URL")], words[words.index("JOIN_URL")] = loaded.into, f"exec:cat >> {joined}"
    dry = splitjoin(*words[1:], "--dry-run")
    assert dry.stdout == f"{NAME}: the join (state: failed) would be tried here\n"
    assert not joined.exists()
    ran = splitjoin(*words[1:])
    assert (ran.code, ran.stdout) == (0, f"{NAME}: joined\n")
    assert json.loads(joined.read_text())["rows"] == 3
    assert splitjoin("status", NAME, "--json").document["state"] == "joined"
    again = splitjoin(*words[1:], "--json").document
    assert again["join"] == {"before": "joined", "state": "joined", "attempts": 1}
    assert splitjoin(*words[1:]).stdout == f"{NAME}: joined already\n"
    assert json.loads(joined.read_text())["total_parts"] == 3


def test_a_failed_join_is_left_to_a_worker(splitjoin: Splitjoin, loaded: Loaded) -> None:
    """Without a database it is open again, and the next sweep takes it."""
    del loaded
    ran = splitjoin("retry", NAME, "--join")
    assert (ran.code, ran.stdout) == (0, f"{NAME}: the join is open again: the next worker or sweep takes it\n")
    assert splitjoin("status", NAME, "--json").document["join"]["state"] == "none"


def test_a_join_that_fails_again(splitjoin: Splitjoin, loaded: Loaded) -> None:
    """Exit 1, with what the command said."""
    way = ["--into", loaded.into, "--on-join", "exec:echo no room; exit 3"]
    error = splitjoin("retry", NAME, "--join", *way, "--json").document["error"]
    assert (error["code"], error["message"]) == (1, "exec:echo ... ended with exit code 3: no room")


def test_another_database(splitjoin: Splitjoin, loaded: Loaded) -> None:
    """Its ledger does not know the job: nothing is tried, and the join stays as it was."""
    way = ["--into", f"sqlite:{loaded.place / 'other.db'}", "--on-join", "none"]
    ran = splitjoin("retry", NAME, "--join", *way)
    assert ran.code == 1
    assert ran.stderr == (
        f"Error: sqlite:{loaded.place / 'other.db'} has nothing of {NAME} in its ledger\n"
        "Hint: give --into the database that the workers load into\n"
    )
    assert splitjoin("status", NAME, "--json").document["join"]["state"] == "failed"


def test_a_join_that_somebody_holds(splitjoin: Splitjoin, tracker: SqliteTracker, tmp_path: Path) -> None:
    """A live owner is not doubled."""
    tracker.open_job(JobSpec(RUN, 1))
    tracker.mark_done(RUN, 1, total_parts=1, rows=1)
    now = SqliteTracker(tmp_path / "jobs.db")
    now.claim_join(RUN, owner="worker-1", lease_seconds=600)
    ran = splitjoin("retry", NAME, "--join")
    assert ran.code == 1
    assert ran.stderr.startswith(f"Error: {NAME}: the join is held by worker-1, whose lease is alive\n")


def test_a_join_of_a_job_that_is_not_complete(splitjoin: Splitjoin, tracker: SqliteTracker) -> None:
    """The chunks come first."""
    tracker.open_job(JobSpec(RUN, 3))
    tracker.mark_done(RUN, 1, total_parts=3, rows=1)
    ran = splitjoin("retry", NAME, "--join")
    assert ran.code == 1
    assert ran.stderr.startswith(f"Error: {NAME}: 1 of 3 chunks are counted, so that nothing can be joined\n")


def test_what_status_proposes(splitjoin: Splitjoin, tracker: SqliteTracker) -> None:
    """A failed chunk on S3 is sent again; where the place is unknown it is to be filled in."""
    tracker.open_job(JobSpec(RUN, 3, destination="s3://bucket/in/"))
    tracker.mark_failed(RUN, 2, error="the database is away", final=True)
    retry = f"splitjoin retry {NAME} --tracker {tracker.uri}"
    assert next_of(splitjoin) == f"{retry} --to sqs:QUEUE_URL"
    other = Run("beta_20240131", "r2")
    tracker.open_job(JobSpec(other, 3))
    tracker.mark_failed(other, 2, error="the database is away", final=True)
    lines = splitjoin("status", "beta_20240131").stdout.splitlines()
    assert lines[-1] == f"next        {retry.replace('acme', 'beta')} --dest DEST --to sqs:QUEUE_URL"
    for number in (1, 2, 3):
        tracker.mark_done(RUN, number, total_parts=3, rows=1)
    assert next_of(splitjoin) == f"{retry} --join --into DATABASE_URL --on-join JOIN_URL"
