"""What only SQLite's loader does: rows go from the csv module to the table without a step of Python's between."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splitjoin_cli.core.errors import BadRowError
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader, _lines
from splitjoin_cli.testing.chunks import chunk_of
from tests.laws import examples

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.lists(st.lists(st.sampled_from(["a", "é", "\n", "\r\n", "\r", "\v", "\x1c", "\x85", "\u2028"])).map("".join))


@given(TEXTS)
@examples(100)
def test_lines_are_those_of_a_file(texts: list[str]) -> None:
    """However the text is cut, and whatever else ends a line elsewhere."""
    found = [line for lines in _lines(texts) for line in lines]
    assert found == list(io.StringIO("".join(texts), newline=""))


@pytest.mark.parametrize("keeps", ["UNIQUE ON CONFLICT IGNORE", "", "trigger"])
def test_rows_that_the_table_does_not_take_are_missed(tmp_path: Path, keeps: str) -> None:
    """A constraint or a trigger that drops a row without a word: the chunk has another number of rows then."""
    path = tmp_path / "load.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE acme (id TEXT {keeps.removeprefix('trigger')}, name TEXT)")
        if keeps == "trigger":
            when = "BEFORE INSERT ON acme WHEN new.name = 'b' BEGIN SELECT RAISE(IGNORE); END"
            connection.execute(f"CREATE TRIGGER drops {when}")
    with closing(SqliteLoader(str(path), LoadTarget("acme"))) as loader:
        for data in (b"1,a\n1,b\n", b'1,a\n1, "b\n1,b\n'):  # the second is read field by field
            chunk = chunk_of(data)
            if not keeps:
                assert loader.load(chunk).rows == chunk.rows
                return
            with pytest.raises(BadRowError, match=rf"says {chunk.rows} rows, and the table took [12]$"):
                loader.load(chunk)
        assert loader.table_rows().rows == 0
