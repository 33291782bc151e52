"""The whole system, deployed from our own template: killed, restarted, poisoned; every row is there, and one join."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.aws_system import System, wait_for
from tests.e2e.kills import end
from tests.servers.mariadb import MariadbDatabase, MariadbFiles

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.e2e.command import Splitjoin
    from tests.servers.dynamodb import DynamoDbServer
    from tests.servers.mariadb import MariadbServer
    from tests.servers.postgres import PostgresDatabase

CHUNKS = 90
ROWS_PER_CHUNK = 100
ROWS = CHUNKS * ROWS_PER_CHUNK
POISON = 7
KILLS = 2


def export(rows: int) -> bytes:
    """A CSV file with quoted newlines."""
    return b"id,note\n" + b"".join(b'%d,"a line\nand another"\n' % number for number in range(rows))


class RestartableMariadb:
    """A server of the test's own, which it may kill; what it has committed outlives that."""

    def __init__(self, files: MariadbFiles) -> None:
        self._files = files
        self._running = contextlib.ExitStack()
        self.server = self.start()

    def start(self) -> MariadbServer:
        """Returns once it answers."""
        return self._running.enter_context(self._files.running())

    def kill(self) -> None:
        """SIGKILL."""
        self._running.close()


@pytest.fixture
def restartable() -> Iterator[RestartableMariadb]:
    """Running."""
    with tempfile.TemporaryDirectory(prefix="splitjoin-mariadb-") as name:
        one = RestartableMariadb(MariadbFiles.make(Path(name), flush_log=2))
        try:
            yield one
        finally:
            one.kill()


