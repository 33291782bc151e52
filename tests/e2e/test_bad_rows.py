"""A bad row, as an operator meets it: in what ``simulate`` says, and in what ``status`` keeps."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.mariadb import MariadbDatabase


MIB = 1024 * 1024
MEASURED = """
import re, sys
from pathlib import Path
from splitjoin_cli.cli.run import run
code = run(sys.argv[1:])
sys.stderr.write(re.search(r"VmHWM:[ \\t]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


@pytest.fixture
def chunks(splitjoin: Splitjoin) -> str:
    """An export whose third record has a value of 10 KB that is no number, behind quoted newlines."""
    text = 'id,name\n1,"a\nb"\n2,"c\n\nd"\n' + "y" * 10_000 + ",e\n"
    (splitjoin.directory / "acme.csv").write_text(text)
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "1")
    with duckdb.connect(str(splitjoin.directory / "sales.duckdb")) as database:
        database.execute("CREATE TABLE acme (id INTEGER, name VARCHAR)")
    return "chunks"


def test_status_says_why_a_chunk_failed(splitjoin: Splitjoin, chunks: str) -> None:
    """The place and the reason come first, whatever the record holds; little of it is in any line."""
    ran = splitjoin("simulate", chunks, "--into", "duckdb:sales.duckdb", "--tracker", "sqlite:jobs.db", "--json")
    assert ran.code == 1
    for stream in (ran.stdout, ran.stderr):
        assert "y" * 200 not in stream
    document = splitjoin.json("status", "acme_1", "--tracker", "sqlite:jobs.db")
    [failure] = document["failures"]
    begin = 'record 3, line 7 of the chunk: Error when converting column "id". Could not convert string "yyy'
    assert failure["error"].startswith(begin)
    assert "yyy\" to 'INTEGER' (chunk 1 of 1 of acme_1 (run " in failure["error"]
    text = splitjoin.ok("status", "acme_1", "--tracker", "sqlite:jobs.db").stdout
    assert f": {begin}" in text
    assert "to 'INTEGER'" in text


def test_a_header_that_no_table_has_fails_for_good(splitjoin: Splitjoin) -> None:
    """``simulate`` says what to change, and the tracker that trying again does not help."""
    (splitjoin.directory / "acme.csv").write_bytes(b"id,na\0me\n1,a\n")
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "1")
    ran = splitjoin("simulate", "chunks", "--into", "sqlite:sales.db", "--tracker", "sqlite:jobs.db")
    assert ran.code == 1
    said = r"column 2 of the header, 'na\x00me', cannot be a column in SQLite: it holds a NUL byte"
    assert said in ran.stdout + ran.stderr
    document = splitjoin.json("status", "acme_1", "--tracker", "sqlite:jobs.db")
    assert document["state"] == "failed"
    assert document["failures"][0]["error"].startswith(said)


@pytest.mark.parametrize("into", ["sqlite:sales.db", "duckdb:sales.duckdb", pytest.param("", marks=pytest.mark.server)])
def test_a_shifted_record_is_refused(request: pytest.FixtureRequest, splitjoin: Splitjoin, into: str) -> None:
    """A delimiter that nobody quoted, and an empty field at the end that some databases would drop for it."""
    if not into:
        mariadb: MariadbDatabase = request.getfixturevalue("mariadb")
        into = str(mariadb.url)
        splitjoin = splitjoin.within(SPLITJOIN_DB_PASSWORD=mariadb.server.password)
    (splitjoin.directory / "acme.csv").write_text("id,name,note\n1,Ann,a\n2,Smith, John,\n3,Eve,e\n")
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "1")
    how = ("--into", into, "--create-table", "--tracker", "sqlite:jobs.db")
    ran = splitjoin("simulate", "chunks", *how, "--json")
    assert ran.code == 1
    assert (ran.document["ok"], ran.document["rows_loaded"], ran.document["joins"]) == (False, 0, 0)
    document = splitjoin.json("status", "acme_1", "--tracker", "sqlite:jobs.db")
    reason = "record 2, line 3 of the chunk: the record has 4 fields, not 3"
    assert document["failures"][0]["error"].startswith(reason)


def test_a_client_cannot_name_the_ledger(splitjoin: Splitjoin) -> None:
    """Its rows would say of another job that it is joined: it is refused, and loads into a table that is named."""
    rows = "file_name,run_id,generation,table_name,joined_at\nacme_1,r,1,acme,2024-01-31T12:00:00Z\n"
    (splitjoin.directory / "SplitJoin-jobs.csv").write_text(rows)
    splitjoin.ok("split", "SplitJoin-jobs.csv", "chunks", "--date", "1")
    how = ("simulate", "chunks", "--into", "sqlite:sales.db", "--tracker", "sqlite:jobs.db", "--json")
    ran = splitjoin(*how)
    assert ran.code == 2
    assert ran.error["message"] == (
        "table 'SplitJoin_jobs': names that begin with splitjoin_ are reserved for splitjoin's own tables"
    )
    assert ran.error["hint"] == "use another table: --table NAME"
    assert splitjoin.ok(*how, "--table", "theirs").document["rows_loaded"] == 1


@pytest.mark.parametrize("into", ["sqlite:sales.db", "duckdb:sales.duckdb"])
def test_a_small_file_with_a_large_field_takes_little_memory(tmp_path: Path, into: str) -> None:
    """100 MiB in 100 KB of gzip: the record is refused before it is held, and ``simulate`` stays small."""
    with gzip.open(tmp_path / "acme.csv.gz", "wb", compresslevel=9) as file:
        file.write(b'id,name\n1,"')
        for _ in range(100):
            file.write(b"x" * MIB)
        file.write(b'"\n')
    arguments = ["simulate", "acme.csv.gz", "--into", into, "--max-record", "4MiB", "--json", "-q"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["rows_loaded"] == 0
    assert int(done.stderr.split()[-1]) < 250 * 1024
