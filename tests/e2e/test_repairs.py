"""The ways out of a bad row and of another run in the database, typed as the commands say, until joined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.names import chunk_names
from splitjoin_cli.stores.trackers.jobs import Run
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.e2e.command import Splitjoin
from tests.seldom import seldom

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.aws_desk import AwsDesk
    from tests.servers.postgres import PostgresDatabase

JOB = "acme_20240131"
ROWS = 12
TABLE = "CREATE TABLE acme (id BIGINT, name TEXT, amount BIGINT CHECK (amount > 0), run TEXT)"
TRACKER, INTO = ("--tracker", "sqlite:t.db"), ("--into", "sqlite:sales.db")


def export(bad: str = "-5") -> bytes:
    """Twelve rows; the amount of the fifth is ``bad``."""
    rows = (f"{n},n{n},{bad if n == 5 else n}\n" for n in range(1, ROWS + 1))
    return ("id,name,amount\n" + "".join(rows)).encode()


@pytest.fixture
def failed(splitjoin: Splitjoin) -> Splitjoin:
    """A job of four chunks, three of them loaded; the second has a row that the table does not take."""
    import sqlite3  # noqa: PLC0415 -- only to make the table

    connection = sqlite3.connect(splitjoin.directory / "sales.db")
    connection.execute(TABLE)
    connection.close()
    (splitjoin.directory / f"{JOB}.csv").write_bytes(export())
    splitjoin.ok("split", f"{JOB}.csv", "out", "--rows", "3", *TRACKER)
    assert load(splitjoin)["ok"] is False
    assert splitjoin.json("status", JOB, *TRACKER)["state"] == "failed"
    return splitjoin


def load(command: Splitjoin, *more: str) -> dict[str, object]:
    """All chunks through the worker's own code; exit 1 where it is not ok."""
    ran = command("simulate", "out", *TRACKER, *INTO, "--run-column", "run", "--json", *more)
    return ran.document


def amounts(command: Splitjoin) -> list[int]:
    """What is in the table."""
    import sqlite3  # noqa: PLC0415 -- as above

    connection = sqlite3.connect(command.directory / "sales.db")
    found = [amount for (amount,) in connection.execute("SELECT amount FROM acme ORDER BY id")]
    connection.close()
    return found


def mend(command: Splitjoin, number: int = 2, *, compressed: str = "") -> Path:
    """The chunk with its row put right, in a file beside the split."""
    name = chunk_names(JOB, 4, None)(number)
    path = command.directory / "mended.csv"
    path.write_bytes((command.directory / "out" / f"{name}{compressed}").read_bytes().replace(b"-5", b"5"))
    return path


def test_a_bad_row_is_mended_in_the_chunk(failed: Splitjoin) -> None:
    """Replace, load, joined: every row once; verify, merge and split again take the chunk for what it is."""
    mended = mend(failed)
    dry = failed.json("replace", JOB, "--chunk", "2", mended, *TRACKER, *INTO, "--dry-run")
    assert (dry["dry_run"], dry["rows_before"], dry["rows"]) == (True, 3, 3)
    ran = failed.ok("replace", JOB, "--chunk", "2", mended, *TRACKER, *INTO)
    uri = failed.directory / "out" / f"{JOB}-2-4.csv"
    assert ran.stdout == f"{uri}: replaced, 3 rows instead of 3\n"
    simulate = (
        f"splitjoin simulate {failed.directory / 'out'} --name {JOB} --tracker sqlite:t.db --into sqlite:sales.db"
    )
    assert ran.stderr == f"to load it: {simulate}\n"
    assert failed.json("status", JOB, *TRACKER)["state"] == "running"
    assert load(failed)["ok"] is True
    assert amounts(failed) == list(range(1, ROWS + 1))
    assert failed.json("status", JOB, *TRACKER)["state"] == "joined"
    verified = failed.json("verify", "out", "--source", f"{JOB}.csv")
    assert (verified["ok"], verified["mended"]) == (True, [2])
    failed.ok("merge", "out", "merged.csv")
    assert (failed.directory / "merged.csv").read_bytes() == export("5")
    again = failed.json("split", f"{JOB}.csv", "out", "--rows", "3", *TRACKER)
    assert next(chunk["state"] for chunk in again["chunks"] if chunk["number"] == 2) == "skipped"
    assert uri.read_bytes() == mended.read_bytes()


