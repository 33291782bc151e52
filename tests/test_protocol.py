"""The statements that docs/guide/operate.md gives to look into the database are run, on a ledger that loaders made."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.duckdb import DuckdbLoader
from splitjoin_cli.stores.loaders.sqlite import SqliteLoader
from splitjoin_cli.testing.chunks import JOB, RUN, chunk_of

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "guide" / "operate.md").read_text()


def statements() -> list[str]:
    """The page's SQL, its capitals filled in."""
    found = re.findall(r"^ {4}(SELECT .*;)$", PAGE, flags=re.MULTILINE)
    return [sql.replace("'NAME'", f"'{JOB}'").replace("'RUN'", f"'{RUN}'") for sql in found]


def answers(run: Callable[[str], list[tuple[Any, ...]]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What the two statements say, less the times, which are in order."""
    chunks, jobs = statements()
    loads = [(number, rows) for number, rows, began_at, loaded_at in run(chunks) if began_at <= loaded_at]
    return loads, run(jobs)


def test_the_statements_of_the_page_show_what_is_loaded(tmp_path: Path) -> None:
    """On SQLite and DuckDB alike: each chunk with its rows, and the run that stands, with its table."""
    expected = ([(1, 2), (2, 1)], [(RUN, 1, "people", "2024-01-31T00:00:00Z")])
    for path, loader in (
        (tmp_path / "a.db", SqliteLoader(str(tmp_path / "a.db"), LoadTarget("people"))),
        (tmp_path / "a.duckdb", DuckdbLoader(str(tmp_path / "a.duckdb"), LoadTarget("people"))),
    ):
        with contextlib.closing(loader):
            loader.load(chunk_of(b"1,Ann\n2,Bob\n"))
            loader.load(chunk_of(b"3,Eve\n", number=2))
            loader.mark_joined(JOB, RUN, "2024-01-31T00:00:00Z")
        connect: Any = sqlite3.connect if path.suffix == ".db" else duckdb.connect
        with contextlib.closing(connect(str(path))) as connection:
            assert answers(lambda sql, found=connection: found.execute(sql).fetchall()) == expected  # type: ignore[misc]
