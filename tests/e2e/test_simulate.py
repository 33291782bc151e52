"""Several ``splitjoin simulate`` at once on one tracker and one database: each report is true of what stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.servers.mariadb import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.command import Splitjoin
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase

ROWS = 600
TROUBLE = ("--duplicates", "0.3", "--failures", "0.2", "--crashes", "0.2", "--shuffle")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.server),
        pytest.param("postgres", marks=pytest.mark.server),
    ]
)
def into(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database that processes share, and its password in the environment."""
    if request.param == "sqlite":
        return "sqlite:sales.db"
    if request.param == "mariadb":
        monkeypatch.setenv("SPLITJOIN_DB_PASSWORD", PASSWORD)
    database: MariadbDatabase | PostgresDatabase = request.getfixturevalue(str(request.param))
    return str(database.url)


def chunks_of(splitjoin: Splitjoin, client: str) -> str:
    """A directory with an export of this client in twelve chunks."""
    export = splitjoin.directory / f"{client}.csv"
    export.write_text("id,name\n" + "".join(f'{number},"{client}\n{number}"\n' for number in range(ROWS)))
    splitjoin.ok("split", export.name, client, "--date", "1", "--rows", "50")
    return client


def test_several_at_once(splitjoin: Splitjoin, tmp_path: Path, into: str) -> None:
    """Three of one job, each with trouble of its own, and one of another job into the same table."""
    acme, other = chunks_of(splitjoin, "acme"), chunks_of(splitjoin, "other")
    shared = ("--into", into, "--table", "people", "--create-table", "--tracker", "sqlite:jobs.db")
    join = 'exec:echo "$(cat)" >> joins'  # one write for each, or those of two processes would mix
    processes = [
        splitjoin.begin("simulate", place, *shared, *TROUBLE, "--seed", str(seed), "--on-join", join, "--json")
        for seed, place in enumerate((acme, acme, acme, other))
    ]
    try:
        ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [code for _, _, code in ended] == [0, 0, 0, 0], ended
    reports = [json.loads(out) for out, _, _ in ended]
    for report in reports:
        assert (report["ok"], report["rows_loaded"], report["rows_expected"], report["joins"]) == (True, ROWS, ROWS, 1)
        assert (report["processed_parts"], {chunk["rows"] for chunk in report["chunks"]}) == (12, {50})
        assert report["deliveries"] == 12 + report["duplicates"] + report["failures"] + report["crashes"]
    again = splitjoin.json("simulate", acme, *shared)
    assert (again["ok"], again["rows_loaded"], again["continuation_runs"]) == (True, ROWS, 0)
    payloads = (tmp_path / "joins").read_text().splitlines()
    assert len(payloads) >= sum(report["continuation_runs"] for report in reports)
    assert sorted(json.loads(payload)["file_name"] for payload in set(payloads)) == ["acme_1", "other_1"]


def test_what_follows_a_join_gets_no_password(
    splitjoin: Splitjoin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by its environment, whichever way the command was named."""
    chunks_of(splitjoin, "acme")
    join = "exec:env > env"
    monkeypatch.setenv("SPLITJOIN_DB_PASSWORD", "tell-nobody")
    splitjoin.ok("simulate", "acme", SPLITJOIN_ON_JOIN=join)
    found = (tmp_path / "env").read_text()
    assert "SPLITJOIN_JOIN_FILE_NAME=acme_1\n" in found
    assert "tell-nobody" not in found
    assert join not in found


def test_what_fails_before_anything_is_made_leaves_nothing(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """The temporary database's folder is there for what was loaded; where nothing was, it is removed."""
    (tmp_path / "temporary").mkdir()
    here = splitjoin.within(TMPDIR=str(tmp_path / "temporary"))
    (tmp_path / "bad.csv").write_bytes(b'id,name\n1,"5" disk"\n')
    assert here("simulate", "nope.csv").code == 1
    assert here("simulate", "bad.csv").code == 4
    assert list((tmp_path / "temporary").iterdir()) == []


CHECK_PLACE = "Hint: check that its directory is there, and that you may write to it\n"
NAME_FILE = "Hint: name an SQLite file, or a path where there is none yet\n"


@pytest.mark.parametrize(
    ("into", "table", "said"),
    [
        (
            "sqlite:nope/load.db",
            "t",
            f"Error: sqlite:nope/load.db: unable to open database file\n{CHECK_PLACE}",
        ),
        (
            "sqlite:acme.csv",
            "t",
            f"Error: sqlite:acme.csv: file is not a database\n{NAME_FILE}",
        ),
        (
            "sqlite:load.db",
            "sales.t",
            "Error: sqlite:load.db has no schema sales\nHint: name the table without a schema: --table NAME\n",
        ),
    ],
)
def test_a_database_that_cannot_be_opened_names_the_next_step(
    splitjoin: Splitjoin, tmp_path: Path, into: str, table: str, said: str
) -> None:
    """A folder that is not there, a file of another kind, a schema that SQLite does not know."""
    (tmp_path / "acme.csv").write_bytes(b"id\n1\n" * 200)
    ran = splitjoin("simulate", "acme.csv", "--into", into, "--table", table, "-q")
    assert (ran.code, ran.stdout, ran.stderr) == (1, "", said)
