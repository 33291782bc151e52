"""``splitjoin status --reconcile``: the tracker beside the database's ledger, and the way out, typed as it says."""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.stores.trackers.jobs import JobSpec, Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

NAME = "acme_20240131"


class Loaded:
    """A file that was split, loaded and joined, and what can be done to it then."""

    def __init__(self, splitjoin: Splitjoin, place: Path) -> None:
        self._splitjoin, self.place, self.database = splitjoin, place, place / "sales.db"
        export = place / "acme_20240131.csv"
        export.write_bytes(b"id,name\n" + b"".join(b"%d,n\n" % number for number in range(30)))
        named = ["--client", "acme", "--date", "20240131", "--rows", "5"]
        chunks, tracker = str(place / "chunks"), f"sqlite:{place / 'jobs.db'}"
        assert splitjoin("split", str(export), chunks, *named, "--tracker", tracker).code == 0
        self.told = ["--tracker", tracker, "--reconcile", "--into", f"sqlite:{self.database}"]
        ran = splitjoin("simulate", chunks, "--tracker", tracker, "--into", f"sqlite:{self.database}")
        assert ran.code == 0

    def status(self, *more: str) -> Ran:
        """The comparison."""
        return self._splitjoin("status", NAME, *self.told, *more)

    def reconciled(self) -> dict[str, Any]:
        """Its JSON form."""
        found: dict[str, Any] = self.status("--json").document["reconcile"]
        return found

    def sql(self, script: str) -> None:
        """By the plain driver."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.executescript(script)

    def lose(self, *numbers: int) -> None:
        """What restoring an older backup does: chunks and their rows are gone."""
        for number in numbers:
            low, high = 5 * (number - 1), 5 * number
            self.sql(f"DELETE FROM splitjoin_ledger WHERE number = {number}")
            self.sql(f"DELETE FROM acme WHERE CAST(id AS INT) >= {low} AND CAST(id AS INT) < {high}")


@pytest.fixture
def loaded(splitjoin: Splitjoin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """Six chunks of five rows, joined; a repair keeps its tracker in the current directory."""
    monkeypatch.chdir(tmp_path)
    return Loaded(splitjoin, tmp_path)


def lines_of(ran: Ran, label: str) -> list[str]:
    """What the report says after a label."""
    return [line.removeprefix(label).strip() for line in ran.stdout.splitlines() if line.startswith(f"{label} ")]


def test_where_all_agrees(loaded: Loaded) -> None:
    """A line that says so, and no alarm; the document has every field."""
    ran = loaded.status("--check")
    assert ran.code == 0
    assert lines_of(ran, "ledger") == [
        f"6 chunks of this run, 30 rows, in acme of sqlite:{loaded.database}: as the tracker has it"
    ]
    document = loaded.status("--json", "--dest", str(loaded.place / "chunks")).document
    assert document["reconcile"] == {
        "database": f"sqlite:{loaded.database}", "ledger": True, "table": "acme", "run_id": document["run_id"],
        "agrees": True, "loaded_parts": 6, "rows_loaded": 30, "counted_not_loaded": [], "loaded_not_counted": [],
        "loaded_by_other_run": [], "other_runs": [], "rows_differ": [], "not_in_history": None,
        "only_in_history": None,
    }  # fmt: skip


def test_a_restored_database_and_the_way_out(loaded: Loaded) -> None:
    """The lost chunks are named, --check finds them though the job is joined, and what it says to type loads them."""
    loaded.lose(2, 4)
    loaded.sql("UPDATE splitjoin_jobs SET joined_at = NULL")  # a backup from before the join
    ran = loaded.status("--check")
    assert (ran.code, ran.stderr) == (12, f"{NAME} is joined, and not as the ledger has it\n")
    assert lines_of(ran, "not loaded") == ["2, 4 (counted, but not in the ledger)"]
    assert lines_of(ran, "why") == [
        "2 chunks were counted, and the ledger lacks them: another database, or one restored from a backup?"
    ]
    (command,) = lines_of(ran, "next")
    done = subprocess.run(shlex.split(command), capture_output=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert loaded.reconciled()["agrees"] is True


def test_ledger_rows_that_went_after_the_join(loaded: Loaded) -> None:
    """No worker loads a joined run's chunks: what is to be done in the database first is said, and is enough."""
    loaded.lose(3)
    ran = loaded.status()
    (first,) = lines_of(ran, "first")
    assert first == f"in the database: UPDATE splitjoin_jobs SET joined_at = NULL WHERE file_name = '{NAME}';"
    loaded.sql(first.removeprefix("in the database: "))
    assert lines_of(loaded.status(), "first") == []
    done = subprocess.run(shlex.split(lines_of(ran, "next")[0]), capture_output=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert loaded.reconciled()["agrees"] is True


def test_lost_chunks_on_s3_are_sent_again_while_the_job_is_not_joined(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """By their numbers, counted as they are; retry takes the command as it stands."""
    tracker = SqliteTracker(tmp_path / "jobs.db")
    run = Run(NAME, "r1")
    tracker.open_job(JobSpec(run, 6, destination="s3://bucket/in/"))
    for number in (1, 2, 4, 5):
        tracker.mark_done(run, number, total_parts=6, rows=5)
    told = ["--tracker", f"sqlite:{tmp_path / 'jobs.db'}"]
    ran = splitjoin("status", NAME, *told, "--reconcile", "--into", f"sqlite:{tmp_path / 'restored.db'}")
    (command,) = lines_of(ran, "next")
    assert shlex.split(command) == [
        "splitjoin", "retry", NAME, *told, "--chunks", "1-2,4-5", "--counted", "--to", "sqs:QUEUE_URL",
    ]  # fmt: skip
    assert splitjoin("retry", NAME, *told, "--chunks", "1-2,4-5", "--counted", "--to", "nowhere").code == 2


def test_chunks_of_another_run_are_shown(loaded: Loaded) -> None:
    """Run, chunks and rows of it, and which numbers only it has loaded."""
    loaded.sql("UPDATE splitjoin_ledger SET run_id = 'elsewhere' WHERE number > 4")
    ran = loaded.status()
    assert lines_of(ran, "other run") == ["elsewhere: 2 chunks, 10 rows"]
    assert lines_of(ran, "loaded by") == ["5-6 (by another run, not by this one)"]
    assert lines_of(ran, "not loaded") == ["5-6 (counted, but not in the ledger)"]


def test_rows_that_differ_from_the_manifest(loaded: Loaded) -> None:
    """With --dest, chunk by chunk; without, that the sums differ."""
    loaded.sql("UPDATE splitjoin_ledger SET row_count = 4 WHERE number = 5")
    ran = loaded.status("--dest", str(loaded.place / "chunks"), "--check")
    assert ran.code == 12
    assert lines_of(ran, "rows differ") == [
        "chunk 5: 4 are loaded, the split counted 5", "29 in the ledger, 30 in the tracker",
    ]  # fmt: skip
    assert lines_of(ran, "next") == [f"splitjoin verify {loaded.place / 'chunks'} --name {NAME}"]
    assert lines_of(loaded.status(), "rows differ") == ["29 in the ledger, 30 in the tracker"]


def test_a_database_that_is_not_there_is_not_made(loaded: Loaded) -> None:
    """It has loaded nothing, which is told and no error; looking leaves no file."""
    loaded.told[-1] = f"sqlite:{loaded.place / 'none.db'}"
    ran = loaded.status()
    assert ran.code == 0
    assert lines_of(ran, "ledger") == [f"{loaded.told[-1]} has none: nothing was ever loaded there"]
    assert lines_of(ran, "not loaded") == ["1-6 (counted, but not in the ledger)"]
    assert not (loaded.place / "none.db").exists()


USAGE: dict[str, tuple[list[str], str, str]] = {
    "no database": ([NAME, "--reconcile"], "--reconcile needs a database", "give --into URL"),
    "no job": (["--reconcile", "--into=sqlite:x"], "--reconcile is for one job", "give FILE_NAME"),
    "into alone": ([NAME, "--into=sqlite:x"], "--into is for --reconcile", "give --reconcile too"),
    "a password": (
        [NAME, "--reconcile", "--into=mysql://me:secret@h/d"],
        "the mysql URL holds a password, and process lists show it",
        "leave it out and set SPLITJOIN_DB_PASSWORD",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE)
def test_usage_errors(splitjoin: Splitjoin, loaded: Loaded, case: str) -> None:
    """Exit 2, and no URL is repeated."""
    arguments, message, hint = USAGE[case]
    ran = splitjoin("status", *arguments, "--tracker", loaded.told[1], "--json")
    assert ran.code == 2
    assert ran.document == {"error": {"code": 2, "message": message, "hint": hint}}


def test_into_of_the_environment_asks_for_nothing(
    splitjoin: Splitjoin, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPLITJOIN_INTO is the worker's too: alone it compares nothing, with --reconcile it is the database."""
    monkeypatch.setenv("SPLITJOIN_INTO", f"sqlite:{loaded.database}")
    tracker = loaded.told[:2]
    assert splitjoin("status", NAME, *tracker, "--json").document["reconcile"] is None
    assert splitjoin("status", NAME, *tracker, "--reconcile", "--json").document["reconcile"]["agrees"] is True
