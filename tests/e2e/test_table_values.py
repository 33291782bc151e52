"""``status --reconcile --values``, as an operator meets it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import Splitjoin

if TYPE_CHECKING:
    from tests.servers.mariadb import MariadbDatabase
    from tests.servers.s3 import Bucket

HOW = ("status", "acme_1", "--tracker", "sqlite:jobs.db", "--reconcile", "--values", "--into")


def load(splitjoin: Splitjoin, into: str) -> None:
    """Three chunks of two rows."""
    (splitjoin.directory / "acme.csv").write_text(
        "id,name,day\n" + "".join(f"0{n},n{n},2024-1-{n}\n" for n in range(1, 7))
    )
    splitjoin.ok("split", "acme.csv", "chunks", "--date", "1", "--rows", "2", "--tracker", "sqlite:jobs.db")
    splitjoin.ok("simulate", "chunks", "--tracker", "sqlite:jobs.db", "--into", into, "--table", "sales")


def test_a_table_beside_its_chunks(splitjoin: Splitjoin) -> None:
    """The same, then damaged: exit 12 and what differs, also beside the export."""
    with sqlite3.connect(splitjoin.directory / "sales.db") as database:
        database.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, name TEXT, day TEXT)")
    load(splitjoin, "sqlite:sales.db")
    ran = splitjoin.ok(*HOW, "sqlite:sales.db")
    assert "values      6 rows in 3 chunks: every value is the same\n" in ran.stdout
    with sqlite3.connect(splitjoin.directory / "sales.db") as database:
        database.execute("UPDATE sales SET name = NULL WHERE id = 4")
    for more in ((), ("--source", "acme.csv")):
        ran = splitjoin(*HOW, "sqlite:sales.db", *more, "--json")
        assert (ran.code, ran.document["values"]["chunks"]) == (12, [2])
        assert ran.document["values"]["changed"] == [
            {"number": 2, "key": {"id": "04"}, "values": [{"column": "name", "file": "n4", "table": None}]}
        ]
    ran = splitjoin(*HOW, "sqlite:sales.db")
    assert (ran.code, ran.stderr) == (12, "the table's values differ from what was split: acme_1\n")


@pytest.mark.server
def test_on_a_server(splitjoin: Splitjoin, mariadb: MariadbDatabase) -> None:
    """Typed columns, through the command."""
    mariadb.query("CREATE TABLE sales (id INTEGER PRIMARY KEY, name VARCHAR(9), day DATE)")
    splitjoin = Splitjoin(splitjoin.directory, {**splitjoin.env, "SPLITJOIN_DB_PASSWORD": mariadb.server.password})
    load(splitjoin, str(mariadb.url))
    assert splitjoin.ok(*HOW, str(mariadb.url), "--json").document["values"]["agree"] is True
    mariadb.query("UPDATE sales SET day = '2024-01-09' WHERE id = 1")
    found = splitjoin(*HOW, str(mariadb.url), "--json").document["values"]
    assert found["changed"][0]["values"] == [{"column": "day", "file": "2024-1-1", "table": "2024-01-09"}]


def test_chunks_on_s3(splitjoin_s3: Splitjoin, bucket: Bucket) -> None:
    """By what the tracker says of where they are; packed ones, too; and an export there."""
    splitjoin, place = splitjoin_s3, f"{bucket.uri}in/"
    (splitjoin.directory / "acme.csv").write_text("id,name\n" + "".join(f"{n},n{n}\n" for n in range(1, 7)))
    tracked = ("--tracker", "sqlite:jobs.db")
    splitjoin.ok("split", "acme.csv", place, "--date", "1", "--rows", "2", "--compress", "gzip", *tracked)
    splitjoin.ok("simulate", place, *tracked, "--into", "sqlite:sales.db")
    assert splitjoin.ok(*HOW, "sqlite:sales.db", "--json").document["values"]["agree"] is True
    with sqlite3.connect(splitjoin.directory / "sales.db") as database:
        database.execute("INSERT INTO acme SELECT * FROM acme WHERE id = '3'")
    found = splitjoin(*HOW, "sqlite:sales.db", "--source", "acme.csv", "--json").document["values"]
    assert (found["extra"], found["chunks"]) == ([{"number": 2, "row": {"id": "3", "name": "n3"}}], [2])
