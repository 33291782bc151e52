"""Real exporters: what writes a file, and the options with which it is split."""

# ruff: noqa: S608 -- the tables' names are our own

from __future__ import annotations

import csv
import shlex
import sqlite3
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from tools.exporters.programs import environment, program
from tools.exporters.table import COLUMNS, ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgres import PostgresServer

__all__ = [
    "LIKE_NULL",
    "LIVE",
    "LOST_NULL",
    "NO_NULL",
    "NULL_EMPTY",
    "NULL_N",
    "SAME_BYTES",
    "Places",
    "Variant",
    "spelled",
]

SAME_BYTES = "NULL and the empty text are the same bytes"
LIKE_NULL = "the text is written like NULL"


@dataclass(frozen=True, slots=True)
class Places:
    """The servers to write from, and a folder in which MariaDB may write."""

    mariadb: MariadbServer
    postgres: PostgresServer
    shared: Path


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to export the table.

    ``write`` makes the file. ``options``: of ``splitjoin.split``. ``lost``: the values that the exporter itself loses,
    each with the reason. ``refused``: why no options can read it.
    """

    name: str
    write: Callable[[Path, Places], None]
    options: dict[str, Any] = field(default_factory=dict)
    lost: dict[str | None, str] = field(default_factory=dict)
    refused: str = ""

    @property
    def lost_rows(self) -> tuple[int, ...]:
        """The ids of the rows that hold such a value."""
        return tuple(row[0] for row in ROWS if not set(row[1:]).isdisjoint(self.lost))


def _outfile(clauses: str) -> Callable[[Path, Places], None]:
    """MariaDB's SELECT INTO OUTFILE."""

    def write(path: Path, places: Places) -> None:
        target = places.shared / path.name
        with places.mariadb.connect("exports") as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM awkward ORDER BY id INTO OUTFILE '{target}' CHARACTER SET utf8mb4 {clauses}")
        path.write_bytes(target.read_bytes())
        target.unlink()

    return write


def _client(*options: str) -> Callable[[Path, Places], None]:
    """MariaDB's command-line client."""

    def write(path: Path, places: Places) -> None:
        server = places.mariadb
        command = [program("mariadb"), "--no-defaults", "-h127.0.0.1", f"-P{server.port}", "-uroot"]
        command += ["--default-character-set=utf8mb4", *options, "exports", "-e", "SELECT * FROM awkward ORDER BY id"]
        mine = environment() | {"MYSQL_PWD": server.password}
        path.write_bytes(subprocess.run(command, check=True, capture_output=True, env=mine).stdout)

    return write


def _copy(options: str) -> Callable[[Path, Places], None]:
    """PostgreSQL's COPY TO."""

    def write(path: Path, places: Places) -> None:
        query: Any = f"COPY (SELECT * FROM awkward ORDER BY id) TO STDOUT ({options})"
        with places.postgres.connect("exports") as connection, connection.cursor().copy(query) as copy:
            path.write_bytes(b"".join(map(bytes, copy)))

    return write


def _duckdb(options: str) -> Callable[[Path, Places], None]:
    """DuckDB's COPY TO."""

    def write(path: Path, _: Places) -> None:
        with duckdb.connect() as connection:
            connection.execute("CREATE TABLE awkward (id INTEGER, t VARCHAR, u VARCHAR)")
            connection.executemany("INSERT INTO awkward VALUES (?, ?, ?)", ROWS)
            connection.execute(f"COPY (SELECT * FROM awkward ORDER BY id) TO '{path}' ({options})")

    return write


def _python(**options: Any) -> Callable[[Path, Places], None]:  # noqa: ANN401 -- the csv module's
    """Python's csv module."""

    def write(path: Path, _: Places) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, **options)
            writer.writerow(COLUMNS)
            writer.writerows(ROWS)

    return write


def _sqlite3(*options: str) -> Callable[[Path, Places], None]:
    """SQLite's command-line shell."""

    def write(path: Path, places: Places) -> None:
        database = places.shared / "awkward.db"
        database.unlink(missing_ok=True)
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE awkward (id INTEGER, t TEXT, u TEXT)")
            connection.executemany("INSERT INTO awkward VALUES (?, ?, ?)", ROWS)
        command = [program("sqlite3"), *options, str(database), "SELECT * FROM awkward ORDER BY id"]
        path.write_bytes(subprocess.run(command, check=True, capture_output=True, env=environment()).stdout)

    return write


NULL_N: dict[str, Any] = {"null": "\\N"}
NULL_EMPTY: dict[str, Any] = {"null": ""}
NO_NULL: dict[str, Any] = {"null": "none"}
LOST_NULL: dict[str | None, str] = {None: SAME_BYTES}

