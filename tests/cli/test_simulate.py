"""``splitjoin simulate`` as a command, and ``split --tracker``: from a file to a join, and what status says of it."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.core.aws import client as aws
from splitjoin_cli.core.format.manifest import Manifest
from splitjoin_cli.stores.trackers.sqlite import SqliteTracker
from tests.servers.mariadb import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ran
    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.postgres import PostgresDatabase
    from tests.servers.s3 import Bucket

    Splitjoin = Callable[..., Ran]

FIELDS = [
    "file_name", "into", "table", "tracker", "total_parts", "processed_parts", "rows_expected", "rows_loaded",
    "deliveries", "duplicates", "failures", "crashes", "joins", "continuation_runs", "joined_by", "ok", "seconds",
    "chunks",
]  # fmt: skip
ROWS = 50


@pytest.fixture
def _temporary_place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a simulation leaves in a temporary place goes with the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export of fifty rows in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = Path("acme-eu.csv")
    path.write_text("id,note\n" + "".join(f'{number},"a\n""b"""\n' for number in range(ROWS)))
    return path


@pytest.fixture
def chunks(splitjoin: Splitjoin, export: Path) -> str:
    """The same, split into five chunks."""
    assert splitjoin("split", str(export), "chunks", "--date", "20240131", "--rows", "10").code == 0
    return "chunks"


def rows_in(path: str, table: str) -> int:
    """Rows of a table in an SQLite file."""
    with closing(sqlite3.connect(path)) as db:
        (count,) = db.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()
    return int(count)


@pytest.mark.usefixtures("_temporary_place")
def test_a_file_is_split_first(splitjoin: Splitjoin, export: Path) -> None:
    """Into a temporary place that goes; the database stays in one, with the tracker; the table is the client's name."""
    ran = splitjoin("simulate", str(export), "--rows", "10", "--json")
    document = ran.document
    assert ran.code == 0
    assert list(document) == FIELDS
    assert (document["ok"], document["total_parts"], document["rows_loaded"], document["joins"]) == (True, 5, ROWS, 1)
    assert document["file_name"].startswith("acme-eu_2")
    assert document["table"] == "acme_eu"
    assert rows_in(document["into"].removeprefix("sqlite:"), "acme_eu") == ROWS
    status = splitjoin("status", document["file_name"], "--tracker", document["tracker"], "--json").document
    assert (status["state"], status["rows"], status["rows_expected"]) == ("joined", ROWS, ROWS)
    assert list(Path().iterdir()) == [export]