@pytest.fixture
def sales(restartable: RestartableMariadb) -> MariadbDatabase:
    """A database with the table as its owner made it: no key would hide that rows come twice."""
    with contextlib.closing(restartable.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE sales")
        cursor.execute("CREATE TABLE sales.acme (id BIGINT NOT NULL, note TEXT)")
    return MariadbDatabase("sales", restartable.server)


@pytest.fixture
def system(
    ministack_server: DynamoDbServer, function_zip: Path, tmp_path: Path, sales: MariadbDatabase
) -> Iterator[System]:
    """Deployed; nothing reaches the function yet."""
    into = f"mysql://127.0.0.1:{sales.server.port}/{sales.name}"
    login = {"username": "root", "password": sales.server.password}
    one = System.deploy(ministack_server, function_zip, tmp_path, into=into, login=login)
    one.feed(enabled=False)
    yield one
    one.stack.account.clean()


def split(system: System, rows: int = ROWS) -> dict[str, Any]:
    """Upload an export as acme_1; S3's notifications wait in the queue."""
    (system.command.directory / "acme.csv").write_bytes(export(rows))
    destination = system.stack.outputs["Destination"]
    return system.command.json("split", "acme.csv", destination, "--date", "1", "--rows", str(ROWS_PER_CHUNK))


def kill_loads(database: MariadbDatabase, kill: Callable[[], int]) -> int:
    """Kill processes while the database has not answered their LOAD DATA yet; returns how many loads they were in.

    ``kill`` returns how many it killed.
    """
    loads = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'LOAD DATA%'"
    with contextlib.closing(database.server.connect(database.name)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES acme WRITE")
        wait_for(lambda: database.query(loads)[0][0] >= 2, "two loads wait for the table")
        (count,) = database.query(loads)[0]
        assert kill() >= 1
        cursor.execute("UNLOCK TABLES")
    return int(count)


def is_counted(system: System, chunks: int) -> bool:
    """Whether so many are."""
    return system.counted("acme_1") >= chunks


def told(system: System) -> list[tuple[str, int, int]]:
    """What the topic told of joins: job, chunks, rows."""
    return [(one["file_name"], one["total_parts"], one["rows"]) for one in system.joined()]


def test_the_function(system: System, sales: MariadbDatabase, restartable: RestartableMariadb) -> None:
    """Duplicates, functions killed in the middle of loads, a killed database, a poison chunk, which is then mended."""
    command = system.command
    result = split(system)
    assert result["total_parts"] == CHUNKS
    uris = [str(chunk["uri"]) for chunk in result["chunks"]]
    s3, place = system.client("s3"), {"Bucket": system.stack.bucket, "Key": uris[POISON - 1].split("/", 3)[3]}
    right = s3.get_object(**place)
    body = right["Body"].read()
    s3.put_object(**place, Body=body[: len(body) // 2], Metadata=right["Metadata"])
    system.send_again(uri for number, uri in enumerate(uris, 1) if number % 3 == 0 and number != POISON)

    system.feed(enabled=True)
    killed = 0
    for turn in range(1, KILLS + 1):
        wait_for(partial(is_counted, system, 20 * turn), "chunks are loaded")
        killed += kill_loads(sales, system.kill_functions)
    assert killed >= 2 * KILLS
    wait_for(partial(is_counted, system, CHUNKS // 2), "half of the chunks are loaded")
    restartable.kill()
    restartable.start()
    wait_for(partial(is_counted, system, CHUNKS - 1), "all chunks but one are loaded")
    wait_for(lambda: sum(system.messages(system.queue) + system.messages(system.dead)) == 2, "only poison is left")
    system.hide(1)  # it is still to fail, again and again
    wait_for(lambda: system.messages(system.dead) == (2, 0), "the poison chunk's two messages are dead letters")
    status = command.json("status", "acme_1", "--queue", system.queue)
    assert (status["state"], status["missing"], status["processed_parts"]) == ("failed", [POISON], CHUNKS - 1)
    assert [(one["number"], one["uri"]) for one in status["dead_letters"]] == [(POISON, uris[POISON - 1])] * 2
    assert command("status", "--check").code == 12
    assert system.joined() == []

    system.feed(enabled=False)  # so that nobody but retry can be who brings the chunk
    s3.put_object(**place, Body=body, Metadata=right["Metadata"])
    retried = command.json("retry", "acme_1", "--to", f"lambda:{system.function}")
    assert (retried["sent"], retried["failed"]) == ([POISON], [])
    wait_for(
        lambda: command.json("status", "acme_1")["state"] == "joined", "the chunk that was mended completes the job"
    )
    system.feed(enabled=True)  # S3's own notification of the mended chunk comes after the join
    wait_for(lambda: system.messages(system.queue) == (0, 0), "the queue is empty")

    status = command.json("status", "acme_1")
    assert (status["state"], status["processed_parts"], status["rows"]) == ("joined", CHUNKS, ROWS)
    assert sales.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme") == [(ROWS, ROWS)]
    assert told(system) == [("acme_1", CHUNKS, ROWS)]
    assert status["duplicates"] >= CHUNKS // 3


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Whatever a test puts here has ended after it."""
    begun: list[subprocess.Popen[bytes]] = []
    yield begun
    for one in begun:
        if one.returncode is None:
            one.kill()
            end(one)


def started(processes: list[subprocess.Popen[bytes]], command: Splitjoin, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the command, to be ended with the test."""
    processes.append(command.begin(*arguments))
    return processes[-1]


def test_two_workers_instead(system: System, sales: MariadbDatabase, processes: list[subprocess.Popen[bytes]]) -> None:
    """One is killed in the middle of a load, one is stopped, a third goes on; a lost chunk is sent again by retry."""
    result = split(system)
    key = system.lose_one()
    (lost,) = (chunk for chunk in result["chunks"] if str(chunk["uri"]).endswith(f"/{key}"))
    system.send_again(chunk["uri"] for chunk in result["chunks"] if chunk["number"] % 3 == 0 and chunk != lost)
    command = system.command.within(
        SPLITJOIN_DB_PASSWORD=sales.server.password, SPLITJOIN_INTO=str(sales.url),
        SPLITJOIN_ON_JOIN=f"sns:{system.stack.outputs['JoinTopicArn']}",
    )  # fmt: skip
    begin = partial(started, processes, command)
    work = ("worker", system.queue, "--workers", "2", "--lease", "5s")
    killed, stopped = begin(*work), begin(*work)
    wait_for(partial(is_counted, system, CHUNKS // 5), "chunks are loaded")

    def kill() -> int:
        killed.kill()
        end(killed)
        return 1

    assert kill_loads(sales, kill) >= 2
    wait_for(partial(is_counted, system, CHUNKS // 2), "half of the chunks are loaded")
    stopped.send_signal(signal.SIGTERM)
    assert (killed.returncode, end(stopped)[0].count(b"\n"), stopped.returncode) == (-signal.SIGKILL, 1, 143)

    third = begin(*work, "--json")
    wait_for(partial(is_counted, system, CHUNKS - 1), "all chunks but one are loaded")
    status = command.json("status", "acme_1")
    assert (status["missing"], status["failures"], system.joined()) == ([lost["number"]], [], [])
    retried = command.json("retry", "acme_1", "--to", f"sqs:{system.queue}")
    assert (retried["sent"], retried["failed"]) == ([lost["number"]], [])
    wait_for(lambda: system.messages(system.queue) == (0, 0), "the queue is empty")
    third.send_signal(signal.SIGTERM)
    summary, said = end(third)
    assert (third.returncode, json.loads(summary)["joined"], json.loads(summary)["given_back"]) == (143, 1, 0), said
    assert command.json("status", "acme_1")["state"] == "joined"
    assert system.messages(system.dead) == (0, 0)
    assert sales.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme") == [(ROWS, ROWS)]
    assert told(system) == [("acme_1", CHUNKS, ROWS)]


def test_into_postgresql(
    ministack_server: DynamoDbServer, function_zip: Path, tmp_path: Path, postgres: PostgresDatabase
) -> None:
    """The same zip with the other driver; the function makes the table."""
    port, login = postgres.server.port, {"username": "postgres", "password": "any: the server trusts"}
    into = f"postgresql://127.0.0.1:{port}/{postgres.name}"
    system = System.deploy(ministack_server, function_zip, tmp_path, into=into, login=login, CreateTable="1")
    try:
        result = split(system, 10 * ROWS_PER_CHUNK)
        system.send_again(chunk["uri"] for chunk in result["chunks"])
        wait_for(
            lambda: system.command("status", "acme_1", "--check", "--json").document["state"] == "joined", "the join"
        )
        wait_for(lambda: system.messages(system.queue) == (0, 0), "the queue is empty")
        rows = 10 * ROWS_PER_CHUNK
        assert postgres.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM acme") == [(rows, rows)]
        assert told(system) == [("acme_1", 10, rows)]
    finally:
        system.stack.account.clean()