LIVE: Sequence[Variant] = (
    Variant("MariaDB: INTO OUTFILE", _outfile(""), {"dialect": "mysql-outfile"}),
    Variant("MariaDB: `;`", _outfile("FIELDS TERMINATED BY ';'"), {"dialect": "mysql-outfile", "delimiter": ";"}),
    Variant(
        "MariaDB: `,`, enclosed",
        _outfile("FIELDS TERMINATED BY ',' ENCLOSED BY '\"'"),
        {"dialect": "mysql-outfile", "delimiter": ",", "quotechar": '"'},
    ),
    Variant(
        "MariaDB: `,`, enclosed, ESCAPED BY ''",
        _outfile("FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY ''"),
        {"no_header": True, "on_stray_quote": "mysql", "null": "NULL", "line_end": "lf"},
        refused="quotes in values are not doubled: a value that ends with one has no end",
    ),
    Variant(
        "mariadb --batch",
        _client("--batch"),
        {"dialect": "postgresql-text", "null": "NULL", "line_end": "lf"},
        {"NULL": LIKE_NULL},
    ),
    Variant(
        "mariadb --batch --raw",
        _client("--batch", "--raw"),
        {"dialect": "tsv", "quotechar": None, "line_end": "lf", "null": "NULL"},
        refused="newlines in values are written raw",
    ),
    Variant("PostgreSQL: COPY text", _copy("FORMAT text"), {"dialect": "postgresql-text", "no_header": True}),
    Variant("PostgreSQL: COPY text, HEADER", _copy("FORMAT text, HEADER"), {"dialect": "postgresql-text"}),
    Variant("PostgreSQL: COPY csv", _copy("FORMAT csv, HEADER"), {"dialect": "postgresql-csv"}),
    Variant("PostgreSQL: FORCE_QUOTE", _copy("FORMAT csv, HEADER, FORCE_QUOTE *"), {"dialect": "postgresql-csv"}),
    Variant("PostgreSQL: NULL 'NULL'", _copy("FORMAT csv, HEADER, NULL 'NULL'"), {"null": "NULL"}),
    Variant(
        "PostgreSQL: ESCAPE '\\'",
        _copy("FORMAT csv, HEADER, ESCAPE '\\'"),
        {"escapechar": "\\", "escape_in": "quotes", "null": ""},
    ),
    Variant("DuckDB: COPY", _duckdb("HEADER"), NULL_EMPTY),
    Variant("DuckDB: FORCE_QUOTE", _duckdb("HEADER, FORCE_QUOTE *"), NULL_EMPTY),
    Variant("DuckDB: tab", _duckdb("HEADER, DELIMITER '\\t'"), {"dialect": "tsv", **NULL_EMPTY}),
    Variant("DuckDB: `||`", _duckdb("HEADER, DELIMITER '||'"), {"delimiter": "||", **NULL_EMPTY}),
    Variant("DuckDB: NULLSTR 'NULL'", _duckdb("HEADER, NULLSTR 'NULL'"), {"null": "NULL"}),
    Variant("DuckDB: NULLSTR '\\N'", _duckdb("HEADER, NULLSTR '\\N'"), NULL_N),
    Variant(
        "DuckDB: ESCAPE '\\'",
        _duckdb("HEADER, ESCAPE '\\'"),
        {"escapechar": "\\", "escape_in": "quotes", "null": ""},
    ),
    Variant("Python: excel", _python(), NO_NULL, LOST_NULL),
    Variant("Python: excel-tab", _python(dialect="excel-tab"), {"dialect": "tsv", **NO_NULL}, LOST_NULL),
    Variant("Python: unix", _python(dialect="unix"), NO_NULL, LOST_NULL),
    Variant("Python: QUOTE_NONNUMERIC", _python(quoting=csv.QUOTE_NONNUMERIC), NO_NULL, LOST_NULL),
    Variant(
        "Python: QUOTE_NONE, escapechar",
        _python(quoting=csv.QUOTE_NONE, escapechar="\\", quotechar=None),
        {"quotechar": None, "escapechar": "\\", **NO_NULL},
        LOST_NULL,
    ),
    Variant("sqlite3 -csv", _sqlite3("-csv", "-header"), NULL_EMPTY),
    Variant(
        "sqlite3, list",
        _sqlite3("-list", "-header"),
        {"delimiter": "|", "quotechar": None, "line_end": "lf", **NO_NULL},
        refused="newlines in values are written raw",
    ),
)
"""What needs nothing but the drivers and servers of the tests."""


def spelled(options: dict[str, Any]) -> str:
    """Options of ``split`` as they are typed."""
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        words.append(flag if value is True else f"{flag} {shlex.quote('none' if value is None else str(value))}")
    return " ".join(words)