def test_what_describes_a_file_is_refused_for_chunks(
    splitjoin: Splitjoin, chunks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would do nothing. Variables hold for all commands: there they are left out."""
    for words in (["--rows", "5"], ["--delimiter", ";"], ["--dialect", "tsv"], ["--encoding", "utf-16"]):
        error = splitjoin("simulate", chunks, *words, "--json").document["error"]
        assert error["message"] == f"{words[0]} is for a file to split, and {chunks} holds chunks"
        assert error["code"] == 2
    for name, value in (("ROWS", "5"), ("DELIMITER", ";"), ("ENCODING", "utf-16")):
        monkeypatch.setenv(f"SPLITJOIN_{name}", value)
    ran = splitjoin("simulate", chunks, "--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db", "-q")
    assert (ran.code, ran.stderr) == (0, "")


def test_chunks_with_all_trouble_and_again(splitjoin: Splitjoin, chunks: str) -> None:
    """Ok, both times; what follows the join ran in the first alone."""
    places = ["--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db", "--on-join", "exec:cat >> joined"]
    trouble = ["--duplicates", "0.5", "--failures", "0.3", "--crashes", "0.3", "--shuffle", "--seed", "4"]
    first = splitjoin("simulate", chunks, *places, *trouble, "--json")
    again = splitjoin("simulate", chunks, *places, "--json")
    assert (first.code, again.code) == (0, 0)
    assert first.document["continuation_runs"] >= 1
    assert min(first.document[name] for name in ("duplicates", "failures", "crashes")) > 0
    assert (again.document["joins"], again.document["continuation_runs"], again.document["deliveries"]) == (1, 0, 5)
    assert rows_in("load.db", "acme_eu") == ROWS
    payloads = set(Path("joined").read_text().replace("}{", "}\n{").splitlines())
    assert len(payloads) == 1


def test_report(splitjoin: Splitjoin, chunks: str) -> None:
    """Chunk by chunk what happened, the join, and whether every row is there once."""
    ran = splitjoin(
        "simulate", chunks, "--workers", "1", "--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db", "-q"
    )
    assert ran.code == 0
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    assert lines[:5] == [
        *(f"chunk {number}       10 rows  worker-1: 10 rows loaded, counted" for number in range(1, 5)),
        "chunk 5       10 rows  worker-1: 10 rows loaded, joined",
    ]
    assert lines[5:10] == [
        "",
        "5 chunks: 5 deliveries, 0 duplicates sent, 0 failures, 0 crashes",
        "rows:  50 of 50 in acme_eu of sqlite:load.db",
        "join:  once by worker-1 with chunk 5, the continuation ran 1 time here",
        "count: 5 of 5 in sqlite:jobs.db",
    ]
    assert lines[10].startswith("acme-eu_20240131: ok, every row is there once, and there is exactly one join, in ")


def test_not_ok(splitjoin: Splitjoin, chunks: str) -> None:
    """Exit 1 and the reasons, each once; with --json the document stands alone, and they are talk."""
    with closing(sqlite3.connect("load.db")) as db:
        db.execute("CREATE TABLE acme_eu (id INTEGER CHECK (id <> 8), note TEXT)")
        db.commit()
    arguments = ["simulate", chunks, "--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db"]
    ran = splitjoin(*arguments, "-q")
    assert (ran.code, ran.stderr) == (1, "")
    assert "\n40 rows are loaded, 50 were expected\n" in ran.stdout
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("chunk 1  ")]
    assert line.count("CHECK constraint failed") == 1
    assert line.count(": the same") == 2
    ran = splitjoin(*arguments, "--json")
    assert (ran.document["ok"], "error" in ran.document) == (False, False)
    assert "\n40 rows are loaded, 50 were expected\n" in ran.stderr
    assert splitjoin(*arguments, "--json", "-q").stderr == ""
    assert splitjoin("status", "--tracker", "sqlite:jobs.db", "--check").code == 12


@pytest.mark.usefixtures("_temporary_place")
def test_several_jobs(splitjoin: Splitjoin, chunks: str, export: Path) -> None:
    """Which one is meant must be said."""
    assert splitjoin("split", str(export), chunks, "--date", "20240201").code == 0
    ran = splitjoin("simulate", chunks, "--json")
    assert (ran.code, ran.document["error"]["hint"]) == (2, "say which one with --name")
    assert ran.document["error"]["message"] == (
        f"there are several jobs in {Path(chunks).resolve()}/: acme-eu_20240131, acme-eu_20240201"
    )
    ran = splitjoin("simulate", chunks, "--name", "acme-eu_20240201", "--json")
    assert (ran.code, ran.document["file_name"]) == (0, "acme-eu_20240201")


@pytest.mark.usefixtures("_temporary_place")
def test_name_of_one_file(splitjoin: Splitjoin, export: Path) -> None:
    """--name says what the chunks are called: the same file on another day is then the same job.

    Where they lay for a moment is nothing that the tracker leads anybody to.
    """
    arguments = ["simulate", str(export), "--name", "beta_1", "--tracker", "sqlite:jobs.db", "--json"]
    document = splitjoin(*arguments).document
    assert (document["file_name"], document["table"]) == ("beta_1", "beta")
    (job,) = SqliteTracker(Path("jobs.db")).list()
    assert (job.total_parts, job.destination) == (1, None)


def test_newer_run_replaces_rows(splitjoin: Splitjoin, chunks: str, export: Path) -> None:
    """Other content under the same name, split with --force and the tracker, takes the older run's rows out."""
    tracker = ["--tracker", "sqlite:jobs.db"]
    load = ["--into", "sqlite:load.db", "--run-column", "run", *tracker, "--json"]
    assert splitjoin("simulate", chunks, *load).code == 0
    export.write_text("id,note\n1,x\n2,y\n")
    split = ["split", str(export), chunks, "--date", "20240131", "--rows", "1", *tracker]
    assert splitjoin(*split).code == 11
    assert splitjoin(*split, "--force").code == 0
    document = splitjoin("simulate", chunks, *load).document
    assert (document["ok"], document["rows_loaded"], document["joins"]) == (True, 2, 1)
    assert rows_in("load.db", "acme_eu") == 2


@pytest.mark.usefixtures("_temporary_place")
def test_chunks_on_s3(splitjoin: Splitjoin, bucket: Bucket, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix, with or without its slash, and one object that is split first."""
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    assert splitjoin("split", str(export), f"s3://{bucket.name}/in", "--date", "1", "--rows", "10").code == 0
    for source in (f"s3://{bucket.name}/in", f"s3://{bucket.name}/in/"):
        document = splitjoin("simulate", source, "--crashes", "0.3", "--json").document
        assert (document["ok"], document["total_parts"], document["rows_loaded"]) == (True, 5, ROWS)
    bucket.client().put_object(Bucket=bucket.name, Key="whole/acme.csv", Body=export.read_bytes())
    document = splitjoin("simulate", f"s3://{bucket.name}/whole/acme.csv", "--chunks", "3", "--json").document
    assert (document["ok"], document["total_parts"]) == (True, 3)


TROUBLE = ["--duplicates", "0.3", "--failures", "0.2", "--crashes", "0.2", "--shuffle", "--seed", "2"]


@pytest.mark.server
@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_into_a_server(
    splitjoin: Splitjoin,
    chunks: str,
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the password from the environment; a missing table is made only where that is asked for."""
    database: MariadbDatabase | PostgresDatabase = request.getfixturevalue(kind)
    if kind == "mariadb":
        monkeypatch.setenv("SPLITJOIN_DB_PASSWORD", PASSWORD)
    arguments = ["simulate", chunks, "--into", str(database.url), "--table", "orders", "--tracker", "sqlite:jobs.db"]
    assert splitjoin(*arguments, "--json").document["ok"] is False
    ran = splitjoin(*arguments, *TROUBLE, "--create-table", "--json")
    assert (ran.code, ran.document["rows_loaded"], ran.document["into"]) == (0, ROWS, str(database.url))
    assert database.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM orders")[0] == (ROWS, ROWS)
    assert PASSWORD not in ran.stdout + ran.stderr


@pytest.mark.usefixtures("_temporary_place")
def test_into_duckdb(splitjoin: Splitjoin, chunks: str) -> None:
    """The other embedded database, which makes its table as well."""
    ran = splitjoin("simulate", chunks, "--into", "duckdb:load.duckdb", *TROUBLE, "--json")
    assert (ran.code, ran.document["rows_loaded"]) == (0, ROWS)


@pytest.mark.usefixtures("_temporary_place")
def test_with_jobs_in_dynamodb(
    splitjoin: Splitjoin, export: Path, ministack_server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table made, a split of more chunks than one item counts, loaded and joined; status tells it."""
    for name, value in ministack_server.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SPLITJOIN_TRACKER", f"dynamodb:jobs-{secrets.token_hex(6)}")
    export.write_text("id\n" + "".join(f"{number}\n" for number in range(258)))
    assert splitjoin("init").code == 0
    assert splitjoin("split", str(export), "out", "--date", "1", "--rows", "1").code == 0
    ran = splitjoin("simulate", "out", "--duplicates", "0.2", "--crashes", "0.1", "--workers", "8", "--json")
    assert (ran.code, ran.document["rows_loaded"], ran.document["processed_parts"]) == (0, 258, 258)
    document = splitjoin("status", "acme-eu_1", "--check", "--json").document
    assert (document["state"], document["rows"], document["missing"]) == ("joined", 258, [])


USAGE: dict[str, tuple[list[str], str]] = {
    "probability": (["--crashes=1.5"], "Invalid value for '--crashes': 1.5 is not in the range 0<=x<=1."),
    "no number": (["--crashes=nan"], "not a probability: nan"),
    "table": (["--table=a.b.c"], "not a table's name: 'a.b.c'"),
    "own table": (
        ["--table=main.SPLITJOIN_jobs"],
        "table 'SPLITJOIN_jobs': names that begin with splitjoin_ are reserved for splitjoin's own tables",
    ),
    "own column": (
        ["--run-column=splitjoin_run"],
        "column 'splitjoin_run': names that begin with splitjoin_ are reserved for splitjoin's own tables",
    ),
    "system table": (
        ["--table=sqlite_sequence"],
        "table 'sqlite_sequence': names that begin with sqlite_ belong to SQLite itself",
    ),
    "continuation": (["--on-join=ftp:x"], "not what a join can go on with: ftp:"),
    "name": (["--name=acme"], "'acme' is not the name of a job"),
    "empty": (["--into="], "Invalid value for '--into': it is empty: leave the option out, or give it a value"),
    "password": (
        ["--into=mysql://me:secret@host/db"],
        "the mysql URL holds a password, and process lists show it",
    ),
    "one file for both": (
        ["--into=sqlite:x.db", "--tracker=sqlite:./x.db"],
        "the database and the tracker are the same SQLite file",
    ),
}


@pytest.mark.usefixtures("_temporary_place")
@pytest.mark.parametrize("case", USAGE)
def test_usage_errors(splitjoin: Splitjoin, chunks: str, case: str) -> None:
    """Exit 2, nothing loaded."""
    arguments, message = USAGE[case]
    ran = splitjoin("simulate", chunks, *arguments, "--json")
    assert ran.code == 2
    assert ran.document["error"]["message"] == message
    assert not Path("x.db").exists()


@pytest.mark.usefixtures("_temporary_place")
@pytest.mark.parametrize("into", ["oracle:x", "sqlite::memory:", "duckdb::memory:", "mysql://me:secret@host/db"])
def test_nothing_is_split_for_what_is_no_database(splitjoin: Splitjoin, export: Path, into: str) -> None:
    """The tracker hears of no job, and no temporary file stays."""
    ran = splitjoin("simulate", str(export), "--into", into, "--tracker", "sqlite:jobs.db")
    assert (ran.code, ran.stdout) == (2, "")
    assert "splitting" not in ran.stderr
    assert not Path("jobs.db").exists()
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


@pytest.mark.usefixtures("_temporary_place")
def test_a_client_of_a_reserved_name(splitjoin: Splitjoin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is split for it, can be split by itself, and is loaded into a table that is named."""
    monkeypatch.chdir(tmp_path)
    source = Path("splitjoin-jobs.csv")
    source.write_text("file_name,run_id,generation,table_name,joined_at\nx_1,r,1,t,2024-01-31T12:00:00Z\n")
    ran = splitjoin("simulate", str(source), "--into", "sqlite:load.db", "--tracker", "sqlite:jobs.db", "--json")
    assert ran.code == 2
    assert (
        ran.document["error"]["message"]
        == "table 'splitjoin_jobs': names that begin with splitjoin_ are reserved for splitjoin's own tables"
    )
    assert ran.document["error"]["hint"] == "use another table: --table NAME"
    assert not Path("load.db").exists()
    assert not Path("jobs.db").exists()
    assert splitjoin("split", str(source), "chunks", "--date", "1").code == 0
    assert splitjoin("simulate", "chunks", "--into", "sqlite:load.db").code == 2
    assert not Path("load.db").exists()
    ran = splitjoin("simulate", "chunks", "--into", "sqlite:load.db", "--table", "jobs", "--json")
    assert (ran.code, ran.document["rows_loaded"], ran.document["joins"]) == (0, 1, 1)


@pytest.mark.usefixtures("_temporary_place")
def test_sources_that_are_none(splitjoin: Splitjoin) -> None:
    """Standard input needs a name; a directory that is not there is no file without one."""
    ran = splitjoin("simulate", "-", "--json")
    assert ran.document["error"] == {
        "code": 2,
        "message": "standard input has no name: --name is needed",
        "hint": "add --name CLIENT_DATE",
    }
    ran = splitjoin("simulate", "nowhere/", "--json")
    assert (ran.code, ran.document["error"]["message"]) == (1, "no such directory: nowhere")


@pytest.mark.usefixtures("_temporary_place")
def test_a_file_is_named_as_split_names_it(splitjoin: Splitjoin, tmp_path: Path) -> None:
    """Client and date come from CLIENT_DATE; the table is the client's."""
    (tmp_path / "acme_2024-01-31.csv").write_bytes(b"id\n1\n")
    ran = splitjoin("simulate", str(tmp_path / "acme_2024-01-31.csv"), "--json")
    assert (ran.code, ran.document["file_name"], ran.document["table"]) == (0, "acme_2024-01-31", "acme")
    (tmp_path / "Account Export.csv").write_bytes(b"id\n1\n")
    error = splitjoin("simulate", str(tmp_path / "Account Export.csv"), "--json").document["error"]
    assert error["message"].startswith("client 'Account Export' holds ' ' (U+0020) at character 8; ")
    assert error["hint"] == "give one with --name CLIENT_DATE"
    os.mkfifo(tmp_path / "pipe")
    error = splitjoin("simulate", str(tmp_path / "pipe"), "--json").document["error"]
    assert (error["message"], error["hint"]) == (
        f"{tmp_path}/pipe is a pipe: --name is needed", "give one with --name CLIENT_DATE",
    )  # fmt: skip


# -- split --tracker


def test_split_opens_the_job(splitjoin: Splitjoin, export: Path) -> None:
    """With what is expected and where it lies; a second split opens nothing new."""
    for _ in range(2):
        ran = splitjoin("split", str(export), "out", "--date", "1", "--rows", "10", "--tracker", "sqlite:jobs.db")
        assert ran.code == 0
    (job,) = SqliteTracker(Path("jobs.db")).list()
    assert (job.file_name, job.total_parts, job.rows_expected, job.generation) == ("acme-eu_1", 5, ROWS, 1)
    assert job.destination == f"{Path('out').resolve()}/"
    manifest = Manifest.from_bytes(Path("out/acme-eu_1.manifest.json").read_bytes(), "it")
    assert job.run_id == manifest.run_id


def test_split_without_a_tracker_that_can_be_reached(splitjoin: Splitjoin, export: Path) -> None:
    """Exit 1, and nothing is stored."""
    for url in ("sqlite:nowhere/jobs.db", "dynamodb:jobs"):
        environment = ["--endpoint-url", "http://127.0.0.1:1", "--region", "us-east-1"]
        ran = splitjoin("split", str(export), "out", "--tracker", url, *environment)
        assert (ran.code, ran.stdout) == (1, "")
        assert [path for path in Path().rglob("*") if path.is_file()] == [export]


def test_split_of_other_content_that_the_tracker_knows(splitjoin: Splitjoin, export: Path) -> None:
    """Exit 11 wherever it goes, nothing stored; --force adds 1 to the generation, once."""
    split = ["split", str(export), "--date", "1", "--tracker", "sqlite:jobs.db"]
    assert splitjoin(*split, "one").code == 0
    export.write_text("id\n1\n")
    refused = splitjoin(*split, "two")
    assert refused.code == 11
    assert "acme-eu_1: the tracker has run " in refused.stderr
    assert list(Path("two").iterdir()) == []
    for _ in range(2):
        assert splitjoin(*split, "two", "--force").code == 0
    (job,) = SqliteTracker(Path("jobs.db")).list()
    manifest = Manifest.from_bytes(Path("two/acme-eu_1.manifest.json").read_bytes(), "it")
    assert (job.generation, manifest.generation, job.run_id) == (2, 2, manifest.run_id)


def test_simulate_of_a_file_that_the_tracker_knows_otherwise(splitjoin: Splitjoin, export: Path) -> None:
    """Exit 11 with a way out that simulate has: it takes no --force."""
    simulate = ["simulate", str(export), "--tracker", "sqlite:jobs.db", "--into", "sqlite:load.db"]
    assert splitjoin(*simulate, "--name", "acme_1").code == 0
    export.write_text("id\n1\n")
    refused = splitjoin(*simulate, "--name", "acme_1")
    assert refused.code == 11
    assert "Error: acme_1: the tracker has run " in refused.stderr
    assert refused.stderr.endswith("Hint: choose another name with --name CLIENT_DATE, or another --tracker\n")
    assert splitjoin(*simulate[:-1], "sqlite:other.db", "--name", "acme_2").code == 0


def test_split_that_cannot_be_stored_opens_nothing(splitjoin: Splitjoin, export: Path) -> None:
    """Other content at the destination: the tracker does not learn of a run that never was."""
    assert splitjoin("split", str(export), "out", "--date", "1").code == 0
    export.write_text("id\n1\n")
    assert splitjoin("split", str(export), "out", "--date", "1", "--tracker", "sqlite:jobs.db").code == 11
    assert list(SqliteTracker(Path("jobs.db")).list()) == []
    assert splitjoin("split", str(export), "out", "--date", "1", "--tracker", "sqlite:jobs.db", "--force").code == 0
    (job,) = SqliteTracker(Path("jobs.db")).list()
    assert job.generation == 2


def test_dry_run_opens_nothing(splitjoin: Splitjoin, export: Path) -> None:
    """A plan is no split."""
    assert splitjoin("split", str(export), "out", "--dry-run", "--tracker", "sqlite:jobs.db").code == 0
    assert not Path("jobs.db").exists()


def test_the_login_from_a_secret(
    splitjoin: Splitjoin,
    chunks: str,
    mariadb: MariadbDatabase,
    ministack_server: DynamoDbServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """User and password come from Secrets Manager; neither shows. ``SPLITJOIN_SECRET`` does as well as ``--secret``."""
    ministack_server.use(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", ministack_server.endpoint_url)
    keeper = aws.client("secretsmanager")
    fields = json.dumps({"username": "root", "password": PASSWORD})
    arn = keeper.create_secret(Name=f"db-{secrets.token_hex(4)}", SecretString=fields)["ARN"]
    url = f"mysql://127.0.0.1:{mariadb.server.port}/{mariadb.name}"
    command = ("simulate", chunks, "--into", url, "--create-table", "--tracker", "sqlite:jobs.db", "--json")
    ran = splitjoin(*command, "--secret", arn)
    assert (ran.code, ran.document["rows_loaded"], ran.document["into"]) == (0, ROWS, url)
    monkeypatch.setenv("SPLITJOIN_SECRET", arn)
    again = splitjoin(*command)
    assert (again.code, again.document["rows_loaded"]) == (0, ROWS)
    assert PASSWORD not in ran.stdout + ran.stderr + again.stdout + again.stderr
    missing = arn.replace("db-", "no-")
    failed = splitjoin(*command, "--secret", missing)
    assert failed.code == 1
    assert failed.document["error"]["message"] == f"secretsmanager:GetSecretValue {missing}: not found"


@pytest.mark.usefixtures("_temporary_place")
def test_a_secret_where_there_are_no_users(splitjoin: Splitjoin, chunks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed, it is a usage error; in the environment it waits for a database that has users."""
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
    ran = splitjoin("simulate", chunks, "--secret", arn, "--json")
    assert ran.document["error"] == {
        "code": 2,
        "message": "--secret: sqlite knows no users",
        "hint": "leave it out, or name a server with --into",
    }
    monkeypatch.setenv("SPLITJOIN_SECRET", arn)
    assert splitjoin("simulate", chunks, "--json").code == 0
    ran = splitjoin("simulate", chunks, "--into", "mysql://h/d", "--secret", "my-pass", "--json")
    assert ran.document["error"]["message"] == "not the ARN of a secret"
