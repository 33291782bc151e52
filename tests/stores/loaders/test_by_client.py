"""A loader without a table: each client's chunks go to a table of the client's name."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from splitjoin_cli.stores.loaders import by_client
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.by_client import LoaderByClient, table_of_client
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.chunks import chunk_of

if TYPE_CHECKING:
    from pathlib import Path

RUN = "r1"


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """All rows of a table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f'SELECT * FROM "{table}"').fetchall()


def test_the_table_is_the_clients_name() -> None:
    """Underscores stand for what is neither letter nor digit, in any script."""
    assert table_of_client("acme-eu.v2_20240131") == "acme_eu_v2"
    assert table_of_client("żółw_20240131") == "żółw"


def test_each_client_has_its_table(tmp_path: Path) -> None:
    """And all share one ledger, in which each job stands with its table."""
    path = tmp_path / "load.db"
    with contextlib.closing(LoaderByClient(lambda table: SqliteLoader(str(path), LoadTarget(table)))) as loader:
        assert (loader.properties.uri, loader.properties.table) == (f"sqlite:{path}", "the client's name")
        loader.prepare()
        for job, body in (("a-b_1", b"1,Ann\n"), ("c_1", b"2,Ben\n"), ("a-b_2", b"3,Eve\n")):
            loaded = loader.load(replace(chunk_of(body), file_name=job, run_id=RUN, number=1))
            assert (loaded.rows, loaded.already_loaded) == (1, False)
            ledger = loader.job(job)
            assert ledger is not None
            assert ledger.table == loader.table_of(job)
            assert loader.ledger_numbers(job, RUN) == [1]
            assert loader.ledger_rows(job, RUN).rows == 1
        assert loader.mark_joined("c_1", RUN, "2024-01-31T00:00:00Z")
        assert loader.table_rows().rows == 0
    assert [row[:2] for row in rows(path, "a_b")] == [("1", "Ann"), ("3", "Eve")]
    assert [row[:2] for row in rows(path, "c")] == [("2", "Ben")]


def test_only_so_many_clients_keep_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for longest is closed, and opened anew when its turn comes."""
    monkeypatch.setattr(by_client, "MOST_LOADERS", 2)
    opened: list[str] = []

    def open_table(table: str) -> SqliteLoader:
        opened.append(table)
        return SqliteLoader(str(tmp_path / "load.db"), LoadTarget(table))

    with contextlib.closing(LoaderByClient(open_table)) as loader:
        opened.clear()
        for job in ("a_1", "b_1", "a_2", "c_1", "a_3", "b_2"):
            assert loader.job(job) is None
    assert opened == ["a", "b", "c", "b"]


def test_a_client_under_way_keeps_its_connection_until_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others push it out meanwhile: its load ends as it would, and no connection of it stays open."""
    monkeypatch.setattr(by_client, "MOST_LOADERS", 1)
    made: list[SqliteLoader] = []

    def open_table(table: str) -> SqliteLoader:
        made.append(SqliteLoader(str(tmp_path / "load.db"), LoadTarget(table)))
        return made[-1]

    with contextlib.closing(LoaderByClient(open_table)) as loader:
        assert loader.job("a_1") is None
        pushed_out = made[-1]
        with pushed_out._session() as session:
            assert loader.job("b_1") is None
            assert session.rows("SELECT 1") == [(1,)]
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            session.rows("SELECT 1")
        assert pushed_out.job("a_1") is None
        assert pushed_out._idle == []
