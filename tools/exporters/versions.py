"""Which versions of the exporters and databases ran."""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import duckdb

from tools.exporters.programs import FETCHED, environment, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.exporters.variants import Places

__all__ = ["versions"]

NPM = ("csv-stringify", "papaparse", "fast-csv", "xlsx")
PIP = ("pandas", "polars", "pyarrow", "chdb")
COMMANDS = {
    "php": ("-r", "echo PHP_VERSION;"),
    "ruby": ("-e", "print RUBY_VERSION"),
    "mlr": ("--version",),
}


def versions(places: Places) -> Iterator[str]:
    """A name and version each."""
    with places.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        yield f"MariaDB {cursor.fetchone()[0]}"
    with closing(places.postgres.connect()) as connection:
        yield f"PostgreSQL {connection.execute('SHOW server_version').fetchall()[0][0]}"
    yield f"DuckDB {duckdb.__version__}"
    yield f"SQLite {sqlite3.sqlite_version}"
    yield f"Python {platform.python_version()}"
    for name in PIP:
        for found in (FETCHED / "env" / "lib").glob(f"python3*/site-packages/{name}-*.dist-info"):
            yield f"{name} {found.name.removesuffix('.dist-info').rpartition('-')[2]}"
    for name in NPM:
        package = FETCHED / "node_modules" / name / "package.json"
        if package.exists():
            yield f"{name} {json.loads(package.read_text(encoding='utf-8'))['version']}"
    for name, command in COMMANDS.items():
        with suppress(FileNotFoundError):
            words = [program(name), *command]
            done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment())
            yield f"{name} {done.stdout.split()[-1]}"
