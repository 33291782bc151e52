"""``splitjoin status --reconcile --values``: the table beside chunks or source, by the command and in Python."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

import splitjoin_cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Splitjoin = Callable[..., Ran]

NAME = "acme_20240131"


class Loaded:
    """A typed table that a file was loaded into, and what can be done to it then."""

    def __init__(self, splitjoin: Splitjoin, place: Path) -> None:
        self._splitjoin, self.place, self.database = splitjoin, place, place / "sales.db"
        self.export = place / "acme_20240131.csv"
        rows = b"".join(b'%03d,"n %d",%d.50\n' % (number, number, number) for number in range(30))
        self.export.write_bytes(b"id,name,price\n" + rows)
        self.sql("CREATE TABLE acme (id INTEGER PRIMARY KEY, name TEXT, price REAL)")
        self.tracker = f"sqlite:{place / 'jobs.db'}"
        assert (
            splitjoin("split", str(self.export), str(place / "chunks"), "--rows=5", "--tracker", self.tracker).code == 0
        )
        into = f"sqlite:{self.database}"
        assert splitjoin("simulate", str(place / "chunks"), "--tracker", self.tracker, "--into", into).code == 0
        self.told = ["--tracker", self.tracker, "--reconcile", "--into", into]

    def status(self, *more: str) -> Ran:
        """The comparison."""
        return self._splitjoin("status", NAME, *self.told, "--values", *more)

    def sql(self, script: str) -> None:
        """By the plain driver."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.executescript(script)

    def files(self) -> dict[str, str]:
        """What is in each file of the place."""
        found = (path for path in self.place.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture
def loaded(splitjoin: Splitjoin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """Six chunks of five rows, joined."""
    monkeypatch.chdir(tmp_path)
    return Loaded(splitjoin, tmp_path)


def test_where_all_agrees(loaded: Loaded) -> None:
    """A line that says so; exit 0; nothing is written."""
    before = loaded.files()
    ran = loaded.status("--check")
    assert (ran.code, ran.stderr) == (0, "")
    assert "values      30 rows in 6 chunks: every value is the same" in ran.stdout.splitlines()
    assert loaded.files() == before
    assert loaded.status("--json").document["values"] == {
        "agree": True, "complete": True, "compared_parts": 6, "rows": 30, "table_rows": 30, "key": ["id"],
        "not_compared": [], "chunks": [], "missing_rows": 0, "missing": [], "extra_rows": 0, "extra": [],
        "changed_rows": 0, "changed": [],
    }  # fmt: skip


def damaged(loaded: Loaded) -> None:
    """A row lost, one changed in a column, and one that nobody split."""
    loaded.sql(
        "DELETE FROM acme WHERE id = 7; UPDATE acme SET name = NULL WHERE id = 12; INSERT INTO acme VALUES (99, '', 1)"
    )


def test_a_damaged_table(loaded: Loaded) -> None:
    """Exit 12 with and without --check, and what differs, row by row."""
    damaged(loaded)
    ran = loaded.status()
    note = f"the table's values differ from what was split: {NAME}\n"
    assert (ran.code, ran.stderr) == (12, note)
    assert (loaded.status("--check").code, loaded.status("--check").stderr) == (12, note)
    lines = ran.stdout.splitlines()
    begin = lines.index("values      30 rows in 6 chunks: 30 in the table, and they differ")
    assert lines[begin + 1 : begin + 8] == [
        "in chunks   2-3",
        "lost rows   1",
        "            chunk 2: id='007', name='n 7', price='7.50'",
        "extra rows  1",
        "            id='99', name='', price='1.0'",
        "changed     1",
        "            chunk 3: id='012': name: 'n 12' is NULL",
    ]
    assert loaded.status("--json", "--key", "NAME").document["values"]["key"] == ["name"]


@pytest.mark.parametrize("form", ["plain", "compressed", "UTF-16"])
def test_the_source_instead_of_the_chunks(loaded: Loaded, form: str) -> None:
    """By the manifest's ranges, a stream too; without the manifest it is one chunk."""
    damaged(loaded)
    source = loaded.export
    if form == "compressed":
        source = loaded.place / "acme.csv.gz"
        source.write_bytes(gzip.compress(loaded.export.read_bytes()))
    told = ["--source", str(source), "--json"]
    if form == "UTF-16":
        source.write_bytes(source.read_text().encode("utf-16"))
        assert "or compare with the chunks: leave --source out" in loaded.status(*told).document["error"]["hint"]
        told += ["--encoding", "utf-16"]
    for chunk in (loaded.place / "chunks").glob("*.csv"):
        chunk.unlink()
    assert loaded.status().code == 1
    ran = loaded.status(*told)
    assert (ran.code, ran.document["values"]["chunks"], ran.document["values"]["compared_parts"]) == (12, [2, 3], 6)
    (loaded.place / "chunks" / f"{NAME}.manifest.json").unlink()
    found = loaded.status(*told).document["values"]
    assert (found["chunks"], found["compared_parts"], found["missing_rows"], found["changed_rows"]) == ([1], 1, 1, 1)


def test_chunks_that_are_not_loaded_are_not_compared(loaded: Loaded) -> None:
    """The ledger says which are."""
    loaded.sql("DELETE FROM splitjoin_ledger WHERE number = 2; DELETE FROM acme WHERE id BETWEEN 5 AND 9")
    found = loaded.status("--json").document["values"]
    assert (found["agree"], found["compared_parts"], found["rows"]) == (True, 5, 25)


def test_in_python(loaded: Loaded) -> None:
    """The same options, and the result as values."""
    damaged(loaded)
    job = splitjoin_cli.status(
        NAME, tracker=loaded.tracker, reconcile=True, values=True, into=f"sqlite:{loaded.database}", key=["id"]
    )
    assert job.values is not None
    assert (job.values.agree, job.values.changed[0].values[0].column) == (False, "name")
    assert job.to_json()["values"] == loaded.status("--json").document["values"]


def test_a_column_or_a_database_that_is_not_there(loaded: Loaded) -> None:
    """An error, that says which."""
    assert loaded.status("--run-column", "run").code == 1
    loaded.told[-1] = f"sqlite:{loaded.place / 'none.db'}"
    ran = loaded.status("--json")
    assert ran.code == 1
    assert (
        ran.document["error"]["message"] == f"{loaded.told[-1]} knows nothing of {NAME}: there is no table to compare"
    )


USAGE: dict[str, tuple[list[str], str, str]] = {
    "values alone": (["--values"], "--values is for --reconcile", "give --reconcile and --into URL too"),
    "no database": (["--values", "--reconcile"], "--reconcile needs a database", "give --into URL"),
    "encoding alone": (
        ["--values", "--encoding=utf-16"], "--encoding is for --source", "give --source too, or leave it out"
    ),
    "source alone": (["--source=x"], "--source is for --values", "give --reconcile --values too"),
    "key alone": (["--key=x"], "--key is for --values", "give --reconcile --values too"),
    "run column alone": (["--run-column=x"], "--run-column is for --values", "give --reconcile --values too"),
    "watched": (
        ["--values", "--reconcile", "--into=sqlite:x", "--watch"],
        "--values reads the whole table, which --watch would repeat", "leave --watch out",
    ),
    "no such column": (
        ["--values", "--reconcile", "--into=DATABASE", "--key=nothing"],
        "--key: the chunks have no column 'nothing'", "they have 'id', 'name', 'price'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE)
def test_usage_errors(splitjoin: Splitjoin, loaded: Loaded, case: str) -> None:
    """Exit 2, with what to do."""
    arguments, message, hint = USAGE[case]
    arguments = [word.replace("DATABASE", f"sqlite:{loaded.database}") for word in arguments]
    ran = splitjoin("status", NAME, "--tracker", loaded.tracker, "--json", *arguments)
    assert (ran.code, ran.document) == (2, {"error": {"code": 2, "message": message, "hint": hint}})
