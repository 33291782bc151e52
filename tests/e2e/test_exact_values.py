"""``--exact-values``, as an operator meets it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.e2e.command import Splitjoin
    from tests.servers.postgres import PostgresDatabase

HOW = ("simulate", "acme.csv", "--name", "acme_1", "--table", "sales", "--json")


def test_a_value_that_would_change_fails_for_good(splitjoin: Splitjoin) -> None:
    """``simulate`` says record, column, text and what it would become; other spellings are loaded."""
    directory = splitjoin.directory
    (directory / "acme.csv").write_text("id,day\n007,2024-01-31\n8,2024-01-31 10:15:00\n")
    with duckdb.connect(str(directory / "sales.duckdb")) as database:
        database.execute("CREATE TABLE sales (id INTEGER, day DATE)")
    ran = splitjoin(*HOW, "--into", "duckdb:sales.duckdb", "--exact-values")
    assert ran.code == 1
    assert ran.document["rows_loaded"] == 0
    assert ran.document["not_checked"] == []
    said = "record 2, line 3 of the chunk: column day (DATE) would change '2024-01-31 10:15:00' to '2024-01-31'"
    assert said in ran.stderr
    assert "load without --exact-values" in ran.stderr
    assert splitjoin.ok(*HOW, "--into", "duckdb:sales.duckdb").document["rows_loaded"] == 2


def test_it_may_be_said_by_the_environment(splitjoin: Splitjoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """As each option."""
    directory = splitjoin.directory
    (directory / "acme.csv").write_text("id\n9007199254740993.0\n")
    with sqlite3.connect(directory / "sales.db") as database:
        database.execute("CREATE TABLE sales (id INTEGER)")
    monkeypatch.setenv("SPLITJOIN_EXACT_VALUES", "1")
    ran = splitjoin(*HOW, "--into", "sqlite:sales.db")
    assert ran.code == 1
    assert "column id (INTEGER) would change '9007199254740993.0' to '9007199254740992'" in ran.stderr


@pytest.mark.server
def test_columns_that_are_not_checked_are_named_at_the_start(splitjoin: Splitjoin, postgres: PostgresDatabase) -> None:
    """On stderr, once, and in the document."""
    postgres.query("CREATE TABLE sales (id NUMERIC(5,1), spot POINT, span INT4RANGE)")
    (splitjoin.directory / "acme.csv").write_text('id,spot,span\n01.50,"(1,2)","[1,3]"\n')
    ran = splitjoin.ok(*HOW, "--into", str(postgres.url), "--exact-values")
    assert ran.document["not_checked"] == ["spot (point)", "span (int4range)"]
    said = "table sales: the values of these columns are not checked, since no rule is known for their types: "
    assert ran.stderr.count(f"{said}spot (point), span (int4range)") == 1
