"""Starts what stands for AWS and for the databases on this machine, runs a command among it, and ends all of it.

    python -m examples.aws_servers bash "$PWD/examples/demo_aws.sh"

MiniStack stands for AWS and runs the function as a process of its own Python; MariaDB and PostgreSQL are themselves.
All listen on the loopback interface, on free ports, in temporary directories. The command runs in a directory that goes
with them, and finds AWS as on any machine, in AWS_* variables; the databases' addresses in MARIADB and POSTGRESQL, and
their users' logins, as the function's secret has them, in the files that MARIADB_LOGIN and POSTGRESQL_LOGIN name.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.servers import mariadb_server, ministack_server, postgres_server

if TYPE_CHECKING:
    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgres import PostgresServer

USER, DATABASE = "loader", "sales"


def cleared() -> dict[str, str]:
    """This process's environment without anybody's AWS account, and without splitjoin's options."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SPLITJOIN_"))}


def login(path: Path, password: str) -> str:
    """Write a user's login down, as RDS writes it into Secrets Manager; returns where."""
    path.touch(mode=0o600)
    path.write_text(json.dumps({"username": USER, "password": password}))
    return str(path)


def mariadb_user(server: MariadbServer, password: str) -> str:
    """Make a database and somebody who may do anything in it, and nothing elsewhere; returns the address."""
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        cursor.execute(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{password}'")
        cursor.execute(f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1'")
    return f"127.0.0.1:{server.port}"


def postgresql_user(server: PostgresServer, password: str) -> str:
    """The same there."""
    statements: Any = (f"CREATE ROLE {USER} LOGIN PASSWORD '{password}'", f"CREATE DATABASE {DATABASE} OWNER {USER}")
    with contextlib.closing(server.connect()) as connection:
        for statement in statements:
            connection.execute(cast("Any", statement))
    return f"127.0.0.1:{server.port}"


def main(command: list[str]) -> int:
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    with tempfile.TemporaryDirectory(prefix="splitjoin-demo-") as name, contextlib.ExitStack() as stack:
        place, passwords = Path(name), [secrets.token_urlsafe(12) for _ in range(2)]
        try:
            aws = stack.enter_context(ministack_server())
            mariadb = stack.enter_context(mariadb_server())
            postgresql = stack.enter_context(postgres_server())
        except LookupError as exc:
            print(f"A server is missing: {exc}", file=sys.stderr)
            return 1
        environment = {
            **cleared(),
            **aws.env,
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_PAGER": "",
            "MARIADB": mariadb_user(mariadb, passwords[0]),
            "MARIADB_LOGIN": login(place / "mariadb.json", passwords[0]),
            "POSTGRESQL": postgresql_user(postgresql, passwords[1]),
            "POSTGRESQL_LOGIN": login(place / "postgresql.json", passwords[1]),
        }
        (place / "work").mkdir()
        return run(command, place / "work", environment)


def run(command: list[str], directory: Path, environment: dict[str, str]) -> int:
    """Run it in a session of its own, and leave nothing of that behind; returns its exit code."""
    process = subprocess.Popen(command, cwd=directory, env=environment, start_new_session=True)
    try:
        return process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def end(number: int, _frame: object) -> None:
    """Leave all blocks, and end in them what was started."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, end)
    sys.exit(main(sys.argv[1:]))
