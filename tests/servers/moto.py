"""moto as a server, one request after another: it checks requests that the other stand-ins let pass."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from tests.servers.processes import free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-east-1"
BUCKET = "contracts"
SERVE = (
    "import sys; from moto.server import DomainDispatcherApplication, create_backend_app\n"
    "from werkzeug.serving import make_server\n"
    "app = DomainDispatcherApplication(create_backend_app)\n"
    "make_server('127.0.0.1', int(sys.argv[1]), app, threaded=False).serve_forever()"
)
"""Not threaded: moto's stores have no locks, and two writes at once are both told that they came first."""


@dataclass(frozen=True, slots=True)
class MotoServer:
    """Where it listens; it takes any credentials."""

    endpoint_url: str

    @property
    def env(self) -> dict[str, str]:
        """The environment in which every AWS tool finds it."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint_url,
        }

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set this process's own environment to use it."""
        for name, value in self.env.items():
            monkeypatch.setenv(name, value)

    def client(self, service: str) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        """A client as tests look at it; one for all."""
        return _client(self.endpoint_url, service)

    def bucket(self) -> str:
        """A bucket that all tests share, by prefixes of their own."""
        return _bucket(self.endpoint_url)


@cache
def _bucket(endpoint_url: str) -> str:
    _client(endpoint_url, "s3").create_bucket(Bucket=BUCKET)
    return BUCKET


@cache
def _client(endpoint_url: str, service: str) -> Any:  # noqa: ANN401 -- see MotoServer.client
    make: Any = boto3.Session("test", "test", region_name=REGION).client
    return make(service, endpoint_url=endpoint_url, config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """One for the session (with xdist: for each worker)."""
    with _started() as server:
        yield server


@contextmanager
def _started() -> Iterator[MotoServer]:
    (port,) = free_ports(1)
    server = MotoServer(f"http://127.0.0.1:{port}")

    def ready() -> bool:
        try:
            server.client("sqs").list_queues()
        except botocore.exceptions.BotoCoreError:
            return False
        return True

    with TemporaryDirectory(prefix="moto-") as directory:
        command = [sys.executable, "-c", SERVE, str(port)]
        with running(command, directory=Path(directory), ready=ready):
            yield server
