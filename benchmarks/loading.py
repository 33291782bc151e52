"""The group ``loaders``: rows a second of each loader, against its database's bare driver doing the same load."""

# ruff: noqa: S608 -- the tables' names are our own

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import psycopg

from benchmarks import peers, servers
from benchmarks.data import HEADER
from benchmarks.rates import WHOSE, RateTable, Way, in_turns, with_servers
from benchmarks.report import filesystem
from benchmarks.surroundings import clean_env, made_data, say
from splitjoin_cli.join.chunk import chunk_to_load
from splitjoin_cli.stores.chunks.any import Chunks
from splitjoin_cli.stores.loaders.base import LoadTarget
from splitjoin_cli.stores.loaders.open import open_loader
from splitjoin_cli.stores.loaders.urls import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from benchmarks.rates import Group
    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgres import PostgresServer

TABLE = "bench"
DATABASE = "bench"
OWN_TABLES = (TABLE, "splitjoin_ledger", "splitjoin_jobs")
COLUMNS = HEADER.decode().strip().split(",")
CHUNK_BYTES = 8 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
OURS = "ledger row, load and row check in one transaction; exact for any CSV"


@dataclass(frozen=True, slots=True)
class Chunked:
    """The chunks to load, as ``splitjoin split`` made them, and their records in all."""

    paths: tuple[Path, ...]
    rows: int


class Engine(Protocol):
    """A database, as its bare driver uses it, in whichever way is the driver's fastest."""

    name: str
    bare: str
    version: str
    url: str
    password: str | None
    types: tuple[str, ...]
    """Of the table's columns: text, unless a group sets others."""

    def reset(self) -> None:
        """An empty table ``TABLE`` of columns of ``types``, and no ledger."""

    def load(self, path: Path) -> None:
        """One chunk into the table, in one transaction."""

    def cursor(self) -> AbstractContextManager[Any]:
        """One of the bare driver's."""

    def rows(self) -> int:
        """In the table now; nothing of an embedded database is open then."""

    def close(self) -> None:
        """Free the connection."""


class Mariadb:
    """PyMySQL, LOAD DATA LOCAL INFILE."""

    name = "MariaDB"
    types: tuple[str, ...] = ("LONGTEXT",) * len(COLUMNS)
    bare = "PyMySQL: LOAD DATA LOCAL INFILE of the chunk's file"

    def __init__(self, server: MariadbServer) -> None:
        """Connect to a database of its own."""
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        self._connection = server.connect(DATABASE)
        self.url = f"mysql://root@127.0.0.1:{server.port}/{DATABASE}"
        self.password: str | None = server.password
        self.version = f"MariaDB {self._ask('SELECT VERSION()')}, PyMySQL {version('pymysql')}"

    def reset(self) -> None:
        """See Engine."""
        for table in OWN_TABLES:
            self._do(f"DROP TABLE IF EXISTS {table}")
        columns = ", ".join(f"`{name}` {kind}" for name, kind in zip(COLUMNS, self.types, strict=True))
        self._do(f"CREATE TABLE {TABLE} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")

    def load(self, path: Path) -> None:
        """See Engine."""
        self._do(
            f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {TABLE} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ','"
            " OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES"
        )

    def cursor(self) -> AbstractContextManager[Any]:
        """See Engine."""
        cursor: AbstractContextManager[Any] = self._connection.cursor()
        return cursor

    def rows(self) -> int:
        """See Engine."""
        return int(self._ask(f"SELECT COUNT(*) FROM {TABLE}"))

    def close(self) -> None:
        """See Engine."""
        self._connection.close()

    def _do(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    def _ask(self, sql: str) -> Any:  # noqa: ANN401 -- a value of the database
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]


