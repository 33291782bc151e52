"""One file, split and loaded into a database, and read back by its plain driver."""

# ruff: noqa: S608 -- the table's name is our own

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

import splitjoin_cli
from splitjoin_cli.core.errors import SplitjoinError
from splitjoin_cli.join.chunk import chunk_to_load
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.open import open_loader
from splitjoin_cli.stores.loaders.urls import parse
from tools.exporters.table import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.exporters.variants import Places, Variant

__all__ = ["DATABASES", "Outcome", "outcomes", "prepared"]

DATABASES = ("SQLite", "DuckDB", "MariaDB", "PostgreSQL")
TABLE = "loaded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the table in one database. ``differs``: ids of rows; ``refused``: the error, if one came."""

    differs: tuple[int, ...] = ()
    refused: str = ""

    def __str__(self) -> str:
        if self.refused:
            return "refused"
        return "exact" if not self.differs else ", ".join(map(str, self.differs))


@contextlib.contextmanager
def prepared(places: Places) -> Iterator[None]:
    """The awkward table on both servers, and an empty database to load into."""
    with places.mariadb.connect() as connection, connection.cursor() as cursor:
        for name in ("exports", "imports"):
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")
        cursor.execute("CREATE OR REPLACE TABLE exports.awkward (id INTEGER PRIMARY KEY, t LONGTEXT, u LONGTEXT)")
        cursor.executemany("INSERT INTO exports.awkward VALUES (%s, %s, %s)", ROWS)
    with closing(places.postgres.connect()) as connection:
        for name in ("exports", "imports"):
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
            connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    with closing(places.postgres.connect("exports")) as connection:
        connection.execute("CREATE TABLE awkward (id INTEGER PRIMARY KEY, t TEXT, u TEXT)")
        connection.cursor().executemany("INSERT INTO awkward VALUES (%s, %s, %s)", ROWS)
    yield


def outcomes(variant: Variant, file: Path, places: Places, number: int) -> dict[str, Outcome]:
    """What becomes of ``file`` in each database. ``number``: of the job, another one each time."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-exporters-") as directory:
        chunks = Path(directory) / "chunks"
        try:
            splitjoin_cli.split(file, chunks, client="awkward", date=str(number), chunk_size=512, **variant.options)
        except SplitjoinError as exc:
            return dict.fromkeys(DATABASES, Outcome(refused=exc.message))
        paths = sorted(chunks.glob("*.csv"))
        return {name: _loaded(name, paths, Path(directory), places) for name in DATABASES}


def _loaded(name: str, paths: Sequence[Path], directory: Path, places: Places) -> Outcome:
    url, password, query = _database(name, directory, places)
    target = LoadTarget(TABLE, create_table=True)
    try:
        with closing(open_loader(parse(url), target, login=password)) as loader, closing(Chunks()) as store:
            loader.prepare()
            for path in paths:
                with closing(store.open_chunk(str(path))) as stored:
                    loader.load(chunk_to_load(stored))
        found = {int(row[0]): (int(row[0]), *row[1:]) for row in query(f"SELECT * FROM {TABLE}")}
    except SplitjoinError as exc:
        return Outcome(refused=exc.message)
    finally:
        query(f"DROP TABLE IF EXISTS {TABLE}")
    wanted = {row[0]: row for row in ROWS}
    return Outcome(tuple(key for key in sorted(wanted | found) if found.get(key) != wanted.get(key)))


def _database(name: str, directory: Path, places: Places) -> tuple[str, str | None, Any]:
    """The URL to load into, its password, and what runs a statement there."""
    path = directory / name
    if name == "SQLite":

        def of_sqlite(sql: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(path)) as connection:
                return connection.execute(sql).fetchall()

        return f"sqlite:{path}", None, of_sqlite
    if name == "DuckDB":

        def of_duckdb(sql: str) -> list[tuple[Any, ...]]:
            with duckdb.connect(str(path)) as connection:
                return connection.execute(sql).fetchall()

        return f"duckdb:{path}", None, of_duckdb
    if name == "MariaDB":

        def of_mariadb(sql: str) -> list[tuple[Any, ...]]:
            with places.mariadb.connect("imports") as connection, connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        return f"mysql://root@127.0.0.1:{places.mariadb.port}/imports", places.mariadb.password, of_mariadb

    def of_postgres(sql: str) -> list[tuple[Any, ...]]:
        with closing(places.postgres.connect("imports")) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    return f"postgresql://postgres@127.0.0.1:{places.postgres.port}/imports", None, of_postgres