@pytest.mark.parametrize("compression", [seldom("gzip"), "zstd"])
def test_a_mended_chunk_is_stored_as_the_split_is(splitjoin: Splitjoin, compression: str) -> None:
    """Compressed; and the file may be compressed otherwise."""
    (splitjoin.directory / f"{JOB}.csv").write_bytes(export())
    splitjoin.ok("split", f"{JOB}.csv", "out", "--rows", "3", "--compress", compression, *TRACKER)
    (splitjoin.directory / "mended.csv").write_bytes(b"id,name,amount\n4,n4,4\n5,n5,5\n6,n6,6\n7,new,7\n")
    report = splitjoin.json("replace", JOB, "--chunk", "2", "mended.csv", *TRACKER)
    assert (report["rows"], report["mended"]) == (4, True)
    verified = splitjoin.json("verify", "out")
    assert (verified["ok"], verified["mended"]) == (True, [2])


def test_what_does_not_fit_is_exit_4(failed: Splitjoin) -> None:
    """Another header, another number of fields, an end inside a record; each names the file and what to do."""
    mended = failed.directory / "mended.csv"
    for text, message in (
        (b"id,name\n4,n4\n", f"{mended} does not begin with the split's header"),
        (b"id,name,amount\n4,n4,4\n5,n5\n", f"{mended}: record 2 has 2 fields, and the split's have 3"),
        (
            b"id,name,amount\n4,n4,4",
            f"{mended} ends inside a record: the newline at the end is missing; another chunk follows",
        ),
        (b'id,name,amount\n4,"n4,4\n', f"{mended} ends inside a record: a quote is still open; another chunk follows"),
    ):
        mended.write_bytes(text)
        ran = failed("replace", JOB, "--chunk", "2", mended, *TRACKER, "--json")
        assert (ran.code, ran.error["message"]) == (4, message)


def test_what_replace_needs_is_said(failed: Splitjoin) -> None:
    """A ledger or a tracker, a number that the split has, a job that is known."""
    mended = mend(failed)
    ran = failed("replace", JOB, "--chunk", "2", mended, "--dest", "out", "--json")
    assert (ran.code, ran.error["message"]) == (2, "whether the chunk is loaded already is not known")
    assert failed("replace", JOB, "--chunk", "9", mended, *TRACKER, "--json").error["code"] == 2
    assert failed("replace", "other_1", "--chunk", "2", mended, *TRACKER, "--json").error["code"] == 10
    loaded = mend(failed, 1)
    loaded.write_bytes(loaded.read_bytes().replace(b"n1", b"N1"))
    ran = failed("replace", JOB, "--chunk", "1", loaded, *TRACKER, *INTO, "--json")
    assert ran.error == {
        "code": 1,
        "message": f"chunk 1 of {JOB} cannot be replaced: it is loaded already, with other bytes",
        "hint": f"take the run out of the database first: splitjoin clear {JOB} --into DATABASE_URL --tracker URL",
    }


def test_a_bad_row_is_mended_in_the_source_and_the_run_column_replaces_the_rows(failed: Splitjoin) -> None:
    """Split --force is a newer run, whose first chunk takes the older one's rows out."""
    (failed.directory / f"{JOB}.csv").write_bytes(export("5"))
    failed.ok("split", f"{JOB}.csv", "out", "--rows", "3", *TRACKER, "--force")
    assert load(failed)["ok"] is True
    assert amounts(failed) == list(range(1, ROWS + 1))
    assert failed.json("status", JOB, *TRACKER)["state"] == "joined"