class Postgres:
    """psycopg, COPY FROM STDIN."""

    name = "PostgreSQL"
    types: tuple[str, ...] = ("TEXT",) * len(COLUMNS)
    bare = "psycopg: COPY FROM STDIN of the chunk's file, in blocks of 1 MiB"
    password: str | None = None

    def __init__(self, server: PostgresServer) -> None:
        """Connect to a database of its own."""
        with closing(server.connect()) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        self._connection = server.connect(DATABASE)
        self.url = f"postgresql://postgres@127.0.0.1:{server.port}/{DATABASE}"
        self.version = f"PostgreSQL {self._ask('SHOW server_version')}, psycopg {psycopg.__version__}"

    def reset(self) -> None:
        """See Engine."""
        self._connection.execute(f"DROP TABLE IF EXISTS {', '.join(OWN_TABLES)}")
        self._connection.execute(f"CREATE TABLE {TABLE} ({_columns(self.types)})")

    def load(self, path: Path) -> None:
        """See Engine."""
        with (
            path.open("rb", buffering=0) as file,
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT csv, HEADER true, ENCODING 'UTF8')") as copy,
        ):
            while block := file.read(BLOCK_BYTES):
                copy.write(block)

    def cursor(self) -> AbstractContextManager[Any]:
        """See Engine."""
        return self._connection.cursor()

    def rows(self) -> int:
        """See Engine."""
        return int(self._ask(f"SELECT COUNT(*) FROM {TABLE}"))

    def close(self) -> None:
        """See Engine."""
        self._connection.close()

    def _ask(self, sql: str) -> Any:  # noqa: ANN401 -- as above
        (row,) = self._connection.execute(sql)
        return row[0]


class _Embedded:
    """A file that is deleted and made anew for each run."""

    name: str
    scheme: str
    types: tuple[str, ...]
    password: str | None = None

    def __init__(self, directory: Path) -> None:
        """``directory``: where the file is made."""
        self._path = directory / f"load.{self.scheme}"
        self.url = f"{self.scheme}:{self._path}"
        self._connection: Any = None

    def reset(self) -> None:
        """The bare driver's connection is opened for its own runs only: DuckDB would share it with the loader."""
        self.close()
        for file in self._path.parent.glob(f"{self._path.name}*"):
            file.unlink()
        with closing(self._connect()) as connection:
            connection.execute(f"CREATE TABLE {TABLE} ({_columns(self.types)})")

    def cursor(self) -> AbstractContextManager[Any]:
        """See Engine."""
        return closing(self._opened().cursor())

    def rows(self) -> int:
        """See Engine."""
        self.close()
        with closing(self._connect()) as connection:
            return int(connection.execute(f"SELECT COUNT(*) FROM {TABLE}").fetchone()[0])

    def close(self) -> None:
        """See Engine."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> Any:  # noqa: ANN401 -- either driver's
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Any:  # noqa: ANN401 -- either driver's
        raise NotImplementedError


class Duckdb(_Embedded):
    """DuckDB's own reader, on all cores."""

    name = "DuckDB"
    scheme = "duckdb"
    types = ("VARCHAR",) * len(COLUMNS)
    bare = "DuckDB: INSERT from read_csv of the chunk's file, on all cores"
    version = f"DuckDB {duckdb.__version__}"

    def load(self, path: Path) -> None:
        """See Engine."""
        dialect = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false"
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
        reader = f"read_csv('{path}', {dialect}, columns = {{{columns}}}, new_line = '\\n')"
        self._opened().execute(f"INSERT INTO {TABLE} SELECT * FROM {reader}")

    def _connect(self) -> Any:  # noqa: ANN401 -- as above
        return duckdb.connect(str(self._path))


class Sqlite(_Embedded):
    """The csv module and executemany, the fastest that Python alone has."""

    name = "SQLite"
    scheme = "sqlite"
    types = ("TEXT",) * len(COLUMNS)
    bare = "csv.reader into executemany, one transaction a chunk"
    version = f"SQLite {sqlite3.sqlite_version}"

    def load(self, path: Path) -> None:
        """See Engine."""
        connection = self._opened()
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            next(reader)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO {TABLE} VALUES ({', '.join('?' * len(COLUMNS))})", reader)
            connection.execute("COMMIT")

    def _connect(self) -> Any:  # noqa: ANN401 -- as above
        return sqlite3.connect(self._path, isolation_level=None)


