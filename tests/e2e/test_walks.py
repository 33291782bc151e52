"""Out of every state, from a terminal: what ``status`` says is typed, word for word, until the job is joined."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.command import Splitjoin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.servers.aws_desk import AwsDesk
    from tests.servers.mariadb import MariadbDatabase

MOST_STEPS = 8
SPLIT = ("split", "acme.csv", "in", "--client", "acme", "--date", "1", "--rows", "2")


@dataclass(frozen=True, slots=True)
class Walk:
    """An operator: ``words`` are what those in capitals stand for; ``more`` goes with a split, as the first time."""

    command: Splitjoin
    words: Mapping[str, str]
    asks: tuple[str, ...] = ()
    typed: list[str] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        """What is seen; without progress for a moment a job is stuck."""
        ran = self.command("status", "acme_1", "--stuck-after", "0.001s", *self.asks, "--json")
        assert ran.code in {0, 12}, ran
        return ran.document

    def type(self, line: str, *, code: int = 0) -> None:
        """One command of a hint or of ``next``."""
        program, verb, *rest = shlex.split(line)
        assert program == "splitjoin"
        self.typed.append(verb)
        filled = [self._filled(word) for word in rest]
        if verb == "split":
            filled += ["--rows", "2"]
        ran = self.command(verb, *filled)
        assert ran.code == code, ran

    def _filled(self, word: str) -> str:
        for capitals, meant in self.words.items():
            word = word.replace(capitals, meant)
        return word

    def to_the_join(self) -> dict[str, Any]:
        """Type all that is said, again and again; ends where nothing is left to do."""
        for _ in range(MOST_STEPS):
            seen = self.status()
            if seen["state"] == "joined":
                return seen
            lines = [step for step in seen["next"] if step.startswith("splitjoin ")]
            assert lines, seen
            for line in lines:
                assert not line.endswith("--watch"), seen
                if shlex.split(line)[1] == "status":
                    return Walk(
                        self.command, self.words, tuple(map(self._filled, shlex.split(line)[3:])), self.typed
                    ).to_the_join()
                self.type(line)
        raise AssertionError(self.status())


@pytest.fixture
def split(tmp_path: Path) -> Splitjoin:
    """The command, after a split of three chunks of two rows."""
    command = Splitjoin(tmp_path, {"SPLITJOIN_TRACKER": "sqlite:jobs.db"})
    (tmp_path / "acme.csv").write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(6)))
    command.ok(*SPLIT)
    return command


def rows_of(command: Splitjoin) -> list[tuple[str, ...]]:
    """The table, by its plain driver."""
    with closing(sqlite3.connect(command.directory / "load.db")) as db:
        return db.execute("SELECT * FROM acme ORDER BY 1").fetchall()


HERE = {"DATABASE_URL": "sqlite:load.db", "JOIN_URL": "exec:true", "SOURCE": "acme.csv"}
ROWS = [(f"{number}", f"n{number}") for number in range(6)]


@pytest.mark.server
def test_a_wrong_password(split: Splitjoin, mariadb: MariadbDatabase) -> None:
    """The operator sets the right one; the chunks are not lost, and are loaded once."""
    wrong = split.within(SPLITJOIN_DB_PASSWORD="wrong")  # noqa: S106 -- it is
    mariadb.query("CREATE TABLE acme (id INT, name TEXT)")
    assert wrong("simulate", "in", "--into", str(mariadb.url)).code == 1
    right = split.within(SPLITJOIN_DB_PASSWORD=mariadb.server.password)
    walk = Walk(right, HERE | {"DATABASE_URL": str(mariadb.url)})
    walk.to_the_join()
    assert mariadb.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme") == [(6, 6)]


def test_a_table_that_was_altered_meanwhile(split: Splitjoin) -> None:
    """The header names a column that is gone: it is named, and the chunks wait for it."""
    with closing(sqlite3.connect(split.directory / "load.db")) as db:
        db.execute("CREATE TABLE acme (id)")
    assert split("simulate", "in", "--into", "sqlite:load.db").code == 1
    walk = Walk(split, HERE)
    seen = walk.status()
    assert "table acme has no column 'name', which the header names" in seen["reason"][1]
    assert seen["next"][0] == "chunks 1-3: give the table the columns that the header names"
    with closing(sqlite3.connect(split.directory / "load.db")) as db:
        db.execute("ALTER TABLE acme ADD COLUMN name TEXT")
    walk.to_the_join()
    assert (walk.typed, rows_of(split)) == (["simulate"], ROWS)


def test_a_bad_row_that_is_mended_in_its_chunk(split: Splitjoin) -> None:
    """The chunk is copied, mended and replaced, as it is said; the others stay loaded."""
    shutil.rmtree(split.directory / "in")
    (split.directory / "jobs.db").unlink()
    bad = split.directory / "acme.csv"
    bad.write_text(bad.read_text().replace("3,n3", "3,n3,x"))
    split.ok(*SPLIT)
    assert split("simulate", "in", "--into", "sqlite:load.db").code == 1
    mended = (split.directory / "in" / "acme_1-2-3.csv").read_text().replace(",x", "")
    (split.directory / "mended.csv").write_text(mended)
    walk = Walk(split, HERE | {"FILE": "mended.csv"})
    assert walk.status()["next"][0].startswith(
        f"chunk 2: copy it from {split.directory}/in/ to FILE, mend the row there"
    )
    walk.to_the_join()
    assert (walk.typed, rows_of(split)) == (["replace", "simulate"], ROWS)


def test_a_continuation_that_fails(split: Splitjoin) -> None:
    """All is loaded, and what follows is run alone, once it can be."""
    assert split("simulate", "in", "--into", "sqlite:load.db", "--on-join", "exec:exit 3").code == 1
    walk = Walk(split, HERE | {"JOIN_URL": "exec:cat > joined.json"})
    assert "exit code 3" in " ".join(walk.status()["reason"])
    walk.to_the_join()
    assert (walk.typed, rows_of(split)) == (["retry"], ROWS)
    assert (split.directory / "joined.json").exists()


def test_a_restored_database(split: Splitjoin) -> None:
    """It lost a chunk that is counted: the join names it, and waits until it is loaded again."""
    last = split.directory / "in" / "acme_1-3-3.csv"
    last.rename(split.directory / "kept.csv")
    split("simulate", "in", "--into", "sqlite:load.db")
    with closing(sqlite3.connect(split.directory / "load.db")) as db, db:
        db.execute("DELETE FROM acme WHERE id IN ('2', '3')")
        db.execute("DELETE FROM splitjoin_ledger WHERE number = 2")
    shutil.move(split.directory / "kept.csv", last)
    run_id = Walk(split, HERE).status()["run_id"]
    count_alone(split, run_id, 3)
    assert split("retry", "acme_1", "--join", "--into", "sqlite:load.db", "--on-join", "exec:true").code == 1
    walk = Walk(split, HERE)
    seen = walk.status()
    assert (seen["state"], "was the database restored?" in seen["reason"][0]) == ("failed", True)
    walk.to_the_join()
    assert sorted(rows_of(split)) == ROWS


def count_alone(command: Splitjoin, run_id: str, number: int) -> None:
    """As a worker counts a chunk that it has loaded into the database that was there before."""
    from splitjoin_cli.stores.trackers.jobs import Run  # noqa: PLC0415 -- of this walk alone
    from splitjoin_cli.stores.trackers.sqlite import SqliteTracker  # noqa: PLC0415 -- the same

    with closing(SqliteTracker(command.directory / "jobs.db")) as tracker:
        tracker.mark_done(Run("acme_1", run_id), number, total_parts=3, rows=2)


def test_a_tracker_item_that_was_deleted(split: Splitjoin) -> None:
    """The hint opens the job again; nothing is uploaded twice, and what is loaded is not loaded again."""
    last = split.directory / "in" / "acme_1-3-3.csv"
    last.rename(split.directory / "kept.csv")
    split("simulate", "in", "--into", "sqlite:load.db")
    shutil.move(split.directory / "kept.csv", last)
    with closing(sqlite3.connect(split.directory / "jobs.db")) as db, db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            db.execute(f"DELETE FROM {table}")
    gone = split("status", "acme_1", "--dest", "in", "--json")
    assert gone.code == 10
    sent = split("retry", "acme_1", "--dry-run", "--json").error["hint"]
    assert sent == gone.error["hint"].replace("SOURCE in ", "SOURCE DEST ")
    hint = gone.error["hint"].partition("where it was deleted there, ")[2].partition(" opens it again")[0]
    walk = Walk(split, HERE)
    walk.type(hint)
    walk.to_the_join()
    assert (walk.typed[0], sorted(rows_of(split))) == ("split", ROWS)


@pytest.mark.server
def test_a_full_dead_letter_queue(tmp_path: Path, aws_desk: AwsDesk) -> None:
    """Its messages name the chunks: these are sent again, to the queue itself, and loaded once."""
    command = Splitjoin(tmp_path, {**aws_desk.env, "SPLITJOIN_TRACKER": "sqlite:jobs.db"})
    (tmp_path / "acme.csv").write_text("id,name\n" + "".join(f"{number},n{number}\n" for number in range(6)))
    command.ok("split", "acme.csv", f"s3://{aws_desk.bucket}/in/", *SPLIT[3:])
    for body in aws_desk.bodies(aws_desk.queue):  # as the queue does with what failed too often
        aws_desk.client("sqs").send_message(QueueUrl=aws_desk.dead, MessageBody=body)
    walk = Walk(command, HERE | {"QUEUE_URL": aws_desk.queue}, ("--queue", aws_desk.queue))
    seen = walk.status()
    assert (seen["state"], sorted(one["number"] for one in seen["dead_letters"])) == ("stuck", [1, 2, 3])
    for line in seen["next"]:
        walk.type(line)
    command.ok("worker", aws_desk.queue, "--into", "sqlite:load.db", "--on-join", "exec:true", "--idle-exit", "1s")
    assert (walk.typed, walk.status()["state"], rows_of(command)) == (["retry"], "joined", ROWS)
    assert "--dest" not in seen["next"][0]
