"""An S3 server for tests (SeaweedFS, ``weed mini``): strict about digests, conditions, part sizes and credentials."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.servers.clients import REGION, plain_client
from tests.servers.processes import ServerDiedError, find_binary, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

STARTS = 3  # another process may take a port between the look and the start
PORTS = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port")


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where the server listens and who may use it."""

    endpoint_url: str
    access_key: str
    secret_key: str
    region: str = REGION

    @property
    def env(self) -> dict[str, str]:
        """The environment in which every AWS tool finds this server and nothing else."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> S3Client:
        """A plain boto3 client, to look at what was stored without the code under test."""
        return cast("S3Client", plain_client("s3", self.endpoint_url, self.access_key, self.secret_key))


@dataclass(frozen=True, slots=True)
class Bucket:
    """A fresh, empty bucket on a server."""

    name: str
    server: S3Server

    @property
    def uri(self) -> str:
        """``s3://name/``."""
        return f"s3://{self.name}/"

    @property
    def endpoint_url(self) -> str:
        """The server's endpoint."""
        return self.server.endpoint_url

    @property
    def env(self) -> dict[str, str]:
        """As S3Server.env."""
        return self.server.env

    def client(self) -> S3Client:
        """As S3Server.client."""
        return self.server.client()

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all objects, sorted."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def get(self, key: str) -> bytes:
        """The bytes of one object."""
        return self.client().get_object(Bucket=self.name, Key=key)["Body"].read()

    def open_uploads(self) -> list[str]:
        """The keys of multipart uploads that were neither completed nor aborted."""
        uploads = self.client().list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return sorted(upload["Key"] for upload in uploads)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for the session (with xdist: for each worker)."""
    weed = find_binary("weed")
    with tempfile.TemporaryDirectory(prefix="splitjoin-weed-") as directory, contextlib.ExitStack() as stack:
        for attempt in itertools.count(1):
            try:
                server = stack.enter_context(_weed_mini(weed, Path(directory) / str(attempt)))
                break
            except ServerDiedError:
                if attempt == STARTS:
                    raise
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket; its ``env`` is what a subprocess needs to use it."""
    name = f"test-{secrets.token_hex(8)}"
    s3_server.client().create_bucket(Bucket=name)
    return Bucket(name, s3_server)


@pytest.fixture
def s3_env(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The same bucket, with this process's own environment set to use it."""
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    return bucket


@contextlib.contextmanager
def _weed_mini(weed: Path, directory: Path) -> Iterator[S3Server]:
    directory.mkdir()
    ports = free_ports(2 * len(PORTS))
    numbered = dict(zip((*PORTS, *(f"{name}.grpc" for name in PORTS)), ports, strict=True))
    server = S3Server(f"http://127.0.0.1:{numbered['s3.port']}", secrets.token_hex(10).upper(), secrets.token_hex(20))
    (directory / "s3.json").write_text(json.dumps(_identities(server)))
    command = [
        str(weed),
        "-logtostderr=true",
        "mini",
        f"-dir={directory / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-webdav=false",
        "-admin.ui=false",
        f"-s3.config={directory / 's3.json'}",
        "-s3.autoCreateBucket=false",
        # Each bucket takes seven volumes of its own, and there are as many as fit into the free disk, at 128 MiB each:
        # after some eighty tests none was left, and every write was answered by an error to be tried again.
        "-volume.max=100000",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-filer.localSocket={directory / 'f.sock'}",
        f"-s3.localSocket={directory / 's3.sock'}",
        *(f"-{name}={port}" for name, port in numbered.items()),
    ]
    with running(command, directory=directory, ready=lambda: _asks_for_credentials(numbered["s3.port"])):
        yield server


def _identities(server: S3Server) -> dict[str, object]:
    credentials = [{"accessKey": server.access_key, "secretKey": server.secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "admin", "credentials": credentials, "actions": actions}]}


def _asks_for_credentials(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.FORBIDDEN
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