def test_a_bad_row_is_mended_in_the_source_and_clear_takes_the_other_run_out(failed: Splitjoin) -> None:
    """Where the worker names no run column the newer run is refused; clear deletes the older one's rows."""
    first = failed.json("status", JOB, *TRACKER)["run_id"]
    (failed.directory / f"{JOB}.csv").write_bytes(export("5"))
    failed.ok("split", f"{JOB}.csv", "out", "--rows", "3", *TRACKER, "--force")
    ran = failed("simulate", "out", *TRACKER, *INTO, "--json")
    assert ran.code == 1
    cleared = failed.json("clear", JOB, *TRACKER, *INTO, "--run", str(first), "--run-column", "run")
    assert (cleared["chunks"], cleared["rows"], cleared["table"]) == (3, 9, "acme")
    assert (cleared["tracker"], cleared["done"]) == (None, True)
    assert load(failed)["ok"] is True
    assert amounts(failed) == list(range(1, ROWS + 1))


def test_without_a_run_column_the_sql_is_typed_and_the_same_command_ends_it(failed: Splitjoin) -> None:
    """Exit 1 says it; with the rows gone, clear begins the tracker's next round."""
    import sqlite3  # noqa: PLC0415 -- what an operator would type elsewhere

    ran = failed("clear", JOB, *TRACKER, *INTO, "--json")
    assert ran.error["code"] == 1
    sql = str(ran.error["hint"]).split("again: ")[1].split(" (...")[0].replace("WHERE ...", "WHERE id > 0")
    with sqlite3.connect(failed.directory / "sales.db") as connection:
        connection.executescript(sql)
    connection.close()
    assert failed.json("clear", JOB, *TRACKER, *INTO)["tracker"] == "sqlite:t.db"
    status = failed.json("status", JOB, *TRACKER)
    assert (status["state"], status["missing"]) == ("waiting", [1, 2, 3, 4])


def test_a_joined_run_is_cleared_and_loaded_again(failed: Splitjoin) -> None:
    """What replace wrote down outlives it: the mended chunk is loaded again, and its old bytes are not."""
    failed.ok("replace", JOB, "--chunk", "2", mend(failed), *TRACKER, *INTO)
    assert load(failed)["ok"] is True
    cleared = failed.json("clear", JOB, *TRACKER, *INTO, "--run-column", "run")
    assert (cleared["chunks"], cleared["rows"], cleared["tracker"]) == (4, ROWS, "sqlite:t.db")
    assert amounts(failed) == []
    assert load(failed)["ok"] is True
    assert amounts(failed) == list(range(1, ROWS + 1))
    told = failed("clear", JOB, *TRACKER, *INTO, "--run-column", "run").stderr
    assert f"to load the run again: splitjoin retry {JOB} --tracker sqlite:t.db --to sqs:QUEUE_URL\n" in told


def test_a_mended_chunk_that_is_gone_is_not_sent_as_it_was(failed: Splitjoin) -> None:
    """Counted: exit 11, with the ways out. Not counted: the split's own chunk is stored and loaded again."""
    mended = mend(failed)
    failed.ok("replace", JOB, "--chunk", "2", mended, *TRACKER)
    (failed.directory / "out" / f"{JOB}-2-4.csv").unlink()
    split = ("split", f"{JOB}.csv", "out", "--rows", "3", *TRACKER)
    failed.ok(*split)
    assert b"-5" in (failed.directory / "out" / f"{JOB}-2-4.csv").read_bytes()
    failed.ok("replace", JOB, "--chunk", "2", mended, *TRACKER)
    assert load(failed)["ok"] is True
    (failed.directory / "out" / f"{JOB}-2-4.csv").unlink()
    ran = failed(*split, "--json")
    assert ran.error["code"] == 11
    assert "was loaded as splitjoin replace had stored it" in str(ran.error["message"])
    failed.ok("replace", JOB, "--chunk", "2", mended, *TRACKER)
    assert failed.json("verify", "out")["ok"] is True


