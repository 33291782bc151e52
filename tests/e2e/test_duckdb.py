"""What a DuckDB file makes of the installed command: it ends quietly, and says who has the file."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin

HOLDS = "import duckdb, sys; held = duckdb.connect('load.duckdb'); print('open', flush=True); sys.stdin.read()"
STATUS = ("status", "acme_1", "--tracker", "sqlite:jobs.db", "--reconcile", "--into", "duckdb:load.duckdb")


@pytest.fixture
def loaded(splitjoin: Splitjoin) -> Splitjoin:
    """The command, after ten rows in two chunks were loaded into ``load.duckdb``."""
    (splitjoin.directory / "acme.csv").write_text("id,name\n" + "".join(f"{number},Ann\n" for number in range(10)))
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "1", "--rows", "5")
    ran = splitjoin.ok("simulate", "chunks", "--into", "duckdb:load.duckdb", "--tracker", "sqlite:jobs.db", "--quiet")
    assert ran.stderr == ""
    return splitjoin


def test_the_end_is_quiet(loaded: Splitjoin) -> None:
    """DuckDB's binding tells what Python did not tidy up before it ended: there is nothing of it."""
    ran = loaded.ok(*STATUS)
    assert ran.stderr == ""
    assert ran.stdout.endswith("10 rows, in acme of duckdb:load.duckdb: as the tracker has it\n")


def test_a_file_that_another_process_has_open_is_no_riddle(loaded: Splitjoin) -> None:
    """Who has it is told, as DuckDB knows it, and what to do; to look as well as to load."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], cwd=loaded.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        looked = loaded(*STATUS, "--json")
        ran = loaded("simulate", "chunks", "--into", "duckdb:load.duckdb", "--tracker", "sqlite:jobs.db", "--json")
        holder.communicate()
    for found in (looked, ran):
        error = found.error
        message = str(error["message"])
        assert message.startswith("duckdb:load.duckdb: another process, ")
        assert message.endswith(f" (PID {holder.pid}), has the file open, and DuckDB lets only one process open it")
        assert (error["code"], error["hint"]) == (1, "try again when that process is done with it")
    assert loaded.json(*STATUS)["reconcile"]["agrees"] is True


def test_a_file_that_is_none_comes_with_the_next_step(loaded: Splitjoin) -> None:
    """Another kind of file, one that DuckDB would show in memory alone, and a directory that is not there."""
    error = loaded("simulate", "chunks", "--into", "duckdb:acme.csv", "--json").error
    assert error["message"] == "duckdb:acme.csv is not a DuckDB database file"
    assert error["hint"] == "name a DuckDB file, or a path where there is none yet"
    assert loaded(*STATUS[:-1], "duckdb:acme.csv", "--json").error["hint"] == error["hint"]
    (loaded.directory / "text.db").write_text("id,name\n" * 1000)
    error = loaded(*STATUS[:-1], "duckdb:text.db", "--json").error
    assert str(error["message"]).endswith('text.db" exists, but it is not a valid DuckDB database file!')
    assert error["hint"] == "name a DuckDB file, or a path where there is none yet"
    error = loaded("simulate", "chunks", "--into", "duckdb:no/load.duckdb", "--json").error
    assert str(error["message"]).startswith("duckdb:no/load.duckdb: IO Error: Cannot open file ")
    assert error["hint"] == "check that its directory is there, and that you may read and write it"
