"""A MariaDB server for tests, in a temporary directory; stands for MySQL."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from splitjoin_cli.stores.loaders.urls import DatabaseUrl
from tests.servers.processes import ROOT, ServerDiedError, free_ports, lowered, running, world_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FETCHED = ROOT / ".cache" / "mariadb"
PASSWORD = "p%40ss w√rd'"  # noqa: S105 -- of a server that lives as long as the test


@dataclass(frozen=True, slots=True)
class MariadbServer:
    """Where it listens; the account is ``root``, with PASSWORD."""

    port: int
    password: str = PASSWORD

    def connect(self, database: str | None = None) -> Any:  # noqa: ANN401 -- PyMySQL's stubs know no own result type
        """A plain connection, to look at what is there without the code under test."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            password=self.password.encode(),
            database=database,
            autocommit=True,
            local_infile=True,
        )


@dataclass(frozen=True, slots=True)
class MariadbDatabase:
    """A fresh, empty database on a server."""

    name: str
    server: MariadbServer

    @property
    def url(self) -> DatabaseUrl:
        """As a loader takes it."""
        return DatabaseUrl("mysql", self.name, "127.0.0.1", self.server.port, "root")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a statement, by the plain driver."""
        with contextlib.closing(self.server.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class MariadbFiles:
    """A server's data and its port: what outlives its process, so that it can be ended and started again."""

    directory: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int

    @classmethod
    def make(cls, directory: Path, *, flush_log: int = 0) -> MariadbFiles:
        """Fresh data in an empty directory. Skips the test where there is no MariaDB.

        ``flush_log``: its innodb_flush_log_at_trx_commit. With 0 a server that is killed may have lost what it
        committed; with 2 it keeps that as long as the machine runs.
        """
        base, environment = _base(directory)
        user = lowered(directory)
        common = [
            "--no-defaults",
            *([f"--user={user}"] if user else []),
            f"--basedir={base}",
            f"--datadir={directory / 'data'}",
            f"--tmpdir={directory}",
            "--skip-name-resolve",
            "--innodb-use-native-aio=0",  # what the kernel grants of it, servers that start at once would share
        ]
        _install([str(base / "bin" / "mariadb-install-db"), *common], directory, environment)
        init = directory / "init.sql"
        init.write_text(f"SET PASSWORD FOR 'root'@'127.0.0.1' = '{_password_hash(PASSWORD)}';\n")
        (port,) = free_ports(1)
        command = (
            str(base / "sbin" / "mariadbd"),
            *common,
            f"--init-file={init}",
            f"--socket={directory / 'm.sock'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--pid-file={directory / 'pid'}",
            "--local-infile=1",
            "--character-set-server=utf8mb4",
            f"--innodb-flush-log-at-trx-commit={flush_log}",
        )
        return cls(directory, command, environment, port)

    @contextlib.contextmanager
    def running(self) -> Iterator[MariadbServer]:
        """The server, until the block is left: it is killed then."""
        ready = partial(_answers, self.port)
        with running(self.command, directory=self.directory, ready=ready, environment=self.environment):
            yield MariadbServer(self.port)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """One server for the session (with xdist: for each worker)."""
    with (
        tempfile.TemporaryDirectory(prefix="splitjoin-mariadb-") as name,
        MariadbFiles.make(Path(name)).running() as one,
    ):
        yield one


@pytest.fixture
def mariadb(mariadb_server: MariadbServer) -> MariadbDatabase:
    """A fresh database."""
    name = f"test_{secrets.token_hex(8)}"
    with contextlib.closing(mariadb_server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return MariadbDatabase(name, mariadb_server)


def _base(directory: Path) -> tuple[Path, dict[str, str]]:
    """Where MariaDB is (``bin``, ``sbin`` below it), and the environment that it needs; skips where there is none."""
    if (FETCHED / "usr" / "sbin" / "mariadbd").exists():
        base = world_readable(FETCHED, directory / "mariadb") / "usr"
        libraries = ":".join(sorted({str(path.parent) for path in base.rglob("*.so.*")}))
        # Debian's own PATH for the server's scripts: my_print_defaults and resolveip lie beside them
        path = f"{base / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return base, {**os.environ, "LD_LIBRARY_PATH": libraries, "PATH": path}
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
    if found is None or shutil.which("mariadb-install-db") is None:
        pytest.skip("mariadbd is not installed: run `make servers`")
    return Path(found).resolve().parent.parent, dict(os.environ)


def _install(command: list[str], directory: Path, environment: Mapping[str, str]) -> None:
    command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=directory)
    if done.returncode:
        raise ServerDiedError(f"mariadb-install-db exited {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")


def _password_hash(password: str) -> str:
    """As mysql_native_password stores it: a literal in the file of statements would be read as Latin-1."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return f"*{hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()}"


def _answers(port: int) -> bool:
    try:
        MariadbServer(port).connect().close()
    except pymysql.Error:
        return False
    return True