@pytest.mark.server
def test_a_bad_row_on_s3_is_mended_and_loaded_by_the_worker(
    tmp_path: Path, aws_desk: AwsDesk, postgres: PostgresDatabase
) -> None:
    """The store's own notification has the mended chunk loaded; tags stay; clear and retry load the run again."""
    command = Splitjoin(tmp_path, {**aws_desk.env, "SPLITJOIN_TRACKER": f"dynamodb:jobs-{aws_desk.bucket}"})
    postgres.query(TABLE.replace("run TEXT", "run TEXT DEFAULT current_setting('splitjoin.run_id', true)"))
    (tmp_path / f"{JOB}.csv").write_bytes(export())
    command.ok("init")
    command.ok("split", f"{JOB}.csv", f"s3://{aws_desk.bucket}/in/", "--rows", "3", "--tag", "team=sales")
    into = ("--into", str(postgres.url))

    def work() -> None:
        on_join = ("--on-join", f"sqs:{aws_desk.joins}")
        command("worker", aws_desk.queue, *into, "--run-column", "run", *on_join, "--idle-exit", "1s")

    work()
    assert command.json("status", JOB)["missing"] == [2]
    key = f"in/{JOB}-2-4.csv"
    s3 = aws_desk.client("s3")
    old = s3.get_object(Bucket=aws_desk.bucket, Key=key)["Body"].read()
    (tmp_path / "mended.csv").write_bytes(old.replace(b"-5", b"5"))
    to = ("--to", f"sqs:{aws_desk.queue}")
    report = command.json("replace", JOB, "--chunk", "2", "mended.csv", *into, *to)
    assert (report["mended"], report["sent_to"]) == (True, f"sqs:{aws_desk.queue}")
    assert s3.get_object_tagging(Bucket=aws_desk.bucket, Key=key)["TagSet"] == [{"Key": "team", "Value": "sales"}]

    def joined() -> bool:
        work()
        return bool(command.json("status", JOB)["state"] == "joined")

    assert any(joined() for _ in range(5))
    assert postgres.query("SELECT SUM(amount), COUNT(*) FROM acme") == [(78, ROWS)]
    cleared = command.json("clear", JOB, *into, "--run-column", "run")
    assert (cleared["chunks"], cleared["rows"]) == (4, ROWS)
    assert postgres.query("SELECT COUNT(*) FROM acme") == [(0,)]
    command.ok("retry", JOB, *to)
    assert any(joined() for _ in range(5))
    assert postgres.query("SELECT SUM(amount), COUNT(*) FROM acme") == [(78, ROWS)]
    runs = {json.loads(body)["run_id"] for body in aws_desk.bodies(aws_desk.joins)}
    assert runs == {report["run_id"]}


def test_a_killed_clear_is_shown_and_taken_over(failed: Splitjoin) -> None:
    """Status says who holds the join; a rejoin is refused; the same command ends it."""
    run_id = str(failed.json("status", JOB, *TRACKER)["run_id"])
    tracker = SqliteTracker(failed.directory / "t.db")
    tracker.claim_clear(Run(JOB, run_id))
    tracker.close()
    status = failed.json("status", JOB, *TRACKER)
    assert (status["state"], status["join"]["owner"]) == ("joining", "clear")
    assert "held by splitjoin clear; if it was killed, type it again" in failed.ok("status", JOB, *TRACKER).stdout
    ran = failed("retry", JOB, *TRACKER, "--join", "--json")
    assert ran.error["message"] == f"{JOB}: splitjoin clear takes the run out of the database"
    cleared = failed.json("clear", JOB, *TRACKER, *INTO, "--run-column", "run")
    assert (cleared["chunks"], cleared["tracker"]) == (3, "sqlite:t.db")
    assert failed.json("status", JOB, *TRACKER)["state"] == "waiting"
