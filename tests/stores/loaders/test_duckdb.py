"""What only DuckDB does beside loading."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from unittest import mock

import duckdb
import pytest

from splitjoin_cli.core.errors import BadRowError, LoadError
from splitjoin_cli.stores.loaders import body, windows
from splitjoin_cli.stores.loaders import duckdb as duckdb_module
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.duckdb import DuckdbLoader
from splitjoin_cli.testing.chunks import chunk_of, lookalikes, many_rows

if TYPE_CHECKING:
    from pathlib import Path

LONG = "SELECT sum(a.range * b.range) FROM range(20000) a, range(5000) b"


def test_a_long_statement_draws_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its progress bar goes to stdout, where a command's one JSON document is."""
    loader = DuckdbLoader(str(tmp_path / "load.duckdb"), LoadTarget("acme", create_table=True))
    with contextlib.closing(loader), loader._session() as session:
        session.run("SET progress_bar_time = 1")
        session.run(LONG)
    assert capfd.readouterr().out == ""


def test_a_bad_row_has_its_number_whichever_window_it_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB counts the records of each file that it reads; nothing of the windows before it stays."""
    monkeypatch.setattr(windows, "WINDOW_BYTES", 3000)
    monkeypatch.setattr(windows, "FILE_BYTES", 1000)
    monkeypatch.setattr(body, "BLOCK_BYTES", 300)
    path = str(tmp_path / "load.duckdb")
    with contextlib.closing(duckdb.connect(path)) as connection:
        connection.execute("CREATE TABLE acme (id INTEGER, name VARCHAR)")
    with contextlib.closing(DuckdbLoader(path, LoadTarget("acme"))) as loader:
        for number in (1, 77, 600):
            lines = many_rows(600).splitlines(keepends=True)
            lines[number - 1] = b'one,"a\nb"\n'
            for quotes in (b'"', b'" '):  # those that nothing is behind, and those that are read field by field
                data = b"".join([*lines[:-1], lines[-1].replace(b'"\n', quotes + b"\n")])
                with pytest.raises(BadRowError, match=rf"record {number}, line {number + 1} of the chunk: .* \"one\""):
                    loader.load(chunk_of(data, rows=None))
        assert loader.table_rows().rows == 0
        assert loader.load(chunk_of(many_rows(600))).rows == 600


def test_lines_in_quotes_that_look_like_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On several threads DuckDB takes them for records wherever one of its own buffers begins."""
    monkeypatch.setattr(body, "BLOCK_BYTES", 20_000)
    monkeypatch.setattr(duckdb_module, "USUAL_LINE_BYTES", 0)
    data, texts = lookalikes(1500)
    path = str(tmp_path / "load.duckdb")
    with contextlib.closing(DuckdbLoader(path, LoadTarget("acme"))) as loader:
        assert loader.load(chunk_of(data)).rows == len(texts)
    with contextlib.closing(duckdb.connect(path)) as connection:
        found = dict(connection.execute("SELECT id, name FROM acme").fetchall())
    assert found == texts


def test_a_table_that_changes_between_two_chunks_is_looked_at_again(tmp_path: Path) -> None:
    """Another connection of this process may change it; the catalogue is asked once while it does not."""
    path = str(tmp_path / "load.duckdb")
    with contextlib.closing(DuckdbLoader(path, LoadTarget("acme"))) as loader:
        with mock.patch.object(loader, "_table_columns", side_effect=loader._table_columns) as look:
            for number in (1, 2, 3):  # the first one makes the table, the second looks at it
                look.reset_mock()
                loader.load(chunk_of(b"1,a\n", number=number))
            look.assert_not_called()
        with contextlib.closing(duckdb.connect(path)) as other:
            other.execute("DROP TABLE acme")
            other.execute("CREATE TABLE acme (name VARCHAR, id INTEGER)")
            loader.load(chunk_of(b",b\n", number=4))
            assert other.execute("SELECT name, id FROM acme").fetchall() == [("b", None)]
            other.execute("ALTER TABLE acme RENAME COLUMN id TO number")
            with pytest.raises(BadRowError, match=r"table acme has no column 'id', which the header names$"):
                loader.load(chunk_of(b"3,c\n", number=5))
            other.execute("ALTER TABLE acme RENAME COLUMN number TO id")
            other.execute("ALTER TABLE acme RENAME TO elsewhere")
            loader.load(chunk_of(b"6,d\n", number=6))
            other.execute("ALTER TABLE acme RENAME TO gone")
            other.execute("CREATE VIEW acme AS SELECT * FROM gone")
            with pytest.raises(LoadError):
                loader.load(chunk_of(b"7,d\n", number=7))
            assert other.execute("SELECT count(*) FROM acme").fetchall() == [(1,)]
