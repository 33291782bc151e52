"""What only DuckDB does beside loading."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import duckdb
import pytest

from splitjoin_cli.core.errors import BadRowError
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