def compare(size: int, rounds: int) -> RateTable:
    """All four databases; one whose server is not installed is left out, and said."""
    scratch_in = Path(tempfile.gettempdir())
    with chunked(scratch_in, size) as chunks:
        groups, left_out = in_each(
            chunks, lambda name, engine: in_turns(name, chunks.rows, rounds, _ways(engine, chunks), with_servers)
        )
        notes = (
            f"{chunks.rows:,} records, {size:,} bytes, {len(chunks.paths)} chunks, one at a time, into text columns.",
            "Connections, table and ledger are made before the clock starts; afterwards the table's rows are counted.",
            f"Medians of {rounds} interleaved rounds. The servers run here, set up for tests: they wait for no disk.",
            f"Chunks and databases lie on {filesystem(scratch_in)}.",
        )
    return RateTable("Loaders against the bare client", "database", "row", notes, groups, left_out, WHOSE)


def in_each(chunks: Chunked, compared: Callable[[str, Engine], Group]) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """What is compared in each database; and why others, whose servers are not installed, are left out."""
    groups: list[Group] = []
    left_out: list[str] = []
    for name, opened in opened_engines(chunks.paths[0].parent.parent).items():
        try:
            with opened() as engine:
                groups.append(compared(name, engine))
        except LookupError as exc:
            say(f"{name} is left out: {exc}")
            left_out.append(f"{name}: {str(exc).splitlines()[-1]}")
    return tuple(groups), tuple(left_out)


def opened_engines(place: Path) -> dict[str, Callable[[], AbstractContextManager[Engine]]]:
    """What opens each database, by its name; files lie in ``place``."""
    return {
        Mariadb.name: partial(_on_server, servers.mariadb_server, Mariadb),
        Postgres.name: partial(_on_server, servers.postgres_server, Postgres),
        Duckdb.name: lambda: closing(Duckdb(place)),
        Sqlite.name: lambda: closing(Sqlite(place)),
    }


@contextmanager
def chunked(directory: Path, size: int) -> Iterator[Chunked]:
    """An export of about ``size`` bytes, split by the installed command, until the block is left."""
    with made_data(directory, size) as source:
        place = source.parent / "chunks"
        command = [peers.splitjoin(), "split", str(source), str(place), "--client", "bench", "--date", "20240131"]
        command += ["--chunk-size", str(CHUNK_BYTES), "-q", "--json"]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, env=clean_env()).stdout)
        paths = tuple(place / chunk["name"] for chunk in result["chunks"])
        yield Chunked(paths, int(result["rows"]))


@contextmanager
def _on_server(server: Callable[[], AbstractContextManager[Any]], engine: Callable[[Any], Engine]) -> Iterator[Engine]:
    with server() as running, closing(engine(running)) as opened:
        yield opened


def _columns(types: Sequence[str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, types, strict=True))


def _ways(engine: Engine, chunks: Chunked) -> tuple[Way, Way]:
    ours = Ours(engine)

    def bare() -> None:
        for path in chunks.paths:
            engine.load(path)

    return (
        Way("splitjoin", OURS, peers.OURS.version(), ours.prepare, partial(ours.load, chunks.paths), ours.rows),
        Way("bare client", engine.bare, engine.version, engine.reset, bare, engine.rows),
    )


class Ours:
    """The loader as the worker uses it: the chunk's description and bytes come from the directory, each time."""

    def __init__(self, engine: Engine, *, exact_values: bool = False) -> None:
        """``exact_values``: as the target has it."""
        self._engine = engine
        self._target = LoadTarget(TABLE, exact_values=exact_values)
        self._stack = ExitStack()

    def prepare(self) -> None:
        """An empty table, and a loader on it that has made its ledger."""
        self._engine.reset()
        self._loader = self._stack.enter_context(
            closing(open_loader(parse(self._engine.url), self._target, login=self._engine.password))
        )
        self._loader.prepare()

    def load(self, paths: Sequence[Path]) -> None:
        """Each chunk, one after the other."""
        with closing(Chunks()) as store:
            for path in paths:
                with closing(store.open_chunk(str(path))) as stored:
                    self._loader.load(chunk_to_load(stored))

    def rows(self) -> int:
        """In the table now; the loader is closed."""
        self._stack.close()
        return self._engine.rows()
