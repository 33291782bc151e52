"""``splitjoin status`` as a command: the table, one job, watching, checking, and what is typed next."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sqlite3
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.api.status import status_request
from splitjoin_cli.api.status_view import open_view
from splitjoin_cli.cli import status_table
from splitjoin_cli.cli.status import _Shown
from splitjoin_cli.core.aws.client import AwsOptions
from splitjoin_cli.core.names import ChunkName
from splitjoin_cli.join.chunk import published_run_id
from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

HOUR = 3600.0
RUN = Run("acme_20240131", "r1")
HELP = "splitjoin status --help"
SHAPES = "write dynamodb:TABLE or sqlite:PATH"


class Jobs:
    """A tracker in an SQLite file, whose time can lie in the past."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:{path}"

    def ago(self, seconds: float) -> SqliteTracker:
        """The tracker as it was used so many seconds ago."""
        now = time.time() - seconds
        return SqliteTracker(self.path, clock=lambda: now)

    def open(self, ago: float, *, counted: int = 0, total: int = 9, run: Run = RUN, dest: str | None = None) -> None:
        """A job with its first chunks counted a second after it was opened."""
        self.ago(ago).open_job(JobSpec(run, total, rows_expected=10 * total, destination=dest))
        for number in range(1, counted + 1):
            self.ago(ago - 1).mark_done(run, number, total_parts=total, rows=10)

    def join(self) -> None:
        """Claim and finish the join."""
        self.ago(0).claim_join(RUN, owner="worker-1", lease_seconds=60)
        self.ago(0).finish_join(RUN)


def published(total: int) -> Run:
    """The run of chunks that carry no metadata."""
    return Run(RUN.file_name, published_run_id(ChunkName("acme", "20240131", 1, total)))


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """The tracker that SPLITJOIN_TRACKER names."""
    made = Jobs(tmp_path / "jobs.db")
    monkeypatch.setenv("SPLITJOIN_TRACKER", made.url)
    return made


def lines_of(ran: Ran, label: str) -> list[str]:
    """What the report says after a label."""
    return [line.removeprefix(label).strip() for line in ran.stdout.splitlines() if line.startswith(f"{label} ")]


def test_table_newest_first(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """A line for each job."""
    jobs.open(HOUR, counted=1)
    jobs.open(60, counted=3, run=Run("beta_20240131", "r2"))
    ran = splitjoin("status")
    assert ran.code == 0
    head, *rows = ran.stdout.splitlines()
    assert head.split() == ["job", "state", "counted", "failed", "rows", "began", "last", "progress"]
    assert [row.split()[:5] for row in rows] == [
        ["beta_20240131", "running", "3/9", "0", "30"],
        ["acme_20240131", "stuck", "1/9", "0", "10"],
    ]


def test_full_times(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """With -v a time is what the document has, in the table and in the report."""
    jobs.open(HOUR, counted=1)
    document = splitjoin("status", "acme_20240131", "--json").document
    shown = splitjoin("status", "acme_20240131", "-v")
    assert lines_of(shown, "began") == [document["created_at"]]
    assert lines_of(shown, "progress") == [f"{document['updated_at']} (last)"]
    assert splitjoin("status", "-v").stdout.splitlines()[1].split()[-2:] == [
        document["created_at"],
        document["updated_at"],
    ]


def test_ten_times_the_jobs_cost_ten_times_as_much(
    splitjoin: Splitjoin, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text of the table is measured once or twice, however many there are."""
    measured = Counter[str]()

    def measure(text: str) -> int:
        measured["texts"] += 1
        return len(text)

    monkeypatch.setattr(status_table, "display_width", measure)
    for number in range(50):
        jobs.open(60, run=Run(f"client{number}_20240131", "r1"))
    assert len(splitjoin("status").stdout.splitlines()) == 51
    assert measured["texts"] < 50 * 20


def test_a_screen_gets_the_jobs_that_fit_and_counts_the_others(jobs: Jobs) -> None:
    """A screen of 24 lines shows 19 of 30 jobs, the newest; a whole table has all of them."""
    for number in range(30):
        jobs.open(60 + number, run=Run(f"client{number:02}_20240131", "r1"))
    with open_view(status_request(None, tracker=jobs.url, aws=AwsOptions())) as view:
        view.look()
        shown = _Shown(view, one=False, full=False, watched=True)
        lines = [line.text for line in shown.lines(80, 24)]
        assert len([*shown.lines(80)]) == 31
    assert [line.split()[0] for line in lines[1:20]] == [f"client{number:02}_20240131" for number in range(19)]
    assert lines[20:] == ["", "11 older jobs are not shown; all: 30 jobs, 30 waiting"]


LONG = Run("ein_langer_name_für_einen_kunden_dessen_exporte_täglich_kommen_2024-01-31", "r3")


def test_a_table_is_as_wide_as_it_may_be(splitjoin: Splitjoin, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal 80 columns or COLUMNS: columns are left out, a long name has its own line, none is cut."""
    jobs.open(3 * HOUR, total=1_000_000)
    jobs.open(HOUR, run=LONG)
    narrow = splitjoin("status").stdout.splitlines()
    assert narrow[0].split() == ["job", "state", "counted", "failed", "rows", "last", "progress"]
    assert narrow[1] == LONG.file_name
    assert narrow[2].split() == ["stuck", "0/9", "0", "0", "1", "h", "ago"]
    assert max(map(len, narrow)) <= 80
    monkeypatch.setenv("COLUMNS", "200")
    wide = splitjoin("status").stdout.splitlines()
    assert wide[0].split() == ["job", "state", "counted", "failed", "rows", "began", "last", "progress"]
    assert [line.split()[0] for line in wide[1:]] == [LONG.file_name, "acme_20240131"]


def test_list_as_json(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """An array of the same documents that single jobs have."""
    jobs.open(HOUR)
    listed = json.loads(splitjoin("status", "--json").stdout)
    assert listed == [splitjoin("status", "acme_20240131", "--json").document]


def test_no_jobs(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Nothing on stdout, or an empty array as JSON; a word on stderr, and where there is no tracker that."""
    ran = splitjoin("status")
    hint = f"check the path; splitjoin init --tracker {jobs.url} makes a tracker"
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", f"Warning: {jobs.url}: no such file; {hint}\n")
    ran = splitjoin("status", "acme_20240131", "--json")
    assert ran.document["error"] == {"code": 10, "message": f"{jobs.url}: no such file", "hint": hint}
    ran = splitjoin("status", "", "--json")
    assert (ran.code, ran.document["error"]["message"]) == (2, "FILE_NAME is empty")
    assert not jobs.path.exists()
    jobs.ago(0).init()
    ran = splitjoin("status", "--check", "--json")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "[]\n", f"{jobs.url} has no jobs\n")


@pytest.mark.parametrize("more", [[], ["acme_20240131"], ["--watch"], ["acme_20240131", "--watch", "1"]])
@pytest.mark.parametrize("left", ["no such file", "the file has no tracker's tables"])
def test_check_of_a_tracker_that_is_not_there(splitjoin: Splitjoin, jobs: Jobs, more: list[str], left: str) -> None:
    """A mistyped path must not look like a healthy tracker to a cron job; nothing is made there."""
    if left != "no such file":
        with contextlib.closing(sqlite3.connect(jobs.path)) as db:
            db.execute("CREATE TABLE theirs (id)")
    before = jobs.path.read_bytes() if jobs.path.exists() else None
    ran = splitjoin("status", *more, "--check", "--json")
    hint = f"check the path; splitjoin init --tracker {jobs.url} makes a tracker"
    assert (ran.code, ran.document) == (1, {"error": {"code": 1, "message": f"{jobs.url}: {left}", "hint": hint}})
    assert (jobs.path.read_bytes() if jobs.path.exists() else None) == before


def test_one_job(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Counts, map, missing numbers as ranges, failures, why it is stuck, and the next command."""
    jobs.open(HOUR, counted=2, dest="s3://bucket/in/")
    tracker = jobs.ago(HOUR - 1)
    for number in (4, 5):
        tracker.mark_done(RUN, number, total_parts=9, rows=10)
    tracker.mark_failed(RUN, 7, error="row 3: \x1b[31mbad", final=False)
    ran = splitjoin("status", "acme_20240131")
    assert ran.code == 0
    assert ran.stdout.splitlines()[0] == "acme_20240131: stuck, 4 of 9 chunks counted (44 %)"
    assert lines_of(ran, "run") == ["r1 (generation 1)"]
    assert lines_of(ran, "rows") == ["40 of 90"]
    assert lines_of(ran, "1") == ["##.##.!.."]
    assert lines_of(ran, "missing") == ["3, 6-9"]
    (failed,) = lines_of(ran, "failed")
    assert failed == r"chunk 7 (1 try, last 59 min ago): row 3: \x1b[31mbad"
    assert lines_of(ran, "began") == ["1 h ago"]
    assert lines_of(ran, "join") == ["not begun"]
    (why,) = lines_of(ran, "why")
    assert why.startswith("no chunk was newly counted for 59:5")
    assert why.endswith(
        "the missing chunks were never uploaded, or their events were lost or fail (--dest shows which)"
    )
    assert lines_of(ran, "next") == [f"splitjoin status acme_20240131 --tracker {jobs.url} --dest s3://bucket/in/"]


def test_document(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Exactly the contract's fields."""
    jobs.open(60, counted=9)
    jobs.join()
    document = splitjoin("status", "acme_20240131", "--json").document
    assert list(document) == [
        "file_name", "run_id", "state", "total_parts", "processed_parts", "missing", "failures", "duplicates", "rows",
        "rows_expected", "created_at", "updated_at", "join", "dead_letters", "reconcile", "values",
        "never_uploaded", "reason", "next",
    ]  # fmt: skip
    assert list(document["join"]) == ["state", "owner", "attempts", "joined_at"]
    assert (document["state"], document["processed_parts"], document["missing"]) == ("joined", 9, [])
    assert document["join"]["joined_at"].endswith("Z")


def test_dest_tells_what_was_never_uploaded(splitjoin: Splitjoin, jobs: Jobs, tmp_path: Path) -> None:
    """By the names of what is stored; chunks of another total or job are not this job's."""
    jobs.open(HOUR, counted=2, run=published(9))
    place = tmp_path / "chunks"
    place.mkdir()
    for name in ("acme_20240131-1-9.csv", "acme_20240131-3-9.csv", "acme_20240131-4-8.csv", "beta_20240131-5-9.csv"):
        (place / name).touch()
    ran = splitjoin("status", "acme_20240131", "--dest", str(place))
    assert lines_of(ran, "not stored") == ["4-9"]
    assert lines_of(ran, "why")[0].endswith("; 6 missing chunks were never uploaded")
    split = f"splitjoin split --client=acme --date=20240131 --tracker {jobs.url} SOURCE {place}"
    assert lines_of(ran, "next") == [split]
    document = splitjoin("status", "acme_20240131", "--dest", str(place), "--json").document
    assert document["never_uploaded"] == [4, 5, 6, 7, 8, 9]


def test_dest_where_all_is_stored(splitjoin: Splitjoin, jobs: Jobs, tmp_path: Path) -> None:
    """Then the events are the trouble, and the chunks can be loaded from where they lie."""
    jobs.open(HOUR, total=1, run=published(1))
    (tmp_path / "acme_20240131-1-1.csv").touch()
    ran = splitjoin("status", "acme_20240131", "--dest", str(tmp_path))
    assert lines_of(ran, "why")[0].endswith("; all of them are stored, so their events were lost, or wait, or fail")
    words = shlex.split(lines_of(ran, "next")[0])
    assert words[:5] == ["splitjoin", "simulate", str(tmp_path), "--name", "acme_20240131"]


def test_stuck_after(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """How long is too long is the caller's to say."""
    jobs.open(100, counted=1)
    states = [
        splitjoin("status", "acme_20240131", "--json", "--stuck-after", text).document["state"]
        for text in ("90s", "2m", "1h")
    ]
    assert states == ["stuck", "running", "running"]


@pytest.mark.parametrize("name", [[], ["acme_20240131"]])
@pytest.mark.parametrize("as_json", [False, True])
def test_check(splitjoin: Splitjoin, jobs: Jobs, name: list[str], *, as_json: bool) -> None:
    """Exit 12 where a job is stuck or failed; the document stands alone, without an error."""
    jobs.open(60)
    arguments = ["status", *name, "--check", *(["--json"] if as_json else [])]
    assert splitjoin(*arguments).code == 0
    jobs.ago(30).mark_failed(RUN, 1, error="bad", final=True)
    ran = splitjoin(*arguments)
    assert ran.code == 12
    if as_json:
        document = json.loads(ran.stdout)
        assert (document if name else document[0])["state"] == "failed"
        assert ran.stderr == ""
    else:
        assert ran.stderr == "acme_20240131 is failed\n"


def test_a_chunk_that_was_sent_again(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """It is not failed any more, and its last failure is told; without progress for long it is stuck, as any."""
    jobs.open(7200)
    tracker = jobs.ago(3600)
    tracker.mark_failed(RUN, 1, error="bad", final=True)
    assert splitjoin("status", "acme_20240131", "--json").document["state"] == "failed"
    (failure,) = tracker.progress("acme_20240131").failures
    tracker.mark_retried(RUN, failure)
    fresh = splitjoin("status", "acme_20240131", "--json", "--stuck-after", "3h").document
    assert (fresh["state"], [one["number"] for one in fresh["failures"]]) == ("waiting", [1])
    assert set(fresh["failures"][0]) == {"number", "error", "attempts", "at"}
    shown = splitjoin("status", "acme_20240131").stdout
    assert re.search(r"^failed +chunk 1 \(1 try, last 1 h ago, sent again since\): bad$", shown, re.MULTILINE)
    why = "no chunk was newly counted for .*; chunk 1 failed, was sent again since, and nothing came of it yet"
    assert re.search(rf"^why +{why}$", shown, re.MULTILINE)


def test_no_such_job(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Exit 10, also while watching: it is not waited for."""
    jobs.open(60)
    for extra in ([], ["--watch"], ["--watch", "1"]):
        ran = splitjoin("status", "nobody_1", "--json", *extra)
        assert ran.code == 10
        assert ran.document["error"]["message"] == f"{jobs.url}: no job nobody_1"


WATCHED: dict[str, list[str]] = {
    "a name before": ["acme_20240131", "--watch"],
    "a name after": ["--watch", "acme_20240131"],
    "seconds and a name": ["--watch", "0.05", "acme_20240131"],
    "seconds": ["acme_20240131", "--watch", "0.05"],
    "seconds with an equals sign": ["acme_20240131", "--watch=0.05"],
    "an option after": ["acme_20240131", "--watch", "-v"],
    "two dashes after": ["--watch", "--", "acme_20240131"],
    "all jobs": ["--watch"],
}


@pytest.mark.parametrize("case", WATCHED)
def test_watch_ends_when_joined(splitjoin: Splitjoin, jobs: Jobs, case: str) -> None:
    """The word after --watch is SECONDS only if it is a number."""
    jobs.open(60, counted=9)
    jobs.join()
    ran = splitjoin("status", *WATCHED[case])
    assert ran.code == 0
    assert ran.stdout.split()[:2] in (["acme_20240131:", "joined,"], ["job", "state"])


def test_watch_until_joined(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """A line for each change on stderr, the last report on stdout."""
    jobs.open(60, counted=9)
    later = threading.Timer(1.5, jobs.join)
    later.start()
    ran = splitjoin("status", "acme_20240131", "--watch", "0.05")
    later.join()
    assert ran.code == 0
    states = [line.removeprefix("acme_20240131: ").partition(", 9 of 9 chunks")[0] for line in ran.stderr.splitlines()]
    assert states in (["complete", "joined"], ["complete", "joining", "joined"])
    assert ran.stdout.startswith("acme_20240131: joined, 9 of 9 chunks counted (100 %)\n")


def test_watch_with_json_prints_the_last_state_only(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """One document on stdout, whatever happened before."""
    jobs.open(60, counted=9)
    later = threading.Timer(1.5, jobs.join)
    later.start()
    ran = splitjoin("status", "acme_20240131", "--watch", "0.05", "--json", "-q")
    later.join()
    assert (ran.document["state"], ran.stderr) == ("joined", "")


def test_watch_with_check_ends_at_trouble(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Exit 12 once the job is stuck or failed."""
    jobs.open(60, counted=1)
    later = threading.Timer(1.5, lambda: jobs.ago(0).mark_failed(RUN, 2, error="bad", final=True))
    later.start()
    ran = splitjoin("status", "acme_20240131", "--watch", "0.05", "--check", "--json")
    later.join()
    assert (ran.code, ran.document["state"]) == (12, "failed")


def test_watch_ends_at_failed(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Exit 12 and a word why: no worker goes on by itself. With --json the document stands alone."""
    jobs.open(60, counted=1)
    later = threading.Timer(1.5, lambda: jobs.ago(0).mark_failed(RUN, 2, error="bad", final=True))
    later.start()
    ran = splitjoin("status", "acme_20240131", "--watch", "0.05")
    later.join()
    assert (ran.code, ran.stderr.splitlines()[-1]) == (12, "acme_20240131 failed")
    assert ran.stdout.startswith("acme_20240131: failed, 1 of 9 chunks counted (11 %)\n")
    document = splitjoin("status", "acme_20240131", "--watch", "--json", "-q")
    assert (document.code, document.document["state"], document.stderr) == (12, "failed", "")


def test_watch_ends_at_its_timeout(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Exit 12, however long the pause between two looks; a stuck job alone ends nothing."""
    jobs.open(HOUR, counted=1)
    for name in (["acme_20240131"], []):
        ran = splitjoin("status", *name, "--watch", "60", "--timeout", "0.2s")
        note = "0.2 s are over: acme_20240131: stuck, 1 of 9 chunks counted (11 %)"
        assert (ran.code, ran.stderr.splitlines()[-1]) == (12, note)
    empty = Jobs(jobs.path.with_name("empty.db"))
    ran = splitjoin("status", "--tracker", empty.url, "--watch", "0.05", "--timeout", "0.2s", "--json")
    assert (ran.code, ran.stdout) == (12, "[]\n")


def test_watch_of_all_jobs(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """One that failed does not end it while another goes on; exit 12 where one failed, 0 where all are joined."""
    other = Run("beta_20240131", "r2")
    jobs.open(60, counted=9)
    jobs.open(30, run=other, total=1)
    jobs.ago(20).mark_failed(other, 1, error="bad", final=True)
    later = threading.Timer(2, jobs.join)  # after the first look, on a busy machine too
    later.start()
    ran = splitjoin("status", "--watch", "0.05")
    later.join()
    assert (ran.code, ran.stderr.splitlines()[0]) == (12, "2 jobs, 1 failed, 1 complete")
    assert ran.stderr.splitlines()[-2:] == ["2 jobs, 1 failed, 1 joined", "beta_20240131 failed"]
    jobs.ago(0).mark_done(other, 1, total_parts=1, rows=1)
    jobs.ago(0).claim_join(other, owner="worker-1", lease_seconds=60)
    jobs.ago(0).finish_join(other)
    assert splitjoin("status", "--watch", "0.05").code == 0


def test_a_timeout_in_the_environment_is_for_watching_alone(
    splitjoin: Splitjoin, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable holds for all commands."""
    jobs.open(60)
    monkeypatch.setenv("SPLITJOIN_TIMEOUT", "0.2s")
    assert splitjoin("status").code == 0
    assert splitjoin("status", "--watch", "0.05").code == 12


@pytest.mark.parametrize(("state", "shown"), [("running", True), ("stuck", False), ("failed", False)])
def test_time_left_only_of_what_goes_on(splitjoin: Splitjoin, jobs: Jobs, state: str, *, shown: bool) -> None:
    """A job that is stuck or failed has no end in sight."""
    jobs.open(HOUR if state == "stuck" else 60, counted=3)
    if state == "failed":
        jobs.ago(30).mark_failed(RUN, 4, error="bad", final=True)
    ran = splitjoin("status", "acme_20240131")
    assert f"acme_20240131: {state}," in ran.stdout
    assert bool(lines_of(ran, "pace")) is shown


USAGE: dict[str, tuple[list[str], str, str]] = {
    "no tracker": ([], "no tracker was named", "give --tracker URL, or set SPLITJOIN_TRACKER"),
    "another scheme": (["--tracker=mysql://me:secret@h/d"], "not a tracker's URL", SHAPES),
    "no scheme": (["--tracker=jobs.db"], "not a tracker's URL", SHAPES),
    "no path": (["--tracker=sqlite:"], "sqlite: names no file", "write sqlite:PATH"),
    "in memory": (
        ["--tracker=sqlite::memory:"],
        "sqlite::memory: is not a file: what is counted would be lost with the process",
        "write sqlite:PATH",
    ),
    "no table": (
        ["--tracker=dynamodb:a b"],
        "dynamodb: names no table",
        "a table's name has 3 to 255 of A-Z a-z 0-9 _ . -",
    ),
    "dest of all": (["--tracker=sqlite:x", "--dest=out"], "--dest is for one job", "give FILE_NAME"),
    "duration": (
        ["--tracker=sqlite:x", "--stuck-after=soon"],
        "Invalid value for '--stuck-after': 'soon' is not a duration: write 90s, 15m, 2h",
        HELP,
    ),
    "an end without a watch": (["--tracker=sqlite:x", "--timeout=5m"], "--timeout is for --watch", "give --watch too"),
    "two names": (["--tracker=sqlite:x", "a_1", "b_1"], "Got unexpected extra argument (b_1)", HELP),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE)
def test_usage_errors(splitjoin: Splitjoin, case: str) -> None:
    """Exit 2, and no URL is repeated that could hold a password."""
    arguments, message, hint = USAGE[case]
    ran = splitjoin("status", *arguments, "--json")
    assert ran.code == 2
    assert ran.document == {"error": {"code": 2, "message": message, "hint": hint}}


def test_a_hundred_thousand_chunks_at_once(splitjoin: Splitjoin, jobs: Jobs) -> None:
    """Half of them counted, every second one: a map, and a line of ranges that ends."""
    total = 100_000
    jobs.open(60, counted=0, total=total)
    tracker = jobs.ago(30)
    tracker.mark_done(RUN, 2, total_parts=total, rows=1)
    with tracker._writing() as db:
        numbers = [(RUN.file_name, 1, number) for number in range(4, total + 1, 2)]
        db.executemany("INSERT INTO splitjoin_chunks VALUES (?, ?, ?)", numbers)
        db.execute("UPDATE splitjoin_jobs SET processed_parts = ?", (total // 2,))
    ran = splitjoin("status", "acme_20240131")
    assert ran.stdout.splitlines()[0] == "acme_20240131: running, 50,000 of 100,000 chunks counted (50 %)"
    (missing,) = lines_of(ran, "missing")
    assert missing.startswith("1, 3, 5, ")
    assert missing.endswith(", 399, and 49,800 more ranges; --json lists all")
    assert "+" * 50 in ran.stdout
    document: dict[str, Any] = splitjoin("status", "acme_20240131", "--json").document
    assert document["missing"] == list(range(1, total, 2))
